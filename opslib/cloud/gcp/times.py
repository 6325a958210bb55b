"""Times as Google's services write them: RFC 3339, up to nanoseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from opslib.cloud.errors import MalformedError

__all__ = ["moment_of", "stamp"]

_FORM = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


def moment_of(text: Any, what: str) -> datetime:
    """Return a time that a service told; less than a microsecond is dropped. Raises MalformedError."""
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    try:
        if found is not None:
            return datetime.fromisoformat(found[1] + (found[2] or "")[:7] + found[3]).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise MalformedError(f"{what} is no time: {str(text)[:60]!r}")


def stamp(moment: datetime) -> str:
    """Return a time as people read it, and as parameters take it: UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
