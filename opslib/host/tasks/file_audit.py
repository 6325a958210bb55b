"""Say which files of packages were changed, which programs lend root's rights, and what changed lately."""

from __future__ import annotations

import os
import stat
import time

from opslib.host.command import run
from opslib.host.files import mounts, tree
from opslib.host.files.sizes import matches
from opslib.host.params import Boolean, Duration, ListOf, Number, Path, Text
from opslib.host.plan import Plan
from opslib.host.task import Task, TaskError, param
from opslib.host.words import count, listed, printable, utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

_IGNORED = [
    "/usr/share/doc/*",
    "/usr/share/doc-base/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
]
_WATCHED = ["/etc", "/root", "/usr/local/bin", "/usr/local/sbin", "/usr/local/lib", "/var/spool/cron", "/boot"]
_CONTAINERS = [
    "/var/lib/containerd/io.containerd.snapshotter.v1.native",
    "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs",
    "/var/lib/containers/storage",
    "/var/lib/docker/fuse-overlayfs",
    "/var/lib/docker/overlay2",
    "/var/lib/docker/vfs",
    "/var/lib/machines",
]
_MOST_WALKED = 3_000_000
_CHECKS = {"5": "content", "M": "mode", "U": "owner", "G": "group", "S": "size", "L": "link"}


class FileAudit(Task, name="file_audit"):
    """Compare the files of all packages with what was installed, and look for what an intruder leaves.

    Three looks: dpkg --verify (changed or missing files of packages; configuration files are told apart, since people
    change them); programs with the setuid or setgid bit that no package brought, on file systems with disks; files
    below `watched` that changed within `since`, by the time that nobody can set back (ctime). A changed program, a
    missing one, and a setuid program of nobody's are severe: warnings, or failures with `strict`. dpkg's own lists can
    be changed by an intruder with root as well: what is found is true, what is not found proves nothing. Reading
    all files of all packages takes a while. Nothing is changed.

    Images of containers hold setuid programs that no package of the host brought, in folders that only root can enter,
    as docker, containerd, podman and machined make them: `containers` are not looked into. `left_out`, and the words of
    the result, say which of them there are.

    data: `changed_programs`, `changed_config`: `path`, `package_says` (what differs: content, missing); `missing`;
    `setuid`: `path`, `mode`, `owner`, `changed` (UTC); `recent`: `path`, `mode`, `owner`, `changed`; of each list
    at most `top` and `..._count` with it; `complete` (false when there were more files than can be looked at);
    `left_out` (folders of containers).

    Errors: dpkg is missing, or takes longer than `timeout`. Sources: dpkg(1) (--verify), inode(7), find(1).
    """

    since: float = param(Duration(1), "Files that changed within this many seconds are recent.", default="7d")
    watched: list[str] = param(ListOf(Path(), longest=100), "Folders in which recent changes count.", default=_WATCHED)
    ignore: list[str] = param(
        ListOf(Text("pattern of paths"), longest=200), "Patterns of paths that are left out.", default=_IGNORED
    )
    packages: bool = param(Boolean(), "Whether to compare the files of packages.", default=True)
    setuid: bool = param(Boolean(), "Whether to look for setuid and setgid programs of no package.", default=True)
    containers: list[str] = param(
        ListOf(Path(), longest=100),
        "Folders of containers and their images, in which setuid programs are not looked for.",
        default=_CONTAINERS,
    )
    strict: bool = param(Boolean(), "Whether what is severe is a failure.", default=False)
    timeout: float = param(Duration(low=1), "Seconds that dpkg may take.", default="15m")
    top: int = param(Number(1, 5000, whole=True), "How many entries of each list to show.", default=100)

    def check(self) -> None:
        for pattern in self.ignore:
            if not pattern.startswith("/"):
                self.refuse("ignore: %s does not begin with '/', so it matches no path" % printable(pattern))

    def probe(self) -> dict[str, Any]:
        now = time.time()
        lines = ""
        if self.packages:
            done = run(("dpkg", "--verify"), timeout=self.timeout, ok=None, max_output=16 << 20)
            if done.code not in (0, 1) and not done.out:
                raise TaskError("dpkg --verify failed: %s" % (done.err.strip()[-300:] or "code %d" % done.code))
            lines = done.out
        walked = _Walked(now - self.since, self.containers)
        if self.setuid:
            walked.setuid()
        walked.recent(self.watched)
        owned = _of_packages([row["path"] for row in walked.setuids], self.timeout) if walked.setuids else set()
        return {
            "now": now,
            "verified": [row for row in parse_verify(lines) if not self._ignored(row["path"])],
            "setuid": [row for row in walked.setuids if row["path"] not in owned and not self._ignored(row["path"])],
            "recent": [row for row in walked.recents if not self._ignored(row["path"])],
            "complete": not walked.over,
            "problems": walked.problems,
            "left_out": sorted(walked.left_out),
        }

    def _ignored(self, path: str) -> bool:
        return any(matches(path, pattern, hidden=True) for pattern in self.ignore)

    def plan(self, state: dict[str, Any]) -> Plan:
        programs = [row for row in state["verified"] if not row["config"] and not row["missing"]]
        config = [row for row in state["verified"] if row["config"]]
        missing = [row for row in state["verified"] if row["missing"] and not row["config"]]
        recent = sorted(state["recent"], key=lambda row: -row["ctime"])
        lists: dict[str, list[Any]] = {
            "changed_programs": [_told(row) for row in programs],
            "changed_config": [_told(row) for row in config],
            "missing": [printable(row["path"]) for row in missing],
            "setuid": [_shown(row) for row in state["setuid"]],
            "recent": [_shown(row) for row in recent],
        }
        data: dict[str, Any] = {}
        for name, rows in lists.items():
            data[name] = rows[: self.top]
            data[name + "_count"] = len(rows)
        data["complete"] = state["complete"]
        data["left_out"] = [printable(path) for path in state["left_out"]]
        severe = []
        for rows, words in (
            (programs, "files of packages that were changed: "),
            (missing, "files of packages that are missing: "),
            (state["setuid"], "setuid or setgid programs that no package brought: "),
        ):
            if rows:
                severe.append(words + listed([printable(row["path"]) for row in rows]))
        notes = []
        if config:
            notes.append("configuration files that were changed: " + listed([printable(row["path"]) for row in config]))
        if not state["complete"]:
            notes.append("there are more files than were looked at")
        notes += state["problems"][:20]
        reason = "%s of packages changed, %s, %s of no package, %s" % (
            count(len(programs) + len(missing), "file"),
            count(len(config), "configuration file"),
            count(len(state["setuid"]), "setuid program"),
            count(len(recent), "recent change"),
        )
        if data["left_out"]:
            reason += "; not looked into for setuid programs: " + ", ".join(data["left_out"])
        failure = "; ".join(severe) if self.strict else ""
        return Plan(reason=reason, failure=failure, warnings=notes if self.strict else severe + notes, data=data)


def parse_verify(text: str) -> Iterator[dict[str, Any]]:
    """Yield what dpkg --verify says: path, what differs, whether it is configuration, whether it is missing."""
    for line in text.split("\n"):
        flags, rest = line[:9], line[9:].lstrip(" ")
        config = rest.startswith("c ")
        path = rest[2:].lstrip(" ") if config else rest
        if not path.startswith("/"):
            continue
        missing = flags.strip() == "missing"
        if missing:
            path = path.partition(" (")[0] if path.endswith(")") else path
        says = ["missing"] if missing else [_CHECKS[flag] for flag in flags if flag in _CHECKS]
        yield {"path": path, "says": says or ["not checked"], "config": config, "missing": missing}


class _Walked:
    """What lies on file systems: programs that lend rights, and what changed since a time."""

    def __init__(self, since: float, containers: Sequence[str] = ()) -> None:
        self.since = since
        self.containers = frozenset(path.rstrip("/") for path in containers)
        self.left_out: set[str] = set()
        self.setuids: list[dict[str, Any]] = []
        self.recents: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self.left = _MOST_WALKED
        self.over = False

    def setuid(self) -> None:
        """Look through all file systems with disks."""
        for group in mounts.real(mounts.read_table()):
            mount = group[0]
            if "nosuid" not in mount.options and not mount.fstype.startswith(("nfs", "cifs", "fuse")):
                self._walk(mount.point, self._take_setuid, self._enters)

    def recent(self, folders: Sequence[str]) -> None:
        """Look through folders."""
        for folder in folders:
            self._walk(folder, self._take_recent)

    def _enters(self, path: str) -> bool:
        if path not in self.containers:
            return True
        self.left_out.add(path)
        return False

    def _walk(self, path: str, take: Any, enters: Any = None) -> None:
        top = path.rstrip("/") + "/"
        if enters and not all(enters(path[:end]) for end in range(1, len(top)) if top[end] == "/"):
            return
        try:
            root = tree.open_folder(path)
        except OSError as error:
            if error.errno not in (2, 20):
                self.problems.append("%s: %s" % (printable(path), error.strerror))
            return
        try:
            for entry in tree.walk(root, enter=enters and (lambda entry: enters(top + entry.path))):
                self.left -= 1
                if self.left < 0:
                    self.over = True
                    return
                if stat.S_ISREG(entry.stat.st_mode) or stat.S_ISLNK(entry.stat.st_mode):
                    take(top + entry.path, entry.stat)
        finally:
            os.close(root)

    def _take_setuid(self, path: str, status: os.stat_result) -> None:
        if status.st_mode & (stat.S_ISUID | stat.S_ISGID) and stat.S_ISREG(status.st_mode) and len(self.setuids) < 5000:
            self.setuids.append(_row(path, status))

    def _take_recent(self, path: str, status: os.stat_result) -> None:
        if status.st_ctime >= self.since and len(self.recents) < 20000:
            self.recents.append(_row(path, status))


def _row(path: str, status: os.stat_result) -> dict[str, Any]:
    return {"path": path, "mode": stat.S_IMODE(status.st_mode), "uid": status.st_uid, "ctime": status.st_ctime}


def _of_packages(paths: Sequence[str], timeout: float) -> set[str]:
    """Return those of the paths that packages brought; of a merged /usr either name of a file counts."""
    names: dict[str, str] = {}
    for path in paths:
        names[path] = path
        if path.startswith("/usr/"):
            names.setdefault(path[4:], path)
    done = run(("dpkg-query", "--search", "--", *map(_escaped, names)), timeout=timeout, ok=None)
    found = set()
    for line in done.out.splitlines():
        path = line.partition(": ")[2]
        if path in names:
            found.add(names[path])
    return found


def _escaped(path: str) -> str:
    return "".join("\\" + c if c in "*?[]\\" else c for c in path)


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {"path": printable(row["path"]), "package_says": row["says"]}


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    mode, changed = "%04o" % row["mode"], utc(row["ctime"])
    return {"path": printable(row["path"]), "mode": mode, "owner": row["uid"], "changed": changed}
