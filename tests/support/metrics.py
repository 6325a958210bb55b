"""Metrics of a container service, put into CloudWatch by a test."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import boto3

MINUTE = 60


class Metrics:
    """Puts values of an App Runner service there; CloudWatch itself takes none in this namespace, moto does."""

    def __init__(self, name: str, id: str) -> None:
        self.client = boto3.client("cloudwatch")
        self.dimensions = [{"Name": "ServiceName", "Value": name}, {"Name": "ServiceID", "Value": id}]

    def put(
        self, metric: str, values: Iterable[float], ago: float = 5 * MINUTE, namespace: str = "AWS/AppRunner"
    ) -> None:
        """Put values of one moment, so many seconds ago."""
        when = datetime.fromtimestamp(time.time() - ago, UTC)
        datum: dict[str, Any] = {"MetricName": metric, "Dimensions": self.dimensions, "Timestamp": when}
        given = list(values)
        for first in range(0, len(given), 150):
            self.client.put_metric_data(
                Namespace=namespace, MetricData=[{**datum, "Values": given[first : first + 150]}]
            )
