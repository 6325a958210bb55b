"""List the backups in a bucket, and judge whether the newest can be relied on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opslib.cloud.gcp.backups import Backup, Proof, folders, prove_items, single_objects
from opslib.cloud.gcp.bucket_task import BucketTask, prefix_name
from opslib.cloud.task import Plan, param
from opslib.host.params import Boolean, Choice, Duration, Number, Size
from opslib.host.words import count, listed, size

__all__ = ["GcsBackups"]

FIRESTORE, OBJECT = "firestore", "object"
_MOST_PROVEN = 5
_UNDER_WAY = 86400  # seconds from which an export without a marker has failed, and is not under way


@dataclass(frozen=True, slots=True)
class _State:
    now: datetime
    complete: Sequence[Backup]
    unfinished: Sequence[Backup]
    proofs: Sequence[Proof]
    warnings: Sequence[str]


class GcsBackups(BucketTask, name="gcs_backups"):
    """List the backups below a prefix, and fail when there is no good one, or none as young as promised.

    A backup is a Firestore export (a folder with a completion marker), or any object (a dump). The newest is found by
    the time at which it was complete, whatever its name says. Of exports, the newest is proven: its marker is there,
    was written last and is undamaged, and the parts and outputs that it names are there and not empty; with `read`
    every byte is read and held against its checksum. A newest one that fails this fails the step, and the newest good
    one is named (of the 5 newest). Nothing is changed.

    data: `newest` and `good` (the newest that can be relied on), each null or with `url`, `finished` (UTC),
    `age_seconds`, `bytes`, `objects`, and for exports `documents` (null if unknown), `problems`, `remarks`, `verified`;
    `backups`, the newest of the complete ones, and `unfinished`, those without a marker, each with `url`, `finished`,
    `age_seconds`, `bytes`, `objects`; `complete`, how many there are; `total_bytes`.
    """

    prefix: str = param(
        prefix_name(), "How the backups' names begin; all of the bucket by default.", default="", example="daily/"
    )
    kind: str = param(
        Choice(FIRESTORE, OBJECT), "What a backup is: the folder of an export, or an object.", default=FIRESTORE
    )
    every: float | None = param(
        Duration(low=60), "Seconds between promised backups; not judged when absent.", default=None, example="1d"
    )
    grace: float = param(Duration(), "How late one may be, in seconds.", default="2h")
    least_bytes: int = param(Size(), "How big the newest must be, in bytes.", default=0, example="1M")
    read: bool = param(
        Boolean(), "Read every byte of the newest export, which costs what a download costs.", default=False
    )
    last: int = param(Number(1, 1000, whole=True), "How many backups to list.", default=10)

    def check(self) -> None:
        if self.read and self.kind != FIRESTORE:
            self.refuse("read is for exports; whether another object is good only what made it can tell")

    def look(self) -> _State:
        warnings = list(self.unproven)
        items = self.storage.items(self.bucket, self.prefix)
        exports = self.kind == FIRESTORE
        found = folders(self.bucket, self.prefix, items) if exports else single_objects(self.bucket, items)
        complete = [backup for backup in found if backup.finished is not None]
        proofs: list[Proof] = []
        for backup in complete[:_MOST_PROVEN] if exports else ():
            proof = prove_items(self.storage, self.bucket, backup.name, backup.items, verify=self.read, told=self.say)
            proofs.append(proof)
            if proof.complete:
                break
        unfinished = [backup for backup in found if backup.finished is None]
        return _State(self.storage.now(self.bucket, self.prefix), complete, unfinished, proofs, warnings)

    def compare(self, state: _State) -> Plan:
        shown = [self._shown(backup, state) for backup in state.complete]
        good = next((number for number, proof in enumerate(state.proofs) if proof.complete), None)
        if self.kind == OBJECT and shown:
            good = 0
        data: dict[str, Any] = {
            "newest": shown[0] if shown else None,
            "good": None if good is None else shown[good],
            "backups": [_short(each) for each in shown[: self.last]],
            "unfinished": [_short(self._shown(backup, state)) for backup in state.unfinished[: self.last]],
            "complete": len(state.complete),
            "total_bytes": sum(backup.bytes for backup in (*state.complete, *state.unfinished)),
        }
        warnings = [*state.warnings, *self._warnings(state)]
        failure = self._failure(state, good)
        reason = "" if failure else self._reason(state, data)
        return Plan(reason=reason, failure=failure, warnings=warnings, data=data)

    def _failure(self, state: _State, good: int | None) -> str:
        if not state.complete:
            rest = f"; {count(len(state.unfinished), 'export')} without a completion marker" if state.unfinished else ""
            return f"there is no complete backup below gs://{self.bucket}/{self.prefix}{rest}"
        newest = state.complete[0]
        if good != 0:
            rest = "none of the newest is good"
            if good is not None:
                rest = f"the newest good one is {state.complete[good].shown}"
            return f"{newest.shown} must not be relied on: {listed(list(state.proofs[0].problems), 3)}; {rest}"
        age = _age(newest, state.now)
        if self.every is not None and age > self.every + self.grace:
            missed = count(int((age - self.grace) // self.every), "backup")
            return (
                f"{missed} did not come: the newest, {newest.shown}, is {_span(age)} old; one is promised every "
                f"{_span(self.every)}, and may be {_span(self.grace)} late"
            )
        if newest.bytes < self.least_bytes:
            return f"{newest.shown} has {size(newest.bytes)} only; least_bytes is {size(self.least_bytes)}"
        return ""

    def _warnings(self, state: _State) -> list[str]:
        found = [f"{proof.url}: {remark}" for proof in state.proofs[:1] for remark in proof.remarks[:3]]
        failed = [backup for backup in state.unfinished if (state.now - backup.newest).total_seconds() > _UNDER_WAY]
        if failed:
            found.append(f"{count(len(failed), 'export')} never came to an end: {listed([b.shown for b in failed], 3)}")
        going = [backup for backup in state.unfinished if backup not in failed]
        if going:
            found.append(f"perhaps under way: {listed([backup.shown for backup in going], 3)}")
        if state.complete and _age(state.complete[0], state.now) < -60:
            found.append("the newest backup lies in the future: the clock of this machine is behind")
        if len(state.complete) > 1 and state.complete[0].bytes * 2 < state.complete[1].bytes:
            sizes = f"{size(state.complete[0].bytes)} after {size(state.complete[1].bytes)}"
            found.append(f"the newest backup is less than half as big as the one before: {sizes}")
        return found

    def _reason(self, state: _State, data: dict[str, Any]) -> str:
        newest = data["newest"]
        documents = "" if newest.get("documents") is None else f"{newest['documents']} documents, "
        proven = "every byte verified" if newest.get("verified") else "whole" if self.kind == FIRESTORE else "there"
        return (
            f"{state.complete[0].shown} is {_span(newest['age_seconds'])} old and {proven} "
            f"({documents}{size(newest['bytes'])}); {count(len(state.complete), 'complete backup')} in all"
        )

    def _shown(self, backup: Backup, state: _State) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "url": backup.shown,
            "finished": None if backup.finished is None else backup.finished.isoformat(timespec="seconds"),
            "age_seconds": int(_age(backup, state.now)),
            "bytes": backup.bytes,
            "objects": len(backup.items),
        }
        for proof in state.proofs:
            if proof.folder == backup.name:
                shown.update(
                    documents=proof.documents,
                    problems=list(proof.problems[:20]),
                    remarks=list(proof.remarks[:20]),
                    verified=proof.verified,
                )
        return shown


def _short(shown: dict[str, Any]) -> dict[str, Any]:
    return {key: shown[key] for key in ("url", "finished", "age_seconds", "bytes", "objects")}


def _age(backup: Backup, now: datetime) -> float:
    return (now - (backup.finished or backup.newest)).total_seconds()


def _span(seconds: float) -> str:
    """Return a time span as people read it."""
    for unit, length, least in (("d", 86400, 4), ("h", 3600, 2), ("min", 60, 2)):
        if seconds >= least * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
