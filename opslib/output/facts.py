"""A step's data as indented lines for people, in the manner of YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from opslib.output.text import shorten, visible, visible_lines

__all__ = ["fact_lines"]

MAX_WIDTH = 400
INLINE = 60
SHORTEST = 3


def fact_lines(data: Mapping[str, Any], *, most: int, last: bool = False) -> list[str]:
    """Return data as visible lines, at most about `most` of them; the longest values give way first.

    last: of a value that is itself many lines, such as a log's tail, keep the end and not the beginning.
    """
    parts = [list(_entry(visible(str(key)), value)) for key, value in data.items()]
    room = _room([len(part) for part in parts], most)
    lines: list[str] = []
    for part in parts[:most]:
        left = len(part) - room
        note = f"  ... {left} more lines; the JSON report has them all"
        if left <= 1:
            lines += part
        elif last:
            lines += [part[0], note, *part[left + 1 :]]
        else:
            lines += [*part[:room], note]
    return [shorten(line, MAX_WIDTH) for line in lines]


def _room(lengths: list[int], most: int) -> int:
    """Return the greatest number of lines that each value may take so that all take no more than `most`, but 3."""
    room = max(lengths, default=0)
    while room > SHORTEST and sum(min(length, room) for length in lengths) > most:
        room -= 1 + (sum(min(length, room) for length in lengths) - most) // max(len(lengths), 1) // 2
    return max(room, SHORTEST)


def _entry(key: str, value: Any) -> Iterator[str]:
    inline = _inline(value)
    if inline is not None:
        yield f"{key}: {inline}"
        return
    yield f"{key}:"
    for line in _block(value):
        yield f"  {line}"


def _inline(value: Any) -> str | None:
    """Return a value that fits behind its key, or None."""
    if isinstance(value, str):
        return visible(value) if "\n" not in value else None
    if isinstance(value, Mapping | list | tuple):
        if not value:
            return "none"
        if isinstance(value, Mapping) or any(isinstance(item, Mapping | list | tuple) for item in value):
            return None
        words = ", ".join(_scalar(item) for item in value)
        return words if len(words) <= INLINE else None
    return _scalar(value)


def _scalar(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return visible(str(value))


def _block(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from visible_lines(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _entry(visible(str(key)), item)
    elif all(isinstance(item, str) for item in value):
        for item in value:
            yield from visible_lines(item)
    else:
        for item in value:
            yield from _item(item)


def _item(item: Any) -> Iterator[str]:
    if isinstance(item, Mapping):
        pairs = [(visible(str(key)), _inline(part)) for key, part in item.items()]
        row = ", ".join(f"{key} {part}" for key, part in pairs)
        if item and all(part is not None for _key, part in pairs) and len(row) <= 2 * INLINE:
            yield f"- {row}"
            return
    inline = _inline(item)
    if inline is not None:
        yield f"- {inline}"
        return
    for number, line in enumerate(_block(item)):
        yield f"  {line}" if number else f"- {line}"
