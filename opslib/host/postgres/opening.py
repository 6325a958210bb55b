"""Open a connection to a server, with TLS where that is asked for. Source: "SSL Session Encryption", as `session`."""

from __future__ import annotations

import os

from opslib.host.record import Record
from opslib.host.task import TaskError
from opslib.host.web.dial import Clock, DialError, connect, timed_out, tls_error

from .login import refused
from .messages import Stream, stranger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from .settings import Settings

_LONGEST_GREETING = 1 << 16
_SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"


class Opened(Record):
    """A connection. tls: version and cipher, or empty; seconds: how long each part took, by name."""

    stream: Stream
    address: str
    tls: Sequence[str]
    seconds: dict[str, float]


def opened(settings: Settings, clock: Clock) -> Opened:
    """Connect. Raises DialError, and PostgresError when the server refuses right away."""
    if settings.local:
        sock, address = _connect_locally(settings, clock), settings.host
    else:
        sock, address = connect(settings.host, settings.port, clock)
    stream, seconds = Stream(sock), {"connect": clock.passed()}
    tls: Sequence[str] = ()
    try:
        if not settings.local and settings.sslmode != "disable":
            tls = _ask_for_tls(stream, settings, clock)
    except BaseException:
        stream.close()
        raise
    if tls:
        seconds["tls"] = clock.passed() - seconds["connect"]
    return Opened(stream=stream, address=address, tls=tls, seconds=seconds)


def _ask_for_tls(stream: Stream, settings: Settings, clock: Clock) -> Sequence[str]:
    clock.doing = "waiting for its answer to the request for TLS"
    stream.send(_SSL_REQUEST, clock)
    answer = stream.receive(clock, 64)
    if answer == b"S":
        return _secure(stream, settings, clock)
    if answer == b"N":
        if settings.sslmode != "prefer":
            words = "the server speaks no TLS, and sslmode %s asks for it (ssl = on in its postgresql.conf)"
            raise DialError("tls", words % settings.sslmode)
        return ()
    if answer[:1] == b"E":
        stream.buffer = answer
        _kind, body = stream.next(clock, _LONGEST_GREETING)
        raise refused(settings, body)
    raise DialError("protocol", stranger(answer))


def _secure(stream: Stream, settings: Settings, clock: Clock) -> Sequence[str]:
    import socket
    import ssl

    clock.doing = "agreeing on TLS"
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        words = "ca_file %s cannot be used: %s" % (settings.ca_file, error.strerror or error)
        raise DialError("tls", words) from None
    context.check_hostname = settings.sslmode == "verify-full"
    context.verify_mode = ssl.CERT_REQUIRED if settings.sslmode.startswith("verify") else ssl.CERT_NONE
    plain = socket.socket(fileno=stream.sock.detach())
    stream.sock = plain
    try:
        plain.settimeout(clock.left())
        stream.sock = context.wrap_socket(plain, server_hostname=settings.host)
    except ssl.SSLError as error:
        if timed_out(error):
            raise clock.over() from None
        raise tls_error(error) from None
    except (OSError, ValueError) as error:
        if timed_out(error):
            raise clock.over() from None
        raise DialError("tls", "it closed the connection while agreeing on TLS") from None
    stream.secure = True
    return (stream.sock.version() or "", (stream.sock.cipher() or ("",))[0])


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
