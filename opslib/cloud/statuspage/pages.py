"""Reading one status page: politely, through the cache, and without a fault of one harming the others."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin

from opslib.cloud.access import address
from opslib.cloud.errors import MalformedError, RefusedError, ServiceError
from opslib.cloud.http import Answer, Http, model_of
from opslib.cloud.libraries import load
from opslib.cloud.patience import Patience
from opslib.cloud.spans import span
from opslib.cloud.statuspage.cache import Cache, Entry
from opslib.host.params import ParamError, shown

if TYPE_CHECKING:
    from opslib.cloud.statuspage.models import Component, Summary

__all__ = ["Page", "read"]

M = TypeVar("M")
_ATTEMPT = 10.0
_TRIES = 2
_HOPS = 3
_STALE = 3600.0  # how long a page that cannot be reached is worth telling of


@dataclass(frozen=True, slots=True)
class Page:
    """What is known of a provider; summary: None when nothing is; trouble: why it is not, or not as of now."""

    provider: str
    url: str
    summary: Summary | None
    components: list[Component]
    age: float
    trouble: str = ""


class _Reader:
    def __init__(self, provider: str, patience: Patience, pause: float, cache: Cache, max_age: float) -> None:
        self.provider, self.patience, self.pause, self.cache, self.max_age = provider, patience, pause, cache, max_age
        self.age = 0.0
        self.trouble = ""

    def model(self, kind: type[M], url: str) -> M:
        """Return a document of the page, from the cache if it is fresh, or if the page cannot be reached."""
        entry = self.cache.get(url)
        now = time.time()
        if entry is None or not 0 <= now - entry.taken < self.max_age:
            entry = self._renewed(url, entry, now)
        self.age = max(self.age, now - entry.taken)
        answer = Answer(200, {}, entry.body, 0.0)
        return model_of(kind, answer.json(), f"{self.provider}: {url}")

    def _renewed(self, url: str, entry: Entry | None, now: float) -> Entry:
        try:
            answer = self._ask(url, {"If-None-Match": entry.etag} if entry and entry.etag else {})
        except RefusedError:
            raise
        except ServiceError as error:
            if entry is None or not 0 <= now - entry.taken < _STALE:
                raise
            self.trouble = f"{error}; told as of {span(now - entry.taken)} ago"
            return entry
        etag = answer.headers.get("etag", "")
        body = answer.body
        if answer.status == 304 and entry is not None:
            etag, body = entry.etag, entry.body
        self.cache.put(url, etag, body)
        return Entry(etag, now, body)

    def _ask(self, url: str, headers: dict[str, str]) -> Answer:
        """Ask twice at most, and follow the page to where it has moved; nothing secret is sent."""
        for hop in range(_HOPS):
            answer = self._tried(url, headers)
            if not 300 <= answer.status < 400 or answer.status == 304:
                return answer
            url = self._moved(url, answer.headers.get("location", ""), hop)
        raise MalformedError(f"{self.provider}: {url}: it moves more than {_HOPS} times")

    def _moved(self, url: str, place: str, hop: int) -> str:
        target = urljoin(url, place)
        try:
            return address(target, "", "") if place else url
        except ParamError:
            words = f"{self.provider}: {url} has moved to {shown(place)}, which cannot be followed ({hop + 1})"
            raise MalformedError(words) from None

    def _tried(self, url: str, headers: dict[str, str]) -> Answer:
        http = Http(self.provider, url, self.patience, extra="http", attempt=_ATTEMPT)
        for number in range(_TRIES):
            try:
                answer = http.exchange("GET", "", headers={"Accept": "application/json", **headers})
            except ServiceError:
                if number + 1 == _TRIES:
                    raise
            else:
                if answer.status < 500 or number + 1 == _TRIES:
                    return answer if 200 <= answer.status < 400 else _refuse(self.provider, url, answer)
            time.sleep(self.patience.cap(self.pause))
        raise AssertionError


def _refuse(provider: str, url: str, answer: Answer) -> Answer:
    kind = RefusedError if answer.status < 500 and answer.status != 429 else ServiceError
    raise kind(f"{provider}: {url}: {answer.status}", status=answer.status)


def read(provider: str, url: str, *, patience: Patience, pause: float, cache: Cache, max_age: float) -> Page:
    """Return what a provider's page says. Never raises for what the page does.

    Both summary.json and components.json are read: the first may leave components out, the second knows no incidents.
    """
    load("pydantic", "http")
    from opslib.cloud.statuspage import models

    reader = _Reader(provider, patience, pause, cache, max_age)
    try:
        summary = reader.model(models.Summary, f"{url}/api/v2/summary.json")
        try:
            components = reader.model(models.Components, f"{url}/api/v2/components.json").components
        except RefusedError:
            components = summary.components
    except ServiceError as error:
        return Page(provider, url, None, [], 0.0, str(error))
    return Page(provider, url, summary, components, reader.age, reader.trouble)
