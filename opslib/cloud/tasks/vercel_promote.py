"""Point a Vercel project's production domains at a deployment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from opslib.cloud.task import MODIFY, Change, Plan, param
from opslib.cloud.vercel.production import move
from opslib.cloud.vercel.site import SiteTask
from opslib.cloud.vercel.task import DeploymentName

if TYPE_CHECKING:
    from opslib.cloud.vercel.models import Deployment, Project

__all__ = ["VercelPromote"]

_HELD = "new deployments get no production domains: the project was rolled back, or is set so"


@dataclass(frozen=True, slots=True)
class _Seen:
    project: Project
    deployment: Deployment


class VercelPromote(SiteTask, name="vercel_promote"):
    """Point production at a deployment that was built for it, without building anything, and see it there.

    Success is read from the alias job and from the project, not from the request's answer: both take a while. Somebody
    else's job is waited for. Also undoes a rollback: domains are assigned to new deployments again.

    A preview deployment is refused: it was built with other environment variables; deploy its commit instead.

    data: `deployment`, `production` (ids), `url`. Source: https://vercel.com/docs/deployments/promoting-a-deployment
    """

    deployment: str = param(
        DeploymentName(), "The deployment: its id or URL.", example="dpl_7Gw5ZMBvQA8h9GF832KGp7nwbuh3"
    )

    def look(self) -> _Seen:
        return _Seen(self.client.project(), self.client.deployment(self.deployment))

    def compare(self, state: _Seen) -> Plan:
        project, deployment = state.project, state.deployment
        data = {"deployment": deployment.key, "production": project.production, "url": deployment.url}
        if deployment.project_id not in (None, project.id):
            return Plan(failure=f"{deployment.key} is of another project ({deployment.project_id})", data=data)
        if project.production == deployment.key:
            warnings = [] if project.auto_assign_custom_domains else [_HELD]
            return Plan(reason=f"{deployment.key} is in production already", warnings=warnings, data=data)
        if deployment.ready_state != "READY":
            return Plan(
                failure=f"{deployment.key} is {deployment.ready_state}; only what is READY can serve", data=data
            )
        if not deployment.production:
            words = f"{deployment.key} was built for {deployment.target or 'preview'}, with the variables of that"
            return Plan(failure=f"{words}; deploy its commit to production instead", data=data)
        summary = f"point production at {deployment.key}"
        return Plan(
            changes=[Change(kind=MODIFY, summary=summary, before=project.production, after=deployment.key)], data=data
        )

    def apply(self, change: Change) -> None:
        move(self, change.after, lambda project: self.client.promote(project, change.after), doing=change.summary)
