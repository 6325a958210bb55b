"""What importing a backup means for a database: what is there already, and what stays that the backup does not hold.

An import writes every document of the backup over the one of the same name, and removes none.
Source: https://firebase.google.com/docs/firestore/manage-data/export-import.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opslib.cloud.gcp.backups import Proof
from opslib.cloud.gcp.export_keys import paths_in
from opslib.cloud.gcp.export_log import DamagedError
from opslib.cloud.gcp.firestore import Firestore
from opslib.cloud.gcp.firestore_operations import IMPORT, Operation
from opslib.cloud.gcp.objects import said
from opslib.cloud.gcp.storage import Storage
from opslib.cloud.gcp.times import stamp
from opslib.host.words import count, listed

__all__ = ["Remains", "compare", "last_import", "of_backup", "shown_proof"]

_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Remains:
    """What an import found and could not remove.

    documents: how many the database holds now; expected: how many the backup holds, None if it does not tell; names:
    of the documents that the backup does not hold; whole: whether these were looked for, and are all.
    """

    documents: int
    expected: int | None
    names: Sequence[str]
    whole: bool

    @property
    def left(self) -> int | None:
        """How many documents stay that the backup does not hold, None if that cannot be told."""
        return None if self.expected is None else self.documents - self.expected

    @property
    def failure(self) -> str:
        """Why the import cannot have been complete, "" when it may have been."""
        if self.left is None or self.left >= 0:
            return ""
        held = count(self.expected or 0, "document")
        return f"the backup holds {held}, and the database only {self.documents} after the import"

    @property
    def remark(self) -> str:
        """What could not be removed, in words; "" for nothing."""
        if not self.left:
            return ""
        named = f": {listed([said(name) for name in self.names], 5)}" if self.names else ""
        verb = "was" if self.left == 1 else "were"
        return f"{count(self.left, 'document')} that the backup does not hold {verb} not removed{named}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as data of a result."""
        return {
            "documents": self.documents,
            "left": self.left,
            "left_names": [said(name) for name in self.names[:_SHOWN]],
            "left_names_whole": self.whole,
        }


def compare(firestore: Firestore, storage: Storage, proof: Proof, operation: Operation, scan: int) -> Remains:
    """Compare a database with the backup that was imported into it.

    scan: how many documents there may be, at most, for the names of those that stay to be looked for: then the backup
    is read, and the names of all documents of the database (a read for each).
    """
    documents = firestore.count()
    expected = proof.documents if proof.documents is not None else operation.documents
    if not documents or documents > scan or documents == expected:
        return Remains(documents, expected, [], documents == expected)
    try:
        known = paths_in(storage, proof)
    except DamagedError:
        return Remains(documents, expected, [], whole=False)
    names = [each.path for each in firestore.names(documents) if each.path not in known]
    return Remains(documents, expected, names, whole=True)


def last_import(operations: Sequence[Operation]) -> Operation | None:
    """Return the newest import that began, None when the service knows of none; operations: the newest first."""
    return next((each for each in operations if each.kind == IMPORT), None)


def of_backup(operation: Operation | None, proof: Proof) -> Operation | None:
    """Return the newest import if it was of all of this backup and went well, else None."""
    if operation is None or not operation.good or not operation.whole(IMPORT, proof.url) or operation.began is None:
        return None
    return None if proof.finished is not None and operation.began < proof.finished else operation


def shown_proof(proof: Proof) -> dict[str, Any]:
    """Return a backup as data of a result."""
    return {
        "url": said(proof.url),
        "documents": proof.documents,
        "bytes": proof.bytes,
        "finished": stamp(proof.finished) if proof.finished else None,
        "problems": list(proof.problems[:20]),
        "verified": proof.verified,
    }
