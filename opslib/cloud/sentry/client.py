"""Sentry's web API, as far as tasks need it: counts of errors, issues and releases of one organisation."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from opslib.cloud.errors import MalformedError
from opslib.cloud.http import Http, model_of
from opslib.cloud.libraries import load
from opslib.cloud.patience import Patience

if TYPE_CHECKING:
    from opslib.cloud.sentry.models import Issue, Release

__all__ = ["Client"]

_PAGE = 100
_NEXT = re.compile(r'rel="next";\s*results="(true|false)";\s*cursor="([^"]{1,200})"')


class Client:
    """Asks for projects of an organisation."""

    def __init__(self, address: str, token: str, patience: Patience, organisation: str, asked: dict[str, Any]) -> None:
        self._http = Http("Sentry", address, patience, extra="http", headers={"Authorization": f"Bearer {token}"})
        load("pydantic", "http")
        from opslib.cloud.sentry import models

        self._models = models
        self._base = f"/api/0/organizations/{quote(organisation, safe='')}"
        self._asked = asked

    def count(self, begins: float, ends: float, query: str) -> int:
        """Return the number of errors between two moments, in seconds since 1970."""
        asked = {**self._asked, "dataset": "errors", "field": "count()", "query": query}
        asked |= {"start": _moment(begins), "end": _moment(ends)}
        answer = self._http.get(f"{self._base}/events/", params=asked)
        rows = model_of(self._models.Table, answer.json(), "Sentry: the count of errors").data
        if not rows:
            return 0
        found = rows[0].get("count()")
        if len(rows) > 1 or not isinstance(found, int) or isinstance(found, bool) or found < 0:
            raise MalformedError("Sentry: the count of errors: the answer makes no sense: it is not one number")
        return found

    def issues(self, query: str, period: str, most: int) -> list[Issue]:
        """Return issues, at most so many, over as many pages as it takes. period: such as 14d."""
        found: list[Issue] = []
        cursors: set[str] = set()
        asked = {**self._asked, "query": query, "statsPeriod": period, "sort": "new", "limit": str(min(_PAGE, most))}
        while True:
            answer = self._http.get(f"{self._base}/issues/", params=asked)
            found += model_of(list[self._models.Issue], answer.json(), "Sentry: the issues")  # type: ignore[name-defined]
            following = _NEXT.search(answer.headers.get("link", ""))
            if following is None or following.group(1) == "false" or len(found) >= most:
                return found[:most]
            asked["cursor"] = following.group(2)
            if asked["cursor"] in cursors:
                raise MalformedError("Sentry: the list of issues does not end: its pages repeat")
            cursors.add(asked["cursor"])

    def release(self, version: str) -> Release:
        """Return a release. Raises RefusedError when there is none."""
        answer = self._http.get(f"{self._base}/releases/{quote(version, safe='')}/")
        return model_of(self._models.Release, answer.json(), f"Sentry: release {version}")


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
