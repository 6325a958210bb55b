"""Declare how long a bucket keeps its objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opslib.cloud.gcp import lifecycle
from opslib.cloud.gcp.bucket import Bucket
from opslib.cloud.gcp.bucket_task import BucketTask, prefix_name
from opslib.cloud.task import MODIFY, Change, Plan, param
from opslib.host.params import Boolean, Duration, Kind, ListOf, ParamError, shown
from opslib.host.params import Mapping as MappingOf
from opslib.host.words import count, listed

__all__ = ["GcsLifecycle"]

_DAY = 86400
_MOST_RULES = 100  # that a bucket can have


class _Rule(Kind):
    """A rule as the JSON API has it."""

    label = "lifecycle rule with an action and a condition"
    ansible = "dict"

    def __call__(self, value: Any) -> dict[str, Any]:
        return lifecycle.rule(MappingOf()(value))


class _Days(Duration):
    """A time span of whole days."""

    def __call__(self, value: Any) -> float:
        seconds = super().__call__(value)
        if seconds % _DAY or not seconds:
            raise ParamError(f"{shown(value)} is no whole number of days, such as 30d")
        return seconds


class GcsLifecycle(BucketTask, name="gcs_lifecycle"):
    """Declare after how long a bucket deletes objects by itself, and for how long nobody can delete them.

    `delete_after` sets the rule that deletes what is that old, everywhere or below `prefixes`; `rules` sets any others.
    A rule that differs from a declared one in nothing but its age is replaced. All other rules stay, unless
    `exclusive`; one that would delete earlier what `delete_after` keeps is an error. `retention` sets the bucket's
    retention policy; it is never locked, and a locked one is never shortened. The change is made only if nobody changed
    the bucket's settings since they were read.

    data: `rules`, `retention_seconds`, `retention_locked`, `soft_delete_seconds` (for how long deleted objects can be
    restored). Sources: Object Lifecycle Management, Bucket Lock in the documentation of Cloud Storage.
    """

    delete_after: float | None = param(
        _Days(), "Age in seconds, of whole days, at which objects are deleted.", default=None, example="30d"
    )
    prefixes: list[str] = param(
        ListOf(prefix_name()), "Only objects whose names begin so; all by default.", default=[], example=["daily/"]
    )
    rules: list[Any] = param(
        ListOf(_Rule(), longest=_MOST_RULES),
        "Further rules, each with `action` and `condition` as the JSON API has them.",
        default=[],
        example=[{"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 7}}],
    )
    exclusive: bool = param(Boolean(), "Whether rules that are not declared here are removed.", default=False)
    retention: float | None = param(
        Duration(), "Seconds for which no object can be deleted; 0 removes the policy.", default=None, example="7d"
    )

    def check(self) -> None:
        if self.prefixes and self.delete_after is None:
            self.refuse("prefixes belong to delete_after, which is not given")
        if self.delete_after is None and not self.rules and self.retention is None and not self.exclusive:
            self.refuse("give delete_after, rules or retention; none is asked")
        if any(not prefix for prefix in self.prefixes):
            self.refuse("an empty prefix means everything: leave prefixes out")
        if self.retention is not None and self.retention != int(self.retention):
            self.refuse("retention is counted in whole seconds")

    def look(self) -> Bucket:
        self.prove_bucket()
        return self.storage.bucket(self.bucket)

    def compare(self, state: Bucket) -> Plan:
        wanted, rules, retention = self._wanted(state)
        data = {
            "rules": [dict(rule) for rule in state.rules],
            "retention_seconds": state.retention,
            "retention_locked": state.locked,
            "soft_delete_seconds": state.soft_delete,
        }
        failure = self._obstacle(state, wanted, rules, retention)
        remarks = self._remarks(retention)
        if failure:
            return Plan(failure=failure, warnings=remarks, data=data)
        before, after = _lines(state.rules, state.retention), _lines(rules, retention)
        if before == after:
            reason = f"bucket {self.bucket} is as declared: {listed(after.splitlines(), 5) or 'it keeps everything'}"
            return Plan(reason=reason, warnings=remarks, data=data)
        change = Change(
            kind=MODIFY,
            summary=f"set the lifecycle of gs://{self.bucket}",
            before=before,
            after=after,
            detail=(state, rules, retention),
        )
        return Plan(changes=[change], warnings=remarks, data=data)

    def _wanted(self, bucket: Bucket) -> tuple[list[Any], list[Any], int]:
        """Return the declared rules, all rules that there should be, and the retention in seconds."""
        wanted = list(self.rules)
        if self.delete_after is not None:
            wanted.insert(0, lifecycle.deletion(int(self.delete_after // _DAY), self.prefixes))
        rules = lifecycle.merged(bucket.rules, wanted, exclusive=self.exclusive)
        return wanted, rules, bucket.retention if self.retention is None else int(self.retention)

    def _obstacle(self, bucket: Bucket, wanted: Sequence[Any], rules: Sequence[Any], retention: int) -> str:
        if bucket.locked and retention < bucket.retention:
            return (
                f"the retention of bucket {self.bucket} is locked at {bucket.retention} seconds: it can be made "
                "longer, never shorter"
            )
        if len(rules) > _MOST_RULES:
            return f"bucket {self.bucket} would have {len(rules)} rules; it can have {_MOST_RULES}"
        if self.delete_after is None:
            return ""
        early = [lifecycle.words(rule) for rule in lifecycle.in_conflict(rules, wanted[0])]
        if early:
            return (
                f"bucket {self.bucket} has {count(len(early), 'rule')} that would not keep objects for so long: "
                f"{listed(early, 3)}; declare them here, or set exclusive"
            )
        return ""

    def _remarks(self, retention: int) -> list[str]:
        if self.delete_after is not None and retention > self.delete_after:
            return [f"objects cannot be deleted before their retention of {retention} seconds is over"]
        return []

    def apply(self, change: Change) -> None:
        self.storage.set_lifecycle(*change.detail)


def _lines(rules: Sequence[Mapping[str, Any]], retention: int) -> str:
    """Return settings as text, a line for each, in an order that means nothing."""
    lines = sorted(lifecycle.words(rule) for rule in rules)
    return "\n".join([*lines, f"nobody can delete for {retention} seconds"] if retention else lines)
