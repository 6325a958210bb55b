"""Follow log files as they grow, through every kind of rotation.

A file is known by its inode, its name is only where it is now: a file that was renamed is read on for a while, since
whoever writes to it may not have noticed, and the one that took its name is read from its beginning. A file that is
shorter than what was read, or whose last bytes are others than those that were read, was truncated (logrotate's
copytruncate): the rest of it is read from the copy beside it, compressed or not, if there is one, and then the file
from its beginning.
"""

from __future__ import annotations

import os
import stat
import time

from opslib.host.files import tree
from opslib.host.words import printable

from .entries import grouped, head
from .files import is_rotated
from .packed import DamagedError, following, packing, unpacked
from .tail import is_dated, last_line_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Sequence

    from .files import LogFiles
    from .times import Clock

    # Takes an entry, its time and its source; returns whether it was wanted.
    Take = Callable[[bytes, float | None, str], bool]
    Note = Callable[[str], object]

MOST_FILES = 200
_PIECE, _PIECES = 1 << 20, 64
_LONGEST = 64 << 10
_MARK = 64
_GRACE = 30.0
_RECENT, _MOST_UNPACKED = 60.0, 256 << 20
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class Followed:
    """One file that is followed from a place on. The last entry is held back until it is surely whole."""

    def __init__(self, path: str, fd: int, at: int, clock: Clock, take: Take) -> None:
        self.path = path
        self.fd = fd
        self.at = at
        self.clock = clock
        self.take = take
        self.leaves: float | None = None
        self.dated = is_dated(fd, at, clock)
        self._mark = os.pread(fd, min(at, _MARK), max(at - _MARK, 0))
        self._rest = b""
        self._skipping = False
        self._held: list[bytes] = []
        self._before: tuple[float | None, bool] | None = None  # the time of the entry before, and whether it was wanted

    def read(self, note: Note) -> bool:
        """Hand on what has come; return whether anything did."""
        size = os.fstat(self.fd).st_size
        if size < self.at or (size > self.at and self._changed()):
            note("%s was truncated" % printable(self.path))
            self._from_copy()
            self.flush()
            self.at, self._mark, self._rest, self._skipping = 0, b"", b"", False
        return self._take(os.pread(self.fd, _PIECE, self.at))

    def _take(self, data: bytes) -> bool:
        """Hand on entries of what stands next in the file; return whether there was anything."""
        if not data:
            self.flush()
            return False
        self.at += len(data)
        self._mark = (self._mark + data)[-_MARK:]
        *lines, self._rest = (self._rest + data).split(b"\n")
        if self._skipping and lines:
            lines[0], self._skipping = b"", False
        if len(self._rest) > _LONGEST:
            if not self._skipping:
                lines.append(self._rest[:_LONGEST])
            self._rest, self._skipping = b"", True
        self._lines(lines)
        return True

    def flush(self) -> None:
        """Hand on the entry that is held back."""
        for raw, when in grouped(self._held, self.clock, self.dated):
            self._before = when, self.take(raw, when, self.path)
        self._held = []

    def close(self) -> None:
        """Hand on what is left, a line without an end too, and close the file."""
        if self._rest and not self._skipping:
            self._lines([self._rest])
        self.flush()
        os.close(self.fd)

    def _from_copy(self) -> None:
        """Read what was written before the file was truncated and not read yet, from a copy that goes on from there."""
        folder, name = os.path.split(self.path)
        try:
            root = tree.open_folder(folder)
        except OSError:
            return
        try:
            for other in sorted(os.listdir(root)):
                if is_rotated(other, name) and self._goes_on(root, other):
                    return
        finally:
            os.close(root)

    def _goes_on(self, folder: int, name: str) -> bool:
        """Read on in a copy; return whether it was one: it has the same bytes before our place."""
        try:
            fd = os.open(name, _OPEN | os.O_NOFOLLOW, dir_fd=folder)
        except OSError:
            return False
        try:
            status, how = os.fstat(fd), packing(name)
            if not stat.S_ISREG(status.st_mode) or not self._mark:
                return False
            if how:
                return time.time() - status.st_mtime < _RECENT and self._goes_on_packed(fd, how)
            if os.pread(fd, len(self._mark), self.at - len(self._mark)) != self._mark:
                return False
            for _piece in range(_PIECES):
                if not self._take(os.pread(fd, _PIECE, self.at)):
                    break
            return True
        finally:
            os.close(fd)

    def _goes_on_packed(self, fd: int, how: str) -> bool:
        """Read on in a compressed copy; return whether it was one."""
        mark = self._mark
        if self.at > _MOST_UNPACKED:
            return False
        pieces = following(unpacked(fd, how, _PIECE), self.at - len(mark))
        try:
            data = next(pieces, b"")
            while len(data) < len(mark):
                more = next(pieces, b"")
                if not more:
                    return False
                data += more
            if not data.startswith(mark):
                return False
            data = data[len(mark) :] or next(pieces, b"")
            for _piece in range(_PIECES):
                if not self._take(data):
                    break
                data = next(pieces, b"")
        except (DamagedError, OSError):
            return False
        return True

    def _changed(self) -> bool:
        """Whether the bytes before our place are others than those that were read."""
        return os.pread(self.fd, len(self._mark), self.at - len(self._mark)) != self._mark

    def _lines(self, lines: list[bytes]) -> None:
        for line in lines:
            begins, when = head(line, self.clock, self.dated)
            self.dated = self.dated or when is not None
            if begins:
                self.flush()
            elif not self._held and self._before is not None:
                time_before, wanted = self._before
                if wanted and line.strip():
                    self.take(line, time_before, self.path)
                continue
            self._held.append(line)


class Follower:
    """Follows the files that paths mean, those that come later too.

    take: gets each entry; note: told in words of rotation and of what cannot be followed.
    """

    def __init__(self, files: LogFiles, paths: Sequence[str], clock: Clock, take: Take, note: Note) -> None:
        self.files = files
        self.paths = paths
        self.clock = clock
        self.take = take
        self.note = note
        self.followed: dict[tuple[int, int], Followed] = {}
        self._said: set[str] = set()
        self._look(first=True)

    def read(self) -> bool:
        """Hand on what all files have got; return whether there may be more at once."""
        busy = [one.read(self.note) for one in list(self.followed.values())]
        return any(busy)

    def look(self) -> None:
        """See which files there are now: after a rotation, or new ones."""
        self._look(first=False)
        now = time.monotonic()
        for key, one in list(self.followed.items()):
            if one.leaves is not None and now > one.leaves:
                one.read(self.note)
                one.close()
                del self.followed[key]

    def close(self) -> None:
        """Hand on what is left, and close all files."""
        for one in self.followed.values():
            one.close()
        self.followed = {}

    def _look(self, first: bool) -> None:
        self.files.missing, self.files.problems = [], []
        here = set()
        for path in self.files.named(self.paths):
            if packing(path):
                continue
            key = self._found(path, first)
            if key is not None:
                here.add(key)
        for words in self.files.missing + self.files.problems:
            self._say(words)
        for key, one in self.followed.items():
            if key in here:
                one.leaves = None
            elif one.leaves is None:
                one.leaves = time.monotonic() + _GRACE
                self.note("%s was moved or removed" % printable(one.path))

    def _found(self, path: str, first: bool) -> tuple[int, int] | None:
        """Follow a file unless it is followed already; return how it is known, None when it cannot be followed."""
        try:
            look = tree.open_file(path)
            try:
                status = os.fstat(look)
                key = status.st_dev, status.st_ino
                if key in self.followed:
                    self.followed[key].path = path
                    return key
                if not stat.S_ISREG(status.st_mode):
                    return None
                if len(self.followed) >= MOST_FILES:
                    self._say("more than %d files: the others are not followed" % MOST_FILES)
                    return None
                fd = os.open("/proc/self/fd/%d" % look, _OPEN)
            finally:
                os.close(look)
        except OSError as error:
            if error.errno not in (2, 20):
                self._say("%s: %s" % (printable(path), error.strerror))
            return None
        copy = not first and self._is_copy(path)
        at = last_line_end(fd, status.st_size) if first or copy else 0
        self.followed[key] = Followed(path, fd, at, self.clock, self.take)
        if not first and not copy:
            self.note("%s is new" % printable(path))
        return key

    def _is_copy(self, path: str) -> bool:
        """Whether a file is the older part of one that is followed, so that what it holds was told already."""
        folder, name = os.path.split(path)
        names = [os.path.split(one.path) for one in self.followed.values()]
        return any(folder == place and is_rotated(name, of) for place, of in names)

    def _say(self, words: str) -> None:
        if words not in self._said and len(self._said) < MOST_FILES:
            self._said.add(words)
            self.note(words)
