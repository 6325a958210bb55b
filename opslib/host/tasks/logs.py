"""Read or follow what logs and units say, and tell it as it comes."""

from __future__ import annotations

import os
import select
import time

from opslib.host import command
from opslib.host.logs.entries import Filter, Newest
from opslib.host.logs.files import LogFiles
from opslib.host.logs.follow import Follower
from opslib.host.logs.journal import Journal
from opslib.host.logs.tail import backwards, is_dated
from opslib.host.logs.times import ZONES, Clock, Zone, fixed
from opslib.host.logs.window import SLACK, Window
from opslib.host.logs.zones import ZoneName
from opslib.host.params import Boolean, Choice, Duration, ListOf, Mapping, Name, Number, Path, Regex, Size
from opslib.host.plan import Plan
from opslib.host.task import Task, TaskError, param
from opslib.host.units.systemd import UnitName
from opslib.host.words import listed, printable
from opslib.host.words import size as bytes_in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from opslib.host.logs.files import LogFile
    from opslib.host.logs.journal import Line

TAIL, SEARCH, FOLLOW = "tail", "search", "follow"
_PAUSE = 0.2
_LOOK = 1.0
_ROWS, _CHARACTERS = 256, 128 << 10
_LISTED = 20
_NEIGHBOURS = 20
_MOST_CHARACTERS = 32 << 20
_TAIL_LIMIT = 64 << 20


class Logs(Task, name="logs"):
    """Read entries of log files and of units' journals, and tell them at once, in messages rather than in the result.

    mode: `tail` reads the newest entries from the end of the files; `search` those of a time window, rotated and
    compressed files included; `follow` the newest, and then every entry as it comes, through rotation, until the run
    is stopped. An entry is a line with a time and the lines without one below it, or a JSON object; in a log without
    times it is a line. Filters work on the host. Nothing is changed.

    Messages: `entries`, a list of `source` (path or unit), `time` (seconds since 1970, null if unknown), `level`
    (null if unknown), `text` and `cut` (whether the text is longer); `note`, a remark in words.

    data: `count` of entries told, `matched`, `read` (entries), `left_out`, `missing` (in words). Errors: no file and no
    unit is there, or none that bears times to be searched by; the host does not know the time zone.
    Sources: journalctl(1), logrotate(8).
    """

    paths: list[str] = param(
        ListOf(Path()), "Log files, patterns, and folders (for the *.log in them).", default=[], example=["/srv/a.log"]
    )
    units: list[str] = param(ListOf(UnitName(), longest=50), "Units whose journal to read.", default=[])
    mode: str = param(Choice(TAIL, SEARCH, FOLLOW), "What to read.", default=TAIL)
    lines: int = param(
        Number(0, 100000, whole=True), "Tell at most so many entries that are there already.", default=50
    )
    since: float = param(Duration(), "Leave out what is older than this many seconds.", default=None, example="1h")
    until: float = param(Duration(), "Leave out what is younger than this many seconds.", default=0)
    levels: list[str] = param(ListOf(Name("log level"), longest=20), "Only entries of these levels.", default=[])
    match: str = param(Regex(), "Only entries in which this regular expression is found.", default=None)
    fields: dict[str, Any] = param(
        Mapping(), "Only JSON entries whose members, by name or dotted path, have these values.", default={}
    )
    timezone: str = param(ZoneName(), "The zone of times that name none; the host's own if not given.", default=None)
    longest: int = param(Number(20, 16384, whole=True), "Characters to tell of an entry.", default=4096)
    masked: bool = param(Boolean(), "Put *** in place of what looks like a password, token or key.", default=True)
    lasting: float = param(Duration(), "Follow for this many seconds; without an end if not given.", default=None)
    read_limit: int = param(
        Size(),
        "Bytes to read at most of what is there already, after unpacking; tail reads 64M of a file.",
        default="2G",
    )

    def check(self) -> None:
        if not self.paths and not self.units:
            self.refuse("nothing to read: give paths or units")
        if self.since is not None and self.until >= self.since:
            self.refuse("until %g must be less than since %g (seconds ago)" % (self.until, self.since))
        if self.mode == SEARCH and self.since is None:
            self.refuse("mode search needs since, where the time window begins")
        if self.mode == FOLLOW and self.until:
            self.refuse("until has no meaning with mode follow")
        if self.lasting is not None and self.mode != FOLLOW:
            self.refuse("lasting has a meaning with mode follow only")

    def probe(self) -> dict[str, Any]:
        if self.timezone and fixed(self.timezone) is None and not os.path.isfile(ZONES + self.timezone):
            raise TaskError("timezone: %s is not known on this host" % self.timezone)
        with Zone(self.timezone):
            reading = _Reading(self)
            if self.mode == FOLLOW:
                reading.follow()
            else:
                reading.newest()
            return reading.state()

    def plan(self, state: dict[str, Any]) -> Plan:
        failure = ""
        if state["missing"] and not state["found"] and self.mode != FOLLOW:
            failure = listed(state["missing"])
        warnings = state["problems"] + ([] if failure else state["missing"])
        if state["left_out"]:
            warnings.append("%d older entries were left out (lines)" % state["left_out"])
        told = state["count"]
        return Plan(
            reason="told %d %s of %d read" % (told, "entry" if told == 1 else "entries", state["read"]),
            failure=failure,
            warnings=warnings[:_LISTED],
            data={key: state[key] for key in ("count", "matched", "read", "left_out", "missing")},
        )


class _Reading:
    """One reading: what was found, and what was told of it."""

    def __init__(self, task: Logs) -> None:
        self.task = task
        self.now = time.time()
        self.clock = Clock(self.now, fixed(task.timezone) if task.timezone else None)
        self.since = None if task.since is None else self.now - task.since
        self.until = self.now - task.until if task.until else None
        self.filter = Filter(task.levels, task.match, task.fields, self.since, self.until, task.longest, task.masked)
        self.files = LogFiles(self.since or 0.0)
        self.found = self.count = self.left_out = 0
        self.missing: list[str] = []
        self.problems: list[str] = []
        self.rows: list[dict[str, Any]] = []
        self.characters = 0
        self.cursor = ""

    def state(self) -> dict[str, Any]:
        """Return what `plan` needs."""
        return {
            "found": self.found,
            "count": self.count,
            "read": self.filter.read,
            "matched": self.filter.matched,
            "left_out": self.left_out,
            "missing": self.missing,
            "problems": self.problems,
        }

    # Telling

    def tell(self, row: dict[str, Any]) -> None:
        """Tell an entry, soon."""
        self.rows.append(row)
        self.characters += len(row["text"])
        if len(self.rows) >= _ROWS or self.characters >= _CHARACTERS:
            self.flush()

    def flush(self) -> None:
        """Tell what is waiting."""
        if self.rows:
            self.task.tell({"entries": self.rows})
            self.count += len(self.rows)
            self.rows, self.characters = [], 0

    def note(self, words: str) -> None:
        """Say something about the reading."""
        self.flush()
        self.task.tell({"note": words})

    # What is there already

    def newest(self) -> None:
        """Tell the newest entries of everything, in the order of time."""
        kept = Newest(self.task.lines)
        if self.task.paths:
            if self.task.mode == SEARCH:
                self._search(kept)
            else:
                self._ends(kept)
        if self.task.units:
            self._journal(kept)
        for row in kept.rows():
            self.tell(row)
        self.flush()
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
                self._end(file.fd, file.size, file.path, kept)
            elif len(older) < _NEIGHBOURS:
                older.append((file.modified, os.dup(file.fd), file.size, file.path))
        for _modified, fd, size, path in sorted(older, reverse=True):
            if self.filter.matched - before < self.task.lines:
                self._end(fd, size, path, kept)
            os.close(fd)
        if lone is not None and self.found == 1:
            self.problems.append("%s is compressed: search reads it, tail does not" % printable(lone))

    def _end(self, fd: int, size: int, path: str, kept: Newest) -> None:
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

    def _journal(self, kept: Newest) -> None:
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
                row = self._row(line)
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

    def _row(self, line: Line) -> dict[str, Any] | None:
        return self.filter.row(line.raw, line.when, printable(line.unit), line.level)

    # What is to come

    def follow(self) -> None:
        """Tell the newest entries, then all that come, until the time is over or the run is stopped."""
        ends = None if self.task.lasting is None else time.monotonic() + self.task.lasting
        follower = Follower(self.files, self.task.paths, self.clock, self._take, self.note) if self.task.paths else None
        journal = None
        try:
            self._begin(follower)
            if self.task.units:
                self.note_missing()
                after = "--after-cursor=" + self.cursor if self.cursor else "--since=@%d" % self.now
                journal = Journal(self.task.units, ["--follow", "--no-tail", after])
            self._go_on(follower, journal, ends)
        finally:
            if follower is not None:
                follower.close()
            if journal is not None:
                journal.close()
            self.flush()

    def note_missing(self) -> None:
        """Say which units are not there yet."""
        for words in self.missing + self.problems:
            self.note(words)
        self.missing, self.problems = [], []

    def _begin(self, follower: Follower | None) -> None:
        """Tell the newest entries before the places where following begins."""
        kept = Newest(self.task.lines)
        for one in list(follower.followed.values()) if follower else ():
            self.found += 1
            if self.task.lines:
                self._end(one.fd, one.at, one.path, kept)
        if self.task.units:
            self._journal(kept)
        for row in kept.rows():
            self.tell(row)
        self.flush()

    def _go_on(self, follower: Follower | None, journal: Journal | None, ends: float | None) -> None:
        poll = select.poll()
        if journal is not None:
            poll.register(journal.fd, select.POLLIN)
        looked = time.monotonic()
        while ends is None or time.monotonic() < ends:
            busy = follower.read() if follower else False
            if journal is not None:
                for line in journal.lines():
                    row = self._row(line)
                    if row is not None:
                        self.tell(row)
                if journal.ended:
                    raise TaskError("journalctl has ended")
            self.flush()
            if follower and time.monotonic() - looked >= _LOOK:
                follower.look()
                looked = time.monotonic()
                self.clock.now = time.time()  # tells the year of times that name none
            if not busy:
                left = _PAUSE if ends is None else min(_PAUSE, max(ends - time.monotonic(), 0))
                poll.poll(int(left * 1000) + 1)

    def _take(self, raw: bytes, when: float | None, path: str) -> bool:
        row = self.filter.row(raw, when, printable(path))
        if row is not None:
            self.tell(row)
        return row is not None
