"""List the deployments of a Vercel project."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opslib.cloud.spans import span
from opslib.cloud.task import Plan, param
from opslib.cloud.vercel.rows import row
from opslib.cloud.vercel.task import VercelTask
from opslib.host.params import Choice, ListOf, Number

if TYPE_CHECKING:
    from opslib.cloud.vercel.models import Deployment, Project

__all__ = ["VercelDeployments"]


@dataclass(frozen=True, slots=True)
class _Seen:
    project: Project
    deployments: list[Deployment]
    now: float


class VercelDeployments(VercelTask, name="vercel_deployments"):
    """List a project's deployments, the newest first, and say which one is in production.

    data: `deployments`, each with `id`, `url`, `state` (QUEUED, INITIALIZING, BUILDING, READY, ERROR, CANCELED, BLOCKED
    or DELETED), `target`, `in_production`, `age_seconds`, `creator`, `version` (of `vercel_deploy`, or the commit) and,
    after a failed build, `error`; `production` (its id), `states` (how many there are of each).

    Source: https://vercel.com/docs/rest-api/deployments/list-deployments
    """

    most: int = param(Number(1, 10000, whole=True), "How many deployments to list at most.", default=20)
    target: str | None = param(Choice("production", "preview"), "Only those built for this.", default=None)
    states: list[str] = param(
        ListOf(Choice("QUEUED", "INITIALIZING", "BUILDING", "READY", "ERROR", "CANCELED", "BLOCKED", "DELETED")),
        "Only those in one of these states.",
        default=[],
        example=["ERROR"],
    )

    def look(self) -> _Seen:
        project = self.client.project()
        filters = {"target": self.target} if self.target else {}
        if self.states:
            filters["state"] = ",".join(self.states)
        return _Seen(project, self.client.deployments(project.id, self.most, **filters), time.time())

    def compare(self, state: _Seen) -> Plan:
        production = state.project.production
        rows = [row(each, now=state.now, production=production) for each in state.deployments]
        data = {"deployments": rows, "production": production, "states": dict(Counter(each["state"] for each in rows))}
        if not rows:
            return Plan(reason="no deployment is as asked for", data=data)
        newest = rows[0]
        words = f"{len(rows)} deployments; the newest is {newest['state']}, {span(newest['age_seconds'])} old"
        return Plan(reason=f"{words}; {production or 'none'} is in production", data=data)
