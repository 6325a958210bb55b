"""Read what a payload answers. Pure: bytes in, messages out. The host may send anything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from opslib.carriers.payload import READY
from opslib.errors import CarrierError

__all__ = ["Answer", "Beat", "Bye", "End", "Hello", "Message", "Part", "Source", "Start"]

MAX_LINE = 16 << 20
MAX_TOTAL = 64 << 20
MAX_NOISE = 4096


@dataclass(frozen=True, slots=True)
class Hello:
    """The payload runs, under this version of Python."""

    python: str


@dataclass(frozen=True, slots=True)
class Source:
    """The payload's Python is of another version than ours: it waits for its modules' source."""


@dataclass(frozen=True, slots=True)
class Start:
    """Step `number` of the job begins."""

    number: int


@dataclass(frozen=True, slots=True)
class Part:
    """Something that step `number` says before its end."""

    number: int
    message: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class End:
    """Step `number` of the job has ended with this result."""

    number: int
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bye:
    """The payload is done; `error` says why when it did not do everything."""

    error: str | None


@dataclass(frozen=True, slots=True)
class Beat:
    """The payload is alive; said every few seconds."""


Message = Source | Hello | Start | Part | End | Beat | Bye


class Answer:
    """Takes the output of one payload in pieces and gives its messages. `ready`: Python runs and waits for its input.

    Lines that do not begin with the run's token are noise (a login script's greeting); the first 4 KiB of it are kept
    to explain a failure. Raises CarrierError when a line with the token makes no sense or there is too much; parts are
    passed on and forgotten, so of those there may be any number.
    """

    def __init__(self, token: str, steps: int) -> None:
        self._token = token.encode() + b" "
        self._steps = steps
        self._rest = bytearray()
        self._total = 0
        self._asked = False
        self.noise = b""
        self.ready = False

    def feed(self, piece: bytes) -> Iterator[Message]:
        """Yield the messages that this piece completes."""
        self._total += len(piece)
        if self._total > MAX_TOTAL:
            raise CarrierError(f"the host sent more than {MAX_TOTAL >> 20} MiB; its answer is dropped")
        self._rest += piece
        if b"\n" in piece:
            *lines, self._rest = self._rest.split(b"\n")
        else:  # a long line in small pieces is not gone through again and again
            lines = []
        if len(self._rest) > MAX_LINE:
            raise CarrierError(f"the host sent a line of more than {MAX_LINE >> 20} MiB; its answer is dropped")
        for line in map(bytes, lines):
            if line.startswith(self._token):
                message = self._message(line[len(self._token) :])
                if isinstance(message, Part):
                    self._total -= len(line) + 1
                yield message
            elif (line + b"\n").endswith(READY):  # a greeting may end without a newline
                self.ready = True
            elif len(self.noise) < MAX_NOISE:
                self.noise = (self.noise + line + b"\n")[:MAX_NOISE]

    def explain(self) -> str:
        """Return the noise as one printable line, for an error message."""
        noise = self.noise + self._rest[:MAX_NOISE]
        return " / ".join(noise.decode("utf-8", "backslashreplace").split("\n")).strip(" /")

    def _message(self, line: bytes) -> Message:
        word, _, rest = line.partition(b" ")
        try:
            if word == b"hello":
                return Hello(".".join(str(int(part)) for part in json.loads(rest)["python"]))
            if word == b"beat":
                return Beat()
            if word == b"source" and not self._asked:
                self._asked = True
                return Source()
            if word == b"bye":
                error = json.loads(rest)["error"]
                return Bye(None if error is None else str(error))
            number, _, rest = rest.partition(b" ")
            if int(number) not in range(self._steps):
                raise ValueError("no such step")
            if word == b"start":
                return Start(int(number))
            if word == b"part":
                said = json.loads(rest)
                if not isinstance(said, dict):
                    raise TypeError("no mapping")
                return Part(int(number), said)
            if word == b"end":
                _status, _changed, body = rest.split(b" ", 2)
                result = json.loads(body)
                if not isinstance(result, dict):
                    raise TypeError("no mapping")
                return End(int(number), result)
            raise ValueError("unknown word")
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError) as error:
            head = line.partition(b"{")[0][:80]  # not its body, which may hold what is not to be shown
            raise CarrierError(f"the host's answer makes no sense ({error}): {head!r}") from None
