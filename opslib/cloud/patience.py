"""Waiting for services: until something is done, and between tries; with a deadline, growing pauses, and jitter."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from opslib.carriers.base import Deadline
from opslib.cloud.errors import ServiceError, ThrottledError, TimeIsUpError, UnknownOutcomeError

__all__ = ["Patience"]

T = TypeVar("T")
_GROWTH = 1.6
_LONGEST = 15.0  # times the first pause
_LEAST = 1.0  # seconds


class Patience:
    """How long to wait in all, and how often to look.

    seconds: for everything from now on; pause: seconds before the first second look; later pauses are longer, up to 15
    times, and all are shortened by chance to as little as half, so that many who wait do not ask at once.
    """

    def __init__(self, seconds: float, pause: float) -> None:
        self._seconds = seconds
        self._pause = pause
        self.deadline = Deadline.after(seconds)

    def cap(self, seconds: float) -> float:
        """Return `seconds`, or what is left when that is less, for the timeout of one request.

        A second is given always: of a change whose answer nobody waits for it would never be known what came of it.
        """
        return max(0.05, min(seconds, max(_LEAST, self.deadline.cap(seconds))))

    def pauses(self, doing: str) -> Iterator[None]:
        """Yield at once, and again after every pause. Raises TimeIsUpError when no time is left.

        doing: what is waited for, for the error: "waiting for operation 4f1 to end".
        """
        yield
        pause = self._pause
        while True:
            left = self.deadline.left
            if not left:
                raise TimeIsUpError(f"{doing}: not done after {self._seconds:g} seconds; it may still go on")
            time.sleep(min(left, pause * random.uniform(0.5, 1.0)))  # noqa: S311 - jitter is no secret
            yield
            pause = min(pause * _GROWTH, self._pause * _LONGEST)

    def until(
        self, look: Callable[[], T], done: Callable[[T], bool], *, doing: str, seen: Callable[[T], object] | None = None
    ) -> T:
        """Look until what is seen is what is waited for, and return it.

        seen: is told of every look that differs from the one before. Raises TimeIsUpError; what `look` raises.
        """
        before: object = object()
        for _turn in self.pauses(doing):
            found = look()
            if seen is not None and found != before:
                seen(found)
            before = found
            if done(found):
                return found
        raise AssertionError

    def read(self, ask: Callable[[], T], *, doing: str) -> T:
        """Return the answer to a question that changes nothing, however often it has to be asked.

        Asks again when the service is throttling or broken; any other error is final. When time is up the last error
        is told.
        """
        return self._insist(ask, doing, (ThrottledError, UnknownOutcomeError))

    def write(self, ask: Callable[[], T], *, doing: str) -> T:
        """Return the answer to a request that changes something: it is repeated only if it was turned away unread.

        Raises UnknownOutcomeError when the answer was lost: then look, never send it twice.
        """
        return self._insist(ask, doing, (ThrottledError,))

    def _insist(self, ask: Callable[[], T], doing: str, again: tuple[type[ServiceError], ...]) -> T:
        last: ServiceError | None = None
        try:
            for _turn in self.pauses(doing):
                try:
                    return ask()
                except again as error:
                    last = error
                    self._obey(error)
        except TimeIsUpError as error:
            raise last or error from error
        raise AssertionError

    def _obey(self, error: ServiceError) -> None:
        """Wait as long as the service asked for, when it did."""
        if error.after:
            left = self.deadline.left
            if left is not None and error.after > left:
                words = f"{error}; it asks to wait {error.after:g} seconds, and {left:.0f} are left"
                raise type(error)(words, after=error.after, code=error.code, status=error.status) from error
            time.sleep(error.after)
