"""How far a lab's start is, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Observer", "Progress"]


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a lab's start.

    text: what happens, in a few words. done: hosts that are up. total: hosts there will be.
    """

    text: str
    done: int
    total: int


Observer = Callable[[Progress], None]
