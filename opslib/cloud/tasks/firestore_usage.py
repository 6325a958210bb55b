"""Compare what Firestore was used for today with its daily limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from opslib.cloud.gcp.firestore_task import FirestoreTask
from opslib.cloud.gcp.monitoring import Monitoring
from opslib.cloud.gcp.times import stamp
from opslib.cloud.task import Plan, TaskError, param
from opslib.host.params import Number, Percent, Size
from opslib.host.words import listed, size

__all__ = ["FirestoreUsage"]

_COUNTERS = {
    "reads": "firestore.googleapis.com/document/read_ops_count",
    "writes": "firestore.googleapis.com/document/write_ops_count",
    "deletes": "firestore.googleapis.com/document/delete_ops_count",
}
_STORED = "firestore.googleapis.com/storage/data_and_index_storage_bytes"
_DAYS_BACK = timedelta(days=2)  # the storage is measured once a day
_LATE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _State:
    now: datetime
    began: datetime
    used: Mapping[str, int]
    stored: int | None


class FirestoreUsage(FirestoreTask, name="firestore_usage"):
    """Compare the documents read, written and deleted today, and the bytes stored, with limits.

    A day begins at midnight in California, when Google's quotas begin anew. The limits are those of the free plan
    (Spark); with a plan that is paid for, they are what you set them to. The numbers come from Cloud Monitoring, some
    minutes late. When the day's pace would lead over a limit, that is a warning. Nothing is changed.

    data: `since` (UTC); for `reads`, `writes`, `deletes` and `stored_bytes`: `used`, `limit`, `percent`, and for the
    first three `by_midnight`, what it would come to at the same pace (null in the first hour).

    Sources: https://firebase.google.com/docs/firestore/quotas, .../understand-performance-monitoring.
    """

    reads: int = param(Number(1, 1e15, whole=True), "Documents that may be read in a day.", default=50_000)
    writes: int = param(Number(1, 1e15, whole=True), "Documents that may be written in a day.", default=20_000)
    deletes: int = param(Number(1, 1e15, whole=True), "Documents that may be deleted in a day.", default=20_000)
    stored: int = param(Size(), "Bytes that may be stored, indexes among them.", default="1G")
    warn: float = param(Percent(), "Percent of a limit from which to warn.", default=80)
    fail: float = param(Percent(), "Percent of a limit from which to fail.", default=100)

    def check(self) -> None:
        if self.warn > self.fail:
            self.refuse(f"warn {self.warn:g}% must not be above fail {self.fail:g}%")
        if not self.stored:
            self.refuse("stored must be more than 0 bytes")

    def look(self) -> _State:
        now = datetime.now(UTC).replace(microsecond=0)
        began = min(_midnight(now), now - timedelta(seconds=60))
        monitoring = Monitoring(self)
        one = f'resource.labels.database_id = "{self.database}"'
        used = {name: monitoring.total(metric, one, began, now) for name, metric in _COUNTERS.items()}
        return _State(now, began, used, monitoring.last(_STORED, one, now - _DAYS_BACK, now))

    def compare(self, state: _State) -> Plan:
        limits = {"reads": self.reads, "writes": self.writes, "deletes": self.deletes}
        data: dict[str, Any] = {"since": stamp(state.began)}
        for name, limit in limits.items():
            data[name] = {**_share(state.used[name], limit), "by_midnight": _by_midnight(state.used[name], state)}
        data["stored_bytes"] = {"used": None, "limit": self.stored, "percent": None}
        if state.stored is not None:
            data["stored_bytes"] = _share(state.stored, self.stored)
        over = [_said(name, data[name]) for name in data if name != "since" and self._reaches(data[name], self.fail)]
        if over:
            return Plan(failure=f"the limit is reached: {listed(over)}", data=data)
        near = [_said(name, data[name]) for name in data if name != "since" and self._reaches(data[name], self.warn)]
        warnings = [f"near the limit: {each}" for each in near]
        for name, limit in limits.items():
            pace = data[name]["by_midnight"]
            if pace is not None and pace > limit and not self._reaches(data[name], self.warn):
                warnings.append(f"at this pace {name} come to {pace} by midnight in California; the limit is {limit}")
        if state.stored is None:
            warnings.append("Cloud Monitoring does not know how much is stored")
        used = ", ".join(f"{state.used[name]} of {limit} {name}" for name, limit in limits.items())
        held = "" if state.stored is None else f", {size(state.stored)} of {size(self.stored)} stored"
        return Plan(reason=f"{used}{held} since {stamp(state.began)}", data=data, warnings=warnings)

    def _reaches(self, share: Mapping[str, Any], percent: float) -> bool:
        return share["percent"] is not None and share["percent"] >= percent


def _share(used: int, limit: int) -> dict[str, Any]:
    return {"used": used, "limit": limit, "percent": round(used * 100 / limit, 1)}


def _said(name: str, share: Mapping[str, Any]) -> str:
    return f"{name.replace('_', ' ')} {share['used']} of {share['limit']} ({share['percent']:g}%)"


def _by_midnight(used: int, state: _State) -> int | None:
    """Return what a counter comes to in a day at the same pace; None when it is too early to tell."""
    passed = state.now - _LATE - state.began
    if passed < timedelta(hours=1):
        return None
    return round(used * timedelta(days=1) / passed)


def _midnight(now: datetime) -> datetime:
    """Return the last midnight in California."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        there = now.astimezone(ZoneInfo("America/Los_Angeles"))
    except ZoneInfoNotFoundError as error:
        raise TaskError("this machine knows no time zones; install the package tzdata") from error
    return there.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
