"""What a change changes, as the lines of a unified diff."""

from __future__ import annotations

import difflib
import json
from typing import Any

from opslib.output.text import shorten, visible_lines
from opslib.result import Change

__all__ = ["MAX_LINES", "diff_lines"]

MAX_LINES = 200
MAX_WIDTH = 2000
MAX_COMPARED = 4000


def diff_lines(change: Change) -> list[str]:
    """Return the difference between `before` and `after` as visible lines, each begun with `-`, `+`, blank or `@`.

    Empty when the change says nothing of either side, as acts (a restart) do; at most `MAX_LINES` long.
    """
    if change.before is None and change.after is None:
        return []
    before, after = _lines(change.before), _lines(change.after)
    if len(before) <= 1 and len(after) <= 1:
        lines = [f"-{line}" for line in before] + [f"+{line}" for line in after]
    elif max(len(before), len(after)) > MAX_COMPARED:  # comparing takes time that grows with the square of this
        lines = [f"-({len(before)} lines)", f"+({len(after)} lines, too many to compare)"]
    else:
        lines = list(difflib.unified_diff(before, after, lineterm=""))[2:]
    if before == after and before:
        lines = [" (no difference in what may be shown)"]
    if len(lines) > MAX_LINES:
        lines = [*lines[:MAX_LINES], f"@ {len(lines) - MAX_LINES} more lines; the JSON report has them all @"]
    return [shorten(line, MAX_WIDTH) for line in lines]


def _lines(value: Any) -> list[str]:
    if value is None:
        return []
    text = value if isinstance(value, str) else json.dumps(value, indent=2, sort_keys=True, default=str)
    return visible_lines(text)
