"""Many names in few words: `web1..web48, db1`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from opslib.output.text import visible

__all__ = ["compact", "listed"]

_NUMBERED = re.compile(r"(?P<head>.*?)(?P<number>[0-9]{1,9})(?P<tail>[^0-9]*)", re.DOTALL)


def compact(names: Iterable[str]) -> list[str]:
    """Return names in their order, three or more that follow each other by number drawn together as `first..last`."""
    return [text for run in _runs(names) for text in _words(run)]


def listed(names: Sequence[str], most: int | None = 12) -> str:
    """Return names in one line, ranges drawn together; after `most` of those only how many names there are more."""
    words: list[str] = []
    told = 0
    for run in _runs(names):
        more = _words(run)
        if most is not None and len(words) + len(more) > most:
            break
        words += more
        told += len(run)
    left = len(names) - told
    return ", ".join(words) + (f" and {left} more" if words else f"{left} hosts") * bool(left)


def _words(run: list[str]) -> list[str]:
    return [f"{visible(run[0])}..{visible(run[-1])}"] if len(run) > 2 else [visible(name) for name in run]


def _runs(names: Iterable[str]) -> list[list[str]]:
    runs: list[list[str]] = []
    for name in names:
        if runs and _follows(runs[-1][-1], name):
            runs[-1].append(name)
        else:
            runs.append([name])
    return runs


def _follows(name: str, other: str) -> bool:
    one, two = _NUMBERED.fullmatch(name), _NUMBERED.fullmatch(other)
    if one is None or two is None or one["head"] != two["head"] or one["tail"] != two["tail"]:
        return False
    padded = one["number"].startswith("0") or two["number"].startswith("0")
    same_width = len(one["number"]) == len(two["number"])
    return int(two["number"]) == int(one["number"]) + 1 and (same_width or not padded)
