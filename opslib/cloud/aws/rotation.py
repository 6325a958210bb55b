"""What a rotation needs of where a secret is kept, and how far one is. No value stands in any of this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Standing", "Store"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a secret stands.

    current: the version in force; made: when that was, in seconds since 1970; pending: a staged version, None where
    there is none; promoted: the staged version is in force already, but not confirmed; previous: the version that was
    in force before and can still be had; hindrance: why it cannot be rotated here, in words.
    """

    current: str = ""
    made: float = 0.0
    pending: str | None = None
    promoted: bool = False
    previous: str | None = None
    hindrance: str = ""


class Store(Protocol):
    """A place that keeps a secret. All methods return only when it is known that they took effect.

    Every value that passes through is told to whoever must see that it is never shown.
    """

    where: str

    def look(self) -> Standing:
        """Tell how the secret stands, reading no value."""
        ...

    def current(self) -> str:
        """Read the value in force."""
        ...

    def pending(self) -> str:
        """Read the staged value."""
        ...

    def stage(self, value: str) -> None:
        """Put a new value beside the one in force, and read it back."""
        ...

    def promote(self, before: Standing) -> None:
        """Put the staged value in force, if the one before still is."""
        ...

    def confirm(self) -> None:
        """Take away the mark that the value in force is not confirmed."""
        ...

    def withdraw(self) -> None:
        """Take the staged value away."""
        ...

    def back(self, before: Standing) -> None:
        """Put the value that was in force before in force again, and take the staged one away."""
        ...

    def retire(self) -> None:
        """Let go of the previous value."""
        ...
