"""Values of a CloudWatch metric, and a chart of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from opslib.cloud import charts
from opslib.cloud.aws.metrics import Metric, Query, Series, Statistic, least_period, read_metrics, round_up
from opslib.cloud.aws.service_metrics import app_runner_metric
from opslib.cloud.aws.service_names import AppRunnerName, find_service, of_arn
from opslib.cloud.aws.task import AwsTask
from opslib.cloud.task import ACTION, Change, Plan, param
from opslib.host.params import Duration, ListOf, Mapping, Number, ParamError, Path, Text
from opslib.host.words import printable

__all__ = ["CloudwatchMetrics"]

_MOST_VALUES = 1440
_ENDINGS = (".html", ".png")


@dataclass(frozen=True, slots=True)
class _State:
    metric: Metric
    series: dict[str, Series]
    begin: float
    end: float
    period: int


class CloudwatchMetrics(AwsTask, name="cloudwatch_metrics"):
    """Tell the values of a metric over a time, and draw them.

    A metric is its namespace, its name and exactly its dimensions; for those of an App Runner service as a whole,
    `service` stands for namespace and dimensions. The chart is drawn here, with Matplotlib for `.png`, with nothing for
    `.html`; the file is new or as before, and readable by its owner only. Drawing is an act: it is done on every run.

    data: `namespace`, `metric`, `dimensions`, `period` (seconds), `begin`, `end` (seconds since 1970) and `series`: by
    statistic `points` (pairs of time and value, the oldest first), `newest`, `average`, `least` and `greatest`.
    Sources: GetMetricData in the API reference of CloudWatch; "Viewing App Runner service metrics" in the developer
    guide of App Runner.
    """

    metric: str = param(Text("name of a metric"), "The metric.", example="RequestLatency")
    service: str | None = param(
        AppRunnerName(), "An App Runner service whose metric it is.", default=None, example="spendsense-api"
    )
    namespace: str | None = param(
        Text("namespace of metrics"), "The namespace, where it is no service's.", default=None
    )
    dimensions: dict[str, str] = param(Mapping(Text()), "All its dimensions, where it is no service's.", default={})
    statistics: list[str] = param(
        ListOf(Statistic(), empty=False, longest=20),
        "What to tell of each period.",
        default=["Average"],
        example=["p50", "p95"],
    )
    unit: str | None = param(Text("unit"), "Only values that were put with this unit.", default=None)
    since: float = param(Duration(low=60), "Where the time begins: so many seconds ago.", default="3h", example="1d")
    until: float = param(Duration(), "Where it ends: so many seconds ago.", default=0)
    period: float | None = param(
        Duration(low=1),
        "Seconds that one value stands for; if not given, what makes some hundred values.",
        default=None,
    )
    chart: str | None = param(Path(), "A file to draw to, .html or .png.", default=None, example="/srv/latency.html")
    title: str | None = param(Text("title"), "What stands above the chart.", default=None)
    target: float | None = param(Number(-1e15), "A value to draw a line at.", default=None, example=500)

    def check(self) -> None:
        if (self.service is None) == (self.namespace is None):
            self.refuse("give either service or namespace")
        if self.service is not None:
            if self.dimensions:
                self.refuse("the dimensions are the service's; leave them out")
            try:
                of_arn(self.service, self.account, self.region)
            except ParamError as error:
                self.refuse(f"service: {error}")
        if self.until >= self.since:
            self.refuse(f"until {self.until:g} must be less than since {self.since:g} (seconds ago)")
        if self.period is not None:
            self._check_period(self.period)
        if self.chart is not None and not self.chart.endswith(_ENDINGS):
            self.refuse(f"chart: {printable(self.chart)} must end in {' or '.join(_ENDINGS)}")

    def _check_period(self, period: float) -> None:
        if period >= 60 and period % 60:
            self.refuse(f"period {period:g} is no multiple of 60 seconds")
        if period < 60 and period not in (1, 5, 10, 20, 30):
            self.refuse(f"period {period:g}: below 60 seconds there are 1, 5, 10, 20 and 30")
        if (self.since - self.until) / period > 10 * _MOST_VALUES:
            self.refuse(f"period {period:g} makes more than {10 * _MOST_VALUES} values of that time")

    def look(self) -> _State:
        if self.service is not None:
            metric = app_runner_metric(find_service(self, self.service), self.metric)
        else:
            metric = Metric(self.namespace or "", self.metric, tuple(self.dimensions.items()))
        now = time.time()
        least = least_period(self.since)
        period = int(self.period or round_up((self.since - self.until) / 300, least))
        begin = (now - self.since) // period * period
        queries = {name: Query(metric, name, period, self.unit) for name in self.statistics}
        series = read_metrics(self, queries, begin, now - self.until)
        return _State(metric, series, begin, now - self.until, period)

    def compare(self, state: _State) -> Plan:
        name = printable(state.metric.name)
        empty = not any(each.points for each in state.series.values())
        told = ", ".join(f"{statistic} {_brief(each)}" for statistic, each in state.series.items())
        changes = []
        if self.chart is not None:
            summary = f"draw {name} to {printable(self.chart)}"
            changes.append(Change(kind=ACTION, summary=summary, detail=self._chart(state)))
        return Plan(
            changes=changes,
            reason=f"{name}: {told}",
            warnings=[f"{name} has no values in that time: are name and dimensions right?"] if empty else [],
            data={
                "namespace": state.metric.namespace,
                "metric": state.metric.name,
                "dimensions": dict(state.metric.dimensions),
                "period": state.period,
                "begin": state.begin,
                "end": state.end,
                "series": {name: _told(each) for name, each in state.series.items()},
            },
        )

    def apply(self, change: Change) -> None:
        path = self.chart or ""
        drawn = charts.as_png(change.detail) if path.endswith(".png") else charts.as_html(change.detail).encode()
        charts.write(path, drawn)

    def _chart(self, state: _State) -> charts.Chart:
        where = ", ".join(value for _name, value in state.metric.dimensions[:1])
        return charts.Chart(
            title=self.title or f"{state.metric.name} {where}".rstrip(),
            curves=[charts.Curve(name, each.points) for name, each in state.series.items()],
            begin=state.begin,
            end=state.end,
            period=state.period,
            unit=self.unit or "",
            target=self.target,
        )


def _brief(series: Series) -> str:
    return f"{series.values[-1]:.6g}" if series.points else "without values"


def _told(series: Series) -> dict[str, Any]:
    values = series.values
    return {
        "points": [list(point) for point in series.points],
        "newest": values[-1] if values else None,
        "average": sum(values) / len(values) if values else None,
        "least": min(values, default=None),
        "greatest": max(values, default=None),
    }
