"""Where a run stands, counted from its events."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from opslib.events import Event, HostEnded, HostStarted, RunStarted, StepEnded, StepStarted
from opslib.result import Status

__all__ = ["CONNECTING", "Slowest", "Tally"]

CONNECTING = "connecting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowest:
    """The host that has been at the same thing for the longest time; seconds: for how long."""

    host: str
    step: str
    seconds: float


class Tally:
    """Counts hosts by how they ended, and steps now running by how many hosts are at them. Not thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._status: dict[str, Status] = {}
        self._now: dict[str, tuple[str, float]] = {}
        self._order: dict[str, None] = {}
        self.hosts: Sequence[str] = ()

    def take(self, event: Event) -> None:
        """Count an event."""
        match event:
            case RunStarted():
                self.hosts = event.hosts
                self._began = self._clock()
            case HostStarted():
                if event.host not in self.hosts:  # a play may add some
                    self.hosts = (*self.hosts, event.host)
                self._status.pop(event.host, None)
                self._at(event.host, CONNECTING)
            case StepStarted():
                self._at(event.host, event.step)
            case StepEnded():
                if event.host in self._now:
                    self._now[event.host] = (event.result.name, self._clock())
            case HostEnded():
                self._now.pop(event.host, None)
                self._status[event.host] = event.result.status
            case _:
                pass

    @property
    def done(self) -> int:
        """How many hosts have ended."""
        return len(self._status)

    @property
    def running(self) -> int:
        """How many hosts are being worked on."""
        return len(self._now)

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._began

    def counts(self) -> Mapping[Status, int]:
        """Return how many hosts have ended how, only what there is."""
        found = Counter(self._status.values())
        return {status: found[status] for status in Status if found[status]}

    def steps(self) -> Mapping[str, int]:
        """Return the steps now running with how many hosts are at them, in the order in which they first began."""
        found = Counter(step for step, _since in self._now.values())
        return {step: found[step] for step in self._order if found[step]}

    def slowest(self) -> Slowest | None:
        """Return the host that has been at one thing for the longest time."""
        if not self._now:
            return None
        host, (step, since) = min(self._now.items(), key=lambda item: item[1][1])
        return Slowest(host=host, step=step, seconds=self._clock() - since)

    def _at(self, host: str, step: str) -> None:
        self._order.setdefault(step)
        self._now[host] = (step, self._clock())
