"""A straight line through samples, how sure it is, and when it reaches a limit.

Source: ordinary least squares; twice the standard error of the slope stands for what is likely (about 95 %).
"""

from __future__ import annotations

from opslib.host.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

HIGH, MEDIUM, LOW, NONE = "high", "medium", "low", "none"
_HIGH, _MEDIUM = 0.2, 0.5
_FALL = 0.05


class Trend(Record):
    """A line: `per_second`, likely between `least` and `most`; `now` is where it stands at the last sample.

    sure: `high` when the slope is known to a fifth, `medium` to the half, `low` when only its direction is known, and
    `none` when not even that is.
    """

    samples: int
    span: float
    now: float
    per_second: float
    least: float
    most: float
    sure: str


def since_last_fall(points: Sequence[tuple[float, float]], whole: float) -> Sequence[tuple[float, float]]:
    """Return the points since something was cleaned up: since the last fall by a twentieth of the whole."""
    begin = 0
    for number in range(1, len(points)):
        if points[number - 1][1] - points[number][1] > _FALL * whole:
            begin = number
    return points[begin:]


def fit(points: Sequence[tuple[float, float]]) -> Trend | None:
    """Return the line through points of time and value, in order of time; None for fewer than three moments."""
    count = len(points)
    if count < 3 or points[-1][0] <= points[0][0]:
        return None
    middle = sum(time for time, _value in points) / count
    mean = sum(value for _time, value in points) / count
    spread = sum((time - middle) ** 2 for time, _value in points)
    if spread <= 0:
        return None
    slope = sum((time - middle) * (value - mean) for time, value in points) / spread
    off = sum((value - mean - slope * (time - middle)) ** 2 for time, value in points)
    error = 2 * (off / (count - 2) / spread) ** 0.5
    return Trend(
        samples=count,
        span=points[-1][0] - points[0][0],
        now=mean + slope * (points[-1][0] - middle),
        per_second=slope,
        least=slope - error,
        most=slope + error,
        sure=_sure(slope, error),
    )


def seconds_until(limit: float, now: float, per_second: float) -> float | None:
    """Return the seconds until a value that grows so fast reaches a limit; None when it does not grow."""
    if now >= limit:
        return 0.0
    return (limit - now) / per_second if per_second > 0 else None


def _sure(slope: float, error: float) -> str:
    size = abs(slope)
    if error <= _HIGH * size:
        return HIGH
    if error <= _MEDIUM * size:
        return MEDIUM
    return LOW if error < size else NONE
