"""Numbers of Cloud Monitoring. Source: the REST reference of Monitoring v3, timeSeries.list."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from opslib.cloud.errors import MalformedError
from opslib.cloud.gcp.api import GoogleApi
from opslib.cloud.gcp.task import GcpTask
from opslib.cloud.gcp.times import moment_of, stamp

__all__ = ["Monitoring"]

_ADDRESS = "https://monitoring.googleapis.com/"
_ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_MONITORING"


class Monitoring:
    """The service for one task and its project."""

    def __init__(self, task: GcpTask) -> None:
        self._task = task
        self._api = GoogleApi(task, "Cloud Monitoring", _ADDRESS, _ENDPOINT)

    def total(self, metric: str, restriction: str, begin: datetime, end: datetime) -> int:
        """Return the sum of a counter between two times, 0 when nothing was counted.

        metric: such as firestore.googleapis.com/document/read_ops_count; restriction: a filter on top.
        """
        seconds = max(60, int((end - begin).total_seconds()))
        aligned = {"aggregation.alignmentPeriod": f"{seconds}s", "aggregation.perSeriesAligner": "ALIGN_SUM"}
        return sum(value for _when, value in self._points(metric, restriction, begin, end, aligned))

    def last(self, metric: str, restriction: str, begin: datetime, end: datetime) -> int | None:
        """Return the newest value of a gauge between two times, None when there is none."""
        points = list(self._points(metric, restriction, begin, end, {}))
        return max(points)[1] if points else None

    def _points(
        self, metric: str, restriction: str, begin: datetime, end: datetime, more: dict[str, str]
    ) -> Iterator[tuple[datetime, int]]:
        asked = {
            "filter": f'metric.type = "{metric}" AND {restriction}',
            "interval.startTime": stamp(begin),
            "interval.endTime": stamp(end),
            **more,
        }
        for page in self._api.pages(f"/v3/projects/{self._task.project}/timeSeries", **asked):
            try:
                for series in page.get("timeSeries", []):
                    for point in series["points"]:
                        yield moment_of(point["interval"]["endTime"], "endTime"), int(point["value"]["int64Value"])
            except (AttributeError, LookupError, TypeError, ValueError):
                raise MalformedError(f"Cloud Monitoring: {metric}: the answer makes no sense") from None
