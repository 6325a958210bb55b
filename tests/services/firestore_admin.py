"""firestore.googleapis.com: documents from Google's emulator, and in front of it the Admin API, which it has not.

Exports are written by the emulator and uploaded to the Cloud Storage of tests; imports are downloaded from there, and
read by the emulator. Requests and answers, also those for documents, are held against Google's description of the API
(firestore.v1). Operations go on by being looked at, so that tests wait no longer than they want to.

It cannot show: permissions of Firestore's own service agent for a bucket, how long anything takes, exports of single
collections, and whether Google numbers and words its refusals just so (they are from its documentation and from what
people report).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from services.firestore import FirestoreEmulator, Refused
from services.firestore_files import count, export_files, import_files
from services.gcs import Gcs
from services.google import Answer, Google, GoogleCall, GoogleProblem, own

__all__ = ["FirestoreService", "Operation"]

_TYPES = "type.googleapis.com/google.firestore.admin.v1."
_MARKER = ".overall_export_metadata"
_NUMBERS = {"CANCELLED": 1, "INVALID_ARGUMENT": 3, "NOT_FOUND": 5, "ABORTED": 10, "INTERNAL": 13, "UNAVAILABLE": 14}


@dataclass
class Operation:
    """Something that takes its time: after so many looks (None: never) its work is done, all at once."""

    name: str
    kind: str
    metadata: dict[str, Any]
    work: Callable[[Operation], dict[str, Any]]
    looks: int | None
    failure: tuple[str, str, bool] | None = None
    done: bool = False
    response: dict[str, Any] | None = None
    error: dict[str, Any] | None = None

    def view(self) -> dict[str, Any]:
        """Return it as the API tells it."""
        shown: dict[str, Any] = {
            "name": self.name,
            "metadata": {"@type": f"{_TYPES}{self.kind}Metadata", **self.metadata},
        }
        if self.done:
            shown["done"] = True
            shown |= {"error": self.error} if self.error else {"response": self.response}
        return shown


class FirestoreService(Google):
    """The service, over an emulator and a Cloud Storage; looks: how often a new operation is seen at work."""

    document = "firestore.v1"
    variables = {"CLOUDSDK_API_ENDPOINT_OVERRIDES_FIRESTORE": "{url}/"}

    def __init__(self, emulator: FirestoreEmulator, gcs: Gcs) -> None:
        self.emulator, self.gcs = emulator, gcs
        super().__init__()

    def forget(self) -> None:
        """Remove databases, documents and operations."""
        self.databases: dict[str, dict[str, Any]] = {}
        self.operations: dict[str, Operation] = {}
        self.looks: int | None = 1
        self.granularity = 60.0
        self.page_size = 100
        self._failure: tuple[str, str, bool] | None = None
        self.emulator.reset()

    # What tests do

    def make_database(self, project: str, database: str = "(default)", location: str = "eur3", **fields: Any) -> None:
        """Make a database, empty."""
        name = f"projects/{project}/databases/{database}"
        now = _stamp(datetime.now(UTC))
        self.emulator.use(project, database)
        self.databases[name] = {
            "name": name,
            "uid": str(uuid.uuid4()),
            "createTime": now,
            "updateTime": now,
            "locationId": location,
            "type": "FIRESTORE_NATIVE",
            "concurrencyMode": "PESSIMISTIC",
            "versionRetentionPeriod": "3600s",
            "pointInTimeRecoveryEnablement": "POINT_IN_TIME_RECOVERY_DISABLED",
            "deleteProtectionState": "DELETE_PROTECTION_DISABLED",
            "databaseEdition": "STANDARD",
            "etag": "IKDB4cDxhpADMKDB4cDxhpAD",
            **fields,
        }

    def fail_operation(
        self, code: str = "INTERNAL", message: str = "told to fail", *, after_effect: bool = False
    ) -> None:
        """Let the next operation fail; after_effect: when its work is done."""
        self._failure = (code, message, after_effect)

    def somebody_else(
        self,
        project: str,
        kind: str = "ImportDocuments",
        looks: int | None = None,
        address: str = "gs://others/backup",
        **filters: list[str],
    ) -> Operation:
        """Let somebody else's operation be under way in the default database; it does nothing."""
        metadata = {"inputUriPrefix" if kind == "ImportDocuments" else "outputUriPrefix": address, **filters}
        return self._begin(f"projects/{project}/databases/(default)", kind, metadata, lambda _it: {}, looks=looks)

    def count(self, project: str, database: str = "(default)") -> int:
        """Return the number of all documents of a database."""
        return count(self.emulator, project, database)

    # Exports, imports and their operations

    @own("databases.exportDocuments")
    def _export(self, call: GoogleCall) -> Any:
        database, body = self._database(call), call.body or {}
        self._refuse_filters(body)
        uri = str(body.get("outputUriPrefix", ""))
        bucket, path = self._bucket_of(uri)
        path = path or _stamp(datetime.now(UTC))[:19] + f"_{len(self.operations) + 10000}"
        marker = f"{path}/{path.rpartition('/')[2]}{_MARKER}"
        if marker in self.gcs.names(bucket):
            raise GoogleProblem("INVALID_ARGUMENT", f"Path already exists: /{bucket}/{marker}")
        metadata: dict[str, Any] = {"outputUriPrefix": f"gs://{bucket}/{path}"}
        moment = body.get("snapshotTime")
        if moment is not None:
            self._check_snapshot(moment)
            metadata["snapshotTime"] = moment
        return self._begin(
            database, "ExportDocuments", metadata, lambda it: self._write(it, database, bucket, path, moment)
        ).view()

    @own("databases.importDocuments")
    def _import(self, call: GoogleCall) -> Any:
        database, body = self._database(call), call.body or {}
        self._refuse_filters(body)
        uri = str(body.get("inputUriPrefix", ""))
        bucket, path = self._bucket_of(uri)
        marker = f"{path}/{path.rpartition('/')[2]}{_MARKER}"
        if marker not in self.gcs.names(bucket):
            raise GoogleProblem("NOT_FOUND", f"Google Cloud Storage file does not exist: /{bucket}/{marker}")
        metadata = {"inputUriPrefix": uri}
        return self._begin(
            database, "ImportDocuments", metadata, lambda it: self._read_back(it, database, bucket, path)
        ).view()

    @own("operations.get")
    def _get_operation(self, call: GoogleCall) -> Any:
        operation = self._operation(call)
        self._go_on(operation)
        return operation.view()

    @own("operations.list")
    def _list_operations(self, call: GoogleCall) -> Any:
        self._database(call)
        first = int(call.query.get("pageToken") or 0)
        size = min(self.page_size, int(call.query.get("pageSize") or self.page_size))
        mine = [each for name, each in self.operations.items() if name.startswith(call.parts["name"] + "/")]
        page: dict[str, Any] = {"operations": [each.view() for each in mine[first : first + size]]}
        return page | ({"nextPageToken": str(first + size)} if len(mine) > first + size else {})

    @own("operations.cancel")
    def _cancel(self, call: GoogleCall) -> Any:
        operation = self._operation(call)
        if not operation.done:
            self._end(operation, "CANCELLED", error={"code": 1, "message": "The operation was cancelled."})
        return {}

    # Databases

    @own("databases.get")
    def _get_database(self, call: GoogleCall) -> Any:
        for name, operation in list(self.operations.items()):
            if name.startswith(call.parts["name"] + "/") and operation.kind.endswith("Database"):
                self._go_on(operation)
        view = self.databases[self._database(call)]
        period = timedelta(seconds=int(view["versionRetentionPeriod"][:-1]))
        return {**view, "earliestVersionTime": _stamp(datetime.now(UTC) - period)}

    @own("databases.list")
    def _list_databases(self, call: GoogleCall) -> Any:
        found = [view for name, view in self.databases.items() if name.startswith(call.parts["parent"] + "/")]
        return {"databases": found}

    @own("databases.create")
    def _create_database(self, call: GoogleCall) -> Any:
        project, database = call.parts["parent"].removeprefix("projects/"), call.query.get("databaseId", "")
        name = f"projects/{project}/databases/{database}"
        if not any(each.startswith(f"projects/{project}/") for each in self.databases):
            raise GoogleProblem("NOT_FOUND", f"The project {project} does not exist, or has no database yet")
        if name in self.databases:
            raise GoogleProblem("ALREADY_EXISTS", "Database already exists. Please use another database_id")

        def make(_operation: Operation) -> dict[str, Any]:
            self.make_database(project, database, call.body["locationId"])
            return {"@type": f"{_TYPES}Database", **self.databases[name]}

        return self._begin(name, "CreateDatabase", {}, make).view()

    @own("databases.delete")
    def _delete_database(self, call: GoogleCall) -> Any:
        name = self._database(call)
        view = self.databases[name]
        if view["deleteProtectionState"] == "DELETE_PROTECTION_ENABLED":
            raise GoogleProblem("FAILED_PRECONDITION", "Database delete protection is enabled.")

        def remove(_operation: Operation) -> dict[str, Any]:
            project, database = name.split("/")[1::2]
            self.emulator.request("DELETE", f"/emulator/v1/projects/{project}/databases/{database}/documents")
            return {"@type": f"{_TYPES}Database", **self.databases.pop(name)}

        operation = self._begin(name, "DeleteDatabase", {}, remove)
        return operation.view()

    # Documents

    def _forward(self, call: GoogleCall) -> Any:
        where = call.parts.get("database") or call.parts.get("parent") or call.parts["name"]
        name = "/".join(where.split("/")[:4])
        if name not in self.databases:
            raise GoogleProblem("NOT_FOUND", f"The database {name} does not exist.")
        try:
            answer = json.loads(self.emulator.request(call.verb, call.target, call.raw or None))
        except Refused as refused:
            told = json.loads(refused.body)
            problem = (told[0] if isinstance(told, list) else told)["error"]
            raise GoogleProblem(problem["status"], problem["message"], refused.status) from None
        for row in answer if call.operation == "documents.runAggregationQuery" else ():
            row.pop("done", None)  # the emulator says this; Google's description has it not
        return Answer(answer)

    @own(
        "documents.get",
        "documents.batchGet",
        "documents.runQuery",
        "documents.runAggregationQuery",
        "documents.list",
        "documents.listDocuments",
        "documents.listCollectionIds",
        mutates=False,
    )
    def _read(self, call: GoogleCall) -> Any:
        return self._forward(call)

    @own("documents.commit", "documents.createDocument", "documents.delete", "documents.patch", "documents.batchWrite")
    def _change(self, call: GoogleCall) -> Any:
        return self._forward(call)

    # How it does it

    def _database(self, call: GoogleCall) -> str:
        name = "/".join(call.parts["name"].split("/")[:4])
        if name not in self.databases:
            raise GoogleProblem("NOT_FOUND", f"The database {name} does not exist.")
        return name

    def _bucket_of(self, uri: str) -> tuple[str, str]:
        bucket, _slash, path = uri.removeprefix("gs://").partition("/")
        if not uri.startswith("gs://") or not bucket:
            raise GoogleProblem("INVALID_ARGUMENT", f"Invalid Google Cloud Storage URI: {uri!r}")
        if bucket not in self.gcs.store.buckets:
            raise GoogleProblem("NOT_FOUND", f"The bucket {bucket} does not exist.")
        return bucket, path.strip("/")

    def _refuse_filters(self, body: dict[str, Any]) -> None:
        if body.get("collectionIds") or body.get("namespaceIds"):
            raise GoogleProblem("UNIMPLEMENTED", "this fake exports and imports whole databases only")

    def _check_snapshot(self, moment: str) -> None:
        when, now = datetime.fromisoformat(moment), datetime.now(UTC)
        if self.granularity and when.timestamp() % self.granularity:
            raise GoogleProblem("INVALID_ARGUMENT", "The snapshot time must be rounded to the minute.")
        if not now - timedelta(hours=1) < when <= now:
            raise GoogleProblem("INVALID_ARGUMENT", "The snapshot time is not within the version retention period.")

    def _hold(self, call: GoogleCall, answer: Answer) -> None:
        """Hold operations' own words, which the API's description leaves open, against their schemas, too."""
        super()._hold(call, answer)
        for view in (answer.body or {}).get("operations", [answer.body]) if isinstance(answer.body, dict) else []:
            metadata = (view or {}).get("metadata")
            if isinstance(metadata, dict) and "@type" in metadata:
                kind = metadata["@type"].rpartition(".")[2]
                told = {name: value for name, value in metadata.items() if name != "@type"}
                wrong = self.description.problems(f"GoogleFirestoreAdminV1{kind}", told)
                assert not wrong, f"an operation was told wrongly: {'; '.join(wrong)}"

    def _operation(self, call: GoogleCall) -> Operation:
        operation = self.operations.get(call.parts["name"])
        if operation is None:
            raise GoogleProblem("NOT_FOUND", f"Operation not found: {call.parts['name']}")
        return operation

    def _begin(
        self,
        database: str,
        kind: str,
        metadata: dict[str, Any],
        work: Callable[[Operation], dict[str, Any]],
        **more: Any,
    ) -> Operation:
        name = f"{database}/operations/ASA{uuid.uuid4().hex}"
        told = {"startTime": _stamp(datetime.now(UTC)), "operationState": "PROCESSING", **metadata}
        if kind.endswith("Database"):
            told = {}
        operation = Operation(name, kind, told, work, more.get("looks", self.looks), self._failure)
        self._failure = None
        self.operations[name] = operation
        return operation

    def _go_on(self, operation: Operation) -> None:
        if operation.done or operation.looks is None:
            return
        operation.looks -= 1
        if operation.looks >= 0:
            return
        code, message, late = operation.failure or ("", "", True)
        try:
            response = operation.work(operation) if late else {}
        except GoogleProblem as problem:
            code, message = problem.code, problem.message
        if code:
            self._end(operation, "FAILED", error={"code": _NUMBERS[code], "message": message})
        else:
            operation.response = response
            self._end(operation, "SUCCESSFUL")

    def _end(self, operation: Operation, state: str, error: dict[str, Any] | None = None) -> None:
        operation.done, operation.error = True, error
        if operation.metadata:
            operation.metadata.update(operationState=state, endTime=_stamp(datetime.now(UTC)))

    def _write(self, operation: Operation, database: str, bucket: str, path: str, moment: str | None) -> dict[str, Any]:
        """Let the emulator export a database, and upload what it wrote."""
        project, name = database.split("/")[1::2]
        files, documents = export_files(self.emulator, project, name, path.rpartition("/")[2], moment)
        for file, data in files.items():
            self.gcs.put(bucket, f"{path}/{file}", data)
        _progress(operation, documents, sum(map(len, files.values())))
        return {"@type": f"{_TYPES}ExportDocumentsResponse", "outputUriPrefix": f"gs://{bucket}/{path}"}

    def _read_back(self, operation: Operation, database: str, bucket: str, path: str) -> dict[str, Any]:
        """Download an export, and let the emulator import it."""
        project, name = database.split("/")[1::2]
        names = [each for each in self.gcs.names(bucket) if each.startswith(path + "/")]
        files = {each.removeprefix(path + "/"): self.gcs.content(bucket, each) for each in names}
        try:
            documents = import_files(self.emulator, project, name, path.rpartition("/")[2], files)
        except Refused as refused:
            raise GoogleProblem("INVALID_ARGUMENT", refused.message) from None
        _progress(operation, documents, sum(map(len, files.values())))
        return {"@type": "type.googleapis.com/google.protobuf.Empty"}


def _progress(operation: Operation, documents: int, size: int) -> None:
    for key, amount in (("progressDocuments", documents), ("progressBytes", size)):
        operation.metadata[key] = {"completedWork": str(amount), "estimatedWork": str(amount)}


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
