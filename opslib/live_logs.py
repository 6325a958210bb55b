"""Logs and journals of many hosts at once: read and put in the order of time, or followed as they grow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opslib.errors import UsageError
from opslib.events import Event, Notice, OnEvent, RunStarted, StepTold
from opslib.fleet import MAX_FORKS, Fleet
from opslib.host.params import shown
from opslib.host.tasks.logs import Logs
from opslib.log_entry import LogEntry
from opslib.result import Report
from opslib.step import Become, Step
from opslib.target import Target

__all__ = ["LogQuery", "LogReading", "follow_logs", "read_logs"]

OnEntry = Callable[[LogEntry], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """What to read. The hosts do the choosing, so that only what is wanted travels.

    paths: files, patterns, folders (for the *.log in them); units: systemd units, for their journal; lines: entries
    of each host at most, the newest; since, until: how long ago the time window begins and ends, as "1h" or in seconds;
    levels: such as ERROR; match: a regular expression to be found; fields: values of members, by name or dotted path,
    of JSON entries; timezone: of times that name none, None for the host's own; longest: characters of an entry;
    masked: put *** in place of what looks like a password, token or key.
    """

    paths: Sequence[str] = ()
    units: Sequence[str] = ()
    lines: int = 100
    since: str | float | None = None
    until: str | float = 0
    levels: Sequence[str] = ()
    match: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    timezone: str | None = None
    longest: int = 4096
    masked: bool = True

    def task(self, mode: str, lasting: str | float | None = None) -> Logs:
        """Return the task that reads it on a host. Raises ParamError for a wrong value."""
        settings: dict[str, Any] = {
            "paths": list(self.paths),
            "units": list(self.units),
            "mode": mode,
            "lines": self.lines,
            "since": self.since,
            "until": self.until,
            "levels": list(self.levels),
            "match": self.match,
            "fields": dict(self.fields),
            "timezone": self.timezone,
            "longest": self.longest,
            "masked": self.masked,
            "lasting": lasting,
        }
        return Logs(**settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReading:
    """What was read: the entries of all hosts in the order of time, and how each host ended."""

    entries: tuple[LogEntry, ...]
    report: Report


def read_logs(
    targets: Sequence[Target],
    query: LogQuery,
    *,
    search: bool = False,
    become: Become | bool | None = None,
    forks: int = 50,
    timeout: float | None = 30,
    on_event: OnEvent | None = None,
    cancel: threading.Event | None = None,
) -> LogReading:
    """Read the newest entries of the ends of logs, or with `search` those of the query's time window.

    search: look through rotated and compressed files too; the query needs `since`; timeout: seconds for each host, so
    that none holds up the others for longer; the rest as for Fleet. Never raises for a host: see the reading's report.
    Raises UsageError for a wrong argument.
    """
    heard = _Heard(on_event, None)
    step = Step(task=query.task("search" if search else "tail"), become=become)
    with Fleet(targets, forks=forks, timeout=timeout, on_event=heard.take, cancel=cancel) as fleet:
        report = fleet.run([step])
    return LogReading(entries=tuple(heard.merged()), report=report)


def follow_logs(
    targets: Sequence[Target],
    query: LogQuery,
    on_entry: OnEntry,
    *,
    lasting: str | float | None = None,
    become: Become | bool | None = None,
    on_event: OnEvent | None = None,
    cancel: threading.Event | None = None,
) -> Report:
    """Give the newest entries of all hosts, and then every entry as it comes, until `cancel` is set.

    on_entry: gets one entry at a time; lasting: end after this time ("10m", or seconds), counted on each host. All
    hosts are followed at once; nothing of ours stays on them. What a host remarks (a file was rotated, is not there
    yet) comes as a Notice. Raises UsageError for a wrong argument.
    """
    if not callable(on_entry):
        raise UsageError(f"on_entry is {shown(on_entry)}; give a function that takes an entry")
    heard = _Heard(on_event, on_entry)
    step = Step(task=query.task("follow", lasting), become=become)
    if len(targets) > MAX_FORKS:
        raise UsageError(f"{len(targets)} hosts are too many to follow at once; at most {MAX_FORKS}")
    with Fleet(targets, forks=max(len(targets), 1), on_event=heard.take, cancel=cancel) as fleet:
        return fleet.run([step])


class _Heard:
    """Takes a run's events: entries go where they are wanted, all else to the caller."""

    def __init__(self, on_event: OnEvent | None, on_entry: OnEntry | None) -> None:
        if on_event is not None and not callable(on_event):
            raise UsageError(f"on_event is {shown(on_event)}; give a function that takes an event")
        self._on_event = on_event
        self._on_entry = on_entry
        self._entries: dict[str, list[LogEntry]] = {}

    def take(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, RunStarted):  # where times are equal, the order is that of the hosts
            self._entries = {host: [] for host in event.hosts}
        if not isinstance(event, StepTold):
            self._pass_on(event)
            return
        note = event.message.get("note")
        if isinstance(note, str):
            self._pass_on(Notice(text=f"{event.host}: {note}"))
        for entry in _entries(event.host, event.message.get("entries")):
            if self._on_entry is not None:
                self._on_entry(entry)
            else:
                self._entries.setdefault(event.host, []).append(entry)

    def merged(self) -> list[LogEntry]:
        """Return all entries in the order of time; one without a time stays behind the one before it."""
        rows = []
        for entries in self._entries.values():
            at = float("-inf")
            for entry in entries:
                at = at if entry.time is None else entry.time.timestamp()
                rows.append((at, entry))
        return [entry for _at, entry in sorted(rows, key=lambda row: row[0])]

    def _pass_on(self, event: Event) -> None:
        if self._on_event is not None:
            self._on_event(event)


def _entries(host: str, rows: object) -> Iterator[LogEntry]:
    """Yield the entries of a message; what makes no sense is passed over."""
    for row in rows if isinstance(rows, list) else ():
        try:
            yield LogEntry.from_row(host, row)
        except (TypeError, ValueError):
            continue
