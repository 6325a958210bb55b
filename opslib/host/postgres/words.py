"""Times as people read them."""

from __future__ import annotations

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60))


def span(seconds: float) -> str:
    """Return a time span in words, in its largest unit: "3 days", "5 minutes", "12 seconds"."""
    for word, unit in _UNITS:
        if seconds >= unit:
            number = int(seconds // unit)
            return "%d %s%s" % (number, word, "" if number == 1 else "s")
    return "%d second%s" % (seconds, "" if int(seconds) == 1 else "s")
