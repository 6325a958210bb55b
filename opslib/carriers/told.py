"""What a task says before its end under ansible-playbook: sent over a socket to the run that started that.

So are its secrets, which are masked in what other tasks come upon, too.

ansible-playbook itself passes nothing on before a task has ended. Under one that no run of ours has started nobody
listens, and nothing is sent.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from opslib.carriers import controller
from opslib.host.wire import dumps

__all__ = ["FOLDER", "SOCKET", "Teller"]

FOLDER = "OPSLIB_RUN"  # names the private folder of the run
SOCKET = "told"
_PATIENCE = 1.0
_LONG_PATIENCE = 10.0


class Teller:
    """Passes on what a task says in a step on a host. Close it; it never raises."""

    def __init__(self, host: str, step: str) -> None:
        self._where = {"host": host, "step": step}
        self._line: socket.socket | None = None
        self._given_up = FOLDER not in os.environ

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._line is not None:
            self._line.close()

    def confide(self, secrets: Iterable[str]) -> None:
        """Have texts masked in all that the run says; comes back when they are."""
        if self._given_up:
            return
        try:
            self._line = self._line or _connected()
            self._line.sendall(dumps({"secrets": list(secrets)}).encode() + b"\n")
            self._line.settimeout(_LONG_PATIENCE)
            self._line.recv(1)
            self._line.settimeout(_PATIENCE)
        except OSError:
            self._given_up = True

    def tell(self, task: str, message: Mapping[str, Any]) -> None:
        """Pass something on; who does not listen at once hears no more."""
        if self._given_up:
            return
        try:
            self._line = self._line or _connected()
            self._line.sendall(dumps({**self._where, "task": task, "message": dict(message)}).encode() + b"\n")
        except OSError:
            self._given_up = True


def _connected() -> socket.socket:
    line = socket.socket(socket.AF_UNIX)
    with contextlib.ExitStack() as failed:
        failed.callback(line.close)
        line.settimeout(_PATIENCE)
        with controller.short_path(str(Path(os.environ[FOLDER], SOCKET))) as short:
            line.connect(short)
        failed.pop_all()
    return line
