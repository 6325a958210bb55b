"""HTTP/1.1 as it goes over a connection: write a request, read an answer, with bounds on everything.

Written out because `http.client` costs a target 60 ms (it imports `email` and, even for plain http, `ssl`).
Sources: RFC 9110, RFC 9112.
"""

from __future__ import annotations

from .dial import DialError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from typing import Mapping

    from .dial import Clock

PIECE = 65536
MAX_HEAD = 65536
MAX_INTERIM = 20
_NO_BODY = (204, 304)
_DIGITS = "0123456789"
_HEXADECIMAL = "0123456789abcdefABCDEF"


class Stream:
    """The bytes that come from a socket, with the deadline at every read."""

    def __init__(self, sock: _socket.socket, clock: Clock) -> None:
        self.sock, self.clock = sock, clock
        self.buffer = b""
        self.first_byte: float | None = None

    def send(self, data: bytes) -> None:
        """Send everything."""
        self.sock.settimeout(self.clock.left())
        self.sock.sendall(data)

    def some(self, most: int) -> bytes:
        """Return what there is, at most so many bytes; nothing at the end."""
        if not self.buffer:
            self._fill()
        piece, self.buffer = self.buffer[:most], self.buffer[most:]
        return piece

    def line(self, most: int) -> bytes:
        """Return the next line without its end. Raises DialError when it is longer than so many bytes, or cut off."""
        while True:
            end = self.buffer.find(b"\n")
            if end > most or (end < 0 and len(self.buffer) > most):
                raise DialError(
                    "protocol", "its answer is no HTTP that can be read: a line of more than %d bytes" % most
                )
            if end >= 0:
                line, self.buffer = self.buffer[:end], self.buffer[end + 1 :]
                return line[:-1] if line.endswith(b"\r") else line
            if not self._fill():
                raise self.ended()

    def ended(self) -> DialError:
        """Return the error for a connection that was closed too early."""
        when = "without an answer" if self.first_byte is None else "before its answer's end"
        return DialError("closed", "it closed the connection " + when)

    def _fill(self) -> bool:
        self.sock.settimeout(self.clock.left())
        piece = self.sock.recv(PIECE)
        if piece and self.first_byte is None:
            self.first_byte = self.clock.passed()
        self.buffer += piece
        return bool(piece)


def request(method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return a request, with a body where its method has one. Raises ValueError for what would be several requests."""
    lines = ["%s %s HTTP/1.1" % (method, target), *["%s: %s" % item for item in headers.items()]]
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append("Content-Length: %d" % len(body))
    if any(sign in line for line in lines for sign in "\r\n\0"):
        raise ValueError("a request's line holds a line end")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + body


def read_head(stream: Stream) -> tuple[int, str, list[tuple[str, str]]]:
    """Return status, phrase and headers of an answer, interim answers (1xx) left out."""
    for _interim in range(MAX_INTERIM):
        status, phrase = _status(stream.line(MAX_HEAD))
        headers = _headers(stream)
        if status >= 200 or status == 101:
            return status, phrase, headers
    raise DialError("protocol", "its answer is no HTTP that can be read: it begins again and again")


def read_body(stream: Stream, status: int, headers: list[tuple[str, str]], most: int) -> tuple[bytes, bool]:
    """Return the body of an answer to GET, at most so many bytes, and whether there is more of it."""
    if status in _NO_BODY or status < 200:
        return b"", False
    coding = ",".join(_values(headers, "transfer-encoding")).lower().replace(" ", "")
    lengths = {value.strip() for text in _values(headers, "content-length") for value in text.split(",")}
    if coding.endswith("chunked"):
        return _chunked(stream, most)
    if coding or not lengths:
        return _plain(stream, most, None)
    length = lengths.pop()
    if lengths or not length or any(c not in _DIGITS for c in length) or len(length) > 18:
        raise DialError("protocol", "its answer is no HTTP that can be read: Content-Length is %s" % ascii(length))
    return _plain(stream, most, int(length))


def _status(line: bytes) -> tuple[int, str]:
    text = line.decode("latin-1")
    version, _, rest = text.partition(" ")
    code, _, phrase = rest.strip().partition(" ")
    if version[:7] == "HTTP/1." and len(code) == 3 and all(c in _DIGITS for c in code) and code >= "100":
        return int(code), phrase.strip()
    if line[:2] == b"\x15\x03":  # a TLS alert
        raise DialError("protocol", "this port speaks TLS; use https://")
    raise DialError("protocol", "its answer is no HTTP/1: %s" % ascii(text))


def _headers(stream: Stream) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    left = MAX_HEAD
    while True:
        line = stream.line(left)
        left -= len(line) + 1
        text = line.decode("latin-1")
        if not text:
            return found
        name, colon, value = text.partition(":")
        if text[0] in " \t" and found:
            found[-1] = found[-1][0], (found[-1][1] + " " + text.strip()).strip()
        elif colon and name.strip():
            found.append((name.strip(), value.strip()))
        else:
            raise DialError("protocol", "its answer is no HTTP that can be read: the header %s" % ascii(text))


def _values(headers: list[tuple[str, str]], name: str) -> list[str]:
    return [value for key, value in headers if key.lower() == name]


def _plain(stream: Stream, most: int, length: int | None) -> tuple[bytes, bool]:
    """Read a body of a known length, or until the connection is closed."""
    body = bytearray()
    wanted = most + 1 if length is None else min(length, most + 1)
    while len(body) < wanted:
        piece = stream.some(wanted - len(body))
        if not piece and length is not None:
            raise stream.ended()
        if not piece:
            break
        body += piece
    return bytes(body[:most]), len(body) > most


def _chunked(stream: Stream, most: int) -> tuple[bytes, bool]:
    body = bytearray()
    while len(body) <= most:
        text = stream.line(MAX_HEAD).partition(b";")[0].strip().decode("latin-1")
        if not text or len(text) > 15 or any(c not in _HEXADECIMAL for c in text):
            raise DialError("protocol", "its answer is no HTTP that can be read: a chunk of %s bytes" % ascii(text))
        size = int(text, 16)
        if not size:
            _headers(stream)
            return bytes(body), False
        piece, _more = _plain(stream, most + 1 - len(body), size)
        body += piece
        if len(body) <= most and stream.line(2):
            raise DialError("protocol", "its answer is no HTTP that can be read: a chunk without an end")
    return bytes(body[:most]), True
