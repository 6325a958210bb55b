"""Say what is down at the providers that a system depends on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from opslib.cloud.access import address
from opslib.cloud.libraries import load
from opslib.cloud.statuspage.cache import Cache, default_folder
from opslib.cloud.statuspage.pages import Page, read
from opslib.cloud.task import CloudTask, Plan, param
from opslib.host.params import Boolean, Duration, ListOf, Mapping, Name, Path, Text, Url
from opslib.host.words import listed

if TYPE_CHECKING:
    from opslib.cloud.statuspage.models import Incident

__all__ = ["ProviderStatus"]

PAGES = {
    "supabase": "https://status.supabase.com",
    "vercel": "https://www.vercel-status.com",
    "anthropic": "https://status.anthropic.com",
    "openai": "https://status.openai.com",
}
_WELL, _UNREADABLE = "operational", "unreadable"


class ProviderStatus(CloudTask, name="provider_status"):
    """Read providers' status pages and say what is down, and which incidents touch us.

    An incident touches us when it names a component that we use, or names none at all; without `components` for a
    provider all of its components are ours. Pages are asked for what is new only, and not at all within `max_age`; what
    was read is kept in a private folder. A page that cannot be reached is told as it last was, with its age.

    data: `down`, a row for each thing that is not well: `provider`, `what`, `state`, `since` (seconds since 1970, or
    null), `touches`, `link`; `providers`, for each `name`, `state` (the page's own summary, or `unreadable`),
    `description`, `url`, `age_seconds`, `touched`, `trouble`; `touched` (names of providers whose trouble touches us).

    Source: https://www.vercel-status.com/api and the like.
    """

    providers: list[str] = param(
        ListOf(Name("provider"), empty=False, longest=50), "The providers to look at.", default=list(PAGES)
    )
    pages: dict[str, str] = param(
        Mapping(Url()),
        "URLs of status pages by provider, beside those that are known, or instead of them.",
        default={},
        example={"sentry": "https://status.sentry.io"},
    )
    components: dict[str, list[str]] = param(
        Mapping(ListOf(Text("component"))),
        "The components that we use, by provider, as the page calls them; upper and lower case are the same.",
        default={},
        example={"openai": ["Chat Completions"]},
    )
    fail: bool = param(Boolean(), "Whether trouble that touches us is a failure.", default=False)
    max_age: float = param(Duration(), "Seconds for which what was read is not asked for again.", default="1m")
    cache: str | None = param(
        Path(), "Folder to keep pages in; else opslib/status below the user's cache.", default=None
    )

    def check(self) -> None:
        for name in self.providers:
            if name not in self.pages and name not in PAGES:
                self.refuse(f"no status page is known for {name}; give its URL in pages")
        unknown = [name for name in self.components if name not in self.providers]
        if unknown:
            self.refuse(f"components names {unknown[0]}, which is none of providers")
        for url in self.pages.values():
            address(url, "", "")
        if len(set(self.providers)) < len(self.providers):
            self.refuse("providers names one twice")

    def scope(self) -> dict[str, str]:
        return {"pages": ", ".join(self.providers)}

    def identify(self) -> None:
        """Nothing is secret here."""

    def look(self) -> list[Page]:
        load("requests", "http")
        cache = Cache(self.cache or default_folder())
        known = {**PAGES, **self.pages}

        def page(name: str) -> Page:
            url = known[name].rstrip("/")
            return read(name, url, patience=self.patience, pause=self.poll, cache=cache, max_age=self.max_age)

        with ThreadPoolExecutor(max_workers=8) as pool:
            return list(pool.map(page, self.providers))

    def compare(self, state: list[Page]) -> Plan:
        down: list[dict[str, Any]] = []
        rows, warnings = [], []
        for page in state:
            found = self._down(page)
            down += found
            rows.append(_row(page, touched=any(each["touches"] for each in found)))
            warnings += [page.trouble] if page.trouble else []
            warnings += self._missing(page)
        touched = [row["name"] for row in rows if row["touched"]]
        data = {"down": down, "providers": rows, "touched": touched}
        ours = [f"{each['provider']}: {each['what']} ({each['state']})" for each in down if each["touches"]]
        unread = [row["name"] for row in rows if row["state"] == _UNREADABLE]
        failure = ""
        if len(unread) == len(rows):
            failure = f"no status page can be read: {listed(warnings)}"
        elif self.fail and (ours or unread):
            failure = listed(ours + [f"{name}: its status page cannot be read" for name in unread], 10)
        reason = listed(ours, 10) or f"nothing that touches us is down at {listed([*self.providers], 10)}"
        return Plan(reason=reason, failure=failure, warnings=warnings, data=data)

    def _ours(self, provider: str) -> set[str] | None:
        """Return our components in lower case; None when all are ours."""
        named = self.components.get(provider)
        return {name.casefold() for name in named} if named else None

    def _missing(self, page: Page) -> list[str]:
        ours = self._ours(page.provider)
        if ours is None or page.summary is None:
            return []
        there = {each.name.casefold() for each in page.components}
        lost = [name for name in self.components[page.provider] if name.casefold() not in there]
        return [f"{page.provider}: its page has no component {listed(lost)}; was it renamed?"] if lost else []

    def _down(self, page: Page) -> list[dict[str, Any]]:
        if page.summary is None:
            return []
        ours = self._ours(page.provider)
        found = [
            {
                "provider": page.provider,
                "what": each.name,
                "state": str(each.status),
                "since": None,
                "touches": ours is None or each.name.casefold() in ours,
                "link": page.url,
            }
            for each in page.components
            if each.status != _WELL and not each.group
        ]
        under_way = [
            each for each in page.summary.scheduled_maintenances if each.status in ("in_progress", "verifying")
        ]
        live = [each for each in [*page.summary.incidents, *under_way] if not each.status.over]
        return found + [_incident(each, page, ours) for each in live]


def _incident(incident: Incident, page: Page, ours: set[str] | None) -> dict[str, Any]:
    names = {name.casefold() for name in incident.touched}
    return {
        "provider": page.provider,
        "what": incident.name,
        "state": f"{incident.impact}, {incident.status}",
        "since": incident.since,
        "touches": ours is None or not names or bool(names & ours),
        "link": incident.shortlink or page.url,
    }


def _row(page: Page, *, touched: bool) -> dict[str, Any]:
    status = page.summary.status if page.summary else None
    return {
        "name": page.provider,
        "state": str(status.indicator) if status else _UNREADABLE,
        "description": status.description if status else "",
        "url": page.url,
        "age_seconds": round(page.age),
        "touched": touched,
        "trouble": page.trouble,
    }
