"""What a test tells a back end to do wrong, and what a back end remembers of its requests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

EVERY = "*"


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came: `mutates` says whether it may change something, `body` is what it asked."""

    operation: str
    mutates: bool
    body: Any = None
    service: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """An answer that is not the service's own.

    code, status, message: an error in the service's own form. body: sent as it is instead. dropped: the connection is
    closed without an answer. twist: changes the service's own answer. after_effect: what was asked is done before.
    """

    status: int = 500
    code: str = ""
    message: str = ""
    body: Any = None
    dropped: bool = False
    twist: Callable[[Any], Any] | None = None
    after_effect: bool = False


@dataclass(slots=True)
class _Scripted:
    operation: str
    left: int | None
    what: Fault | float

    def hits(self, operation: str) -> bool:
        return self.operation in (EVERY, operation) and (self.left is None or self.left > 0)


@dataclass(slots=True)
class Script:
    """Faults in the order in which tests told them; each is used `times` times (None: for ever)."""

    _faults: list[_Scripted] = field(default_factory=list)
    _delays: list[_Scripted] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, operation: str, fault: Fault, times: int | None) -> None:
        with self._lock:
            self._faults.append(_Scripted(operation, times, fault))

    def add_delay(self, operation: str, seconds: float, times: int | None) -> None:
        with self._lock:
            self._delays.append(_Scripted(operation, times, seconds))

    def fault(self, operation: str) -> Fault | None:
        """Use up the next fault for an operation."""
        return self._take(self._faults, operation)

    def delay(self, operation: str) -> float:
        """Use up the next delay for an operation; seconds."""
        return self._take(self._delays, operation) or 0.0

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()
            self._delays.clear()

    def _take(self, scripted: list[_Scripted], operation: str) -> Any:
        with self._lock:
            for each in scripted:
                if each.hits(operation):
                    if each.left is not None:
                        each.left -= 1
                    return each.what
        return None
