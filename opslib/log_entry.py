"""An entry of a log, as it came from a host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

__all__ = ["LogEntry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One entry: a line, or several (a traceback).

    source: the path of the file, or the unit; time: aware, None when the entry bears none; level: in capitals, None
    when it names none; cut: the entry is longer than `text`.
    """

    host: str
    source: str
    text: str
    time: datetime | None = None
    level: str | None = None
    cut: bool = False

    @property
    def members(self) -> Mapping[str, Any] | None:
        """What the entry holds where it is a JSON object, else None."""
        if not self.text.startswith("{"):
            return None
        try:
            found = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as JSON-like data; `members` instead of the text for a JSON object."""
        members = self.members
        return {
            "host": self.host,
            "source": self.source,
            "time": None if self.time is None else self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": self.level,
            **({"text": self.text} if members is None else {"members": members}),
            "cut": self.cut,
        }

    @classmethod
    def from_row(cls, host: str, row: Any) -> Self:
        """Return the entry that a host sent; TypeError or ValueError when it makes no sense."""
        if not isinstance(row, Mapping):
            raise TypeError("no mapping")
        source, text, when, level = (row.get(name) for name in ("source", "text", "time", "level"))
        if not isinstance(source, str) or not isinstance(text, str) or not isinstance(level, str | None):
            raise TypeError("no entry of a log")
        time = None
        if isinstance(when, int | float):
            try:
                time = datetime.fromtimestamp(when, UTC)
            except (OverflowError, OSError) as error:
                raise ValueError(f"no time: {error}") from error
        return cls(host=host, source=source, text=text, time=time, level=level, cut=bool(row.get("cut")))
