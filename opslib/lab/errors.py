"""The one exception of the lab."""

from __future__ import annotations

from opslib.errors import OpslibError

__all__ = ["LabError"]


class LabError(OpslibError):
    """A lab cannot be made or used as asked; the message says what was found and what to do."""
