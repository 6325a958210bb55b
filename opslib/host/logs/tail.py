"""Read a log file from its end."""

from __future__ import annotations

import os

from .entries import grouped, head

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

    from .entries import Piece
    from .times import Clock

_FIRST, _BLOCK, _LONGEST = 64 << 10, 512 << 10, 4 << 20


def last_line_end(fd: int, size: int) -> int:
    """Return where the last complete line of a file ends; 0 when there is none within the last 4 MiB."""
    end = size
    while end > max(size - _LONGEST, 0):
        start = max(end - _FIRST, 0)
        found = os.pread(fd, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def is_dated(fd: int, size: int, clock: Clock) -> bool:
    """Whether the lines at the end of a file bear times."""
    data = os.pread(fd, min(size, _FIRST), max(size - _FIRST, 0))
    return any(head(line, clock, True)[1] is not None for line in data.split(b"\n")[-200:])


def backwards(fd: int, size: int, clock: Clock, dated: bool, limit: int) -> Iterator[list[Piece]]:
    """Yield the entries of a file in batches, the last batch first, each batch in order; at most so many bytes."""
    end, carry = size, b""
    block = _FIRST
    while end > 0 and size - end < limit:
        start = max(end - block, size - limit, 0)
        data = os.pread(fd, end - start, start) + carry
        cut = _begin(data, clock, dated) if start else 0
        if cut < 0 and len(data) > _LONGEST:
            cut = data.find(b"\n") + 1
        if cut < 0:
            carry = data
        else:
            carry = data[:cut]
            lines = data[cut:].split(b"\n")
            if lines[-1:] == [b""]:
                lines.pop()
            yield list(grouped(lines, clock, dated))
        end, block = start, _BLOCK


def _begin(data: bytes, clock: Clock, dated: bool) -> int:
    """Return where the first whole entry begins; -1 when none does."""
    at = data.find(b"\n") + 1
    while at:
        line_end = data.find(b"\n", at)
        if at < len(data) and head(data[at : len(data) if line_end < 0 else line_end], clock, dated)[0]:
            return at
        at = line_end + 1
    return -1
