"""Is a file still open for writing? Asked of /proc, which knows who, and of the kernel's leases, which are sure.

A read lease is granted only while nobody has the file open for writing, through whatever name, container or memory
mapping; while it is held, whoever opens the file for writing waits. It takes the file's owner or CAP_LEASE, and a
local file system. Sources: fcntl(2) (Leases), proc_pid_fd(5), proc_pid_fdinfo(5).
"""

from __future__ import annotations

import errno
import os

from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection

    Inode = tuple[int, int]

FREE, WRITTEN, UNKNOWN = "free", "written", "unknown"
MOST_LOOKED_AT = 500_000
_F_SETSIG, _F_SETLEASE, _F_RDLCK, _F_UNLCK = 10, 1024, 0, 2
_SIGURG = 23  # ignored unless asked for, while the signal of a broken lease, SIGIO, would kill us


class Scan:
    """What /proc tells of open files.

    `writers`: inode to who has it open for writing ("uvicorn[1234]"); `readers`: inodes that are open for reading only;
    `blind`: there are processes whose files could not be seen.
    """

    def __init__(self) -> None:
        self.writers: dict[Inode, str] = {}
        self.readers: set[Inode] = set()
        self.blind = os.geteuid() != 0


def scan(inodes: Collection[Inode], names: Collection[str] | None) -> Scan:
    """Look for processes that have files open.

    inodes: device and inode number of each file; names: their names, without folder, so that no file of another name
    (on a dead network mount, perhaps) needs to be asked for its inode; None when other names may lead to them.
    """
    found = Scan()
    looked = 0
    for pid in [name for name in os.listdir("/proc") if name.isdigit()]:
        folder = "/proc/%s/fd" % pid
        try:
            numbers = os.listdir(folder)
        except PermissionError:
            found.blind = True
            continue
        except OSError:
            continue
        for number in numbers:
            looked += 1
            try:
                path = os.readlink(folder + "/" + number)
                if path[:1] != "/" or (names is not None and path.rpartition("/")[2] not in names):
                    continue
                status = os.stat(folder + "/" + number)
                inode = status.st_dev, status.st_ino
                if inode not in inodes:
                    continue
                with open("/proc/%s/fdinfo/%s" % (pid, number), "rb") as info:
                    if not writable(info.read(4096)):
                        found.readers.add(inode)
                    elif inode not in found.writers:
                        found.writers[inode] = "%s[%s]" % (_command(pid), pid)
            except OSError:
                continue
        if looked > MOST_LOOKED_AT:
            found.blind = True
            break
    found.readers.difference_update(found.writers)
    return found


def writable(fdinfo: bytes) -> bool:
    """Return whether the text of a file in /proc/PID/fdinfo speaks of a descriptor that can write."""
    for line in fdinfo.split(b"\n"):
        if line.startswith(b"flags:"):
            return int(line[6:], 8) & os.O_ACCMODE != os.O_RDONLY
    return False


def lease(fd: int) -> str:
    """Take a read lease on a file opened for reading. Returns FREE with the lease held, WRITTEN, or UNKNOWN."""
    import fcntl

    try:
        fcntl.fcntl(fd, _F_SETSIG, _SIGURG)
        fcntl.fcntl(fd, _F_SETLEASE, _F_RDLCK)
    except OSError as error:
        return WRITTEN if error.errno == errno.EAGAIN else UNKNOWN
    return FREE


def release(fd: int) -> None:
    """Give up a lease, so that whoever waits to write goes on; closing the file does the same."""
    import fcntl

    try:
        fcntl.fcntl(fd, _F_SETLEASE, _F_UNLCK)
    except OSError:
        pass


def _command(pid: str) -> str:
    try:
        with open("/proc/%s/comm" % pid, "rb") as comm:
            return printable(comm.read(64).decode("utf-8", "replace").strip())
    except OSError:
        return "?"
