"""Entries of logs as lines: the host before each, nothing hidden, nothing that acts on a terminal."""

from __future__ import annotations

import json
from dataclasses import dataclass

from opslib.log_entry import LogEntry
from opslib.output.lines import Line, Style, line
from opslib.output.text import visible, visible_lines, width

__all__ = ["LogStyle", "entry_lines"]

MAX_LINES = 200
_STYLES: dict[str, Style] = {
    **dict.fromkeys(("ERROR", "ERR", "CRITICAL", "CRIT", "FATAL", "ALERT", "EMERG", "PANIC"), "failed"),
    **dict.fromkeys(("WARN", "WARNING"), "warning"),
    **dict.fromkeys(("DEBUG", "TRACE"), "dim"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStyle:
    """How entries are shown. width: columns for the host's name; sources: name each entry's; pretty: JSON indented."""

    width: int = 0
    sources: bool = False
    pretty: bool = False


def entry_lines(entry: LogEntry, style: LogStyle) -> list[Line]:
    """Return an entry's lines."""
    name = visible(entry.host)
    prefix = name + " " * max(style.width - width(name), 0) + "  "
    source = visible(entry.source.rpartition("/")[2] or entry.source) + "  " if style.sources else ""
    stamp = ""
    if entry.time is not None and not entry.source.startswith("/"):  # the journal keeps times beside the text
        stamp = f"{entry.time:%Y-%m-%dT%H:%M:%SZ} "
    members = entry.members if style.pretty else None
    text = entry.text if members is None else json.dumps(members, indent=2, ensure_ascii=False)
    rows = visible_lines(text)
    left = len(rows) - MAX_LINES
    if left > 0:
        rows = [*rows[:MAX_LINES], f"... {left} more lines"]
    if entry.cut:
        rows[-1] += " ... (cut)"
    color = _STYLES.get(entry.level or "", "plain")
    hang = width(prefix) + width(source)
    return [line((prefix, "place"), (source, "dim"), (stamp, "dim"), (row, color), hang=hang) for row in rows]
