"""Delete old backups from a bucket, and never the last good ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opslib.cloud.errors import RefusedError
from opslib.cloud.gcp.backups import MARKER, Backup, folders, prove_items, single_objects
from opslib.cloud.gcp.bucket_task import BucketTask, prefix_name
from opslib.cloud.gcp.objects import Item
from opslib.cloud.gcp.pruning import Policy, judge
from opslib.cloud.task import REMOVE, Change, Plan, param
from opslib.host.params import Boolean, Choice, Duration, Glob, ListOf, Number
from opslib.host.words import count, size

__all__ = ["GcsPrune"]

FIRESTORE, OBJECT = "firestore", "object"
_MOST_TRIES = 20


@dataclass(frozen=True, slots=True)
class _State:
    now: datetime
    backups: Sequence[Backup]
    good: Sequence[str]
    bad: Sequence[str]


class GcsPrune(BucketTask, name="gcs_prune"):
    """Delete old backups below a prefix.

    A backup is a Firestore export (a folder with a completion marker), or any object (a dump); see `gcs_backups`. One
    goes when all of it is older than `older_than` by the service's clock, and it is none of the newest `keep_last` good
    ones; exports are proven before they count as good ones, and nothing goes while fewer than `keep_last` of them are
    known. What matches `keep`, and what is held or retained, stays.

    The plan lists each backup. Every object is deleted only as the version that was seen, with the metadata that was
    seen, so one that was changed or put on hold meanwhile stays, and the step fails; of an export the completion marker
    goes first, so what is half deleted is never taken for whole, and the next run deletes the rest. A folder in which
    anything appeared or changed meanwhile is left whole.

    data: `kept` (`url`, `why`), at most 100; `deleted`, `deleted_bytes`: what this run deleted; `good`, the proven
    ones; `bad`, in words. Errors: more than `most` would go. Source: Request preconditions in the documentation of
    Cloud Storage.
    """

    prefix: str = param(prefix_name(), "How the backups' names begin.", example="daily/")
    kind: str = param(
        Choice(FIRESTORE, OBJECT), "What a backup is: the folder of an export, or an object.", default=FIRESTORE
    )
    keep_last: int = param(Number(1, 10000, whole=True), "How many of the newest good ones stay.", default=7)
    older_than: float = param(Duration(low=3600), "Age in seconds from which a backup may go.", default="30d")
    keep: list[str] = param(
        ListOf(Glob()), "Patterns; what matches by the last part of its name stays.", default=[], example=["manual-*"]
    )
    unfinished: bool = param(Boolean(), "Whether old exports that never came to an end go, too.", default=True)
    most: int = param(Number(1, 10000, whole=True), "Refuse to act when more backups than this would go.", default=100)

    _deleted: tuple[int, int] = (0, 0)

    def look(self) -> _State:
        self.prove_bucket()
        items = self.storage.items(self.bucket, self.prefix)
        if self.kind == OBJECT:
            found = single_objects(self.bucket, items)
            good = [backup.name for backup in found if backup.bytes]
            bad: list[str] = []
        else:
            found = folders(self.bucket, self.prefix, items)
            good, bad = self._prove([backup for backup in found if backup.finished is not None])
        return _State(self.storage.now(self.bucket, self.prefix), found, good, bad)

    def _prove(self, complete: Sequence[Backup]) -> tuple[list[str], list[str]]:
        """Return the names of the newest `keep_last` good exports, and what is wrong with those that are not."""
        good: list[str] = []
        bad: list[str] = []
        for backup in complete:
            if len(good) == self.keep_last or len(bad) == _MOST_TRIES:
                break
            proof = prove_items(self.storage, self.bucket, backup.name, backup.items)
            if proof.complete:
                good.append(backup.name)
            else:
                bad.append(f"{backup.shown}: {proof.problems[0]}")
        return good, bad

    def compare(self, state: _State) -> Plan:
        policy = Policy(self.keep_last, self.older_than, self.keep, self.unfinished)
        judged = judge(state.backups, state.good, policy, state.now)
        number, total = self._deleted
        data: dict[str, Any] = {
            "kept": [{"url": backup.shown, "why": why} for backup, why in judged.kept[:100]],
            "good": [f"gs://{self.bucket}/{name}" for name in state.good[: self.keep_last]],
            "bad": list(state.bad),
            "deleted": number,
            "deleted_bytes": total,
        }
        warnings = [f"not counted as good: {problem}" for problem in state.bad[:3]]
        warnings += [f"{backup.shown} stays: {why}" for backup, why in judged.kept if why.startswith("gs://")][:5]
        if len(judged.gone) > self.most:
            failure = (
                f"{len(judged.gone)} backups would go, more than most, {self.most}: raise it, or narrow the prefix"
            )
            return Plan(failure=failure, warnings=warnings, data=data)
        changes = [self._change(backup, state.now) for backup in judged.gone]
        return Plan(changes=changes, reason="" if changes else self._reason(judged.kept), warnings=warnings, data=data)

    def _change(self, backup: Backup, now: datetime) -> Change:
        days = (now - backup.newest).days
        what = f"{count(len(backup.items), 'object')}, {size(backup.bytes)}, {count(days, 'day')} old"
        state = "" if backup.finished is not None else "unfinished, "
        return Change(kind=REMOVE, summary=f"delete {backup.shown} ({state}{what})", before=what, detail=backup)

    def _reason(self, kept: Sequence[tuple[Backup, str]]) -> str:
        if not kept:
            return f"there is no backup below gs://{self.bucket}/{self.prefix}"
        reasons: dict[str, int] = {}
        for _backup, why in kept:
            reasons[why] = reasons.get(why, 0) + 1
        told = sorted(reasons.items(), key=lambda pair: -pair[1])[:3]
        return f"all of {count(len(kept), 'backup')} stay: " + "; ".join(f"{why} ({number})" for why, number in told)

    def apply(self, change: Change) -> None:
        backup: Backup = change.detail
        if self.kind == FIRESTORE:
            self._see_that_nothing_changed(backup)
        for number, item in enumerate(sorted(backup.items, key=_marker_first)):
            self.storage.delete(item)
            if number % 100 == 99:
                self.say(f"deleted {number + 1} of {len(backup.items)} objects of {backup.shown}")
        number, total = self._deleted
        object.__setattr__(self, "_deleted", (number + 1, total + backup.bytes))

    def _see_that_nothing_changed(self, backup: Backup) -> None:
        prefix = f"{backup.name}/"
        now = {(item.name, item.generation, item.metageneration) for item in self.storage.items(self.bucket, prefix)}
        if now != {(item.name, item.generation, item.metageneration) for item in backup.items}:
            raise RefusedError(f"{backup.shown} was changed meanwhile; nothing of it was deleted: run again")


def _marker_first(item: Item) -> tuple[bool, str]:
    return not item.name.endswith(MARKER), item.name
