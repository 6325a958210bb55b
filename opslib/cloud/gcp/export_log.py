"""The files of a Firestore export, read without unpacking what they hold.

The completion marker and the outputs are logs in LevelDB's format: blocks of 32 KiB with records that carry a checksum,
one record for each document. The metadata in between are protocol buffers; of them only the names of files are wanted.
Sources: https://cloud.google.com/firestore/docs/manage-data/export-import#export_format_and_metadata_files,
https://github.com/google/leveldb/blob/main/doc/log_format.md; fields of the metadata: as Google's emulator writes them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["DamagedError", "LogReader", "Part", "names_in", "parts_in", "records"]

_BLOCK = 32768
_HEADER = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_LONGEST_NAME = 1024
_OUTPUT = re.compile(r"output-[0-9]+")


class DamagedError(Exception):
    """A file is not what an export writes; the message says from which byte on."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an export as its marker names it. documents, bytes: None where the marker does not tell."""

    name: str
    documents: int | None = None
    bytes: int | None = None


class LogReader:
    """Checks a log that comes in pieces, and counts its records.

    crc32c: the checksum of bytes as a number. keep: also collect the records, for logs that are known to be small.
    """

    def __init__(self, crc32c: Any, *, keep: bool = False) -> None:
        self._crc32c = crc32c
        self._keep = keep
        self._left = bytearray()
        self._at = 0
        self._open: bytearray | None = None
        self.count = 0
        self.records: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Take the next piece. Raises DamagedError."""
        self._left += data
        begin = 0
        while len(self._left) - begin >= _BLOCK:
            self._block(memoryview(bytes(self._left[begin : begin + _BLOCK])))
            begin += _BLOCK
        del self._left[:begin]

    def close(self) -> None:
        """Take the end. Raises DamagedError when it comes in the middle of a record."""
        self._block(memoryview(bytes(self._left)))
        self._left.clear()
        if self._open is not None:
            raise DamagedError(f"it ends at byte {self._at} in the middle of a record")

    def _block(self, block: memoryview) -> None:
        at = 0
        while len(block) - at >= _HEADER.size:
            checksum, length, kind = _HEADER.unpack_from(block, at)
            if not kind and not length and not checksum:
                break  # a block that was reserved and never written
            end = at + _HEADER.size + length
            if end > len(block):
                raise DamagedError(f"it is cut or damaged at byte {self._at + at}")
            if _masked(self._crc32c(bytes(block[at + 6 : end]))) != checksum:
                raise DamagedError(f"a checksum is wrong at byte {self._at + at}")
            self._fragment(kind, block[at + _HEADER.size : end], self._at + at)
            at = end
        if any(block[at:]):
            raise DamagedError(f"it is cut or damaged at byte {self._at + at}")
        self._at += len(block)

    def _fragment(self, kind: int, data: memoryview, at: int) -> None:
        if kind not in (_FULL, _FIRST, _MIDDLE, _LAST) or (kind in (_FULL, _FIRST)) != (self._open is None):
            raise DamagedError(f"a record is out of place at byte {at}")
        if self._open is None:
            self._open = bytearray()
        if self._keep:
            self._open += data
        if kind in (_FULL, _LAST):
            self.count += 1
            if self._keep:
                self.records.append(bytes(self._open))
            self._open = None


def records(data: bytes, crc32c: Any) -> list[bytes]:
    """Return the records of a small log. Raises DamagedError."""
    reader = LogReader(crc32c, keep=True)
    reader.write(data)
    reader.close()
    return reader.records


def parts_in(marker: list[bytes]) -> list[Part]:
    """Return the parts that the records of a completion marker name: each the metadata of some collections."""
    found = []
    for record in marker:
        for name, end in _texts(record):
            if name.endswith(".export_metadata"):
                documents, after = _number(record, end, 3)
                found.append(Part(name, documents, _number(record, after, 4)[0]))
    return found


def names_in(metadata: bytes) -> list[str]:
    """Return the outputs that the metadata of a part name, such as `output-0`."""
    return [name for name, _end in _texts(metadata) if _OUTPUT.fullmatch(name)]


def _masked(checksum: int) -> int:
    """Return a checksum as LevelDB stores it."""
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _texts(data: bytes) -> Iterator[tuple[str, int]]:
    """Yield whatever looks like a text under the tag of field 2, and where it ends."""
    at = data.find(b"\x12")
    while at >= 0:
        length, begin = _varint(data, at + 1)
        if length is not None and 0 < length <= _LONGEST_NAME and begin + length <= len(data):
            yield data[begin : begin + length].decode("utf-8", "replace"), begin + length
        at = data.find(b"\x12", at + 1)


def _number(data: bytes, at: int, field: int) -> tuple[int | None, int]:
    """Return the number that stands there under a field's tag, and where it ends; None when there is something else."""
    if data[at : at + 1] != bytes((field << 3,)):
        return None, at
    number, end = _varint(data, at + 1)
    return (None, at) if number is None else (number, end)


def _varint(data: bytes, at: int) -> tuple[int | None, int]:
    number = 0
    for place, byte in enumerate(data[at : at + 10]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, at + place + 1
    return None, at
