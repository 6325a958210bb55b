"""What our tasks say before their end under ansible-playbook: heard on a socket, and told as events, or kept hidden."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from opslib.carriers.told import SOCKET
from opslib.engines.hidden import Hidden
from opslib.engines.private_socket import served
from opslib.events import StepTold
from opslib.host import wire

__all__ = ["heard"]

_LONGEST = 16 << 20


@contextlib.contextmanager
def heard(folder: Path, emit: Callable[[StepTold], object], hidden: Hidden) -> Iterator[None]:
    """Pass on what is said on the socket in a run's private folder; emit: from any thread; hidden: what to mask.

    Secrets that a task has are among what is said: they are masked from then on, and the task is told so. What makes no
    sense is dropped: it is for people who follow the run, and no report keeps it.
    """

    def hear(line: socket.socket) -> None:
        with line.makefile("rb") as lines:
            while text := lines.readline(_LONGEST):
                said = _mapping(text)
                secrets, event = said.get("secrets"), _event(said, hidden)
                if isinstance(secrets, list):
                    hidden.add(secret for secret in secrets if isinstance(secret, str))
                    line.sendall(b"\n")
                elif event is not None:
                    emit(event)

    with served(folder / SOCKET, hear):
        yield


def _mapping(text: bytes) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _event(said: Mapping[str, Any], hidden: Hidden) -> StepTold | None:
    words = [said.get(name) for name in ("host", "step", "task")]
    message = said.get("message")
    if not all(isinstance(word, str) for word in words) or not isinstance(message, dict):
        return None
    host, step, task = map(str, words)
    return StepTold(host=host, step=wire.mask(step, hidden), task=task, message=wire.mask(message, hidden))
