"""Watch the memory of a unit for a while, and say whether it leaks and when it runs out."""

from __future__ import annotations

import time

from opslib.host.evidence.spans import ago
from opslib.host.params import Boolean, Duration, Number, Percent, Port, Size
from opslib.host.plan import ACTION, Change, Plan
from opslib.host.task import Task, TaskError, param
from opslib.host.units import faults as unit_faults
from opslib.host.units import memory, systemd, trend
from opslib.host.units.systemd import UnitName
from opslib.host.words import size, utc

from .service import Asking, Check, Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from opslib.host.units.memory import Sample
    from opslib.host.units.trend import Trend

_SHOWN = 200
_SIGMAS = 2.0
_GROWING, _STEADY, _SHRINKING, _UNCLEAR = "growing", "steady", "shrinking", "unclear"


class MemoryWatch(Asking, Task, name="memory_watch"):
    """Sample a unit's memory for `duration`, fit a line, and say how sure it is and when memory runs out.

    Counted is what the unit's control group uses, without cache that can go at once; where there is no such group (no
    memory controller) the anonymous memory of its processes. The end is `limit`, or the tightest limit of the unit and
    the groups around it, or what the unit uses and the host has available together, whichever is least.

    The line is fitted by least squares. It is called sure when a slope like that comes by chance less than once in a
    thousand (with the number of samples lowered for their correlation) and the line explains 80 % of the spread;
    likely below 5 % and from 40 % on; unclear otherwise. Growth of less than `noise` per hour is steady. What is true
    of minutes need not be of days: a cache that fills looks like a leak; watch longer when in doubt.

    It is critical when `critical_percent` of the limit is used, or when memory surely or likely runs out within
    `critical`. Then the step fails; with `restart` the unit is restarted instead and watched as by the task service.
    Not critical but growing is a warning. Nothing else is changed. The run needs as long as `duration`: a deadline
    shorter than that cuts it short, and the step says so.

    data: `unit`, `source` (cgroup, processes), `seconds` watched, `samples` (at most 200: `seconds`, `used_bytes`),
    `sample_count`, `first_bytes`, `last_bytes`, `most_bytes`, `limit_bytes`, `limit_of` (asked, unit, host),
    `used_percent`; `trend` (growing, steady, shrinking, unclear), `sureness` (sure, likely, unclear),
    `bytes_per_hour`, `error_bytes_per_hour` (standard error; null when unknown), `r2`, `p`; `runs_out_seconds`,
    `runs_out` (UTC), `runs_out_earliest_seconds`, `runs_out_latest_seconds` (two standard errors either way; null for
    never); `critical`, `why`; `restarts_seen` (the unit was restarted while watched); `restarted`, `used_after_bytes`.

    Errors: the unit does not run, or stops while watched. Sources: cgroups(7), proc_pid_status(5), proc_meminfo(5).
    """

    unit: str = param(UnitName(), "The unit to watch.", example="ai-cost-dashboard")
    duration: float = param(Duration(low=1), "Seconds to watch.", default="2m", example="10m")
    every: float = param(Duration(low=0.1), "Seconds between two samples.", default=2, example="5s")
    limit: int = param(Size(), "Bytes that the unit may use; found out if not given.", default=None, example="2G")
    critical: float = param(
        Duration(), "Critical when memory runs out within this many seconds.", default="1h", example="30m"
    )
    critical_percent: float = param(
        Percent(), "Critical when this percentage of the limit is used already.", default=90, example=85
    )
    noise: int = param(Size(), "Growth of fewer bytes per hour than this is none.", default="1M", example="10M")
    restart: bool = param(Boolean(), "Whether to restart the unit when it is critical.", default=False, example=True)
    settle: float = param(Duration(), "Seconds that it must stay up after a restart.", default=3)
    start_timeout: float = param(
        Duration(low=0.1), "Seconds within which it must be up again after a restart.", default=90
    )
    port: int | None = param(Port(), "TCP port that it must listen on after a restart.", default=None, example=8000)
    http: dict[str, Any] | None = param(
        Check(),
        "URL that must answer after a restart, or a mapping of the parameters of http_check.",
        default=None,
        example="http://127.0.0.1:8000/health",
    )
    log_lines: int = param(
        Number(0, 500, whole=True), "How many lines of the unit's journal a failing restart carries.", default=20
    )

    _outcome: Any = None

    def check(self) -> None:
        if self.every * (trend.LEAST - 1) > self.duration:
            words = "duration %g s is too short for %d samples every %g s"
            self.refuse(words % (self.duration, trend.LEAST, self.every))
        if self.limit == 0:
            self.refuse("limit 0 bytes leaves nothing to watch")
        if self.restart:
            self._service()  # which refuses what it could not do

    def _service(self) -> Service:
        own = ("unit", "settle", "start_timeout", "port", "http", "log_lines")
        return Service(state="restarted", **{key: getattr(self, key) for key in own})

    def probe(self) -> dict[str, Any]:
        if self._outcome:
            return dict(self._outcome, after=memory.sample(self.unit, self._outcome["source"]).used)
        unit = systemd.show(self.unit)
        if unit.load == "not-found" or unit.active not in ("active", "reloading"):
            words = "does not exist" if unit.load == "not-found" else "is %s, so it has no memory to watch" % unit.words
            raise TaskError("%s %s" % (unit.label, words))
        source = memory.source(unit)
        samples = self._watch(source)
        own, limit = memory.limit(source), samples[-1].available + samples[-1].used
        rows = [(number, of) for number, of in ((self.limit, "asked"), (own, "unit"), (limit, "host")) if number]
        least, of = min(rows)
        return {"now": time.time(), "source": source, "samples": samples, "limit": least, "limit_of": of, "after": None}

    def _watch(self, source: memory.Source) -> list[Sample]:
        began = time.monotonic()
        samples: list[Sample] = []
        while True:
            one = memory.sample(self.unit, source)
            if samples and one.active not in ("active", "reloading", "activating", "deactivating"):
                why = unit_faults.ended(systemd.show(self.unit))
                words = "%s is %s after %.0f s of watching, at %s%s"
                raise TaskError(
                    words % (self.unit, one.active, one.at - began, size(samples[-1].used), why and ": " + why),
                    samples=_shown(samples),
                    restarts_seen=one.restarts - samples[0].restarts,
                )
            samples.append(one)
            left = began + self.duration - time.monotonic()
            if left <= 0:
                return samples
            time.sleep(min(self.every, left))

    def plan(self, state: dict[str, Any]) -> Plan:
        whole: Sequence[Sample] = state["samples"]
        samples = [one for one in whole if one.invocation == whole[-1].invocation and one.used > 0] or whole[-1:]
        line = trend.fit([(one.at, one.used) for one in samples])
        seen = len({one.invocation for one in whole}) - 1
        found = self._judge(line, samples, state["limit"])
        data = {
            "unit": self.unit,
            "source": state["source"].kind,
            "seconds": round(samples[-1].at - samples[0].at, 1),
            "samples": _shown(samples),
            "sample_count": len(samples),
            "first_bytes": samples[0].used,
            "last_bytes": samples[-1].used,
            "most_bytes": max(one.used for one in samples),
            "limit_bytes": state["limit"],
            "limit_of": state["limit_of"],
            "used_percent": round(100 * samples[-1].used / state["limit"], 1),
            **found,
            "runs_out": _at(state["now"], found["runs_out_seconds"]),
            "restarts_seen": seen,
            "restarted": state["after"] is not None,
            "used_after_bytes": state["after"],
        }
        words = self._words(data)
        warnings = []
        if seen:
            times = "%d time%s" % (seen, "" if seen == 1 else "s")
            warnings.append("%s was restarted %s while it was watched; judged is the time since" % (self.unit, times))
        if state["after"] is not None:
            return Plan(reason=words, warnings=[*warnings, "restarted: " + data["why"]], data=data)
        if data["critical"] and self.restart:
            summary = "restart %s: %s" % (self.unit, data["why"])
            return Plan(changes=[Change(kind=ACTION, summary=summary, detail=state)], warnings=warnings, data=data)
        if data["critical"]:
            return Plan(failure="%s; %s" % (words, data["why"]), warnings=warnings, data=data)
        if data["trend"] == _GROWING:
            warnings.append(words)
        return Plan(reason=words, warnings=warnings, data=data)

    def _judge(self, line: Trend | None, samples: Sequence[Sample], limit: int) -> dict[str, Any]:
        used = 100 * samples[-1].used / limit
        why = "%.0f%% of %s is used" % (used, size(limit)) if used >= self.critical_percent else ""
        found: dict[str, Any] = {"trend": _UNCLEAR, "sureness": _UNCLEAR, "bytes_per_hour": None}
        found.update(error_bytes_per_hour=None, r2=None, p=None, runs_out_seconds=None)
        found.update(runs_out_earliest_seconds=None, runs_out_latest_seconds=None)
        if line is not None:
            hourly = line.slope * 3600
            error = line.error * 3600
            kind = _STEADY if abs(hourly) < self.noise else _GROWING if hourly > 0 else _SHRINKING
            sureness = line.sureness
            if kind == _STEADY:
                sureness = "sure" if abs(hourly) + _SIGMAS * error < self.noise else "likely"
            elif sureness == _UNCLEAR:
                kind = _UNCLEAR
            found.update(
                trend=kind,
                sureness=sureness,
                bytes_per_hour=int(hourly),
                error_bytes_per_hour=int(error) if error < 1e18 else None,
                r2=round(line.r2, 4),
                p=float("%.3g" % line.p),
            )
            if kind == _GROWING:
                ends = [line.reaches(limit, line.slope + way * line.error) for way in (0, _SIGMAS, -_SIGMAS)]
                whole = [None if end is None else int(end) for end in ends]
                found.update(zip(("runs_out_seconds", "runs_out_earliest_seconds", "runs_out_latest_seconds"), whole))
                if not why and ends[0] is not None and ends[0] <= self.critical:
                    why = "memory runs out in %s (%s)" % (ago(ends[0]), sureness)
        return dict(found, critical=bool(why), why=why)

    def _words(self, data: dict[str, Any]) -> str:
        words = "%s uses %s (%g%% of %s)" % (
            self.unit,
            size(data["last_bytes"]),
            data["used_percent"],
            size(data["limit_bytes"]),
        )
        kind = data["trend"]
        if kind == _STEADY:
            return words + ", steady over %s (%s)" % (ago(data["seconds"]), data["sureness"])
        if kind == _UNCLEAR:
            return words + "; %s show no clear trend, watch longer" % ago(data["seconds"])
        rate = size(abs(data["bytes_per_hour"]))
        words += ", %s by %s per hour (%s: r2 %.2g, p %.2g)" % (kind, rate, data["sureness"], data["r2"], data["p"])
        if data["runs_out_seconds"] is not None:
            words += "; memory runs out in %s" % ago(data["runs_out_seconds"])
            late = data["runs_out_latest_seconds"]
            early = ago(data["runs_out_earliest_seconds"] or 0)
            words += " (%s at the earliest, %s)" % (early, "perhaps never" if late is None else ago(late) + " at most")
        return words

    def apply(self, change: Change) -> None:
        service = self._service()
        plan = service.plan(service.probe())
        if plan.failure:
            raise TaskError(plan.failure, **plan.data)
        for one in plan.changes:
            service.apply(one)
        service.verify(plan)
        object.__setattr__(self, "_outcome", change.detail)


def _shown(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Return the samples for data, thinned out evenly when they are many."""
    step = max((len(samples) + _SHOWN - 1) // _SHOWN, 1)
    chosen = [one for number, one in enumerate(samples) if number % step == 0 or number == len(samples) - 1]
    return [{"seconds": round(one.at - samples[0].at, 1), "used_bytes": one.used} for one in chosen]


def _at(now: float, seconds: float | None) -> str | None:
    return None if seconds is None else utc(now + seconds)
