"""What log files and units' journals hold already: the newest entries, or those of a time window."""

from __future__ import annotations

import os
import time

from opslib.host import command
from opslib.host.words import listed, printable
from opslib.host.words import size as bytes_in_words

from .entries import Filter, Newest
from .files import LogFiles
from .journal import Journal
from .tail import backwards, is_dated
from .teller import Teller
from .times import Clock, fixed
from .window import SLACK, Window

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from opslib.host.tasks.logs import Logs

    from .files import LogFile
    from .journal import Line

SEARCH = "search"
_NEIGHBOURS = 20
_MOST_CHARACTERS = 32 << 20
_TAIL_LIMIT = 64 << 20


class Reading:
    """One reading of files and journals: what was found, and what was told of it."""

    def __init__(self, task: Logs) -> None:
        self.task = task
        self.now = time.time()
        self.clock = Clock(self.now, fixed(task.timezone) if task.timezone else None)
        self.since = None if task.since is None else self.now - task.since
        self.until = self.now - task.until if task.until else None
        self.filter = Filter(task.levels, task.match, task.fields, self.since, self.until, task.longest, task.masked)
        self.files = LogFiles(self.since or 0.0)
        self.teller = Teller(task.tell)
        self.found = self.left_out = 0
        self.missing: list[str] = []
        self.problems: list[str] = []
        self.cursor = ""

    def state(self) -> dict[str, Any]:
        """Return what `plan` needs."""
        return {
            "found": self.found,
            "count": self.teller.count,
            "read": self.filter.read,
            "matched": self.filter.matched,
            "left_out": self.left_out,
            "missing": self.missing,
            "problems": self.problems,
        }

    def newest(self) -> None:
        """Tell the newest entries of everything, in the order of time."""
        kept = Newest(self.task.lines)
        if self.task.paths:
            if self.task.mode == SEARCH:
                self._search(kept)
            else:
                self._ends(kept)
        if self.task.units:
            self.journal(kept)
        for row in kept.rows():
            self.teller.add(row)
        self.teller.flush()
        if self.task.mode == SEARCH:
            self.left_out += kept.left_out
        self.missing += self.files.missing
        self.problems += self.files.problems

    def _ends(self, kept: Newest) -> None:
        """Read the files from their ends, and rotated ones where those that are written to hold too few."""
        older: list[tuple[float, int, int, str]] = []
        lone = None
        before = self.filter.matched
        for file in self.files.find(self.task.paths):
            self.found += 1
            if file.packing:
                lone = file.path
            elif file.live and self.task.lines:
                self.end(file.fd, file.size, file.path, kept)
            elif len(older) < _NEIGHBOURS:
                older.append((file.modified, os.dup(file.fd), file.size, file.path))
        for _modified, fd, size, path in sorted(older, reverse=True):
            if self.filter.matched - before < self.task.lines:
                self.end(fd, size, path, kept)
            os.close(fd)
        if lone is not None and self.found == 1:
            self.problems.append("%s is compressed: search reads it, tail does not" % printable(lone))

    def end(self, fd: int, size: int, path: str, kept: Newest) -> None:
        """Keep the newest entries of a file, of which so many bytes are there."""
        source = printable(path)
        parts: list[list[dict[str, Any]]] = []
        wanted, room = self.task.lines, _MOST_CHARACTERS
        last = None
        try:
            dated = is_dated(fd, size, self.clock)
            last = None if dated else os.fstat(fd).st_mtime
            limit = min(self.task.read_limit, _TAIL_LIMIT)
            for entries in backwards(fd, size, self.clock, dated, limit):
                found = [self.filter.row(raw, when, source) for raw, when in entries]
                rows = [row for row in found if row is not None][-wanted:]
                parts.append(rows)
                wanted -= len(rows)
                room -= sum(len(row["text"]) for row in rows)
                oldest = next((when for _raw, when in entries if when is not None), None)
                past = oldest is not None and self.since is not None and oldest < self.since - SLACK
                if wanted <= 0 or room < 0 or past:
                    break
            else:
                if size > limit:
                    self.problems.append(
                        "only the last %s of %s were read; search reads more" % (bytes_in_words(limit), source)
                    )
        except OSError as error:
            self.problems.append("%s: %s" % (source, error.strerror))
        for rows in reversed(parts):
            for row in rows:
                kept.add(row, last)

    def _search(self, kept: Newest) -> None:
        """Read the files' part of the time window."""
        since = self.since or 0.0
        turned = abs(time.localtime(self.now).tm_gmtoff - time.localtime(since).tm_gmtoff)

        def take(raw: bytes, when: float, path: str) -> None:
            row = self.filter.row(raw, when, printable(path))
            if row is not None:
                kept.add(row)

        window = Window(
            self.clock,
            since,
            self.until or self.now + SLACK,
            self.filter.levels.hints() if self.task.levels else [],
            take,
            limit=self.task.read_limit,
            slack=SLACK + (0 if self.task.timezone else turned),
        )
        undated: list[LogFile] = []
        for file in self.files.find(self.task.paths):
            self.found += 1
            window.read(file)
            if file.size and file.modified >= since and file.path not in window.dated:
                undated.append(file)
        self.problems += window.problems
        if undated:
            self.found -= len(undated)
            names = [printable(file.path) for file in undated]
            self.missing.append("no times were found in %s: not searched; tail can" % listed(names))
        if window.cut:
            names = [printable(path) for path in window.cut]
            self.problems.append("read_limit was reached: a part was left out of %s" % listed(names))

    def journal(self, kept: Newest) -> None:
        """Read the units' journal from its end."""
        arguments = ["--reverse"]
        if self.since is not None:
            arguments.append("--since=@%d" % self.since)
        if self.until is not None:
            arguments.append("--until=@%d" % (self.until + 1))
        journal = Journal(self.task.units, arguments)
        seen: set[str] = set()
        wanted = self.task.lines if self.task.mode != SEARCH else None
        limit = self.task.read_limit if self.task.mode == SEARCH else min(self.task.read_limit, 4 * _TAIL_LIMIT)
        try:
            for line in journal.all_lines():
                self.cursor = self.cursor or line.cursor
                seen.add(line.unit)
                row = self.row(line)
                if row is not None:
                    kept.add(row, backwards=True)
                    wanted = None if wanted is None else wanted - 1
                if wanted is not None and wanted <= 0:
                    break
                if journal.bytes_read > limit:
                    self.problems.append("only the newest %s of the journal were read" % bytes_in_words(limit))
                    break
        finally:
            journal.close()
        self.problems += journal.problems
        for unit in self.task.units:
            if unit in seen or self._known(unit):
                self.found += 1
            else:
                self.missing.append("%s is no unit of this host, and nothing is logged of it" % unit)

    def _known(self, unit: str) -> bool:
        argv = ["systemctl", "show", "--property=LoadState", "--value", "--", unit]
        return command.run(argv, ok=None).out.strip() not in ("not-found", "")

    def row(self, line: Line) -> dict[str, Any] | None:
        """Return a line of the journal as it is told, None for one that is filtered out."""
        return self.filter.row(line.raw, line.when, printable(line.unit), line.level)
