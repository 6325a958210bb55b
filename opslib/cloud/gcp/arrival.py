"""Bytes that come from Cloud Storage: all of one version of an object, whatever breaks on the way, and verified."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from opslib.cloud.errors import MalformedError, RefusedError, TimeIsUpError, UnknownOutcomeError
from opslib.cloud.gcp.objects import Item
from opslib.cloud.gcp.storage import Storage
from opslib.cloud.gcp.task import GcpTask
from opslib.cloud.libraries import load

__all__ = ["TELL", "Checksum", "CorruptError", "fetch", "read"]

TELL = 64 << 20  # bytes between two words of progress


class CorruptError(MalformedError):
    """What arrived is not what the service says it holds."""


class Checksum:
    """The CRC32C of bytes that come in pieces, in the form in which the service tells it."""

    def __init__(self) -> None:
        self._crc = load("google_crc32c", "gcp").Checksum()

    def update(self, data: bytes) -> None:
        """Take the next piece."""
        self._crc.update(data)

    def __str__(self) -> str:
        return base64.b64encode(self._crc.digest()).decode("ascii")


class _Sink:
    """A file for Google's library to write to: takes no more than was promised, for no longer than there is time."""

    def __init__(
        self,
        item: Item,
        task: GcpTask,
        crc: Checksum,
        begin: int,
        take: Callable[[bytes], object],
        told: Callable[[int], object] | None,
    ) -> None:
        self._item, self._task, self._crc, self._take, self._told = item, task, crc, take, told
        self.count = self._said = begin

    def write(self, data: bytes) -> int:
        self.count += len(data)
        if self.count > self._item.size:
            raise MalformedError(f"downloading {self._item.shown}: more comes than its {self._item.size} bytes")
        if self._task.patience.deadline.left == 0:
            raise TimeIsUpError(f"downloading {self._item.shown}: time is up after {self.count} bytes")
        self._crc.update(data)
        self._take(data)
        if self._told is not None and self.count - self._said >= TELL:
            self._said = self.count
            self._told(self.count)
        return len(data)


def fetch(
    storage: Storage,
    item: Item,
    take: Callable[[bytes], object],
    *,
    begin: int = 0,
    crc: Checksum | None = None,
    told: Callable[[int], object] | None = None,
) -> None:
    """Give an object's bytes to `take`, piece by piece; a connection that breaks is taken up where it broke.

    begin, crc: how many bytes are there already, and their checksum; told: is called with the number of bytes, now and
    then. Exactly the version `item` is read. Raises CorruptError when the checksum is not the promised one
    (`take` has had all bytes by then); RefusedError when that version is gone; what `ask` of the task raises.
    """
    crc = crc if crc is not None else Checksum()
    sink = _Sink(item, storage.task, crc, begin, take, told)
    doing = f"downloading {item.shown}"
    last: UnknownOutcomeError | None = None
    try:
        for _turn in storage.task.patience.pauses(doing):
            if sink.count < item.size:
                last = _attempt(storage, item, sink, doing) or last
            if sink.count == item.size:
                break
    except TimeIsUpError as error:
        raise last or error from error
    if str(crc) != item.crc32c:
        raise CorruptError(f"{doing}: its checksum is {crc}, and {item.crc32c} was promised")


def read(storage: Storage, item: Item, *, most: int) -> bytes:
    """Return the content of a small object. Raises RefusedError when it has more than `most` bytes; as `fetch`."""
    if item.size > most:
        raise RefusedError(f"{item.shown} has {item.size} bytes; at most {most} are read")
    data = bytearray()
    fetch(storage, item, data.extend)
    return bytes(data)


def _attempt(storage: Storage, item: Item, sink: _Sink, doing: str) -> UnknownOutcomeError | None:
    """Read as far as one connection lasts; return why it broke."""
    before = sink.count
    broken: type[Exception] = load("urllib3.exceptions", "gcp").HTTPError

    def ask() -> Any:
        try:
            blob = storage.client.bucket(item.bucket).blob(item.name, generation=item.generation)
            blob.download_to_file(
                sink, start=sink.count or None, raw_download=True, checksum=None, retry=None, timeout=storage.timeout
            )
        except broken as error:
            raise UnknownOutcomeError(f"{doing}: the connection broke after {sink.count} bytes") from error

    try:
        storage.task.change(ask, doing=doing)  # as of a change: what came is kept, so it is not asked for again
    except UnknownOutcomeError as error:
        return error
    if sink.count == before:
        raise MalformedError(f"{doing}: nothing comes after {before} of {item.size} bytes")
    return None
