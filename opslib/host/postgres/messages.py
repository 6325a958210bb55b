"""Messages of PostgreSQL's protocol, over a socket. Source: "Message Formats" in PostgreSQL's documentation."""

from __future__ import annotations

from opslib.host.web.dial import Clock, DialError, timed_out
from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Stream:
    """Sends bytes and reads messages.

    sock: the socket, None once it is closed; buffer: what came and is not read; secure: whether TLS hides it.
    """

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.buffer = b""
        self.secure = False

    def close(self) -> None:
        """Say good-bye and close the socket."""
        sock, self.sock = self.sock, None
        if sock is not None:
            try:
                sock.settimeout(1)
                sock.sendall(b"X\0\0\0\x04")
            except OSError:
                pass
            sock.close()

    def next(self, clock: Clock, limit: int) -> tuple[bytes, bytes]:
        """Return the next message: its letter and its content."""
        while len(self.buffer) < 5:
            self.buffer += self.receive(clock)
        kind, length = self.buffer[:1], int.from_bytes(self.buffer[1:5], "big")
        if not 4 <= length <= limit:
            raise DialError("protocol", stranger(self.buffer[:20]))
        if len(self.buffer) <= length:
            pieces, have = [self.buffer], len(self.buffer)
            while have <= length:
                pieces.append(self.receive(clock))
                have += len(pieces[-1])
            self.buffer = b"".join(pieces)
        body, self.buffer = self.buffer[5 : length + 1], self.buffer[length + 1 :]
        return kind, body

    def receive(self, clock: Clock, most: int = 1 << 16) -> bytes:
        """Return bytes as they come, at least one."""
        if self.sock is None:
            raise DialError("closed", "the connection is closed")
        try:
            self.sock.settimeout(clock.left())
            data = self.sock.recv(most)
        except OSError as error:
            if timed_out(error):
                raise clock.over() from None
            raise DialError("closed", "it broke the connection off while %s" % clock.doing) from None
        if not data:
            raise DialError("closed", "it closed the connection while %s" % clock.doing)
        return bytes(data)

    def send(self, data: bytes, clock: Clock) -> None:
        """Send bytes."""
        if self.sock is None:
            raise DialError("closed", "the connection is closed")
        try:
            self.sock.settimeout(clock.left())
            self.sock.sendall(data)
        except OSError as error:
            if timed_out(error):
                raise clock.over() from None
            raise DialError("closed", "it broke the connection off while %s" % clock.doing) from None


def row(body: bytes) -> list[str | None]:
    """Return the values of a row of data."""
    values: list[str | None] = []
    place = 2
    for _column in range(int.from_bytes(body[:2], "big")):
        length = int.from_bytes(body[place : place + 4], "big", signed=True)
        place += 4
        if length < 0:
            values.append(None)
        else:
            values.append(body[place : place + length].decode("utf-8", "surrogateescape"))
            place += length
    return values


def message(kind: bytes, body: bytes) -> bytes:
    """Return a message: its letter, empty for the first of a connection, its length and its content."""
    return kind + int32(len(body) + 4) + body


def int16(number: int) -> bytes:
    """Return a number as two bytes."""
    return number.to_bytes(2, "big")


def int32(number: int) -> bytes:
    """Return a number as four bytes."""
    return number.to_bytes(4, "big")


def stranger(begin: bytes) -> str:
    """Return what to say of an answer that no PostgreSQL gives."""
    return "what answers there is not PostgreSQL; it says %s" % printable(begin[:40].decode("utf-8", "replace"))
