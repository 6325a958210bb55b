"""Watch how full file systems are."""

from __future__ import annotations

import os
import stat

from opslib.host.files import globs, mounts
from opslib.host.params import Duration, ListOf, Path, Percent, Text, Threshold
from opslib.host.plan import Plan
from opslib.host.system import apart
from opslib.host.task import Task, param
from opslib.host.words import listed, printable, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Sequence

    from opslib.host.files.mounts import Mount

WARN, INODES_WARN = "85%", 85
MOST = 200
_TRIED = 50


class DiskUsage(Task, name="disk_usage"):
    """Check how full the file systems are, in bytes and inodes, and whether each of them answers.

    Without `paths` it looks at every mounted file system that holds data: on block devices, network file systems,
    FUSE, ZFS. Left out are kernel interfaces (proc, sysfs, cgroup ...), memory (tmpfs, except at `/` and `/tmp`),
    overlays (except at `/`), read-only images (squashfs, iso9660), automount points nobody has entered, and what is
    mounted on a single file. A file system mounted several times is counted once. Percentages are those of `df`:
    used / (used + available to ordinary users), rounded up, so that blocks reserved for root count as taken.

    A file system that may hang (of a network, FUSE) is asked by a process of its own: one that does not answer within
    `timeout` is a failure, and the others are still reported. A path that is missing is a failure too. Nothing is ever
    changed.

    data: `mounts`, the fullest first, at most 200 (`left_out` says how many more), each with `paths` (those asked
    for), `mount`, `device`, `fstype`, `size_bytes`, `used_bytes`, `free_bytes` (available to ordinary users),
    `used_percent`, `inodes`, `inodes_free`, `inodes_used_percent` (null where a file system has no fixed number of
    inodes) and `read_only`; `problems`: a list of `path` and `error`.

    Errors: no file system found at all. Sources: df(1), statvfs(3), proc_pid_mountinfo(5).
    """

    paths: list[str] = param(
        ListOf(Path()),
        "Paths whose file systems are looked at; every file system that holds data when none is given.",
        default=[],
        example=["/", "/var/lib/postgresql"],
    )
    warn: Any = param(
        Threshold(),
        'Warn when this much is used ("85%"), or when less than this is free ("5G"); 0 for never.',
        default=WARN,
        example="80%",
    )
    fail: Any = param(
        Threshold(),
        'Fail when this much is used ("95%"), or when less than this is free ("2G"); 0 for never.',
        default="95%",
        example="90%",
    )
    inodes_warn: float = param(Percent(), "Warn when this percentage of the inodes is used.", default=INODES_WARN)
    inodes_fail: float = param(Percent(), "Fail when this percentage of the inodes is used.", default=95)
    exclude: list[str] = param(
        ListOf(Text("pattern")),
        "Mount points (patterns beginning with /) and file system types (other patterns) to leave out.",
        default=[],
        example=["/mnt/backup*", "nfs*"],
    )
    timeout: float = param(Duration(low=0.1), "Seconds in which a file system must answer.", default=5, example="10s")

    def check(self) -> None:
        warn, fail = self.warn, self.fail
        if isinstance(warn, str) and isinstance(fail, str):
            if float(warn[:-1]) >= float(fail[:-1]) and warn != WARN:
                self.refuse("warn %s must be below fail %s" % (warn, fail))
        elif not isinstance(warn, str) and not isinstance(fail, str) and 0 < warn <= fail:
            self.refuse("warn %s free must be above fail %s free" % (size(warn), size(fail)))
        if self.inodes_warn >= self.inodes_fail and self.inodes_warn != INODES_WARN:
            self.refuse("inodes_warn %g%% must be below inodes_fail %g%%" % (self.inodes_warn, self.inodes_fail))
        if self.paths and self.exclude:
            self.refuse("exclude chooses among all file systems; it cannot be given together with paths")

    def probe(self) -> dict[str, Any]:
        return self._probe_paths() if self.paths else self._probe_all()

    def _probe_all(self) -> dict[str, Any]:
        state: dict[str, Any] = {"mounts": [], "problems": []}
        groups = [group for group in mounts.real(mounts.read_table()) if not self._excluded(group[0])]
        points = [[mount.point for mount in group[:_TRIED]] for group in groups]
        quick = mounts.quick(mounts.read_table())
        answers = self._answers(_measure_first, points, lambda points: points[0] in quick)
        for group, answer in zip(groups, answers):
            if answer is not None and "usage" in answer:
                mount = next(mount for mount in group if mount.point == answer["path"])
                state["mounts"].append(_facts(mount, [mount.point], answer["usage"]))
            elif answer is None or answer["error"]:
                error = self._silence(group[0]) if answer is None else answer["error"]
                denied = answer is not None and answer["denied"] and group[0].fstype.startswith("fuse")
                state["problems"].append({"path": group[0].point, "error": error, "denied": denied})
        return state

    def _probe_paths(self) -> dict[str, Any]:
        state: dict[str, Any] = {"mounts": [], "problems": []}
        table = mounts.read_table()
        tops, quick = mounts.on_top(table), mounts.quick(table)
        answers = self._answers(_measure_given, self.paths, quick.__contains__)
        seen: dict[tuple[str, int], dict[str, Any]] = {}
        for path, answer in zip(self.paths, answers):
            mount = mounts.holding(answer["path"] if answer else path, tops)
            if answer is None or answer.get("error"):
                error = self._silence(mount) if answer is None else answer["error"]
                state["problems"].append({"path": path, "error": error, "denied": False})
                continue
            facts = _facts(mount, [path], answer["usage"])
            twin = seen.setdefault((mount.device if mount else path, facts["size_bytes"]), facts)
            if twin is facts:
                state["mounts"].append(facts)
            elif path not in twin["paths"]:
                twin["paths"].append(path)
        return state

    def _answers(
        self, question: Callable[[Any], dict[str, Any]], items: Sequence[Any], at_once: Callable[[Any], bool]
    ) -> list[dict[str, Any] | None]:
        """Return the answers for items: of a child each, which may hang, but for those that answer at once."""
        rest = [item for item in items if not at_once(item)]
        answers = iter(apart.ask(question, rest, self.timeout))
        return [question(item) if at_once(item) else next(answers) for item in items]

    def _excluded(self, mount: Mount) -> bool:
        if not self.exclude:
            return False
        return any(globs.matches(mount.point if word[0] == "/" else mount.fstype, word) for word in self.exclude)

    def _silence(self, mount: Mount | None) -> str:
        kind = " (%s from %s)" % (mount.fstype, mount.source) if mount else ""
        return "did not answer within %g %s%s" % (self.timeout, "second" if self.timeout == 1 else "seconds", kind)

    def plan(self, state: dict[str, Any]) -> Plan:
        found = sorted(state["mounts"], key=lambda facts: (-_fullness(facts), facts["mount"]))
        warnings: list[str] = []
        failures: list[str] = []
        if not found and not state["problems"]:
            failures.append("no file system that holds data was found" + (" but excluded ones" if self.exclude else ""))
        for facts in found:
            words = _words(facts)
            if facts["sealed"]:
                warnings.append("%s turned read-only; look for errors in the kernel's log" % printable(facts["mount"]))
            if facts["size_bytes"] == 0:
                failures.append("%s (%s) has no size" % (printable(facts["paths"][0]), facts["fstype"]))
            elif limit := _crossed(facts, self.fail):
                failures.append("%s (fail: %s)" % (words, limit))
            elif limit := _crossed(facts, self.warn):
                warnings.append("%s (warn: %s)" % (words, limit))
            inodes = facts["inodes_used_percent"]
            words = "%s has %d%% of its inodes used" % (printable(facts["mount"]), inodes or 0)
            if inodes is not None and inodes >= self.inodes_fail:
                failures.append("%s (fail: %g%%)" % (words, self.inodes_fail))
            elif inodes is not None and inodes >= self.inodes_warn:
                warnings.append("%s (warn: %g%%)" % (words, self.inodes_warn))
        for problem in state["problems"]:
            words = "%s %s" % (printable(problem["path"]), printable(problem["error"]))
            (warnings if problem["denied"] else failures).append(words)
        reason = ""
        if found:
            more = len(found) - 1
            reason = _words(found[0]) + (", the fullest of %d file systems" % len(found) if more else "")
        return Plan(
            reason=reason,
            failure=listed(failures, 20),
            warnings=warnings[:MOST],
            data={
                "mounts": [{key: value for key, value in facts.items() if key != "sealed"} for facts in found[:MOST]],
                "problems": [{"path": each["path"], "error": each["error"]} for each in state["problems"][:MOST]],
                "left_out": max(len(found) - MOST, 0),
            },
        )


def percent(used: int, available: int) -> int | None:
    """Return used / (used + available) in percent, rounded up as df does; None when there is nothing to use."""
    total = used + available
    return -(-used * 100 // total) if total else None


def _measure_given(path: str) -> dict[str, Any]:
    """Ask for the file system that a path lies on; runs in a child."""
    try:
        path = os.path.realpath(path)
        if stat.S_ISBLK(os.stat(path).st_mode):
            return _refusal(path, "is a device; give the mount point of its file system")
        return {"path": path, "usage": _usage(path)}
    except OSError as error:
        return _refusal(path, error)


def _measure_first(points: Sequence[str]) -> dict[str, Any]:
    """Ask for the file system mounted at these points, by the first that is a folder; runs in a child."""
    for point in points:
        try:
            if not stat.S_ISDIR(os.stat(point).st_mode):
                continue
            usage = _usage(point)
        except OSError as error:
            return _refusal(point, error)
        if usage[1]:
            return {"path": point, "usage": usage}
        break
    return _refusal(points[0], "")


def _usage(path: str) -> tuple[int, int, int, int, int, int]:
    found = os.statvfs(path)
    unit = found.f_frsize or found.f_bsize
    return unit, found.f_blocks, found.f_bfree, found.f_bavail, found.f_files, found.f_ffree


def _refusal(path: str, error: OSError | str) -> dict[str, Any]:
    """Return the answer for a file system without numbers; an empty error means that it is not counted."""
    if isinstance(error, str):
        return {"path": path, "error": error, "denied": False}
    words = "does not exist" if error.errno == 2 else "cannot be looked at: %s" % error.strerror
    return {"path": path, "error": words, "denied": error.errno in (1, 13)}


def _facts(mount: Mount | None, paths: list[str], usage: tuple[int, int, int, int, int, int]) -> dict[str, Any]:
    unit, blocks, free, available, files, files_free = usage
    used = max(blocks - free, 0)
    if available >= 1 << 63:  # less than nothing: ordinary users have used what is reserved
        available = 0
    counted = files > 0 and files_free <= files
    frozen = mount is not None and "ro" in mount.options
    sealed = mount is not None and "ro" in mount.features
    return {
        "paths": paths,
        "mount": mount.point if mount else "/",
        "device": mount.source if mount else "",
        "fstype": mount.fstype if mount else "",
        "size_bytes": blocks * unit,
        "used_bytes": used * unit,
        "free_bytes": available * unit,
        "used_percent": percent(used, available),
        "inodes": files if counted else None,
        "inodes_free": files_free if counted else None,
        "inodes_used_percent": percent(files - files_free, files_free) if counted else None,
        "read_only": frozen or sealed,
        "sealed": sealed and not frozen and mount is not None and mount.source.startswith("/dev/"),
    }


def _fullness(facts: dict[str, Any]) -> float:
    total = facts["used_bytes"] + facts["free_bytes"]
    return float(facts["used_bytes"] / total) if total else -1.0


def _words(facts: dict[str, Any]) -> str:
    used = "of no size" if facts["used_percent"] is None else "%d%% full" % facts["used_percent"]
    return "%s is %s, %s free" % (printable(facts["mount"]), used, size(facts["free_bytes"]))


def _crossed(facts: dict[str, Any], limit: Any) -> str:
    """Return the limit in words if the file system is beyond it, else nothing."""
    if isinstance(limit, str):
        return limit if (facts["used_percent"] or 0) >= float(limit[:-1]) else ""
    return "less than %s free" % size(limit) if facts["free_bytes"] < limit else ""
