"""Draw together what many hosts said in the same words: "/ is 12..41% full" instead of fifty lines."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Shared", "draw_together"]

# An address, or a number that is no part of a word, a date, a time, a version or a path.
_TOKEN = re.compile(
    r"(?<![\w.:/-])(?:(?P<address>[0-9]{1,3}(?:\.[0-9]{1,3}){3})(?![\w.]*[0-9])"
    r"|(?P<number>[0-9]{1,15}(?:\.[0-9]{1,9})?)(?![\w.:/-]*[0-9]))"
)
_OWN = "\0"
_Said = tuple[str, str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """One text, and the hosts that said it; where their numbers differ the text has `least..greatest`.

    key: what these hosts have in common besides.
    """

    text: str
    hosts: tuple[str, ...]
    key: Hashable = None


def draw_together(said: Iterable[tuple[str, str, Hashable]]) -> list[Shared]:
    """Group (host, text, key) whose texts differ in numbers, addresses and the host's own name at most.

    Those with different keys are never put together. The order is that of the first appearance.
    """
    groups: dict[tuple[tuple[str, ...], Hashable], list[_Said]] = {}
    for host, text, key in said:
        skeleton, values = _take_apart(host, text)
        groups.setdefault((skeleton, key), []).append((host, text, values))
    return [_shared(group, key) for (_skeleton, key), group in groups.items()]


def _take_apart(host: str, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    text = text.replace(_OWN, "\\0")
    own = re.compile(rf"(?<![\w.-]){re.escape(host)}(?![\w-])").sub(_OWN, text) if host else text
    parts: list[str] = []
    values: list[str] = []
    end = 0
    for found in _TOKEN.finditer(own):
        parts.append(own[end : found.start()])
        parts.append(found.lastgroup or "")
        values.append(found[0])
        end = found.end()
    return (*parts, own[end:]), tuple(values)


def _shared(group: Sequence[_Said], key: Hashable) -> Shared:
    hosts = tuple(dict.fromkeys(host for host, _text, _values in group))
    if len({text for _host, text, _values in group}) == 1:
        return Shared(text=group[0][1], hosts=hosts, key=key)
    parts, _values = _take_apart(group[0][0], group[0][1])
    columns = zip(*(values for _host, _text, values in group), strict=True)
    out = [parts[0]]
    for number, column in enumerate(columns):
        kind, literal = parts[2 * number + 1], parts[2 * number + 2]
        out += [_span(kind, column), literal]
    return Shared(text="".join(out).replace(_OWN, "<host>"), hosts=hosts, key=key)


def _span(kind: str, column: Sequence[str]) -> str:
    if len(set(column)) == 1:
        return column[0]
    if kind == "address":
        return "<address>"
    return f"{min(column, key=float)}..{max(column, key=float)}"
