"""Open a TCP or TLS connection within a deadline, and say in words why it could not be.

`ssl` is imported for TLS only. Proxies named in the environment are not used.
"""

from __future__ import annotations

import time

from opslib.host.system import apart

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    import ssl
    from typing import Any, Sequence

_LOOPBACK = ("127.0.0.1", "::1")  # what localhost always is, RFC 6761
_KINDS = ("refused", "timeout", "unreachable")
# X509_V_ERR_* of OpenSSL, X509_STORE_CTX_get_error(3)
_UNKNOWN = "its certificate comes from an unknown authority%s; name the authority with ca_file"
_CERTIFICATE = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is self-signed, so no known authority vouches for it; name the authority with ca_file",
    19: _UNKNOWN % "",
    20: _UNKNOWN % ", or an intermediate certificate is missing",
    21: _UNKNOWN % ", or an intermediate certificate is missing",
    62: "its certificate is for another host",
    64: "its certificate is for another address",
}


class DialError(Exception):
    """A connection was not made or did not last.

    kind: refused, name, timeout, unreachable, tls, closed; those who speak over the connection add their own.
    """

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


class Clock:
    """A deadline, and what the time is being spent on."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.began = time.monotonic()
        self.doing = "looking up its name"

    def passed(self) -> float:
        """Return the seconds since the beginning."""
        return time.monotonic() - self.began

    def left(self) -> float:
        """Return the seconds left; DialError when there are none."""
        left = self.seconds - self.passed()
        if left <= 0:
            raise self.over()
        return left

    def over(self) -> DialError:
        """Return the error that says what took too long."""
        return DialError("timeout", "time ran out after %g seconds, while %s" % (self.seconds, self.doing))


def timed_out(error: BaseException) -> bool:
    """Whether an error of a socket says that its time was up; before Python 3.10 that is no TimeoutError."""
    return isinstance(error, TimeoutError) or type(error).__name__ == "timeout"


def connect(host: str, port: int, clock: Clock) -> tuple[_socket.socket, str]:
    """Return a connected socket and the address it led to. The addresses of a name share the time that is left.

    Raises DialError.
    """
    import _socket  # the module `socket` costs a target 6 ms more

    places = _resolve(host, port, clock)
    clock.doing = "connecting"
    troubles = []
    for number, (family, kind, protocol, _name, place) in enumerate(places):
        where = "%s port %d" % (place[0], port)
        sock = None
        try:
            sock = _socket.socket(family, kind, protocol)
            sock.settimeout(clock.left() / (len(places) - number))
            sock.connect(place)
        except (OSError, DialError) as error:
            if sock is not None:
                sock.close()
            if isinstance(error, ConnectionRefusedError):
                troubles.append(DialError("refused", "connection refused: nothing listens on " + where))
            elif isinstance(error, DialError) or timed_out(error):
                troubles.append(DialError("timeout", "%s accepted no connection: %s" % (where, clock.over())))
            else:
                troubles.append(DialError("unreachable", "%s cannot be reached: %s" % (where, error.strerror)))
        else:
            return sock, str(place[0])
    raise min(troubles, key=lambda trouble: _KINDS.index(trouble.kind))


def _resolve(host: str, port: int, clock: Clock) -> Sequence[Any]:
    """Return what a name stands for. The C library knows no deadline, so a process of its own does the asking."""
    import _socket

    places = []
    for name in _LOOPBACK if host == "localhost" else (host,):
        try:
            places += _look_up((name, port, _socket.AI_NUMERICHOST))
        except OSError:
            continue
    if places:
        return places
    found = apart.ask(_try_look_up, [(host, port, 0)], clock.left())[0]
    if found is None:
        raise clock.over()
    if isinstance(found, str):
        raise DialError("name", "the name %s does not resolve: %s" % (host, found))
    return list(found)


def _look_up(query: tuple[str, int, int]) -> list[Any]:
    import _socket

    host, port, flags = query  # the name goes as bytes, which keeps Python's costly IDNA codec out
    return _socket.getaddrinfo(host.encode("ascii"), port, 0, _socket.SOCK_STREAM, 0, flags)


def _try_look_up(query: tuple[str, int, int]) -> list[Any] | str:
    try:
        return _look_up(query)
    except (OSError, UnicodeError) as error:
        return getattr(error, "strerror", None) or str(error)


def secure(sock: _socket.socket, host: str, clock: Clock, ca_file: str | None) -> ssl.SSLSocket:
    """Return the connection with TLS over it, the certificate checked for this host; closes it and raises DialError.

    ca_file: a PEM file whose authorities are trusted instead of the system's.
    """
    import socket
    import ssl

    clock.doing = "agreeing on TLS"
    try:
        context = ssl.create_default_context(cafile=ca_file)
        context.set_alpn_protocols(["http/1.1"])
    except OSError as error:
        raise DialError("tls", "ca_file %s cannot be used: %s" % (ca_file, error.strerror or error)) from None
    plain = socket.socket(fileno=sock.detach())
    secured = None
    try:
        plain.settimeout(clock.left())
        secured = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        secured.settimeout(clock.left())
        secured.do_handshake()
    except (OSError, ValueError, DialError) as error:
        (secured or plain).close()
        if isinstance(error, DialError):
            raise
        if timed_out(error):
            raise clock.over() from None
        if isinstance(error, ssl.SSLError) and not isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            raise tls_error(error) from None
        if isinstance(error, ValueError):
            raise DialError("tls", "TLS: %s is no name that a certificate can have" % host) from None
        raise DialError("tls", "it closed the connection while agreeing on TLS") from None
    return secured


def tls_error(error: Any) -> DialError:
    """Return an `ssl.SSLError` in words."""
    code = getattr(error, "verify_code", None)
    if code is not None:
        detail = _CERTIFICATE.get(code, "its certificate was not accepted")
        return DialError("tls", "TLS: %s (%s)" % (detail, error.verify_message))
    reason = (getattr(error, "reason", None) or "").replace("_", " ").lower()
    if reason in ("wrong version number", "http request", "unknown protocol", "record layer failure"):
        return DialError("tls", "TLS: this port does not speak TLS; use http://")
    if "protocol version" in reason or reason == "unsupported protocol":
        return DialError("tls", "TLS: it speaks no version of TLS that is safe enough (%s)" % reason)
    if "certificate required" in reason:
        return DialError("tls", "TLS: it wants a client certificate, which cannot be given here")
    return DialError("tls", "TLS: %s" % (reason or error))
