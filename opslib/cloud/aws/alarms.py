"""Alarms of CloudWatch as they are there: compared with what they should be, and known as ours by a tag."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opslib.cloud.aws.task import AwsTask
from opslib.cloud.errors import MalformedError

__all__ = ["TAG", "Alarm", "normal", "pretty", "read_alarms"]

TAG = "opslib:alarms"
# What alarms are, beside what can be set.
_STATE = {
    "AlarmArn",
    "AlarmConfigurationUpdatedTimestamp",
    "EvaluationState",
    "StateReason",
    "StateReasonData",
    "StateTransitionedTimestamp",
    "StateUpdatedTimestamp",
    "StateValue",
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm. setting: all that PutMetricAlarm sets, in one form; owner: the value of our tag, None without it."""

    name: str
    arn: str
    setting: Mapping[str, Any]
    owner: str | None


def normal(setting: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is set, without what says nothing, and in one order."""
    found = {key: value for key, value in setting.items() if key not in _STATE and value not in (None, [], "")}
    found.setdefault("ActionsEnabled", True)
    found.setdefault("TreatMissingData", "missing")
    found.setdefault("DatapointsToAlarm", found.get("EvaluationPeriods"))
    if "Dimensions" in found:
        found["Dimensions"] = _sorted(found["Dimensions"], "Name")
    if "Metrics" in found:
        found["Metrics"] = _sorted([_normal_query(each) for each in found["Metrics"]], "Id")
    return found


def _normal_query(query: Any) -> Any:
    if not isinstance(query, dict):
        return query
    found = {"ReturnData": True, **{key: value for key, value in query.items() if value is not None}}
    stat = found.get("MetricStat")
    metric = stat.get("Metric") if isinstance(stat, dict) else None
    if isinstance(metric, dict):
        metric = {**metric, "Dimensions": _sorted(metric.get("Dimensions") or [], "Name")}
        found["MetricStat"] = {**found["MetricStat"], "Metric": metric}
    return found


def _sorted(rows: Any, key: str) -> Any:
    return sorted(rows, key=lambda row: str(row.get(key) if isinstance(row, dict) else row))


def pretty(setting: Mapping[str, Any]) -> str:
    """Return an alarm as text for a diff."""
    return json.dumps(setting, indent=2, sort_keys=True, default=str) + "\n"


def read_alarms(task: AwsTask, prefix: str) -> dict[str, Alarm]:
    """Return the alarms whose names begin so, by name."""
    doing = f"reading the alarms {prefix}*"
    found = {}
    rows = task.pages("cloudwatch", "describe_alarms", "MetricAlarms", doing=doing, AlarmNamePrefix=prefix)
    for row in rows:
        name, arn = row.get("AlarmName"), row.get("AlarmArn")
        if not isinstance(name, str) or not isinstance(arn, str) or not name.startswith(prefix):
            raise MalformedError(f"{doing}: the answer describes what is none of them")
        found[name] = Alarm(name, arn, normal(row), _owner(task, arn, name))
    return found


def _owner(task: AwsTask, arn: str, name: str) -> str | None:
    client = task.client("cloudwatch")
    doing = f"reading the tags of the alarm {name}"
    tags = task.ask(lambda: client.list_tags_for_resource(ResourceARN=arn), doing=doing).get("Tags")
    if not isinstance(tags, list) or not all(isinstance(tag, dict) for tag in tags):
        raise MalformedError(f"{doing}: the answer holds none")
    return next((str(tag.get("Value")) for tag in tags if tag.get("Key") == TAG), None)
