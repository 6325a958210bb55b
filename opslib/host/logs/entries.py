"""Cut lines of a log up into entries, choose those that are asked for, and make them fit to be shown elsewhere."""

from __future__ import annotations

import re

from .levels import Entry, Levels
from .patterns import unsecret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Iterator, Sequence

    from .times import Clock

    Piece = tuple[bytes, float | None]

_LONGEST, _SHOWN = 64 << 10, 16 << 10
_HEAD = 200
_MEMBERS = 200
_SECRET_NAME = re.compile(
    r"(?i)pass(word|wd|phrase)?|secret|token|(api|access|private)[_-]?key|credential|cookie|authorization"
)
_SECRET_NUMBER = re.compile(r"(?i)pass(word|wd|phrase)|secret")  # the others count tokens and the like


def head(line: bytes, clock: Clock, dated: bool) -> tuple[bool, float | None]:
    """Return whether a line begins an entry, and its time. dated: whether lines of this log bear times.

    In a log without times every line that is not indented is an entry; elsewhere one with a time, or a JSON object.
    """
    line = line.lstrip(b"\0")
    when = clock.read(line if line[:1] == b"{" else line[:_HEAD])
    if when is not None or line[:1] == b"{":
        return True, when
    return not dated and line[:1].strip() != b"", None


def grouped(lines: Iterable[bytes], clock: Clock, dated: bool) -> Iterator[Piece]:
    """Yield entries with their times; lines that begin none belong to the one before. Of an entry 64 KiB are kept."""
    entry: list[bytes] = []
    length = 0
    time: float | None = None
    for line in lines:
        begins, when = head(line, clock, dated)
        dated = dated or when is not None
        if begins and entry:
            yield b"\n".join(entry), time
        if begins or not entry:
            entry, length, time = [line], len(line), when
        elif length < _LONGEST:
            entry.append(line)
            length += len(line)
    if entry and any(entry):
        yield b"\n".join(entry), time


class Filter:
    """Judges entries, and makes those that are wanted rows to be sent.

    levels, fields: as `log_errors` takes them; match: an expression to be found in the text, None for any; since,
    until: seconds since 1970, None for no limit, not asked of entries without a time; longest: characters kept of an
    entry; masked: what looks like a password, token or key is put as ***.

    matched: entries that were wanted; read: entries that were judged.
    """

    def __init__(
        self,
        levels: Sequence[str],
        match: str | None,
        fields: dict[str, Any],
        since: float | None = None,
        until: float | None = None,
        longest: int = 4096,
        masked: bool = True,
    ) -> None:
        self.levels = Levels(levels)
        self._search: Callable[[str], object] | None = re.compile(match).search if match else None
        self.fields = fields
        self.since = since
        self.until = until
        self.longest = longest
        self.masked = masked
        self.matched = self.read = 0

    def row(self, raw: bytes, when: float | None, source: str, level: str | None = None) -> dict[str, Any] | None:
        """Return an entry as a row, None when it is not wanted. level: what holds where the text names none."""
        self.read += 1
        if when is not None:
            if self.since is not None and when < self.since:
                return None
            if self.until is not None and when > self.until:
                return None
        entry = Entry(raw)
        own = self.levels.level(entry)
        fits = self.levels.fit(entry) or (own is None and level in self.levels.levels)
        if not fits or not entry.has(self.fields):
            return None
        if self._search and not self._search(entry.text):
            return None
        self.matched += 1
        text = self._shown(entry) if self.masked else entry.text
        return {
            "source": source,
            "time": when,
            "level": own or level,
            "text": text[: self.longest],
            "cut": len(text) > self.longest or len(raw) > _SHOWN,
        }

    def _shown(self, entry: Entry) -> str:
        if entry.members is None:
            return unsecret(entry.text)
        clean = _hidden(entry.members)
        first, newline, rest = entry.text.partition("\n")
        if clean != entry.members:
            import json

            first = json.dumps(clean, ensure_ascii=False)
        return first + newline + unsecret(rest)


def _hidden(value: Any, name: str = "", depth: int = 0) -> Any:
    """Return a JSON value without what looks like a secret. name: the secret's that it is, or is a part of."""
    if isinstance(value, str):
        return "***" if name else unsecret(value)
    if isinstance(value, (dict, list)) and depth > 20:
        return "***"
    if isinstance(value, dict):
        return {key: _hidden(item, key if _SECRET_NAME.search(key) else name, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item, name, depth + 1) for item in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool) and _SECRET_NUMBER.search(name):
        return "***"
    return value


class Newest:
    """Keeps the newest rows, at most so many and of so many characters. left_out: those it dropped.

    Rows without a time count as old as the row before them.
    """

    def __init__(self, most: int, characters: int = 32 << 20) -> None:
        self.most = most
        self.characters = characters
        self.left_out = 0
        self._length = 0
        self._rows: list[tuple[float, int, dict[str, Any]]] = []
        self._count = 0

    def add(self, row: dict[str, Any], when: float | None = None, backwards: bool = False) -> None:
        """Keep a row. when: stands for its time where it has none; backwards: it stood before the row added last."""
        import heapq

        self._count += 1
        own = row["time"]
        at = own if own is not None else when if when is not None else float("-inf")
        heapq.heappush(self._rows, (at, -self._count if backwards else self._count, row))
        self._length += len(row["text"])
        while len(self._rows) > self.most or self._length > self.characters:
            _at, _number, gone = heapq.heappop(self._rows)
            self._length -= len(gone["text"])
            self.left_out += 1

    def rows(self) -> list[dict[str, Any]]:
        """Return what was kept, the oldest first."""
        return [row for _at, _number, row in sorted(self._rows, key=lambda one: one[:2])]
