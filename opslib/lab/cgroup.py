"""Control groups: every process of a host is in one, so that all can be found, frozen and killed at once.

Always the unified hierarchy (cgroup v2), which "hybrid" machines have too; see cgroups(7).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError
from .processes import inner_pid

__all__ = ["ControlGroup", "hierarchies"]


def hierarchies(table: str | None = None) -> list[Path]:
    """Where the unified hierarchy is mounted and, after it, systemd's own v1 hierarchy on hybrid machines.

    Empty when this machine has no unified hierarchy.
    """
    text = Path("/proc/self/mountinfo").read_text() if table is None else table
    unified, legacy = [], []
    for line in text.splitlines():
        front, _, back = line.partition(" - ")
        point, kind, options = Path(front.split(" ")[4]), back.split(" ")[0], back.split(" ")[-1].split(",")
        if kind == "cgroup2":
            unified.append(point)
        elif kind == "cgroup" and "name=systemd" in options:
            legacy.append(point)
    return [unified[0], *legacy[:1]] if unified else []


@dataclass(frozen=True, slots=True)
class ControlGroup:
    """A group by its name below the root of the hierarchy, as `opslib-lab-3f9a01/lab1`."""

    name: str

    @property
    def path(self) -> Path:
        """Its folder in the unified hierarchy."""
        found = hierarchies()
        if not found:
            raise LabError("no cgroup2 file system is mounted; mount one on /sys/fs/cgroup")
        return found[0] / self.name

    def create(self) -> None:
        """Make the group, and pass on to it the controllers that its parent has."""
        self.path.mkdir(parents=True, exist_ok=True)
        parent = self.path.parent
        for controller in (parent / "cgroup.controllers").read_text().split():
            with suppress(OSError):  # not all can be passed on everywhere, and a host boots without any
                (parent / "cgroup.subtree_control").write_text(f"+{controller}")

    def add(self, pid: int) -> None:
        """Move process `pid` into the group; its later children are born there."""
        (self.path / "cgroup.procs").write_text(str(pid))

    def pids(self) -> list[int]:
        """Find the processes in the group and below it."""
        found: list[int] = []
        for folder, _, _ in os.walk(self.path):
            with suppress(OSError):
                found += map(int, (Path(folder) / "cgroup.procs").read_text().split())
        return found

    def leaders(self) -> list[int]:
        """Find the processes that are PID 1 of a PID namespace: one per running host."""
        # Number 0 stands for a process of a PID namespace that this one cannot see.
        return [pid for pid in self.pids() if pid and inner_pid(pid) == 1]

    def populated(self) -> bool:
        """Whether a living process is left in the group or below it."""
        return "populated 1" in self._events()

    def freeze(self, frozen: bool, timeout: float = 10) -> None:
        """Stop all processes of the group where they are, or let them go on.

        timeout: seconds to wait until the kernel says so. Raises LabError after that.
        """
        (self.path / "cgroup.freeze").write_text(str(int(frozen)))
        if not self._wait(lambda: f"frozen {int(frozen)}" in self._events(), timeout):
            raise LabError(f"control group {self.name} does not {'freeze' if frozen else 'thaw'} in {timeout:g} s")

    def empty(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the last process to end; says whether it did."""
        return self._wait(lambda: not self.populated(), timeout)

    def kill(self) -> None:
        """SIGKILL to every process of the group and below it, without waiting."""
        with suppress(FileNotFoundError):
            (self.path / "cgroup.kill").write_text("1")

    def remove(self) -> None:
        """Remove the group and all below it, in both hierarchies. Groups that are still in use stay."""
        for root in hierarchies():
            for folder, _, _ in os.walk(root / self.name, topdown=False):
                with suppress(OSError):
                    Path(folder).rmdir()

    def _events(self) -> str:
        try:
            return (self.path / "cgroup.events").read_text()
        except OSError:
            return ""

    def _wait(self, done: Callable[[], bool], timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while not done():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.002)
        return True
