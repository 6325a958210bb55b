"""A clock for deadlines that tests put forward, so that nobody waits for the end of a wait."""

from __future__ import annotations

import time

import pytest


class Clock:
    """Takes the place of `time` where deadlines are kept."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.ahead += seconds


def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a clock that deadlines go by from now on."""
    made = Clock()
    monkeypatch.setattr("opslib.carriers.base.time", made)
    return made
