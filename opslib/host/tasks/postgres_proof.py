"""Prove that a backup of a PostgreSQL database can be restored."""

from __future__ import annotations

import os
import time

from opslib.host import ages
from opslib.host.files.locked import Locked
from opslib.host.params import Duration, Path, Text
from opslib.host.plan import ACTION, CREATE, REMOVE, Change, Plan
from opslib.host.postgres import catalog, databases, programs, store
from opslib.host.postgres.settings import PostgresTask
from opslib.host.postgres.words import span
from opslib.host.task import TaskError, param
from opslib.host.words import count as counted
from opslib.host.words import listed, printable, utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from opslib.host.postgres.store import Backup

_MARK = "opslib_proof_"
_MOST_WARNINGS = 20
_SCRATCH = """
SELECT datname FROM pg_catalog.pg_database WHERE starts_with(datname, $1) ORDER BY 1 LIMIT 100
"""
_LEFT_OUT = (
    "--no-owner",
    "--no-acl",
    "--no-publications",
    "--no-subscriptions",
    "--no-security-labels",
    "--no-tablespaces",
)


class PostgresProof(PostgresTask, name="postgres_proof"):
    """Prove that the newest backup of a database can be restored, by restoring it into a scratch database.

    In this order: the dump has the size and checksum that its manifest says; pg_restore reads and unpacks it
    to its end; it restores without any error into a new database, which nothing else uses, with the encoding and
    locale of the original; there each table has the number of rows that the manifest says. The scratch database is
    dropped whatever happens; one that a killed run left is dropped by the next run. Owners, rights, publications and
    subscriptions are not restored there. The outcome is kept beside the backup (`NAME.proof`); a proof younger than
    `max_age` is not done again.

    `backup` names one backup; without it the newest is taken, and a newest one that is broken is a failure. Backups and
    proofs dated in the future, as by a clock that was ahead, are passed over with a warning. The server for the scratch
    database may be another one than the backup came from. The role must be allowed to create databases.

    data: `backup` (name), `taken` and `taken_age_seconds` (null when dated in the future), `bytes`, `tables`, `rows`,
    `proven` (UTC, or null), `proof_seconds` (how long the last one took: about what a restore will take),
    `left_scratch` (names).

    Errors: there is no backup, size or checksum differ, the dump cannot be read or restored, counts differ, the server
    cannot be reached, the role may not create databases. Sources: pg_restore(1), CREATE DATABASE.
    """

    folder: str = param(Path(), "Folder that holds the backups.", example="/var/backups/postgres")
    backup: str | None = param(
        Text("name of a backup"), "Backup to prove; by default the newest.", default=None, example="app-20250131-040500"
    )
    max_age: float = param(
        Duration(), "Prove again when the last proof of this backup is older than this, in seconds.", default="7d"
    )
    max_backup_age: float | None = param(
        Duration(low=1), "Fail when the newest backup is older than this, in seconds.", default=None, example="26h"
    )
    timeout: float = param(Duration(low=1), "Seconds that the whole proof may take.", default="2h")

    def check(self) -> None:
        super().check()
        if self.backup is not None and (self.database is None or not store.is_ours(self.backup, self.database)):
            self.refuse("give database, and as backup the name of one of its backups, such as app-20250131-040500")

    def probe(self) -> dict[str, Any]:
        settings = self.settings()
        programs.find("pg_restore")
        with self.connect(settings.to(self._maintenance(settings.database))) as session:
            me = catalog.myself(session)
            left = [row[0] or "" for row in session.rows(_SCRATCH, self._prefix())]
        kept = store.look(self.folder, settings.database)
        return {"now": time.time(), "database": settings.database, "store": kept, "me": me, "left": left}

    def plan(self, state: dict[str, Any]) -> Plan:
        kept, now = state["store"], state["now"]
        warnings = [words for words in (each.misdated(now) for each in kept.backups) if words][:_MOST_WARNINGS]
        named = self.backup is not None
        backups = [each for each in kept.backups if (each.name == self.backup if named else not each.misdated(now))]
        data: dict[str, Any] = {"left_scratch": state["left"], "backup": None}
        if kept.problem or not backups:
            nothing = "there is no backup %s in %s" % (self.backup or "of " + printable(state["database"]), self.folder)
            return Plan(failure=kept.problem or nothing, warnings=warnings, data=data)
        backup: Backup = backups[0]
        age = None if backup.misdated(now) else max(now - backup.taken, 0)
        data.update(_facts(backup), taken_age_seconds=None if age is None else int(age))
        failure = self._obstacle(backup, age, state["me"])
        if failure:
            return Plan(failure=failure, warnings=warnings, data=data)
        old = "of unknown age" if age is None else span(age) + " old"
        proven = backup.proof["proven"] if backup.proof else None
        if proven is not None and ages.ahead(proven, now):
            words = "the proof of %s is dated %s, in the future: it counts for nothing"
            warnings.append(words % (backup.name, utc(proven)))
            proven = None
        changes = [
            Change(kind=REMOVE, summary="drop scratch database %s, left by a run cut short" % name, detail=name)
            for name in state["left"]
        ]
        if proven is None or now - proven >= max(self.max_age, 1):
            words = "prove backup %s (%s) by restoring it into a scratch database" % (backup.name, old)
            kind = CREATE if self.max_age >= 3600 else ACTION
            changes.append(Change(kind=kind, summary=words, after=self._promise(backup), detail=backup))
            return Plan(changes=changes, warnings=warnings, data=data)
        reason = "backup %s (%s) was proven %s ago" % (backup.name, old, span(max(now - proven, 0)))
        return Plan(changes=changes, reason=reason, warnings=warnings, data=data)

    def _obstacle(self, backup: Backup, age: float | None, me: dict[str, Any]) -> str:
        if backup.problem:
            return "backup %s is broken: %s" % (backup.name, backup.problem)
        if self.max_backup_age is not None and age is None:
            words = "backup %s is dated in the future: whether it is younger than max_backup_age is not known"
            return words % backup.name
        if self.max_backup_age is not None and age is not None and age > self.max_backup_age:
            words = "the newest backup, %s, is %s old; at most %s were asked for (max_backup_age)"
            return words % (backup.name, span(age), span(self.max_backup_age))
        if not me["createdb"]:
            words = "role %s may not create databases: give system_user, or ALTER ROLE … CREATEDB"
            return words % printable(me["name"])
        return ""

    def _promise(self, backup: Backup) -> str:
        tables = backup.manifest["tables"]
        return "%s with %s" % (counted(len(tables), "table"), counted(sum(tables.values()), "row"))

    def apply(self, change: Change) -> None:
        settings = self.settings()
        maintenance = settings.to(self._maintenance(settings.database))
        with Locked(self.folder) as folder:
            if isinstance(change.detail, str):
                with self.connect(maintenance) as session:
                    databases.drop(session, change.detail)
                return
            backup: Backup = change.detail
            began = time.monotonic()
            tools = programs.Programs(settings, began + self.timeout)
            file = store.open_dump(folder, backup)
            try:
                self._read(tools, file, backup)
                name = "%s%d_%d" % (self._prefix(), os.getpid(), int(time.time()))
                left = self._try(tools, file, backup, name)
            finally:
                os.close(file)
            seconds = round(time.monotonic() - began, 3)
            proof = {"sha256": backup.manifest["sha256"], "proven": time.time(), "seconds": seconds}
            store.write_json(folder, backup.name + store.PROOF, proof)
            if left:
                raise TaskError("backup %s is proven, but %s" % (backup.name, left))

    def _try(self, tools: programs.Programs, file: int, backup: Backup, name: str) -> str:
        """Restore into a scratch database and drop that whatever happens; return in words why it is left.

        Each with a connection of its own: one that lies idle for as long as a restore takes may be cut.
        """
        settings = self.settings()
        with self.connect(settings.to(self._maintenance(settings.database))) as session:
            databases.create(session, name, backup.manifest)
        try:
            self._restore(tools, file, backup, name)
        except BaseException as error:
            left = self._dropped(name)
            if left and isinstance(error, TaskError):
                error.args = ("%s; %s" % (error, left),)
            raise
        return self._dropped(name)

    def _dropped(self, name: str) -> str:
        settings = self.settings()
        try:
            with self.connect(settings.to(self._maintenance(settings.database))) as session:
                databases.drop(session, name)
        except TaskError as error:
            return "scratch database %s is left, which the next run drops: %s" % (name, error)
        return ""

    def _read(self, tools: programs.Programs, file: int, backup: Backup) -> None:
        if store.checksum(file) != backup.manifest["sha256"]:
            raise TaskError("backup %s is broken: its dump has another checksum than its manifest says" % backup.name)
        try:
            tools.read_through(file)
        except TaskError as error:
            raise TaskError("backup %s cannot be read to its end: %s" % (backup.name, error)) from None

    def _restore(self, tools: programs.Programs, file: int, backup: Backup, name: str) -> None:
        try:
            tools.restore(file, name, _LEFT_OUT)
        except TaskError as error:
            raise TaskError("backup %s cannot be restored: %s" % (backup.name, error)) from None
        with self.connect(self.settings().to(name)) as session:
            found = catalog.count_rows(session, max(tools.deadline - time.monotonic(), 0.1))
        wrong = catalog.differences(backup.manifest["tables"], found)
        if wrong:
            words = "backup %s restores to something else than was backed up: %s"
            raise TaskError(words % (backup.name, listed([printable(each) for each in wrong])))

    def _maintenance(self, database: str) -> str:
        """Return the database to be connected to while others are made and dropped."""
        return "template1" if database == "postgres" else "postgres"

    def _prefix(self) -> str:
        """Return how the names of scratch databases begin that only runs of this host and folder make."""
        import hashlib

        place = os.uname().nodename + "\0" + self.folder
        return _MARK + hashlib.sha256(place.encode("utf-8", "surrogateescape")).hexdigest()[:8] + "_"


def _facts(backup: Backup) -> dict[str, Any]:
    manifest, proof = backup.manifest, backup.proof
    return {
        "backup": backup.name,
        "taken": utc(backup.taken),
        "bytes": manifest["bytes"],
        "tables": len(manifest["tables"]),
        "rows": sum(manifest["tables"].values()),
        "proven": utc(proof["proven"]) if proof else None,
        "proof_seconds": proof.get("seconds") if proof else None,
    }
