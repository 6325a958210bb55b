"""What Google Cloud Storage demands of requests, and gcp-storage-emulator lets pass; pure.

Sources: https://cloud.google.com/storage/docs/request-preconditions, .../bucket-lock, .../object-holds, .../lifecycle,
https://cloud.google.com/storage/docs/json_api/v1/status-codes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from services.google import GoogleProblem

__all__ = [
    "BUCKET_FIELDS",
    "OBJECT_FIELDS",
    "check_conditions",
    "check_held",
    "check_name",
    "doomed",
    "merged",
    "page_of",
    "retained_until",
    "stamp",
]

BUCKET_FIELDS = {
    "autoclass", "billing", "cors", "defaultEventBasedHold", "iamConfiguration", "labels", "lifecycle", "location",
    "logging", "retentionPolicy", "rpo", "softDeletePolicy", "storageClass", "versioning", "website",
}  # fmt: skip
OBJECT_FIELDS = {
    "cacheControl", "contentDisposition", "contentEncoding", "contentLanguage", "contentType", "customTime",
    "eventBasedHold", "metadata", "storageClass", "temporaryHold",
}  # fmt: skip
_CONDITIONS = ("GenerationMatch", "GenerationNotMatch", "MetagenerationMatch", "MetagenerationNotMatch")


def stamp(moment: datetime) -> str:
    """Return a time in the form of the JSON API."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def check_conditions(
    query: Mapping[str, str], current: Mapping[str, Any] | None, *, reading: bool = False, prefix: str = "if"
) -> None:
    """Refuse a request whose preconditions do not hold: 412, or 304 for a reader's NotMatch."""
    for condition in _CONDITIONS:
        wanted = query.get(prefix + condition)
        if wanted is None:
            continue
        key = "metageneration" if condition.startswith("Meta") else "generation"
        found = current[key] if current else "0"
        if "Not" in condition and found == wanted:
            raise _unmet(condition, 304 if reading else 412)
        if "Not" not in condition and found != wanted:
            raise _unmet(condition, 412)


def _unmet(condition: str, status: int) -> GoogleProblem:
    message = "At least one of the pre-conditions you specified did not hold."
    return GoogleProblem("FAILED_PRECONDITION", f"{message} ({condition})", status, reason="conditionNotMet")


def retained_until(bucket: Mapping[str, Any], item: Mapping[str, Any]) -> datetime | None:
    """Return the end of an object's retention by its bucket's policy; None without one, or while an event is awaited."""
    period = bucket.get("retentionPolicy", {}).get("retentionPeriod")
    if period is None or item.get("eventBasedHold"):
        return None
    began = item.get("_released") or item["timeCreated"]
    return datetime.fromisoformat(began) + timedelta(seconds=int(period))


def check_held(bucket: Mapping[str, Any], item: Mapping[str, Any] | None, now: datetime) -> None:
    """Refuse to delete or overwrite an object that is held or retained: 403."""
    if item is None:
        return
    name = f"{item['bucket']}/{item['name']}"
    for field, word in (("temporaryHold", "Temporary"), ("eventBasedHold", "Event-Based")):
        if item.get(field):
            message = f"Object '{name}' is under active {word} hold and cannot be deleted, overwritten or archived."
            raise GoogleProblem("PERMISSION_DENIED", message, reason="objectUnderActiveHold")
    until = retained_until(bucket, item)
    if until is not None and until > now:
        message = f"Object '{name}' is subject to bucket's retention policy and cannot be deleted or overwritten until {stamp(until)}"
        raise GoogleProblem("PERMISSION_DENIED", message, reason="retentionPolicyNotMet")


def check_name(name: str) -> None:
    """Refuse the name of a bucket that Google would not take."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]", name) or ".." in name or name.startswith("goog"):
        raise GoogleProblem("INVALID_ARGUMENT", f"Invalid bucket name: '{name}'", reason="invalid")


def merged(old: Any, patch: Any) -> Any:
    """Return a value after a patch: objects member by member, null removes, everything else is replaced."""
    if not isinstance(patch, dict) or not isinstance(old, dict):
        if isinstance(patch, dict):
            return {name: merged(None, value) for name, value in patch.items() if value is not None}
        return patch
    result = dict(old)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(old.get(name), value)
    return result


def page_of(
    items: list[dict[str, Any]], prefixes: list[str], query: Mapping[str, str], longest: int
) -> tuple[list[dict[str, Any]], list[str], str]:
    """Return one page of a listing in the order of names, and the token of the next; "" for the last."""
    first, last = query.get("startOffset", ""), query.get("endOffset")
    after = _token(query["pageToken"]) if query.get("pageToken") else ""
    names = [(item["name"], item) for item in items] + [(prefix, None) for prefix in prefixes]
    left = sorted((n for n in names if n[0] >= first and (last is None or n[0] < last) and n[0] > after), key=_first)
    size = min(longest, int(query.get("maxResults", longest)) or longest)
    page = left[:size]
    token = base64.urlsafe_b64encode(page[-1][0].encode()).decode() if len(left) > size else ""
    return [item for _name, item in page if item is not None], [name for name, item in page if item is None], token


def _first(pair: tuple[str, Any]) -> str:
    return pair[0]


def _token(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text.encode()).decode()
    except ValueError:
        raise GoogleProblem("INVALID_ARGUMENT", "Invalid page token", reason="invalid") from None


def doomed(bucket: Mapping[str, Any], items: list[dict[str, Any]], now: datetime) -> Iterator[dict[str, Any]]:
    """Yield the objects that the lifecycle's delete rules are for, by age in days and by prefix and suffix."""
    for item in items:
        for rule in bucket.get("lifecycle", {}).get("rule", []):
            condition = rule["condition"]
            unknown = set(condition) - {"age", "matchesPrefix", "matchesSuffix"}
            assert not unknown, f"this fake does not know the lifecycle conditions {unknown}"
            if rule["action"]["type"] == "Delete" and _meets(condition, item, now):
                yield item
                break


def _meets(condition: Mapping[str, Any], item: Mapping[str, Any], now: datetime) -> bool:
    old = now - datetime.fromisoformat(item["timeCreated"]) >= timedelta(days=condition.get("age", 0))
    prefixes, suffixes = condition.get("matchesPrefix", [""]), condition.get("matchesSuffix", [""])
    return old and item["name"].startswith(tuple(prefixes)) and item["name"].endswith(tuple(suffixes))
