"""A straight line through samples, how sure it is, and when it reaches a limit. Pure.

Least squares with the usual t test of the slope. Samples of a process's memory are no independent draws: one that is
high is followed by high ones. The number of samples that count is therefore lowered by the correlation of neighbouring
residuals (Bayley and Hammersley's effective number, first order). Sources: Draper and Smith, Applied Regression
Analysis, chapter 1; Press et al., Numerical Recipes, 6.4 (the incomplete beta function by a continued fraction).
"""

from __future__ import annotations

import math

from opslib.host.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence, Tuple

    Samples = Sequence[Tuple[float, float]]

LEAST = 5
_STEPS = 300


class Trend(Record):
    """A line through samples.

    slope: units per second; level: of the line at the last sample; error: standard error of the slope; r2: share of
    the spread that the line explains; p: how likely a slope like that is when there is none; effective: samples that
    count.
    """

    samples: int
    slope: float
    level: float
    error: float
    r2: float
    p: float
    effective: float

    @property
    def sureness(self) -> str:
        """How sure it is that the slope is not zero: sure, likely, unclear."""
        if self.samples >= LEAST and self.p < 0.001 and self.r2 >= 0.8:
            return "sure"
        return "likely" if self.samples >= LEAST and self.p < 0.05 and self.r2 >= 0.4 else "unclear"

    def reaches(self, limit: float, slope: float | None = None) -> float | None:
        """Return after how many seconds the line is at a limit; None when it never is. slope: another than its own."""
        slope = self.slope if slope is None else slope
        if self.level >= limit:
            return 0.0
        seconds = (limit - self.level) / slope if slope > 0 else math.inf
        return seconds if seconds < 1e10 else None


def fit(samples: Samples) -> Trend | None:
    """Return the line through samples of (seconds, value), None when there are fewer than two times."""
    number = len(samples)
    if number < 2:
        return None
    mean_t = sum(t for t, _value in samples) / number
    mean_v = sum(value for _t, value in samples) / number
    stt = sum((t - mean_t) ** 2 for t, _value in samples)
    if stt <= 0:
        return None
    slope = sum((t - mean_t) * (value - mean_v) for t, value in samples) / stt
    residuals = [value - mean_v - slope * (t - mean_t) for t, value in samples]
    rest = sum(r * r for r in residuals)
    spread = sum((value - mean_v) ** 2 for _t, value in samples)
    effective = _effective(residuals, rest)
    free = effective - 2
    if free <= 0:
        error, p = math.inf, 1.0
    else:
        error = math.sqrt(rest / free / stt)
        p = 0.0 if error == 0 and slope else 1.0 if error == 0 else two_sided(slope / error, free)
    return Trend(
        samples=number,
        slope=slope,
        level=mean_v + slope * (samples[-1][0] - mean_t),
        error=error,
        r2=1 - rest / spread if spread > 0 else 0.0,
        p=p,
        effective=effective,
    )


def _effective(residuals: Sequence[float], rest: float) -> float:
    if rest <= 0:
        return float(len(residuals))
    follow = sum(one * residuals[at] for at, one in enumerate(residuals[1:])) / rest
    follow = min(max(follow, 0.0), 0.99)
    return len(residuals) * (1 - follow) / (1 + follow)


def two_sided(t: float, free: float) -> float:
    """Return the probability of a t as far from zero as this, with so many degrees of freedom."""
    if not math.isfinite(t):
        return 0.0
    return min(max(_beta(free / (free + t * t), free / 2, 0.5), 0.0), 1.0)


def _beta(x: float, a: float, b: float) -> float:
    """Return the regularized incomplete beta function."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > tiny else tiny)
    found = d
    for m in range(1, _STEPS):
        for top in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + top * d
            d = 1 / (d if abs(d) > tiny else tiny)
            c = 1 + top / c
            c = c if abs(c) > tiny else tiny
            found *= d * c
        if abs(d * c - 1) < 1e-12:
            break
    return found
