"""Ctrl-C: the first asks the run to end, the second leaves at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["EXIT_CODE", "Interruption"]

EXIT_CODE = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_CLOSE = b"\0"


class Interruption:
    """While entered, SIGINT and SIGTERM set `cancel` and call `first`; one more calls `last` and ends the process.

    A thread of its own does that, woken through a pipe: nothing it needs can be held by the code that was interrupted,
    so the second signal works even when the main thread hangs. Outside the main thread it does nothing.
    """

    def __init__(self, first: Callable[[], object], last: Callable[[], object]) -> None:
        self.cancel = threading.Event()
        self._first = first
        self._last = last
        self._before: dict[signal.Signals, Any] = {}
        self._wakeup = -1
        self._pipe: tuple[int, int] | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        self._pipe = os.pipe()
        os.set_blocking(self._pipe[1], False)
        self._thread = threading.Thread(target=self._watch, args=(self._pipe[0],), name="opslib-signals", daemon=True)
        self._thread.start()
        self._wakeup = signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, _nothing)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pipe is None or self._thread is None:
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.write(self._pipe[1], _CLOSE)
        self._thread.join()
        for end in self._pipe:
            os.close(end)
        self._pipe = None

    def _watch(self, reader: int) -> None:
        while True:
            for byte in os.read(reader, 64):
                if bytes([byte]) == _CLOSE:
                    return
                if byte in _SIGNALS:
                    self._heard()

    def _heard(self) -> None:
        if not self.cancel.is_set():
            self.cancel.set()
            with contextlib.suppress(Exception):
                self._first()
            return
        try:
            self._last()
        finally:
            os._exit(EXIT_CODE)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """Stand in for the default handler, which would raise in the middle of anything."""
