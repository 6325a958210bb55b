"""Watches the argument vectors of all processes, those of lab hosts too, for words that must not be there.

The kernel tells of every program that is started (its process connector; see the kernel's connector.rst), so one that
lives for a millisecond is seen too. Where it does not, /proc is read again and again.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from pathlib import Path
from typing import Self

__all__ = ["Watched"]

_CONNECTOR, _PROCESSES = 11, 1
_LISTEN, _IGNORE, _EXEC = 1, 2, 2
_HEADS = struct.Struct("=IHHII IIIIHH")  # of netlink and of the connector
_EVENT = struct.Struct("=IIQII")


class Watched:
    """Collects argument vectors until it is left; `found` has those that held one of the words.

    looks: how many vectors were read. ended: programs that had ended before theirs could be read.
    """

    def __init__(self, *words: str) -> None:
        self.words = words
        self.seen: set[str] = set()
        self.looks = self.ended = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._events = _events()
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()
        if self._events is not None:
            _tell(self._events, _IGNORE)
            self._events.close()

    @property
    def found(self) -> set[str]:
        """The vectors that held a word."""
        return self.holding(*self.words)

    def holding(self, *words: str) -> set[str]:
        """Return the vectors that held one of these words, which may have become known only now."""
        return {line for line in self.seen if any(word in line for word in words)}

    def _look(self) -> None:
        with contextlib.suppress(OSError):  # before the program that was started has ended
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        self._all()
        while not self._over.is_set():
            if self._events is None:
                self._over.wait(0.005)
                self._all()
                continue
            try:
                what, _processor, _time, pid, _thread = _EVENT.unpack_from(self._events.recv(4096), _HEADS.size)
            except TimeoutError:
                continue
            except OSError:  # more was told than there was room for
                self._all()
                continue
            if what == _EXEC and not self._read(pid):
                self.ended += 1
        self._all()

    def _all(self) -> None:
        for entry in filter(str.isdigit, os.listdir("/proc")):
            self._read(int(entry))

    def _read(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            line = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
            self.looks += 1
            self.seen.add(line)
            return bool(line)
        return False


def _events() -> socket.socket | None:
    """Return where the kernel tells of programs that are started; None where it does not."""
    try:
        found = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _CONNECTOR)
    except OSError:
        return None
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        found.bind((0, _PROCESSES))
        _tell(found, _LISTEN)
    except OSError:
        found.close()
        return None
    found.settimeout(0.1)
    return found


def _tell(events: socket.socket, word: int) -> None:
    body = struct.pack("=I", word)
    heads = _HEADS.pack(_HEADS.size + len(body), 3, 0, 0, os.getpid(), _PROCESSES, 1, 0, 0, len(body), 0)
    events.send(heads + body)
