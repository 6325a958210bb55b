"""Values of CloudWatch metrics.

Source: GetMetricData in the API reference of CloudWatch; for how long data is kept at which resolution, the same page.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opslib.cloud.aws.task import AwsTask
from opslib.cloud.errors import MalformedError, RefusedError, TimeIsUpError, UnknownOutcomeError
from opslib.host.params import ParamError, Text, shown

__all__ = ["Metric", "Query", "Series", "Statistic", "least_period", "read_metrics", "round_up"]

DAY = 86400
_MOST_QUERIES = 500
_GREATEST = 2.0**360  # no metric of CloudWatch holds more
_KEPT = ((15 * DAY, 60), (63 * DAY, 300))
_PLAIN = ("Average", "Sum", "Minimum", "Maximum", "SampleCount")
_RANKED = re.compile(r"(?:p|tm|wm)(?:100|\d{1,2})(?:\.\d{1,10})?")


class Statistic(Text):
    """A statistic of CloudWatch."""

    def __init__(self) -> None:
        super().__init__(f"statistic: {', '.join(_PLAIN)}, or a percentile such as p95")

    def check(self, value: str) -> str:
        if value not in _PLAIN and not _RANKED.fullmatch(value):
            raise ParamError(f"{shown(value)} is no {self.label}")
        return value


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: exactly these dimensions."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as CloudWatch writes it."""
        dimensions = [{"Name": name, "Value": value} for name, value in self.dimensions]
        return {"Namespace": self.namespace, "MetricName": self.name, "Dimensions": dimensions}


@dataclass(frozen=True, slots=True)
class Query:
    """What to ask of a metric: a statistic for each period (seconds); unit: only values that were put with it."""

    metric: Metric
    statistic: str
    period: int
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Values by the beginning of their periods, in seconds since 1970, the oldest first; periods without data lack."""

    points: tuple[tuple[float, float], ...] = ()

    @property
    def values(self) -> list[float]:
        """The values alone."""
        return [value for _when, value in self.points]


def least_period(age: float) -> int:
    """Return the seconds of the finest period for which values of an age (seconds) are kept."""
    return next((period for oldest, period in _KEPT if age <= oldest), 3600)


def round_up(seconds: float, step: int) -> int:
    """Return the next multiple of a step, at least one."""
    return max(math.ceil(seconds / step), 1) * step


def read_metrics(task: AwsTask, queries: Mapping[str, Query], begin: float, end: float) -> dict[str, Series]:
    """Return the values of metrics between two times (seconds since 1970; the end is not included), by the same keys.

    Raises RefusedError when one may not be read, MalformedError when the answer makes no sense.
    """
    ids = {f"q{number}": key for number, key in enumerate(queries)}
    if len(ids) > _MOST_QUERIES:
        raise RefusedError(f"{len(ids)} metrics at once: CloudWatch gives {_MOST_QUERIES}")
    asked = [_written(id_, queries[key]) for id_, key in ids.items()]
    found: dict[str, dict[float, float]] = {key: {} for key in queries}
    told: set[str] = set()
    args: dict[str, Any] = {
        "MetricDataQueries": asked,
        "StartTime": datetime.fromtimestamp(begin, UTC),
        "EndTime": datetime.fromtimestamp(end, UTC),
        "ScanBy": "TimestampAscending",
    }
    doing = f"reading {', '.join(dict.fromkeys(each.metric.name for each in queries.values()))} of CloudWatch"
    seen: set[str] = set()
    while True:
        answer = task.ask(functools.partial(_page, task, args, doing), doing=doing)
        for result in answer["MetricDataResults"]:
            key = ids.get(str(result.get("Id")))
            if key is None:
                raise MalformedError(f"{doing}: the answer holds values that were not asked for")
            told.add(key)
            found[key].update(_points(result, doing))
        token = answer.get("NextToken")
        if not token:
            break
        if token in seen:
            raise MalformedError(f"{doing}: the listing goes round in circles")
        if not task.patience.deadline.left:
            raise TimeIsUpError(f"{doing}: it did not end within {task.wait:g} seconds")
        seen.add(token)
        args["NextToken"] = token
    if told != set(queries):
        raise MalformedError(f"{doing}: the answer does not hold all that was asked for")
    return {key: Series(tuple(sorted(points.items()))) for key, points in found.items()}


def _written(id_: str, query: Query) -> dict[str, Any]:
    stat: dict[str, Any] = {"Metric": query.metric.to_dict(), "Period": query.period, "Stat": query.statistic}
    if query.unit:
        stat["Unit"] = query.unit
    return {"Id": id_, "MetricStat": stat, "ReturnData": True}


def _page(task: AwsTask, args: dict[str, Any], doing: str) -> dict[str, Any]:
    """Return a page of which every part is complete, or goes on on the next."""
    answer: dict[str, Any] = task.client("cloudwatch").get_metric_data(**args)
    results = answer.get("MetricDataResults")
    if not isinstance(results, list):
        raise MalformedError(f"{doing}: the answer holds no MetricDataResults")
    for result in results:
        status = result.get("StatusCode", "Complete")
        if status == "Forbidden":
            raise RefusedError(f"{doing}: CloudWatch forbids it: {str(result.get('Messages'))[:300]}", code=status)
        if status == "InternalError" or (status == "PartialData" and not answer.get("NextToken")):
            raise UnknownOutcomeError(f"{doing}: CloudWatch gave a part of the values only ({status})")
        if status not in ("Complete", "PartialData"):
            raise MalformedError(f"{doing}: the values have the status {shown(status)}, which is unknown")
    return answer


def _points(result: dict[str, Any], doing: str) -> dict[float, float]:
    times, values = result.get("Timestamps"), result.get("Values")
    if not isinstance(times, list) or not isinstance(values, list) or len(times) != len(values):
        raise MalformedError(f"{doing}: the answer holds not as many values as times")
    points = {}
    for when, value in zip(times, values, strict=True):
        number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _GREATEST
        if not isinstance(when, datetime) or not number:
            raise MalformedError(f"{doing}: the answer holds what is no value: {shown(value)}")
        points[when.timestamp()] = float(value)
    return points
