"""Series of daily values in a table: how complete they are, and what is wrong in them."""

from __future__ import annotations

from opslib.host.params import ParamError, Text, shown

from .session import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from .session import Session

MOST_ROWS = 200
MOST_DAYS = 5

# $1: names of series as a JSON list, or NULL for all; $2: least days; $3: longest gap; $4: greatest age, or NULL.
_HEAD = """WITH asked AS (SELECT json_array_elements_text($1::json) AS series),
days AS (
    SELECT %(series)s AS series, (%(day)s)::date AS day, count(*) AS records,
        count(*) FILTER (WHERE (%(value)s)::float8 = 'NaN') AS nans,
        count(*) FILTER (WHERE (%(value)s)::float8 IN ('Infinity', '-Infinity')) AS infinite,
        count(*) FILTER (WHERE %(value)s IS NULL) AS nulls,
        count(*) FILTER (WHERE (%(value)s)::float8 < 0 AND (%(value)s)::float8 > '-Infinity') AS negative
    FROM %(table)s WHERE $1::json IS NULL OR %(series)s IN (SELECT series FROM asked) GROUP BY 1, 2),
steps AS (SELECT *, coalesce(day - lag(day) OVER (PARTITION BY series ORDER BY day) - 1, 0) AS gap FROM days),
"""
_TAIL = """per AS (
    SELECT series, count(*)::int AS days, sum(records)::int AS records, min(day) AS first_day, max(day) AS last_day,
        (current_date - max(day))::int AS age_days, sum(nans)::int AS nans, sum(infinite)::int AS infinite,
        sum(nulls)::int AS nulls, sum(negative)::int AS negative, sum(gap)::int AS missing_days,
        max(gap)::int AS longest_gap_days,
        (array_agg(day ORDER BY day) FILTER (WHERE nans + infinite + nulls > 0))[1:%(most)s] AS bad_days,
        (array_agg(day - gap::int ORDER BY gap DESC, day) FILTER (WHERE gap > 0))[1] AS gap_from
    FROM steps GROUP BY series),
judged AS (SELECT *, nans + infinite + nulls > 0 AS broken, days < $2::int AS few,
    longest_gap_days > $3::int AS gappy, coalesce(age_days > $4::int, false) AS old FROM per)
SELECT json_build_object('series', count(*), 'records', coalesce(sum(records), 0),
    'broken', count(*) FILTER (WHERE broken),
    'few', count(*) FILTER (WHERE few), 'gappy', count(*) FILTER (WHERE gappy), 'old', count(*) FILTER (WHERE old),
    'rows', (SELECT coalesce(json_agg(r), '[]') FROM (SELECT * FROM judged
        WHERE broken OR few OR gappy OR old OR $1::json IS NOT NULL
        ORDER BY broken DESC, gappy DESC, old DESC, few DESC, series LIMIT %(rows)s) AS r)) FROM judged"""


class TableName(Text):
    """A table's name, perhaps with its schema's in front."""

    def __init__(self) -> None:
        super().__init__("table name such as job_runs or app.job_runs")

    def check(self, value: str) -> str:
        parts = value.split(".")
        if len(parts) > 2 or any(not part or len(part) > 63 for part in parts):
            raise ParamError("%s is no %s" % (shown(value), self.label))
        return value


def look(
    session: Session,
    table: str,
    columns: tuple[str, str, str | None],
    names: Sequence[str],
    *,
    least: int,
    gap: int,
    age: int | None,
    timeout: float,
) -> dict[str, Any]:
    """Return counts of series and, as `rows`, those with something wrong, and all that were named.

    columns: of the day, the value and the series' name (None: the whole table is one series).
    """
    import json

    day, value, series = columns
    words = {
        "table": ".".join(map(quoted, table.split("."))),
        "day": quoted(day),
        "value": quoted(value),
        "series": quoted(series) + "::text" if series else "''::text",
        "most": str(MOST_DAYS),
        "rows": str(MOST_ROWS),
    }
    asked = json.dumps(list(names)) if names else None
    found = session.json((_HEAD + _TAIL) % words, asked, least, gap, age, timeout=timeout)
    return dict(found)
