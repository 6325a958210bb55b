"""Bad network for tests: a listener that never speaks, and a proxy that delays every byte."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

__all__ = ["Endpoint", "delaying_proxy", "silent_listener"]

_CHUNK = 65536


class Endpoint(NamedTuple):
    """Where something listens on this machine."""

    address: str
    port: int


@contextmanager
def silent_listener(address: str) -> Iterator[Endpoint]:
    """Listen on a free port of `address`; connections are accepted, and never a byte is sent.

    No thread is needed: the kernel completes connections that nobody accepts, up to the backlog (listen(2)).
    """
    with socket.create_server((address, 0), backlog=1024) as listener:
        yield Endpoint(*listener.getsockname()[:2])


@contextmanager
def delaying_proxy(address: str, target: Endpoint, delay_ms: float) -> Iterator[Endpoint]:
    """Listen on a free port of `address` and pass bytes to and from `target`, each `delay_ms` milliseconds late.

    Both directions are late, so a round trip takes twice that; throughput is not limited. Leaving closes all
    connections.
    """
    proxy = _Proxy(target, delay_ms / 1000)
    with socket.create_server((address, 0), backlog=1024) as listener:
        accepting = threading.Thread(target=proxy.accept, args=(listener,), name="lab-slow-link", daemon=True)
        accepting.start()
        try:
            yield Endpoint(*listener.getsockname()[:2])
        finally:
            proxy.close()
            # Closing alone does not wake a thread that waits in accept(2).
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            accepting.join()


class _Proxy:
    def __init__(self, target: Endpoint, delay: float) -> None:
        self._target = target
        self._delay = delay
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            self._start(self._serve, near)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for each in self._open:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            threads = list(self._threads)
        for thread in threads:
            thread.join(self._delay + 5)

    def _start(self, function: object, *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, name="lab-slow-link", daemon=True)  # type: ignore[arg-type]
        with self._lock:
            if not self._closed:
                self._threads.append(thread)
                thread.start()

    def _serve(self, near: socket.socket) -> None:
        with near:
            try:
                far = socket.create_connection(self._target, timeout=10)
            except OSError:
                return
            with far:
                far.settimeout(None)
                with self._lock:
                    if self._closed:
                        return
                    self._open |= {near, far}
                for each in (near, far):
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                back = threading.Thread(target=self._carry, args=(far, near), daemon=True)
                back.start()
                self._carry(near, far)
                back.join()
                with self._lock:
                    self._open -= {near, far}

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        """Read in this thread, write in another, so that waiting for one chunk does not hold up the next."""
        line: queue.Queue[tuple[float, bytes]] = queue.Queue()
        writer = threading.Thread(target=self._deliver, args=(line, sink), daemon=True)
        writer.start()
        while True:
            try:
                chunk = source.recv(_CHUNK)
            except OSError:
                chunk = b""
            line.put((time.monotonic() + self._delay, chunk))
            if not chunk:
                break
        writer.join()

    def _deliver(self, line: queue.Queue[tuple[float, bytes]], sink: socket.socket) -> None:
        while True:
            due, chunk = line.get()
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                if not chunk:
                    sink.shutdown(socket.SHUT_WR)
                    return
                sink.sendall(chunk)
            except OSError:
                return
