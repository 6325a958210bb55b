"""Follows log files and units' journals: every entry as it comes, until the time is over or the run is stopped."""

from __future__ import annotations

import select
import time

from opslib.host.task import TaskError
from opslib.host.words import printable

from .entries import Newest
from .follow import Follower
from .journal import Journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .reading import Reading

_PAUSE = 0.2
_LOOK = 1.0


class Live:
    """A reading that goes on."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.task = reading.task
        self.teller = reading.teller

    def follow(self) -> None:
        """Tell the newest entries, then all that come, until the time is over or the run is stopped."""
        task, reading = self.task, self.reading
        ends = None if task.lasting is None else time.monotonic() + task.lasting
        follower = journal = None
        if task.paths:
            follower = Follower(reading.files, task.paths, reading.clock, self._take, self.teller.note)
        try:
            self._begin(follower)
            if task.units:
                self._note_missing()
                after = "--after-cursor=" + reading.cursor if reading.cursor else "--since=@%d" % reading.now
                journal = Journal(task.units, ["--follow", "--no-tail", after])
            self._go_on(follower, journal, ends)
        finally:
            if follower is not None:
                follower.close()
            if journal is not None:
                journal.close()
            self.teller.flush()

    def _note_missing(self) -> None:
        """Say which units are not there yet."""
        for words in self.reading.missing + self.reading.problems:
            self.teller.note(words)
        self.reading.missing, self.reading.problems = [], []

    def _begin(self, follower: Follower | None) -> None:
        """Tell the newest entries before the places where following begins."""
        kept = Newest(self.task.lines)
        for one in list(follower.followed.values()) if follower else ():
            self.reading.found += 1
            if self.task.lines:
                self.reading.end(one.fd, one.at, one.path, kept)
        if self.task.units:
            self.reading.journal(kept)
        for row in kept.rows():
            self.teller.add(row)
        self.teller.flush()

    def _go_on(self, follower: Follower | None, journal: Journal | None, ends: float | None) -> None:
        poll = select.poll()
        if journal is not None:
            poll.register(journal.fd, select.POLLIN)
        looked = time.monotonic()
        while ends is None or time.monotonic() < ends:
            busy = follower.read() if follower else False
            if journal is not None:
                for line in journal.lines():
                    row = self.reading.row(line)
                    if row is not None:
                        self.teller.add(row)
                if journal.ended:
                    raise TaskError("journalctl has ended")
            self.teller.flush()
            if follower and time.monotonic() - looked >= _LOOK:
                follower.look()
                looked = time.monotonic()
                self.reading.clock.now = time.time()  # tells the year of times that name none
            if not busy:
                left = _PAUSE if ends is None else min(_PAUSE, max(ends - time.monotonic(), 0))
                poll.poll(int(left * 1000) + 1)

    def _take(self, raw: bytes, when: float | None, path: str) -> bool:
        row = self.reading.filter.row(raw, when, printable(path))
        if row is not None:
            self.teller.add(row)
        return row is not None
