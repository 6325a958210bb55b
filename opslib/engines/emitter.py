"""Hand events to a caller's function: one at a time, and without letting it harm the run."""

from __future__ import annotations

import threading

from opslib.events import Event, Notice, OnEvent

__all__ = ["Emitter"]


class Emitter:
    """Calls `on_event` under a lock; what it raises becomes a warning of the run, the first of each kind of error."""

    def __init__(self, on_event: OnEvent | None) -> None:
        self._on_event = on_event
        self._lock = threading.Lock()
        self._warnings: dict[str, None] = {}
        self._raised: set[type[Exception]] = set()

    def __call__(self, event: Event) -> None:
        """Pass an event on."""
        if self._on_event is None:
            return
        with self._lock:
            try:
                self._on_event(event)
            except Exception as error:
                if type(error) not in self._raised:
                    self._raised.add(type(error))
                    self._warnings[f"on_event raised {_in_words(error)}"] = None

    def say(self, text: str) -> None:
        """Tell something about the run as a whole."""
        self(Notice(text=text))

    def warn(self, text: str) -> None:
        """Keep a remark for the report."""
        with self._lock:
            self._warnings[text] = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the report is to say about the run as a whole."""
        with self._lock:
            return tuple(self._warnings)


def _in_words(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # not even its text can be had
        return type(error).__name__
