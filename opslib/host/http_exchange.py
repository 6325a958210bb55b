"""One HTTP request within one deadline: the answer, or what went wrong in words.

Name lookup, connecting, TLS, headers, body and redirects share the deadline, so a server that drips one byte a second
gains nothing by it.
"""

from __future__ import annotations

import io

from . import dial
from .dial import Clock, DialError
from .params import ParamError, Url
from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping, Sequence

PIECE = 65536
_REDIRECTS = (301, 302, 303, 307, 308)


class Answer(Record):
    """What a server answered; `problem` (a kind of DialError, or `protocol` or `redirect`) and `words` are set where no
    full answer came.

    Times are seconds from the beginning: until connected (name lookup and TLS included), until the answer's first
    byte, and in total. `cut`: the body is longer than was read.
    """

    url: str
    problem: str = ""
    words: str = ""
    status: int = 0
    phrase: str = ""
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    cut: bool = False
    address: str = ""
    redirects: Sequence[str] = ()
    connect_seconds: float | None = None
    first_byte_seconds: float | None = None
    total_seconds: float = 0.0

    def header(self, name: str) -> str | None:
        """Return a header's value, several joined with commas, or None when there is no such header."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None


class Target(Record):
    """The parts of a URL."""

    secure: bool
    host: str
    port: int
    path: str


def split_url(url: str) -> Target:
    """Return the parts of a URL that the kind `Url` let pass; ParamError when it names no host or no port."""
    scheme, _, rest = url.partition("#")[0].partition("://")
    end = min([at for at in (rest.find("/"), rest.find("?")) if at >= 0] or [len(rest)])
    authority, path = rest[:end], rest[end:]
    if authority.startswith("["):
        host, _, port = authority[1:].partition("]")
        good = ":" in host and (not port or port.startswith(":"))
        port = port[1:]
    else:
        host, _, port = authority.partition(":")
        good = bool(host) and not any(sign in authority for sign in "[]")
    if not good or (port and not port.isdigit()):
        raise ParamError("%s names no host and port" % ascii(url))
    secure = scheme.lower() == "https"
    default = 443 if secure else 80
    return Target(
        secure=secure,
        host=host.lower(),
        port=int(port) if port else default,
        path=path if path.startswith("/") else "/" + path,
    )


def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    timeout: float = 10,
    max_size: int = 1 << 20,
    redirects: int = 0,
    ca_file: str | None = None,
) -> Answer:
    """Send one request and return the answer; never raises for what the network or the server does.

    timeout: seconds for everything; max_size: bytes of the body to read; redirects: how many to follow (headers are
    not carried to another origin); ca_file: trust the authorities in this PEM file instead of the system's.
    """
    clock = Clock(timeout)
    found: dict[str, Any] = {}
    passed: list[str] = []
    carried = dict(headers or {})
    try:
        while True:
            found = {"url": url, "redirects": tuple(passed)}
            _exchange(found, clock, method, carried, max_size, ca_file)
            place = Answer(**found).header("Location")
            if found["status"] not in _REDIRECTS or not place or not redirects:
                break
            if len(passed) == redirects:
                raise DialError("redirect", "it redirects more than %d times, next to %s" % (redirects, place))
            passed.append(url)
            old, url = split_url(url), _follow(url, place)
            new = split_url(url)
            if (old.secure, old.host, old.port) != (new.secure, new.host, new.port):
                carried = {}
    except DialError as error:
        found.update(problem=error.kind, words=str(error))
    return Answer(total_seconds=clock.passed(), **found)


def _follow(url: str, place: str) -> str:
    from urllib.parse import urljoin

    try:
        target = Url()(urljoin(url, place))
        downgrade = split_url(url).secure and not split_url(target).secure
    except ValueError:
        raise DialError("redirect", "it redirects to %s, which is no http or https URL" % ascii(place)) from None
    if downgrade:
        raise DialError("redirect", "it redirects from https to %s, which has no TLS" % target)
    return target


class _Reader(io.RawIOBase):
    """A socket as http.client reads it, with the deadline at every read."""

    def __init__(self, sock: Any, clock: Clock) -> None:
        self.sock, self.clock = sock, clock
        self.first_byte: float | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.sock.settimeout(self.clock.left())
        count = int(self.sock.recv_into(buffer))
        if self.first_byte is None and count:
            self.first_byte = self.clock.passed()
        return count


class _Channel:
    """What http.client wants of a socket."""

    def __init__(self, reader: _Reader) -> None:
        self.reader = reader

    def sendall(self, data: bytes) -> None:
        self.reader.sock.settimeout(self.reader.clock.left())
        self.reader.sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self.reader, PIECE)

    def close(self) -> None:
        """Do nothing: who opened the socket closes it."""


def _exchange(
    found: dict[str, Any], clock: Clock, method: str, headers: Mapping[str, str], max_size: int, ca_file: str | None
) -> None:
    """Carry out one request and put what came into `found`, as far as it came. Raises DialError."""
    target = split_url(found["url"])
    clock.doing = "looking up its name"
    sock: Any
    sock, found["address"] = dial.connect(target.host, target.port, clock)
    try:
        if target.secure:
            sock = dial.secure(sock, target.host, clock, ca_file)
        found["connect_seconds"] = clock.passed()
        clock.doing = "waiting for its answer"
        reader = _Reader(sock, clock)
        try:
            _converse(found, reader, target, method, headers, max_size)
        finally:
            found["first_byte_seconds"] = reader.first_byte
    finally:
        sock.close()


def _converse(
    found: dict[str, Any], reader: _Reader, target: Target, method: str, headers: Mapping[str, str], max_size: int
) -> None:
    import socket
    from http.client import HTTPConnection, HTTPException, IncompleteRead

    connection = HTTPConnection(target.host, target.port)
    connection.default_port = 443 if target.secure else 80  # it leaves this port out of the Host header
    connection.sock = _Channel(reader)
    usual = {"User-Agent": "opslib", "Accept": "*/*", "Connection": "close"}
    given = {key.lower() for key in headers}
    try:
        connection.request(
            method, target.path, headers={**{k: v for k, v in usual.items() if k.lower() not in given}, **headers}
        )
        response = connection.getresponse()
        found.update(status=response.status, phrase=response.reason, headers=tuple(response.getheaders()))
        reader.clock.doing = "reading the body"
        body = bytearray()
        while len(body) <= max_size:
            piece = response.read(min(PIECE, max_size + 1 - len(body)))
            if not piece:
                break
            body += piece
        found.update(body=bytes(body[:max_size]), cut=len(body) > max_size)
        if response.length and len(body) <= max_size and method != "HEAD":
            raise DialError("closed", "it closed the connection %d bytes before the body's end" % response.length)
    except (socket.timeout, TimeoutError):
        raise reader.clock.over() from None
    except IncompleteRead:
        raise DialError("closed", "it closed the connection before the body's end") from None
    except ConnectionError:  # http.client.RemoteDisconnected is one
        when = "without an answer" if reader.first_byte is None else "amid its answer"
        raise DialError("closed", "it closed the connection " + when) from None
    except HTTPException as error:
        said = str(error)
        if "\x15\x03" in said[:4]:  # a TLS alert
            raise DialError("protocol", "this port speaks TLS; use https://") from None
        raise DialError("protocol", "its answer is no HTTP: %s" % ascii(said)) from None
    except OSError as error:
        if type(error).__module__ == "ssl":
            raise dial.tls_error(error) from None
        raise DialError("closed", "the connection broke: %s" % (error.strerror or error)) from None
