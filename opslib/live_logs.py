"""Logs of many hosts, or of CloudWatch: read and put in the order of time, or followed as they grow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opslib.errors import UsageError
from opslib.events import Event, Notice, OnEvent, RunStarted, StepTold
from opslib.fleet import MAX_FORKS, Fleet
from opslib.host.params import shown
from opslib.host.task import Task
from opslib.host.tasks.logs import Logs
from opslib.log_entry import LogEntry
from opslib.result import Report
from opslib.step import Become, Step
from opslib.target import Target

__all__ = ["CloudWatch", "LogQuery", "LogReading", "follow_logs", "read_logs"]

OnEntry = Callable[[LogEntry], object]
_SLACK = 15.0


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
class CloudWatch:
    """Log groups of CloudWatch, in place of hosts.

    groups: log groups, or App Runner services whose logs are wanted, by name or ARN; account, region: where they are;
    part: of a service's logs, `application` or `service`; pattern: a filter pattern of CloudWatch Logs, to have it send
    less; profile: of the AWS configuration files. An entry's host is then the group, its source the stream.
    """

    groups: Sequence[str]
    account: str
    region: str
    part: str = "application"
    pattern: str | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogReading:
    """What was read: the entries of all hosts or groups in the order of time, and how each host ended."""

    entries: tuple[LogEntry, ...]
    report: Report


def read_logs(
    targets: Sequence[Target] | CloudWatch,
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
    heard = _Heard(on_event, None, targets)
    mode = "search" if search else "tail"
    places, step, slack = _work(targets, query, mode, None, become, timeout)
    limit = None if timeout is None else timeout + slack
    with Fleet(places, forks=forks, timeout=limit, on_event=heard.take, cancel=cancel) as fleet:
        report = fleet.run([step])
    return LogReading(entries=tuple(heard.merged()), report=report)


def follow_logs(
    targets: Sequence[Target] | CloudWatch,
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
    heard = _Heard(on_event, on_entry, targets)
    places, step, _slack = _work(targets, query, "follow", lasting, become, None)
    if len(places) > MAX_FORKS:
        raise UsageError(f"{len(places)} hosts are too many to follow at once; at most {MAX_FORKS}")
    with Fleet(places, forks=max(len(places), 1), on_event=heard.take, cancel=cancel) as fleet:
        return fleet.run([step])


def _work(
    targets: Sequence[Target] | CloudWatch,
    query: LogQuery,
    mode: str,
    lasting: str | float | None,
    become: Become | bool | None,
    timeout: float | None,
) -> tuple[Sequence[Target], Step, float]:
    """Return where to run which step, and the seconds beyond `timeout` that it needs to tell what it has."""
    if not isinstance(targets, CloudWatch):
        return targets, Step(task=query.task(mode, lasting), become=become), 0.0
    if query.paths or query.units or query.timezone or become:
        raise UsageError("paths, units, timezone and become are for hosts; CloudWatch has groups")
    task = _cloudwatch_task(targets, query, mode, lasting, timeout)
    name = targets.groups[0] if len(targets.groups) == 1 else "CloudWatch"
    return [Target(name=name, carrier="local")], Step(task=task), _SLACK


def _cloudwatch_task(
    place: CloudWatch, query: LogQuery, mode: str, lasting: str | float | None, timeout: float | None
) -> Task:
    from opslib.cloud.tasks.cloudwatch_logs import CloudwatchLogs

    settings: dict[str, Any] = {
        "account": place.account,
        "region": place.region,
        "profile": place.profile,
        "groups": list(place.groups),
        "part": place.part,
        "pattern": place.pattern,
        "mode": mode,
        "lines": query.lines,
        "since": query.since,
        "until": query.until,
        "levels": list(query.levels),
        "match": query.match,
        "fields": dict(query.fields),
        "longest": query.longest,
        "masked": query.masked,
        "lasting": lasting,
        "wait": timeout,
    }
    return CloudwatchLogs(**settings)


class _Heard:
    """Takes a run's events: entries go where they are wanted, all else to the caller."""

    def __init__(
        self, on_event: OnEvent | None, on_entry: OnEntry | None, place: Sequence[Target] | CloudWatch = ()
    ) -> None:
        if on_event is not None and not callable(on_event):
            raise UsageError(f"on_event is {shown(on_event)}; give a function that takes an event")
        self._on_event = on_event
        self._on_entry = on_entry
        self._groups = tuple(place.groups) if isinstance(place, CloudWatch) else ()
        self._entries: dict[str, list[LogEntry]] = {}

    def take(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, RunStarted):  # where times are equal, the order is that of the hosts
            self._entries = {host: [] for host in event.hosts}
        if not isinstance(event, StepTold):
            self._pass_on(event)
            return
        note, group = event.message.get("note"), event.message.get("group")
        if isinstance(note, str):
            self._pass_on(Notice(text=f"{event.host}: {note}"))
        for entry in _entries(group if group in self._groups else event.host, event.message.get("entries")):
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
