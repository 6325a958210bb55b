"""What tasks that run here say before their end under ansible-playbook: heard on a socket, and told as events."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from opslib.carriers.told import SOCKET
from opslib.engines.private_socket import served
from opslib.events import StepTold
from opslib.host import wire

__all__ = ["heard"]

_LONGEST = 16 << 20


@contextlib.contextmanager
def heard(folder: Path, emit: Callable[[StepTold], object], secrets: Iterable[str]) -> Iterator[None]:
    """Pass on what is said on the socket in a run's private folder; emit: from any thread; secrets: texts to mask.

    What makes no sense is dropped: it is for people who follow the run, and no report keeps it.
    """
    hidden = frozenset(secrets)

    def hear(line: socket.socket) -> None:
        with line.makefile("rb") as lines:
            while text := lines.readline(_LONGEST):
                event = _event(text, hidden)
                if event is not None:
                    emit(event)

    with served(folder / SOCKET, hear):
        yield


def _event(text: bytes, secrets: frozenset[str]) -> StepTold | None:
    try:
        said = wire.mask(json.loads(text), secrets)
        words = [said[name] for name in ("host", "step", "task")]
        message = said["message"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not all(isinstance(word, str) for word in words) or not isinstance(message, dict):
        return None
    return StepTold(host=words[0], step=words[1], task=words[2], message=message)
