"""Changes that may be sent again because what they ask for can only happen once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from opslib.cloud.errors import TimeIsUpError, UnknownOutcomeError
from opslib.cloud.patience import Patience

__all__ = ["settle"]

T = TypeVar("T")


class _Changes(Protocol):
    @property
    def patience(self) -> Patience: ...

    def change(self, call: Callable[[], T], *, doing: str) -> T: ...


def settle(task: _Changes, send: Callable[[], Any], done: Callable[[], bool], *, doing: str) -> None:
    """Send a change until it is known to have taken effect.

    When an answer is lost, `done` looks what came of it; what has not happened is sent again. So this is only for
    changes that a precondition guards, or that ask for a state and not for a step. Raises the last error when time is
    up; what `send` raises for a refusal.
    """
    last: UnknownOutcomeError | None = None
    try:
        for _turn in task.patience.pauses(doing):
            try:
                task.change(send, doing=doing)
            except UnknownOutcomeError as error:
                last = error
            else:
                return
            if done():
                return
    except TimeIsUpError as error:
        raise last or error from error
