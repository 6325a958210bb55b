"""Read the entries of a time window out of log files of any size.

An entry is a line that bears a time, with the lines without one that follow it. Where the window begins is found by
bisecting: of a file of gigabytes some blocks are read, then the window itself. Lines need be ordered only roughly: one
that is up to a minute older or newer than its neighbours is still found, and every entry is judged by its own time.
"""

from __future__ import annotations

import os
import re

from opslib.host.words import printable

from .packed import DamagedError, unpacked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterable, Iterator

    from .files import LogFile
    from .times import Clock

SLACK = 60
_PROBE, _NEAR, _FAR = 8 << 10, 64 << 10, 1 << 20
_BLOCK, _LONGEST = 256 << 10, 4 << 20
_BACK = 500
_ENTRY = 64 << 10
_EVERY = re.compile(rb"^[^\n]", re.MULTILINE)


class Window:
    """Hands every entry within a time window that holds one of some words to `take`.

    since, until: seconds since 1970; hints: bytes of which an entry must hold one, empty for every entry; take: called
    with an entry, its time and its file's path; limit: bytes to read at most, unpacked; slack: seconds of disorder.

    bytes_read: from the disk; lines_read; newest: the latest time seen; undated: hits that no line with a time stands
    above; dated: files with times; cut: files of which a part was left out for the limit; problems: in words.
    """

    def __init__(
        self,
        clock: Clock,
        since: float,
        until: float,
        hints: Iterable[bytes],
        take: Callable[[bytes, float, str], object],
        *,
        limit: int,
        slack: float = SLACK,
    ) -> None:
        self.clock = clock
        self.since = since
        self.until = until
        words = sorted(set(hints))
        least = [word for word in words if not any(word != other and word.startswith(other) for other in words)]
        self.hint = re.compile(b"|".join(map(re.escape, least))) if least else _EVERY
        self.take = take
        self.left = limit
        self.slack = slack
        self.bytes_read = self.lines_read = self.undated = 0
        self.newest: float | None = None
        self.dated: list[str] = []
        self.cut: list[str] = []
        self.problems: list[str] = []
        self._path = ""
        self._last: float | None = None

    def read(self, file: LogFile) -> None:
        """Read what a file holds of the window."""
        self._path, self._last = file.path, None
        try:
            if file.packing:
                self._scan(self._unpacked(file))
            else:
                start = self._bisect(file.fd, file.size)
                if self._last is None and file.size > _FAR and self._tail(file.fd, file.size) is None:
                    return
                if file.size - start > self.left:
                    start = max(file.size - self.left, 0)
                    self.cut.append(file.path)
                self._scan(self._blocks(file.fd, start, file.size))
                if self._last is None or self._last > self.until:  # of the newest line only the end of the file tells
                    self._see(self._tail(file.fd, file.size))
        except OSError as error:
            self.problems.append("%s: %s" % (printable(file.path), error.strerror or error))
        if self._last is not None:
            self.dated.append(file.path)

    def _see(self, when: float | None) -> None:
        if when is not None:
            self._last = when
            self.newest = when if self.newest is None else max(self.newest, when)

    # Finding the beginning

    def _bisect(self, fd: int, size: int) -> int:
        """Return where to begin to read: the beginning of a line before the window, not far from it."""
        low, high = 0, size
        while high - low > _NEAR:
            middle = (low + high) // 2
            at, when = self._first(fd, middle, high)
            if when is None or when >= self.since - self.slack:
                high = middle
            else:
                low = at
                self._see(when)
        return low

    def _first(self, fd: int, start: int, end: int) -> tuple[int, float | None]:
        """Return the first line with a time that begins within a part of a file, if it begins within a megabyte."""
        data = b""
        length = _PROBE
        while True:
            more = self._pread(fd, min(length, end - start - len(data)), start + len(data))
            if not data and more[:1] == b"\0":
                data_at = _data_after(fd, start, end)
                if data_at > start:
                    return self._first(fd, data_at, end)
            data += more
            at = data.find(b"\n") + 1
            while at and at < len(data):
                line_end = data.find(b"\n", at)
                if line_end < 0:
                    break
                when = self._time(data, at, line_end)
                if when is not None:
                    return start + at, when
                at = line_end + 1
            if not more or len(data) >= _FAR or start + len(data) >= end:
                return start, None
            length = len(data) * 3

    def _tail(self, fd: int, size: int) -> float | None:
        data = self._pread(fd, min(_NEAR, size), max(size - _NEAR, 0))
        return self._last_time(data)[1]

    def _pread(self, fd: int, length: int, at: int) -> bytes:
        data = os.pread(fd, max(length, 0), at)
        self.bytes_read += len(data)
        return data

    # Reading

    def _blocks(self, fd: int, start: int, end: int) -> Iterator[bytes]:
        at = start
        while at < end:
            data = self._pread(fd, min(_BLOCK, end - at), at)
            if not data:
                return
            if data[:1] == b"\0" and not data.strip(b"\0"):
                at = max(_data_after(fd, at, end), at + len(data))
                continue
            at += len(data)
            self.left -= len(data)
            yield data

    def _unpacked(self, file: LogFile) -> Iterator[bytes]:
        """Yield what a compressed file holds. It has no times to bisect on before it is unpacked."""
        try:
            for data in unpacked(file.fd, file.packing, _BLOCK):
                if self.left <= 0:
                    self.cut.append(file.path)
                    return
                self.left -= len(data)
                yield data
        except DamagedError as error:
            self.problems.append("%s is damaged: %s" % (printable(file.path), error))
        finally:
            self.bytes_read += os.lseek(file.fd, 0, os.SEEK_CUR)

    def _scan(self, pieces: Iterator[bytes]) -> None:
        carry = b""
        for piece in pieces:
            data = carry + piece
            cut, when = self._last_time(data)
            if when is None or not cut:
                cut = (data.rfind(b"\n") + 1 or len(data)) if len(data) > _LONGEST else 0
            carry = data[cut:]
            if cut:
                self._entries(data[:cut])
            self._see(when)
            if when is not None and when > self.until + self.slack:
                pieces.close()  # type: ignore[attr-defined]
                return
        if carry:
            self._see(self._last_time(carry)[1])
            self._entries(carry)

    def _last_time(self, data: bytes) -> tuple[int, float | None]:
        """Return where the last complete line with a time begins, and that time."""
        end = data.rfind(b"\n")
        for _line in range(_BACK):
            if end < 0:
                break
            at = data.rfind(b"\n", 0, end) + 1
            when = self._time(data, at, end)
            if when is not None:
                return at, when
            end = at - 1
        return 0, None

    def _time(self, data: bytes, at: int, end: int) -> float | None:
        if data[at : at + 1] == b"\0":
            while at < end and data[at] == 0:
                at += 1
        if data[at : at + 1] != b"{":
            end = min(end, at + 200)
        return self.clock.read(data[at:end])

    def _entries(self, data: bytes) -> None:
        """Judge the entries of some complete lines that hold a hint."""
        self.lines_read += data.count(b"\n") + (data[-1:] != b"\n")
        done = 0
        known: float | None = None  # the time of the line at `done`
        unfinished = False
        for found in self.hint.finditer(data):
            hit = found.start()
            if hit < done:
                continue
            at = data.rfind(b"\n", 0, hit) + 1
            start, when = at, None
            for _line in range(_BACK):
                when = known if start == done and known is not None else self._time(data, start, _line_end(data, start))
                if when is not None or start <= done:
                    break
                start = data.rfind(b"\n", 0, start - 1) + 1
            end, known, unfinished_now = self._end(data, _line_end(data, at) + 1)
            done = end
            if when is None:
                self.undated += not unfinished
            elif self.since <= when <= self.until:
                self.take(data[start : min(end, start + _ENTRY)], when, self._path)
            unfinished = unfinished_now

    def _end(self, data: bytes, at: int) -> tuple[int, float | None, bool]:
        """Return where the next entry begins, its time, and whether it was too far to find."""
        for _line in range(_BACK):
            if at >= len(data):
                return len(data), None, False
            end = _line_end(data, at)
            when = self._time(data, at, end)
            if when is not None:
                return at, when, False
            at = end + 1
        return at, None, True


def _line_end(data: bytes, at: int) -> int:
    end = data.find(b"\n", at)
    return len(data) if end < 0 else end


def _data_after(fd: int, at: int, end: int) -> int:
    """Return where a file goes on behind a hole."""
    try:
        return min(os.lseek(fd, at, os.SEEK_DATA), end)
    except OSError:
        return end
