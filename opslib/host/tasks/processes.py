"""Find the processes that should run, or should not, and count them."""

from __future__ import annotations

import os
import time

from opslib.host.params import USER, Number, Regex
from opslib.host.plan import Plan
from opslib.host.system import apart, processes
from opslib.host.system.listeners import unit_of
from opslib.host.task import Task, TaskError, param
from opslib.host.units.systemd import UnitName
from opslib.host.words import count as counted
from opslib.host.words import printable, size, utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Sequence

_PATIENCE = 5
_LONGEST = 1 << 17
_KERNEL_THREAD = 0x00200000
_OURS = (b"opslib", b"ansible")
_RUNS_US = (b"sudo", b"doas", b"su", b"runuser")
_STATES = {
    "R": "running",
    "S": "sleeping",
    "I": "sleeping",
    "D": "uninterruptible",
    "T": "stopped",
    "t": "traced",
    "Z": "zombie",
    "X": "dead",
}


class Processes(Task, name="processes"):
    """Count the processes that match a command, user or unit, and fail unless as many run as expected.

    A process counts when it fits all that is asked: the regular expression is searched in its whole command line
    (arguments joined by spaces; the kernel's name for it where it has none), the user is its effective one, the unit
    is any systemd unit around it. Without any of them, all processes count. At least 1 is expected unless told
    otherwise. Never counted: this run itself, its children, the programs that started it (sudo, a shell, opslib or
    ansible on the same host), and kernel threads. A zombie is no running process: it is counted apart. The SSH
    session that carries the run counts as what it is, a process of sshd.

    Of a process only the program's name and, for an interpreter, the script or module are shown: arguments may hold
    secrets. Nothing is changed.

    data: `count`, `zombies` (of those asked for), `processes`, at most `top`, the oldest first (`left_out` says how
    many more): `pid`, `user`, `unit` (empty outside any service or scope), `started` (UTC), `age_seconds`,
    `rss_bytes`, `cpu_seconds`, `state` (running, sleeping, uninterruptible, stopped, traced), `command`.

    Errors: the expression takes too long to match. Sources: proc_pid_stat(5), proc_pid_status(5),
    proc_pid_cmdline(5), cgroups(7).
    """

    command: str = param(
        Regex(),
        "Count processes in whose command line this regular expression is found.",
        default=None,
        example="uvicorn .*app:app",
    )
    user: str = param(USER, "Count processes of this user, by name or number.", default=None, example="www-data")
    unit: str = param(UnitName(), "Count processes of this systemd unit.", default=None, example="nginx.service")
    least: int = param(
        Number(0, 1000000, whole=True),
        "Fail when fewer processes than this are found; where `count` is given or `most` is 0, 1 means nothing.",
        default=1,
    )
    most: int = param(
        Number(0, 1000000, whole=True), "Fail when more processes than this are found.", default=None, example=8
    )
    count: int = param(
        Number(0, 1000000, whole=True), "Fail unless exactly so many processes are found.", default=None, example=4
    )
    top: int = param(Number(0, 1000, whole=True), "How many processes to list.", default=50)

    def check(self) -> None:
        if self.count is not None and (self.most is not None or self.least > 1):
            self.refuse("count %d says it all; leave out least and most" % self.count)
        if self.most is not None and self.least > max(self.most, 1):
            self.refuse("least %d must not be above most %d" % (self.least, self.most))

    def probe(self) -> dict[str, Any]:
        found = _found(self.user, self.unit)
        shown = _matching([row["pid"] for row in found], self.command)
        rows = [row for row in found if row["pid"] in shown]
        alive = sorted((row for row in rows if row["state"] != "zombie"), key=lambda row: (row["ticks"], row["pid"]))
        commands = processes.commands([row["pid"] for row in alive[: self.top]])
        parents = sorted({row["parent"] for row in rows if row["state"] == "zombie"})[:5]
        return {
            "now": time.time(),
            "uptime_seconds": time.clock_gettime(time.CLOCK_BOOTTIME),
            "ticks_per_second": os.sysconf("SC_CLK_TCK"),
            "page_bytes": os.sysconf("SC_PAGE_SIZE"),
            "count": len(alive),
            "zombies": len(rows) - len(alive),
            "parents": ["%s (pid %d)" % (name, pid) for pid, name in processes.commands(parents).items()],
            "processes": [dict(row, command=commands[row["pid"]]) for row in alive[: self.top]],
            "hidden": os.geteuid() != 0 and not os.path.isdir("/proc/1"),
        }

    def plan(self, state: dict[str, Any]) -> Plan:
        number = state["count"]
        asked = self._asked()
        warnings = []
        if state["hidden"]:
            warnings.append("processes of other users are hidden from this user (hidepid); run as root")
        if state["zombies"]:
            words = "%s%s, not reaped by %s"
            warnings.append(words % (counted(state["zombies"], "zombie"), asked, ", ".join(state["parents"]) or "init"))
        rows = [_shown(row, state) for row in state["processes"]]
        reason = "%d process%s%s" % (number, "" if number == 1 else "es", asked)
        if rows:
            first = rows[0]
            words = ": the oldest is %s (pid %d, user %s, %s, started %s)"
            reason += words % (
                first["command"],
                first["pid"],
                first["user"],
                size(first["rss_bytes"]),
                first["started"],
            )
        expected = self._expected(number)
        failure = "%s%s run%s%s, expected %s" % (
            number or "no",
            " process" if number < 2 else " processes",
            "s" if number < 2 else "",
            asked,
            expected,
        )
        return Plan(
            reason=reason,
            failure=failure if expected else "",
            warnings=warnings,
            data={
                "count": number,
                "zombies": state["zombies"],
                "processes": rows,
                "left_out": number - len(rows),
            },
        )

    def _asked(self) -> str:
        words = " with %s in the command line" % printable(self.command) if self.command else ""
        words += " of user %s" % self.user if self.user else ""
        return words + (" in %s" % self.unit if self.unit else "")

    def _expected(self, number: int) -> str:
        """Return in words what was expected, if it is not met."""
        if self.count is not None:
            return "exactly %d" % self.count if number != self.count else ""
        least = 0 if self.most == 0 else self.least
        if number < least:
            return "at least %d" % least
        return "at most %d" % self.most if self.most is not None and number > self.most else ""


def parse_stat(text: bytes) -> dict[str, Any] | None:
    """Return what a /proc/PID/stat says, None for a kernel thread or a file that is empty by now."""
    name, _paren, rest = text.rpartition(b") ")
    fields = rest.split()
    if len(fields) < 22 or int(fields[6]) & _KERNEL_THREAD:
        return None
    return {
        "name": name.partition(b" (")[2].decode("utf-8", "replace"),
        "state": _STATES.get(fields[0].decode("ascii", "replace"), "sleeping"),
        "parent": int(fields[1]),
        "cpu_ticks": int(fields[11]) + int(fields[12]),
        "ticks": int(fields[19]),
        "pages": int(fields[21]),
    }


def in_unit(cgroup: str, unit: str) -> bool:
    """Whether a process with this /proc/PID/cgroup runs within a unit."""
    return any(unit in line.split(":", 2)[-1].split("/") for line in cgroup.splitlines())


def family(top: int, parents: dict[int, int]) -> set[int]:
    """Return a process and all that descend from it. parents: the parent of every process."""
    found = {top}
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more


def carriers(top: int, parents: dict[int, int], lines: Callable[[int], bytes]) -> set[int]:
    """Return the ancestors of a run that started it.

    That is its parent, unless that is the SSH session or the first process of the system, and every ancestor that runs
    opslib or Ansible or only lends another user's rights. lines: returns a process's command line.
    """
    found = set()
    above = parents.get(top, 0)
    for level in range(64):
        if above <= 1:
            break
        line = lines(above)
        program = line.split(b"\0")[0].rsplit(b"/", 1)[-1]
        if any(word in line for word in _OURS) or program in _RUNS_US or (level == 0 and program[:4] != b"sshd"):
            found.add(above)
        above = parents.get(above, 0)
    return found


def _found(user: str | None, unit: str | None) -> list[dict[str, Any]]:
    """Return the processes of a user and unit, this run left out."""
    stats = {}
    for pid in processes.pids():
        stat = parse_stat(processes.read(pid, "stat", 4096))
        if stat is not None:
            stats[pid] = stat
    parents = {pid: stat["parent"] for pid, stat in stats.items()}
    top = os.getppid() if os.environ.get("OPSLIB_RUN") else os.getpid()
    left_out = family(top, parents) | carriers(top, parents, lambda pid: processes.read(pid, "cmdline", 4096))
    rows, uids = [], {}
    for pid, stat in stats.items():
        if pid in left_out:
            continue
        group = processes.read(pid, "cgroup").decode("utf-8", "replace")
        if unit and not in_unit(group, unit):
            continue
        for line in processes.read(pid, "status", 8192).splitlines():
            if line.startswith(b"Uid:"):
                uids[pid] = int(line.split()[2])
                rows.append(dict(stat, pid=pid, unit=unit_of(group)))
    users = processes.users(sorted(set(uids.values())))
    for row in rows:
        row["user"] = users[uids[row["pid"]]]
    return [row for row in rows if not user or user in (row["user"], str(uids[row["pid"]]))]


def _matching(pids: Sequence[int], pattern: str | None) -> set[int]:
    """Return the processes whose command line matches.

    Reading it can hang with the process, and matching it may take for ever, so that a child does both.
    """
    if not pattern or not pids:
        return set(pids)
    found = apart.ask(_search, [(pattern, list(pids))], _PATIENCE)[0]
    if found is None:
        answers = apart.ask(_search, [(pattern, [pid]) for pid in pids], _PATIENCE)
        if not any(answer is not None for answer in answers):
            raise TaskError("command: %s takes too long to match; make it simpler" % printable(pattern))
        found = [pid for answer in answers for pid in answer or ()]
    return set(found)


def _search(question: tuple[str, list[int]]) -> list[int]:
    import re

    pattern, pids = question
    search = re.compile(pattern).search
    found = []
    for pid in pids:
        line = processes.read(pid, "cmdline", _LONGEST).rstrip(b"\0").replace(b"\0", b" ")
        if search((line or processes.read(pid, "comm", 64).rstrip(b"\n")).decode("utf-8", "replace")):
            found.append(pid)
    return found


def _shown(row: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    age = max(state["uptime_seconds"] - row["ticks"] / state["ticks_per_second"], 0)
    return {
        "pid": row["pid"],
        "user": row["user"],
        "unit": row["unit"],
        "started": utc(state["now"] - age),
        "age_seconds": int(age),
        "rss_bytes": row["pages"] * state["page_bytes"],
        "cpu_seconds": round(row["cpu_ticks"] / state["ticks_per_second"], 2),
        "state": row["state"],
        "command": row["command"],
    }
