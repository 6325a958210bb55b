"""Back up a PostgreSQL database."""

from __future__ import annotations

import time

from opslib.host.files import tree
from opslib.host.files.locked import Locked
from opslib.host.params import Duration, Number, Path, Size
from opslib.host.plan import ACTION, CREATE, REMOVE, Change, Plan
from opslib.host.postgres import backup as database_backup
from opslib.host.postgres import catalog, programs, store
from opslib.host.postgres.settings import PostgresTask
from opslib.host.postgres.words import span
from opslib.host.task import param
from opslib.host.words import count as counted
from opslib.host.words import printable, size, utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

    from opslib.host.postgres.store import Backup, Store

MOST_LISTED = 20


class PostgresBackup(PostgresTask, name="postgres_backup"):
    """Back up a PostgreSQL database to a folder on the host, and keep as many backups as are wanted.

    A backup is a dump in pg_dump's custom format (mode 0600) and a manifest beside it: checksum, size, versions, and
    the number of rows of each table, counted in the very snapshot that was dumped. It is written aside, read back, and
    gets its name last, so that a run killed at any point leaves no half backup that counts; the next run removes what
    is left of it. When the newest good backup is younger than `max_age`, nothing is done.

    Older backups are removed only after a new one is complete, and only those whose manifest says that this task wrote
    them: the newest `keep` stay, and whatever is younger than `keep_for`. A backup that looks broken, or is dated in
    the future, as by a clock that was ahead, is left alone and not counted; a warning says so.

    data: `database`, `server_version`, `size_bytes` (of the database), `free_bytes` (in the folder), `newest` (path of
    the newest good dump, or null), `newest_age_seconds`, `backups` (`name`, `taken` in UTC, `bytes`, `rows`, `proven`
    in UTC or null, `problem`), at most 20, the newest first; what this run did: `made` (path or null), `removed`
    (names of backups).

    Errors: the database cannot be reached or read, pg_dump is missing or older than the server, a table stays locked
    for a minute, time or space runs out. Sources: pg_dump(1), pg_export_snapshot in PostgreSQL's documentation.
    """

    folder: str = param(
        Path(), "Folder for the backups, made (mode 0700) when missing.", example="/var/backups/postgres"
    )
    max_age: float = param(
        Duration(), "Back up when the newest good backup is older than this, in seconds; 0 for always.", default="15m"
    )
    keep: int = param(Number(1, 10000, whole=True), "How many of the newest good backups always stay.", default=7)
    keep_for: float = param(Duration(), "Age in seconds below which no backup is removed.", default=0, example="30d")
    keep_free: int = param(
        Size(), "Bytes that must stay free on the file system of the folder.", default="256M", example="2G"
    )
    timeout: float = param(Duration(low=1), "Seconds that counting and dumping may take.", default="1h")

    _outcome: Any = None

    def probe(self) -> dict[str, Any]:
        outcome = self._outcome or {"made": None, "removed": []}
        settings = self.settings()
        programs.find("pg_dump")
        with self.connect(settings) as session:
            found = catalog.database(session, settings.database) or {}
            version = session.parameters.get("server_version", "")
        return {
            "now": outcome.get("now") or time.time(),
            "database": settings.database,
            "version": version,
            "size": found.get("size_bytes", 0),
            "store": store.look(self.folder, settings.database),
            "outcome": outcome,
        }

    def plan(self, state: dict[str, Any]) -> Plan:
        kept: Store = state["store"]
        now, made = state["now"], state["outcome"]["made"]
        good = [backup for backup in kept.good if not backup.misdated(now)]
        age = now - good[0].taken if good else None
        data = {
            "database": state["database"],
            "server_version": state["version"],
            "size_bytes": state["size"],
            "free_bytes": kept.free_bytes,
            "newest": "%s/%s" % (self.folder, good[0].dump) if good else None,
            "newest_age_seconds": None if age is None else int(age),
            "backups": [shown(backup) for backup in kept.backups[:MOST_LISTED]],
            "made": made,
            "removed": state["outcome"]["removed"],
        }
        wrong = ("%s: %s" % (each.name, each.problem) if each.problem else each.misdated(now) for each in kept.backups)
        warnings = list(filter(None, wrong))[:MOST_LISTED]
        due = not made and (age is None or age >= self.max_age)
        failure = kept.problem or self._short_of_space(kept, due)
        if failure:
            return Plan(failure=failure, warnings=warnings, data=data)
        changes = list(self._changes(state, good, due))
        reason = (
            ""
            if changes or age is None
            else "database %s was backed up %s ago to %s"
            % (
                printable(state["database"]),
                span(max(age, 0)),
                data["newest"],
            )
        )
        return Plan(changes=changes, reason=reason, warnings=warnings, data=data)

    def _short_of_space(self, kept: Store, due: bool) -> str:
        last = kept.good[0].manifest["bytes"] if kept.good else 0
        if not due or kept.free_bytes >= last + self.keep_free:
            return ""
        words = "%s has %s free; a backup takes about %s, and %s must stay free (keep_free)"
        return words % (self.folder, size(kept.free_bytes), size(last), size(self.keep_free))

    def _changes(self, state: dict[str, Any], good: list[Backup], due: bool) -> Iterator[Change]:
        kept, now = state["store"], state["now"]
        for name in kept.leftovers:
            summary = "remove %s/%s, left by a run that was cut short" % (self.folder, name)
            yield Change(kind=REMOVE, summary=summary, detail={"leftover": name})
        if due:
            if not kept.exists:
                yield Change(kind=CREATE, summary="make folder %s" % self.folder, after="mode 0700", detail={})
            words = "back up database %s (%s) to %s" % (printable(state["database"]), size(state["size"]), self.folder)
            kind = CREATE if self.max_age else ACTION
            yield Change(kind=kind, summary=words, detail={"now": now})
        after = [None, *good] if due else list(good)
        old = [backup for backup in after[self.keep :] if backup and now - backup.taken >= self.keep_for]
        for backup in old:
            words = "remove backup %s, %s old: %s stay" % (
                backup.name,
                span(now - backup.taken),
                counted(len(after) - len(old), "newer one"),
            )
            yield Change(kind=REMOVE, summary=words, before=size(backup.manifest["bytes"]), detail={"backup": backup})

    def apply(self, change: Change) -> None:
        detail = change.detail
        if not detail:
            store.make(self.folder)
            return
        with Locked(self.folder) as folder:
            if "leftover" in detail:
                if detail["leftover"] in store.look(self.folder, self.settings().database).leftovers:
                    tree.remove(folder, detail["leftover"])  # and not completed meanwhile by the run that wrote it
            elif "backup" in detail:
                store.discard(folder, detail["backup"])
                self._note(removed=[*(self._outcome or {}).get("removed", ()), detail["backup"].name])
            else:
                manifest = database_backup.make(
                    self.settings(), folder, now=detail["now"], timeout=self.timeout, keep_free=self.keep_free
                )
                self._note(now=detail["now"], made="%s/%s.dump" % (self.folder, manifest["name"]))

    def _note(self, **what: Any) -> None:
        """Keep what was done, for the second look to tell."""
        outcome = dict(self._outcome or {"made": None, "removed": []}, **what)
        object.__setattr__(self, "_outcome", outcome)


def shown(backup: Backup) -> dict[str, Any]:
    """Return what `data` says of a backup."""
    manifest, proof = backup.manifest, backup.proof
    return {
        "name": backup.name,
        "taken": utc(backup.taken),
        "bytes": manifest["bytes"],
        "rows": sum(manifest["tables"].values()),
        "proven": utc(proof["proven"]) if proof else None,
        "problem": backup.problem,
    }
