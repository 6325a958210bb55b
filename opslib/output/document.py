"""A report as a JSON document, the form that `opslib/schema/report-1.json` describes."""

from __future__ import annotations

import json
import math
from typing import Any

from opslib.result import Report

__all__ = ["to_json"]


def to_json(report: Report) -> str:
    """Return `report.to_dict()` as JSON, in ASCII, ending in a line break.

    Numbers that JSON does not know (infinities, not-a-number) become null, values of foreign types their text.
    """
    try:
        return json.dumps(report.to_dict(), indent=2, allow_nan=False, default=str) + "\n"
    except ValueError:
        return json.dumps(_finite(report.to_dict()), indent=2, allow_nan=False, default=str) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
