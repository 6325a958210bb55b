"""Which documents a Firestore export holds: their paths, read from its outputs.

Each record of an output is an entity of Datastore as a protocol buffer (EntityProto): in field 13 its key, and in field
14 of that the path: a group for each pair of collection (field 2) and document (field 4, or a number in field 3).
"""

from __future__ import annotations

from collections.abc import Iterator

from opslib.cloud.gcp.arrival import fetch
from opslib.cloud.gcp.backups import Proof
from opslib.cloud.gcp.export_log import DamagedError, LogReader
from opslib.cloud.gcp.storage import Storage
from opslib.cloud.libraries import load

__all__ = ["path_of", "paths_in"]

_KEY, _PATH = 13, 14
_COLLECTION, _NUMBER, _NAME = 2, 3, 4


def paths_in(storage: Storage, proof: Proof) -> frozenset[str]:
    """Return the paths of all documents of an export. Raises DamagedError, and what reading raises."""
    found: set[str] = set()
    for item in proof.items:
        if not item.name.rpartition("/")[2].startswith("output-"):
            continue
        log = LogReader(load("google_crc32c", "gcp").value, keep=True)

        def take(data: bytes, log: LogReader = log) -> None:
            log.write(data)
            found.update(map(path_of, log.records))
            log.records.clear()

        fetch(storage, item, take)
        log.close()
        found.update(map(path_of, log.records))
    return frozenset(found)


def path_of(record: bytes) -> str:
    """Return the path of the document that a record holds. Raises DamagedError."""
    key = _field(record, _KEY)
    path = _field(key, _PATH)
    parts: list[str] = []
    for number, value in _fields(path):
        if number == _NUMBER and isinstance(value, int):
            parts.append(f"__id{value}__")
        elif number in (_COLLECTION, _NAME) and isinstance(value, bytes):
            parts.append(value.decode("utf-8", "replace"))
    if not parts or len(parts) % 2:
        raise DamagedError(f"a record has no path of a document: {record[:40]!r}")
    return "/".join(parts)


def _field(data: bytes, wanted: int) -> bytes:
    for number, value in _fields(data):
        if number == wanted and isinstance(value, bytes):
            return value
    raise DamagedError(f"a record has no field {wanted}: {data[:40]!r}")


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a message, those within groups as if these were not there. Raises DamagedError."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
        elif kind in (1, 2, 5):
            length, at = _varint(data, at) if kind == 2 else (8 if kind == 1 else 4, at)
            if at + length > len(data):
                raise DamagedError("a record is cut")
            yield number, data[at : at + length]
            at += length
        elif kind not in (3, 4):
            raise DamagedError(f"a record holds the unknown wire type {kind}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for place, byte in enumerate(data[at : at + 10]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, at + place + 1
    raise DamagedError("a record is cut in the middle of a number")
