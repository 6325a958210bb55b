"""How long ago something was, where the clock that dated it may have been ahead."""

from __future__ import annotations

LEEWAY = 60


def ahead(when: float, now: float) -> bool:
    """Whether a time lies in the future by more than a minute, so that it tells no age. Both in seconds since 1970."""
    return when > now + LEEWAY
