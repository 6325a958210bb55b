"""Import a Firestore export into a database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opslib.cloud.gcp.backups import Proof
from opslib.cloud.gcp.firestore_import import Remains, compare, last_import, of_backup, shown_proof
from opslib.cloud.gcp.firestore_operations import IMPORT, Operation, begin, follow
from opslib.cloud.gcp.import_task import ImportTask
from opslib.cloud.gcp.times import stamp
from opslib.cloud.task import MODIFY, Change, Plan, TaskError, param
from opslib.host.params import Boolean, Choice, Number
from opslib.host.words import count, listed

__all__ = ["FirestoreImport"]

EMPTY, ANY = "empty", "any"


@dataclass(frozen=True, slots=True)
class _State:
    proof: Proof
    documents: int
    running: Operation | None
    done: Operation | None
    remains: Remains | None


class FirestoreImport(ImportTask, name="firestore_import"):
    """Import a Firestore export into a database, project and database named, and compare them afterwards.

    The backup is proven before anything is touched. By default the database must be empty: an import writes over the
    documents of the same names, and removes none; with `into: any` those that stay are told. An import that is under
    way from the same backup is followed; another is waited for. As long as the newest import was of this backup, it is
    not imported again, unless `again`: documents may have changed since, and the result says when it was.

    data: `backup` (`url`, `documents`, `bytes`, `finished`, `problems`, `verified`), `documents` (in the database),
    `imported` (the operation, or null), `left` (documents that the backup does not hold, null if unknown),
    `left_names`, `left_names_whole`.
    """

    into: str = param(Choice(EMPTY, ANY), "Whether the database must be empty.", default=EMPTY)
    again: bool = param(Boolean(), "Import even if the newest import was of this backup.", default=False)
    scan: int = param(
        Number(0, 1_000_000, whole=True),
        "How many documents there may be for the names of those that stay to be looked for; a read for each.",
        default=10_000,
    )

    _outcome: Any = None

    def look(self) -> _State:
        operations = self.firestore.operations()
        running = next((each for each in operations if not each.done), None)
        done = of_backup(last_import(operations), self.proof)
        remains = compare(self.firestore, self.storage, self.proof, done, self.scan) if done is not None else None
        documents = remains.documents if remains is not None else self.firestore.count()
        return _State(self.proof, documents, running, done, remains)

    def compare(self, state: _State) -> Plan:
        data: dict[str, Any] = {"backup": shown_proof(state.proof), "documents": state.documents, "imported": None}
        warnings = list(state.proof.remarks[:3])
        if state.done is not None and state.remains is not None:
            data.update(state.remains.to_dict(), imported=state.done.to_dict())
            warnings += [state.remains.remark] if state.remains.remark else []
        if state.done is not None and (not self.again or self._outcome is not None):
            began = stamp(state.done.began) if state.done.began else "before"
            reason = f"{state.proof.url} was imported {began}; documents may have changed since"
            return Plan(reason=reason, data=data, warnings=warnings)
        if not state.proof.complete:
            problems = listed(list(state.proof.problems), 3)
            return Plan(failure=f"{state.proof.url} must not be relied on: {problems}", data=data, warnings=warnings)
        mine = state.running is not None and state.running.whole(IMPORT, state.proof.url)
        if state.documents and self.into == EMPTY and not mine:
            held = count(state.documents, "document")
            failure = f"the database holds {held}, over which an import would write; say into: any if that is meant"
            return Plan(failure=failure, data=data, warnings=warnings)
        if state.running is not None:
            warnings.append(f"an {state.running.shown} is under way; it is {'followed' if mine else 'waited for'}")
        return Plan(changes=[self._change(state, mine)], data=data, warnings=warnings)

    def _change(self, state: _State, mine: bool) -> Change:
        documents = state.proof.documents
        held = "all documents" if documents is None else count(documents, "document")
        verb = "follow the import of" if mine else "import"
        return Change(
            kind=MODIFY,
            summary=f"{verb} {held} from {state.proof.url}",
            before=count(state.documents, "document"),
            after=None if documents is None else f"at least {count(documents, 'document')}",
            certain=not state.documents,
            detail=(state, mine),
        )

    def apply(self, change: Change) -> None:
        state, mine = change.detail
        operation = state.running if mine else None
        if operation is None:
            if state.running is not None:
                name, doing = state.running.name, f"waiting for the {state.running.shown} to end"
                self.patience.until(lambda: self.firestore.operation(name), lambda found: found.done, doing=doing)
            operation = begin(self.firestore, IMPORT, state.proof.url)
        ended = follow(self.firestore, operation, self.seen)
        object.__setattr__(self, "_outcome", ended)
        remains = compare(self.firestore, self.storage, state.proof, ended, 0)
        if remains.failure:
            raise TaskError(remains.failure, imported=ended.to_dict(), **remains.to_dict())
