"""How tests run steps on a lab host, and as whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from opslib import Become, HostResult, Step, Target
from opslib.host.task import Task
from opslib.lab import Lab, LabHost
from support.hosts import target

__all__ = ["Apply", "Steps", "target_for"]

Steps = Task | Step | Sequence[Task | Step]


class Apply(Protocol):
    """Runs steps on a host."""

    def __call__(self, host: LabHost, steps: Steps, *, check: bool = False, login: str = "root") -> HostResult: ...


def target_for(lab: Lab, host: LabHost, login: str = "root", **changes: Any) -> Target:
    """Return how to get to a host: as root, as `ops` (sudo without a password) or `pat` (sudo with one)."""
    ways: dict[str, dict[str, Any]] = {
        "root": {},
        "ops": {"user": "ops", "become": Become()},
        "pat": {"user": "pat", "become": Become(password=lab.sudo_password)},
    }
    return target(lab, host, **{**ways[login], **changes})
