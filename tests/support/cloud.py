"""Cloud tasks in tests: run as the runtime runs them, in this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from opslib import tasks
from opslib.host.worker import run_step

AWS = {"account": "123456789012", "region": "us-east-1", "wait": 60, "poll": 0.005}


@dataclass(frozen=True, slots=True)
class Ran:
    """How a task ended; told: what it said on the way."""

    status: str
    changed: bool
    error: str | None
    reason: str
    changes: list[dict[str, Any]]
    warnings: list[str]
    data: dict[str, Any]
    told: list[dict[str, Any]] = field(default_factory=list)

    @property
    def summaries(self) -> list[str]:
        return [change["summary"] for change in self.changes]


def run(name: str, args: dict[str, Any], *, check: bool = False) -> Ran:
    """Run a task by its name."""
    told: list[dict[str, Any]] = []
    result = run_step(tasks.get(name), args, check, told.append)
    return Ran(**{key: result[key] for key in Ran.__slots__ if key != "told"}, told=told)
