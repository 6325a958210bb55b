"""monitoring.googleapis.com, as far as the usage of Firestore is read from it: points that tests put there.

Requests and answers are held against Google's description (monitoring.v3). It cannot show how late real numbers come
(Google says four minutes for Firestore's), nor alignment: sums over the whole interval are all it knows.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from services.google import Google, GoogleCall, GoogleProblem, own

__all__ = ["Monitoring"]


class Monitoring(Google):
    """The service; `page_size`: the most series that one page holds."""

    document = "monitoring.v3"
    variables = {"CLOUDSDK_API_ENDPOINT_OVERRIDES_MONITORING": "{url}/"}

    def forget(self) -> None:
        """Remove all points."""
        self.points: list[tuple[str, str, dict[str, str], datetime, int]] = []
        self.page_size = 100

    def put(
        self, project: str, metric: str, value: int, *, age: float = 60, database: str = "(default)", **labels: str
    ) -> None:
        """Put a point there that ended so many seconds ago."""
        labels = {"resource.database_id": database, **{f"metric.{name}": word for name, word in labels.items()}}
        self.points.append((project, metric, labels, datetime.now(UTC) - timedelta(seconds=age), value))

    @own("timeSeries.list")
    def _list(self, call: GoogleCall) -> Any:
        metric = re.search(r'metric\.type\s*=\s*"([^"]+)"', call.query.get("filter", ""))
        if metric is None:
            raise GoogleProblem("INVALID_ARGUMENT", "Field filter had an invalid value: a metric.type must be named.")
        database = re.search(r'resource\.labels?\.database_id\s*=\s*"([^"]+)"', call.query["filter"])
        begin, end = (datetime.fromisoformat(call.query[f"interval.{name}"]) for name in ("startTime", "endTime"))
        if not begin < end:
            raise GoogleProblem("INVALID_ARGUMENT", "Field interval.end_time had an invalid value: it must be later.")
        series: dict[tuple[tuple[str, str], ...], list[tuple[datetime, int]]] = {}
        for project, name, labels, when, value in self.points:
            fits = database is None or labels["resource.database_id"] == database[1]
            if (
                project == call.parts["name"].removeprefix("projects/")
                and name == metric[1]
                and fits
                and begin < when <= end
            ):
                series.setdefault(tuple(sorted(labels.items())), []).append((when, value))
        total = call.query.get("aggregation.perSeriesAligner") == "ALIGN_SUM"
        found = [_series(metric[1], dict(labels), points, begin, end, total) for labels, points in series.items()]
        first = int(call.query.get("pageToken") or 0)
        page: dict[str, Any] = {"timeSeries": found[first : first + self.page_size]} if found else {}
        return page | ({"nextPageToken": str(first + self.page_size)} if len(found) > first + self.page_size else {})


def _series(
    metric: str, labels: dict[str, str], points: list[tuple[datetime, int]], begin: datetime, end: datetime, total: bool
) -> dict[str, Any]:
    delta = metric.endswith("count")
    told = (
        [(begin, end, sum(value for _when, value in points))]
        if total
        else [
            (when - timedelta(seconds=60) if delta else when, when, value)
            for when, value in sorted(points, reverse=True)
        ]
    )
    own_labels = {name.partition(".")[2]: word for name, word in labels.items() if name.startswith("metric.")}
    return {
        "metric": {"type": metric, "labels": own_labels},
        "resource": {
            "type": "firestore.googleapis.com/Database",
            "labels": {"database_id": labels["resource.database_id"]},
        },
        "metricKind": "DELTA" if delta else "GAUGE",
        "valueType": "INT64",
        "points": [
            {"interval": {"startTime": _stamp(a), "endTime": _stamp(b)}, "value": {"int64Value": str(value)}}
            for a, b, value in told
        ],
    }


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
