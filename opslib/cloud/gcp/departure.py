"""Bytes that go to Cloud Storage: in parts that are taken up again when a connection breaks, and verified at the end.

The protocol: https://cloud.google.com/storage/docs/performing-resumable-uploads. The service is told the checksum
before the first byte, and refuses to make an object of anything else; what is there already is only replaced if it is
still the version that was seen.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from opslib.cloud.errors import MalformedError, RefusedError, ServiceError, TimeIsUpError, UnknownOutcomeError
from opslib.cloud.gcp.arrival import TELL
from opslib.cloud.gcp.objects import Item, said
from opslib.cloud.gcp.storage import Storage
from opslib.cloud.libraries import load

__all__ = ["GRAIN", "Parcel", "send"]

GRAIN = 256 << 10  # parts must be multiples of this, but for the last
_INCOMPLETE = 308
_LOST = (404, 410)  # the service has forgotten the upload, which it does after a week at the latest
_MOST_ANSWER = 1 << 20
_RANGE = re.compile(r"bytes=0-([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class Parcel:
    """A file to send. source: its descriptor; size: bytes; crc32c: of its content, in base64.

    generation: of the object that it replaces, 0 when there is none.
    """

    bucket: str
    name: str
    source: int
    size: int
    crc32c: str
    generation: int

    @property
    def shown(self) -> str:
        """Where it goes, on one printable line."""
        return f"gs://{self.bucket}/{said(self.name)}"


def send(storage: Storage, parcel: Parcel, *, part: int, told: Callable[[int], object] | None = None) -> None:
    """Make an object of a file.

    part: bytes for one request, a multiple of GRAIN; told: is called with the number of bytes that have arrived, now
    and then. Raises RefusedError: the object is another than was seen (status 412), the file changed on the way (400),
    or anything else that the service does not want; the last transient error when time is up.
    """
    doing = f"uploading to {parcel.shown}"
    upload = _Upload(storage, parcel, part, doing, told or (lambda _count: None))
    last: ServiceError | None = None
    try:
        for _turn in storage.task.patience.pauses(doing):
            try:
                if upload.go_on():
                    return
            except UnknownOutcomeError as error:
                last = error
            except RefusedError as error:
                if error.status not in _LOST or upload.url is None:
                    raise
                last, upload.url = error, None
            if _arrived(storage, parcel):
                return
    except TimeIsUpError as error:
        raise last or error from error


def _arrived(storage: Storage, parcel: Parcel) -> bool:
    """Whether the object is there, though no answer said so."""
    found = storage.item(parcel.bucket, parcel.name)
    return found is not None and found.generation != parcel.generation and _is_it(found, parcel)


def _is_it(found: Item, parcel: Parcel) -> bool:
    return (found.size, found.crc32c) == (parcel.size, parcel.crc32c)


class _Upload:
    """One upload: `url` is where the service takes its parts; it is worth a permission to write, and is never shown."""

    def __init__(self, storage: Storage, parcel: Parcel, part: int, doing: str, told: Callable[[int], object]) -> None:
        self._storage, self._parcel, self._part, self._doing, self._told = storage, parcel, part, doing, told
        self._session = storage.task.session()
        self.url: str | None = None
        self._said = 0

    def go_on(self) -> bool:
        """Send what has not arrived. Returns True when all of it has, and the object is verified to be the file."""
        at: int | None
        if self.url is None:
            self.url, at = self._begin(), 0
        else:
            at = self._put(b"", f"bytes */{self._parcel.size}")
        while at is not None:
            if at - self._said >= TELL:
                self._said = at
                self._told(at)
            data = os.pread(self._parcel.source, min(self._part, self._parcel.size - at), at)
            if len(data) < min(self._part, self._parcel.size - at):
                raise RefusedError(f"{self._doing}: the file was cut meanwhile", status=400)
            span = f"bytes {at}-{at + len(data) - 1}/{self._parcel.size}" if data else ""
            before, at = at, self._put(data, span)
            if at is not None and at <= before:
                raise UnknownOutcomeError(f"{self._doing}: nothing of a part arrived")
        return True

    def _begin(self) -> str:
        base = self._storage.client.api_endpoint.rstrip("/")
        address = f"{base}/upload/storage/v1/b/{quote(self._parcel.bucket, safe='')}/o"
        answer = self._request(
            "POST",
            address,
            params={"uploadType": "resumable", "ifGenerationMatch": str(self._parcel.generation)},
            json={"name": self._parcel.name, "crc32c": self._parcel.crc32c},
            headers={"X-Upload-Content-Length": str(self._parcel.size)},
        )
        url = answer.headers.get("Location", "")
        if urlsplit(url)[:2] != urlsplit(base)[:2]:
            raise MalformedError(f"{self._doing}: the service names another server to send the file to")
        return url

    def _put(self, data: bytes, span: str) -> int | None:
        """Send bytes, or only ask how many have arrived. Returns that number, None when it is all and is verified."""
        assert self.url is not None
        answer = self._request("PUT", self.url, data=data, headers={"Content-Range": span} if span else {})
        if answer.status == _INCOMPLETE:
            return self._count(answer.headers.get("Range", ""))
        found = _parsed(answer.body)
        if (found.get("name"), found.get("size"), found.get("crc32c")) != (
            self._parcel.name,
            str(self._parcel.size),
            self._parcel.crc32c,
        ):
            raise MalformedError(f"{self._doing}: what the service made of it is not the file")
        return None

    def _count(self, range_: str) -> int:
        if not range_:
            return 0
        found = _RANGE.fullmatch(range_)
        count = int(found[1]) + 1 if found else -1
        if not 0 < count <= self._parcel.size:
            raise MalformedError(f"{self._doing}: the service says that it has {said(range_)!r}")
        return count

    def _request(self, verb: str, url: str, **more: Any) -> _Answer:
        """Send one request, again while it is throttled, and return its answer if it is a good one."""
        return self._storage.task.change(functools.partial(self._once, verb, url, **more), doing=self._doing)

    def _once(self, verb: str, url: str, **more: Any) -> _Answer:
        broken: type[Exception] = load("requests.exceptions", "gcp").RequestException
        try:
            timeout = self._storage.timeout
            with self._session.request(verb, url, timeout=timeout, allow_redirects=False, stream=True, **more) as found:
                body = next(found.iter_content(_MOST_ANSWER), b"")
                answer = _Answer(found.status_code, found.headers, body)
        except broken as error:  # its words hold the address of the upload
            raise UnknownOutcomeError(f"{self._doing}: the connection broke ({type(error).__name__})") from None
        if answer.status in (200, 201, _INCOMPLETE):
            return answer
        said_so = _parsed(answer.body).get("error")
        text = said(said_so.get("message", "") if isinstance(said_so, dict) else "") or f"status {answer.status}"
        raise load("google.api_core.exceptions", "gcp").from_http_status(answer.status, text)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
