"""A bucket of Cloud Storage as a frozen record, read from the answer of a server that is not trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opslib.cloud.errors import MalformedError

__all__ = ["Bucket", "bucket_of"]


@dataclass(frozen=True, slots=True)
class Bucket:
    """What tasks need to know of a bucket.

    rules: of its lifecycle, as the JSON API words them; retention: seconds, 0 without a policy; locked: whether that
    can no longer be shortened; soft_delete: seconds for which deleted objects can be restored; metageneration: changes
    with any of this.
    """

    name: str
    metageneration: int
    rules: tuple[Mapping[str, Any], ...]
    retention: int
    locked: bool
    soft_delete: int


def bucket_of(name: str, found: Any) -> Bucket:
    """Return the record of a bucket from its resource in the JSON API. Raises MalformedError."""
    if not isinstance(found, dict) or found.get("name") != name:
        raise MalformedError(f"reading bucket {name}: the answer makes no sense: it is about something else")
    rules = _part(name, found, "lifecycle").get("rule", [])
    if not isinstance(rules, list) or not all(map(_is_rule, rules)):
        raise MalformedError(f"reading bucket {name}: the answer makes no sense: a lifecycle rule is none")
    retention = _part(name, found, "retentionPolicy")
    return Bucket(
        name=name,
        metageneration=_whole(name, found, "metageneration"),
        rules=tuple(rules),
        retention=_whole(name, retention, "retentionPeriod", 0),
        locked=retention.get("isLocked") is True,
        soft_delete=_whole(name, _part(name, found, "softDeletePolicy"), "retentionDurationSeconds", 0),
    )


def _part(name: str, found: Mapping[str, Any], field: str) -> dict[str, Any]:
    part = found.get(field) or {}
    if not isinstance(part, dict):
        raise MalformedError(f"reading bucket {name}: the answer makes no sense: {field} is no mapping")
    return part


def _whole(name: str, found: Mapping[str, Any], field: str, default: int | None = None) -> int:
    text = str(found.get(field, default))
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise MalformedError(f"reading bucket {name}: the answer makes no sense: {field} is no whole number")
    return int(text)


def _is_rule(rule: object) -> bool:
    return (
        isinstance(rule, dict)
        and isinstance(rule.get("action"), dict)
        and isinstance(rule["action"].get("type"), str)
        and isinstance(rule.get("condition"), dict)
    )
