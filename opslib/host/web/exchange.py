"""One HTTP request within one deadline: the answer, or what went wrong in words.

Name lookup, connecting, TLS, headers, body and redirects share the deadline, so a server that drips one byte a second
gains nothing by it.
"""

from __future__ import annotations

from opslib.host.params import ParamError, Url
from opslib.host.record import Record

from . import dial
from . import wire as http_wire
from .dial import Clock, DialError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Mapping, Sequence

    from .wire import Stream

_REDIRECTS = (301, 302, 303, 307, 308)


class Answer(Record):
    """What a server answered.

    `problem` (a kind of DialError, or `protocol` or `redirect`) and `words` are set where no full answer came.
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

    @property
    def authority(self) -> str:
        """Host and port as the Host header wants them: without the port that goes without saying."""
        host = "[%s]" % self.host if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else "%s:%d" % (host, self.port)


def split_url(url: str) -> Target:
    """Return the parts of a URL that the kind `Url` let pass; ParamError when it names no host or no port."""
    scheme, _, rest = url.partition("#")[0].partition("://")
    end = min([at for at in (rest.find("/"), rest.find("?")) if at >= 0] or [len(rest)])
    authority, path = rest[:end], rest[end:]
    if authority.startswith("["):
        host, closed, port = authority[1:].partition("]")
        good = ":" in host and bool(closed) and (not port or port.startswith(":"))
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
    body: bytes = b"",
) -> Answer:
    """Send one request and return the answer; never raises for what the network or the server does.

    timeout: seconds for everything; max_size: bytes of the body to read; redirects: how many to follow (headers are
    not carried to another origin); ca_file: trust the authorities in this PEM file instead of the system's; body: to
    send, only to the first URL.
    """
    clock = Clock(timeout)
    found: dict[str, Any] = {}
    passed: list[str] = []
    carried = dict(headers or {})
    try:
        while True:
            found = {"url": url, "redirects": tuple(passed)}
            _exchange(found, clock, method, carried, max_size, ca_file, body)
            place = Answer(**found).header("Location")
            if found["status"] not in _REDIRECTS or not place or not redirects:
                break
            if len(passed) == redirects:
                raise DialError("redirect", "it redirects more than %d times, next to %s" % (redirects, place))
            passed.append(url)
            body = b""
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


def _exchange(
    found: dict[str, Any],
    clock: Clock,
    method: str,
    headers: Mapping[str, str],
    max_size: int,
    ca_file: str | None,
    body: bytes,
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
        stream = http_wire.Stream(sock, clock)
        try:
            _converse(found, stream, target, method, headers, max_size, body)
        finally:
            found["first_byte_seconds"] = stream.first_byte
    finally:
        sock.close()


def _converse(
    found: dict[str, Any],
    stream: Stream,
    target: Target,
    method: str,
    headers: Mapping[str, str],
    max_size: int,
    body: bytes = b"",
) -> None:
    usual = {"Host": target.authority, "User-Agent": "opslib", "Accept": "*/*", "Accept-Encoding": "identity"}
    given = {name.lower() for name in headers}
    sent = {name: value for name, value in usual.items() if name.lower() not in given}
    try:
        stream.send(http_wire.request(method, target.path, {**sent, **headers, "Connection": "close"}, body))
        status, phrase, received = http_wire.read_head(stream)
        found.update(status=status, phrase=phrase, headers=tuple(received))
        if method != "HEAD":
            stream.clock.doing = "reading the body"
            found["body"], found["cut"] = http_wire.read_body(stream, status, received, max_size)
    except ConnectionError:
        raise stream.ended() from None
    except OSError as error:
        if dial.timed_out(error):
            raise stream.clock.over() from None
        if type(error).__module__ == "ssl":
            raise dial.tls_error(error) from None
        raise DialError("closed", "the connection broke: %s" % (error.strerror or error)) from None
