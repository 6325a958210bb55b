"""The base of tasks that read a backup into a database: which backup, and into what it may never be read."""

from __future__ import annotations

import functools

from opslib.cloud.gcp.backups import Proof
from opslib.cloud.gcp.firestore_backup import proven_backup
from opslib.cloud.gcp.firestore_task import ExportAddress, FirestoreTask
from opslib.cloud.gcp.storage import Storage
from opslib.cloud.task import param
from opslib.host.params import Boolean

__all__ = ["ImportTask"]


class ImportTask(FirestoreTask):
    """A task that imports a Firestore export, which is proven first."""

    backup: str | None = param(
        ExportAddress(),
        "The export to import: gs://BUCKET/FOLDER.",
        default=None,
        example="gs://spendsense-backups/daily/2026-01-31",
    )
    newest_below: str | None = param(
        ExportAddress(),
        "Instead of `backup`: a folder, whose newest export that is whole is taken.",
        default=None,
        example="gs://spendsense-backups/daily",
    )
    read: bool = param(
        Boolean(), "Read every byte of the backup for its proof, which costs what a download costs.", default=False
    )

    def check(self) -> None:
        if (self.backup is None) == (self.newest_below is None):
            self.refuse("give either backup or newest_below")

    @functools.cached_property
    def storage(self) -> Storage:
        """Where the backup lies."""
        return Storage(self)

    @functools.cached_property
    def proof(self) -> Proof:
        """The backup, proven once: `newest_below` means the same one from the first look to the last."""
        return proven_backup(self.storage, self.backup, self.newest_below, verify=self.read, told=self.say)
