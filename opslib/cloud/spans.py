"""Time spans as people say them."""

from __future__ import annotations

__all__ = ["span"]


def span(seconds: float) -> str:
    """Return a time span in words: "5 minutes", "26 hours", "3 days"."""
    for size, noun in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {noun}"
    return f"{max(0, int(seconds))} seconds"
