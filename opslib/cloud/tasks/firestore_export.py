"""Export a Firestore database to Cloud Storage."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from opslib.cloud.gcp.backups import Proof, prove
from opslib.cloud.gcp.firestore import Database
from opslib.cloud.gcp.firestore_backup import parted
from opslib.cloud.gcp.firestore_export import export, shown_export
from opslib.cloud.gcp.firestore_operations import EXPORT, IMPORT, Operation
from opslib.cloud.gcp.firestore_task import ExportAddress, FirestoreTask, Snapshot
from opslib.cloud.gcp.storage import Storage
from opslib.cloud.gcp.times import stamp
from opslib.cloud.task import CREATE, Change, Plan, param
from opslib.host.params import Boolean
from opslib.host.words import count, listed, size

__all__ = ["FirestoreExport"]

_DIRECTIVES = "YmdHMS"


@dataclass(frozen=True, slots=True)
class _State:
    address: str
    snapshot: datetime | None
    database: Database
    proof: Proof | None
    there: Operation | None
    importing: Operation | None
    outcome: dict[str, Any]


class FirestoreExport(FirestoreTask, name="firestore_export"):
    """Export all documents of a Firestore database to a folder in Cloud Storage, and prove that the export is whole.

    The operation is followed to its end; then the completion marker must be there and name nothing that is missing, and
    the number of documents must be that of the snapshot. A complete export that is there already is left as it is; one
    that is under way to the same folder is followed instead of begun again; an import by somebody else is waited for.
    An export costs a read for every document.

    data: `url`, `documents`, `bytes`, `objects`, `finished` (UTC), `problems`; what this run did: `operation`,
    `snapshot` (UTC), `collections` (documents of each at the root, as of the snapshot).
    """

    destination: str = param(
        ExportAddress(),
        "Where to: gs://BUCKET/FOLDER; %Y %m %d %H %M %S stand for the present time in UTC.",
        example="gs://spendsense-backups/manual-%Y%m%d",
    )
    snapshot: str = param(
        Snapshot(),
        "State to export: of the last full minute (`now`), of a time (UTC), or `none`: whatever is read on the way.",
        default="now",
    )
    read: bool = param(
        Boolean(), "Read every byte of the export for its proof, which costs what a download costs.", default=False
    )

    _outcome: Any = None

    def check(self) -> None:
        wrong = [found for found in re.findall(r"%(.?)", self.destination) if found not in _DIRECTIVES or not found]
        if wrong:
            self.refuse(f"destination: %{wrong[0]} is none of %Y %m %d %H %M %S")

    @functools.cached_property
    def storage(self) -> Storage:
        """Where the export goes."""
        return Storage(self)

    @functools.cached_property
    def began(self) -> datetime:
        """When this task first asked for the time."""
        return datetime.now(UTC)

    def look(self) -> _State:
        address = self.began.strftime(self.destination)
        bucket, folder = parted(address)
        proof = prove(self.storage, bucket, folder, verify=self.read, told=self.say)
        running = [each for each in self.firestore.operations() if not each.done]
        return _State(
            address=address,
            snapshot=Snapshot.moment(self.snapshot, self.began),
            database=self.firestore.describe(),
            proof=proof if proof.items else None,
            there=next((each for each in running if each.kind == EXPORT and each.address == address), None),
            importing=next((each for each in running if each.kind == IMPORT), None),
            outcome=self._outcome or {},
        )

    def compare(self, state: _State) -> Plan:
        data: dict[str, Any] = {"url": state.address, **shown_export(state.proof), **state.outcome}
        if state.proof is not None and state.proof.complete:
            held = count(state.proof.documents, "document") if state.proof.documents is not None else "all documents"
            reason = f"{state.address} holds a complete export of {held} ({size(state.proof.bytes)})"
            return Plan(reason=reason, data=data, warnings=list(state.proof.remarks[:3]))
        warnings = []
        if state.importing is not None:
            warnings.append(f"an {state.importing.shown} is under way; it is waited for")
        if state.there is not None and not state.there.filtered:
            summary = f"follow the {state.there.shown}, which is under way"
            return Plan(changes=[Change(kind=CREATE, summary=summary, detail=state)], data=data, warnings=warnings)
        failure = _obstacle(state)
        if failure:
            return Plan(failure=failure, data=data, warnings=warnings)
        as_of = f" as of {stamp(state.snapshot)}" if state.snapshot else ""
        change = Change(
            kind=CREATE,
            summary=f"export all documents{as_of} to {state.address}",
            before=None,
            after=state.address,
            certain=False,
            detail=state,
        )
        return Plan(changes=[change], data=data, warnings=warnings)

    def apply(self, change: Change) -> None:
        state: _State = change.detail
        if state.importing is not None:
            doing = f"waiting for the {state.importing.shown} to end"
            name = state.importing.name
            self.patience.until(lambda: self.firestore.operation(name), lambda found: found.done, doing=doing)
        done = export(
            self.firestore, self.storage, state.address, state.snapshot, seen=self.seen, under_way=state.there
        )
        object.__setattr__(self, "_outcome", done)


def _obstacle(state: _State) -> str:
    if state.database.kind != "FIRESTORE_NATIVE":
        return f"{state.database.name} is in Datastore mode; only native databases are exported"
    if state.there is not None:
        return f"an {state.there.shown} is under way to the same place; name another destination"
    if state.proof is not None:
        problems = listed(list(state.proof.problems), 2)
        return f"{state.address} is not empty, and no complete export ({problems}); name another destination"
    earliest = state.database.earliest
    if state.snapshot and earliest and state.snapshot < earliest - timedelta(seconds=1):
        return f"snapshot {stamp(state.snapshot)} is too long ago: states are kept since {stamp(earliest)}"
    return ""
