"""The mount table: what is mounted where, what is hidden beneath, and which file systems hold data.

Source: proc_pid_mountinfo(5).
"""

from __future__ import annotations

from opslib.host.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

MOUNTINFO = "/proc/self/mountinfo"
MAX_TABLE = 16 << 20
# No storage behind them, or a read-only image that is full by nature, or a view of another file system.
PSEUDO = frozenset(
    [
        "aufs",
        "autofs",
        "bdev",
        "binder",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "cpuset",
        "cramfs",
        "debugfs",
        "devfs",
        "devpts",
        "devtmpfs",
        "efivarfs",
        "erofs",
        "functionfs",
        "fuse.gvfsd-fuse",
        "fuse.lxcfs",
        "fuse.portal",
        "fuse.snapfuse",
        "fuse.squashfuse",
        "fusectl",
        "hugetlbfs",
        "iso9660",
        "mqueue",
        "none",
        "nsfs",
        "overlay",
        "pipefs",
        "proc",
        "pstore",
        "ramfs",
        "romfs",
        "rootfs",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "smackfs",
        "sockfs",
        "spufs",
        "squashfs",
        "sysfs",
        "tmpfs",
        "tracefs",
    ]
)

# On disks or in memory of this machine: asking how full they are waits for nobody.
LOCAL = frozenset(["btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "tmpfs", "vfat", "xfs"])


class Mount(Record):
    """One line of the table.

    device: "major:minor", the same for all mounts of one file system; root: what of the file system is mounted;
    point: where; options: of this mount; features: options of the file system as a whole.
    """

    id: int
    parent: int
    device: str
    root: str
    point: str
    fstype: str
    source: str
    options: Sequence[str]
    features: Sequence[str]


def read_table() -> list[Mount]:
    """Return the mounts that this process sees."""
    with open(MOUNTINFO, "rb") as table:
        return parse(table.read(MAX_TABLE).decode("utf-8", "surrogateescape"))


def parse(text: str) -> list[Mount]:
    """Return the mounts of a table; lines that are not understood are left out."""
    mounts = []
    for line in text.split("\n"):
        left, found, right = line.partition(" - ")
        fields, rest = left.split(" "), right.split(" ")
        if not found or len(fields) < 6 or len(rest) < 3 or not (fields[0] + fields[1]).isdigit():
            continue
        mounts.append(
            Mount(
                id=int(fields[0]),
                parent=int(fields[1]),
                device=fields[2],
                root=unescape(fields[3]),
                point=unescape(fields[4]),
                fstype=unescape(rest[0]),
                source=unescape(rest[1]),
                options=fields[5].split(","),
                features=rest[2].split(","),
            )
        )
    return mounts


def unescape(word: str) -> str:
    """Return a word of the table with its octal escapes (space, tab, newline, backslash, number sign) decoded."""
    head, *parts = word.split("\\")
    for part in parts:
        digits = part[:3]
        octal = len(digits) == 3 and all(c in "01234567" for c in digits)
        head += chr(int(digits, 8)) + part[3:] if octal else "\\" + part
    return head


def on_top(mounts: Sequence[Mount]) -> dict[tuple[int, str], Mount]:
    """Return mounts by parent and mount point, as a path is resolved; parent 0 stands for what is outside our view."""
    known = {mount.id for mount in mounts}
    return {
        (mount.parent if mount.parent in known and mount.parent != mount.id else 0, mount.point): mount
        for mount in mounts
    }


def holding(path: str, tops: dict[tuple[int, str], Mount]) -> Mount | None:
    """Return the mount that a path without links lies on; None when it lies on one that we do not see."""
    here, found, passed = 0, None, set()
    steps = ["/"]
    for part in path.split("/"):
        if part:
            steps.append(steps[-1].rstrip("/") + "/" + part)
    for step in steps:
        while (here, step) in tops:
            if here in passed:
                return None
            passed.add(here)
            found = tops[here, step]
            here = found.id
    return found


def quick(mounts: Sequence[Mount]) -> set[str]:
    """Return the mount points that answer at once: these, and all above them, are local file systems."""
    slow = {mount.point for mount in mounts if mount.fstype not in LOCAL}
    return {mount.point for mount in mounts if slow.isdisjoint(_above(mount.point))}


def _above(path: str) -> list[str]:
    """Return a path and the folders above it."""
    steps = [path]
    while steps[-1].strip("/"):
        steps.append(steps[-1].rpartition("/")[0] or "/")
    return steps


def real(mounts: Sequence[Mount]) -> list[list[Mount]]:
    """Return the file systems that hold data, each as its visible mounts, the most telling one first.

    Counted are all kinds but those in `PSEUDO`, and of those still what is mounted at `/` and a tmpfs at `/tmp`.
    What a container's manager lends from its own disk below /run/host is not of this host.
    A file system mounted in several places (bind mounts, subvolumes) is counted once; the mount of its whole comes
    before mounts of a part, a writable mount before a read-only, a shorter mount point before a longer.
    """
    tops = on_top(mounts)
    groups: dict[str, list[Mount]] = {}
    for mount in mounts:
        counted = mount.fstype not in PSEUDO or mount.point == "/" or (mount.fstype, mount.point) == ("tmpfs", "/tmp")
        lent = (mount.point + "/").startswith("/run/host/")
        if counted and not lent and holding(mount.point, tops) is mount:
            groups.setdefault(mount.device, []).append(mount)
    for group in groups.values():
        group.sort(key=_rank)
    return list(groups.values())


def _rank(mount: Mount) -> tuple[bool, bool, bool, int, str]:
    return mount.point != "/", mount.root != "/", "ro" in mount.options, len(mount.point), mount.point
