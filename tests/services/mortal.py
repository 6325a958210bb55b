"""Programs that end with the tests that started them, even when those are killed and can stop nothing any more."""

from __future__ import annotations

from collections.abc import Sequence


def mortal(line: Sequence[str], signal: str = "TERM") -> list[str]:
    """Return a command line for a program that the kernel sends a signal when the thread that started it is gone."""
    return ["setpriv", "--pdeathsig", signal, "--", *line]
