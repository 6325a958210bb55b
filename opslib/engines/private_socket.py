"""A socket in a run's private folder: only who may enter the folder can connect."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from opslib.carriers.controller import short_path

__all__ = ["served"]

_LAST_WORDS = 1.0


@contextlib.contextmanager
def served(path: Path, serve: Callable[[socket.socket], None]) -> Iterator[None]:
    """Let `serve` deal with each connection to the socket, in a thread of its own; an OSError ends that one alone.

    When it is left, those that are open have a second to come to an end.
    """
    open_ones: list[threading.Thread] = []
    with socket.socket(socket.AF_UNIX) as listener:
        with short_path(str(path)) as short:
            listener.bind(short)
        listener.listen(64)
        accepting = threading.Thread(
            target=_accept, args=(listener, serve, open_ones), name="opslib-socket", daemon=True
        )
        accepting.start()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes the thread
            accepting.join()
            ends = time.monotonic() + _LAST_WORDS
            for each in open_ones:
                each.join(max(0.0, ends - time.monotonic()))


def _accept(listener: socket.socket, serve: Callable[[socket.socket], None], open_ones: list[threading.Thread]) -> None:
    while True:
        try:
            connection, _address = listener.accept()
        except OSError:  # the run is over
            return
        open_ones[:] = [each for each in open_ones if each.is_alive()]
        open_ones.append(threading.Thread(target=_serve, args=(connection, serve), name="opslib-socket", daemon=True))
        open_ones[-1].start()


def _serve(connection: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    with connection, contextlib.suppress(OSError):
        serve(connection)
