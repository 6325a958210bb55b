"""Watch the memory, swap and load of a host, and name the processes that take most."""

from __future__ import annotations

import os

from opslib.host.params import Number, Percent, Threshold
from opslib.host.plan import Plan
from opslib.host.system import processes
from opslib.host.task import Task, TaskError, param
from opslib.host.units import cgroups
from opslib.host.words import size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

WARN, SWAP_WARN, LOAD_WARN = "10%", 80, 2
_MACHINE = "machine"


class MemoryUsage(Task, name="memory_usage"):
    """Check the available memory, the swap and the load, and list the processes that hold most memory.

    Available is what programs can still take without swapping: the kernel's MemAvailable. Where the host is a
    container with a memory limit (cgroup v1 or v2) tighter than the machine's memory, the limit counts as its memory,
    and available is what is left of it (cache that can go at once counted as free) or of the machine, whichever is
    less. The load is the 5-minute average divided by the number of online processors, of the whole machine always.

    Of a process only the program's name and, for an interpreter, the script or module are shown: arguments may hold
    secrets. Kernel threads are left out. Memory that processes share is counted in each of them. Nothing is changed.

    data: `counted` ("machine", or the folder of the container's limit), `total_bytes`, `available_bytes`,
    `available_percent`, `machine_total_bytes`, `machine_available_bytes`, `cgroup` (`version`, `path`, `limit_bytes`,
    `used_bytes`, `inactive_file_bytes`, `swap_limit_bytes`, `swap_used_bytes`, `oom_kills`; null without a limit),
    `shared_bytes` (tmpfs and shared memory), `swap_total_bytes`, `swap_used_bytes`, `swap_used_percent` (null without
    swap), `processors`, `load_1m`, `load_5m`, `load_15m`, `load_1m_per_processor`, `load_5m_per_processor`,
    `load_15m_per_processor`, `pressure` (share of time stalled for memory: `some_10s_percent`, `some_60s_percent`,
    `some_300s_percent` and the same with `full`; null where the kernel does not tell), `oom_kills` (since boot; null
    if unknown), `process_count`, and `processes`, the largest first: `pid`, `user`, `rss_bytes`, `swap_bytes`,
    `command`.

    Errors: /proc is not readable. Sources: proc_meminfo(5), proc_loadavg(5), proc_pid_statm(5), cgroups(7), the
    kernel's psi.rst.
    """

    warn: Any = param(
        Threshold(),
        'Warn when less memory than this is available: a share of the total ("10%") or an amount ("512M"); '
        "0 for never.",
        default=WARN,
        example="15%",
    )
    fail: Any = param(
        Threshold(),
        'Fail when less memory than this is available: a share of the total ("5%") or an amount ("256M"); 0 for never.',
        default="5%",
        example="256M",
    )
    swap_warn: float = param(Percent(), "Warn when this percentage of the swap is used.", default=SWAP_WARN)
    swap_fail: float = param(Percent(), "Fail when this percentage of the swap is used.", default=None, example=90)
    load_warn: float = param(
        Number(0, 100000), "Warn when the 5-minute load per processor is at least this.", default=LOAD_WARN
    )
    load_fail: float = param(
        Number(0, 100000), "Fail when the 5-minute load per processor is at least this.", default=None, example=5
    )
    top: int = param(Number(0, 100, whole=True), "How many of the largest processes to list.", default=10)

    def check(self) -> None:
        warn, fail = self.warn, self.fail
        if warn in (0, "0%"):
            pass
        elif isinstance(warn, str) and isinstance(fail, str):
            if float(warn[:-1]) <= float(fail[:-1]) and warn != WARN:
                self.refuse("warn %s available must be above fail %s available" % (warn, fail))
        elif not isinstance(warn, str) and not isinstance(fail, str) and warn <= fail:
            self.refuse("warn %s available must be above fail %s available" % (size(warn), size(fail)))
        for word, unit, usual in (("swap", "%", SWAP_WARN), ("load", "", LOAD_WARN)):
            low, high = getattr(self, word + "_warn"), getattr(self, word + "_fail")
            if high is not None and low >= high and low != usual:
                self.refuse("%s_warn %g%s must be below %s_fail %g%s" % (word, low, unit, word, high, unit))

    def probe(self) -> dict[str, Any]:
        memory = _read("/proc/meminfo")
        load = _read("/proc/loadavg")
        if not memory or not load:
            raise TaskError("/proc/meminfo or /proc/loadavg cannot be read: is /proc mounted?")
        cgroup = cgroups.memory()
        pressure = _read(cgroup["path"] + "/memory.pressure") if cgroup else ""
        count, found = _processes(self.top)
        return {
            "memory": parse_meminfo(memory),
            "cgroup": cgroup,
            "load": [float(word) for word in load.split()[:3]],
            "processors": os.cpu_count() or 1,
            "pressure": parse_pressure(pressure or _read("/proc/pressure/memory")),
            "oom_kills": cgroups.numbers(_read("/proc/vmstat")).get("oom_kill"),
            "process_count": count,
            "processes": found,
        }

    def plan(self, state: dict[str, Any]) -> Plan:
        data = facts(state)
        warnings: list[str] = []
        failures: list[str] = []

        def judge(words: str, severe: str, mild: str) -> None:
            if severe or mild:
                (failures if severe else warnings).append(
                    "%s (%s: %s)" % (words, "fail" if severe else "warn", severe or mild)
                )

        available = _available(data)
        judge(available, _short(data, self.fail), _short(data, self.warn))
        swapped = data["swap_used_percent"]
        if swapped is not None:
            words = "%g%% of %s swap is used" % (swapped, size(data["swap_total_bytes"]))
            judge(words, _reached(swapped, self.swap_fail, "%"), _reached(swapped, self.swap_warn, "%"))
        load = data["load_5m_per_processor"]
        words = "the load is %g per processor (%d processors, 5 minutes)" % (load, data["processors"])
        judge(words, _reached(load, self.load_fail), _reached(load, self.load_warn))
        parts = [available]
        parts.append("no swap" if swapped is None else "swap %g%% used" % swapped)
        parts.append("load %g per processor" % load)
        if data["processes"]:
            first = data["processes"][0]
            parts.append("most: %s (pid %d) %s" % (first["command"], first["pid"], size(first["rss_bytes"])))
        return Plan(reason=", ".join(parts), failure="; ".join(failures), warnings=warnings, data=data)


def facts(state: dict[str, Any]) -> dict[str, Any]:
    """Return what the task reports of a state."""
    memory, cgroup = state["memory"], state["cgroup"]
    total, available = memory["total"], min(memory["available"], memory["total"])
    swap_total, swap_used = memory["swap_total"], memory["swap_total"] - memory["swap_free"]
    data: dict[str, Any] = {
        "counted": _MACHINE,
        "total_bytes": total,
        "available_bytes": available,
        "available_percent": 0.0,
        "machine_total_bytes": total,
        "machine_available_bytes": available,
        "cgroup": cgroup,
        "shared_bytes": memory["shared"],
    }
    if cgroup and cgroup["limit_bytes"] < total:
        working = max(cgroup["used_bytes"] - cgroup["inactive_file_bytes"], 0)
        limit = cgroup["limit_bytes"]
        data.update(counted=cgroup["path"], total_bytes=limit, available_bytes=min(max(limit - working, 0), available))
        if cgroup["swap_limit_bytes"] is not None and cgroup["swap_limit_bytes"] < swap_total:
            swap_total, swap_used = cgroup["swap_limit_bytes"], cgroup["swap_used_bytes"] or 0
    data["available_percent"] = _share(data["available_bytes"], data["total_bytes"]) or 0.0
    data.update(
        swap_total_bytes=swap_total,
        swap_used_bytes=swap_used,
        swap_used_percent=_share(swap_used, swap_total),
        processors=state["processors"],
    )
    for span, load in zip(("1m", "5m", "15m"), state["load"]):
        data["load_" + span] = load
    for span, load in zip(("1m", "5m", "15m"), state["load"]):
        data["load_%s_per_processor" % span] = round(load / state["processors"], 2)
    for key in ("pressure", "oom_kills", "process_count", "processes"):
        data[key] = state[key]
    return data


def parse_meminfo(text: str) -> dict[str, int]:
    """Return bytes from a /proc/meminfo. Kernels before 3.14 have no MemAvailable: free, buffers and cache stand in."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, _colon, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0]) * (1024 if words[1:] == ["kB"] else 1)
    cache = found.get("MemFree", 0) + found.get("Buffers", 0) + found.get("Cached", 0) - found.get("Shmem", 0)
    return {
        "total": found.get("MemTotal", 0),
        "available": found.get("MemAvailable", max(cache, 0)),
        "shared": found.get("Shmem", 0),
        "swap_total": found.get("SwapTotal", 0),
        "swap_free": found.get("SwapFree", 0),
    }


def parse_pressure(text: str) -> dict[str, float] | None:
    """Return the averages of a pressure file in percent, or None when there are none."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        kind, _space, pairs = line.partition(" ")
        for pair in pairs.split():
            name, _equals, value = pair.partition("=")
            if name.startswith("avg") and kind in ("some", "full"):
                found["%s_%ss_percent" % (kind, name[3:])] = float(value)
    return found or None


def _available(data: dict[str, Any]) -> str:
    where = "" if data["counted"] == _MACHINE else " (the container's limit)"
    return "%g%% of %s memory%s is available (%s)" % (
        data["available_percent"],
        size(data["total_bytes"]),
        where,
        size(data["available_bytes"]),
    )


def _share(part: int, whole: int) -> float | None:
    return round(100.0 * part / whole, 1) if whole else None


def _short(data: dict[str, Any], limit: Any) -> str:
    """Return the limit in words if less than that is available, else nothing."""
    if isinstance(limit, str):
        return "below " + limit if data["available_bytes"] * 100 < float(limit[:-1]) * data["total_bytes"] else ""
    return "below " + size(limit) if data["available_bytes"] < limit else ""


def _reached(value: float, limit: float | None, unit: str = "") -> str:
    return "%g%s" % (limit, unit) if limit is not None and value >= limit else ""


def _processes(top: int) -> tuple[int, list[dict[str, Any]]]:
    """Return how many processes have memory of their own, and the largest of them."""
    sizes = []
    for pid in processes.pids():
        words = processes.read(pid, "statm", 256).split()
        if len(words) > 1 and words[0] != b"0":
            sizes.append((int(words[1]), pid))
    sizes.sort(key=lambda pair: (-pair[0], pair[1]))
    page = os.sysconf("SC_PAGE_SIZE")
    rows = []
    for pages, pid in sizes[:top]:
        status = dict(line.split(b":", 1) for line in processes.read(pid, "status").splitlines() if b":" in line)
        if status.get(b"Uid"):
            rows.append((pid, pages * page, status))
    users = processes.users([int(status[b"Uid"].split()[1]) for _pid, _rss, status in rows])
    commands = processes.commands([pid for pid, _rss, _status in rows])
    found = []
    for pid, rss, status in rows:
        found.append(
            {
                "pid": pid,
                "user": users[int(status[b"Uid"].split()[1])],
                "rss_bytes": rss,
                "swap_bytes": int(status.get(b"VmSwap", b"0 kB").split()[0]) * 1024,
                "command": commands[pid],
            }
        )
    return len(sizes), found


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(1 << 18).decode("utf-8", "replace")
    except OSError:
        return ""
