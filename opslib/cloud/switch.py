"""A service that can be switched off and on again, such as while its data are exchanged under it."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Switch"]


class Switch(Protocol):
    """Whatever can be paused and resumed; each returns only when that has come true, and raises TaskError otherwise."""

    @property
    def name(self) -> str:
        """What it is, for people."""
        ...

    def paused(self) -> bool:
        """Whether it is paused. Raises TaskError when there is no such service."""
        ...

    def pause(self) -> None:
        """Have it paused, whatever is under way with it, and wait for that."""
        ...

    def resume(self, *, unsure: bool = False) -> None:
        """Have it resumed, whatever is under way with it, and wait for that.

        unsure: a pause may have been asked for that is not to be seen yet.
        """
        ...
