"""What changed on a host lately: packages (dpkg's log) and releases (the records that deployments leave).

Sources: dpkg(1) (the log's format), /var/lib/opslib/releases.
"""

from __future__ import annotations

import os
import stat
import time

from opslib.host.files import tree
from opslib.host.record import Record
from opslib.host.words import printable, utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

RELEASES = "/var/lib/opslib/releases"
DPKG_LOGS = ("/var/log/dpkg.log.1", "/var/log/dpkg.log")
MOST = 200
_TAIL = 1 << 20
_LONGEST = 1 << 20
_MOST_FILES = 2000
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_ACTS = ("install", "upgrade", "remove", "purge", "downgrade")
_TIMES = (
    "switched_at",
    "began",
    "finished_at",
    "finished",
    "activated_at",
    "deployed_at",
    "at",
    "when",
    "time",
    "date",
)
_STARTS = ("started_at", "started", "timestamp")
_IDS = ("id", "release", "release_id", "name")


class Release(Record):
    """A release that was made live, or was meant to be. at: seconds since 1970; outcome: as its record says it."""

    id: str
    at: float
    application: str = ""
    commit: str = ""
    ref: str = ""
    outcome: str = ""
    who: str = ""

    @property
    def label(self) -> str:
        """How to call it: the ref it was made from and its short commit, or its id."""
        short = self.commit[:12]
        if self.ref and self.ref != self.commit:
            return "%s (%s)" % (self.ref, short) if short else self.ref
        return short or self.id

    def facts(self) -> dict[str, Any]:
        """Return it for data."""
        return dict(self._values(), at=utc(self.at))


def packages(since: float, paths: Sequence[str] = DPKG_LOGS) -> list[dict[str, Any]]:
    """Return the packages that were installed, upgraded or removed since then, oldest first, the last 200."""
    rows: list[dict[str, Any]] = []
    for path in paths:
        rows += parse_dpkg(_tail(path), since)
    return rows[-MOST:]


def parse_dpkg(text: str, since: float) -> list[dict[str, Any]]:
    """Return what a dpkg.log (in local time) says happened to packages since then."""
    rows = []
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) < 6 or words[2] not in _ACTS:
            continue
        try:
            when = time.mktime(time.strptime(words[0] + " " + words[1], "%Y-%m-%d %H:%M:%S"))
        except (ValueError, OverflowError):
            continue
        if when >= since:
            rows.append(
                {
                    "at": utc(when),
                    "act": words[2],
                    "package": printable(words[3])[:200],
                    "before": "" if words[4] == "<none>" else printable(words[4])[:100],
                    "after": "" if words[5] == "<none>" else printable(words[5])[:100],
                }
            )
    return rows


def releases(paths: Sequence[str]) -> list[Release]:
    """Return the releases recorded in files or below folders (*.json, *.jsonl), oldest first, the last 200."""
    found = []
    for path in paths:
        for text in _records(path):
            found += parse_records(text)
    unique = {(one.application, one.id, one.at): one for one in found}
    return sorted(unique.values(), key=lambda one: one.at)[-MOST:]


def unread(paths: Sequence[str]) -> list[str]:
    """Return in words which of these paths cannot be read; that the usual folder is not there yet is no fault."""
    words = []
    for path in paths:
        try:
            os.close(os.open(path, _READ))
        except OSError as error:
            if path != RELEASES or error.errno != 2:
                words.append("releases: %s: %s" % (printable(path), error.strerror))
    return words


def parse_records(text: str) -> list[Release]:
    """Return the releases in a JSON document, a list of them, or JSON lines; what is none of that is left out."""
    import json

    try:
        rows = [json.loads(text)]
    except (ValueError, RecursionError):
        rows = []
        for line in text.splitlines():
            try:
                rows.append(json.loads(line))
            except (ValueError, RecursionError):
                continue
    flat: list[Any] = []
    for row in rows:
        flat += row if isinstance(row, list) else [row]
    return [release for row in flat if isinstance(row, dict) for release in _release(row)]


def _release(row: dict[str, Any]) -> Iterator[Release]:
    if row.get("act") == "found" or row.get("switched") is False:
        return  # not deployed by anybody, or never made live
    when = next((at for name in _TIMES + _STARTS for at in [_time(row.get(name))] if at is not None), None)
    identity = next((_text(row.get(name)) for name in _IDS if _text(row.get(name))), "")
    commit = _text(row.get("commit") or row.get("sha"))
    if when is None or not (identity or commit):
        return
    yield Release(
        id=identity or commit[:12],
        at=when,
        application=_text(row.get("application") or row.get("app")),
        commit=commit,
        ref=_text(row.get("ref") or row.get("tag")),
        outcome=_text(row.get("outcome") or row.get("status")),
        who=_text(row.get("who") or row.get("by") or row.get("user")),
    )


def _text(value: Any) -> str:
    return printable(value)[:200] if isinstance(value, str) else ""


def _time(value: Any) -> float | None:
    from opslib.host.logs.times import Clock, epoch

    if isinstance(value, str):
        return Clock(time.time(), 0).of_text(value[:64].encode("utf-8", "replace"))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return epoch(value)
    return None


def _records(path: str) -> Iterator[str]:
    """Yield the text of a file, or of the records below a folder; links below it are not followed."""
    try:
        root = tree.open_folder(path)
    except NotADirectoryError:
        yield _tail(path)
        return
    except OSError:
        return
    seen = 0
    try:
        for entry in tree.walk(root, depth=4):
            if not stat.S_ISREG(entry.stat.st_mode) or not entry.name.endswith((".json", ".jsonl")):
                continue
            seen += 1
            if seen > _MOST_FILES:
                return
            try:
                fd = os.open(
                    entry.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=entry.folder
                )
            except OSError:
                continue
            try:
                yield os.pread(fd, _LONGEST, max(entry.stat.st_size - _LONGEST, 0)).decode("utf-8", "replace")
            finally:
                os.close(fd)
    finally:
        os.close(root)


def _tail(path: str) -> str:
    """Return the end of a regular file, at most a megabyte of whole lines; nothing when it cannot be read."""
    try:
        fd = os.open(path, _READ)
    except OSError:
        return ""
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return ""
        start = max(status.st_size - _TAIL, 0)
        text = os.pread(fd, _TAIL, start).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(fd)
    return text.partition("\n")[2] if start else text
