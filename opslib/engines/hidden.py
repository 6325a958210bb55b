"""What must not be shown of a run under ansible-playbook, of which more may be learnt while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

__all__ = ["Hidden"]


def _nothing(_path: Path) -> Iterable[str]:
    return ()


class Hidden:
    """Texts to mask; `add` is for any thread.

    texts: what is known of them beforehand; places: of those tasks with `include_vars` (`FILE:LINE`) whose files are
    known, so that what is encrypted in them is among the texts; read: returns what is encrypted in a file, or in the
    files of a folder.
    """

    def __init__(
        self,
        texts: Iterable[str] = (),
        *,
        places: Iterable[str] = (),
        read: Callable[[Path], Iterable[str]] = _nothing,
    ) -> None:
        self.places = frozenset(places)
        self._texts = frozenset(texts)
        self._read = read
        self._asked: set[Path] = set()
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def add(self, texts: Iterable[str]) -> None:
        """Mask these texts too, from now on."""
        with self._lock:
            self._texts = self._texts.union(texts)

    def moved(self, original: Path, copy: Path) -> None:
        """Know the places in a file by the name of its copy, too."""
        head = f"{original}:"
        self.places |= {f"{copy}:{place.removeprefix(head)}" for place in self.places if place.startswith(head)}

    def learn(self, path: Path) -> None:
        """Mask what is encrypted in a file or folder, if there is such."""
        if path not in self._asked:
            self._asked.add(path)
            self.add(self._read(path))
