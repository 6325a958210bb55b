"""Rules for what becomes of old objects: what they are to be, and what must change; pure.

A rule is a mapping as the JSON API has it: `{"action": {"type": "Delete"}, "condition": {"age": 30}}`.
Source: https://cloud.google.com/storage/docs/lifecycle.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opslib.host.params import ParamError, shown

__all__ = ["deletion", "in_conflict", "merged", "rule", "words"]

_ACTIONS = ("Delete", "SetStorageClass", "AbortIncompleteMultipartUpload")
_LISTS = ("matchesPrefix", "matchesSuffix", "matchesStorageClass")
_CONDITIONS = frozenset(
    {
        "age",
        "createdBefore",
        "customTimeBefore",
        "daysSinceCustomTime",
        "daysSinceNoncurrentTime",
        "isLive",
        "noncurrentTimeBefore",
        "numNewerVersions",
        *_LISTS,
    }
)


def deletion(days: int, prefixes: Sequence[str]) -> dict[str, Any]:
    """Return the rule that deletes objects of that age, of all names or those with one of these beginnings."""
    condition: dict[str, Any] = {"age": days}
    if prefixes:
        condition["matchesPrefix"] = sorted(prefixes)
    return {"action": {"type": "Delete"}, "condition": condition}


def rule(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule in its canonical form. Raises ParamError that says what is wrong with it."""
    action, condition = value.get("action"), value.get("condition")
    if set(value) != {"action", "condition"} or not isinstance(action, Mapping) or not isinstance(condition, Mapping):
        raise ParamError(f"{shown(value)} is no lifecycle rule: it has an action and a condition, both mappings")
    if action.get("type") not in _ACTIONS or set(action) - {"type", "storageClass"}:
        raise ParamError(f"the action {shown(dict(action))} is none of {', '.join(_ACTIONS)}")
    unknown = set(condition) - _CONDITIONS
    if unknown or not condition:
        raise ParamError(f"the condition {shown(dict(condition))} is not made of {', '.join(sorted(_CONDITIONS))}")
    for name in _LISTS:
        if name in condition and not (isinstance(condition[name], list) and all(map(_is_text, condition[name]))):
            raise ParamError(f"{name} {shown(condition[name])} is no list of texts")
    return _canonical(value)


def merged(there: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]], *, exclusive: bool) -> list[Any]:
    """Return the rules that there should be: the wanted ones, and the others unless `exclusive`.

    A rule that differs from a wanted one in nothing but the age is replaced by it. The order is kept where it can be.
    """
    left = [_canonical(each) for each in wanted]
    result = []
    for old in map(_canonical, there):
        same = next((each for each in left if _subject(each) == _subject(old)), None)
        if same is not None:
            left.remove(same)
            result.append(same)
        elif not exclusive and not any(_subject(each) == _subject(old) for each in wanted):
            result.append(old)
    return result + left


def in_conflict(rules: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the rules that delete earlier what a wanted deletion keeps until then."""
    for each in rules:
        condition = each["condition"]
        plain = each["action"].get("type") == "Delete" and set(condition) <= {"age", "matchesPrefix"}
        earlier = plain and isinstance(condition.get("age"), int) and condition["age"] < wanted["condition"]["age"]
        if earlier and _overlap(condition, wanted["condition"]):
            yield each


def words(value: Mapping[str, Any]) -> str:
    """Return a rule as people read it: "delete after 30 days: daily/"."""
    action, condition = value["action"], value["condition"]
    if action.get("type") == "Delete" and set(condition) <= {"age", "matchesPrefix"} and "age" in condition:
        prefixes = condition.get("matchesPrefix")
        return f"delete after {condition['age']} days: {', '.join(prefixes) if prefixes else 'everything'}"
    return json.dumps(value, sort_keys=True)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _canonical(value: Mapping[str, Any]) -> dict[str, Any]:
    condition = {
        name: sorted(item) if name in _LISTS and isinstance(item, list) else item
        for name, item in sorted(value["condition"].items())
    }
    return {"action": dict(sorted(value["action"].items())), "condition": condition}


def _subject(value: Mapping[str, Any]) -> str:
    """Return what a rule is about: everything but the age."""
    condition = {name: item for name, item in _canonical(value)["condition"].items() if name != "age"}
    return json.dumps([dict(value["action"]), condition, "age" in value["condition"]], sort_keys=True)


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    mine, theirs = one.get("matchesPrefix") or [""], other.get("matchesPrefix") or [""]
    return any(a.startswith(b) or b.startswith(a) for a in mine for b in theirs)
