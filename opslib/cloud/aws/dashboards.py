"""Dashboards of CloudWatch: the standard one of a service, and how ours are known.

Source: "Dashboard body structure and syntax" in the CloudWatch user guide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from opslib.cloud.aws.metrics import Metric
from opslib.cloud.aws.service_metrics import APP_RUNNER, app_runner_metric
from opslib.cloud.aws.service_names import ServiceId

__all__ = ["is_ours", "marked", "pretty", "standard"]

_MARK = "Kept by opslib: what is changed here is overwritten."
_COLUMNS = 24
_HALF, _TALL = 12, 6


def standard(service: ServiceId, region: str, targets: Mapping[str, float]) -> dict[str, Any]:
    """Return a dashboard of what a service's promises are judged by. targets: of latency (ms), cpu and memory (%)."""
    metric = {role: app_runner_metric(service, name) for role, name in APP_RUNNER.items()}
    rows: list[dict[str, Any]] = [
        {"title": "Latency", "metrics": [_row(metric["latency"], stat=stat) for stat in ("p50", "p95", "p99")]},
        {"title": "Error rate (%)", "metrics": _rate(metric["errors"], metric["requests"])},
        {"title": "Requests", "metrics": [_row(metric["requests"], stat="Sum")]},
        {"title": "Refused and failed", "metrics": [_row(metric[role], stat="Sum") for role in ("refused", "errors")]},
        {"title": "CPU (%)", "metrics": [_row(metric["cpu"], stat="Average")]},
        {"title": "Memory (%)", "metrics": [_row(metric["memory"], stat="Average")]},
        {"title": "Instances", "metrics": [_row(metric["instances"], stat="Maximum")]},
        {"title": "Concurrency", "metrics": [_row(metric["concurrency"], stat="Maximum")]},
    ]
    lines = {
        "Latency": targets["latency"],
        "Error rate (%)": targets["error_rate"],
        "CPU (%)": targets["cpu"],
        "Memory (%)": targets["memory"],
    }
    return {
        "widgets": [
            {
                "type": "metric",
                "x": number % 2 * _HALF,
                "y": number // 2 * _TALL,
                "width": _HALF,
                "height": _TALL,
                "properties": {**row, **_drawing(region, lines.get(row["title"]))},
            }
            for number, row in enumerate(rows)
        ]
    }


def _drawing(region: str, target: float | None) -> dict[str, Any]:
    found: dict[str, Any] = {"view": "timeSeries", "region": region, "period": 60}
    if target is not None:
        found["annotations"] = {"horizontal": [{"label": "target", "value": target}]}
    return found


def _row(metric: Metric, **options: Any) -> list[Any]:
    return [metric.namespace, metric.name, *(word for pair in metric.dimensions for word in pair), options]


def _rate(errors: Metric, requests: Metric) -> list[list[Any]]:
    return [
        [{"expression": "100 * FILL(errors, 0) / requests", "label": "failed", "id": "rate"}],
        _row(errors, id="errors", stat="Sum", visible=False),
        _row(requests, id="requests", stat="Sum", visible=False),
    ]


def marked(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dashboard with our mark below it, once."""
    widgets = [each for each in body.get("widgets", []) if not _is_mark(each)]
    mark: dict[str, Any] = {"type": "text", "width": _COLUMNS, "height": 1, "properties": {"markdown": _MARK}}
    placed = [each for each in widgets if isinstance(each, dict) and {"y", "height"} <= set(each)]
    if len(placed) == len(widgets):
        mark |= {"x": 0, "y": max((each["y"] + each["height"] for each in placed), default=0)}
    return {**body, "widgets": [*widgets, mark]}


def is_ours(body: Any) -> bool:
    """Whether a dashboard bears our mark."""
    widgets = body.get("widgets") if isinstance(body, dict) else None
    return isinstance(widgets, list) and any(_is_mark(each) for each in widgets)


def _is_mark(widget: Any) -> bool:
    properties = widget.get("properties") if isinstance(widget, dict) else None
    return isinstance(properties, dict) and properties.get("markdown") == _MARK


def pretty(body: Any) -> str:
    """Return a dashboard as text for a diff."""
    return json.dumps(body, indent=2, sort_keys=True) + "\n"
