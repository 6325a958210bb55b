"""Firestore exports as Google's emulator lays them out, made without it: the tests of its own exports need Java."""

from __future__ import annotations

import struct

import google_crc32c

DAY = 86400
NAME = "all_namespaces/all_kinds/all_namespaces_all_kinds.export_metadata"


def log(*records):
    """Return records as a log in LevelDB's format."""
    out = bytearray()
    for record in records:
        first = True
        while first or record:
            room = 32768 - len(out) % 32768
            if room < 7:
                out += bytes(room)
                continue
            piece, record = record[: room - 7], record[room - 7 :]
            kind = (1 if not record else 2) if first else (4 if not record else 3)
            out += _header(kind, piece) + piece
            first = False
    return bytes(out)


def _header(kind, data):
    crc = google_crc32c.value(bytes((kind,)) + data)
    return struct.pack("<IHB", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF, len(data), kind)


def _varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def _field(number, value):
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def marker(documents, size, name=NAME):
    """Return the completion marker of an export with one part."""
    return log(b"3", _field(1, _field(2, name.encode()) + _field(3, documents) + _field(4, size)))


def metadata(*outputs):
    """Return the metadata of a part."""
    return b"".join(_field(2, _field(1, b"") + _field(2, name.encode())) for name in outputs)


def files(folder, documents=3, outputs=1):
    """Return the files of an export by name, the marker last."""
    short = folder.rpartition("/")[2]
    data = {f"output-{n}": log(*(b"%d-%d" % (n, i) for i in range(documents))) for n in range(outputs)}
    made = {f"all_namespaces/all_kinds/{name}": body for name, body in data.items()}
    made[NAME] = metadata(*data)
    made[f"{short}.overall_export_metadata"] = marker(documents * outputs, sum(map(len, data.values())))
    return {f"{folder}/{name}": body for name, body in made.items()}


def put(gcs, bucket, folder, age=0.0, *, without=(), **shape):
    """Put an export into a bucket, its marker so many seconds old; `without` some files, by the ends of their names."""
    for name, body in files(folder, **shape).items():
        if not name.endswith(tuple(without)) or not without:
            gcs.put(bucket, name, body, age=age if name.endswith("overall_export_metadata") else age + 5)
