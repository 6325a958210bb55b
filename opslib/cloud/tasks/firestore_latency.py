"""Measure how fast Firestore reads and writes."""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from opslib.cloud.gcp.firestore import Document
from opslib.cloud.gcp.firestore_task import FirestoreTask
from opslib.cloud.gcp.firestore_values import typed
from opslib.cloud.patience import Patience
from opslib.cloud.task import ACTION, Change, Plan, TaskError, param
from opslib.host.params import Duration, Name, Number
from opslib.host.words import count

__all__ = ["FirestoreLatency"]

_FORGOTTEN = timedelta(minutes=15)
_MOST_FORGOTTEN = 400
_CLEANUP = 30.0


class FirestoreLatency(FirestoreTask, name="firestore_latency"):
    """Write, read and remove a few small documents in a collection of its own, and judge how long that takes.

    The median of the reads and that of the writes must stay below their limits. Times are those of whole requests from
    this machine, over a connection that is open already. The documents are removed again, also when the step fails or
    is cut short, and with them what an earlier run that was killed has left. A sample costs a write, a read, a delete.

    data: `read_ms`, `write_ms`, each with `median`, `worst`, `samples`; `left_over`, documents of earlier runs.
    """

    cleanup_seconds = _CLEANUP + 60  # what is under way when it begins may take its time to end

    samples: int = param(Number(1, 100, whole=True), "How many documents to write and read.", default=5)
    read_limit: float = param(Duration(low=0.001), "What a read may take, in seconds.", default="100ms")
    write_limit: float = param(Duration(low=0.001), "What a write may take, in seconds.", default="200ms")
    collection: str = param(
        Name("collection", signs="_-"), "The collection to work in; it must be nobody else's.", default="opslib_latency"
    )

    _outcome: Any = None
    _paths: Any = ()

    def look(self) -> list[Document]:
        limit = datetime.now(UTC) - _FORGOTTEN
        found = self.firestore.inside(self.collection, _MOST_FORGOTTEN)
        strange = [each.path for each in found if not each.path.startswith(f"{self.collection}/probe-")]
        if strange:
            raise TaskError(f"{strange[0][:200]!r} is none of ours; name a collection that is nobody else's")
        return [each for each in found if each.created < limit]

    def compare(self, state: list[Document]) -> Plan:
        data: dict[str, Any] = {"left_over": len(state), **(self._outcome or {})}
        also = f", and {count(len(state), 'document')} that earlier runs left" if state else ""
        summary = f"write, read and remove {count(self.samples, 'document')} in {self.collection}{also}"
        return Plan(changes=[Change(kind=ACTION, summary=summary, detail=state)], data=data)

    def apply(self, change: Change) -> None:
        paths = [f"{self.collection}/probe-{uuid.uuid4().hex}" for _number in range(self.samples)]
        outcome: dict[str, Any] = {}
        object.__setattr__(self, "_outcome", outcome)
        object.__setattr__(self, "_paths", [*paths, *(each.path for each in change.detail)])
        outcome["write_ms"] = _timed([lambda path=path: self._write(path) for path in paths])  # type: ignore[misc]
        outcome["read_ms"] = _timed([lambda path=path: self._read(path) for path in paths])  # type: ignore[misc]

    def clean_up(self) -> str:
        """Remove the documents, in time of its own: that of the step may be up."""
        object.__setattr__(self, "patience", Patience(_CLEANUP, self.poll))
        firestore = self.another()
        writes = [{"delete": firestore.reference(path)} for path in self._paths]
        self.patience.read(lambda: firestore.commit(writes), doing="removing the probe documents")
        return ""

    def verify(self, plan: Plan) -> None:  # noqa: ARG002 - the signature that the runtime calls
        slow = []
        for what, limit in (("read", self.read_limit), ("write", self.write_limit)):
            median = self._outcome[f"{what}_ms"]["median"]
            if median > limit * 1000:
                slow.append(f"{what}s take {median:.0f} ms, and {limit * 1000:.0f} ms are the limit")
        if slow:
            raise TaskError("; ".join(slow), **self._outcome)

    def _write(self, path: str) -> None:
        fields = {"made_by": typed("opslib")}
        update = {"name": self.firestore.reference(path), "fields": fields}
        self.firestore.commit([{"update": update, "currentDocument": {"exists": False}}])

    def _read(self, path: str) -> None:
        if self.firestore.document(path) is None:
            raise TaskError(f"{path} was written and cannot be read")


def _timed(calls: list[Callable[[], object]]) -> dict[str, Any]:
    """Make calls, one after the other, and return how long they took, in milliseconds."""
    taken = []
    for call in calls:
        began = time.monotonic()
        call()
        taken.append((time.monotonic() - began) * 1000)
    return {"median": round(statistics.median(taken), 1), "worst": round(max(taken), 1), "samples": len(taken)}
