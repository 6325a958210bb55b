"""Entries of systemd's journal, from the newest back, or as they come.

Sources: journalctl(1), systemd.journal-fields(7).
"""

from __future__ import annotations

import os
import time

from opslib.host import command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

LEVELS = ("EMERG", "ALERT", "CRIT", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG")
_FIELDS = "MESSAGE,PRIORITY,UNIT,_SYSTEMD_UNIT"
_LONGEST = 1 << 20
_PATIENCE = 60.0


class Line:
    """An entry of the journal. level: of its priority; cursor: its place in the journal."""

    __slots__ = ("cursor", "level", "raw", "unit", "when")

    def __init__(self, row: dict[str, Any]) -> None:
        message = row.get("MESSAGE")
        if isinstance(message, list):  # bytes that are no text, or a field that is there several times
            whole = all(isinstance(number, int) and 0 <= number < 256 for number in message)
            message = bytes(message) if whole else "\n".join(map(str, message))
        self.raw = message if isinstance(message, bytes) else str(message or "").encode("utf-8", "surrogateescape")
        self.when = int(row["__REALTIME_TIMESTAMP"]) / 1e6
        priority = str(row.get("PRIORITY", ""))
        self.level = LEVELS[int(priority)] if len(priority) == 1 and priority in "01234567" else None
        self.unit = str(row.get("UNIT") or row.get("_SYSTEMD_UNIT") or "")
        self.cursor = str(row.get("__CURSOR") or "")


class Journal:
    """Reads a running journalctl. Use `lines`, then `close`.

    arguments: for journalctl, beside the units. problems: what it complained about.
    """

    def __init__(self, units: Sequence[str], arguments: Sequence[str]) -> None:
        argv = ["journalctl", "--output=json", "--all", "--no-pager", "--output-fields=" + _FIELDS]
        self._process = command.start([*argv, *("--unit=" + unit for unit in units), *arguments])
        self.fd = self._process.out
        self.problems: list[str] = []
        self.ended = False
        self.bytes_read = 0
        self._rest = b""
        self._skipping = False
        for fd in (self._process.out, self._process.err):
            os.set_blocking(fd, False)

    def lines(self) -> Iterator[Line]:
        """Yield what has come by now; `ended` says whether that was all."""
        import json

        while not self.ended:
            try:
                data = os.read(self.fd, 1 << 16)
            except BlockingIOError:
                return
            if not data:
                self.ended = True
            self.bytes_read += len(data)
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                if self._skipping:
                    self._skipping = False
                    continue
                try:
                    yield Line(json.loads(line.decode("utf-8", "surrogateescape")))
                except (ValueError, KeyError, TypeError, RecursionError):
                    continue
            if len(self._rest) > _LONGEST:
                self._rest, self._skipping = b"", True

    def all_lines(self) -> Iterator[Line]:
        """Yield everything, waiting for it; raises TaskError when journalctl is silent for a minute."""
        import select

        from opslib.host.task import TaskError

        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        while not self.ended:
            if not poll.poll(int(_PATIENCE * 1000)):
                raise TaskError("journalctl has been silent for %d seconds" % _PATIENCE)
            yield from self.lines()

    def close(self) -> None:
        """End journalctl, and keep what it complained about."""
        if self.ended:
            for _look in range(200):  # it closes its output a little before it is gone, and says why before that
                if os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                    break
                time.sleep(0.01)
        try:
            said = os.read(self._process.err, 4096).decode("utf-8", "replace")
        except BlockingIOError:
            said = ""
        self.problems += [line.strip() for line in said.splitlines() if line.strip()][:3]
        self._process.stop()
