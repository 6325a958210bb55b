"""A Firestore database: what it is, its documents, exports and imports. Source: the REST reference of Firestore v1."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opslib.cloud.errors import MalformedError, RefusedError, UnknownOutcomeError
from opslib.cloud.gcp.api import GoogleApi
from opslib.cloud.gcp.firestore_operations import Operation, follow, operation_of
from opslib.cloud.gcp.task import GcpTask
from opslib.cloud.gcp.times import moment_of

__all__ = ["ENDPOINT", "Database", "Document", "Firestore"]

ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_FIRESTORE"
_ADDRESS = "https://firestore.googleapis.com/"
_EVERYTHING = {"from": [{"allDescendants": True}]}
_MOST_COLLECTIONS = 2000


@dataclass(frozen=True, slots=True)
class Database:
    """What the service tells of a database. earliest: the oldest time of which the state can still be read."""

    name: str
    location: str
    kind: str
    earliest: datetime | None


@dataclass(frozen=True, slots=True)
class Document:
    """A document as the service holds it: path below the database's root, typed values by field, and its times.

    version: the time of its last change exactly as the service told it, for preconditions.
    """

    path: str
    fields: dict[str, Any]
    created: datetime
    changed: datetime
    version: str


class Firestore:
    """The service for one task and one database."""

    def __init__(self, task: GcpTask, project: str, database: str) -> None:
        self.task = task
        self.name = f"projects/{project}/databases/{database}"
        self.project, self.database = project, database

    @functools.cached_property
    def api(self) -> GoogleApi:
        """Its REST interface."""
        return GoogleApi(self.task, "Firestore", _ADDRESS, ENDPOINT)

    def describe(self) -> Database:
        """Return what it is. Raises RefusedError with status 404 when there is no such database."""
        found = _mapping(self.api.get(f"/v1/{self.name}").json(), "the database")
        if found.get("name") != self.name:
            raise MalformedError(f"Firestore: asked for {self.name}, it tells of {found.get('name')!r}"[:500])
        if found.get("type") not in ("FIRESTORE_NATIVE", "DATASTORE_MODE"):
            raise MalformedError(f"Firestore: {self.name} is of the unknown type {found.get('type')!r}"[:500])
        earliest = found.get("earliestVersionTime")
        return Database(
            name=self.name,
            location=str(found.get("locationId", ""))[:100],
            kind=found["type"],
            earliest=moment_of(earliest, "earliestVersionTime") if earliest else None,
        )

    def exists(self) -> bool:
        """Whether there is such a database."""
        try:
            self.describe()
        except RefusedError as error:
            if error.status != 404:
                raise
            return False
        return True

    def create(self, location: str) -> None:
        """Make it, empty, and wait until it is there. Raises ServiceError when that fails."""
        body = {"locationId": location, "type": "FIRESTORE_NATIVE"}
        path = f"/v1/projects/{self.project}/databases"
        self._await("POST", path, self.exists, "to be made", json=body, params={"databaseId": self.database})

    def remove(self) -> None:
        """Remove it with all it holds, and wait until it is gone. Raises ServiceError when that fails."""
        self._await("DELETE", f"/v1/{self.name}", lambda: not self.exists(), "to be gone")

    def _await(self, method: str, path: str, done: Callable[[], bool], what: str, **more: Any) -> None:
        """Send a change of the database itself; follow its operation, or look at its effect when the answer is lost."""
        try:
            follow(self, operation_of(self.api.send(method, path, **more).json()), lambda _seen: None)
        except UnknownOutcomeError:
            self.task.say(f"the answer was lost; waiting for {self.name} {what}")
        self.task.patience.until(done, bool, doing=f"waiting for {self.name} {what}")

    # Documents

    def count(self, collection: str | None = None, *, at: datetime | None = None) -> int:
        """Return the number of documents: of a collection at the root, or of the whole database; at: an earlier time.

        The service bills one read for up to 1,000 documents that are counted.
        """
        query: dict[str, Any] = _EVERYTHING if collection is None else {"from": [{"collectionId": collection}]}
        asked: dict[str, Any] = {
            "structuredAggregationQuery": {"structuredQuery": query, "aggregations": [{"alias": "n", "count": {}}]}
        }
        rows = self._rows("runAggregationQuery", asked | ({"readTime": _stamp(at)} if at else {}), "counting documents")
        try:
            return int(rows[0]["result"]["aggregateFields"]["n"]["integerValue"])
        except (LookupError, TypeError, ValueError):
            raise MalformedError(f"counting documents: the answer makes no sense: {str(rows)[:200]}") from None

    def collections(self, *, at: datetime | None = None) -> list[str]:
        """Return the ids of the collections at the root, sorted."""
        found: set[str] = set()
        seen: set[str] = set()
        asked: dict[str, Any] = {"pageSize": 300} | ({"readTime": _stamp(at)} if at else {})
        while True:
            page = _mapping(self._ask("listCollectionIds", asked, "listing collections"), "a listing of collections")
            ids = page.get("collectionIds", [])
            if not isinstance(ids, list) or not all(isinstance(each, str) and each for each in ids):
                raise MalformedError("listing collections: the answer makes no sense")
            if len(found | set(ids)) > _MOST_COLLECTIONS:
                raise RefusedError(f"there are more than {_MOST_COLLECTIONS} collections at the root")
            token = page.get("nextPageToken")
            found.update(ids)
            if not token:
                return sorted(found)
            if not isinstance(token, str) or token in seen or len(seen) > _MOST_COLLECTIONS:
                raise MalformedError("listing collections: the listing goes round in circles")
            seen.add(token)
            asked["pageToken"] = token

    def counts(self, *, at: datetime | None = None) -> dict[str, int]:
        """Return the number of documents of every collection at the root."""
        return {name: self.count(name, at=at) for name in self.collections(at=at)}

    def names(self, most: int) -> Iterator[Document]:
        """Yield up to `most` documents of the whole database without their fields, in the order of their names.

        The service bills a read for each.
        """
        query = {
            **_EVERYTHING,
            "select": {"fields": [{"fieldPath": "__name__"}]},
            "orderBy": [{"field": {"fieldPath": "__name__"}, "direction": "ASCENDING"}],
        }
        left = most
        after: dict[str, Any] = {}
        while left > 0:
            size = min(left, 1000)
            rows = self._rows("runQuery", {"structuredQuery": {**query, **after, "limit": size}}, "listing documents")
            found = [self._document(row["document"]) for row in rows if isinstance(row, dict) and "document" in row]
            yield from found
            left -= size
            if len(found) < size:
                return
            last = {"referenceValue": f"{self.name}/documents/{found[-1].path}"}
            after = {"startAt": {"values": [last], "before": False}}

    def inside(self, collection: str, most: int) -> list[Document]:
        """Return up to `most` documents of a collection at the root, without their fields."""
        query = {
            "from": [{"collectionId": collection}],
            "select": {"fields": [{"fieldPath": "__name__"}]},
            "limit": most,
        }
        rows = self._rows("runQuery", {"structuredQuery": query}, f"listing {collection}")
        return [self._document(row["document"]) for row in rows if isinstance(row, dict) and "document" in row]

    def document(self, path: str) -> Document | None:
        """Return a document, None when there is none."""
        asked = {"documents": [f"{self.name}/documents/{path}"]}
        rows = self._rows("batchGet", asked, f"reading {path}")
        if len(rows) != 1 or not isinstance(rows[0], dict) or not {"found", "missing"} & set(rows[0]):
            raise MalformedError(f"reading {path}: the answer makes no sense: {str(rows)[:200]}")
        if "missing" in rows[0]:
            return None
        found = self._document(rows[0]["found"])
        if found.path != path:
            raise MalformedError(f"reading {path}: the answer is about another document, {found.path[:200]!r}")
        return found

    def commit(self, writes: Sequence[dict[str, Any]]) -> None:
        """Carry out writes, all or none. Raises RefusedError when a precondition does not hold."""
        self.api.send("POST", f"/v1/{self.name}/documents:commit", json={"writes": list(writes)}).json()

    def reference(self, path: str) -> str:
        """Return the full name of a document."""
        return f"{self.name}/documents/{path}"

    # Operations

    def export(self, address: str, snapshot: datetime | None) -> Operation:
        """Begin an export to gs://BUCKET/FOLDER."""
        asked = {"outputUriPrefix": address} | ({"snapshotTime": _stamp(snapshot)} if snapshot else {})
        return self._begin("exportDocuments", asked)

    def import_(self, address: str) -> Operation:
        """Begin an import from gs://BUCKET/FOLDER."""
        return self._begin("importDocuments", {"inputUriPrefix": address})

    def operations(self) -> list[Operation]:
        """Return the database's operations that the service still knows, the newest first."""
        found = []
        for page in self.api.pages(f"/v1/{self.name}/operations", pageSize=100):
            listed = page.get("operations", [])
            if not isinstance(listed, list):
                raise MalformedError("listing operations: the answer makes no sense")
            found += [operation_of(each) for each in listed]
        return sorted(found, key=lambda each: each.began.timestamp() if each.began else 0, reverse=True)

    def operation(self, name: str) -> Operation:
        """Return an operation by its full name."""
        found = operation_of(self.api.get(f"/v1/{name}").json())
        if found.name != name:
            raise MalformedError(f"Firestore: asked for operation {name}, it tells of {found.name!r}"[:500])
        return found

    def _begin(self, what: str, asked: dict[str, Any]) -> Operation:
        return operation_of(self.api.send("POST", f"/v1/{self.name}:{what}", json=asked).json())

    def _ask(self, what: str, asked: dict[str, Any], doing: str) -> Any:
        """Ask about documents; a POST that changes nothing."""
        path = f"/v1/{self.name}/documents:{what}"
        return self.task.patience.read(lambda: self.api.once("POST", path, json=asked), doing=doing).json()

    def _rows(self, what: str, asked: dict[str, Any], doing: str) -> list[Any]:
        rows = self._ask(what, asked, doing)
        if not isinstance(rows, list):
            raise MalformedError(f"{doing}: the answer is no list")
        return rows

    def _document(self, found: Any) -> Document:
        prefix = f"{self.name}/documents/"
        name = found.get("name") if isinstance(found, dict) else None
        fields = found.get("fields", {}) if isinstance(found, dict) else None
        if not isinstance(name, str) or not name.startswith(prefix) or not isinstance(fields, dict):
            raise MalformedError(f"Firestore: the answer is no document of {self.name}: {str(found)[:200]}")
        return Document(
            path=name.removeprefix(prefix),
            fields=fields,
            created=moment_of(found.get("createTime"), "createTime"),
            changed=moment_of(found.get("updateTime"), "updateTime"),
            version=found["updateTime"],
        )


def _mapping(found: Any, what: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise MalformedError(f"Firestore: the answer is not {what}")
    return found


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
