"""How much memory a unit has in use, and where that ends. Sources: cgroups(7), proc_pid_status(5), the kernel's docs.

Counted is the unit's control group (version 1 or 2) without the cache that can go at once; where systemd keeps no
memory group for the unit, the private and shared anonymous memory of its processes is added up instead.
"""

from __future__ import annotations

import time

from opslib.host.files import mounts
from opslib.host.record import Record
from opslib.host.system import listeners, processes

from . import cgroups, systemd

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

    from .systemd import Unit

GROUP, PROCESSES = "cgroup", "processes"
_ENDLESS = 1 << 60


class Source(Record):
    """Where a unit's memory is read. kind: cgroup or processes; folders: of its memory group and those above it."""

    kind: str
    version: int = 0
    folders: Sequence[str] = ()


class Sample(Record):
    """A unit's memory at a moment of the monotonic clock.

    invocation, main_pid: of the unit; used: bytes; available: bytes that the host has left beside.
    """

    at: float
    used: int
    available: int
    invocation: str = ""
    main_pid: int = 0
    active: str = ""
    restarts: int = 0


def source(unit: Unit) -> Source:
    """Return where the memory of a unit that runs is to be read."""
    text = cgroups.read("/proc/%d/cgroup" % unit.main_pid) if unit.main_pid else ""
    folders, version = cgroups.memory_folders(text, cgroups.read("/proc/self/cgroup"), mounts.read_table())
    name = "memory.current" if version == 2 else "memory.usage_in_bytes"
    own = bool(folders and unit.group and folders[0].endswith(unit.group))
    if own and cgroups.number(folders[0] + "/" + name) is not None:
        return Source(kind=GROUP, version=version, folders=folders)
    return Source(kind=PROCESSES)


def sample(name: str, of: Source) -> Sample:
    """Look at a unit's memory once."""
    unit = systemd.show(name)
    used = _of_group(of) if of.kind == GROUP else None
    if used is None:
        used = sum(_of_process(pid) for pid in listeners.group_members(unit.group))
    return Sample(
        at=time.monotonic(),
        used=used,
        available=_available(),
        invocation=unit.invocation,
        main_pid=unit.main_pid,
        active=unit.active,
        restarts=unit.restarts,
    )


def limit(of: Source) -> int | None:
    """Return the tightest limit in bytes that systemd or a container sets for a unit; None when there is none.

    Of a limit that it shares with others counts what they leave.
    """
    name, use = ("max", "current") if of.version == 2 else ("limit_in_bytes", "usage_in_bytes")
    found = []
    own = cgroups.number("%s/memory.%s" % (of.folders[0], use)) if of.kind == GROUP else None
    for folder in of.folders:
        number = cgroups.number("%s/memory.%s" % (folder, name))
        if number is not None and number < _ENDLESS:
            all_of_it = cgroups.number("%s/memory.%s" % (folder, use))
            others = all_of_it - own if all_of_it is not None and own is not None else 0
            found.append(max(number - max(others, 0), 1))
    if of.kind == PROCESSES:
        whole = cgroups.memory()
        found += [whole["limit_bytes"]] if whole else []
    least = min(found, default=_ENDLESS)
    return least if least < _ENDLESS else None


def _of_group(of: Source) -> int | None:
    folder = of.folders[0]
    used = cgroups.number(folder + ("/memory.current" if of.version == 2 else "/memory.usage_in_bytes"))
    if used is None:
        return None
    stat = cgroups.numbers(cgroups.read(folder + "/memory.stat"))
    return max(used - stat.get("inactive_file" if of.version == 2 else "total_inactive_file", 0), 0)


def _of_process(pid: int) -> int:
    total = 0
    for line in processes.read(pid, "status", 8192).splitlines():
        if line.startswith((b"RssAnon:", b"RssShmem:", b"VmSwap:")):
            words = line.split()
            total += int(words[1]) * 1024 if len(words) > 1 and words[1].isdigit() else 0
    return total


def _available() -> int:
    for line in cgroups.read("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0
