"""Judge whether a service keeps what was promised of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from opslib.cloud.aws.metrics import DAY, Metric, Query, Series, Statistic, least_period, read_metrics, round_up
from opslib.cloud.aws.service_metrics import APP_RUNNER, MetricRoles, app_runner_metric
from opslib.cloud.aws.service_names import AppRunnerName, find_service, of_arn
from opslib.cloud.aws.slo import Level, Verdict, error_rate, load, percentile, share_up, uptime
from opslib.cloud.aws.task import AwsTask
from opslib.cloud.task import Plan, param
from opslib.host.params import Boolean, Choice, Duration, ListOf, Number, ParamError, Percent

__all__ = ["Slo"]

LATENCY, ERRORS, UPTIME, LOAD = "latency", "errors", "uptime", "load"
_NEEDED = {
    LATENCY: ("latency",),
    ERRORS: ("requests", "errors"),
    UPTIME: ("requests", "errors"),
    LOAD: ("cpu", "memory"),
}
_COUNTS = ("requests", "errors")
_MOST_VALUES = 10000


@dataclass(frozen=True, slots=True)
class _State:
    """What plays each part. near: in the time of most levels; far: in that of uptime, which has so many periods."""

    near: dict[str, Series]
    far: dict[str, Series]
    periods: int


class Slo(AwsTask, name="slo"):
    """Judge latency, error rate and uptime of a service by its metrics, and whether it needs more room.

    The metrics are those of an App Runner service, or any others (of a load balancer before ECS, say) that `metrics`
    names. The error rate is computed here, from the numbers of requests and of errors. Latency, error rate and load are
    those of `window`, uptime that of `uptime_window`: a period of it counts as down when `down_share` of its requests
    failed; periods without requests count as nothing, so that an outage in which no request arrives is only seen by a
    `probe` (a canary's success in percent). CPU or memory above its limit does not fail the task: it says to scale.

    data: `levels`, each with `name`, `value`, `target`, `unit`, `verdict` (met, missed, unknown) and `note`; `scale`
    (whether to); `window` and `uptime_window` in seconds. It fails when a promise was not kept, when nothing is known
    at all, and with `strict` when one is unknown. Sources: "Viewing App Runner service metrics" in the developer guide
    of App Runner; GetMetricData in the API reference of CloudWatch.
    """

    service: str | None = param(AppRunnerName(), "The App Runner service.", default=None, example="spendsense-api")
    metrics: dict[str, Any] = param(
        MetricRoles(),
        "Metrics in place of the service's, by the part they play; factor makes them milliseconds or percent.",
        default={},
        example={
            "probe": {
                "namespace": "CloudWatchSynthetics",
                "name": "SuccessPercent",
                "dimensions": {"CanaryName": "api-health"},
            }
        },
    )
    window: float = param(Duration(low=60), "Seconds back from now to judge latency, errors and load by.", default="1h")
    uptime_window: float = param(Duration(low=60), "Seconds back from now to judge uptime by.", default="30d")
    latency: float = param(Number(0.001), "Milliseconds that the latency's percentile must stay below.", default=500)
    percentile: str = param(Statistic(), "The statistic of the latency that is judged.", default="p95")
    error_rate: float = param(Percent(), "Percent of requests that the failed ones must stay below.", default=1)
    uptime: float = param(Percent(), "Percent of the time in which it must have answered.", default=99.9)
    down_share: float = param(Percent(), "Percent of a period's requests that must fail for it to be down.", default=50)
    cpu: float = param(Percent(), "Percent of the CPU above which to scale.", default=70)
    memory: float = param(Percent(), "Percent of the memory above which to scale.", default=80)
    judge: list[str] = param(
        ListOf(Choice(LATENCY, ERRORS, UPTIME, LOAD), empty=False),
        "What to judge.",
        default=[LATENCY, ERRORS, UPTIME, LOAD],
    )
    strict: bool = param(Boolean(), "Fail when one of them is unknown, too.", default=False)

    def check(self) -> None:
        if self.service is not None:
            try:
                of_arn(self.service, self.account, self.region)
            except ParamError as error:
                self.refuse(f"service: {error}")
        missing = [] if self.service else [role for role in self._roles() if role not in self.metrics]
        if missing:
            self.refuse(f"give service, or metrics for {', '.join(missing)}")
        if max(self.window, self.uptime_window) > 455 * DAY:
            self.refuse("values are kept for 455 days")
        if not self.down_share:
            self.refuse("down_share must be above 0 %")

    def _roles(self) -> list[str]:
        """Return the parts that metrics must play."""
        return list(dict.fromkeys([role for each in self.judge for role in self._needed(each)]))

    def _needed(self, level: str) -> tuple[str, ...]:
        return ("probe",) if level == UPTIME and "probe" in self.metrics else _NEEDED[level]

    def look(self) -> _State:
        own = {role: _metric(each) for role, each in self.metrics.items()}
        if self.service is not None and any(role not in own for role in self._roles()):
            service = find_service(self, self.service)
            own = {**{role: app_runner_metric(service, name) for role, name in APP_RUNNER.items()}, **own}
        near = [role for level in self.judge if level != UPTIME for role in self._needed(level)]
        far = self._needed(UPTIME) if UPTIME in self.judge else ()
        period = _fine(self.uptime_window)
        return _State(
            near=self._read({role: own[role] for role in near}, self.window),
            far=self._read({role: own[role] for role in far}, self.uptime_window),
            periods=int(self.uptime_window // period),
        )

    def _read(self, metrics: dict[str, Metric], window: float) -> dict[str, Series]:
        """Read metrics of the time until now: counts and probes in short periods, the rest in one, or one for a day."""
        if not metrics:
            return {}
        fine = _fine(window)
        whole = min(round_up(window, fine), DAY)
        queries = {
            role: Query(metric, self._statistic(role), fine if role in (*_COUNTS, "probe") else whole)
            for role, metric in metrics.items()
        }
        end = time.time() // fine * fine
        found = read_metrics(self, queries, end - round_up(window, fine), end)
        return {role: self._scaled(role, series) for role, series in found.items()}

    def _statistic(self, role: str) -> str:
        return self.percentile if role == "latency" else "Sum" if role in _COUNTS else "Average"

    def _scaled(self, role: str, series: Series) -> Series:
        factor = self.metrics.get(role, {}).get("factor", 1)
        return Series(tuple((when, value * factor) for when, value in series.points))

    def compare(self, state: _State) -> Plan:
        near, far = state.near, state.far
        promises: list[Level] = []
        room: list[Level] = []
        if LATENCY in self.judge:
            promises.append(percentile(near["latency"], self.percentile, self.latency))
        if ERRORS in self.judge:
            promises.append(error_rate(near["requests"], near["errors"], self.error_rate))
        if UPTIME in self.judge and "probe" in self.metrics:
            promises.append(share_up(far["probe"], state.periods, self.uptime))
        elif UPTIME in self.judge:
            promises.append(uptime(far["requests"], far["errors"], state.periods, self.down_share, self.uptime))
        if LOAD in self.judge:
            room = [load("CPU", near["cpu"], self.cpu), load("memory", near["memory"], self.memory)]
        return self._verdict(promises, room)

    def _verdict(self, promises: list[Level], room: list[Level]) -> Plan:
        levels = [*promises, *room]
        missed = [each.words for each in promises if each.verdict is Verdict.MISSED]
        unknown = [each.name for each in levels if each.verdict is Verdict.UNKNOWN]
        scale = [each.words for each in room if each.verdict is Verdict.MISSED]
        failure = f"not kept: {'; '.join(missed)}" if missed else ""
        if not failure and len(unknown) == len(levels):
            failure = "nothing is known: CloudWatch has no values; is the service right, and does it get requests?"
        elif not failure and unknown and self.strict:
            failure = f"unknown: {', '.join(unknown)}"
        warnings = [f"scale: {'; '.join(scale)}"] if scale else []
        if unknown and not failure:
            warnings.append(f"unknown for want of values: {', '.join(unknown)}")
        return Plan(
            reason="; ".join(each.words for each in levels),
            failure=failure,
            warnings=warnings,
            data={
                "levels": [each.to_dict() for each in levels],
                "scale": bool(scale),
                "window": self.window,
                "uptime_window": self.uptime_window,
            },
        )


def _metric(given: dict[str, Any]) -> Metric:
    return Metric(given["namespace"], given["name"], tuple(given["dimensions"].items()))


def _fine(window: float) -> int:
    """Return the seconds of the shortest periods that can be had of a time."""
    return round_up(window / _MOST_VALUES, least_period(window))
