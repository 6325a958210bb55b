"""The silent listener says nothing, and the slow link is slow and loses nothing."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from opslib.lab.traffic import Endpoint, delaying_proxy, silent_listener

LOOPBACK = "127.0.0.1"


@pytest.fixture
def echo() -> Iterator[Endpoint]:
    """A server that sends back what it gets, one connection after the other."""
    with socket.create_server((LOOPBACK, 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    while data := connection.recv(65536):
                        connection.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        yield Endpoint(*listener.getsockname()[:2])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_silent_listener_accepts_and_says_nothing() -> None:
    with silent_listener(LOOPBACK) as end, socket.create_connection(end, timeout=0.2) as connection:
        connection.sendall(b"SSH-2.0-x\r\n")
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_silent_listener_ends_with_its_context() -> None:
    with silent_listener(LOOPBACK) as end:
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(end, timeout=1)


def test_slow_link_delays_each_direction(echo: Endpoint) -> None:
    with delaying_proxy(LOOPBACK, echo, 50) as end, socket.create_connection(end, timeout=5) as connection:
        start = time.monotonic()
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
        assert 0.1 <= time.monotonic() - start < 2


def test_slow_link_does_not_limit_throughput_and_loses_nothing(echo: Endpoint) -> None:
    sent = bytes(range(256)) * 8000
    with delaying_proxy(LOOPBACK, echo, 30) as end, socket.create_connection(end, timeout=10) as connection:
        start = time.monotonic()
        threading.Thread(target=lambda: (connection.sendall(sent), connection.shutdown(socket.SHUT_WR))).start()
        got = bytearray()
        while data := connection.recv(65536):
            got += data
    assert got == sent
    assert time.monotonic() - start < 5  # one chunk after the other would take 60 ms each


def test_slow_link_leaves_no_thread(echo: Endpoint) -> None:
    before = set(threading.enumerate())
    with delaying_proxy(LOOPBACK, echo, 1) as end:
        connections = [socket.create_connection(end, timeout=5) for _ in range(5)]
        for connection in connections:
            connection.sendall(b"x")
        # Their threads reach the server, which serves one after the other, in any order.
        answered, _, _ = select.select(connections, [], [], 5)
        assert [connection.recv(1) for connection in answered] == [b"x"]
    for connection in connections:
        connection.close()
    time.sleep(0.1)
    assert set(threading.enumerate()) <= before


def test_slow_link_to_nowhere_closes(echo: Endpoint) -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        nowhere = Endpoint(*listener.getsockname()[:2])
    with delaying_proxy(LOOPBACK, nowhere, 1) as end, socket.create_connection(end, timeout=5) as connection:
        assert connection.recv(1) == b""
