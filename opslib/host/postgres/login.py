"""Log in to a server. Source: "Message Flow: Start-up" in PostgreSQL's documentation."""

from __future__ import annotations

from opslib.host.web.dial import Clock, DialError

from . import faults
from .faults import PostgresError
from .messages import Stream, int32, message, stranger
from .scram import MECHANISM, Scram, ScramError, md5_answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings

_PROTOCOL = 196608
_LONGEST_GREETING = 1 << 16


def log_in(stream: Stream, settings: Settings, clock: Clock, options: str) -> dict[str, str]:
    """Log in, and return what the server says of itself. Raises DialError and PostgresError."""
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
    stream.send(message(b"", int32(_PROTOCOL) + body + b"\0"), clock)
    parameters: dict[str, str] = {}
    scram: Scram | None = None
    while True:
        kind, body = stream.next(clock, _LONGEST_GREETING)
        if kind == b"E":
            raise refused(settings, body)
        if kind == b"R":
            scram = _authenticate(stream, settings, body, scram, clock)
        elif kind == b"S":
            name, value = body.split(b"\0")[:2]
            parameters[name.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
        elif kind == b"Z":
            return parameters
        elif kind not in (b"K", b"N", b"v"):
            raise DialError("protocol", stranger(kind + body[:20]))


def _authenticate(stream: Stream, settings: Settings, body: bytes, scram: Scram | None, clock: Clock) -> Scram | None:
    """Answer what the server asks for, and return the SCRAM exchange that is under way."""
    asked, rest, password = int.from_bytes(body[:4], "big"), body[4:], settings.password
    if asked == 0:
        return None
    if asked in (3, 5, 10) and password is None:
        words = "the server asks for a password, and none was given"
        raise PostgresError(faults.CREDENTIALS, words)
    answer = b""
    try:
        if asked == 3 and password is not None:
            if not settings.local and not stream.secure:
                words = "the server wants the password in the clear, over a connection without TLS"
                raise PostgresError(faults.TLS, words)
            answer = password.encode("utf-8", "surrogateescape") + b"\0"
        elif asked == 5 and password is not None:
            answer = md5_answer(settings.user, password, rest[:4]) + b"\0"
        elif asked == 10 and password is not None and MECHANISM.encode() in rest.split(b"\0"):
            scram = Scram(password)
            first = scram.first()
            answer = MECHANISM.encode() + b"\0" + int32(len(first)) + first
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
    stream.send(message(b"p", answer), clock)
    return scram


def refused(settings: Settings, body: bytes) -> PostgresError:
    """Return what a server's refusal to log in means."""
    fields = faults.parse_error(body)
    return faults.login_error(fields, settings.user, settings.database, settings.password is not None)
