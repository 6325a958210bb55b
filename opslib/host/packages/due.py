"""What is due after an upgrade: a reboot, and restarts of what still runs the files of before.

Sources: proc_pid_maps(5); /run/reboot-required as Debian's and Ubuntu's packages write it.
"""

from __future__ import annotations

import os
import time

from opslib.host.system import listeners, processes
from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

FLAG = "/run/reboot-required"
BOOT = "/boot"
MOST = 50
_CODE = ("/usr/", "/lib", "/bin/", "/sbin/", "/opt/")
_MAPS = 16 << 20  # libraries stand behind all that the program itself has mapped


def reboot() -> list[str]:
    """Return why a reboot is due, in words; empty when none is."""
    why = []
    if os.path.exists(FLAG):
        names = _lines(FLAG + ".pkgs")
        why.append("%s says so%s" % (FLAG, ": " + printable(", ".join(names[:10])) if names else ""))
    newer = newer_kernels(os.uname().release, _kernels(), time.time() - _uptime())
    if newer:
        why.append("the kernel %s was installed since the host was booted with %s" % (newer[-1], os.uname().release))
    return why


def newer_kernels(running: str, found: Sequence[tuple[str, float]], booted: float) -> list[str]:
    """Return the releases of kernels that were put into /boot after it was booted, and are not the one that runs."""
    return [release for release, arrived in found if release != running and arrived > booted]


def _kernels() -> list[tuple[str, float]]:
    found = []
    try:
        for name in sorted(os.listdir(BOOT)):
            if name.startswith("vmlinuz-"):
                # Packages keep the time of modification of what they hold; the kernel sets this one itself.
                found.append((name[8:], os.lstat(os.path.join(BOOT, name)).st_ctime))
    except OSError:
        pass
    return found


def restarts() -> list[dict[str, Any]]:
    """Return what runs code that was replaced: `unit` ("" outside any), `pids`, `programs`, `files`."""
    by_unit: dict[str, dict[str, Any]] = {}
    own = (os.getpid(), os.getppid())
    for pid in processes.pids():
        files = replaced(processes.read(pid, "maps", _MAPS)) if pid not in own else []
        if not files:
            continue
        unit = listeners.unit_of(processes.read(pid, "cgroup").decode("utf-8", "replace"))
        row = by_unit.setdefault(unit, {"unit": unit, "pids": [], "programs": [], "files": []})
        row["pids"].append(pid)
        row["files"] = sorted(set(row["files"]).union(files))[:10]
    rows = [by_unit[unit] for unit in sorted(by_unit)][:MOST]
    names = processes.commands([pid for row in rows for pid in row["pids"][:5]])
    for row in rows:
        row["programs"] = sorted({names.get(pid, "") for pid in row["pids"][:5]} - {""})
        row["pids"] = sorted(row["pids"])[:MOST]
    return rows


def replaced(maps: bytes) -> list[str]:
    """Return the files of code that a /proc/PID/maps holds and that are gone from the disk."""
    found = set()
    for line in maps.split(b"\n"):
        words = line.split(None, 5)
        if len(words) == 6 and b"x" in words[1] and words[5].endswith(b" (deleted)"):
            path = words[5][:-10].decode("utf-8", "replace")
            if path.startswith(_CODE):
                found.add(printable(path))
    return sorted(found)


def _uptime() -> float:
    lines = _lines("/proc/uptime")
    return float(lines[0].split()[0]) if lines else 0.0


def _lines(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            return [line for line in file.read(1 << 16).decode("utf-8", "replace").splitlines() if line.strip()]
    except OSError:
        return []
