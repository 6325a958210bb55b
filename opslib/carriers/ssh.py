"""The ssh carrier: Fabric for configuration, gateways and authentication; channels of our own for payloads.

The only file that imports fabric and paramiko. Fabric's connections trust any host key and know no overall time limit
(`fabric.connection.Connection.__init__`, `open`), so each is given its host keys, its policy and its socket before it
is opened.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import os
import queue
import shlex
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fabric
import paramiko

from opslib.carriers.base import Deadline
from opslib.errors import CarrierError, InventoryError, UnreachableError
from opslib.target import Target

__all__ = ["SshConnection", "SshConnector"]

CONNECT_TIMEOUT = 20.0
DEAD_LINK_SECONDS = 40
_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
_MAX_ERRORS = 16384
_LOG = "opslib.ssh"
logging.getLogger(_LOG).addHandler(logging.NullHandler())


class SshConnector:
    """Opens connections; what they have in common (configuration, known hosts, gateways) is read once and shared."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._configs: dict[str | None, fabric.Config] = {}
        self._known: dict[str, _KnownHosts] = {}
        self._gateways: dict[tuple[str, ...], _Gateway] = {}

    def connect(self, target: Target, deadline: Deadline) -> SshConnection:
        """Connect and authenticate before the deadline, and within 20 seconds. Raises UnreachableError."""
        limit = Deadline(time.monotonic() + deadline.cap(CONNECT_TIMEOUT))
        client = self._client(target.address or target.name, target, target)
        try:
            return SshConnection(self._open(client, target, limit))
        except UnreachableError:
            client.close()
            raise
        except Exception as error:
            client.close()
            raise UnreachableError(_explain(error, client, limit)) from error

    def close(self) -> None:
        """Close the gateways that connections went through."""
        with self._lock:
            gateways, self._gateways = list(self._gateways.values()), {}
        for gateway in gateways:
            gateway.close()

    def _client(self, host: str, target: Target, login: Target | None) -> fabric.Connection:
        """Return a connection that is not open yet; `login` gives user, port and keys, None for those of the config."""
        # not empty, or it would be replaced by a mapping that all hosts share
        kwargs: dict[str, Any] = {"transport_factory": _transport}
        if login and login.password:
            kwargs["password"] = login.password
        if login and login.identity_files:
            kwargs["key_filename"] = [os.path.expanduser(path) for path in login.identity_files]
            kwargs["look_for_keys"] = login is not target
        user, port = (login.user, login.port) if login else (None, None)
        config = copy.copy(self._config(target.ssh_config))  # making a connection changes the configuration it has
        try:
            with self._lock:
                client = fabric.Connection(
                    host, user=user, port=port, config=config, gateway=False, connect_kwargs=kwargs
                )
        except (ValueError, TypeError, OSError, paramiko.SSHException, paramiko.ConfigParseError) as error:
            raise UnreachableError(f"the ssh configuration for {host} cannot be used: {error}") from error
        if client.ssh_config.get("identitiesonly") == "yes":
            client.connect_kwargs.setdefault("allow_agent", False)
        client.client.set_log_channel(_LOG)
        self._trust(client, target)
        return client

    def _config(self, path: str | None) -> fabric.Config:
        with self._lock:
            if path not in self._configs:
                try:
                    config = fabric.Config(runtime_ssh_path=os.path.expanduser(path) if path else None)
                except (OSError, paramiko.SSHException, ValueError) as error:
                    raise InventoryError(
                        f"the ssh configuration {path or '~/.ssh/config'} is wrong: {error}"
                    ) from error
                self._configs[path] = config
            return self._configs[path]

    def _trust(self, client: fabric.Connection, target: Target) -> None:
        """Give a connection the host keys it may meet, and the policy for those it does not know."""
        if target.host_keys == "off":
            client.client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
            return
        name = client.host if client.port == 22 else f"[{client.host}]:{client.port}"
        files = target.known_hosts or client.ssh_config.get("userknownhostsfile", "").split() or _KNOWN_HOSTS
        read = [self._known_hosts(os.path.expanduser(path)) for path in files]
        revoked = frozenset().union(*(known.revoked for known in read))
        client.client.set_missing_host_key_policy(_Unknown(revoked, take=target.host_keys == "accept-new"))
        for known in read:
            found = known.keys.lookup(client.ssh_config.get("hostkeyalias", name))
            for kind, key in (found or {}).items():
                if key.get_base64() not in revoked:
                    client.client.get_host_keys().add(name, kind, key)

    def _known_hosts(self, path: str) -> _KnownHosts:
        with self._lock:
            if path not in self._known:
                self._known[path] = _read_known_hosts(path)
            return self._known[path]

    def _open(self, client: fabric.Connection, target: Target, limit: Deadline) -> fabric.Connection:
        way = target.gateway if target.gateway is not None else client.ssh_config.get("proxyjump")
        command = client.ssh_config.get("proxycommand")
        if way and way.lower() != "none":
            sock = self._through([hop.strip() for hop in way.split(",")], target, client, limit)
        elif target.gateway is None and command and command.lower() != "none":
            sock = paramiko.ProxyCommand(command)
        else:
            sock = _dial(client.host, client.port, limit)
        self._login(client, sock, limit)
        return client

    def _through(self, hops: list[str], target: Target, client: fabric.Connection, limit: Deadline) -> Any:
        """Return a channel to the client's host through the gateways, each opened once and shared by all hosts."""
        last: _Gateway | None = None
        for number in range(1, len(hops) + 1):
            key = (*hops[:number], target.ssh_config or "")
            with self._lock:
                gateway = self._gateways.setdefault(key, _Gateway())
            with gateway.lock:
                if not gateway.alive:
                    hop = self._hop(hops[number - 1], target)
                    where = (hop.host, hop.port)
                    try:
                        self._login(hop, last.dial(*where, limit) if last else _dial(*where, limit), limit)
                    except Exception as error:
                        raise UnreachableError(f"gateway {hops[number - 1]}: {_explain(error, hop, limit)}") from error
                    gateway.connection = hop
            last = gateway
        assert last is not None
        return last.dial(client.host, client.port, limit)

    def _hop(self, hop: str, target: Target) -> fabric.Connection:
        user, _, where = hop.rpartition("@")
        host, _, port = where.rpartition(":") if where.count(":") == 1 or where.startswith("[") else (where, "", "")
        if not host.strip("[]") or host.startswith("-") or (port and not port.isdecimal()):
            raise UnreachableError(f"{hop!r} is no gateway: write [user@]host[:port]")
        login = Target(
            name=host, user=user or None, port=int(port) if port else None, identity_files=target.identity_files
        )
        return self._client(host.strip("[]"), target, login)

    @staticmethod
    def _login(client: fabric.Connection, sock: Any, limit: Deadline) -> None:
        left = limit.left or 0.1
        client.connect_timeout = left
        client.connect_kwargs.update(sock=sock, banner_timeout=left, auth_timeout=left, channel_timeout=left)
        try:
            client.open()
        except BaseException:
            sock.close()
            raise


class _Gateway:
    """A connection that others go through; whoever holds the lock may open it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: fabric.Connection | None = None

    @property
    def alive(self) -> bool:
        return self.connection is not None and bool(self.connection.is_connected)

    def dial(self, host: str, port: int, limit: Deadline) -> Any:
        assert self.connection is not None
        try:
            return self.connection.transport.open_channel("direct-tcpip", (host, port), ("", 0), timeout=limit.left)
        except (paramiko.SSHException, OSError) as error:
            raise UnreachableError(f"gateway {self.connection.host} cannot reach {host}:{port}: {error}") from error

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()


class SshConnection:
    """One open SSH connection; each payload gets a channel of it."""

    def __init__(self, client: fabric.Connection) -> None:
        self._client = client

    @property
    def user(self) -> str | None:
        """Who is logged in."""
        return str(self._client.user) if self._client.user else None

    @property
    def alive(self) -> bool:
        """Whether the transport is still up."""
        return bool(self._client.is_connected)

    def start(self, argv: Sequence[str], deadline: Deadline) -> SshChannel:
        """Start a program; see `Connection.start`."""
        try:
            channel = self._client.transport.open_session(timeout=deadline.cap(CONNECT_TIMEOUT))
            channel.settimeout(deadline.cap(CONNECT_TIMEOUT))
            channel.exec_command(shlex.join(argv))
        except (paramiko.SSHException, OSError, EOFError, AttributeError) as error:
            raise CarrierError(f"the connection does not take a command: {error or type(error).__name__}") from error
        return SshChannel(channel)

    def close(self) -> None:
        """Close the connection and all its channels."""
        self._client.close()


class SshChannel:
    """One program on a host."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._said = b""

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Write to its standard input; see `Channel.send`."""
        self._channel.settimeout(deadline.left)
        try:
            self._channel.sendall(data)
        except TimeoutError:
            raise
        except (OSError, EOFError) as error:
            raise CarrierError(f"the program ended early: {self.errors() or error}") from error

    def receive(self, timeout: float) -> bytes | None:
        """Return some output; see `Channel.receive`."""
        self._channel.settimeout(timeout)
        try:
            return self._channel.recv(1 << 16)
        except TimeoutError:
            return None
        except (OSError, EOFError):
            return b""

    def end_input(self) -> None:
        """Close its standard input."""
        with contextlib.suppress(OSError, EOFError):
            self._channel.shutdown_write()

    def errors(self) -> str:
        """Return the beginning of its standard error."""
        while self._channel.recv_stderr_ready() and (piece := self._channel.recv_stderr(4096)):
            self._said = (self._said + piece)[:_MAX_ERRORS]
        return self._said.decode("utf-8", "backslashreplace").strip()

    def exit_code(self) -> int | None:
        """Return its exit code once it has come."""
        if not self._channel.status_event.wait(0.2):
            return None
        return self._channel.exit_status if self._channel.exit_status >= 0 else None

    def close(self) -> None:
        """Close the channel; the payload's input ends with it."""
        with contextlib.suppress(OSError, EOFError):
            self._channel.close()


def _transport(*args: Any, **options: Any) -> paramiko.Transport:
    """Return a transport that prefers ciphers which check a packet's integrity themselves.

    For all others paramiko compares each packet's code byte by byte in Python: a tenth of what connecting costs it.
    """
    transport = paramiko.Transport(*args, **options)
    chosen = transport.get_security_options()
    chosen.ciphers = sorted(chosen.ciphers, key=lambda name: "gcm" not in name)
    return transport


def _dial(host: str, port: int, limit: Deadline) -> socket.socket:
    """Return a connected socket; the name look-up counts against the limit too."""
    problem: OSError | None = None
    for family, kind, protocol, _name, address in _resolve(host, port, limit):
        left = limit.left
        if not left:
            break
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(left)
            sock.connect(address)
        except OSError as error:
            sock.close()
            problem = error
            continue
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 5)):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_LINK_SECONDS * 1000)
        return sock
    raise problem or TimeoutError("timed out")


def _resolve(host: str, port: int, limit: Deadline) -> list[Any]:
    """Look a name up in a thread of its own, because nothing can stop a look-up that hangs."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=look_up, name=f"look up {host[:40]}", daemon=True).start()
    try:
        answer = answers.get(timeout=limit.left)
    except queue.Empty:
        raise UnreachableError(f"looking up {host} took too long; check the resolver") from None
    if isinstance(answer, Exception):
        raise UnreachableError(f"the name {host} cannot be looked up: {answer}") from answer
    return list(answer)


@dataclass(frozen=True, slots=True)
class _KnownHosts:
    """What a known_hosts file holds. revoked: the keys that lines mark @revoked, which no host may have."""

    keys: paramiko.HostKeys
    revoked: frozenset[str] = frozenset()


class _Unknown(paramiko.MissingHostKeyPolicy):
    """What becomes of a host whose key is not known: taken or refused, and refused always when it is revoked."""

    def __init__(self, revoked: frozenset[str], *, take: bool) -> None:
        self._revoked = revoked
        self._take = take

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        if key.get_base64() in self._revoked:
            raise UnreachableError(
                f"the host key of {hostname} is marked @revoked in known_hosts ({_fingerprint(key)}): whoever answers "
                "there may have stolen it. Find out who it is, and give the host a new key"
            )
        if not self._take:
            paramiko.RejectPolicy().missing_host_key(client, hostname, key)


def _read_known_hosts(path: str) -> _KnownHosts:
    keys = paramiko.HostKeys()
    try:
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return _KnownHosts(keys)
    revoked = {word for line in lines if line.startswith("@revoked") for word in line.split()[3:4]}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if len(words) < 3 or words[0].startswith(("#", "@")):
            continue
        try:
            entry = paramiko.hostkeys.HostKeyEntry.from_line(line, number)
        except (paramiko.SSHException, ValueError, IndexError):
            continue
        if entry is not None:
            keys._entries.append(entry)  # type: ignore[attr-defined] # noqa: SLF001 - `add` looks each name up anew
    return _KnownHosts(keys, frozenset(revoked))


def _explain(error: Exception, client: fabric.Connection, limit: Deadline) -> str:
    """Say at which stage a connection failed, and what to do."""
    where = f"{client.host}:{client.port}"
    if isinstance(error, UnreachableError):
        return str(error)
    if isinstance(error, paramiko.BadHostKeyException):
        return (
            f"the host key of {where} has CHANGED: got {_fingerprint(error.key)}, known_hosts has "
            f"{_fingerprint(error.expected_key)}. Find out why; if it is right, remove the old key with "
            f"`ssh-keygen -R {shlex.quote(client.host if client.port == 22 else f'[{client.host}]:{client.port}')}`"
        )
    if "not found in known_hosts" in str(error):
        return (
            f"the host key of {where} is not known; check it and add it to known_hosts "
            f"(`ssh-keyscan -p {client.port} {shlex.quote(client.host)}`), or say host key checking off by name"
        )
    if isinstance(error, paramiko.PasswordRequiredException):
        return f"the private key for {where} has a passphrase; load it into an ssh-agent"
    if isinstance(error, paramiko.AuthenticationException) and limit.left:
        return f"{client.user}@{where} refused the login: {error} (keys, agent and password that were given do not fit)"
    if isinstance(error, TimeoutError) or not limit.left:
        return f"{where} did not answer in time (connecting and logging in)"
    if isinstance(error, ConnectionRefusedError):
        return f"{where} refused the connection: nothing listens there"
    if isinstance(error, OSError) and error.strerror:
        return f"{where}: {error.strerror}"
    if isinstance(error, (paramiko.SSHException, EOFError)):
        return f"{where} does not speak SSH as expected: {error or 'it closed the connection'}"
    return f"{where}: {type(error).__name__}: {error}"


def _fingerprint(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.fingerprint}"
