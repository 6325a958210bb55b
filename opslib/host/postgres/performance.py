"""What PostgreSQL's statistics tell of statements, tables and indexes."""

from __future__ import annotations

from opslib.host.record import Record

from .faults import PostgresError
from .session import quoted
from .statements import folded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .session import Session

READY = "ready"
_ADVICE = {
    "missing": "pg_stat_statements is not installed on the server (package postgresql-contrib)",
    "not created": "slow statements are not recorded here: run CREATE EXTENSION pg_stat_statements in this database",
    "not loaded": "slow statements are not recorded: set shared_preload_libraries = 'pg_stat_statements' in "
    "postgresql.conf, restart PostgreSQL, then run CREATE EXTENSION pg_stat_statements in this database",
    "no permission": "the role may not see the statements of others: GRANT pg_read_all_stats TO the role",
}
_EXTENSION = """
SELECT json_build_object(
  'schema', (SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'pg_stat_statements'),
  'available', EXISTS (SELECT 1 FROM pg_catalog.pg_available_extensions WHERE name = 'pg_stat_statements'),
  'loaded', EXISTS (SELECT 1 FROM pg_catalog.pg_settings WHERE name = 'pg_stat_statements.max'))
"""
# Columns have other names before version 13; as JSON both can be asked for.
_SLOW = """
WITH told AS (
  SELECT to_jsonb(s) AS s FROM %s.pg_stat_statements s
  WHERE s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
), timed AS (
  SELECT s->>'query' AS query, (s->>'calls')::bigint AS calls, (s->>'rows')::bigint AS rows,
    coalesce(s->>'mean_exec_time', s->>'mean_time')::float8 / 1000 AS mean,
    coalesce(s->>'total_exec_time', s->>'total_time')::float8 / 1000 AS total FROM told
)
SELECT query, calls, rows, mean, total, count(*) OVER () FROM timed WHERE mean >= $1::float8
ORDER BY mean DESC, total DESC LIMIT $2::int
"""
_RUNNING = """
SELECT pid, usename, state, extract(epoch FROM clock_timestamp() - query_start), wait_event_type, query
FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state IN ('active', 'idle in transaction')
AND clock_timestamp() - query_start >= make_interval(secs => $1::float8) ORDER BY query_start LIMIT $2::int
"""
_SCANS = """
SELECT schemaname || '.' || relname, pg_relation_size(relid), n_live_tup, seq_scan, seq_tup_read, coalesce(idx_scan, 0)
FROM pg_catalog.pg_stat_user_tables WHERE seq_scan > 0 AND pg_relation_size(relid) >= $1::bigint
ORDER BY seq_tup_read DESC LIMIT $2::int
"""
_UNUSED = """
SELECT s.schemaname || '.' || s.indexrelname, s.schemaname || '.' || s.relname, pg_relation_size(s.indexrelid)
FROM pg_catalog.pg_stat_user_indexes s JOIN pg_catalog.pg_index i ON i.indexrelid = s.indexrelid
WHERE s.idx_scan = 0 AND NOT i.indisunique AND NOT i.indisprimary AND pg_relation_size(s.indexrelid) >= $1::bigint
AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint c WHERE c.conindid = s.indexrelid)
ORDER BY 3 DESC LIMIT $2::int
"""
_MISSING = """
SELECT n.nspname || '.' || t.relname, (SELECT string_agg(a.attname, ', ' ORDER BY k.place)
  FROM unnest(c.conkey) WITH ORDINALITY k(attnum, place)
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum), c.conname, pg_relation_size(t.oid)
FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE c.contype = 'f' AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = c.conrelid
  AND i.indisvalid AND i.indpred IS NULL AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)
ORDER BY 4 DESC, 1, 3 LIMIT $1::int
"""
_AGE = """
SELECT extract(epoch FROM clock_timestamp() - stats_reset) FROM pg_catalog.pg_stat_database
WHERE datname = current_database()
"""


class Limits(Record):
    """From where on things count. slow: seconds; top: items of a list; table, index: bytes."""

    slow: float
    top: int
    table: int
    index: int


def look(session: Session, limits: Limits) -> dict[str, Any]:
    """Return what `data` of the task holds."""
    top = limits.top
    state, slow, number = _slow(session, limits)
    age = session.value(_AGE)
    running = session.rows(_RUNNING, limits.slow, top)
    scans = session.rows(_SCANS, limits.table, top)
    return {
        "extension": state,
        "advice": _ADVICE.get(state, ""),
        "slow": slow,
        "slow_count": number,
        "running": [
            {
                "pid": int(row[0] or 0),
                "user": row[1],
                "state": row[2],
                "seconds": round(float(row[3] or 0), 3),
                "waits_for": row[4],
                "query": folded(row[5] or ""),
            }
            for row in running
        ],
        "sequential_scans": [
            dict(zip(("size_bytes", "rows", "scans", "rows_read", "index_scans"), map(_int, row[1:])), table=row[0])
            for row in scans
        ],
        "unused_indexes": [
            {"index": row[0], "table": row[1], "size_bytes": _int(row[2])}
            for row in session.rows(_UNUSED, limits.index, top)
        ],
        "missing_indexes": [
            {"table": row[0], "columns": row[1], "constraint": row[2], "size_bytes": _int(row[3])}
            for row in session.rows(_MISSING, top)
        ],
        "statistics_age_seconds": None if age is None else int(float(age)),
    }


def _slow(session: Session, limits: Limits) -> tuple[str, list[dict[str, Any]], int]:
    """Return whether statements are recorded, the slow ones, and how many they are."""
    found = session.json(_EXTENSION)
    if not found["schema"]:
        if not found["available"]:
            return "missing", [], 0
        return "not created" if found["loaded"] else "not loaded", [], 0
    try:
        rows = session.rows(_SLOW % quoted(found["schema"]), limits.slow, limits.top)
    except PostgresError as error:
        if error.code == "55000":
            return "not loaded", [], 0
        if error.code == "42501":
            return "no permission", [], 0
        raise
    hidden = [row for row in rows if row[0] in (None, "<insufficient privilege>")]
    slow = [
        {
            "query": folded(row[0] or ""),
            "calls": _int(row[1]),
            "mean_seconds": round(float(row[3] or 0), 4),
            "total_seconds": round(float(row[4] or 0), 3),
            "rows": _int(row[2]),
        }
        for row in rows
    ]
    return "no permission" if hidden and len(hidden) == len(rows) else READY, slow, _int(rows[0][5]) if rows else 0


def _int(text: str | None) -> int:
    return int(text or 0)
