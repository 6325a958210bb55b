"""What a run tells while it goes on. Each event is a frozen record; `on_event` gets them one at a time.

Order: one `RunStarted`; per batch of hosts any number of `HostStarted`, `StepStarted`, `StepTold`, `StepEnded`,
`HostEnded` in the order things happen; `Notice` whenever there is something to say; one `RunEnded` last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from opslib.result import HostResult, Report, StepResult

__all__ = [
    "Event",
    "HostEnded",
    "HostStarted",
    "Notice",
    "OnEvent",
    "RunEnded",
    "RunStarted",
    "StepEnded",
    "StepStarted",
    "StepTold",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run begins: `hosts` are all that it will report on."""

    run_id: str
    source: str
    check: bool
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStarted:
    """Work on a host begins (it is being connected to)."""

    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A host has begun a step."""

    host: str
    step: str
    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTold:
    """A step says something before its end, such as the lines of a log that it follows; no report keeps it."""

    host: str
    step: str
    task: str
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded:
    """A step has ended on a host."""

    host: str
    result: StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class HostEnded:
    """A host is done with; with several plays a host may end more than once, the last one counts."""

    host: str
    result: HostResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something worth knowing about the run as a whole, such as why a play goes to another engine."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """The run is over."""

    report: Report


Event = RunStarted | HostStarted | StepStarted | StepTold | StepEnded | HostEnded | Notice | RunEnded
OnEvent = Callable[[Event], object]
