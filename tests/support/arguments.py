"""Watches the argument vectors of all processes for words that must not be there."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Self

__all__ = ["Watched"]


class Watched:
    """Looks for words until it is left; `found` has the argument vectors that held one. Hosts of a lab count too."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.found: set[str] = set()
        self.looks = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.01):
            self.looks += 1
            for entry in filter(str.isdigit, os.listdir("/proc")):
                with contextlib.suppress(OSError):
                    line = Path(f"/proc/{entry}/cmdline").read_bytes().decode("utf-8", "replace")
                    self.found.update(line for word in self.words if word in line)
