"""Cloud Storage as tasks use it: buckets, listings that are whole, objects pinned by generation, careful deletions."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from opslib.cloud.errors import MalformedError, MismatchError, RefusedError, TimeIsUpError
from opslib.cloud.gcp.api import GoogleApi
from opslib.cloud.gcp.bucket import Bucket, bucket_of
from opslib.cloud.gcp.objects import Item, item_of, said
from opslib.cloud.gcp.task import GcpTask
from opslib.cloud.libraries import load
from opslib.cloud.settled import settle

__all__ = ["Storage"]

_CONNECT, _READ = 10.0, 60.0  # seconds; the latter between two pieces of an answer
MOST = 200_000
_NO_TELEMETRY = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"  # a thread that would ask for buckets, for traces


class Storage:
    """The service, for one task: its credentials, its project, its patience."""

    def __init__(self, task: GcpTask) -> None:
        self.task = task

    @functools.cached_property
    def client(self) -> Any:
        """Google's client; every call is given `retry=None` and a timeout, since the task itself is patient."""
        os.environ.setdefault(_NO_TELEMETRY, "true")
        task = self.task
        kind = load("google.cloud.storage", "gcp").Client
        return kind(project=task.project, credentials=task.credentials, _http=task.session())

    @property
    def timeout(self) -> tuple[float, float]:
        """How long one request may take to connect, and be silent; no longer than there is time left."""
        return self.task.patience.cap(_CONNECT), self.task.patience.cap(_READ)

    @functools.cached_property
    def _missing(self) -> type[Exception]:
        kind: type[Exception] = load("google.api_core.exceptions", "gcp").NotFound
        return kind

    @functools.cached_property
    def _api(self) -> GoogleApi:
        """The JSON interface: Google's library drops lifecycle rules that it does not know."""
        return GoogleApi(self.task, "Cloud Storage", self.client.api_endpoint, "STORAGE_EMULATOR_HOST")

    def bucket(self, name: str) -> Bucket:
        """Read a bucket. Raises RefusedError when there is none of that name."""
        return bucket_of(name, self._api.get(f"/storage/v1/b/{name}", params={"projection": "noAcl"}).json())

    def set_lifecycle(self, seen: Bucket, rules: Sequence[Mapping[str, Any]], retention: int) -> None:
        """Set a bucket's rules and retention (seconds, 0 for none), if its settings are still as they were seen.

        Raises RefusedError (status 412) when they are not.
        """
        patch: dict[str, Any] = {"lifecycle": {"rule": [dict(rule) for rule in rules]}}
        if retention != seen.retention:
            patch["retentionPolicy"] = {"retentionPeriod": str(retention)} if retention else None

        def send() -> None:
            guard = {"ifMetagenerationMatch": str(seen.metageneration)}
            self._api.once("PATCH", f"/storage/v1/b/{seen.name}", json=patch, params=guard)

        def done() -> bool:
            now = self.bucket(seen.name)
            wanted = ([dict(rule) for rule in rules], retention)
            return now.metageneration != seen.metageneration and (list(now.rules), now.retention) == wanted

        settle(self.task, send, done, doing=f"setting the lifecycle of bucket {seen.name}")

    def prove_project(self, name: str) -> str:
        """See that a bucket belongs to the task's project. Raises MismatchError when it does not.

        Returns why that cannot be seen, "" when it was. Names of buckets are the whole world's, so the project is asked
        for its own buckets, which takes the permission storage.buckets.list.
        """
        project = self.task.project
        ask = functools.partial(self.client.list_buckets, project=project, prefix=name)
        try:
            pages = self._pages(ask, "storage#buckets", f"listing the buckets of project {project}")
            known = any(bucket.name == name for bucket in pages)
        except RefusedError as error:
            if error.status != 403:
                raise
            return f"whether bucket {name} is of project {project} cannot be seen: storage.buckets.list is not granted"
        if known:
            return ""
        raise MismatchError(
            f"project {project} has no bucket {name}; nothing was touched: correct the bucket or the project"
        )

    def items(self, bucket: str, prefix: str = "", *, most: int = MOST) -> list[Item]:
        """Return all live objects whose names begin with `prefix`, in the order of their names.

        Raises MalformedError for a listing that is cut, goes round in circles or holds what was not asked for;
        RefusedError when there are more than `most`.
        """
        doing = f"listing gs://{bucket}/{said(prefix)}"
        found: list[Item] = []
        before = b""
        listing = functools.partial(self.client.list_blobs, bucket, prefix=prefix)
        for blob in self._pages(listing, "storage#objects", doing):
            item = item_of(bucket, blob, doing)
            order = item.name.encode("utf-8", "surrogatepass")
            if not item.name.startswith(prefix) or order <= before:
                raise MalformedError(f"{doing}: the listing makes no sense: {said(item.name)} does not belong there")
            before = order
            found.append(item)
            if len(found) > most:
                raise RefusedError(f"{doing}: there are more than {most} objects; name a longer prefix")
        return found

    def now(self, bucket: str, prefix: str = "") -> datetime:
        """Return the service's own time, by which it dates objects."""
        least = {"prefix": prefix, "maxResults": "1", "fields": "kind"}
        return self._api.get(f"/storage/v1/b/{bucket}/o", params=least).moment()

    def item(self, bucket: str, name: str) -> Item | None:
        """Return an object, None when there is none of that name."""
        doing = f"looking at gs://{bucket}/{said(name)}"

        def ask() -> Item | None:
            blob = self.client.bucket(bucket).blob(name)
            try:
                blob.reload(retry=None, timeout=self.timeout)
            except self._missing:
                return None
            return item_of(bucket, blob, doing)

        found = self.task.ask(ask, doing=doing)
        if found is not None and found.name != name:
            raise MalformedError(f"{doing}: the answer is about another object, {said(found.name)}")
        return found

    def delete(self, item: Item) -> None:
        """Delete an object if its content and its metadata, holds among it, are still as they were seen.

        One that is gone already is no error. Raises RefusedError: it changed meanwhile (status 412), or it is held or
        retained (403).
        """
        doing = f"deleting {item.shown}"

        def send() -> None:
            with contextlib.suppress(self._missing):
                self.client.bucket(item.bucket).blob(item.name).delete(
                    if_generation_match=item.generation,
                    if_metageneration_match=item.metageneration,
                    retry=None,
                    timeout=self.timeout,
                )

        settle(self.task, send, lambda: self.item(item.bucket, item.name) is None, doing=doing)

    def _pages(self, listing: Callable[..., Any], kind: str, doing: str) -> Iterator[Any]:
        """Yield what all pages of a listing hold. Raises MalformedError for one that never ends, or is no listing."""
        token: str | None = None
        seen: set[str] = set()
        while True:
            found, token = self.task.ask(functools.partial(self._page, listing, token, kind, doing), doing=doing)
            yield from found
            if token is None:
                return
            if token in seen:
                raise MalformedError(f"{doing}: the listing goes round in circles")
            if not self.task.patience.deadline.left:
                raise TimeIsUpError(f"{doing}: the listing did not end within {self.task.wait:g} seconds")
            seen.add(token)

    def _page(
        self, listing: Callable[..., Any], token: str | None, kind: str, doing: str
    ) -> tuple[list[Any], str | None]:
        pages = listing(page_token=token, retry=None, timeout=self.timeout)
        page = next(pages.pages)
        if not isinstance(page.raw_page, dict) or page.raw_page.get("kind") != kind:
            raise MalformedError(f"{doing}: the answer is no listing")
        following = pages.next_page_token
        if following is not None and not isinstance(following, str):
            raise MalformedError(f"{doing}: the listing has no sensible token of its next page")
        return list(page), following
