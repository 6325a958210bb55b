"""Compare the errors of the last hour with those before the last release, and say what to do about them."""

from __future__ import annotations

import time

from opslib.host.evidence import changes
from opslib.host.evidence.spans import ago
from opslib.host.logs.rates import LEAST_SPAN, Rise, compared, culprit, ratio
from opslib.host.logs.times import utc
from opslib.host.params import Duration, ListOf, Mapping, Name, Number, Path, Regex, Size, Text
from opslib.host.plan import Plan
from opslib.host.task import Task, param
from opslib.host.words import count, listed

from .disk_usage import DiskUsage
from .log_errors import LogErrors, ZoneName
from .memory_usage import MemoryUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from opslib.host.evidence.changes import Release

_PATTERNS = 500
_LIVE = ("good", "found", "success", "succeeded", "ok")
_OVERLOADED = 5


class ErrorRate(Task, name="error_rate"):
    """Say whether errors have become more frequent, since when, after which release, and what to do first.

    Counts the errors of the last `since` (as the task log_errors does) and compares their rate with that of the same
    time before the last release; where no release was recorded within `compare`, with the time before that. The
    pattern that grew most tells when it began: "began 4 minutes after release v3 (abc123)". A beginning within
    `related` after a release is laid to it. Disks, memory and the load are looked at too: what the tasks disk_usage
    and memory_usage fail for, and a 5-minute load from 5 per processor on. Nothing is changed.

    Fails when there are at least `least` errors and their rate is `factor` times that of before, or when there are
    more than `per_minute`.

    data: `count`, `per_minute`, `since`, `until` (UTC) of the window, which begins with the release where that is
    later; `before`: `count`, `per_minute`, `since`, `until`, `logged` (false when the logs hold nothing of that time);
    `times` (rate against the rate before; null when that is 0); `high`; `release` (`id`, `at`, `application`,
    `commit`, `ref`, `outcome`, `who`; null if none); `began` (UTC), `began_seconds` (after the release), `related`;
    `patterns`, at most `top`, those that grew most first: `pattern`, `count`, `before_count`, `new`, `first`, `last`,
    `samples`; `packages_changed` since the time before; `resources`: words about disks, memory and load, empty when
    all are well; `suggestion`; `bytes_read`.

    Errors: those of log_errors.
    """

    paths: list[str] = param(
        ListOf(Path(), empty=False),
        "Log files, patterns, and folders (for the *.log in them), absolute.",
        example=["/srv/app/logs/app.log"],
    )
    since: float = param(Duration(LEAST_SPAN), "The window begins this many seconds ago.", default="1h", example="30m")
    levels: list[str] = param(
        ListOf(Name("log level"), longest=20, empty=False),
        "What counts as an error.",
        default=["ERROR", "CRITICAL", "FATAL"],
    )
    match: str = param(
        Regex(), "Count entries in which this regular expression is found.", default=None, example="/api/forecast"
    )
    fields: dict[str, Any] = param(
        Mapping(), "Count JSON entries whose members have these values.", default={}, example={"path": "/api/forecast"}
    )
    timezone: str = param(
        ZoneName(), "The zone of times that name none; the host's own if not given.", default=None, example="UTC"
    )
    releases: list[str] = param(
        ListOf(Path()), "Files and folders with the records of releases.", default=[changes.RELEASES]
    )
    application: str = param(
        Text("name of an application"), "Look at the releases of this application only.", default=None, example="shop"
    )
    compare: float = param(
        Duration(LEAST_SPAN), "Releases older than this many seconds are not looked at.", default="1d"
    )
    related: float = param(
        Duration(), "Errors that begin within this many seconds after a release are laid to it.", default="1h"
    )
    factor: float = param(
        Number(0, 1e6), "Fail when the rate is this many times that of before; 0 for never.", default=3
    )
    least: int = param(Number(1, whole=True), "Fewer errors than this are never too many by `factor`.", default=5)
    per_minute: float = param(
        Number(0, 1e9), "Fail when there are more errors per minute than this.", default=None, example=10
    )
    top: int = param(Number(1, _PATTERNS, whole=True), "How many patterns to list.", default=10)
    read_limit: int = param(Size(), "Bytes to read at most for each of the windows, after unpacking.", default="2G")

    def probe(self) -> dict[str, Any]:
        now = time.time()
        release = self._release(now)
        ends = release.at if release else now - self.since
        recent = self._errors(now, max(min(self.since, now - ends), 1), 0)
        after = recent if now - ends <= self.since else self._errors(now, now - ends, 0)
        before = self._errors(now, now - ends + self.since, now - ends)
        logged = before["count"] > 0 or self._errors(now, now - ends + self.since, now - ends, levels=[])["count"] > 0
        return {
            "now": now,
            "release": release,
            "recent": recent,
            "after": after,
            "before": before,
            "logged": logged,
            "packages": changes.packages(ends - self.since),
            "unread": changes.unread(self.releases),
            "resources": self._resources(),
        }

    def _release(self, now: float) -> Release | None:
        made = [
            one
            for one in changes.releases(self.releases)
            if now - self.compare <= one.at <= now and self.application in (None, one.application)
        ]
        return made[-1] if made else None

    def _errors(self, now: float, since: float, until: float, **others: Any) -> dict[str, Any]:
        args = {key: getattr(self, key) for key in ("paths", "levels", "match", "fields", "timezone", "read_limit")}
        drift = time.time() - now
        args.update(since=since + drift, until=until + drift if until else 0, top=_PATTERNS, **others)
        task = LogErrors(**args)
        state = task.probe()
        plan = task.plan(state)
        return dict(state, failure=plan.failure, warnings=plan.warnings)

    def _resources(self) -> list[str]:
        words: list[str] = []
        nothing: dict[str, Any] = {}
        for task in (DiskUsage(**nothing), MemoryUsage(load_fail=_OVERLOADED, **nothing)):
            plan = task.plan(task.probe())
            words += [plan.failure] if plan.failure else []
        return words

    def plan(self, state: dict[str, Any]) -> Plan:
        recent, before, release = state["recent"], state["before"], state["release"]
        if recent["failure"]:
            return Plan(failure=recent["failure"], warnings=recent["warnings"])
        rate, rate_before = _rate(recent), _rate(before)
        times = ratio(rate, rate_before)
        rows = compared(state["after"], before)
        high = self._high(recent["count"], rate, rate_before)
        worst = culprit(rows) if high else None
        late = None if worst is None or release is None else worst.began - release.at
        related = late is not None and 0 <= late <= self.related and (worst is None or worst.before == 0)
        data = {
            "count": recent["count"],
            "per_minute": round(rate, 3),
            "since": utc(recent["since"]),
            "until": utc(recent["until"]),
            "before": {
                "count": before["count"],
                "per_minute": round(rate_before, 3),
                "since": utc(before["since"]),
                "until": utc(before["until"]),
                "logged": state["logged"],
            },
            "times": None if times is None else round(times, 2),
            "high": high,
            "release": release.facts() if release else None,
            "began": utc(worst.began) if worst else None,
            "began_seconds": None if late is None else int(late),
            "related": related,
            "patterns": [row.facts() for row in rows[: self.top]],
            "packages_changed": state["packages"][-50:],
            "resources": state["resources"],
            "suggestion": self._suggestion(state, worst, related) if high else "nothing to do",
            "bytes_read": sum(state[key]["bytes_read"] for key in ("recent", "before")),
        }
        words = self._words(state, times, worst, late)
        warnings = [*recent["warnings"], *state["unread"]]
        if not state["logged"]:
            words_ = "the logs hold nothing of the time before (from %s on), so there is nothing to compare with"
            warnings.append(words_ % utc(before["since"]))
        if high:
            return Plan(failure="%s; %s" % (words, data["suggestion"]), warnings=warnings, data=data)
        return Plan(reason=words, warnings=warnings, data=data)

    def _high(self, number: int, rate: float, before: float) -> bool:
        if self.per_minute is not None and rate > self.per_minute:
            return True
        return bool(self.factor) and number >= self.least and rate >= self.factor * before

    def _words(self, state: dict[str, Any], times: float | None, worst: Rise | None, late: float | None) -> str:
        recent, before, release = state["recent"], state["before"], state["release"]
        words = "%s in the last %s (%.3g per minute)" % (
            count(recent["count"], "error"),
            ago(state["now"] - recent["since"]),
            _rate(recent),
        )
        point = "release %s" % release.label if release else "that"
        if times is not None and recent["count"]:
            words += ", %.3g times as many as before %s" % (times, point)
        elif recent["count"]:
            words += ", none before %s" % point if state["logged"] else ""
        elif before["count"]:
            words += ", %s before %s" % (before["count"], point)
        if worst is not None:
            new = "began" if worst.before == 0 else "grew, as of"
            if late is not None and late >= 0 and worst.before == 0:
                words += "; began %s after %s" % (ago(late), point)
            else:
                words += "; %s %s" % (new, utc(worst.began))
            words += ": %s (%d times)" % (worst.pattern, worst.count)
        return words

    def _suggestion(self, state: dict[str, Any], worst: Rise | None, related: bool) -> str:
        release = state["release"]
        if related and release is not None:
            if release.outcome in ("", *_LIVE):
                return "roll release %s back, or mend it" % release.label
            return "release %s is live no more (%s): see whether errors went on after that" % (
                release.label,
                release.outcome,
            )
        if state["resources"]:
            return "relieve the host first: " + listed(state["resources"])
        if worst is None:
            return "look at the most frequent pattern"
        if worst.before:
            return "the same errors as before, only more: look at the load, and at what the service depends on"
        packages = state["packages"]
        if packages:
            return "no release explains it; packages that changed: " + listed(
                sorted({row["package"].partition(":")[0] for row in packages})
            )
        return "no release explains it: look at what the service depends on (database, other services, credentials)"


def _rate(window: dict[str, Any]) -> float:
    number: int = window["count"]
    span: float = max(window["until"] - window["since"], LEAST_SPAN)
    return number * 60 / span
