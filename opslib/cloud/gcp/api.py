"""Google's REST interfaces, with Google's credentials: JSON over HTTP, one request at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from opslib.cloud.errors import MalformedError
from opslib.cloud.gcp.task import GcpTask, translated
from opslib.cloud.http import Answer, Http

__all__ = ["GoogleApi"]

_MOST_PAGES = 1000


class GoogleApi(Http):
    """One service.

    name: for errors; address: where it is; variable: of the environment, that leads elsewhere (to an emulator).
    """

    def __init__(self, task: GcpTask, name: str, address: str, variable: str) -> None:
        super().__init__(name, os.environ.get(variable) or address, task.patience, extra="gcp")
        self._session = task.session()

    def exchange(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request; see Http. Raises ExpiredError where Google's library has no credentials that are good."""
        with translated(f"{self._name}: {method} {path}"):
            return super().exchange(method, path, json=json, params=params, headers=headers)

    def pages(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield all pages of a listing. Raises MalformedError for one that has no end."""
        seen: set[str] = set()
        token = ""
        while True:
            page = self.get(path, params={**params, **({"pageToken": token} if token else {})}).json()
            if not isinstance(page, dict):
                raise MalformedError(f"{self._name}: GET {path}: the answer is no listing")
            yield page
            token = page.get("nextPageToken") or ""
            if not token:
                return
            if not isinstance(token, str) or token in seen or len(seen) > _MOST_PAGES:
                raise MalformedError(f"{self._name}: GET {path}: the listing goes round in circles")
            seen.add(token)
