"""Find what makes a PostgreSQL database slow."""

from __future__ import annotations

from opslib.host.params import Duration, Number, Size
from opslib.host.plan import Plan
from opslib.host.postgres import performance
from opslib.host.postgres.settings import PostgresTask
from opslib.host.task import param
from opslib.host.words import count as counted
from opslib.host.words import size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_YOUNG = 7 * 86400


class PostgresQueries(PostgresTask, name="postgres_queries"):
    """Find slow statements, big tables that are read whole, and indexes that are missing or of no use.

    Slow statements come from the extension pg_stat_statements; where it is not there, the result says how to get it.
    Values in statements are never shown. Nothing is changed, and no client program is needed on the host.

    data: `extension` (ready, missing, not created, not loaded, no permission) and `advice`; `slow` (slower than
    `slow` on average: `query`, `calls`, `mean_seconds`, `total_seconds`, `rows`), `slow_count`; `running` (now, for
    longer than `slow`: `pid`, `user`, `state`, `seconds`, `waits_for`, `query`); `sequential_scans` (tables of at least
    `min_table` bytes: `table`, `size_bytes`, `rows`, `scans`, `rows_read`, `index_scans`); `unused_indexes` (neither
    unique nor used since `statistics_since`: `index`, `table`, `size_bytes`); `missing_indexes` (foreign keys that no
    index serves: `table`, `columns`, `constraint`, `size_bytes`); `statistics_age_seconds`. Each list has at most `top`
    items, the worst first.

    Errors: the database cannot be reached. Sources: "The Cumulative Statistics System" and "pg_stat_statements" in
    PostgreSQL's documentation.
    """

    slow: float = param(Duration(low=0.001), "Mean time in seconds from which a statement is slow.", default="1s")
    fail: int | None = param(
        Number(0, 1000000, whole=True), "Fail when more statements than this are slow.", default=None, example=5
    )
    top: int = param(Number(1, 1000, whole=True), "How many items each list has at most.", default=10)
    min_table: int = param(Size(), "Bytes from which a table that is read whole counts.", default="10M")
    min_index: int = param(Size(), "Bytes from which an unused index counts.", default="1M")

    def probe(self) -> dict[str, Any]:
        with self.connect(self.settings()) as session:
            limits = performance.Limits(slow=self.slow, top=self.top, table=self.min_table, index=self.min_index)
            return performance.look(session, limits)

    def plan(self, state: dict[str, Any]) -> Plan:
        warnings = [state["advice"]] if state["advice"] else []
        age = state["statistics_age_seconds"]
        if state["unused_indexes"] and (age is None or age < _YOUNG):
            warnings.append("statistics are younger than a week: an index that looks unused may serve a monthly job")
        words = [
            "%s slower than %g s" % (counted(state["slow_count"], "statement"), self.slow),
            "%d running for longer" % len(state["running"]),
            "%s read whole" % counted(len(state["sequential_scans"]), "big table"),
            "%s (%s)"
            % (
                counted(len(state["unused_indexes"]), "unused index").replace("indexs", "indexes"),
                size(sum(each["size_bytes"] for each in state["unused_indexes"])),
            ),
            "%s without index" % counted(len(state["missing_indexes"]), "foreign key"),
        ]
        if state["extension"] != performance.READY:
            words[0] = "slow statements are not known"
        failure = ""
        if self.fail is not None and state["slow_count"] > self.fail:
            words_of = "%s slower than %g s on average; at most %d may be: the slowest takes %.3g s: %s"
            worst = state["slow"][0]
            number = counted(state["slow_count"], "statement") + (" is" if state["slow_count"] == 1 else " are")
            failure = words_of % (number, self.slow, self.fail, worst["mean_seconds"], worst["query"])
        elif self.fail is not None and state["extension"] != performance.READY:
            failure = "slow statements cannot be counted: " + state["advice"]
        return Plan(reason=", ".join(words), failure=failure, warnings=warnings, data=dict(state))
