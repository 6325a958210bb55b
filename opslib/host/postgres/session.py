"""A connection to PostgreSQL in its own protocol, version 3.

A target need not have psql, each step of connecting can be told from the others and timed, and values travel apart
from statements. Source: "Frontend/Backend Protocol" in PostgreSQL's documentation.
"""

from __future__ import annotations

from opslib.host.task import TaskError
from opslib.host.web.dial import Clock, DialError

from . import faults
from .faults import PostgresError
from .login import log_in
from .messages import int16, int32, message, row
from .opening import opened

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .settings import Settings

_LONGEST_MESSAGE = 64 << 20
_MOST_ROWS = 1000000
_KINDS = {"name": faults.NAME, "tls": faults.TLS}


def quoted(name: str) -> str:
    """Return a name as SQL writes identifiers."""
    if "\0" in name:
        raise TaskError("a name holds a NUL")
    return '"%s"' % name.replace('"', '""')


def literal(text: str) -> str:
    """Return a text as SQL writes it, for statements that take no parameters."""
    if "\0" in text:
        raise TaskError("a text holds a NUL")
    mark = " E" if "\\" in text else ""
    return "%s'%s'" % (mark, text.replace("\\", "\\\\").replace("'", "''"))


class Session:
    """A connection; use it in a `with` block. Raises PostgresError, a TaskError.

    parameters: what the server said of itself (server_version, …); tls: version and cipher, or empty;
    seconds: how long each part of connecting took, by name.
    """

    def __init__(self, settings: Settings, options: str = "") -> None:
        self.settings = settings
        clock = Clock(settings.timeout)
        try:
            way = opened(settings, clock)
            self._stream, self.address, self.tls, self.seconds = way.stream, way.address, way.tls, dict(way.seconds)
            try:
                before = clock.passed()
                self.parameters = log_in(self._stream, settings, clock, options)
                self.seconds["login"] = clock.passed() - before
            except BaseException:
                self.close()
                raise
        except DialError as error:
            raise PostgresError(_KINDS.get(error.kind, faults.REACH), str(error)) from None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; what was not committed is undone."""
        self._stream.close()

    @property
    def closed(self) -> bool:
        """Whether the connection is closed, or was lost."""
        return self._stream.sock is None

    def rows(self, sql: str, *values: Any, timeout: float = 60) -> list[list[str | None]]:
        """Run one statement with values for $1, $2, … and return its rows; each value is text, or None for NULL."""
        texts = [None if value is None else str(value).encode("utf-8", "surrogateescape") for value in values]
        bound = b"".join(b"\xff\xff\xff\xff" if text is None else int32(len(text)) + text for text in texts)
        asked = message(b"P", b"\0" + sql.encode("utf-8", "surrogateescape") + b"\0" + int16(0))
        asked += message(b"B", b"\0\0" + int16(0) + int16(len(texts)) + bound + int16(0))
        asked += message(b"D", b"P\0") + message(b"E", b"\0" + int32(0)) + message(b"S", b"")
        clock = Clock(timeout)
        clock.doing = "waiting for the answer to a statement"
        try:
            self._stream.send(asked, clock)
            return self._answer(clock)
        except DialError as error:
            self.close()
            raise PostgresError(faults.QUERY if error.kind == "timeout" else faults.SERVER, str(error)) from None

    def value(self, sql: str, *values: Any, timeout: float = 60) -> str | None:
        """Run one statement and return the first value of its first row, None when there is none."""
        rows = self.rows(sql, *values, timeout=timeout)
        return rows[0][0] if rows and rows[0] else None

    def json(self, sql: str, *values: Any, timeout: float = 60) -> Any:
        """Run one statement whose only value is JSON and return it; None for NULL."""
        import json

        text = self.value(sql, *values, timeout=timeout)
        return None if text is None else json.loads(text)

    def _answer(self, clock: Clock) -> list[list[str | None]]:
        rows: list[list[str | None]] = []
        trouble: PostgresError | None = None
        while True:
            kind, body = self._stream.next(clock, _LONGEST_MESSAGE)
            if kind == b"D" and len(rows) < _MOST_ROWS:
                rows.append(row(body))
            elif kind == b"E":
                trouble = faults.query_error(faults.parse_error(body))
                if trouble.stage == faults.SERVER:
                    self.close()
                    raise trouble
            elif kind == b"Z":
                if trouble is not None:
                    raise trouble
                return rows
