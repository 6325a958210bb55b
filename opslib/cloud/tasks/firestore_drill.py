"""Prove a Firestore backup by restoring it, where nothing can be harmed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from opslib.cloud.errors import MismatchError, RefusedError
from opslib.cloud.gcp.backups import Proof
from opslib.cloud.gcp.firestore import Firestore
from opslib.cloud.gcp.firestore_import import compare, last_import, of_backup, shown_proof
from opslib.cloud.gcp.firestore_operations import IMPORT, begin, follow
from opslib.cloud.gcp.firestore_task import DatabaseId
from opslib.cloud.gcp.import_task import ImportTask
from opslib.cloud.gcp.task import GcpTask, project_id
from opslib.cloud.patience import Patience
from opslib.cloud.task import ACTION, Change, Plan, TaskError, param
from opslib.host.params import Boolean, ListOf, Name, Percent
from opslib.host.words import count, listed

__all__ = ["FirestoreDrill"]

_CLEANUP = 300.0
_LOOKS = 6  # for a database that was asked for and is not to be seen


@dataclass(frozen=True, slots=True)
class _State:
    proof: Proof
    there: bool
    documents: int
    restored: bool
    location: str
    outcome: dict[str, Any]


class FirestoreDrill(ImportTask, name="firestore_drill"):
    """Restore a Firestore backup into a database made for it in a sandbox project, compare, and remove that database.

    No project in `production` is ever worked in, nor the one that is compared with: that is refused before anything is
    asked of Google. The database must not be there before; it is removed again even when the drill fails or is cut
    short, unless `keep`. The database must then hold exactly as many documents as the backup; with `compare_with`, each
    collection at the root must also be as big as that project's now, within `tolerance`.

    data: `backup` (see firestore_import), `documents`, `imported` (the operation), `collections` (by name: `restored`
    and, if compared, `production`), `seconds`, `kept`.
    """

    cleanup_seconds = _CLEANUP + 60  # what is under way when it begins may take its time to end

    database: str = param(DatabaseId(), "The database to make in the sandbox project.", default="opslib-drill")
    production: list[str] = param(
        ListOf(project_id(), empty=False, longest=100),
        "Projects in which a drill must never work.",
        example=["spendsense-production"],
    )
    location: str | None = param(
        Name("location", signs="-", longest=60),
        "Where to make it; by default where the project's default database is.",
        default=None,
        example="eur3",
    )
    compare_with: str | None = param(
        project_id(), "A project whose collections to compare with.", default=None, example="spendsense-production"
    )
    compare_database: str = param(DatabaseId(), "The database of that project.", default="(default)")
    tolerance: float = param(
        Percent(), "By how much, in percent, a collection may differ from the one that it is compared with.", default=20
    )
    keep: bool = param(Boolean(), "Leave the database there afterwards.", default=False)

    _outcome: Any = None
    _made = False

    def check(self) -> None:
        super().check()
        if self.project in {*self.production, self.compare_with}:
            self.refuse(f"{self.project} is a production project; a drill works in a sandbox only")

    def identify(self) -> None:
        GcpTask.identify(self)
        path = f"/v1/projects/{self.project}/databases"
        try:
            self.firestore.api.get(path)
        except RefusedError as error:
            raise MismatchError(
                f"the sandbox {self.project} cannot be worked in; nothing was touched ({error})"
            ) from error

    def look(self) -> _State:
        there = self.firestore.exists()
        done = of_backup(last_import(self.firestore.operations()), self.proof) if there else None
        return _State(
            proof=self.proof,
            there=there,
            documents=self.firestore.count() if there else 0,
            restored=done is not None,
            location=self.location or self._usual_location(),
            outcome=self._outcome or {},
        )

    def compare(self, state: _State) -> Plan:
        data: dict[str, Any] = {"backup": shown_proof(state.proof), "kept": state.there, **state.outcome}
        warnings = list(state.proof.remarks[:3])
        if not state.proof.complete:
            problems = listed(list(state.proof.problems), 3)
            return Plan(failure=f"{state.proof.url} must not be relied on: {problems}", data=data, warnings=warnings)
        if state.there and state.restored and self.keep:
            reason = f"the database holds {count(state.documents, 'document')} restored from {state.proof.url}"
            return Plan(reason=reason, data=data, warnings=warnings)
        if state.there:
            held = count(state.documents, "document")
            failure = (
                f"there is a database {self.database} in {self.project} already ({held}); a drill makes its own: "
                "name another, or remove that one"
            )
            return Plan(failure=failure, data=data, warnings=warnings)
        held = "all documents" if state.proof.documents is None else count(state.proof.documents, "document")
        last = "keep it" if self.keep else "remove it"
        change = Change(
            kind=ACTION,
            summary=f"make the database in {state.location}, import {held} from {state.proof.url}, compare, {last}",
            detail=state,
        )
        return Plan(changes=[change], data=data, warnings=warnings)

    def apply(self, change: Change) -> None:
        began = time.monotonic()
        outcome: dict[str, Any] = {}
        object.__setattr__(self, "_outcome", outcome)
        try:
            self._make(change.detail.location)
            self._restore(change.detail.proof, outcome)
        finally:
            outcome["seconds"] = round(time.monotonic() - began, 1)

    def clean_up(self) -> str:
        """Remove the database, in time of its own: that of the drill may be up."""
        if self.keep or not self._made:
            return ""
        object.__setattr__(self, "patience", Patience(_CLEANUP, self.poll))
        sandbox = self.another()
        try:
            if not self._seen(sandbox):
                return f"{sandbox.name} is not there"
            sandbox.remove()
        except TaskError as error:
            raise TaskError(f"{sandbox.name} could not be removed: {error}; remove it") from error
        return f"{sandbox.name} was removed"

    def _seen(self, sandbox: Firestore) -> bool:
        """Whether the database is there; one that was asked for may take a while to be seen."""
        doing = f"looking whether {sandbox.name} appears"
        return any(sandbox.exists() for _look, _turn in zip(range(_LOOKS), self.patience.pauses(doing), strict=False))

    def _make(self, location: str) -> None:
        object.__setattr__(self, "_made", True)
        try:
            self.firestore.create(location)
        except RefusedError:
            object.__setattr__(self, "_made", False)  # if there is one now, it is somebody else's
            raise
        self.say(f"made {self.firestore.name}")

    def _restore(self, proof: Proof, outcome: dict[str, Any]) -> None:
        ended = follow(self.firestore, begin(self.firestore, IMPORT, proof.url), self.seen)
        remains = compare(self.firestore, self.storage, proof, ended, 0)
        outcome.update(remains.to_dict(), imported=ended.to_dict())
        restored = self.firestore.counts()
        collections: dict[str, dict[str, int]] = {name: {"restored": number} for name, number in restored.items()}
        outcome["collections"] = collections
        if remains.failure or remains.left:
            failure = f"the backup holds {remains.expected} documents, and {remains.documents} were restored"
            raise TaskError(failure, **outcome)
        if self.compare_with is None:
            return
        other = Firestore(self, self.compare_with, self.compare_database)
        for name, number in other.counts().items():
            collections.setdefault(name, {"restored": 0})["production"] = number
        wrong = [_differs(name, each, self.tolerance) for name, each in sorted(collections.items())]
        if any(wrong):
            raise TaskError(f"compared with {other.name}: {listed([each for each in wrong if each])}", **outcome)

    def _usual_location(self) -> str:
        usual = Firestore(self, self.project, "(default)")
        if not usual.exists():
            raise TaskError(f"{self.project} has no default database to tell where to make one; give location")
        return usual.describe().location


def _differs(name: str, each: dict[str, int], tolerance: float) -> str:
    restored, production = each["restored"], each.get("production", 0)
    if abs(restored - production) * 100 <= tolerance * max(production, 1):
        return ""
    return f"{name} has {restored} documents restored and {production} there"
