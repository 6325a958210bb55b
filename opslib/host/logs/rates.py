"""Error patterns of two windows of time, compared. Pure."""

from __future__ import annotations

from opslib.host.record import Record

from .times import utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

LEAST_SPAN = 10


class Rise(Record):
    """A pattern with its count now and before; growth: errors beyond what the time before lets expect.

    began: seconds since 1970, the first occurrence in the window.
    """

    pattern: str
    count: int
    before: int
    growth: float
    began: float
    last: float
    samples: Sequence[Any] = ()

    def facts(self) -> dict[str, Any]:
        """Return it for data."""
        return {
            "pattern": self.pattern,
            "count": self.count,
            "before_count": self.before,
            "new": self.before == 0,
            "first": utc(self.began),
            "last": utc(self.last),
            "samples": list(self.samples),
        }


def compared(after: dict[str, Any], before: dict[str, Any]) -> list[Rise]:
    """Return the patterns of a window, those that grew most first. after, before: states of log_errors."""
    known = {one["pattern"]: one["count"] for one in before["patterns"]}
    longer = max(after["until"] - after["since"], LEAST_SPAN) / max(before["until"] - before["since"], LEAST_SPAN)
    rows = []
    for one in after["patterns"]:
        earlier = known.get(one["pattern"], 0)
        rows.append(
            Rise(
                pattern=one["pattern"],
                count=one["count"],
                before=earlier,
                growth=one["count"] - earlier * longer,
                began=one["first"],
                last=one["last"],
                samples=one["samples"],
            )
        )
    return sorted(rows, key=lambda row: (-row.growth, row.began, row.pattern))


def culprit(rows: Sequence[Rise]) -> Rise | None:
    """Return the pattern that grew most, None when none did."""
    return rows[0] if rows and rows[0].growth > 0 else None


def ratio(rate: float, before: float) -> float | None:
    """Return how many times the rate is that of before; None when there were none before."""
    return rate / before if before else None
