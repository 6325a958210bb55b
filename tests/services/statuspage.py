"""A public status page with the interface of Statuspage v2, as Atlassian's and incident.io's pages offer it.

Written after the documentation that every such page carries under /api and after what two kinds of page are known to
send: incident.io leaves components out of summary.json (components.json has them all), and incidents without any
component exist on both. It cannot show how fresh a provider's own page is.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from services.web import Answer, Web, WebCall, route

__all__ = ["Component", "Incident", "Statuspage"]

WHEN = "2026-11-26T10:00:00.000Z"


@dataclass
class Component:
    """A component of the page; summarised: whether summary.json names it."""

    name: str
    status: str = "operational"
    summarised: bool = True

    def shown(self) -> dict[str, Any]:
        """Return it as the page sends it."""
        return {
            "id": hashlib.sha256(self.name.encode()).hexdigest()[:12],
            "name": self.name,
            "status": self.status,
            "created_at": "2021-01-01T00:00:00.000Z",
            "updated_at": WHEN,
            "position": 1,
            "description": None,
            "showcase": False,
            "start_date": None,
            "group_id": None,
            "page_id": "page12345678",
            "group": False,
            "only_show_if_degraded": False,
        }


@dataclass
class Incident:
    """An incident that is not over."""

    name: str
    components: list[str] = field(default_factory=list)
    impact: str = "minor"
    status: str = "investigating"

    def shown(self, url: str) -> dict[str, Any]:
        """Return it as the page sends it."""
        key = hashlib.sha256(self.name.encode()).hexdigest()[:12]
        return {
            "id": key,
            "name": self.name,
            "status": self.status,
            "created_at": WHEN,
            "updated_at": WHEN,
            "monitoring_at": None,
            "resolved_at": None,
            "impact": self.impact,
            "shortlink": f"{url}/incidents/{key}",
            "started_at": WHEN,
            "page_id": "page12345678",
            "incident_updates": [
                {
                    "id": f"{key}-1",
                    "status": self.status,
                    "body": "We are looking into it.",
                    "incident_id": key,
                    "created_at": WHEN,
                    "updated_at": WHEN,
                    "display_at": WHEN,
                    "affected_components": None,
                }
            ],
            "components": [Component(name, "partial_outage").shown() for name in self.components],
        }


class Statuspage(Web):
    """A page called `name`; every answer has an ETag, and is not sent twice to who has it already."""

    def forget(self) -> None:
        """Put everything to its beginning: all is well."""
        self.name = "Acme"
        self.indicator, self.description = "none", "All Systems Operational"
        self.components = [Component("API"), Component("Dashboard"), Component("Database", summarised=False)]
        self.incidents: list[Incident] = []
        self.maintenances: list[Incident] = []

    def _page(self) -> dict[str, Any]:
        return {"id": "page12345678", "name": self.name, "url": self.url, "time_zone": "Etc/UTC", "updated_at": WHEN}

    def _status(self) -> dict[str, Any]:
        return {"indicator": self.indicator, "description": self.description}

    def _tagged(self, call: WebCall, body: Any) -> Answer:
        tag = f'W/"{hashlib.sha256(json.dumps(body).encode()).hexdigest()[:16]}"'
        headers = {"ETag": tag, "Cache-Control": "max-age=0, private, must-revalidate"}
        return Answer(None, 304, headers) if call.headers.get("if-none-match") == tag else Answer(body, 200, headers)

    @route("GET", "/api/v2/summary.json")
    def summary(self, call: WebCall) -> Answer:
        body = {
            "page": self._page(),
            "components": [each.shown() for each in self.components if each.summarised],
            "incidents": [each.shown(self.url) for each in self.incidents],
            "scheduled_maintenances": [
                {**each.shown(self.url), "scheduled_for": WHEN, "scheduled_until": WHEN} for each in self.maintenances
            ],
            "status": self._status(),
        }
        return self._tagged(call, body)

    @route("GET", "/api/v2/status.json")
    def status(self, call: WebCall) -> Answer:
        return self._tagged(call, {"page": self._page(), "status": self._status()})

    @route("GET", "/api/v2/components.json")
    def list_components(self, call: WebCall) -> Answer:
        return self._tagged(call, {"page": self._page(), "components": [each.shown() for each in self.components]})

    @route("GET", "/api/v2/incidents/unresolved.json")
    def unresolved(self, call: WebCall) -> Answer:
        incidents = [each.shown(self.url) for each in self.incidents]
        return self._tagged(call, {"page": self._page(), "incidents": incidents})
