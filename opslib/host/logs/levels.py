"""Which entries of a log are errors, and what they say."""

from __future__ import annotations

import re

from .times import json_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

LEVEL_NAMES = ("level", "levelname", "severity", "log.level", "loglevel", "lvl")
MESSAGE_NAMES = ("message", "msg", "event", "error", "exception", "log")
_SYNONYMS = {
    "ERROR": ("ERR",),
    "ERR": ("ERROR",),
    "CRITICAL": ("CRIT",),
    "CRIT": ("CRITICAL",),
    "FATAL": ("EMERG", "ALERT", "PANIC"),
    "WARNING": ("WARN",),
    "WARN": ("WARNING",),
}
_NUMBERS = {10: "TRACE", 20: "DEBUG", 30: "INFO", 40: "WARN", 50: "ERROR", 60: "FATAL"}  # bunyan's and pino's
_KNOWN = (
    "TRACE",
    "DEBUG",
    "INFO",
    "NOTICE",
    "WARN",
    "WARNING",
    "ERROR",
    "ERR",
    "CRITICAL",
    "CRIT",
    "ALERT",
    "EMERG",
    "FATAL",
    "PANIC",
)
_NEAR = 120
_LONGEST = 16 << 10
_TRACEBACK = "Traceback (most recent call last)"
_COLOURS = re.compile(rb"\x1b\[[\d;]*m")
_STAMPED = re.compile(
    r"^\W*\d{4}[-/]\d\d[-/]\d\d[T ][\d:.,]+ ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)?\W*"
    r"|^(?:<\d+>)?[A-Z][a-z]{2} [ \d]\d [\d:.]+ "
    r"|^\[?\d{10,13}(?:\.\d+)?\W*"
)


class Entry:
    """An entry of a log. text: the whole, at most 16 KiB; members: of a JSON object, else None."""

    __slots__ = ("members", "text")

    def __init__(self, raw: bytes) -> None:
        raw = raw.lstrip(b"\0")
        self.members: dict[str, Any] | None = json_object(raw.split(b"\n", 1)[0]) if raw[:1] == b"{" else None
        if b"\x1b[" in raw[:_LONGEST]:
            raw = _COLOURS.sub(b"", raw[:_LONGEST])
        self.text = raw[:_LONGEST].decode("utf-8", "replace").rstrip("\n")

    @property
    def message(self) -> str:
        """What it says: without its time, with the last line of a traceback."""
        if self.members is not None:
            for name in MESSAGE_NAMES:
                value = self.members.get(name)
                if isinstance(value, str) and value.strip():
                    return value
            return self.text
        first, _newline, rest = self.text.partition("\n")
        said = _STAMPED.sub("", first, count=1)
        if _TRACEBACK in rest or _TRACEBACK in first:
            ends = [line for line in rest.splitlines() if line[:1].strip() and not line.startswith(_TRACEBACK)]
            said += " | " + ends[-1] if ends else ""
        return said

    def member(self, path: str) -> Any:
        """Return a member by its name or its dotted path, None when there is none."""
        value: Any = self.members
        if isinstance(value, dict) and path in value:
            return value[path]
        for name in path.split("."):
            if not isinstance(value, dict):
                return None
            value = value.get(name)
        return value

    def has(self, fields: dict[str, Any]) -> bool:
        """Whether members have these values; 5 and "5" are the same."""
        return all(_text(self.member(path)) == _text(value) for path, value in fields.items())


class Levels:
    """Tells whether an entry is of one of some levels."""

    def __init__(self, levels: Sequence[str]) -> None:
        self.levels = {name.upper() for name in levels}
        for level in list(self.levels):
            self.levels.update(_SYNONYMS.get(level, ()))
        known = "|".join(sorted(map(re.escape, {*_KNOWN, *self.levels}), key=len, reverse=True))
        self._word = re.compile(
            r"(?<!\w)(%s)(?!\w)|\[(?:[\w-]+:)?(%s) *\]|\b(?:level|severity|lvl)[\"']?[=:] ?[\"']?(%s)\b"
            % (known, known.lower(), known + "|" + known.lower())
        )
        self._first = re.compile(r"((?i:%s))(?=[:|\t]|  | [-|A-Z\[{\"'])" % known)

    def hints(self) -> list[bytes]:
        """Return bytes of which an entry of these levels holds at least one."""
        words = [form for level in self.levels for form in (level, level.lower(), level.capitalize())]
        numbers = [number for number, level in _NUMBERS.items() if level in self.levels]
        words += ['"level":%s%d' % (space, number) for number in numbers for space in ("", " ")]
        return [word.encode() for word in words]

    def level(self, entry: Entry) -> str | None:
        """Return the level that an entry says it is of, in capitals; None where a JSON object or text says none."""
        if entry.members is not None:
            for name in LEVEL_NAMES:
                value = entry.member(name)
                if isinstance(value, str):
                    return value.strip().upper()[:20]
                if isinstance(value, int):
                    return _NUMBERS.get(value)
            return None
        return self._near(entry.text.partition("\n")[0])

    def fit(self, entry: Entry) -> bool:
        """Whether an entry is of one of the levels.

        A JSON object's member says so. Of text the level is the first word of a level near the beginning: "INFO" makes
        "INFO retry after ERROR" no error. Where none is near the beginning, one of the levels anywhere counts.
        """
        if not self.levels:
            return True
        if entry.members is not None:
            for name in LEVEL_NAMES:
                value = entry.member(name)
                if isinstance(value, str):
                    return value.strip().upper() in self.levels
                if isinstance(value, int):
                    return _NUMBERS.get(value) in self.levels
            return self._in_text(entry.message)
        return self._in_text(entry.text)

    def _near(self, line: str) -> str | None:
        """Return the level that a line tells near its beginning; right behind its time that may be in small letters."""
        stamp = _STAMPED.match(line)
        first = self._first.match(line, stamp.end()) if stamp else None
        near = first or self._word.search(line[:_NEAR])
        return near[near.lastindex or 0].upper() if near else None

    def _in_text(self, text: str) -> bool:
        near = self._near(text.partition("\n")[0])
        if near:
            return near in self.levels
        return any(found[found.lastindex or 0].upper() in self.levels for found in self._word.finditer(text))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
