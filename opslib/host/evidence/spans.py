"""Time spans in words."""

from __future__ import annotations

from opslib.host.words import count


def ago(seconds: float) -> str:
    """Return a time span in words, of one unit: "4 minutes", "3 hours"."""
    seconds = max(int(seconds + 0.5), 0)
    for length, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= length:
            return count(int(seconds / length + 0.5), unit)
    return count(int(seconds + 0.5), "second")
