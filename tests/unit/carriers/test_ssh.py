"""The ssh carrier, as far as it goes without a host; tests/lab and tests/faults have the rest."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import fabric
import paramiko
import pytest

from opslib.carriers.base import Deadline
from opslib.carriers.ssh import SshConnector
from opslib.errors import UnreachableError
from opslib.target import HostKeyPolicy, Target


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


KEY = paramiko.ECDSAKey.generate()


@contextlib.contextmanager
def server(ciphers: tuple[str, ...] = ("aes256-ctr",)) -> Iterator[int]:
    """Serve SSH on a port of its own, with these ciphers only."""
    made = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            made.append(paramiko.Transport(listener.accept()[0]))
            made[0].get_security_options().ciphers = ciphers
            made[0].add_server_key(KEY)
            with contextlib.suppress(paramiko.SSHException, EOFError):
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


@pytest.mark.parametrize("policy", ["strict", "accept-new"])
@pytest.mark.parametrize("known", ["", "[127.0.0.1]:{port} {key}\n"], ids=["unknown", "known"])
def test_a_revoked_key_is_refused_whatever_else_is_said_of_it(
    tmp_path: Path, policy: HostKeyPolicy, known: str
) -> None:
    """Also when it is revoked in one file and known in another."""
    key = f"{KEY.get_name()} {KEY.get_base64()}"
    (tmp_path / "revoked").write_text(f"@revoked * {key} stolen\n")
    with server() as port:
        (tmp_path / "known").write_text(known.format(port=port, key=key))
        files = (str(tmp_path / "known"), str(tmp_path / "revoked"))
        target = Target(
            name="one", address="127.0.0.1", port=port, user="me", password="x", host_keys=policy, known_hosts=files
        )
        with pytest.raises(UnreachableError, match=r"host key of \[127\.0\.0\.1\]:\d+ is marked @revoked"):
            SshConnector().connect(target, Deadline.after(20))


@pytest.mark.parametrize(
    ("policy", "known", "taken"),
    [("accept-new", "", True), ("strict", "", False), ("strict", "[127.0.0.1]:{port} {key}\n", True)],
)
def test_keys_are_taken_as_the_policy_says(tmp_path: Path, policy: HostKeyPolicy, known: str, taken: bool) -> None:
    with server() as port:
        (tmp_path / "known").write_text(known.format(port=port, key=f"{KEY.get_name()} {KEY.get_base64()}"))
        files = (str(tmp_path / "known"),)
        target = Target(
            name="one", address="127.0.0.1", port=port, user="me", password="x", host_keys=policy, known_hosts=files
        )
        if taken:
            SshConnector().connect(target, Deadline.after(20)).close()
        else:
            with pytest.raises(UnreachableError, match="is not known; check it"):
                SshConnector().connect(target, Deadline.after(20))
