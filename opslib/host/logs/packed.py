"""Read compressed log files."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

PACKED = (".gz", ".bz2", ".xz")


class DamagedError(ValueError):
    """What is no compressed file, or not the whole of one."""


def packing(path: str) -> str:
    """Return how a file is compressed, by its name: one of PACKED, or nothing."""
    return next((end for end in PACKED if path.endswith(end)), "")


def unpacked(fd: int, how: str, block: int) -> Iterator[bytes]:
    """Yield what a compressed file holds, in pieces of at most `block` bytes. Raises DamagedError."""
    reader: Any
    errors: tuple[type[Exception], ...] = (EOFError, ValueError)
    with open(os.dup(fd), "rb") as raw:
        if how == ".gz":
            import gzip
            import zlib

            reader = gzip.GzipFile(fileobj=raw)
            errors += (zlib.error, gzip.BadGzipFile)
        elif how == ".xz":
            import lzma

            reader = lzma.LZMAFile(raw)  # noqa: SIM115 - what it reads from is closed
            errors += (lzma.LZMAError,)
        else:
            import bz2

            reader = bz2.BZ2File(raw)
        while True:
            try:
                data = reader.read(block)
            except errors as error:
                raise DamagedError(str(error)) from None
            if not data:
                return
            yield data


def following(pieces: Iterator[bytes], place: int) -> Iterator[bytes]:
    """Yield of pieces what follows a place, counted in bytes from their beginning."""
    for data in pieces:
        if place < len(data):
            yield data[place:]
        place = max(place - len(data), 0)
