"""Events of a log group of CloudWatch, all its streams together: the newest first, or as they come.

Source: FilterLogEvents in the API reference of CloudWatch Logs. Filter patterns of the service are never relied upon:
what is wanted is judged here.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from opslib.cloud.aws.log_groups import LogGroup
from opslib.cloud.aws.task import AwsTask
from opslib.cloud.errors import MalformedError

__all__ = ["Follower", "LogEvent", "backwards", "pages"]

_PER_PAGE = 10000
_SPANS = (60, 600, 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400, 180 * 86400)
_DAY = 86400
_BACKDATED = 14 * _DAY  # events may be that much older than the moment in which they were put
# Only from then on the service gives events newest first.
_BACKWARDS_SINCE = 1704067200_000  # milliseconds since 1970


@dataclass(frozen=True, slots=True)
class LogEvent:
    """An event. time: seconds since 1970."""

    id: str
    stream: str
    time: float
    text: str


def backwards(
    task: AwsTask,
    group: LogGroup,
    begin: float | None,
    end: float | None,
    enough: Callable[[], bool],
    pattern: str | None = None,
) -> Iterator[list[LogEvent]]:
    """Yield a group's events from a time back to another, in spans that grow, none read twice, until there are enough.

    begin: None for as far back as the group keeps events; end: None for the newest of all; enough: whether no older
    events are wanted; pattern: of the service, to have it send less. All times are in seconds since 1970. Within a span
    the events come newest first where the service does that, and then a span need not be read to its end; else in any
    order.
    """
    upper = None if end is None else _milliseconds(end)
    end = time.time() if end is None else end
    oldest = max(group.created - _BACKDATED, end - group.days * _DAY if group.days else 0)
    floor = _milliseconds(oldest if begin is None else begin)
    for span in (*_SPANS, None):
        lower = floor if span is None else max(_milliseconds(end - span), floor)
        if upper is None or lower <= upper:
            order = _Order()
            for events in pages(task, group, lower, upper, pattern, newest_first=lower >= _BACKWARDS_SINCE):
                yield events
                if order.falls(events) and enough():
                    return
        upper = lower - 1
        if lower <= floor or enough():
            return


class _Order:
    """Tells whether what came so far proves that the newest events come first."""

    def __init__(self) -> None:
        self._first = self._last = float("nan")
        self._kept = True

    def falls(self, events: list[LogEvent]) -> bool:
        for event in events:
            self._kept = self._kept and not event.time > self._last
            self._last = event.time
            self._first = event.time if self._first != self._first else self._first
        return self._kept and self._first > self._last


def pages(
    task: AwsTask,
    group: LogGroup,
    begin: int,
    end: int | None,
    pattern: str | None = None,
    *,
    newest_first: bool = False,
) -> Iterator[list[LogEvent]]:
    """Yield all pages of the events between two times in milliseconds, both included; end: None for no limit.

    newest_first: ask for that order, which not every endpoint knows. Raises MalformedError for a listing that goes
    round in circles or holds what is no event.
    """
    client = task.client("logs")
    doing = f"reading events of {group.name}"
    args: dict[str, Any] = {"logGroupName": group.name, "startTime": begin, "limit": _PER_PAGE}
    if end is not None:
        args["endTime"] = end
    if pattern:
        args["filterPattern"] = pattern
    members = client.meta.service_model.operation_model("FilterLogEvents").input_shape.members
    if newest_first and "startFromHead" in members:
        args["startFromHead"] = False
    seen: set[str] = set()
    while True:
        answer = task.ask(functools.partial(client.filter_log_events, **args), doing=doing)
        rows = answer.get("events")
        if not isinstance(rows, list):
            raise MalformedError(f"{doing}: the answer holds no events")
        yield [_event(row, doing) for row in rows]
        token = answer.get("nextToken")
        if token is None:
            return
        if not isinstance(token, str) or token in seen:
            raise MalformedError(f"{doing}: the listing goes round in circles")
        seen.add(token)
        args["nextToken"] = token


class Follower:
    """Follows a group: each look gives what was not there before, once.

    Events become visible late, and not in the order of their times, so each look begins a while before the newest event
    that is known, and what was given already is left out by its id. lag: that while, in seconds; an event that becomes
    visible later than that after its own time may be missed.
    """

    def __init__(self, task: AwsTask, group: LogGroup, lag: float, pattern: str | None) -> None:
        self.group = group
        self._task = task
        self._lag = lag
        self._pattern = pattern
        self._begin = max(time.time() - lag, 0.0)
        self._newest = 0.0
        self._given: dict[str, float] = {}

    @property
    def before(self) -> float:
        """The last moment that no look covers; seconds since 1970."""
        return self._begin - 0.001

    def look(self) -> Iterator[LogEvent]:
        """Yield the events that are new, in the order in which the service gives them."""
        for events in pages(self._task, self.group, _milliseconds(self._begin), None, self._pattern):
            for event in events:
                if event.id not in self._given:
                    self._given[event.id] = event.time
                    self._newest = max(self._newest, min(event.time, time.time()))
                    yield event
        self._begin = max(self._begin, self._newest - self._lag)
        self._given = {key: when for key, when in self._given.items() if when >= self._begin - 1}


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _event(row: Any, doing: str) -> LogEvent:
    found = row if isinstance(row, dict) else {}
    id_, stream, when, text = (found.get(key) for key in ("eventId", "logStreamName", "timestamp", "message"))
    if not (isinstance(id_, str) and isinstance(stream, str) and isinstance(text, str)):
        raise MalformedError(f"{doing}: the answer holds an event without id, stream or message")
    if isinstance(when, bool) or not isinstance(when, int) or not 0 <= when < 1 << 53:
        raise MalformedError(f"{doing}: the answer holds an event without a time")
    return LogEvent(id_, stream, when / 1000, text)
