"""Point a Vercel project's production domains back at what was there before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opslib.cloud.task import MODIFY, Change, Plan, param
from opslib.cloud.vercel.production import move
from opslib.cloud.vercel.site import SiteTask
from opslib.cloud.vercel.task import DeploymentName
from opslib.cloud.vercel.variables import changed_since
from opslib.host.params import Text
from opslib.host.words import listed

if TYPE_CHECKING:
    from opslib.cloud.vercel.models import Deployment, Project, Variable

__all__ = ["VercelRollback"]


@dataclass(frozen=True, slots=True)
class _Seen:
    project: Project
    candidates: list[Deployment]
    named: Deployment | None
    variables: list[Variable]


class VercelRollback(SiteTask, name="vercel_rollback"):
    """Point production back at the deployment that was there before, or at a named one; and see it there.

    Without `deployment` it is the newest READY production deployment that is older than the current one and was in
    production. What is rolled back already stays: a second run does not go further back; name a deployment for that.

    A rollback moves domains, and nothing else: the warnings name what it does not restore, with the environment
    variables that were changed since that deployment was built. New deployments get no production domains until
    `vercel_promote`, or a new `vercel_deploy`, ends the rollback.

    data: `from`, `to` (ids), `url`, `not_restored`, `changed_variables`.
    Source: https://vercel.com/docs/instant-rollback
    """

    deployment: str | None = param(
        DeploymentName(),
        "The deployment to go back to: its id or URL.",
        default=None,
        example="dpl_7Gw5ZMBvQA8h9GF832KGp7nwbuh3",
    )
    reason: str | None = param(
        Text("reason"), "Why, for those who look at the project.", default=None, example="errors after the release"
    )

    def look(self) -> _Seen:
        project = self.client.project()
        named = self.client.deployment(self.deployment) if self.deployment else None
        found = self.client.deployments(project.id, 100, target="production", state="READY", rollbackCandidate="true")
        return _Seen(project, found, named, self.client.variables())

    def compare(self, state: _Seen) -> Plan:
        project = state.project
        data: dict[str, Any] = {"from": project.production, "to": None}
        current, job = project.targets.production, project.last_alias_request
        if project.rolled_back and current and job and (state.named is None or state.named.key == current.id):
            changed = changed_since(state.variables, current.created_at)
            lost = _not_restored(changed)
            data |= {"from": job.from_deployment_id, "to": current.id, "url": current.url}
            data |= {"changed_variables": changed, "not_restored": lost}
            words = f"production is rolled back to {current.id} already; name a deployment to go further back"
            return Plan(reason=words, warnings=[f"not restored: {each}" for each in lost], data=data)
        target = state.named or _previous(state)
        if target is None:
            failure = "there is no earlier deployment that was in production and is READY; none can be gone back to"
            return Plan(failure=failure, data=data)
        data.update(to=target.key, url=target.url)
        if target.project_id not in (None, project.id):
            return Plan(failure=f"{target.key} is of another project ({target.project_id})", data=data)
        if target.key == project.production:
            return Plan(reason=f"{target.key} is in production already", data=data)
        if target.ready_state != "READY" or not target.production or target.ready_substate not in (None, "PROMOTED"):
            words = f"{target.key} is {target.ready_state} and was built for {target.target or 'preview'}"
            return Plan(failure=f"{words}; a rollback goes to what was in production", data=data)
        changed = changed_since(state.variables, target.created_at)
        lost = _not_restored(changed)
        data.update(changed_variables=changed, not_restored=lost)
        change = Change(
            kind=MODIFY, summary=f"roll production back to {target.key}", before=project.production, after=target.key
        )
        return Plan(changes=[change], warnings=[f"not restored: {each}" for each in lost], data=data)

    def apply(self, change: Change) -> None:
        move(
            self,
            change.after,
            lambda project: self.client.roll_back(project, change.after, self.reason or ""),
            doing=change.summary,
        )


def _previous(state: _Seen) -> Deployment | None:
    """Return the newest candidate that is older than what is in production."""
    current = state.project.targets.production
    for each in sorted(state.candidates, key=lambda deployment: deployment.created_at, reverse=True):
        was_there = each.is_rollback_candidate and each.production and each.ready_state == "READY"
        if was_there and (current is None or (each.created_at < current.created_at and each.key != current.id)):
            return each
    return None


def _not_restored(changed: list[str]) -> list[str]:
    what = (
        f"it keeps the values it was built with of {listed(changed)}" if changed else "none was changed since its build"
    )
    return [
        f"environment variables in the project's settings ({what})",
        "the database and its schema, the backend, and stored files",
        "cron jobs: they become those of that deployment",
        "the assignment of production domains to new deployments: it is off until one is promoted",
    ]
