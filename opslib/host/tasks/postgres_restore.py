"""Restore a PostgreSQL database from a backup."""

from __future__ import annotations

import os
import time

from opslib.host.files import tree
from opslib.host.params import Boolean, Choice, Duration, ListOf, Path, Size, Text
from opslib.host.plan import ACTION, MODIFY, Change, Plan
from opslib.host.postgres import catalog, programs, restoring, store
from opslib.host.postgres.restoring import RESTORED, RESTORING, Work
from opslib.host.postgres.settings import PostgresTask
from opslib.host.postgres.words import span
from opslib.host.task import param
from opslib.host.units import systemd
from opslib.host.words import count as counted
from opslib.host.words import printable, size, utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from opslib.host.postgres.store import Backup

_OTHERS = """
SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()
"""


class PostgresRestore(PostgresTask, name="postgres_restore"):
    """Restore a PostgreSQL database from a backup that `postgres_backup` made, without ever serving half of it.

    In this order: the units in `units` that run are stopped; what the database holds now is backed up
    (`DATABASE-safety-….dump`, never taken for a restore unless named, and never removed); the backup is restored into
    a new database, with the owner, settings and rights of the old one, and analyzed; each table must have the number of
    rows that the manifest says; the two databases exchange names in one transaction, which cuts off whoever is still
    connected; the units are started and watched; the old database is dropped, unless `keep_old`. Whenever one of these
    fails, the old data is where it was and the units are started again. What has become of an exchange during which the
    connection was lost is asked over another one; the error says so where nobody answers. Such a run, and a killed one,
    leaves a note beside the backups; the next run starts the units that it had stopped and drops what it left, then
    goes on.

    Where the role may not create databases, `method: in_place` restores over the objects that are there, in one
    transaction; objects that are not in the backup stay, and extensions are left as they are. A restore is done once:
    as long as the database is the one that was made from this backup, it is not made again, unless `again`. A missing
    database is created.

    data: `database`, `backup` (name), `taken` (UTC), `taken_age_seconds`, `tables`, `rows`, `units` (name to state),
    `other_connections`, `restored` (UTC, when this backup was restored and still is, or null); what this run did:
    `safety_backup` (path or null), `old_database` (name, when kept), `seconds`.

    Errors: no such backup, a broken one, a newest one dated in the future (name one then), a unit that is unknown or
    does not stop or start, too little space for the safety backup, an error of pg_restore, other numbers of rows.
    Sources: pg_restore(1), ALTER DATABASE.
    """

    folder: str = param(Path(), "Folder that holds the backups.", example="/var/backups/postgres")
    backup: str | None = param(
        Text("name of a backup"),
        "Backup to restore; by default the newest.",
        default=None,
        example="app-20250131-040500",
    )
    units: list[str] = param(
        ListOf(systemd.UnitName(), longest=50),
        "Systemd units that write to the database, in the order in which they are stopped.",
        default=[],
        example=["app.service"],
    )
    method: str = param(
        Choice("swap", "in_place"),
        "Restore into a new database and exchange names, or over what is there.",
        default="swap",
    )
    safety: bool = param(Boolean(), "Whether to back up first what the database holds now.", default=True)
    keep_old: bool = param(
        Boolean(), "Whether to keep the old database, as DATABASE_before_YYYYMMDD_HHMMSS.", default=False
    )
    again: bool = param(Boolean(), "Whether to restore even what was restored from this backup already.", default=False)
    keep_free: int = param(Size(), "Bytes that the safety backup must leave free in the folder.", default="256M")
    settle: float = param(Duration(), "Seconds that each unit must stay up once started.", default=3)
    start_timeout: float = param(Duration(low=0.1), "Seconds in which each unit must start or stop.", default=90)
    timeout: float = param(Duration(low=1), "Seconds that the restore may take, without the units.", default="2h")

    _outcome: Any = None

    def check(self) -> None:
        super().check()
        if self.backup is not None and (self.database is None or not store.is_ours(self.backup, self.database)):
            self.refuse("give database, and as backup the name of one of its backups, such as app-20250131-040500")
        if self.method == "in_place" and self.keep_old:
            self.refuse("keep_old is for method swap; in place there is no old database to keep")
        if len(set(self.units)) < len(self.units):
            self.refuse("units names one unit twice")

    def probe(self) -> dict[str, Any]:
        settings = self.settings()
        programs.find("pg_restore")
        with self.connect(settings.to(self._maintenance(settings.database))) as session:
            me = catalog.myself(session)
            found = catalog.database(session, settings.database)
            others = int(session.value(_OTHERS, settings.database) or 0)
        kept = store.look(self.folder, settings.database)
        restored = note = None
        if kept.exists:
            folder = tree.open_folder(self.folder)
            try:
                restored = store.read_json(folder, store.stem(settings.database) + RESTORED)
                note = store.read_json(folder, store.stem(settings.database) + RESTORING)
            finally:
                os.close(folder)
        return {
            "now": time.time(),
            "settings": settings,
            "me": me,
            "found": found,
            "others": others,
            "store": kept,
            "restored": restored,
            "note": note,
            "units": {name: systemd.show(name) for name in [*self.units, *_stopped(note)]},
            "outcome": self._outcome or {},
        }

    def plan(self, state: dict[str, Any]) -> Plan:
        kept, settings, outcome = state["store"], state["settings"], state["outcome"]
        name = printable(settings.database)
        choice = kept.backups[:1] if self.backup is None else [*kept.backups, *kept.safety]
        chosen = [each for each in choice if self.backup in (None, each.name)]
        data: dict[str, Any] = {
            "database": settings.database,
            "backup": None,
            "units": {unit: shown.active for unit, shown in state["units"].items()},
            "other_connections": state["others"],
            "safety_backup": outcome.get("safety_backup"),
            "old_database": outcome.get("old_database"),
            "seconds": outcome.get("seconds"),
        }
        if kept.problem or not chosen:
            words = "there is no backup %s in %s" % (self.backup or "of " + name, self.folder)
            return Plan(failure=kept.problem or words, data=data)
        backup: Backup = chosen[0]
        manifest, age = backup.manifest, max(state["now"] - backup.taken, 0)
        since = self._since(state, backup)
        data.update(backup=backup.name, taken=utc(backup.taken), taken_age_seconds=int(age))
        data.update(tables=len(manifest["tables"]), rows=sum(manifest["tables"].values()))
        data["restored"] = utc(since) if since else None
        failure = self._obstacle(state, backup)
        if not failure and self.backup is None and backup.misdated(state["now"]):
            failure = "%s; which backup is the newest is for you to say (backup)" % backup.misdated(state["now"])
        if failure:
            return Plan(failure=failure, data=data)
        running = [unit for unit in self.units if not state["units"][unit].stopped or unit in _stopped(state["note"])]
        done = bool((since and not self.again) or outcome)
        changes = list(self._recovery(state, backup, None if done else running))
        warnings = []
        if done:
            reason = "database %s was restored from backup %s %s ago; again: true restores it once more"
            reason = reason % (name, backup.name, span(max(state["now"] - (since or state["now"]), 0)))
            return Plan(changes=changes, reason="" if changes else reason, data=data)
        if state["others"] and not self.units:
            words = "%s will be cut off; give units to stop who writes"
            warnings.append(words % counted(state["others"], "connection"))
        if not state["me"]["superuser"]:
            warnings.append("role %s is no superuser: it will own what is restored" % printable(state["me"]["name"]))
        before = "%s" % size(state["found"]["size_bytes"]) if state["found"] else "no such database"
        after = "%s, %s" % (counted(data["tables"], "table"), counted(data["rows"], "row"))
        words = "restore database %s from backup %s (%s old)" % (name, backup.name, span(age))
        steps = ["stop " + unit for unit in running]
        steps += ["back up what is there"] if self.safety and state["found"] else []
        steps += ["restore beside it, verify, exchange names"] if self.method == "swap" else ["restore in place"]
        steps += ["start " + unit for unit in reversed(running)]
        kind = ACTION if self.again else MODIFY
        work = self._work(state, backup, running)
        summary = "%s: %s" % (words, ", ".join(steps))
        changes.append(Change(kind=kind, summary=summary, before=before, after=after, detail=work))
        return Plan(changes=changes, warnings=warnings, data=data)

    def _since(self, state: dict[str, Any], backup: Backup) -> float | None:
        """Return when the database was made from this backup, if it still is that database."""
        restored, found = state["restored"] or {}, state["found"] or {}
        if restored.get("sha256") != backup.manifest["sha256"] or not found or restored.get("oid") != found["oid"]:
            return None
        return float(restored["restored"])

    def _obstacle(self, state: dict[str, Any], backup: Backup) -> str:
        me = state["me"]
        if backup.problem:
            return "backup %s is broken: %s" % (backup.name, backup.problem)
        for name, unit in state["units"].items():
            if unit.load != "loaded":
                return "%s is %s" % (name, "not known to systemd" if unit.load == "not-found" else unit.load)
        if self.method == "swap" and not me["createdb"]:
            words = "role %s may not create databases: give system_user, or method: in_place"
            return words % printable(me["name"])
        if self.method == "in_place" and not state["found"]:
            return "there is no database %s to restore in place; method swap creates it" % state["settings"].database
        return ""

    def _recovery(self, state: dict[str, Any], backup: Backup, later: list[str] | None) -> Any:
        """Yield what a run that was cut short makes necessary. later: units of a restore that follows, None: none does.

        Those are started at its end only: they may be down for want of the data that it brings back.
        """
        note = state["note"]
        if note is not None:
            units = [unit for unit in _stopped(note) if unit not in (later or ())]
            words = "put right what a restore that was cut short left"
            words += ": start " + ", ".join(reversed(units)) if units else ""
            work = self._work(state, backup, units)
            detail = {"note": note, "work": work, "goes_on": later is not None}
            yield Change(kind=MODIFY, summary=words, detail=detail)

    def _work(self, state: dict[str, Any], backup: Backup, units: list[str]) -> Work:
        settings = state["settings"]
        return Work(
            settings=settings,
            maintenance=settings.to(self._maintenance(settings.database)),
            folder=self.folder,
            backup=backup,
            units=units,
            in_place=self.method == "in_place",
            safety=self.safety,
            keep_old=self.keep_old,
            superuser=state["me"]["superuser"],
            timeout=self.timeout,
            keep_free=self.keep_free,
            settle=self.settle,
            start_timeout=self.start_timeout,
        )

    def apply(self, change: Change) -> None:
        if isinstance(change.detail, dict):
            restoring.put_right(**change.detail)
        else:
            object.__setattr__(self, "_outcome", restoring.restore(change.detail))

    def _maintenance(self, database: str) -> str:
        """Return the database to be connected to while this one is exchanged, which takes another one."""
        if self.method == "in_place":
            return database
        return "template1" if database == "postgres" else "postgres"


def _stopped(note: dict[str, Any] | None) -> list[str]:
    """Return the units that a restore that was cut short had stopped."""
    units = (note or {}).get("units")
    return [unit for unit in units if isinstance(unit, str)] if isinstance(units, list) else []
