"""What every carrier offers: a connection to a host, and channels on it through which payloads run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Channel", "Connection", "Deadline"]


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, or none."""

    at: float | None = None

    @classmethod
    def after(cls, seconds: float | None) -> Deadline:
        """Return the deadline that many seconds from now; None for never."""
        return cls(None if seconds is None else time.monotonic() + seconds)

    @property
    def left(self) -> float | None:
        """Seconds left (never negative), None for no limit."""
        return None if self.at is None else max(0.0, self.at - time.monotonic())

    def cap(self, seconds: float) -> float:
        """Return `seconds`, or what is left when that is less."""
        left = self.left
        return seconds if left is None else min(seconds, left)


class Channel(Protocol):
    """A program started on a host. Not thread-safe, but for `close`, which any thread may call at any time."""

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Write to its standard input. Raises CarrierError when it is gone, TimeoutError when time is up."""

    def receive(self, timeout: float) -> bytes | None:
        """Return some of its output, b"" when it has closed it, None when `timeout` seconds brought nothing."""

    def end_input(self) -> None:
        """Close its standard input; the payload then kills its processes, says so and ends."""

    def errors(self) -> str:
        """Return what it wrote to standard error so far (the first few KiB)."""

    def exit_code(self) -> int | None:
        """Return its exit code once it has ended, else None."""

    def close(self) -> None:
        """Drop it; the payload on the other side then dies with all its processes."""


class Connection(Protocol):
    """An open way to a host; may carry many channels, one after the other or at once."""

    def start(self, argv: Sequence[str], deadline: Deadline) -> Channel:
        """Start a program. Raises CarrierError when the connection is no longer good."""

    @property
    def user(self) -> str | None:
        """As whom programs run, None when that is not known."""

    @property
    def alive(self) -> bool:
        """Whether a new channel can be expected to work."""

    def close(self) -> None:
        """Close it and everything on it."""
