"""Compare what is in a PostgreSQL database with a backup of it."""

from __future__ import annotations

import time

from opslib.host.params import Boolean, Duration, Path, Text
from opslib.host.plan import Plan
from opslib.host.postgres import catalog, store
from opslib.host.postgres.settings import PostgresTask
from opslib.host.postgres.words import span
from opslib.host.task import param
from opslib.host.words import count as counted
from opslib.host.words import listed, printable, utc

from .postgres_backup import MOST_LISTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from opslib.host.postgres.store import Backup

_MOST_TABLES = 200


class PostgresCompare(PostgresTask, name="postgres_compare"):
    """Tell which rows a database has lost since a backup, by counting them: what a data loss took, and what it did not.

    The rows of each table are counted now, and compared with the counts in the backup's manifest, which were taken in
    the snapshot that was dumped. A table that is missing, or has fewer rows, is a warning, or with `strict` a failure;
    rows that came since are told in the data. Rows that were replaced or changed are not seen: only a restore shows
    them. Without `backup` the newest good one is taken; which of them still has all rows is told by `backups`. Nothing
    is changed.

    data: `backup` (name), `taken` (UTC), `taken_age_seconds`, `tables`: those that differ, at most 200 (`table`,
    `before`, `now`: null when missing or new), the greatest loss first; `lost_rows` (in all), `missing_tables` (names),
    `backups`: good ones, the newest first, at most 20 (`name`, `taken`, `rows`).

    Errors: there is no backup, the database cannot be reached or read, a table stays locked for as long as `timeout`.
    """

    folder: str = param(Path(), "Folder that holds the backups.", example="/var/backups/postgres")
    backup: str | None = param(
        Text("name of a backup"),
        "Backup to compare with; by default the newest good one.",
        default=None,
        example="app-20250131-040500",
    )
    strict: bool = param(Boolean(), "Whether lost tables and rows are a failure.", default=False)
    timeout: float = param(Duration(low=1), "Seconds that counting may take.", default="10m")

    def check(self) -> None:
        super().check()
        if self.backup is not None and (self.database is None or not store.is_ours(self.backup, self.database)):
            self.refuse("give database, and as backup the name of one of its backups, such as app-20250131-040500")

    def probe(self) -> dict[str, Any]:
        settings = self.settings()
        with self.connect(settings) as session:
            rows = catalog.count_rows(session, self.timeout)
        kept = store.look(self.folder, settings.database)
        return {"now": time.time(), "database": settings.database, "store": kept, "rows": rows}

    def plan(self, state: dict[str, Any]) -> Plan:
        kept, now = state["store"], state["now"]
        good = [each for each in kept.good if not each.misdated(now)]
        told = [{"name": each.name, "taken": utc(each.taken), "rows": _rows(each)} for each in good[:MOST_LISTED]]
        data: dict[str, Any] = {"backup": None, "backups": told}
        named = [each for each in (*kept.good, *kept.safety) if each.name == self.backup and not each.problem]
        backup = next(iter(named if self.backup is not None else good), None)
        if kept.problem or backup is None:
            nothing = "there is no good backup %s in %s"
            nothing %= (self.backup or "of " + printable(state["database"]), self.folder)
            return Plan(failure=kept.problem or nothing, data=data)
        before: dict[str, int] = backup.manifest["tables"]
        rows: dict[str, int] = state["rows"]
        differ = [name for name in {*before, *rows} if before.get(name) != rows.get(name)]
        differ.sort(key=lambda name: (rows.get(name, 0) - before.get(name, 0), name))
        lost = [name for name in differ if name in before and rows.get(name, -1) < before[name]]
        data.update(
            backup=backup.name,
            taken=utc(backup.taken),
            taken_age_seconds=int(now - backup.taken),
            tables=[
                {"table": printable(name), "before": before.get(name), "now": rows.get(name)}
                for name in differ[:_MOST_TABLES]
            ],
            lost_rows=sum(before[name] - rows.get(name, 0) for name in lost),
            missing_tables=[printable(name) for name in lost if name not in rows],
        )
        since = "since backup %s (%s old)" % (backup.name, span(max(now - backup.taken, 0)))
        if not lost:
            return Plan(reason="nothing is missing %s: %s" % (since, _total(rows)), data=data)
        losses = listed([_loss(name, before, rows) for name in lost])
        words = "%s lost %s: %s" % (counted(data["lost_rows"], "row"), since, losses)
        if self.strict:
            return Plan(failure=words, data=data)
        return Plan(reason=words, warnings=[words], data=data)


def _rows(backup: Backup) -> int:
    return sum(backup.manifest["tables"].values())


def _total(rows: dict[str, int]) -> str:
    return "%s in %s" % (counted(sum(rows.values()), "row"), counted(len(rows), "table"))


def _loss(name: str, before: dict[str, int], rows: dict[str, int]) -> str:
    if name not in rows:
        return "%s is gone, which had %d" % (printable(name), before[name])
    return "%s has %d of %d" % (printable(name), rows[name], before[name])
