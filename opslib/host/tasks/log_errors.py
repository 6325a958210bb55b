"""Find the errors that logs hold of the last hour, and what they have in common."""

from __future__ import annotations

import os
import time

from opslib.host.files.sizes import is_pattern
from opslib.host.logs.files import LogFiles
from opslib.host.logs.levels import Entry, Levels
from opslib.host.logs.patterns import Patterns
from opslib.host.logs.times import ZONES, Clock, Zone, fixed, utc
from opslib.host.logs.window import SLACK, Window
from opslib.host.logs.zones import ZoneName
from opslib.host.params import Duration, ListOf, Mapping, Name, Number, Path, Regex, Size
from opslib.host.plan import Plan
from opslib.host.task import Task, TaskError, param
from opslib.host.words import count, listed, printable, size

__all__ = ["LogErrors", "ZoneName"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_USUAL = ["/var/log/*.log", "/var/log/*/*.log", "/var/log/syslog*", "/var/log/messages*"]
_LISTED = 50
_AHEAD = 300
_SPANS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


class LogErrors(Task, name="log_errors"):
    """Count the errors that logs hold of a time window, and show the patterns, the first, the last and when they came.

    Reads text and JSON lines, rotated and compressed neighbours too (app.log.1, app.log.2.gz, app.log-20260101.gz,
    also .bz2 and .xz) when they were written to within the window. The beginning of the window is found by bisecting
    on the times in the file, so that of a log of gigabytes little more than the window is read; compressed files have
    to be read from their beginning.

    An entry is a line that bears a time and the lines without one below it, such as a traceback; it counts once. Times
    may be ISO 8601 (with or without zone and fraction), `2026-01-02 03:04:05,678`, syslog's `Jan  2 03:04:05` (its
    year is guessed), `[02/Jan/2026:03:04:05 +0000]`, Apache's error log, seconds or milliseconds since 1970, or a JSON
    object's ts, time, timestamp or @timestamp. Lines up to a minute out of order are found all the same; each is
    judged by its own time. A level is the first word of a level near the beginning of the line, or of a JSON object
    the member level, severity or their like; where there is none, a word anywhere in the entry.

    For patterns, numbers, ids, UUIDs, hexadecimal numbers and addresses are put as one. What looks like a password,
    token or key is masked in patterns and samples. Nothing is changed.

    data: `count` of errors; `since`, `until` (UTC), `window_seconds`; `per_minute`; `first`, `last` (UTC, null if
    none); `patterns`, at most `top`, the most frequent first: `pattern`, `count`, `first`, `last`, `samples` (`path`,
    `text`); `pattern_count`; `buckets`, the window in equal parts: `start` (UTC), `count`; `bucket_seconds`; `newest`
    (UTC, the latest time in the logs), `newest_age_seconds`; `bytes_read` (from the disk), `lines_read`, `log_bytes`
    (the size of the files), `files` (at most 50: `path`, `size_bytes`, `count`), `file_count`, `missing`, `undated`
    (files in which no time was found), `complete` (false when `read_limit` left something out).

    Errors: no file is there, no file bears times, the host does not know the time zone. Sources: RFC 3339, RFC 3164,
    logrotate(8), zlib(3).
    """

    paths: list[str] = param(
        ListOf(Path(), empty=False),
        "Log files, patterns, and folders (for the *.log in them), absolute.",
        default=_USUAL,
        example=["/srv/app/logs/app.log", "/var/log/nginx/*.log"],
    )
    since: float = param(Duration(1), "The window begins this many seconds ago.", default="1h", example="30m")
    until: float = param(Duration(), "The window ends this many seconds ago.", default=0, example="5m")
    levels: list[str] = param(
        ListOf(Name("log level"), longest=20),
        "What counts as an error; entries of any level when the list is empty.",
        default=["ERROR", "CRITICAL", "FATAL"],
    )
    match: str = param(
        Regex(), "Count entries in which this regular expression is found.", default=None, example="scheduler|forecast"
    )
    fields: dict[str, Any] = param(
        Mapping(),
        "Count JSON entries whose members, by name or dotted path, have these values.",
        default={},
        example={"user_id": "42"},
    )
    warn: int = param(Number(0, whole=True), "Warn when there are more errors than this.", default=None, example=0)
    fail: int = param(Number(0, whole=True), "Fail when there are more errors than this.", default=None, example=100)
    silent: float = param(
        Duration(),
        "Warn when nothing was logged for this many seconds; `since` if not given.",
        default=None,
        example="5m",
    )
    timezone: str = param(
        ZoneName(),
        "The zone of times that name none; the host's own if not given.",
        default=None,
        example="UTC",
    )
    top: int = param(Number(0, 500, whole=True), "How many patterns to list.", default=10)
    samples: int = param(Number(0, 20, whole=True), "How many entries to show of each pattern.", default=1)
    buckets: int = param(Number(1, 1440, whole=True), "Into how many equal parts the window is counted.", default=12)
    read_limit: int = param(Size(), "Bytes to read at most, after unpacking.", default="2G")

    def check(self) -> None:
        if self.until >= self.since:
            self.refuse("until %s ago must be later than since %s ago" % (_span(self.until), _span(self.since)))
        if self.warn is not None and self.fail is not None and self.warn >= self.fail:
            self.refuse("warn %d must be below fail %d" % (self.warn, self.fail))

    def probe(self) -> dict[str, Any]:
        if self.timezone and fixed(self.timezone) is None and not os.path.isfile(ZONES + self.timezone):
            raise TaskError("timezone: this host does not know %s (is tzdata installed?)" % printable(self.timezone))
        with Zone(self.timezone):
            return self._read(time.time())

    def _read(self, now: float) -> dict[str, Any]:
        since, until = now - self.since, now - self.until if self.until else now + SLACK
        found = _Found(self, since, now - self.until)
        zone = fixed(self.timezone) if self.timezone else None
        turned = abs(time.localtime(now).tm_gmtoff - time.localtime(since).tm_gmtoff) if zone is None else 0
        window = Window(
            Clock(now, zone),
            since,
            until,
            found.levels.hints() if self.levels else [],
            found.take,
            limit=self.read_limit,
            slack=SLACK + turned,
        )
        files = LogFiles(since)
        named = [printable(path) for path in self.paths if self.paths != _USUAL and not is_pattern(path)]
        rows, undated, written = [], [], 0.0
        for file in files.find(self.paths):
            before = found.count
            window.read(file)
            rows.append({"path": printable(file.path), "size_bytes": file.size, "count": found.count - before})
            written = max(written, file.modified)
            if file.size and file.modified >= since and file.path not in window.dated:
                undated.append(printable(file.path))
        problems = list(dict.fromkeys(files.problems + window.problems))
        return {
            "now": now,
            "since": since,
            "until": now - self.until,
            "count": found.count,
            "first": found.first,
            "last": found.last,
            "patterns": found.patterns.top(self.top),
            "pattern_count": len(found.patterns),
            "buckets": found.buckets,
            "newest": window.newest,
            "written": written,
            "bytes_read": window.bytes_read,
            "lines_read": window.lines_read,
            "files": rows,
            "missing": files.missing if self.paths != _USUAL or not rows else [],
            "undated": undated,
            "cut": [printable(path) for path in window.cut],
            "problems": problems,
            "closed": [words for words in problems if words.startswith(tuple(path + ": " for path in named))],
            "left_out": files.left_out,
        }

    def plan(self, state: dict[str, Any]) -> Plan:
        number, rows = state["count"], state["files"]
        warnings = self._remarks(state)
        failures = [words for words in state["missing"] if words.endswith("does not exist")]
        failures += state["closed"]
        if not rows and not failures:
            failures.append("no log file was found: " + listed(state["missing"] + state["problems"]))
        elif rows and len(state["undated"]) == len(rows):
            failures.append("no times were found in %s" % listed(state["undated"]))
        reason = self._words(state)
        if self.fail is not None and number > self.fail:
            failures.append("%s (fail: more than %d)" % (reason, self.fail))
        elif self.warn is not None and number > self.warn:
            warnings.append("%s (warn: more than %d)" % (reason, self.warn))
        width = (state["until"] - state["since"]) / len(state["buckets"])
        newest = state["newest"]
        data = {
            "count": number,
            "since": utc(state["since"]),
            "until": utc(state["until"]),
            "window_seconds": int(state["until"] - state["since"] + 0.5),
            "per_minute": round(number * 60 / (state["until"] - state["since"]), 3),
            "first": utc(state["first"]),
            "last": utc(state["last"]),
            "patterns": [dict(one, first=utc(one["first"]), last=utc(one["last"])) for one in state["patterns"]],
            "pattern_count": state["pattern_count"],
            "buckets": [
                {"start": utc(state["since"] + number * width), "count": many}
                for number, many in enumerate(state["buckets"])
            ],
            "bucket_seconds": round(width, 3),
            "newest": utc(newest),
            "newest_age_seconds": None if newest is None else int(state["now"] - newest),
            "bytes_read": state["bytes_read"],
            "lines_read": state["lines_read"],
            "log_bytes": sum(row["size_bytes"] for row in rows),
            "files": rows[:_LISTED],
            "file_count": len(rows),
            "missing": state["missing"],
            "undated": state["undated"][:_LISTED],
            "complete": not state["cut"] and not state["left_out"],
        }
        return Plan(reason=reason, failure="; ".join(failures), warnings=warnings, data=data)

    def _words(self, state: dict[str, Any]) -> str:
        number = state["count"]
        noun = "error" if self.levels else "entry" if number == 1 else "entrie"
        when = "the last %s" % _span(self.since)
        if self.until:
            when = "the time from %s to %s ago" % (_span(self.since), _span(self.until))
        if not number:
            return "no %s in %s (%s, %s read)" % (
                "errors" if self.levels else "entries",
                when,
                count(len(state["files"]), "file"),
                size(state["bytes_read"]),
            )
        words = "%s in %s, from %s to %s" % (count(number, noun), when, utc(state["first"]), utc(state["last"]))
        if state["patterns"]:
            most = state["patterns"][0]
            words += "; of %s the most frequent, %d times: %s" % (
                count(state["pattern_count"], "pattern"),
                most["count"],
                most["pattern"],
            )
        return words

    def _remarks(self, state: dict[str, Any]) -> list[str]:
        warnings = (
            [words for words in state["missing"] if not words.endswith("does not exist")] if state["files"] else []
        )
        warnings += [words for words in state["problems"] if words not in state["closed"]][:_LISTED]
        if state["undated"] and len(state["undated"]) < len(state["files"]):
            warnings.append("no times were found in %s: not looked through" % listed(state["undated"]))
        if state["cut"]:
            words = "more than %s would have to be read (read_limit): a part was left out of %s"
            warnings.append(words % (size(self.read_limit), listed(state["cut"])))
        if state["left_out"]:
            warnings.append("%s were left out; name fewer" % count(state["left_out"], "file"))
        newest, limit = state["newest"], self.since if self.silent is None else self.silent
        if newest is None and state["files"] and not state["undated"]:
            newest = state["written"]
        if newest is not None and state["now"] - newest > limit:
            words = "nothing was logged for %s (since %s)"
            warnings.append(words % (_span(state["now"] - newest), utc(newest)))
        elif newest is not None and newest - state["now"] > _AHEAD:
            words = "the logs are %s ahead of the clock: is the time zone right (timezone)?"
            warnings.append(words % _span(newest - state["now"]))
        return warnings


class _Found:
    """What was found so far."""

    def __init__(self, task: LogErrors, since: float, until: float) -> None:
        import re

        self.levels = Levels(task.levels)
        self.matches = re.compile(task.match).search if task.match else None
        self.fields = task.fields
        self.since, self.width = since, (until - since) / task.buckets
        self.count = 0
        self.first: float | None = None
        self.last: float | None = None
        self.buckets = [0] * task.buckets
        self.patterns = Patterns(task.samples)

    def take(self, raw: bytes, when: float, path: str) -> None:
        """Count an entry if it is what was asked for."""
        entry = Entry(raw)
        if not self.levels.fit(entry) or not entry.has(self.fields):
            return
        if self.matches and not self.matches(entry.text):
            return
        self.count += 1
        self.first = when if self.first is None else min(self.first, when)
        self.last = when if self.last is None else max(self.last, when)
        self.buckets[min(max(int((when - self.since) / self.width), 0), len(self.buckets) - 1)] += 1
        self.patterns.add(entry.message, entry.text, when, path)


def _span(seconds: float) -> str:
    """Return a time span as one gives it: 90m, 1h, 30d; of long ones, only the two largest parts."""
    left = int(seconds + 0.5)
    parts: list[str] = []
    for unit, length in _SPANS:
        if left >= length and len(parts) < 2:
            parts.append("%d%s" % (left // length, unit))
            left %= length
    return " ".join(parts) or "0s"
