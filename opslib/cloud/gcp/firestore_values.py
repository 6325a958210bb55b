"""Values of Firestore documents: as JSON knows them, and with their types as the service sends them; pure.

Source: https://firebase.google.com/docs/firestore/reference/rest/v1/Value.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opslib.host.params import ParamError, shown

__all__ = ["FieldPath", "at", "canonical", "contradictions", "field_path", "mask", "nested", "plain", "typed"]

FieldPath = tuple[str, ...]
_SCALARS = ["null", "boolean", "integer", "double", "timestamp", "string", "bytes", "reference", "geoPoint"]
TYPES = frozenset(f"{name}Value" for name in [*_SCALARS, "array", "map"])
_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SEGMENT = re.compile(r"`((?:[^`\\]|\\[`\\])+)`|([^.`]+)")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")
_DEEPEST = 20  # https://firebase.google.com/docs/firestore/quotas


def typed(value: Any, depth: int = 0) -> dict[str, Any]:
    """Return a value of JSON with its type; one that is typed already, such as `{"timestampValue": …}`, stays.

    Raises ParamError for what no document can hold.
    """
    if depth > _DEEPEST:
        raise ParamError(f"it is nested more than {_DEEPEST} deep")
    if value is None:
        return {"nullValue": None}
    if isinstance(value, bool):
        return {"booleanValue": value}
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            raise ParamError(f"{shown(value)} is no number of 64 bits")
        return {"integerValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, Sequence):
        return {"arrayValue": {"values": [typed(each, depth + 1) for each in value]}}
    if isinstance(value, Mapping):
        if len(value) == 1 and next(iter(value)) in TYPES:
            return _given(dict(value))
        return {"mapValue": {"fields": {str(name): typed(each, depth + 1) for name, each in value.items()}}}
    raise ParamError(f"{shown(value)} is no value that a document can hold")


def canonical(value: Mapping[str, Any]) -> Any:
    """Return a typed value in a form that is equal when the values are; ValueError when it is none."""
    if len(value) != 1 or next(iter(value)) not in TYPES:
        raise ValueError(f"{str(value)[:100]} is no value of Firestore")
    kind, inner = next(iter(value.items()))
    if kind == "integerValue":
        return (kind, int(inner))
    if kind == "doubleValue":
        number = float(inner)
        return (kind, "NaN" if math.isnan(number) else number)
    if kind == "timestampValue":
        return (kind, _moment(inner))
    if kind == "arrayValue":
        return (kind, tuple(canonical(each) for each in _mapping(inner).get("values", [])))
    if kind == "mapValue":
        fields = _mapping(inner).get("fields", {})
        return (kind, tuple(sorted((name, canonical(each)) for name, each in fields.items())))
    if kind == "nullValue":
        return (kind, None)
    return (kind, json.dumps(inner, sort_keys=True))


def plain(value: Mapping[str, Any]) -> Any:
    """Return a typed value as JSON knows it; what JSON does not know keeps its type."""
    kind, inner = next(iter(value.items()))
    if kind == "integerValue":
        return int(inner)
    if kind == "mapValue":
        return {name: plain(each) for name, each in inner.get("fields", {}).items()}
    if kind == "arrayValue":
        return [plain(each) for each in inner.get("values", [])]
    if kind in ("nullValue", "booleanValue", "doubleValue", "stringValue"):
        return None if kind == "nullValue" else inner
    return {kind: inner}


def field_path(text: str) -> FieldPath:
    """Return the parts of a path such as address.city or address.`zip code`. Raises ParamError."""
    parts: list[str] = []
    position = 0
    while position < len(text) or not parts:
        found = _SEGMENT.match(text, position)
        if found is None:
            raise ParamError(f"{shown(text)} is no path of a field, such as address.city or address.`zip code`")
        quoted = found[1]
        parts.append(re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else found[2])
        position = found.end()
        if position < len(text) and text[position] != ".":
            raise ParamError(f"{shown(text)} is no path of a field: after {shown(found[0])} there is no '.'")
        position += 1
    if position == len(text):
        raise ParamError(f"{shown(text)} is no path of a field: it ends in '.'")
    return tuple(parts)


def mask(path: FieldPath) -> str:
    """Return a path as update masks take it."""
    return ".".join(part if _SIMPLE.fullmatch(part) else "`" + re.sub(r"([`\\])", r"\\\1", part) + "`" for part in path)


def at(fields: Mapping[str, Any], path: FieldPath) -> dict[str, Any] | None:
    """Return the typed value at a path of a document's fields, None when there is none."""
    found: Any = {"mapValue": {"fields": fields}}
    for part in path:
        found = found.get("mapValue", {}).get("fields", {}).get(part)
        if not isinstance(found, Mapping):
            return None
    return dict(found)


def nested(values: Mapping[FieldPath, dict[str, Any]]) -> dict[str, Any]:
    """Return the fields of a document that holds these typed values at these paths."""
    fields: dict[str, Any] = {}
    for path, value in values.items():
        place = fields
        for part in path[:-1]:
            place = place.setdefault(part, {"mapValue": {"fields": {}}})["mapValue"]["fields"]
        place[path[-1]] = value
    return fields


def contradictions(paths: Sequence[FieldPath]) -> Iterator[tuple[FieldPath, FieldPath]]:
    """Yield pairs of paths of which one lies within the other, or that are the same."""
    for number, one in enumerate(paths):
        for other in paths[number + 1 :]:
            shorter = min(len(one), len(other))
            if one[:shorter] == other[:shorter]:
                yield one, other


def _mapping(inner: Any) -> Mapping[str, Any]:
    if not isinstance(inner, Mapping):
        raise TypeError(f"{str(inner)[:60]!r} is no mapping")
    return inner


def _given(value: dict[str, Any]) -> dict[str, Any]:
    try:
        canonical(value)
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise ParamError(f"{shown(value)} is no value of Firestore: {error}") from None
    kind, inner = next(iter(value.items()))
    return {kind: str(int(inner))} if kind == "integerValue" else value


def _moment(text: Any) -> tuple[str, str]:
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{str(text)[:60]!r} is no time such as 2026-01-31T02:00:00Z")
    return found[1], (found[2] or "").rstrip("0")
