"""A connection to PostgreSQL in its own protocol, version 3.

A target need not have psql, each step of connecting can be told from the others and timed, and values travel apart
from statements. Source: "Frontend/Backend Protocol" in PostgreSQL's documentation.
"""

from __future__ import annotations

import os

from opslib.host.task import TaskError
from opslib.host.web.dial import Clock, DialError, connect, timed_out, tls_error
from opslib.host.words import printable

from . import faults
from .faults import PostgresError
from .scram import MECHANISM, Scram, ScramError, md5_answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .settings import Settings

_PROTOCOL = 196608
_SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"
_LONGEST_GREETING = 1 << 16
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
        self.parameters: dict[str, str] = {}
        self.seconds: dict[str, float] = {}
        self.address = ""
        self.tls: tuple[str, str] | tuple[()] = ()
        self._buffer = b""
        self._clock: Clock | None = Clock(settings.timeout)
        self._sock: Any = None
        try:
            self._open(self._clock)
            self._log_in(self._clock, options)
        except DialError as error:
            self.close()
            raise PostgresError(_KINDS.get(error.kind, faults.REACH), str(error)) from None
        except BaseException:
            self.close()
            raise
        self._clock = None

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; what was not committed is undone."""
        sock, self._sock = self._sock, None
        if sock is not None:
            try:
                sock.settimeout(1)
                sock.sendall(b"X\0\0\0\x04")
            except OSError:
                pass
            sock.close()

    def rows(self, sql: str, *values: Any, timeout: float = 60) -> list[list[str | None]]:
        """Run one statement with values for $1, $2, … and return its rows; each value is text, or None for NULL."""
        texts = [None if value is None else str(value).encode("utf-8", "surrogateescape") for value in values]
        bound = b"".join(b"\xff\xff\xff\xff" if text is None else _int32(len(text)) + text for text in texts)
        message = _message(b"P", b"\0" + sql.encode("utf-8", "surrogateescape") + b"\0" + _int16(0))
        message += _message(b"B", b"\0\0" + _int16(0) + _int16(len(texts)) + bound + _int16(0))
        message += _message(b"D", b"P\0") + _message(b"E", b"\0" + _int32(0)) + _message(b"S", b"")
        clock = self._clock = Clock(timeout)
        clock.doing = "waiting for the answer to a statement"
        try:
            self._send(message, clock)
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

    # connecting

    def _open(self, clock: Clock) -> None:
        settings = self.settings
        if settings.local:
            self._sock = _connect_locally(settings, clock)
            self.address = settings.host
        else:
            self._sock, self.address = connect(settings.host, settings.port, clock)
        self.seconds["connect"] = clock.passed()
        if settings.local or settings.sslmode == "disable":
            return
        before = clock.passed()
        clock.doing = "waiting for its answer to the request for TLS"
        self._send(_SSL_REQUEST, clock)
        answer = self._receive(clock, 64)
        if answer == b"S":
            self._secure(clock)
            self.seconds["tls"] = clock.passed() - before
        elif answer == b"N":
            if settings.sslmode != "prefer":
                words = "the server speaks no TLS, and sslmode %s asks for it (ssl = on in its postgresql.conf)"
                raise DialError("tls", words % settings.sslmode)
        elif answer[:1] == b"E":
            self._buffer = answer
            _kind, body = self._next(clock, _LONGEST_GREETING)
            raise self._refused(body)
        else:
            raise DialError("protocol", _stranger(answer))

    def _secure(self, clock: Clock) -> None:
        import socket
        import ssl

        settings = self.settings
        clock.doing = "agreeing on TLS"
        try:
            context = ssl.create_default_context(cafile=settings.ca_file)
        except OSError as error:
            words = "ca_file %s cannot be used: %s" % (settings.ca_file, error.strerror or error)
            raise DialError("tls", words) from None
        context.check_hostname = settings.sslmode == "verify-full"
        context.verify_mode = ssl.CERT_REQUIRED if settings.sslmode.startswith("verify") else ssl.CERT_NONE
        plain = socket.socket(fileno=self._sock.detach())
        self._sock = plain
        try:
            plain.settimeout(clock.left())
            self._sock = context.wrap_socket(plain, server_hostname=settings.host)
        except ssl.SSLError as error:
            if timed_out(error):
                raise clock.over() from None
            raise tls_error(error) from None
        except (OSError, ValueError) as error:
            if timed_out(error):
                raise clock.over() from None
            raise DialError("tls", "it closed the connection while agreeing on TLS") from None
        self.tls = (self._sock.version() or "", (self._sock.cipher() or ("",))[0])

    def _log_in(self, clock: Clock, options: str) -> None:
        before, settings = clock.passed(), self.settings
        clock.doing = "waiting for its answer to the request to log in"
        words = {
            "user": settings.user,
            "database": settings.database,
            "application_name": "opslib",
            "client_encoding": "UTF8",
            "DateStyle": "ISO",
            "options": options,
        }
        body = b"".join(
            part.encode("utf-8", "surrogateescape") + b"\0" for pair in words.items() if pair[1] for part in pair
        )
        self._send(_message(b"", _int32(_PROTOCOL) + body + b"\0"), clock)
        scram: Scram | None = None
        while True:
            kind, body = self._next(clock, _LONGEST_GREETING)
            if kind == b"E":
                raise self._refused(body)
            if kind == b"R":
                scram = self._authenticate(body, scram, clock)
            elif kind == b"S":
                name, value = body.split(b"\0")[:2]
                self.parameters[name.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
            elif kind == b"Z":
                break
            elif kind not in (b"K", b"N", b"v"):
                raise DialError("protocol", _stranger(kind + body[:20]))
        self.seconds["login"] = clock.passed() - before

    def _authenticate(self, body: bytes, scram: Scram | None, clock: Clock) -> Scram | None:
        asked, rest, password = int.from_bytes(body[:4], "big"), body[4:], self.settings.password
        if asked == 0:
            return None
        if asked in (3, 5, 10) and password is None:
            words = "the server asks for a password, and none was given"
            raise PostgresError(faults.CREDENTIALS, words)
        answer = b""
        try:
            if asked == 3 and password is not None:
                if not self.settings.local and not self.tls:
                    words = "the server wants the password in the clear, over a connection without TLS"
                    raise PostgresError(faults.TLS, words)
                answer = password.encode("utf-8", "surrogateescape") + b"\0"
            elif asked == 5 and password is not None:
                answer = md5_answer(self.settings.user, password, rest[:4]) + b"\0"
            elif asked == 10 and password is not None and MECHANISM.encode() in rest.split(b"\0"):
                scram = Scram(password)
                first = scram.first()
                answer = MECHANISM.encode() + b"\0" + _int32(len(first)) + first
            elif asked == 11 and scram is not None:
                answer = scram.proof(rest)
            elif asked == 12 and scram is not None:
                scram.confirm(rest)
                return None
            else:
                words = "the server asks for a way to authenticate that is not known here (number %d)" % asked
                raise PostgresError(faults.CREDENTIALS, words)
        except ScramError as error:
            raise PostgresError(faults.CREDENTIALS, "the server's authentication is wrong: %s" % error) from None
        self._send(_message(b"p", answer), clock)
        return scram

    def _refused(self, body: bytes) -> PostgresError:
        settings = self.settings
        fields = faults.parse_error(body)
        return faults.login_error(fields, settings.user, settings.database, settings.password is not None)

    # messages

    def _answer(self, clock: Clock) -> list[list[str | None]]:
        rows: list[list[str | None]] = []
        trouble: PostgresError | None = None
        while True:
            kind, body = self._next(clock, _LONGEST_MESSAGE)
            if kind == b"D" and len(rows) < _MOST_ROWS:
                rows.append(_row(body))
            elif kind == b"E":
                trouble = faults.query_error(faults.parse_error(body))
                if trouble.stage == faults.SERVER:
                    self.close()
                    raise trouble
            elif kind == b"Z":
                if trouble is not None:
                    raise trouble
                return rows

    def _next(self, clock: Clock, limit: int) -> tuple[bytes, bytes]:
        """Return the next message: its letter and its content."""
        while len(self._buffer) < 5:
            self._buffer += self._receive(clock)
        kind, length = self._buffer[:1], int.from_bytes(self._buffer[1:5], "big")
        if not 4 <= length <= limit:
            raise DialError("protocol", _stranger(self._buffer[:20]))
        if len(self._buffer) <= length:
            pieces, have = [self._buffer], len(self._buffer)
            while have <= length:
                pieces.append(self._receive(clock))
                have += len(pieces[-1])
            self._buffer = b"".join(pieces)
        body, self._buffer = self._buffer[5 : length + 1], self._buffer[length + 1 :]
        return kind, body

    def _receive(self, clock: Clock, most: int = 1 << 16) -> bytes:
        if self._sock is None:
            raise DialError("closed", "the connection is closed")
        try:
            self._sock.settimeout(clock.left())
            data = self._sock.recv(most)
        except OSError as error:
            if timed_out(error):
                raise clock.over() from None
            raise DialError("closed", "it broke the connection off while %s" % clock.doing) from None
        if not data:
            raise DialError("closed", "it closed the connection while %s" % clock.doing)
        return bytes(data)

    def _send(self, data: bytes, clock: Clock) -> None:
        if self._sock is None:
            raise DialError("closed", "the connection is closed")
        try:
            self._sock.settimeout(clock.left())
            self._sock.sendall(data)
        except OSError as error:
            if timed_out(error):
                raise clock.over() from None
            raise DialError("closed", "it broke the connection off while %s" % clock.doing) from None


def _connect_locally(settings: Settings, clock: Clock) -> Any:
    """Connect to the socket in the file system, with the rights of `identity`: the server sees who connects."""
    import _socket

    path = "%s/.s.PGSQL.%d" % (settings.host, settings.port)
    user = None
    if settings.identity is not None:
        user = account(settings.identity).pw_uid
        if os.geteuid() not in (0, user):
            raise TaskError("connecting as system user %s takes root (become)" % settings.identity)
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    mine = os.geteuid()
    try:
        sock.settimeout(clock.left())
        if user is not None:
            os.seteuid(user)
        try:
            sock.connect(os.fsencode(path))
        finally:
            os.seteuid(mine)
    except OSError as error:
        sock.close()
        if error.errno in (2, 111):
            raise DialError("refused", "no server listens on the socket %s" % path) from None
        if timed_out(error):
            raise DialError("timeout", "the socket %s accepted no connection: %s" % (path, clock.over())) from None
        raise DialError("unreachable", "the socket %s cannot be used: %s" % (path, error.strerror)) from None
    return sock


def account(name: str) -> Any:
    """Return the entry of a system user in the user database. Raises TaskError when there is none."""
    import pwd

    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise TaskError("there is no system user %s on this host" % name) from None


def _row(body: bytes) -> list[str | None]:
    row: list[str | None] = []
    place = 2
    for _column in range(int.from_bytes(body[:2], "big")):
        length = int.from_bytes(body[place : place + 4], "big", signed=True)
        place += 4
        if length < 0:
            row.append(None)
        else:
            row.append(body[place : place + length].decode("utf-8", "surrogateescape"))
            place += length
    return row


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + _int32(len(body) + 4) + body


def _int16(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _int32(number: int) -> bytes:
    return number.to_bytes(4, "big")


def _stranger(begin: bytes) -> str:
    return "what answers there is not PostgreSQL; it says %s" % printable(begin[:40].decode("utf-8", "replace"))
