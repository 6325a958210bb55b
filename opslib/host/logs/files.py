"""The log files that paths and patterns mean, with those that rotation has set aside."""

from __future__ import annotations

import os
import re
import stat

from opslib.host.files import tree
from opslib.host.files.sizes import is_pattern, matches
from opslib.host.record import Record
from opslib.host.words import printable

from .packed import packing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator, Sequence

MOST_FILES = 1000
_TURN = re.compile(r"[.-]\d[\d_T.-]*$")
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LogFile(Record):
    """A log file that is open. live: it is the one that is written to now; modified: seconds since 1970."""

    path: str
    fd: int
    size: int
    modified: float
    live: bool = True

    @property
    def packing(self) -> str:
        """How it is compressed: ".gz", ".bz2", ".xz" or nothing."""
        return packing(self.path)


class LogFiles:
    """Opens files one after the other, each once, however it is reached.

    missing: paths that are not there or match nothing, in words; problems: what could not be opened.
    """

    def __init__(self, since: float) -> None:
        self.since = since
        self.missing: list[str] = []
        self.problems: list[str] = []
        self.left_out = 0
        self._seen: set[tuple[int, int]] = set()
        self._count = 0

    def find(self, paths: Sequence[str]) -> Iterator[LogFile]:
        """Yield the files that paths mean: first those named, then the rotated ones written to since then."""
        named = self.named(paths)
        for path in named:
            yield from self._opened(path, not _turned(os.path.basename(path)))
        for folder in sorted({os.path.dirname(path) for path in named}):
            names = [os.path.basename(path) for path in named if os.path.dirname(path) == folder]
            for name in self._names(folder):
                if any(is_rotated(name, of) for of in names):
                    yield from self._opened(folder.rstrip("/") + "/" + name, False)

    def named(self, paths: Sequence[str]) -> list[str]:
        """Return the paths of the files that paths mean, rotated ones only where a pattern or path says so."""
        named = []
        for path in paths:
            found = list(self._expand(path))
            if not found:
                words = "matches nothing" if is_pattern(path) else "does not exist"
                words = "is a folder without any *.log" if os.path.isdir(path) else words
                self.missing.append("%s %s" % (printable(path), words))
            named += found
        return named

    def _expand(self, path: str) -> Iterator[str]:
        parts = path.split("/")[1:]
        bases = [""]
        literal = self._exists(path)
        for part in () if literal else parts[:-1]:
            if is_pattern(part):
                pairs = [(base, name) for base in bases for name in self._names(base or "/")]
                bases = [base + "/" + name for base, name in pairs if matches(name, part)]
            else:
                bases = [base + "/" + part for base in bases]
            bases = bases[:MOST_FILES]
        if literal:
            yield from self._inside(path)
        elif is_pattern(parts[-1]):
            for base in bases:
                yield from (base + "/" + name for name in self._names(base or "/") if matches(name, parts[-1]))
        else:
            yield from (base + "/" + parts[-1] for base in bases if base and self._exists(base + "/" + parts[-1]))

    def _inside(self, path: str) -> Iterator[str]:
        """Yield a path; of a folder the *.log files in it."""
        if not os.path.isdir(path):
            yield path
            return
        yield from (path.rstrip("/") + "/" + name for name in self._names(path) if matches(name, "*.log"))

    def _exists(self, path: str) -> bool:
        try:
            os.close(tree.open_file(path))
        except OSError as error:
            if error.errno not in (2, 20, 36):
                self.problems.append("%s: %s" % (printable(path), error.strerror))
                return True
            return False
        return True

    def _names(self, folder: str) -> list[str]:
        try:
            root = tree.open_folder(folder or "/")
        except OSError as error:
            if error.errno not in (2, 20):
                self.problems.append("%s: %s" % (printable(folder), error.strerror))
            return []
        try:
            return sorted(os.listdir(root))
        finally:
            os.close(root)

    def _opened(self, path: str, live: bool) -> Iterator[LogFile]:
        """Yield the file, open for reading, and close it afterwards. Pipes and devices are never opened."""
        fd = -1
        try:
            look = tree.open_file(path) if live else _beside(path)
            try:
                status = os.fstat(look)
                key = status.st_dev, status.st_ino
                if not stat.S_ISREG(status.st_mode) or key in self._seen:
                    return
                self._seen.add(key)
                if status.st_mtime < self.since and not live:
                    return
                if self._count >= MOST_FILES:
                    self.left_out += 1
                    return
                self._count += 1
                fd = os.open("/proc/self/fd/%d" % look, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            finally:
                os.close(look)
        except OSError as error:
            if error.errno not in (2, 20) or live:
                self.problems.append("%s: %s" % (printable(path), error.strerror))
            return
        try:
            yield LogFile(path=path, fd=fd, size=status.st_size, modified=status.st_mtime, live=live)
        finally:
            os.close(fd)


def is_rotated(name: str, of: str) -> bool:
    """Whether a file is another's older part: app.log.1, app.log.2.gz, app.log-20260101.xz, app-20260101.log."""
    if name == of:
        return False
    plain = name[: len(name) - len(packing(name))]
    if plain.startswith(of):
        return _TURN.fullmatch(plain[len(of) :]) is not None
    stem, ending = os.path.splitext(of)
    if not ending or not plain.startswith(stem) or not plain.endswith(ending):
        return False
    return _TURN.fullmatch(plain[len(stem) : len(plain) - len(ending)]) is not None


def _turned(name: str) -> bool:
    """Whether a name looks like that of a rotated file."""
    return bool(packing(name)) or re.search(r"\.\d{1,4}$|[.-]\d{8}$", name) is not None


def _beside(path: str) -> int:
    """Open a file for looking at it; a link is not followed."""
    folder, name = os.path.split(path)
    root = tree.open_folder(folder)
    try:
        return os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)
    finally:
        os.close(root)
