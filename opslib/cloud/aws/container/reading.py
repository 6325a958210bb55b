"""Answers of a platform, taken apart with care: what is missing, or not of its kind, is a MalformedError."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, TypeVar

from opslib.cloud.errors import MalformedError
from opslib.host.params import shown

__all__ = ["line", "member", "moment", "named", "number", "optional"]

T = TypeVar("T")
_LONGEST = 2048


def member(answer: Any, name: str, kind: type[T], where: str) -> T:
    """Return a member of a structure, which must be there and be of a kind."""
    found = answer.get(name) if isinstance(answer, Mapping) else None
    if not isinstance(found, kind) or isinstance(found, bool) is not (kind is bool):
        raise MalformedError(f"{where}: the answer's {name} is {shown(found)}, where {kind.__name__} is expected")
    return found


def optional(answer: Any, name: str, kind: type[T], where: str) -> T | None:
    """Return a member that need not be there."""
    return None if isinstance(answer, Mapping) and answer.get(name) is None else member(answer, name, kind, where)


def line(answer: Any, name: str, where: str, *, empty: bool = False) -> str:
    """Return a member that is one line of printable text; with `empty` it need not be there."""
    found = (optional(answer, name, str, where) or "") if empty else member(answer, name, str, where)
    if not found.isprintable() or len(found) > _LONGEST or not (found or empty):
        raise MalformedError(f"{where}: the answer's {name} is {shown(found)}, which is no name of anything")
    return found


def number(answer: Any, name: str, where: str) -> int:
    """Return a member that is a whole number, or the text of one."""
    found = answer.get(name) if isinstance(answer, Mapping) else None
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < 10:
        return int(found)
    return member(answer, name, int, where)


def moment(answer: Any, name: str, where: str) -> float | None:
    """Return a time in seconds since 1970, None where there is none."""
    found = optional(answer, name, dt.datetime, where)
    try:
        return None if found is None else found.timestamp()
    except (OverflowError, ValueError):
        raise MalformedError(f"{where}: the answer's {name} is no time") from None


def named(items: Any, key: str, value: str, where: str) -> dict[str, str]:
    """Return a listing of names with values as a mapping."""
    if not isinstance(items, list):
        raise MalformedError(f"{where}: {shown(items)} is no listing of names and values")
    return {line(each, key, where): optional(each, value, str, where) or "" for each in items}
