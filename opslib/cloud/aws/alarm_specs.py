"""Alarms as people write them down, and as CloudWatch takes them.

Source: PutMetricAlarm in the API reference of CloudWatch.
"""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from typing import Any

from opslib.cloud.aws.metrics import Metric, Statistic
from opslib.cloud.aws.service_metrics import app_runner_metric
from opslib.cloud.aws.service_names import ServiceId
from opslib.host.params import Boolean, Choice, Duration, Kind, ListOf, Mapping, Name, Number, ParamError, Text, shown

__all__ = ["AlarmSpecs", "as_request", "standard_alarms"]

_COMPARISONS = {
    ">": "GreaterThanThreshold",
    ">=": "GreaterThanOrEqualToThreshold",
    "<": "LessThanThreshold",
    "<=": "LessThanOrEqualToThreshold",
}
_PLAIN = ("Average", "Sum", "Minimum", "Maximum", "SampleCount")
_DAY, _WEEK, _HOUR = 86400, 604800, 3600
_ARNS = ListOf(Name("ARN", signs="_.-:/*"), longest=5)
_METRIC: dict[str, Kind] = {
    "namespace": Text("namespace"),
    "metric": Text("name of a metric"),
    "dimensions": Mapping(Text()),
    "statistic": Statistic(),
    "period": Duration(low=10),
}
_KINDS: dict[str, Kind] = {
    **_METRIC,
    "unit": Text("unit"),
    "expression": Text("expression of metric math"),
    "metrics": Mapping(),
    "threshold": Number(-1e15),
    "comparison": Choice(*_COMPARISONS),
    "periods": Number(1, 10080, whole=True),
    "breaching": Number(1, 10080, whole=True),
    "missing": Choice("missing", "ignore", "breaching", "notBreaching"),
    "description": Text("description", empty=True),
    "enabled": Boolean(),
    "actions": _ARNS,
    "ok_actions": _ARNS,
    "no_data_actions": _ARNS,
}
_DEFAULTS = {
    "dimensions": {},
    "period": 60,
    "comparison": ">=",
    "periods": 1,
    "missing": "missing",
    "description": "",
    "enabled": True,
}


class AlarmSpecs(Mapping):
    """Alarms by name. Canonical: with every default that there is."""

    def __init__(self) -> None:
        super().__init__()
        self.label = f"mapping of names to alarms, each with some of {', '.join(_KINDS)}"

    def __call__(self, value: Any) -> dict[str, Any]:
        name = Name("name of an alarm", signs="_.-/", longest=200)
        found = {}
        for key, spec in super().__call__(value).items():
            try:
                found[name(key)] = _alarm(spec)
            except ParamError as error:
                raise ParamError(f"{shown(key)}: {error}") from None
        return found


def _alarm(spec: Any) -> dict[str, Any]:
    found = {**_DEFAULTS, **_members(spec, _KINDS)}
    if "threshold" not in found:
        raise ParamError("threshold is required")
    if "expression" in found:
        _of_expression(found)
    elif not {"namespace", "metric", "statistic"} <= set(found) or "metrics" in found:
        raise ParamError("give namespace, metric and statistic, or expression and metrics")
    found.setdefault("breaching", found["periods"])
    if found["breaching"] > found["periods"]:
        raise ParamError(f"breaching {found['breaching']} is more than periods {found['periods']}")
    _check_time(found)
    return found


def _of_expression(found: dict[str, Any]) -> None:
    """Check what an expression works with; it has no metric of its own."""
    if {"namespace", "metric", "statistic"} & set(found):
        raise ParamError("an expression has no metric of its own: name them in metrics")
    metrics = {}
    for key, each in (found.get("metrics") or {}).items():
        if not (key[:1].isascii() and key[:1].islower() and key.replace("_", "a").isalnum() and key.isascii()):
            raise ParamError(f"metrics: {shown(key)} is no id: small letter first, then letters, digits, _")
        metric = {"dimensions": {}, "period": found["period"], **_members(each, _METRIC)}
        if set(metric) != set(_METRIC):
            raise ParamError(f"metrics: {key}: give namespace, metric and statistic")
        metrics[key] = metric
    if not metrics or "result" in metrics:
        raise ParamError("metrics: name those of the expression by their ids, none of them `result`")
    found["metrics"] = metrics


def _members(spec: Any, kinds: AnyMapping[str, Kind]) -> dict[str, Any]:
    if not isinstance(spec, dict):
        raise ParamError(f"{shown(spec)} is no mapping")
    found = {}
    for key, value in spec.items():
        if key not in kinds:
            raise ParamError(f"there is no {shown(key)}; there are {', '.join(kinds)}")
        try:
            found[key] = kinds[key](value)
        except ParamError as error:
            raise ParamError(f"{key}: {error}") from None
    return found


def _check_time(found: dict[str, Any]) -> None:
    period = found["period"]
    if period % 60 and period not in (10, 20, 30):
        raise ParamError(f"period {period:g} is neither 10, 20 or 30 seconds nor a multiple of 60")
    if period * found["periods"] > (_DAY if period < _HOUR else _WEEK):
        raise ParamError(f"{found['periods']} periods of {period:g} seconds are longer than CloudWatch looks back")


def as_request(name: str, spec: AnyMapping[str, Any]) -> dict[str, Any]:
    """Return an alarm as PutMetricAlarm takes it."""
    asked: dict[str, Any] = {
        "AlarmName": name,
        "AlarmDescription": spec["description"],
        "ActionsEnabled": spec["enabled"],
        "AlarmActions": spec.get("actions", []),
        "OKActions": spec.get("ok_actions", []),
        "InsufficientDataActions": spec.get("no_data_actions", []),
        "EvaluationPeriods": spec["periods"],
        "DatapointsToAlarm": spec["breaching"],
        "Threshold": float(spec["threshold"]),
        "ComparisonOperator": _COMPARISONS[spec["comparison"]],
        "TreatMissingData": spec["missing"],
    }
    if "expression" in spec:
        asked["Metrics"] = [
            {"Id": "result", "Expression": spec["expression"], "Label": name, "ReturnData": True},
            *(_query(key, each) for key, each in spec["metrics"].items()),
        ]
    else:
        metric = _metric(spec).to_dict()
        kind = "Statistic" if spec["statistic"] in _PLAIN else "ExtendedStatistic"
        asked |= {**metric, "Period": int(spec["period"]), kind: spec["statistic"]}
        asked |= {"Unit": spec["unit"]} if "unit" in spec else {}
    return {key: value for key, value in asked.items() if value not in ([], "")}


def _query(key: str, spec: AnyMapping[str, Any]) -> dict[str, Any]:
    stat = {"Metric": _metric(spec).to_dict(), "Period": int(spec["period"]), "Stat": spec["statistic"]}
    return {"Id": key, "MetricStat": stat, "ReturnData": False}


def _metric(spec: AnyMapping[str, Any]) -> Metric:
    return Metric(spec["namespace"], spec["metric"], tuple(spec["dimensions"].items()))


def standard_alarms(service: ServiceId, targets: AnyMapping[str, float]) -> dict[str, Any]:
    """Return the alarms for what was promised of a service. targets: latency (ms), error_rate, cpu and memory (%)."""
    quiet = {"missing": "notBreaching", "period": 300}
    return {
        "latency": {
            **_named(service, "RequestLatency", "p95"),
            **quiet,
            "period": 60,
            "periods": 5,
            "threshold": targets["latency"],
            "description": f"95 % of requests take up to {targets['latency']:g} ms or longer",
        },
        "error-rate": {
            "expression": "100 * FILL(errors, 0) / requests",
            "metrics": {
                "errors": _named(service, "5xxStatusResponses", "Sum"),
                "requests": _named(service, "Requests", "Sum"),
            },
            **quiet,
            "threshold": targets["error_rate"],
            "description": f"{targets['error_rate']:g} % of requests or more fail",
        },
        "cpu": {
            **_named(service, "CPUUtilization", "Average"),
            **quiet,
            "periods": 3,
            "threshold": targets["cpu"],
            "comparison": ">",
            "description": f"scale: more than {targets['cpu']:g} % of the CPU is used",
        },
        "memory": {
            **_named(service, "MemoryUtilization", "Average"),
            **quiet,
            "periods": 3,
            "threshold": targets["memory"],
            "comparison": ">",
            "description": f"scale: more than {targets['memory']:g} % of the memory is used",
        },
    }


def _named(service: ServiceId, name: str, statistic: str) -> dict[str, Any]:
    metric = app_runner_metric(service, name)
    return {
        "namespace": metric.namespace,
        "metric": name,
        "dimensions": dict(metric.dimensions),
        "statistic": statistic,
    }
