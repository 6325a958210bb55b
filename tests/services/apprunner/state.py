"""What the fake of App Runner remembers of services and of what happens to them."""

from __future__ import annotations

import copy
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

ENDED = ("SUCCEEDED", "FAILED", "ROLLBACK_SUCCEEDED", "ROLLBACK_FAILED")
# https://docs.aws.amazon.com/apprunner/latest/dg/architecture.html: memory that can be had with so much CPU
PAIRS = {
    "256": ("512", "1024"),
    "512": ("1024",),
    "1024": ("2048", "3072", "4096"),
    "2048": ("4096", "6144"),
    "4096": ("8192", "10240", "12288"),
}


@dataclass
class Operation:
    """Something that happens to a service: the states it goes through, the last of them being the end.

    before, after: the service's configuration if it fails, and if it succeeds; status likewise: the service's state.
    """

    type: str
    arn: str
    states: list[str]
    before: dict[str, Any]
    after: dict[str, Any]
    status_before: str
    status_after: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    began: float = field(default_factory=time.time)
    ended: float | None = None
    looks: int = 0

    @property
    def status(self) -> str:
        return self.states[0]

    @property
    def over(self) -> bool:
        return self.status in ENDED

    def summary(self) -> dict[str, Any]:
        found = {
            "Id": self.id,
            "Type": self.type,
            "Status": self.status,
            "TargetArn": self.arn,
            "StartedAt": self.began,
            "UpdatedAt": self.ended or self.began,
        }
        return {**found, "EndedAt": self.ended} if self.ended else found


@dataclass
class Service:
    """A service: what never changes, its configuration (the members of UpdateService), and what happened to it."""

    name: str
    arn: str
    id: str
    url: str
    config: dict[str, Any]
    status: str = "OPERATION_IN_PROGRESS"
    tags: dict[str, str] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)  # the newest first
    created: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)
    stale: list[Any] = field(default_factory=list)  # what reads see for a while after a change
    late: list[Any] = field(default_factory=list)  # what descriptions show for a while after an operation's end

    @property
    def at_work(self) -> Operation | None:
        return self.operations[0] if self.operations and not self.operations[0].over else None

    def snapshot(self) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
        """Return what reads see: state, configuration, operations."""
        return self.status, copy.deepcopy(self.config), [each.summary() for each in self.operations]

    def seen(self) -> tuple[str, dict[str, Any], list[dict[str, Any]]]:
        """Return what this read sees: for a while after a change, what was before."""
        return self.stale.pop() if self.stale else self.snapshot()


def canonical(cpu: str, memory: str) -> tuple[str, str]:
    """Return CPU units and MB as numbers in text, for `1 vCPU` and `2 GB` or for the numbers themselves."""
    units = str(int(float(cpu.removesuffix(" vCPU")) * 1024)) if cpu.endswith("vCPU") else cpu
    megabytes = str(int(float(memory.removesuffix(" GB")) * 1024)) if memory.endswith("GB") else memory
    return units, megabytes
