"""Where logins are recorded: the journal, auth.log, wtmp. Sources: journalctl(1), utmp(5), syslog(3)."""

from __future__ import annotations

import glob
import os
import re
import sys

from opslib.host.command import run
from opslib.host.logs.files import LogFiles
from opslib.host.logs.times import Clock
from opslib.host.logs.window import Window
from opslib.host.record import Record
from opslib.host.task import TaskError

from . import auth_log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable, Sequence

    from .auth_log import Event

FILES = ("/var/log/auth.log", "/var/log/secure")
_JOURNALS = "/var/log/journal"
_SYSTEM_JOURNALS = (_JOURNALS + "/*/system.journal", "/run/log/journal/*/system.journal")
_DENIED = "who logged in is not known: the system's log may not be read; take root, or the group systemd-journal or adm"
_MOST = 64 << 20
_WTMP_TAIL = 20000  # records
_LINE = re.compile(r"^.*?\s([\w.-]+)(?:\[\d+\])?: (.*)$", re.DOTALL)
_REPEATED = re.compile(r"^message repeated (\d{1,9}) times: \[ (.*)\]$", re.DOTALL)  # as rsyslog and its kind write
_MOST_REPEATED = 100000
_LOGIN = 7
_WIDE = ("aarch64", "aarch64_be", "loongarch64")


class Found(Record):
    """Events, oldest first, from where they were read, and whether some had to be left out.

    denied: in words that the log is not for this user to read, so that nothing is known; empty otherwise.
    """

    events: Sequence[Event] = ()
    source: str = ""
    cut: bool = False
    denied: str = ""
    problems: Sequence[str] = ()


def read(source: str, since: float, now: float) -> Found:
    """Return what happened since then. source: auto, journal or files."""
    files = [path for path in FILES if os.path.isfile(path)]
    if source == "files" or (source == "auto" and files and not os.path.isdir(_JOURNALS)):
        return of_files(files, since, now)
    return of_journal(since)


def of_journal(since: float) -> Found:
    """Return what the journal has. Without the right to read the system's, not even one's own part of it counts."""
    if os.geteuid() and not _readable(glob.glob(pattern) for pattern in _SYSTEM_JOURNALS):
        return Found(source="journal", denied=_DENIED)
    argv = ["journalctl", "--quiet", "--no-pager", "--reverse", "--output=json", "--since=@%d" % since]
    argv.append("--output-fields=MESSAGE,SYSLOG_IDENTIFIER,__REALTIME_TIMESTAMP")
    argv += ["--identifier=%s" % name for name in auth_log.IDENTIFIERS]
    done = run(argv, timeout=120, max_output=_MOST, ok=None)
    if done.code and "insufficient permissions" in done.err:
        return Found(source="journal", denied=_DENIED)
    if done.code:
        raise TaskError("the journal cannot be read: %s" % (done.err.strip()[-300:] or "code %d" % done.code))
    return Found(events=parse_journal(done.out), source="journal", cut=done.cut)


def _readable(found: Iterable[Sequence[str]]) -> bool:
    """Whether the files of a log can be read, if there are any."""
    paths = [path for paths in found for path in paths]
    return not paths or any(os.access(path, os.R_OK) for path in paths)


def parse_journal(text: str) -> list[Event]:
    """Return the events in the journal's JSON lines, newest first there, oldest first here."""
    import json

    events = []
    for line in text.split("\n"):  # and at no other sign that ends a line, which may stand in a message
        try:
            row = json.loads(line)
            message = row["MESSAGE"]
            if isinstance(message, list):  # bytes that are no UTF-8
                message = bytes(message).decode("utf-8", "replace")
            at = int(row["__REALTIME_TIMESTAMP"]) / 1e6
            one = auth_log.event(str(row["SYSLOG_IDENTIFIER"]), str(message), at)
        except (ValueError, KeyError, TypeError):
            continue
        if one is not None:
            events.append(one)
    return sorted(events, key=lambda one: one.at)


def of_files(paths: Sequence[str], since: float, now: float) -> Found:
    """Return what log files have, rotated neighbours included."""
    if not _readable([paths]):
        return Found(source="files", denied=_DENIED)
    events: list[Event] = []

    def take(raw: bytes, when: float, _path: str) -> None:
        found = _LINE.match(raw.split(b"\n")[0].decode("utf-8", "replace"))
        if found is None:
            return
        repeated = _REPEATED.match(found[2])
        times, message = (int(repeated[1]), repeated[2]) if repeated else (1, found[2])
        one = auth_log.event(found[1], message, when)
        if one is not None:
            events.extend([one] * min(times, _MOST_REPEATED))

    hints = [b" %s[" % name.encode() for name in auth_log.IDENTIFIERS] + [b" sudo: ", b" su: "]
    window = Window(Clock(now), since, now + 60, hints, take, limit=_MOST * 4)
    files = LogFiles(since)
    for file in files.find(list(paths)):
        window.read(file)
    problems = [*files.missing, *files.problems, *window.problems]
    ordered = sorted(events, key=lambda one: one.at)
    return Found(events=ordered, source="files", cut=bool(window.cut), problems=problems)


def wtmp(path: str, since: float) -> tuple[list[dict[str, object]], int]:
    """Return the logins in a wtmp since then, and how many records are empty, as after tampering."""
    length, place = layout(os.uname().machine)
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(size - size % length - length * _WTMP_TAIL, 0))
            data = file.read(length * _WTMP_TAIL)
    except OSError:
        return [], 0
    return parse_wtmp(data, since, length, place)


def layout(machine: str) -> tuple[int, str]:
    """Return the bytes of a record of wtmp, and how its time is packed, with what lies before it.

    Most machines of 64 bits write what those of 32 bits read; these few have seconds of 64 bits (glibc's utmp.h).
    """
    wide = machine in _WIDE and sys.maxsize > 1 << 32  # a program of 32 bits sees its own kind of record
    return (400, "=344xq") if wide else (384, "=340xi")


def parse_wtmp(data: bytes, since: float, length: int, place: str) -> tuple[list[dict[str, object]], int]:
    """Return the logins in the bytes of a wtmp, and how many records are empty. length, place: as of `layout`."""
    import struct

    rows: list[dict[str, object]] = []
    empty = 0
    for at in range(0, len(data) - length + 1, length):
        record = data[at : at + length]
        if not record.strip(b"\0"):
            empty += 1
            continue
        kind, _pid, line, _id, user, host = struct.unpack_from("=hxxi32s4s32s256s", record)
        (seconds,) = struct.unpack_from(place, record)
        if kind == _LOGIN and seconds >= since:
            rows.append({"at": float(seconds), "user": _text(user), "host": _text(host), "line": _text(line)})
    return rows, empty


def _text(raw: bytes) -> str:
    return raw.split(b"\0")[0].decode("utf-8", "replace")
