"""What a table of a database, with a row per run, tells of jobs."""

from __future__ import annotations

from opslib.host.logs.times import fixed
from opslib.host.postgres.session import quoted

from .runs import MOST_JOBS, Known, newest_first, run_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from opslib.host.logs.times import Clock
    from opslib.host.postgres.session import Session

PER_JOB = 20
COLUMNS = {
    "id": "id",
    "job": "job",
    "started": "started_at",
    "finished": "finished_at",
    "status": "status",
    "error": "error",
}


def look(session: Session, table: str, columns: dict[str, str], clock: Clock, zone: str) -> Known:
    """Return what a table of a database says: the newest runs of each job.

    columns: see COLUMNS; error may be ""; zone: of columns whose type has none.
    """
    session.value("SELECT set_config('TimeZone', $1, false)", _posix(zone))
    name = {key: quoted(column) for key, column in columns.items() if column}
    chosen = ["%s::text AS job" % name["job"]]
    chosen += [
        "extract(epoch FROM %s::timestamptz)::float8 AS %s" % (name[key], key)
        for key in ("started", "finished")
        if key in name
    ]
    chosen += ["left(%s::text, 1000) AS %s" % (name[key], key) for key in ("id", "status", "error") if key in name]
    chosen += [
        "row_number() OVER (PARTITION BY %s ORDER BY %s DESC NULLS LAST) AS place" % (name["job"], name["started"])
    ]
    rows_of = ["SELECT", ", ".join(chosen), "FROM", ".".join(map(quoted, table.split(".")))]
    head = "SELECT coalesce(json_agg(r ORDER BY place, job), '[]') FROM ("
    sql = " ".join([head, *rows_of, ") AS r WHERE place <= $1"])
    rows = session.json(sql, PER_JOB)[: MOST_JOBS * PER_JOB]
    return Known(runs=newest_first([run for run in [run_of(row, clock) for row in rows] if run.job]), complete=True)


def _posix(zone: str) -> str:
    """Return a zone as PostgreSQL takes it, which counts a bare offset to the west, as POSIX does."""
    offset = fixed(zone)
    if not offset:
        return zone if offset is None else "UTC"
    hours, minutes = divmod(abs(offset) // 60, 60)
    return "<%s>%s%02d:%02d" % (zone.replace(":", ""), "-" if offset > 0 else "+", hours, minutes)


def joined(page: Known, table: Known | None) -> Known:
    """Return what a health page and a table say together; of runs the table's count."""
    if table is None:
        return page
    return Known(**dict(page._values(), runs=table.runs, complete=True, zoneless=False))
