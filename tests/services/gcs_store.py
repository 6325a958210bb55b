"""gcp-storage-emulator inside a server of ours: where the data lie, and what tests do to them behind its back."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from email.message import Message
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from werkzeug.http import http_date

from services.back_end import Quiet
from services.gcs_rules import check_held, check_name, doomed, stamp
from services.google import Answer, Google, GoogleCall, GoogleProblem

__all__ = ["GcsStore"]

_REASONS = {
    304: "notModified",
    400: "invalid",
    403: "forbidden",
    404: "notFound",
    409: "conflict",
    429: "rateLimitExceeded",
}


class GcsStore(Google):
    """The emulator's data; `page_size`: the most that one page of a listing holds, however many are asked for."""

    document = "storage.v1"
    variables = {"STORAGE_EMULATOR_HOST": "{url}"}

    @property
    def handler(self) -> type[Quiet]:
        """Answers are dated by the service's clock."""
        return type("Dated", (Quiet,), {"date_time_string": lambda _self: http_date(self.now())})

    # What tests do behind the service's back

    def forget(self) -> None:
        """Empty it."""
        self.store = _store()
        self.skew = timedelta()
        self.page_size = 1000
        self._cuts: list[int] = []

    def mend(self) -> None:
        """Forget the faults alone."""
        super().mend()
        self._cuts = []

    def make_bucket(self, name: str, **fields: Any) -> None:
        """Make a bucket."""
        from gcp_storage_emulator.handlers.buckets import create_bucket

        check_name(name)
        bucket = create_bucket(name, self.store)
        assert bucket, f"there is a bucket {name} already"
        bucket.update(fields, timeCreated=self.stamp(), updated=self.stamp())

    def put(self, bucket: str, name: str, data: bytes = b"", *, age: float = 0, **fields: Any) -> None:
        """Put an object there, that many seconds old."""
        from gcp_storage_emulator.handlers import objects

        item = objects._make_object_resource(self.url, bucket, name, "application/octet-stream", str(len(data)))
        self.store.create_file(bucket, name, data, objects._checksums(data, item))
        self._settle(item, {})
        self.backdate(bucket, name, age)
        item.update(fields)

    def backdate(self, bucket: str, name: str, age: float) -> None:
        """Make an object look that many seconds old."""
        item = self.store.objects[bucket][name]
        item["timeCreated"] = item["updated"] = item["timeStorageClassUpdated"] = self.stamp(-age)

    def corrupt(self, bucket: str, name: str, data: bytes) -> None:
        """Change an object's bytes, and neither its checksums nor its size."""
        self.store._store.write_bytes(f"{bucket}/{name}", data)

    def names(self, bucket: str) -> list[str]:
        """Return the names of all objects of a bucket, sorted."""
        return sorted(self.store.objects.get(bucket, {}))

    def content(self, bucket: str, name: str) -> bytes:
        """Return an object's bytes."""
        data: bytes = self.store.get_file(bucket, name)
        return data

    def cut_downloads(self, *keep: int) -> None:
        """Break the connection of the next downloads, each after so many bytes."""
        self._cuts += keep

    def advance(self, seconds: float) -> None:
        """Let the service's clock jump."""
        self.skew += timedelta(seconds=seconds)

    def run_lifecycle(self) -> list[str]:
        """Delete what the lifecycle of the buckets says, as Google does by and by; return the names."""
        gone = []
        for name, bucket in self.store.buckets.items():
            for item in list(doomed(bucket, list(self.store.objects.get(name, {}).values()), self.now())):
                try:
                    check_held(bucket, item, self.now())
                except GoogleProblem:
                    continue
                self.store.delete_file(name, item["name"])
                gone.append(item["name"])
        return gone

    def now(self) -> datetime:
        """The service's time."""
        return datetime.now(UTC) + self.skew

    def stamp(self, seconds: float = 0) -> str:
        """The service's time, that many seconds on, as it writes it."""
        return stamp(self.now() + timedelta(seconds=seconds))

    # How requests are read and answered

    def route(self, path: str) -> str:
        """Uploads, downloads, and Node's short paths lead to the same operations."""
        for prefix in ("/upload", "/download", "/resumable/upload"):
            if path.startswith(prefix + "/storage/v1/"):
                return path.removeprefix(prefix)
        return "/storage/v1" + path if path.startswith("/b/") else path

    def unknown(self, verb: str, path: str) -> str:
        """Chunks of uploads and batches are in no description."""
        if path.startswith("/upload/storage/v1/"):
            return "objects.upload"
        return "batch" if path.startswith("/batch") else f"{verb} {path}"

    def name_of(self, method: Any, call: GoogleCall) -> str:
        """Tell downloads from looking, and chunks from new uploads."""
        path = urlsplit(call.target).path
        if method.name == "objects.get" and (call.query.get("alt") == "media" or path.startswith("/download/")):
            return "objects.download"
        if method.name == "objects.insert" and "upload_id" in call.query:
            return "objects.upload"
        return str(method.name)

    def takes_bytes(self, call: GoogleCall) -> bool:
        """Only uploads carry anything else than JSON."""
        return call.operation in ("objects.insert", "objects.upload")

    def problem(self, problem: GoogleProblem) -> Answer:
        """Word an error in the form of the JSON API; 304 has no body."""
        if problem.status == 304:
            return Answer(None, 304)
        reason = problem.reason or _REASONS.get(problem.status, "backendError")
        detail = {"domain": "global", "reason": reason, "message": problem.message}
        return Answer(
            {"error": {"code": problem.status, "message": problem.message, "errors": [detail]}}, problem.status
        )

    def _emulate(self, call: GoogleCall) -> Answer:
        """Let the emulator answer."""
        from gcp_storage_emulator.server import Router

        headers = Message()
        for name, value in call.headers.items():
            headers[name] = value
        sent: dict[str, str] = {}
        out, status = io.BytesIO(), [0]
        Router(
            SimpleNamespace(
                path=call.target,
                headers=headers,
                rfile=io.BytesIO(call.raw),
                wfile=out,
                server=SimpleNamespace(server_address=("127.0.0.1", 0)),
                storage=self.store,
                send_response=lambda code, _phrase: status.append(code),
                send_header=sent.__setitem__,
                end_headers=lambda: None,
            )
        ).handle(call.verb)
        kept = {name: value for name, value in sent.items() if name.lower() not in ("content-length", "x-goog-hash")}
        body: Any = out.getvalue()
        if status[-1] >= 400:
            message = json.loads(body)["error"]["message"] if body else "the emulator refuses it"
            raise GoogleProblem("INVALID_ARGUMENT", message, status[-1], reason=_REASONS.get(status[-1], "invalid"))
        if sent.get("Content-type") == "application/json" and call.operation != "objects.download":
            body = json.loads(body)
        return Answer(body, status[-1], kept)


def _store() -> Any:
    try:
        from gcp_storage_emulator.storage import Storage
    except ImportError as error:
        raise RuntimeError(
            "gcp-storage-emulator is missing; these tests need it: pip install 'opslib[test]'"
        ) from error

    class Store(Storage):
        def _write_config_to_file(self) -> None:
            """Keep everything in memory."""

    return Store(use_memory_fs=True)
