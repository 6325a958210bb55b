"""The base of tasks on one Firestore database: project and database are named, and proven to be there."""

from __future__ import annotations

import functools
import os
import re
from datetime import UTC, datetime, timedelta

from opslib.cloud.errors import MismatchError, RefusedError
from opslib.cloud.gcp.firestore import ENDPOINT, Firestore
from opslib.cloud.gcp.firestore_operations import Operation
from opslib.cloud.gcp.task import GcpTask
from opslib.cloud.task import param
from opslib.host.params import ParamError, Text, shown

__all__ = ["DatabaseId", "ExportAddress", "FirestoreTask", "Snapshot"]

_BEHIND = timedelta(seconds=10)  # that the service's clock may be
_EMULATOR = "FIRESTORE_EMULATOR_HOST"


class DatabaseId(Text):
    """The id of a database: `(default)`, or 4 to 63 lower-case letters, digits and hyphens.

    Source: https://firebase.google.com/docs/firestore/manage-databases.
    """

    def __init__(self) -> None:
        super().__init__("database id")

    def check(self, value: str) -> str:
        if value != "(default)" and not re.fullmatch(r"[a-z](?!.*--)[a-z0-9-]{2,61}[a-z0-9]", value):
            raise ParamError(f"{shown(value)} is no database id: (default), or 4 to 63 of a-z, 0-9 and hyphens")
        return value


class ExportAddress(Text):
    """Where an export lies: gs://BUCKET/FOLDER."""

    def __init__(self, label: str = "address such as gs://bucket/folder") -> None:
        super().__init__(label)

    def check(self, value: str) -> str:
        found = re.fullmatch(r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])/(.+)", value.rstrip("/"))
        if found is None or "" in found[2].split("/") or {".", ".."} & set(found[2].split("/")):
            raise ParamError(f"{shown(value)} is no {self.label}")
        if len(found[2].encode()) > 900 or not found[2].isprintable():
            raise ParamError(f"{shown(value)} is no {self.label}: the folder is too long, or cannot be printed")
        return value.rstrip("/")


class Snapshot(Text):
    """Which state of a database: `now` (of the last full minute), `none`, or a time in RFC 3339."""

    def __init__(self) -> None:
        super().__init__("time such as 2026-01-31T02:00:00Z, or now, or none")

    def check(self, value: str) -> str:
        if value in ("now", "none"):
            return value
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            raise ParamError(f"{shown(value)} is no {self.label}")
        return value

    @staticmethod
    def moment(value: str, now: datetime) -> datetime | None:
        """Return the time that is meant; None for no particular one."""
        if value == "none":
            return None
        if value != "now":
            return datetime.fromisoformat(value).astimezone(UTC)
        return (now - _BEHIND).replace(second=0, microsecond=0)


class FirestoreTask(GcpTask):
    """A task on a Firestore database."""

    database: str = param(DatabaseId(), "The database in the project.", default="(default)")

    def scope(self) -> dict[str, str]:
        return {**super().scope(), "database": self.database}

    def identify(self) -> None:
        super().identify()
        if os.environ.get(_EMULATOR) and not os.environ.get(ENDPOINT):
            raise MismatchError(
                f"{_EMULATOR} is set, so an emulator is meant, but this task would reach the real Firestore; "
                f"unset it, or set {ENDPOINT} as well"
            )
        try:
            self.firestore.describe()
        except RefusedError as error:
            if error.status != 404:
                raise
            raise MismatchError(
                f"project {self.project} has no Firestore database {self.database} that these credentials can see; "
                f"nothing was touched: correct the project or the database ({error})"
            ) from error

    @functools.cached_property
    def firestore(self) -> Firestore:
        """The database."""
        return Firestore(self, self.project, self.database)

    def another(self) -> Firestore:
        """Return the database once more, with the patience that the task has now."""
        return Firestore(self, self.project, self.database)

    def seen(self, operation: Operation) -> None:
        """Tell how far an operation is."""
        progress = "" if operation.documents is None else f", {operation.documents} of {operation.expected} documents"
        self.say(f"{operation.kind} {operation.id}: {operation.state.value}{progress}", operation=operation.to_dict())
