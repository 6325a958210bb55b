"""Check the quality of daily values in a table."""

from __future__ import annotations

from opslib.host.params import Duration, ListOf, Number, Text
from opslib.host.plan import Plan
from opslib.host.postgres import series
from opslib.host.postgres.settings import PostgresTask
from opslib.host.task import param
from opslib.host.words import count, listed, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_COLUMN = "column name"


class SeriesQuality(PostgresTask, name="series_quality"):
    """Check daily values in a PostgreSQL table: enough days, no gaps, nothing that is no number, nothing too old.

    A forecast needs a history without faults. Each value of `series_column` (a user, an account) has a series of its
    own; without that column the whole table is one. Values that are NaN, infinite or NULL, and gaps longer than
    `max_gap` days, fail the check for any series. Too few days, and a newest record older than `max_age` days, fail it
    for a series named in `series`, and are warnings when all are looked at: there are always new users. Negative
    values are a warning. Everything is counted by the server; the table is read once.

    data: `series` (how many), `records`, `broken`, `few`, `gappy`, `old` (how many series are so), `rows`, at most 200,
    the worst first (`series`, `days`, `records`, `first_day`, `last_day`, `age_days`, `nans`, `infinite`, `nulls`,
    `negative`, `missing_days`, `longest_gap_days`, `gap_from`, `bad_days`), `unknown` (named series without records).

    Errors: the database cannot be reached or read, no such table or column, values that are no numbers at all.
    """

    table: str = param(series.TableName(), "Table with the records.", example="cost_records")
    day_column: str = param(Text(_COLUMN), "Column with the day, or a time.", default="day")
    value_column: str = param(Text(_COLUMN), "Column with the value.", example="cost_usd")
    series_column: str | None = param(Text(_COLUMN), "Column that tells series apart.", default=None, example="user_id")
    series: list[str] = param(
        ListOf(Text("name of a series"), longest=200),
        "Look at these series only, and expect them to have records; all when empty.",
        default=[],
        example=["alice"],
    )
    least_days: int = param(Number(1, 36500, whole=True), "Days with records that a series must have.", default=30)
    max_gap: int = param(Number(0, 36500, whole=True), "Missing days in a row that are no fault.", default=2)
    max_age: int | None = param(
        Number(0, 36500, whole=True), "Days that the newest record may be old.", default=None, example=2
    )
    timeout: float = param(Duration(low=0.1), "Seconds that the query may take.", default=60)

    def check(self) -> None:
        super().check()
        if self.series and self.series_column is None:
            self.refuse("series names rows of a column; give series_column")

    def probe(self) -> dict[str, Any]:
        settings = self.settings()
        columns = (self.day_column, self.value_column, self.series_column)
        with self.connect(settings) as session:
            return series.look(
                session,
                self.table,
                columns,
                self.series,
                least=self.least_days,
                gap=self.max_gap,
                age=self.max_age,
                timeout=self.timeout,
            )

    def plan(self, state: dict[str, Any]) -> Plan:
        rows = state["rows"]
        known = [row["series"] for row in rows]
        unknown = [name for name in self.series if name not in known] if len(known) < series.MOST_ROWS else []
        data = dict(state, unknown=[printable(name) for name in unknown])
        data["rows"] = [dict(row, series=printable(row["series"])) for row in rows]
        failures = [self._named(name) + "has no records" for name in unknown]
        warnings = []
        for row in rows:
            who = self._named(row["series"])
            bad, doubtful = self._faults(row)
            failures += [who + fault for fault in bad]
            warnings += [who + fault for fault in doubtful]
        if not state["series"] and not self.series:
            failures.append("%s has no records" % printable(self.table))
        if len(warnings) > 10:
            warnings = [*warnings[:10], "and %d more" % (len(warnings) - 10)]
        if failures:
            return Plan(failure=listed(failures, 10), warnings=warnings, data=data)
        words = "%s: %s of %s without a fault" if not warnings else "%s: %s of %s can be used"
        what = (printable(self.table), count(int(state["records"]), "record"), _series(int(state["series"])))
        return Plan(reason=words % what, warnings=warnings, data=data)

    def _named(self, name: str) -> str:
        return "%s %s: " % (printable(self.series_column), printable(name)) if self.series_column else ""

    def _faults(self, row: dict[str, Any]) -> tuple[list[str], list[str]]:
        """Return what is wrong with a series, and what is doubtful."""
        bad: list[str] = []
        doubtful: list[str] = []
        kinds = [("nans", "NaN"), ("infinite", "infinite"), ("nulls", "NULL")]
        found = ["%d %s" % (row[key], word) for key, word in kinds if row[key]]
        if found:
            number = sum(row[key] for key, _word in kinds)
            days = ", ".join(str(day) for day in row["bad_days"] or [])
            what = "1 value is no number" if number == 1 else "%d values are no numbers" % number
            bad.append("%s (%s), on %s" % (what, ", ".join(found), days))
        if row["longest_gap_days"] > self.max_gap:
            bad.append("%s missing from %s on" % (_days(row["longest_gap_days"]), row["gap_from"]))
        part = bad if self.series or self.series_column is None else doubtful
        if row["days"] < self.least_days:
            part.append("%s of records only, %d are needed" % (_days(row["days"]), self.least_days))
        if self.max_age is not None and row["age_days"] > self.max_age:
            part.append("the newest record is %s old, of %s" % (_days(row["age_days"]), row["last_day"]))
        if row["negative"]:
            doubtful.append(
                "%s negative" % ("1 value is" if row["negative"] == 1 else "%d values are" % row["negative"])
            )
        return bad, doubtful


def _days(number: int) -> str:
    return count(number, "day")


def _series(number: int) -> str:
    return "1 series" if number == 1 else "%d series" % number
