"""Exports and imports under way: what the service tells of them, and how to begin and follow one.

Source: https://firebase.google.com/docs/firestore/manage-data/export-import, the REST reference of Firestore v1.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from opslib.cloud.errors import MalformedError, ServiceError, UnknownOutcomeError
from opslib.cloud.gcp.objects import said
from opslib.cloud.gcp.times import moment_of, stamp

if TYPE_CHECKING:
    from opslib.cloud.gcp.firestore import Firestore

__all__ = ["EXPORT", "IMPORT", "Operation", "State", "begin", "follow", "operation_of"]

EXPORT, IMPORT, OTHER = "export", "import", "other"
_KINDS = {"ExportDocumentsMetadata": EXPORT, "ImportDocumentsMetadata": IMPORT}
_NAME = re.compile(r"projects/[^/]+/databases/[^/]+/operations/[A-Za-z0-9_=-]+")
_LOOKS = 6  # for an operation whose beginning was not answered


class State(enum.StrEnum):
    """How far an operation is, in the service's words."""

    UNSPECIFIED = "OPERATION_STATE_UNSPECIFIED"
    INITIALIZING = "INITIALIZING"
    PROCESSING = "PROCESSING"
    CANCELLING = "CANCELLING"
    FINALIZING = "FINALIZING"
    SUCCESSFUL = "SUCCESSFUL"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation as it was told.

    kind: `export`, `import` or `other`; failure: why it failed, "" if it did not; address: where its files lie;
    documents, bytes: done so far, None where the service does not tell; filtered: whether it is of chosen collections
    or namespaces only.
    """

    name: str
    kind: str
    state: State
    done: bool
    failure: str = ""
    address: str = ""
    began: datetime | None = None
    ended: datetime | None = None
    documents: int | None = None
    expected: int | None = None
    bytes: int | None = None
    filtered: bool = False

    @property
    def id(self) -> str:
        """The last part of its name."""
        return self.name.rpartition("/")[2]

    @property
    def good(self) -> bool:
        """Whether it has ended, and well."""
        return self.done and not self.failure

    def whole(self, kind: str, address: str) -> bool:
        """Whether it is the export or import of all documents to or from an address."""
        return (self.kind, self.address) == (kind, address) and not self.filtered

    @property
    def shown(self) -> str:
        """What it is, in words for people."""
        since = f", begun {stamp(self.began)}" if self.began else ""
        part = ", of a part only" if self.filtered else ""
        return f"{self.kind} {self.id} {self._relation} {said(self.address)}{part}{since}".replace("  ", " ")

    @property
    def _relation(self) -> str:
        return {EXPORT: "to", IMPORT: "from"}.get(self.kind, "")

    def to_dict(self) -> dict[str, Any]:
        """Return it as data of a result."""
        return {
            "id": self.id,
            "kind": self.kind,
            "state": self.state.value,
            "done": self.done,
            "failure": self.failure or None,
            "address": said(self.address) or None,
            "began": stamp(self.began) if self.began else None,
            "ended": stamp(self.ended) if self.ended else None,
            "documents": self.documents,
            "expected": self.expected,
            "bytes": self.bytes,
            "filtered": self.filtered,
        }


def operation_of(told: Any) -> Operation:
    """Return what the service tells of an operation. Raises MalformedError."""
    metadata = told.get("metadata", {}) if isinstance(told, dict) else None
    name = told.get("name") if isinstance(told, dict) else None
    done = told.get("done", False) if isinstance(told, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str) or not _NAME.fullmatch(name):
        raise MalformedError(f"Firestore: the answer is no operation: {said(told)}")
    if not isinstance(done, bool) or (done and not {"error", "response"} & set(told)):
        raise MalformedError(f"Firestore: operation {said(name)} makes no sense: {said(told)}")
    try:
        state = State(metadata.get("operationState") or State.UNSPECIFIED)
    except ValueError:
        raise MalformedError(
            f"Firestore: operation {said(name)} is in the unknown state {said(metadata['operationState'])}"
        ) from None
    documents, expected = _progress(metadata.get("progressDocuments"), name)
    size, _expected = _progress(metadata.get("progressBytes"), name)
    kind = _KINDS.get(str(metadata.get("@type", "")).rpartition(".")[2], OTHER)
    address = metadata.get("outputUriPrefix" if kind == EXPORT else "inputUriPrefix", "")
    return Operation(
        name=name,
        kind=kind,
        state=state,
        done=done,
        failure=_failure(told, state) if done else "",
        address=address.rstrip("/") if isinstance(address, str) else "",
        began=_moment(metadata, "startTime"),
        ended=_moment(metadata, "endTime"),
        documents=documents,
        expected=expected,
        bytes=size,
        filtered=bool(metadata.get("collectionIds") or metadata.get("namespaceIds")),
    )


def begin(firestore: Firestore, kind: str, address: str, snapshot: datetime | None = None) -> Operation:
    """Begin an export or import; when the answer is lost, find it among the operations instead of asking again.

    Raises UnknownOutcomeError when it cannot be found there either; what the service refuses.
    """
    known = {each.name for each in firestore.operations()}
    try:
        return firestore.export(address, snapshot) if kind == EXPORT else firestore.import_(address)
    except UnknownOutcomeError as error:
        doing = f"looking for the {kind} whose beginning was not answered"
        for _look, _turn in zip(range(_LOOKS), firestore.task.patience.pauses(doing), strict=False):
            for each in firestore.operations():
                if each.name not in known and each.whole(kind, address):
                    return each
        raise UnknownOutcomeError(
            f"{error}; no such {kind} has appeared since: look at the operations before trying again"
        ) from error


def follow(firestore: Firestore, operation: Operation, seen: Callable[[Operation], object]) -> Operation:
    """Look at an operation until it has ended, and return its end. Raises ServiceError when it failed.

    seen: is told of it whenever something has changed.
    """
    ended = firestore.task.patience.until(
        lambda: firestore.operation(operation.name),
        lambda found: found.done,
        doing=f"waiting for {operation.shown} to end",
        seen=seen,
    )
    if not ended.good:
        raise ServiceError(f"the {ended.shown} failed: {ended.failure}", code=ended.state.value)
    return ended


def _failure(told: dict[str, Any], state: State) -> str:
    error = told.get("error")
    if error is not None:
        message = error.get("message") if isinstance(error, dict) else None
        return said(message or "it does not say why")
    if state in (State.FAILED, State.CANCELLED, State.CANCELLING):
        return f"it is {state.value}"
    return ""


def _progress(told: Any, name: str) -> tuple[int | None, int | None]:
    if told is None:
        return None, None
    try:
        found = [None if told.get(key) is None else int(told[key]) for key in ("completedWork", "estimatedWork")]
    except (AttributeError, TypeError, ValueError):
        raise MalformedError(f"Firestore: the progress of {said(name)} makes no sense: {said(told)}") from None
    return found[0], found[1]


def _moment(metadata: dict[str, Any], key: str) -> datetime | None:
    return moment_of(metadata[key], key) if metadata.get(key) else None
