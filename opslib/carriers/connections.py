"""Open connections, kept for as long as their owner wants."""

from __future__ import annotations

import contextlib
import threading

from opslib.carriers.base import Connection, Deadline
from opslib.target import Target

__all__ = ["Connections"]


class Connections:
    """One connection per target, opened when first needed; safe to use from many threads.

    A target is asked for by one thread at a time. Raises UnreachableError when a connection cannot be opened.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Target, Connection]] = {}
        self._connector: object | None = None

    def get(self, target: Target, deadline: Deadline) -> tuple[Connection, bool]:
        """Return a connection and whether it was open already (and may turn out to be stale)."""
        with self._lock:
            held = self._open.get(target.name)
        if held is not None and held[0] == target and held[1].alive:
            return held[1], True
        self.drop(target)
        connection = self._connect(target, deadline)
        with self._lock:
            self._open[target.name] = (target, connection)
        return connection, False

    def drop(self, target: Target) -> None:
        """Close a target's connection, if there is one."""
        with self._lock:
            held = self._open.pop(target.name, None)
        if held is not None:
            _close(held[1])

    def close(self) -> None:
        """Close them all."""
        with self._lock:
            held, self._open = list(self._open.values()), {}
            connector, self._connector = self._connector, None
        for _target, connection in held:
            _close(connection)
        if connector is not None:
            connector.close()  # type: ignore[attr-defined]

    def _connect(self, target: Target, deadline: Deadline) -> Connection:
        if target.carrier == "local":
            from opslib.carriers.local import LocalConnection

            return LocalConnection()
        from opslib.carriers.ssh import SshConnector

        with self._lock:
            if self._connector is None:
                self._connector = SshConnector()
            connector = self._connector
        assert isinstance(connector, SshConnector)
        return connector.connect(target, deadline)


def _close(connection: Connection) -> None:
    """Close a connection that may be broken already, in whatever way."""
    with contextlib.suppress(Exception):
        connection.close()
