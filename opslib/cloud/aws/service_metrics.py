"""The metrics that tell how a container service fares.

Source: "Viewing App Runner service metrics reported to CloudWatch" in the developer guide of App Runner. Those of a
service as a whole have the dimensions ServiceName and ServiceID; RequestLatency is in milliseconds, the utilizations
are in percent. A count that is zero may not be reported at all.
"""

from __future__ import annotations

from typing import Any

from opslib.cloud.aws.metrics import Metric
from opslib.cloud.aws.service_names import ServiceId
from opslib.host.params import Kind, Mapping, Number, ParamError, Text, shown

__all__ = ["APP_RUNNER", "MetricRoles", "app_runner_metric"]

_NAMESPACE = "AWS/AppRunner"
_ROLES = ("latency", "requests", "errors", "cpu", "memory", "probe")
_MEMBERS = {"namespace", "name", "dimensions", "factor"}
APP_RUNNER = {
    "requests": "Requests",
    "errors": "5xxStatusResponses",
    "refused": "4xxStatusResponses",
    "latency": "RequestLatency",
    "cpu": "CPUUtilization",
    "memory": "MemoryUtilization",
    "instances": "ActiveInstances",
    "concurrency": "Concurrency",
}


def app_runner_metric(service: ServiceId, name: str) -> Metric:
    """Return a metric of a service by CloudWatch's name for it."""
    return Metric(_NAMESPACE, name, (("ServiceName", service.name), ("ServiceID", service.id)))


class MetricRoles(Mapping):
    """Which metric plays which part."""

    def __init__(self) -> None:
        super().__init__()
        self.label = f"mapping of {', '.join(_ROLES)} to metrics: namespace, name, dimensions, factor"

    def __call__(self, value: Any) -> dict[str, Any]:
        return {role: _checked(role, each) for role, each in super().__call__(value).items()}


def _checked(role: str, value: Any) -> dict[str, Any]:
    if role not in _ROLES:
        raise ParamError(f"{shown(role)} is none of {', '.join(_ROLES)}")
    if not isinstance(value, dict) or not {"namespace", "name"} <= set(value) <= _MEMBERS:
        raise ParamError(f"{role}: {shown(value)} is no metric: give namespace, name and perhaps dimensions and factor")
    try:
        text: Kind = Text("text")
        return {
            "namespace": text(value["namespace"]),
            "name": text(value["name"]),
            "dimensions": Mapping(Text())(value.get("dimensions", {})),
            "factor": Number(1e-9, 1e9)(value.get("factor", 1)),
        }
    except ParamError as error:
        raise ParamError(f"{role}: {error}") from None
