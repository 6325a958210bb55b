"""Exporting a database: begun once, followed to its end, and proven to be whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from opslib.cloud.errors import ServiceError
from opslib.cloud.gcp.backups import Proof, prove
from opslib.cloud.gcp.firestore import Firestore
from opslib.cloud.gcp.firestore_backup import parted
from opslib.cloud.gcp.firestore_operations import EXPORT, Operation, begin, follow
from opslib.cloud.gcp.storage import Storage
from opslib.cloud.gcp.times import stamp
from opslib.host.words import count, listed

__all__ = ["export", "shown_export"]


def export(
    firestore: Firestore,
    storage: Storage,
    address: str,
    snapshot: datetime | None,
    *,
    seen: Callable[[Operation], object],
    under_way: Operation | None = None,
) -> dict[str, Any]:
    """Export a database to gs://BUCKET/FOLDER, and return what was done, as data of a result.

    snapshot: the state to export, None for whatever is read on the way; under_way: an export to follow instead of
    beginning one. Raises ServiceError when the export fails, is not whole, or holds another number of documents.
    """
    told: dict[str, Any] = {"snapshot": stamp(snapshot) if snapshot else None}
    expected: int | None = None
    if snapshot is not None and under_way is None:
        told["collections"] = firestore.counts(at=snapshot)
        told["expected"] = expected = firestore.count(at=snapshot)
    operation = under_way or begin(firestore, EXPORT, address, snapshot)
    seen(operation)
    ended = follow(firestore, operation, seen)
    told["operation"] = ended.to_dict()
    bucket, folder = parted(address)
    proof = prove(storage, bucket, folder)
    if not proof.complete:
        problems = listed(list(proof.problems), 3)
        raise ServiceError(f"the export ended well, but {proof.url} is not whole: {problems}", **told)
    expected = ended.documents if expected is None else expected
    if None not in (proof.documents, expected) and proof.documents != expected:
        held = count(proof.documents or 0, "document")
        raise ServiceError(f"{proof.url} holds {held}; {expected} were to be exported", **told)
    return told


def shown_export(proof: Proof | None) -> dict[str, Any]:
    """Return what lies at an export's place, as data of a result."""
    if proof is None:
        return {"documents": None, "bytes": 0, "objects": 0, "finished": None, "problems": []}
    return {
        "documents": proof.documents,
        "bytes": proof.bytes,
        "objects": len(proof.items),
        "finished": stamp(proof.finished) if proof.finished else None,
        "problems": list(proof.problems[:20]),
    }
