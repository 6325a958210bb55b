"""Sentry's web API for one organisation: counts of errors, issues, releases.

Written after the OpenAPI description that Sentry publishes (getsentry/sentry-api-schema), whose required members and
enumerations the answers have; nothing runs it as a check. It cannot show sampling, quotas, or Sentry's search language
beyond the words that are asked here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from werkzeug.wrappers import Response

from services.back_end import EXPIRED
from services.faults import Call, Fault
from services.web import Answer, Web, WebCall, route

__all__ = ["Issue", "Sentry"]

TOKEN = "sntrys_0123456789abcdef0123456789abcdef"
ORGANISATION, PROJECT = "acme", "dashboard-api"


def _date(when: datetime) -> str:
    return when.isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass
class Issue:
    """A group of like errors; first: hours since it was first seen; release: the one that brought it."""

    title: str
    count: int = 1
    first: float = 1.0
    release: str = "1.0.0"
    level: str = "error"
    status: str = "unresolved"

    def shown(self, number: int, url: str) -> dict[str, Any]:
        """Return it as the API sends it."""
        now = datetime.now(UTC)
        return {
            "id": str(number),
            "shortId": f"DASHBOARD-API-{number}",
            "title": self.title,
            "culprit": "app.jobs in collect",
            "permalink": f"{url}/organizations/{ORGANISATION}/issues/{number}/",
            "level": self.level,
            "status": self.status,
            "substatus": "new" if self.status == "unresolved" else "archived_forever",
            "count": str(self.count),
            "userCount": 3,
            "firstSeen": _date(now - timedelta(hours=self.first)),
            "lastSeen": _date(now),
            "isUnhandled": True,
            "issueCategory": "error",
            "issueType": "error",
            "platform": "python",
            "priority": "high",
            "project": {"id": "1", "name": PROJECT, "slug": PROJECT, "platform": "python"},
            "metadata": {"title": self.title},
            "annotations": [],
            "type": "error",
        }


class Sentry(Web):
    """An organisation with one project.

    usual: errors an hour; hourly: those of single hours, by their age in hours; page: issues in one listing.
    """

    def forget(self) -> None:
        """Put everything to its beginning: six errors an hour, two issues, two releases."""
        self.token = TOKEN
        self.hourly: dict[int, float] = {}
        self.usual = 6.0
        self.issues = [Issue("KeyError: 'usage'", 40, first=200), Issue("TimeoutError", 12, first=100)]
        self.releases = {"1.0.0": 300.0, "1.1.0": 2.0}
        self.page = 100

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which clients find the service."""
        return {"SENTRY_AUTH_TOKEN": self.token, "SENTRY_URL": self.url}

    def admit(self, call: WebCall) -> Answer | None:
        if call.headers.get("authorization") != f"Bearer {self.token}":
            return self.problem(401, "", "Invalid token")
        if call.parameters.get("organisation", ORGANISATION) != ORGANISATION:
            return self.problem(404, "", "The requested resource does not exist")
        if any(name not in (PROJECT, "1") for name in call.many.get("project", [])):
            return self.problem(403, "", "You do not have permission to perform this action.")
        return None

    def problem(self, status: int, code: str, message: str) -> Answer:
        return Answer({"detail": message}, status)

    def error(self, call: Call, fault: Fault) -> Response:
        return self.problem(401, "", "Token expired").response() if fault is EXPIRED else super().error(call, fault)

    def count(self, oldest: float, newest: float) -> int:
        """Return the errors between two ages, in hours."""
        hours = range(int(newest), int(oldest) + 1)
        shares = [(hour, min(oldest, hour + 1) - max(newest, hour)) for hour in hours]
        return round(sum(self.hourly.get(hour, self.usual) * share for hour, share in shares if share > 0))

    @route("GET", "/api/0/organizations/{organisation}/events/")
    def get_events(self, call: WebCall) -> Any:
        asked = call.query
        if asked.get("dataset") != "errors" or asked.get("field") != "count()":
            return self.problem(400, "", "dataset: this field is required")
        begins, ends = (datetime.fromisoformat(asked[name]).replace(tzinfo=UTC) for name in ("start", "end"))
        now = datetime.now(UTC)
        oldest, newest = ((now - each).total_seconds() / 3600 for each in (begins, ends))
        found = self.count(oldest, max(0.0, newest))
        return {"data": [{"count()": found}], "meta": {"fields": {"count()": "integer"}, "units": {"count()": None}}}

    @route("GET", "/api/0/organizations/{organisation}/issues/")
    def list_issues(self, call: WebCall) -> Any:
        query = call.query.get("query", "is:unresolved")
        found = list(enumerate(self.issues, 1))
        if "is:unresolved" in query:
            found = [(number, each) for number, each in found if each.status == "unresolved"]
        release = re.search(r'firstRelease:"?([^"\s]+)"?', query)
        if release:
            found = [(number, each) for number, each in found if each.release == release.group(1)]
        age = re.search(r"age:-(\d+)m", query)
        if age:
            found = [(number, each) for number, each in found if each.first * 60 <= int(age.group(1))]
        first = int(call.query.get("cursor", "0:0:0").split(":")[1])
        size = min(int(call.query.get("limit", 100)), self.page)
        shown = found[first : first + size]
        more = "true" if len(found) > first + size else "false"
        address = f"{self.url}{call.path}?cursor=0:{first + size}:0"
        link = f'<{address}>; rel="previous"; results="false"; cursor="0:0:1", '
        link += f'<{address}>; rel="next"; results="{more}"; cursor="0:{first + size}:0"'
        return Answer([each.shown(number, self.url) for number, each in shown], 200, {"Link": link})

    @route("GET", "/api/0/organizations/{organisation}/releases/{version}/")
    def get_release(self, call: WebCall) -> Any:
        version = call.parameters["version"]
        if version not in self.releases:
            return self.problem(404, "", "The requested resource does not exist")
        when = datetime.now(UTC) - timedelta(hours=self.releases[version])
        return {
            "id": 1,
            "version": version,
            "shortVersion": version,
            "status": "open",
            "dateCreated": _date(when),
            "dateReleased": _date(when),
            "newGroups": sum(each.release == version for each in self.issues),
            "authors": [],
            "commitCount": 3,
            "data": {},
            "deployCount": 1,
            "projects": [],
            "versionInfo": {"package": None, "version": {"raw": version}, "description": version, "buildHash": None},
        }
