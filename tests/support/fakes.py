"""Connections to hosts that follow a script. A script is a generator function that is given the channel.

It yields what the host says: bytes, None for a moment of silence, b"" for the end of its output; it may raise what a
carrier raises. It may look at what the controller has sent: `channel.job` (None until the payload has come),
`channel.sent`, `channel.input_ended`.
"""

from __future__ import annotations

import json
import marshal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from opslib.carriers import payload
from opslib.carriers.base import Deadline
from opslib.errors import UnreachableError
from opslib.target import Target

Script = Callable[["FakeChannel"], Iterator[bytes | None]]
OK: dict[str, Any] = {
    "status": "ok",
    "changed": False,
    "reason": "all is well",
    "changes": [],
    "warnings": [],
    "data": {},
}
CHANGED = {**OK, "status": "changed", "changed": True}
FAILED = {**OK, "status": "failed", "error": "it is broken"}


class FakeChannel:
    """One payload on a scripted host."""

    def __init__(self, script: Script, argv: Sequence[str]) -> None:
        self.argv = list(argv)
        self.sent = b""
        self.sends: list[bytes] = []
        self.job: Mapping[str, Any] | None = None
        self.input_ended = False
        self.stderr = ""
        self.code: int | None = None
        self.closed = 0
        self._script = script(self)

    @property
    def token(self) -> str:
        """The token of the job, or of sudo's prompt before that."""
        if self.job is not None:
            return str(self.job["token"])
        return self.argv[self.argv.index("-p") + 1].strip("[] ")

    def say(self, word: str, number: int | None = None, result: Any = None) -> bytes:
        """Return a line of the protocol."""
        text = f"{self.token} {word}"
        if number is not None:
            text += f" {number}"
        if word == "end":
            text += f" {result.get('status')} {int(bool(result.get('changed')))} {json.dumps(result)}"
        elif result is not None:
            text += " " + json.dumps(result)
        return text.encode() + b"\n"

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Take input; an exception that the script yields as a `send_error` attribute is raised."""
        del deadline
        error = getattr(self, "send_error", None)
        if error is not None:
            raise error
        self.sends.append(data)
        self.sent += data
        if data.startswith(payload.MARK):
            self.job = _job(data)

    def receive(self, timeout: float) -> bytes | None:
        """Return what the script says next."""
        piece = next(self._script, b"")
        if piece is None:
            time.sleep(min(timeout, 0.005))
        return piece

    def end_input(self) -> None:
        """Close standard input."""
        self.input_ended = True

    def errors(self) -> str:
        """Return standard error."""
        return self.stderr

    def exit_code(self) -> int | None:
        """Return the exit code."""
        return self.code

    def close(self) -> None:
        """Count."""
        self.closed += 1


class FakeConnection:
    """A connection whose channels follow scripts, one after the other; the last one is repeated."""

    def __init__(self, scripts: Sequence[Script | Exception], user: str | None = None) -> None:
        self.scripts = list(scripts)
        self.user = user
        self.channels: list[FakeChannel] = []
        self.alive = True
        self.closed = 0

    def start(self, argv: Sequence[str], deadline: Deadline) -> FakeChannel:
        """Start the next script."""
        del deadline
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        if isinstance(script, Exception):
            raise script
        self.channels.append(FakeChannel(script, argv))
        return self.channels[-1]

    def close(self) -> None:
        """Count."""
        self.closed += 1


class FakeConnections:
    """Stands for `Connections`: a host's script, or several for several channels; an exception instead is raised."""

    def __init__(self, hosts: Mapping[str, Any], *, held: bool = False, user: str | None = None) -> None:
        self._user = user
        self._hosts = {name: script if isinstance(script, list) else [script] for name, script in hosts.items()}
        self._held = held
        self._lock = threading.Lock()
        self.open: dict[str, FakeConnection] = {}
        self.asked: list[str] = []
        self.dropped: list[str] = []

    def get(self, target: Target, deadline: Deadline) -> tuple[FakeConnection, bool]:
        """Return a host's connection."""
        del deadline
        with self._lock:
            self.asked.append(target.name)
            held = target.name in self.open or (self._held and target.name not in self.dropped)
            if target.name not in self.open:
                scripts = self._hosts.get(target.name, [UnreachableError("there is no such host")])
                if isinstance(scripts[0], ConnectionFails):
                    raise scripts[0].error
                self.open[target.name] = FakeConnection(scripts, self._user)
            return self.open[target.name], held

    def drop(self, target: Target) -> None:
        """Forget a host's connection, but not where its scripts are."""
        with self._lock:
            self.dropped.append(target.name)
            connection = self.open.pop(target.name, None)
            if connection is not None:
                self._hosts[target.name] = connection.scripts

    def close(self) -> None:
        """Nothing to close."""

    def channels(self, name: str) -> list[FakeChannel]:
        """Return what was started on a host."""
        return self.open[name].channels if name in self.open else []


class ConnectionFails:
    """A host that cannot be connected to."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def host(*results: Mapping[str, Any]) -> Script:
    """Return the script of a healthy host; of its steps each has the given result, or is ok.

    A failed one ends the job, as the runtime does, but for items of its loop and where errors are ignored.
    """

    def script(channel: FakeChannel) -> Iterator[bytes | None]:
        yield payload.READY
        while channel.job is None:
            yield None
        yield channel.say("hello", result={"python": [3, 11, 2]})
        failed = None
        for number, step in enumerate(channel.job["steps"]):
            if failed is not None and (failed.get("group") is None or step.get("group") != failed["group"]):
                continue
            place = step["id"]
            result = results[place] if place < len(results) else OK
            yield channel.say("start", number)
            yield channel.say("end", number, result)
            if result["status"] == "failed" and not step.get("ignore_errors"):
                failed = step
        yield channel.say("bye", result={"error": None})

    return script


def saying(*lines: Callable[[FakeChannel], bytes | None] | bytes | None | Exception, code: int | None = None) -> Script:
    """Return the script of a host that says these things once it has the payload, and then ends with this code."""

    def script(channel: FakeChannel) -> Iterator[bytes | None]:
        yield payload.READY
        while channel.job is None:
            yield None
        for line in lines:
            if isinstance(line, Exception):
                raise line
            yield line(channel) if callable(line) else line
        channel.code = code

    return script


def start(number: int) -> Callable[[FakeChannel], bytes]:
    """A step begins."""
    return lambda channel: channel.say("start", number)


def end(number: int, result: Any = OK) -> Callable[[FakeChannel], bytes]:
    """A step ends."""
    return lambda channel: channel.say("end", number, result)


def bye(error: str | None = None) -> Callable[[FakeChannel], bytes]:
    """The payload says goodbye."""
    return lambda channel: channel.say("bye", result={"error": error})


def raw(text: str) -> Callable[[FakeChannel], bytes]:
    """Say anything after the token."""
    return lambda channel: channel.token.encode() + b" " + text.encode() + b"\n"


def _job(data: bytes) -> Mapping[str, Any]:
    length, _, rest = data[len(payload.MARK) :].partition(b"\n")
    _length, _, body = rest[int(length) :].partition(b"\n")
    job: Mapping[str, Any] = marshal.loads(body)["job"]
    return job
