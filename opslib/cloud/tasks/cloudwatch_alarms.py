"""Keep alarms of CloudWatch as they are written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opslib.cloud.aws.alarm_specs import AlarmSpecs, as_request, standard_alarms
from opslib.cloud.aws.alarms import TAG, Alarm, normal, pretty, read_alarms
from opslib.cloud.aws.service_names import AppRunnerName, ServiceId, find_service, of_arn
from opslib.cloud.aws.task import AwsTask
from opslib.cloud.settled import settle
from opslib.cloud.task import CREATE, MODIFY, REMOVE, Change, Plan, param
from opslib.host.params import Boolean, ListOf, Name, Number, ParamError, Percent
from opslib.host.words import count, listed

__all__ = ["CloudwatchAlarms"]

_LONGEST = 255


@dataclass(frozen=True, slots=True)
class _State:
    there: dict[str, Alarm]
    service: ServiceId | None


class CloudwatchAlarms(AwsTask, name="cloudwatch_alarms"):
    """Keep the alarms of one owner as they are written down: create, change, and remove what is not written any more.

    An alarm's name is `prefix` and the key it stands under. Ours are those that bear the tag `opslib:alarms` with the
    prefix as its value: no other is ever changed or removed, unless `adopt` says so of one that has the name of a
    wanted one. With `service` there are four more: `latency`, `error-rate`, `cpu` and `memory`, for what the task `slo`
    judges it by; one of these keys among `alarms` takes their place.

    data: `alarms`: `wanted`, `ours`, `others` (names; others begin with the prefix, too). The diff shows all that is
    set. Source: PutMetricAlarm in the API reference of CloudWatch.
    """

    prefix: str = param(
        Name("beginning of names", signs="_.-/", longest=100), "What their names begin with.", example="spendsense-"
    )
    alarms: dict[str, Any] = param(
        AlarmSpecs(),
        "What they are, by the rest of their names.",
        default={},
        example={
            "no-requests": {
                "namespace": "AWS/AppRunner",
                "metric": "Requests",
                "dimensions": {"ServiceName": "spendsense-api"},
                "statistic": "Sum",
                "threshold": 1,
                "comparison": "<",
                "period": "5m",
                "missing": "breaching",
            }
        },
    )
    service: str | None = param(
        AppRunnerName(), "An App Runner service to have the usual alarms for.", default=None, example="spendsense-api"
    )
    actions: list[str] = param(
        ListOf(Name("ARN", signs="_.-:/*"), longest=5),
        "ARNs of what to tell in alarm, where an alarm does not name its own.",
        default=[],
    )
    ok_actions: list[str] = param(
        ListOf(Name("ARN", signs="_.-:/*"), longest=5), "The same for the end of an alarm.", default=[]
    )
    adopt: bool = param(Boolean(), "Take over alarms of these names that are not ours.", default=False)
    latency: float = param(Number(0.001), "Milliseconds at which p95 of a service is an alarm.", default=500)
    error_rate: float = param(Percent(), "Percent of failed requests at which there is one.", default=1)
    cpu: float = param(Percent(), "Percent of the CPU above which there is one.", default=70)
    memory: float = param(Percent(), "Percent of the memory above which there is one.", default=80)

    def check(self) -> None:
        if self.service is not None:
            try:
                of_arn(self.service, self.account, self.region)
            except ParamError as error:
                self.refuse(f"service: {error}")
        longest = max(self.alarms, key=len, default="")
        if len(self.prefix + longest) > _LONGEST:
            self.refuse(f"{self.prefix}{longest} is longer than {_LONGEST} characters")

    def look(self) -> _State:
        service = None if self.service is None else find_service(self, self.service)
        return _State(read_alarms(self, self.prefix), service)

    def _wanted(self, service: ServiceId | None) -> dict[str, dict[str, Any]]:
        """Return the requests for the alarms that should be there, by their full names."""
        specs = dict(self.alarms)
        if service is not None:
            targets = {
                "latency": self.latency,
                "error_rate": self.error_rate,
                "cpu": self.cpu,
                "memory": self.memory,
            }
            specs = {**AlarmSpecs()(standard_alarms(service, targets)), **specs}
        usual = {"actions": self.actions, "ok_actions": self.ok_actions}
        return {self.prefix + key: as_request(self.prefix + key, {**usual, **spec}) for key, spec in specs.items()}

    def compare(self, state: _State) -> Plan:
        wanted = self._wanted(state.service)
        ours = [name for name, alarm in state.there.items() if alarm.owner == self.prefix]
        others = [name for name in state.there if name not in ours]
        data = {"wanted": sorted(wanted), "ours": sorted(ours), "others": sorted(others)}
        taken = sorted(set(wanted) & set(others))
        if taken and not self.adopt:
            failure = f"not ours, but of the same name: {listed(taken)}; adopt=true takes them over"
            return Plan(failure=failure, data={"alarms": data})
        changes = [
            change
            for name, request in sorted(wanted.items())
            for change in self._change(name, request, state.there.get(name))
        ]
        changes += [
            Change(
                kind=REMOVE,
                summary=f"remove the alarm {name}",
                before=pretty(state.there[name].setting),
                detail={"name": name},
            )
            for name in sorted(set(ours) - set(wanted))
        ]
        reason = f"{count(len(wanted), 'alarm')} as they should be" if wanted else "there are no alarms of ours"
        return Plan(changes=changes, reason="" if changes else reason, data={"alarms": data})

    def _change(self, name: str, request: dict[str, Any], there: Alarm | None) -> list[Change]:
        setting = normal(request)
        detail = {"name": name, "request": request, "arn": there.arn if there else None}
        if there is None:
            after = pretty(setting)
            return [Change(kind=CREATE, summary=f"create the alarm {name}", after=after, detail=detail)]
        changes = []
        if there.setting != setting:
            summary = f"change the alarm {name}"
            before, after = pretty(there.setting), pretty(setting)
            changes.append(Change(kind=MODIFY, summary=summary, before=before, after=after, detail=detail))
        if there.owner != self.prefix:
            summary = f"take over the alarm {name}"
            before, after = there.owner or "no owner", self.prefix
            tag = {"name": name, "arn": there.arn, "tag": True}
            changes.append(Change(kind=MODIFY, summary=summary, before=before, after=after, detail=tag))
        return changes

    def apply(self, change: Change) -> None:
        client = self.client("cloudwatch")
        name, request, arn = (change.detail.get(key) for key in ("name", "request", "arn"))
        tags = [{"Key": TAG, "Value": self.prefix}]

        def there() -> Alarm | None:
            return read_alarms(self, self.prefix).get(name)

        def as_wanted() -> bool:
            found = there()
            return found is not None and found.setting == normal(request)

        if change.kind == REMOVE:
            gone = f"removing the alarm {name}"
            settle(self, lambda: client.delete_alarms(AlarmNames=[name]), lambda: there() is None, doing=gone)
        elif request is None:
            tagging = f"tagging the alarm {name}"
            settle(self, lambda: client.tag_resource(ResourceARN=arn, Tags=tags), lambda: False, doing=tagging)
        else:
            asked = {**request, "Tags": tags} if arn is None else request
            writing = f"writing the alarm {name}"
            settle(self, lambda: client.put_metric_alarm(**asked), as_wanted, doing=writing)

    def verify(self, plan: Plan) -> None:  # noqa: ARG002 - the runtime calls it so
        """Wait until CloudWatch shows what was done."""
        self.patience.until(
            lambda: self.compare(self.look()),
            lambda found: not found.changes and not found.failure,
            doing=f"waiting until the alarms {self.prefix}* show what was done",
        )
