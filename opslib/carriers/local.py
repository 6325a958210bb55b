"""The local carrier: payloads as subprocesses of this machine."""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from typing import IO

from opslib.carriers.base import Deadline
from opslib.errors import CarrierError, UsageError

__all__ = ["LocalChannel", "LocalConnection"]

_MAX_ERRORS = 16384
_LONGEST_KILL = 10.0


class LocalConnection:
    """The machine itself, as the user who runs opslib."""

    alive = True

    @property
    def user(self) -> str | None:
        """Who runs opslib."""
        try:
            return pwd.getpwuid(os.geteuid()).pw_name
        except KeyError:
            return None

    def start(self, argv: Sequence[str], deadline: Deadline) -> LocalChannel:  # noqa: ARG002 - starting never waits
        """Start a program; see `Connection.start`. Raises UsageError for one that there is not."""
        try:
            return LocalChannel(argv)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise UsageError(f"cannot start {ascii(argv[0])[1:-1]}: {why}") from error

    def close(self) -> None:
        """Nothing to close."""


class LocalChannel:
    """A subprocess in a session of its own. patience: seconds it may take to end itself, beyond the usual."""

    def __init__(self, argv: Sequence[str], patience: float = 0.0) -> None:
        self._patience = patience
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            list(argv), stdin=pipe, stdout=pipe, stderr=pipe, cwd="/", start_new_session=True, bufsize=0
        )
        assert self._process.stdin
        assert self._process.stdout
        assert self._process.stderr
        self._in, self._out, self._err = self._process.stdin, self._process.stdout, self._process.stderr
        for stream in (self._in, self._out, self._err):
            os.set_blocking(stream.fileno(), False)
        self._said = b""

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Write to its standard input; see `Channel.send`."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._in.fileno(), view[:65536]) :]
            except BlockingIOError:
                if deadline.left == 0:
                    raise TimeoutError from None
                _wait([], [self._in], deadline.cap(60))
            except (OSError, ValueError) as error:
                raise CarrierError(f"the program ended early: {self.errors() or error}") from error

    def receive(self, timeout: float) -> bytes | None:
        """Return some output; see `Channel.receive`."""
        ends = time.monotonic() + timeout
        while True:
            try:
                ready = _wait([self._out, self._err], [], max(0.0, ends - time.monotonic()))
                if self._err in ready:
                    self._drain()
                    if self._out not in ready and not _wait([self._out], [], 0.005):
                        if time.monotonic() >= ends:
                            return None
                        continue
                elif not ready:
                    return None
                return os.read(self._out.fileno(), 1 << 16)
            except BlockingIOError:
                continue
            except (OSError, ValueError):
                return b""

    def end_input(self) -> None:
        """Close its standard input."""
        self._in.close()

    def errors(self) -> str:
        """Return the beginning of its standard error."""
        self._drain()
        return self._said.decode("utf-8", "backslashreplace").strip()

    def exit_code(self) -> int | None:
        """Return its exit code once it has ended."""
        try:
            return self._process.wait(0.2)  # it closes its output a little before it is gone
        except subprocess.TimeoutExpired:
            return None

    def close(self) -> None:
        """Close its standard input, on which the payload ends itself and its children; kill what does not."""
        for stream in (self._in, self._out, self._err):
            stream.close()
        try:
            self._process.wait(_LONGEST_KILL + self._patience)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):  # another user's (sudo), or hanging in the kernel
                self._process.wait(1)

    def _drain(self) -> None:
        try:
            piece = os.read(self._err.fileno(), 4096)
        except (OSError, ValueError):
            return
        self._said = (self._said + piece)[:_MAX_ERRORS]


def _wait(readers: Sequence[IO[bytes]], writers: Sequence[IO[bytes]], timeout: float) -> list[IO[bytes]]:
    """Return the streams that are ready, after so many seconds none; unlike select(2) for any number of open files."""
    poll = select.poll()
    streams = {stream.fileno(): stream for stream in (*readers, *writers)}
    for stream in readers:
        poll.register(stream, select.POLLIN)
    for stream in writers:
        poll.register(stream, select.POLLOUT)
    return [streams[fd] for fd, _event in poll.poll(timeout * 1000)]
