"""Service levels: what was promised, what the metrics say, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from opslib.cloud.aws.metrics import Series

__all__ = ["Level", "Verdict", "error_rate", "load", "percentile", "share_up", "uptime"]


class Verdict(Enum):
    """Whether a promise was kept."""

    MET = "met"
    MISSED = "missed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Level:
    """One promise. value: what was measured, None when nothing was; note: on what that rests, in words."""

    name: str
    value: float | None
    target: float
    unit: str
    verdict: Verdict
    above: bool = False
    note: str = ""

    @property
    def words(self) -> str:
        """The level on one line: `error rate 3.1 % (target below 1 %)`."""
        found = "unknown" if self.value is None else f"{self.value:.4g} {self.unit}"
        return f"{self.name} {found} (target {'at least' if self.above else 'below'} {self.target:g} {self.unit})"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-like data."""
        return {
            "name": self.name,
            "value": self.value,
            "target": self.target,
            "unit": self.unit,
            "verdict": self.verdict.value,
            "note": self.note,
        }


def percentile(latency: Series, name: str, target: float) -> Level:
    """Judge a percentile of the latency (ms): where it comes for several parts of the time, the worst counts."""
    worst = max(latency.values, default=None)
    return Level(f"{name} latency", worst, target, "ms", _below(worst, target))


def error_rate(requests: Series, errors: Series, target: float) -> Level:
    """Judge the share of failed requests, in percent; without requests there is none.

    Errors that are not reported where requests are did not happen.
    """
    total, failed = sum(requests.values), sum(errors.values)
    rate = 100 * failed / total if total > 0 else None
    note = f"{failed:g} of {total:g} requests"
    if total <= 0 < failed:
        note = f"{failed:g} errors, but no requests"
    return Level("error rate", rate, target, "%", _below(rate, target), note=note)


def uptime(requests: Series, errors: Series, periods: int, down: float, target: float) -> Level:
    """Judge the share of the time, in percent, in which requests were answered.

    periods: how many there are in the time; one counts as down when `down` percent of its requests or more failed, and
    as nothing when there were no requests: nobody knows.
    """
    failed = dict(errors.points)
    known = [(when, count) for when, count in requests.points if count > 0]
    bad = sum(1 for when, count in known if 100 * failed.get(when, 0.0) / count >= down)
    share = 100 * (len(known) - bad) / len(known) if known else None
    note = f"down in {bad} of {len(known)} periods with requests, of {max(periods, len(known))}"
    return Level("uptime", share, target, "%", _at_least(share, target), above=True, note=note)


def share_up(probe: Series, periods: int, target: float) -> Level:
    """Judge the uptime by a probe whose values are percentages."""
    values = probe.values
    share = sum(values) / len(values) if values else None
    note = f"a probe's {len(values)} values, of {max(periods, len(values))}"
    return Level("uptime", share, target, "%", _at_least(share, target), above=True, note=note)


def load(name: str, used: Series, most: float) -> Level:
    """Judge how much of the CPU or memory is used, in percent: at the limit nothing need be done yet."""
    worst = max(used.values, default=None)
    verdict = Verdict.UNKNOWN if worst is None else Verdict.MISSED if worst > most else Verdict.MET
    return Level(name, worst, most, "%", verdict)


def _below(value: float | None, target: float) -> Verdict:
    return Verdict.UNKNOWN if value is None else Verdict.MET if value < target else Verdict.MISSED


def _at_least(value: float | None, target: float) -> Verdict:
    return Verdict.UNKNOWN if value is None else Verdict.MET if value >= target else Verdict.MISSED
