"""Tells entries as they are found, many in one message."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

_ROWS, _CHARACTERS = 256, 128 << 10


class Teller:
    """Takes entries one by one. tell: passes a message on; count: entries that were told so far."""

    def __init__(self, tell: Callable[[dict[str, Any]], object]) -> None:
        self.count = 0
        self._tell = tell
        self._rows: list[dict[str, Any]] = []
        self._characters = 0

    def add(self, row: dict[str, Any]) -> None:
        """Tell an entry, soon."""
        self._rows.append(row)
        self._characters += len(row["text"])
        if len(self._rows) >= _ROWS or self._characters >= _CHARACTERS:
            self.flush()

    def flush(self) -> None:
        """Tell what is waiting."""
        if self._rows:
            self._tell({"entries": self._rows})
            self.count += len(self._rows)
            self._rows, self._characters = [], 0

    def note(self, words: str) -> None:
        """Say something about the reading."""
        self.flush()
        self._tell({"note": words})
