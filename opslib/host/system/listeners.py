"""Who listens on a TCP port, read from /proc: sockets by inode, their holders by open file.

Sources: proc(5), cgroups(7).
"""

from __future__ import annotations

import os

from opslib.host.record import Record
from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Sequence

LISTEN = "0A"
MAX_HOLDERS = 20


class Holder(Record):
    """A process that holds a listening socket; `unit` is empty for a process outside any service or scope."""

    pid: int
    program: str = ""
    unit: str = ""


class Listening(Record):
    """Who listens on a port: whether one of the processes asked for does, and which others do.

    hidden: some processes could not be looked into (this takes root).
    """

    port: int
    found: bool = False
    own: bool = False
    holders: Sequence[Holder] = ()
    hidden: bool = False

    @property
    def taken(self) -> bool:
        """Whether others have the port, or who has it cannot be seen."""
        return self.found and not self.own

    @property
    def by(self) -> str:
        """Who holds the port, in words."""
        words = ["%s (pid %d%s)" % (one.program, one.pid, one.unit and ", " + one.unit) for one in self.holders[:3]]
        return ", ".join(words) or "a process that cannot be seen"


def listening(port: int, pids: Iterable[int]) -> Listening:
    """Return who listens on a TCP port, in the network namespace of the first of these processes, or in ours."""
    own = list(pids)
    inodes = set()
    for name in ("tcp", "tcp6"):
        for where in [str(pid) for pid in own[:1]] + ["self"]:
            try:
                with open("/proc/%s/net/%s" % (where, name), encoding="ascii", errors="replace") as table:
                    inodes |= parse_tcp(table, port)
                break
            except OSError:
                continue
    if not inodes:
        return Listening(port=port)
    hidden = False
    for pid in own:
        held = _holds(pid, inodes)
        if held:
            return Listening(port=port, found=True, own=True, holders=(_holder(pid),))
        hidden = hidden or held is None
    others = [pid for pid in processes() if pid not in own and _holds(pid, inodes)]
    holders = tuple(_holder(pid) for pid in others[:MAX_HOLDERS])
    return Listening(port=port, found=True, holders=holders, hidden=hidden or not others)


def parse_tcp(lines: Iterable[str], port: int) -> set[str]:
    """Return the inodes of the listening sockets of a port, from the lines of /proc/net/tcp or tcp6."""
    suffix = ":%04X" % port
    inodes = set()
    for line in lines:
        fields = line.split(None, 10)
        if len(fields) > 9 and fields[3] == LISTEN and fields[1].endswith(suffix):
            inodes.add(fields[9])
    return inodes


def processes() -> list[int]:
    """Return the ids of all processes, lowest first."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def group_members(group: str) -> list[int]:
    """Return the processes of a control group, as systemd names it, and of the groups below it."""
    if not group or group == "/":
        return []
    tops = [path for path in _paths(_read("/proc/1/cgroup")) if path.endswith("/init.scope")]
    root = tops[0][: -len("/init.scope")] if tops else ""
    return [pid for pid in processes() if in_group(_read("/proc/%d/cgroup" % pid), root + group)]


def in_group(text: str, group: str) -> bool:
    """Whether the process with this /proc/PID/cgroup is in a control group or below it."""
    return any(path == group or path.startswith(group + "/") for path in _paths(text))


def unit_of(text: str) -> str:
    """Return the unit that a process with this /proc/PID/cgroup belongs to: the innermost service or scope."""
    path = max(_paths(text), key=len, default="")
    names = [part for part in path.split("/") if part.endswith((".service", ".scope"))]
    return names[-1] if names else ""


def _paths(text: str) -> list[str]:
    """Return where systemd may keep a process: in its named hierarchy of version 1, and in the one of version 2.

    In a container both may be listed though its systemd uses one only; the path in the other is then `/`.
    """
    found = []
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "name=systemd" or (number == "0" and not controllers):
            found.append(path)
    return found


def _holds(pid: int, inodes: set[str]) -> bool | None:
    """Whether a process holds one of these sockets; None when we may not look."""
    folder = "/proc/%d/fd" % pid
    try:
        names = os.listdir(folder)
    except PermissionError:
        return None
    except OSError:
        return False
    for name in names:
        try:
            target = os.readlink(folder + "/" + name)
        except OSError:
            continue
        if target.startswith("socket:[") and target[8:-1] in inodes:
            return True
    return False


def _holder(pid: int) -> Holder:
    program = printable(_read("/proc/%d/comm" % pid).rstrip("\n"))
    return Holder(pid=pid, program=program, unit=unit_of(_read("/proc/%d/cgroup" % pid)))


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(65536)
    except OSError:
        return ""
