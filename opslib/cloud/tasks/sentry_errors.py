"""Judge the errors that Sentry has counted, and name the issues that are new."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opslib.cloud.access import TokenText, address, token, tokens
from opslib.cloud.errors import MismatchError, RefusedError
from opslib.cloud.sentry.client import Client
from opslib.cloud.spans import span
from opslib.cloud.task import CloudTask, Plan, param
from opslib.host.params import Boolean, Duration, ListOf, Name, Number, Text, Url
from opslib.host.words import count, listed

if TYPE_CHECKING:
    from opslib.cloud.sentry.models import Issue, Release

__all__ = ["SentryErrors"]

ADDRESS = "https://sentry.io"
VARIABLE = "SENTRY_AUTH_TOKEN"
SPIKE, USUAL, NONE = "spike", "usual", "none"


@dataclass(frozen=True, slots=True)
class _Seen:
    errors: int
    before: int
    issues: list[Issue]
    release: Release | None
    now: float


class SentryErrors(CloudTask, name="sentry_errors"):
    """Compare the errors of the last while with those of the time before, and name new issues.

    It is a spike when there are at least `least` errors, and at least `factor` times as many an hour as in the
    baseline; without any in the baseline, `least` decides. New issues are the unresolved ones that were first seen with
    `release`, or else within the window. A spike is a failure unless `fail` is false; so are more than `max_new` new
    issues.

    data: `verdict` (spike, usual or none), `errors`, `baseline_errors`, `per_hour`, `baseline_per_hour`, `ratio` (null
    without errors in the baseline), `new_issues`, each with `id`, `title`, `level`, `count`, `users`, `age_seconds`,
    `link`; `more_issues` (whether there are more than `most`), `release`, `release_age_seconds`.

    What titles hold of secrets is masked. Source: https://docs.sentry.io/api/explore/
    """

    organisation: str = param(Name("Sentry organisation", "_-", 100), "The organisation's slug.", example="acme")
    projects: list[str] = param(
        ListOf(Name("Sentry project", "_-", 100), empty=False, longest=50),
        "The projects' slugs.",
        example=["dashboard-api"],
    )
    environments: list[str] = param(
        ListOf(Name("environment", "_-./", 64), longest=20), "Only errors of these environments.", default=[]
    )
    query: str = param(
        Text("search", empty=True),
        "Only errors that Sentry's search language finds.",
        default="",
        example="level:fatal",
    )
    window: float = param(Duration(low=60), "The last while to judge, in seconds.", default="1h")
    baseline: float = param(Duration(low=60), "The time before to compare with, in seconds.", default="24h")
    factor: float = param(Number(1, 1000), "How many times the usual errors are a spike.", default=3)
    least: int = param(Number(1, 10**9, whole=True), "Fewer errors than this are never a spike.", default=10)
    release: str | None = param(
        Name("release", "._-+@/:", 250), "Name issues that came with this release.", default=None, example="api@1.4.2"
    )
    max_new: int | None = param(
        Number(0, 10**6, whole=True), "More new issues than this are a failure.", default=None, example=0
    )
    most: int = param(Number(1, 1000, whole=True), "How many new issues to read at most.", default=100)
    fail: bool = param(Boolean(), "Whether a spike is a failure.", default=True)
    token: str | None = param(
        TokenText(), f"Auth token, from a vault; else the environment's {VARIABLE}.", default=None
    )
    api: str | None = param(Url(), f"URL of Sentry; else the environment's SENTRY_URL, or {ADDRESS}.", default=None)

    def check(self) -> None:
        if self.api:
            address(self.api, "", "")
        if self.baseline < self.window:
            self.refuse(f"baseline {self.baseline:g} must be at least window {self.window:g} (seconds)")

    def secrets(self) -> Iterator[str]:
        """Yield every text that must never be shown."""
        yield from super().secrets()
        yield from tokens(self.token, VARIABLE)

    def scope(self) -> dict[str, str]:
        return {"organisation": self.organisation, "projects": ", ".join(self.projects)}

    @functools.cached_property
    def client(self) -> Client:
        """The API, for these projects."""
        asked: dict[str, Any] = {"project": self.projects}
        if self.environments:
            asked["environment"] = self.environments
        url = address(self.api, "SENTRY_URL", ADDRESS)
        return Client(url, token(self.token, VARIABLE, of="Sentry"), self.patience, self.organisation, asked)

    def identify(self) -> None:
        """Find out whether there is a token; the organisation and the projects stand in every question."""
        self.client  # noqa: B018 - it says what is missing

    def look(self) -> _Seen:
        now = time.time()
        begins = now - self.window
        try:
            errors = self.client.count(begins, now, self.query)
        except RefusedError as error:
            if error.status in (403, 404):
                words = f"the token does not lead to {', '.join(self.projects)} of {self.organisation}: {error}"
                raise MismatchError(words) from error
            raise
        before = self.client.count(begins - self.baseline, begins, self.query)
        release, minutes = self._release(), max(1, round(self.window / 60))
        fresh, period = (
            (f'firstRelease:"{self.release}"', "14d")
            if self.release
            else (f"age:-{minutes}m", f"{max(1440, minutes)}m")
        )
        issues = self.client.issues(f"is:unresolved {fresh} {self.query}".strip(), period, self.most + 1)
        return _Seen(errors, before, issues, release, now)

    def _release(self) -> Release | None:
        if self.release is None:
            return None
        try:
            return self.client.release(self.release)
        except RefusedError as error:
            if error.status == 404:
                words = f"Sentry knows no release {self.release}: was it told of it, by its SDK or by sentry-cli?"
                raise RefusedError(words, status=404) from error
            raise

    def compare(self, state: _Seen) -> Plan:
        rate, usual = state.errors * 3600 / self.window, state.before * 3600 / self.baseline
        spike = state.errors >= self.least and (state.before == 0 or rate >= self.factor * usual)
        verdict = SPIKE if spike else USUAL if state.errors else NONE
        new = state.issues[: self.most]
        release = state.release
        data: dict[str, Any] = {
            "verdict": verdict,
            "errors": state.errors,
            "baseline_errors": state.before,
            "per_hour": round(rate, 3),
            "baseline_per_hour": round(usual, 3),
            "ratio": round(rate / usual, 3) if usual else None,
            "new_issues": [_row(each, state.now) for each in new],
            "more_issues": len(state.issues) > self.most,
            "release": self.release,
            "release_age_seconds": release and max(0, round(state.now - release.date_created.timestamp())),
        }
        words = f"{count(state.errors, 'error')} in {span(self.window)}, {rate:.3g} an hour; usual are {usual:.3g}"
        titles = [f"{each.short_id} {each.title[:80]}" for each in new]
        came = f"with {self.release}" if self.release else f"in {span(self.window)}"
        fresh = f"{count(len(new), 'new issue')} {came}: {listed(titles)}" if new else f"no new issue {came}"
        failures = [f"a spike: {words}"] if spike and self.fail else []
        if self.max_new is not None and len(new) > self.max_new:
            failures.append(fresh)
        return Plan(reason=f"{verdict}: {words}; {fresh}", failure="; ".join(failures), data=data)


def _row(issue: Issue, now: float) -> dict[str, Any]:
    return {
        "id": issue.short_id,
        "title": issue.title,
        "level": str(issue.level),
        "count": int(issue.count),
        "users": issue.user_count,
        "age_seconds": max(0, round(now - issue.first_seen.timestamp())),
        "link": issue.permalink,
    }
