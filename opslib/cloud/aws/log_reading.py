"""One reading of log groups: what is wanted is chosen, put in the order of time, and told."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from opslib.cloud.aws.log_events import Follower, LogEvent, backwards
from opslib.cloud.aws.log_groups import LogGroup, find_group
from opslib.cloud.errors import RefusedError
from opslib.host.logs.entries import Filter, Newest
from opslib.host.words import printable
from opslib.host.words import size as bytes_in_words

if TYPE_CHECKING:
    from opslib.cloud.tasks.cloudwatch_logs import CloudwatchLogs

__all__ = ["Reading"]

_ROWS, _CHARACTERS = 256, 128 << 10
_GONE = "ResourceNotFoundException"


class Reading:
    """What was found of the groups of a task, and what was told of them.

    found, missing: by what was asked for, the groups, or why they are not there; count: of entries told.
    """

    def __init__(self, task: CloudwatchLogs) -> None:
        self.task = task
        self.now = time.time()
        self.since = None if task.since is None else self.now - task.since
        self.until = self.now - task.until if task.until else None
        self.filter = Filter(task.levels, task.match, task.fields, self.since, self.until, task.longest, task.masked)
        self.found: dict[str, LogGroup] = {}
        self.missing: dict[str, str] = {}
        self.problems: list[str] = []
        self.count = 0
        self._left = task.read_limit
        self._label = ""
        self._rows: list[dict[str, Any]] = []
        self._characters = 0

    def newest(self) -> None:
        """Tell the newest entries of each group, in the order of time."""
        kept = {}
        for label in self.task.groups:
            group = self._find(label)
            if group is not None:
                kept[label] = Newest(self.task.lines)
                self._backwards(group, kept[label], self.until)
        self._tell(kept)

    def follow(self) -> None:
        """Tell the newest entries, then all that come, until the time is over or the run is stopped."""
        ends = None if self.task.lasting is None else time.monotonic() + self.task.lasting
        followers: dict[str, Follower] = {}
        kept = {}
        for label in self.task.groups:
            self._take_up(label, followers)
            if label in followers:
                kept[label] = Newest(self.task.lines)
                self._add(kept[label], followers[label].look())
                self._backwards(self.found[label], kept[label], followers[label].before)
        self._tell(kept)
        for problem in self.problems:
            self._note(problem)
        self.problems = []
        while ends is None or time.monotonic() < ends:
            pause = self.task.poll * random.uniform(0.75, 1.0)  # noqa: S311 - jitter is no secret
            time.sleep(pause if ends is None else min(pause, max(ends - time.monotonic(), 0)))
            self._go_on(followers)

    def _go_on(self, followers: dict[str, Follower]) -> None:
        """Tell what has come."""
        kept = {}
        for label in self.task.groups:
            if label not in followers:
                self._take_up(label, followers)
            if label in followers:
                kept[label] = Newest(1 << 60, 1 << 60)
                try:
                    self._add(kept[label], followers[label].look())
                except RefusedError as error:
                    if error.code != _GONE:
                        raise
                    self.missing[label] = f"{printable(self.found.pop(label).name)} was deleted"
                    self._note(self.missing[label])
                    del followers[label]
        self._tell(kept)

    def _take_up(self, label: str, followers: dict[str, Follower]) -> None:
        """Begin to follow a group, if it is there."""
        said = self.missing.get(label)
        group = self._find(label)
        if group is not None:
            followers[label] = Follower(self.task, group, self.task.lag, self.task.pattern)
            if said is not None:
                self._note(f"{printable(group.name)} is new")
        elif said is None:
            self._note(self.missing[label])

    def _find(self, label: str) -> LogGroup | None:
        found = find_group(self.task, label, self.task.part)
        if isinstance(found, str):
            self.missing[label] = found
            return None
        self.missing.pop(label, None)
        self.found[label] = found
        return found

    def _backwards(self, group: LogGroup, kept: Newest, end: float | None) -> None:
        """Keep the newest entries of a group from a time on back."""

        def enough() -> bool:
            return len(kept.rows()) >= self.task.lines

        if enough():
            return
        name = printable(group.name)
        for events in backwards(self.task, group, self.since, end, enough, self.task.pattern):
            self._add(kept, events)
            self._left -= sum(len(event.text) for event in events)
            if self._left < 0:
                limit = bytes_in_words(self.task.read_limit)
                self.problems.append(f"{name}: read_limit ({limit}) was reached: older events were not read")
                return
            if not self.task.patience.deadline.left:
                self.problems.append(f"{name}: time was up (wait {self.task.wait:g} s): older events were not read")
                return
        if self.task.mode == "search" and enough():
            self.problems.append(f"{name}: the newest {self.task.lines} entries; there may be older ones (lines)")

    def _add(self, kept: Newest, events: Iterable[LogEvent]) -> None:
        for event in events:
            raw = event.text.encode("utf-8", "replace")
            row = self.filter.row(raw, event.time, printable(event.stream))
            if row is not None:
                kept.add(row)

    def _tell(self, kept: dict[str, Newest]) -> None:
        """Tell entries in the order of time."""
        rows = [(row["time"], label, row) for label, newest in kept.items() for row in newest.rows()]
        for _time, label, row in sorted(rows, key=lambda each: each[0]):
            if label != self._label or len(self._rows) >= _ROWS or self._characters >= _CHARACTERS:
                self._flush()
            self._label = label
            self._rows.append(row)
            self._characters += len(row["text"])
        self._flush()

    def _flush(self) -> None:
        if self._rows:
            self.task.tell({"group": self._label, "entries": self._rows})
            self.count += len(self._rows)
            self._rows, self._characters = [], 0

    def _note(self, words: str) -> None:
        self.task.tell({"note": words})
