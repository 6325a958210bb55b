"""Refresh materialized views of a PostgreSQL database."""

from __future__ import annotations

import time

from opslib.host.params import Duration, ListOf
from opslib.host.plan import ACTION, Change, Plan
from opslib.host.postgres.session import quoted
from opslib.host.postgres.settings import Label, PostgresTask
from opslib.host.task import TaskError, param
from opslib.host.words import count as counted
from opslib.host.words import printable, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

_MOST = 1000
# A unique index serves REFRESH ... CONCURRENTLY when it covers all rows, by columns alone.
_VIEWS = """
SELECT c.oid::bigint, n.nspname, c.relname, c.relispopulated, pg_total_relation_size(c.oid),
  pg_has_role(c.relowner, 'USAGE'), (SELECT min(i.indexrelid::regclass::text) FROM pg_catalog.pg_index i
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
    AND i.indexprs IS NULL)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' ORDER BY 2, 3
"""
# Which materialized view reads which, also through ordinary views.
_READS = """
WITH RECURSIVE reads(reader, source) AS (
  SELECT DISTINCT r.ev_class, d.refobjid FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
  JOIN pg_catalog.pg_class s ON s.oid = d.refobjid AND s.relkind IN ('m', 'v')
  WHERE d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class
), deep(reader, source) AS (
  SELECT reader, source FROM reads
  UNION SELECT deep.reader, reads.source FROM deep JOIN reads ON reads.reader = deep.source
)
SELECT reader::bigint, source::bigint FROM deep JOIN pg_catalog.pg_class a ON a.oid = reader AND a.relkind = 'm'
JOIN pg_catalog.pg_class b ON b.oid = source AND b.relkind = 'm'
"""


class PostgresRefresh(PostgresTask, name="postgres_refresh"):
    """Refresh materialized views, without locking readers out where the view allows it.

    A view with a unique index over all its rows, and that was filled before, is refreshed CONCURRENTLY: who reads it
    goes on reading. Any other is refreshed plainly, which locks readers out meanwhile; the result says why. A view that
    reads another one comes after it. The first failure ends the run.

    data: `views`: `name`, `method` (concurrently or plain), `why` (plain is all there is), `index`, `size_bytes`, and
    once refreshed `seconds`; in the order of refreshing.

    Errors: no such view, the role is not its owner, a lock is not had within `lock_timeout`, a refresh takes too long
    or fails. Source: REFRESH MATERIALIZED VIEW in PostgreSQL's documentation.
    """

    views: list[str] | None = param(
        ListOf(Label("name of a materialized view"), empty=False, longest=_MOST),
        "Views to refresh, as SCHEMA.VIEW, or VIEW in schema public; by default all of the database.",
        default=None,
        example=["daily_costs"],
    )
    lock_timeout: float = param(Duration(low=0.001), "Seconds to wait for others to let go of a view.", default="30s")
    timeout: float = param(Duration(low=1), "Seconds that refreshing one view may take.", default="30m")

    _seconds: Any = None

    def probe(self) -> dict[str, Any]:
        settings = self.settings()
        with self.connect(settings) as session:
            rows = session.rows(_VIEWS)
            reads = [(int(a or 0), int(b or 0)) for a, b in session.rows(_READS)]
        views = [
            {
                "oid": int(row[0] or 0),
                "schema": row[1],
                "view": row[2],
                "populated": row[3] == "t",
                "size_bytes": int(row[4] or 0),
                "mine": row[5] == "t",
                "index": row[6],
            }
            for row in rows
        ]
        return {"views": views, "reads": reads, "seconds": dict(self._seconds or {}), "user": settings.user}

    def plan(self, state: dict[str, Any]) -> Plan:
        found = {name_of(view): view for view in state["views"]}
        asked = [view if view in found else "public." + view for view in self.views or found]
        missing = [name for name in asked if name not in found]
        data: dict[str, Any] = {"views": []}
        if missing:
            words = "there is no materialized view %s; there are %s"
            known = ", ".join(printable(name) for name in sorted(found)[:20]) or "none"
            return Plan(failure=words % (printable(missing[0].replace("public.", "", 1)), known), data=data)
        chosen = ordered([found[name] for name in dict.fromkeys(asked)], state["reads"])
        changes = []
        for view in chosen:
            name, why = name_of(view), plainly(view)
            row = {"name": name, "method": "plain" if why else "concurrently", "why": why, "index": view["index"]}
            row["size_bytes"] = view["size_bytes"]
            if name in state["seconds"]:
                row["seconds"] = state["seconds"][name]
            data["views"].append(row)
            if not view["mine"]:
                words = "role %s is not the owner of %s, and only its owner may refresh it"
                return Plan(failure=words % (printable(state["user"]), printable(name)), data=data)
            words = "refresh %s (%s) %s" % (printable(name), size(view["size_bytes"]), row["method"])
            words = "%s: %s" % (words.replace(" plain", " plainly"), why) if why else words
            changes.append(Change(kind=ACTION, summary=words, detail=view))
        if state["seconds"]:
            changes = []
        return Plan(changes=changes, reason="" if changes else _reason(state, chosen), data=data)

    def apply(self, change: Change) -> None:
        view = change.detail
        began = time.monotonic()
        with self.connect(self.settings()) as session:
            session.rows("SELECT set_config('lock_timeout', $1, false)", "%dms" % max(self.lock_timeout * 1000, 1))
            session.rows("SELECT set_config('statement_timeout', $1, false)", "%dms" % (self.timeout * 1000))
            words = "" if plainly(view) else "CONCURRENTLY "
            sql = "REFRESH MATERIALIZED VIEW %s%s.%s" % (words, quoted(view["schema"]), quoted(view["view"]))
            try:
                session.rows(sql, timeout=self.timeout + 5)
            except TaskError as error:
                words = "whether %s was refreshed is not known: %s" if session.closed else "%s was not refreshed: %s"
                raise TaskError(words % (printable(name_of(view)), error)) from None
        seconds = dict(self._seconds or {}, **{name_of(view): round(time.monotonic() - began, 3)})
        object.__setattr__(self, "_seconds", seconds)


def name_of(view: dict[str, Any]) -> str:
    """Return how a view is called in parameters and results."""
    return "%s.%s" % (view["schema"], view["view"])


def plainly(view: dict[str, Any]) -> str:
    """Return why a view cannot be refreshed concurrently, or an empty string."""
    if not view["populated"]:
        return "it was never filled"
    return "" if view["index"] else "it has no unique index over all its rows, so readers wait"


def ordered(views: Sequence[dict[str, Any]], reads: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    """Return views so that each comes after those it reads. reads: pairs of reader and source, at any distance."""
    rank = {view["oid"]: 0 for view in views}
    for reader, source in reads:
        if reader in rank and source in rank:
            rank[reader] += 1  # a reader reads at least one view more than any view it reads
    return sorted(views, key=lambda view: rank[view["oid"]])


def _reason(state: dict[str, Any], chosen: Sequence[dict[str, Any]]) -> str:
    if state["seconds"]:
        return "%s refreshed" % counted(len(state["seconds"]), "view")
    return "there is no materialized view to refresh" if not chosen else ""
