"""An object of Cloud Storage as a frozen record, read from the answer of a server that is not trusted."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opslib.cloud.errors import MalformedError
from opslib.host.words import printable

__all__ = ["Item", "item_of", "said"]

_LONGEST_NAME = 1024  # bytes; https://cloud.google.com/storage/docs/objects#naming


@dataclass(frozen=True, slots=True)
class Item:
    """The live version of an object.

    name: as it is, which may be hostile; `shown` is fit for people. size: bytes. crc32c: in base64, as the service
    gives it. generation changes with the content, metageneration with the metadata, holds among it. created: when the
    upload was complete. held: the hold that keeps it, "" without one; until: end of its retention.
    """

    bucket: str
    name: str
    size: int
    crc32c: str
    generation: int
    metageneration: int
    created: datetime
    held: str = ""
    until: datetime | None = None

    @property
    def shown(self) -> str:
        """Its address, on one printable line."""
        return f"gs://{self.bucket}/{said(self.name)}"


def said(text: object) -> str:
    """Return a text of a service on one printable line that is not too long."""
    line = printable(str(text)[:400])
    return line if len(line) <= 200 else line[:197] + "..."


def item_of(bucket: str, blob: Any, doing: str) -> Item:
    """Return the record of what Google's library holds of an object. Raises MalformedError that names what is wrong."""
    name = blob.name
    if not isinstance(name, str) or not 0 < len(name.encode("utf-8", "surrogatepass")) <= _LONGEST_NAME:
        raise MalformedError(f"{doing}: the answer makes no sense: {said(name)!r} is no object's name")
    try:
        retained = blob.retention.retain_until_time
        return Item(
            bucket=bucket,
            name=name,
            size=_whole(blob.size, "size"),
            crc32c=_checksum(blob.crc32c),
            generation=_whole(blob.generation, "generation"),
            metageneration=_whole(blob.metageneration, "metageneration"),
            created=_moment(blob.time_created),
            held=_held(blob),
            until=max(filter(None, (blob.retention_expiration_time, retained)), default=None),
        )
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise MalformedError(f"{doing}: the answer makes no sense: {said(name)}: {said(error)}") from None


def _whole(value: object, field: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise ValueError(f"{field} {value!r} is no whole number")
    return value


def _moment(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise TypeError(f"timeCreated {value!r} is no time")
    return value


def _checksum(value: object) -> str:
    try:
        if isinstance(value, str) and len(base64.b64decode(value, validate=True)) == 4:
            return value
    except (binascii.Error, ValueError):
        pass
    raise ValueError(f"crc32c {value!r} is no checksum")


def _held(blob: Any) -> str:
    held = (("temporary", blob.temporary_hold), ("event-based", blob.event_based_hold))
    names = [word for word, value in held if value]
    return f"under {' and '.join(names)} hold" if names else ""
