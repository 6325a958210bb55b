"""The local carrier: payloads as subprocesses of this machine."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence

from opslib.carriers.base import Deadline
from opslib.errors import CarrierError, UnreachableError

__all__ = ["LocalConnection"]

_MAX_ERRORS = 16384


class LocalConnection:
    """This machine, as the user who runs opslib."""

    alive = True

    def start(self, argv: Sequence[str], deadline: Deadline) -> LocalChannel:  # noqa: ARG002 - starting never waits
        """Start a program; see `Connection.start`."""
        try:
            return LocalChannel(argv)
        except OSError as error:
            raise UnreachableError(f"cannot start {argv[0]}: {error.strerror}") from error

    def close(self) -> None:
        """Nothing to close."""


class LocalChannel:
    """A subprocess in a session of its own."""

    def __init__(self, argv: Sequence[str]) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            list(argv), stdin=pipe, stdout=pipe, stderr=pipe, cwd="/", start_new_session=True, bufsize=0
        )
        assert self._process.stdin and self._process.stdout and self._process.stderr
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
                left = deadline.left
                if not select.select([], [self._in], [], left)[1]:
                    raise TimeoutError from None
            except (OSError, ValueError) as error:
                raise CarrierError(f"the program ended early: {self.errors() or error}") from error

    def receive(self, timeout: float) -> bytes | None:
        """Return some output; see `Channel.receive`."""
        ends = time.monotonic() + timeout
        while True:
            try:
                ready = select.select([self._out, self._err], [], [], max(0.0, ends - time.monotonic()))[0]
                if self._err in ready:
                    self._drain()
                    if self._out not in ready and not select.select([self._out], [], [], 0.005)[0]:
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
        return self._process.poll()

    def close(self) -> None:
        """Close its standard input, on which the payload ends itself and its children; kill what does not."""
        for stream in (self._in, self._out, self._err):
            stream.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
            try:
                self._process.wait(1)
            except subprocess.TimeoutExpired:  # another user's (sudo), or hanging in the kernel
                pass

    def _drain(self) -> None:
        try:
            piece = os.read(self._err.fileno(), 4096)
        except (OSError, ValueError):
            return
        self._said = (self._said + piece)[:_MAX_ERRORS]
