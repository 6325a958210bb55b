"""The ssh carrier, as far as it goes without a host; tests/lab and tests/faults have the rest."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import fabric
import paramiko
import pytest

from opslib.carriers.base import Deadline
from opslib.carriers.ssh import SshConnector
from opslib.target import Target


def test_making_a_connection_does_not_disturb_another_thread_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fabric empties and refills the configuration that a new connection is given, while others may read theirs."""
    connector = SshConnector()
    target = Target(name="one", address="192.0.2.1")
    first = connector._client("192.0.2.1", target, target)
    seen = []
    merge = fabric.Config.merge

    def slow(config: fabric.Config) -> None:
        config._set(_config={})
        seen.append(first.authentication.strategy_class)
        merge(config)

    monkeypatch.setattr(fabric.Config, "merge", slow)
    connector._client("192.0.2.2", target, target)
    assert seen == [None]


class Door(paramiko.ServerInterface):
    """Lets anybody in."""

    def check_auth_password(self, username: str, password: str) -> int:
        return paramiko.AUTH_SUCCESSFUL


@contextlib.contextmanager
def server(ciphers: tuple[str, ...]) -> Iterator[int]:
    """Serve SSH on a port of its own, with these ciphers only."""
    made = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            made.append(paramiko.Transport(listener.accept()[0]))
            made[0].get_security_options().ciphers = ciphers
            made[0].add_server_key(paramiko.ECDSAKey.generate())
            made[0].start_server(event=threading.Event(), server=Door())

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()
        made[0].close()


@pytest.mark.parametrize(
    ("ciphers", "agreed"),
    [
        (("aes256-ctr", "aes128-gcm@openssh.com"), "aes128-gcm@openssh.com"),
        (("aes256-ctr",), "aes256-ctr"),
    ],
)
def test_the_cheapest_cipher_of_the_host_s_is_taken(ciphers: tuple[str, ...], agreed: str) -> None:
    """One that checks integrity itself, if there is one; a host that has none is reached all the same."""
    with server(ciphers) as port:
        target = Target(name="one", address="127.0.0.1", port=port, user="me", password="x", host_keys="off")
        connection = SshConnector().connect(target, Deadline.after(20))
        assert connection._client.transport.remote_cipher == agreed
        connection.close()
