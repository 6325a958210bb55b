"""A small production database in Firestore, looked at by Google's own client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

from opslib.carriers.base import Deadline
from opslib.cloud.patience import Patience

PROD = {"project": "spendsense-production", "wait": 600, "poll": 0.005}
SANDBOX = {"project": "spendsense-test", "wait": 600, "poll": 0.005}
DAILY = "gs://spendsense-backups/daily/2026-01-31"


def client(project: str = PROD["project"], database: str = "(default)") -> Any:
    """Return Google's client, which asks the emulator itself."""
    return firestore.Client(project=project, database=database, credentials=AnonymousCredentials())


def seed(google: Any) -> Any:
    """Make two projects with a database, a bucket, and six documents of production; return the services."""
    for project in (PROD["project"], SANDBOX["project"]):
        google.firestore.make_database(project)
    google.gcs.make_bucket("spendsense-backups")
    users = client().collection("users")
    for number in range(4):
        users.document(f"u{number}").set({"n": number})
    users.document("u1").collection("orders").document("o1").set({"paid": True})
    client().collection("recommendations").document("rec_001").set({"status": "wrong", "weight": 1.5})
    google.forget_requests()
    return google


def paths(project: str = PROD["project"], database: str = "(default)") -> list[str]:
    """Return the paths of all documents."""
    found = client(project, database).collection_group("users").get()
    for group in ("orders", "recommendations", "opslib_latency"):
        found += client(project, database).collection_group(group).get()
    return sorted(document.reference.path for document in found)


def operations(google: Any, *, mutating: bool = True) -> list[str]:
    """Return what was asked of Firestore, by name."""
    calls = google.firestore.mutations if mutating else google.firestore.requests
    return [call.operation for call in calls]


class Time:
    """The time that tasks have in tests: as much as they need, until it is over all at once."""

    def __init__(self, monkeypatch: Any) -> None:
        running: list[Patience] = []

        class Recorded(Patience):
            def __init__(self, seconds: float, pause: float) -> None:
                super().__init__(seconds, pause)
                running.append(self)

        self._running = running
        monkeypatch.setattr("opslib.cloud.task.Patience", Recorded)

    def over(self) -> None:
        """Let the time of every task that runs be up."""
        for each in self._running:
            each.deadline = Deadline.after(0)


def aside(act: Callable[[], object]) -> Callable[[Any], None]:
    """Return what does something just before an answer is sent, and leaves the answer as it is."""

    def twist(_body: Any) -> None:
        act()

    return twist


def backup(google: Any, name: str = "daily/2026-01-31") -> None:
    """Put an export of production as it is into the bucket, without any operation that the service would know of."""
    path = f"projects/{PROD['project']}/databases/(default)"
    work = google.firestore._begin(path, "ExportDocuments", {}, lambda it: {})
    google.firestore._write(work, path, "spendsense-backups", name, None)
    del google.firestore.operations[work.name]
