"""Say how a Vercel project is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opslib.cloud import website
from opslib.cloud.spans import span
from opslib.cloud.task import Plan, param
from opslib.cloud.vercel.rows import row
from opslib.cloud.vercel.task import VercelTask
from opslib.host.params import Duration, Text, Url

if TYPE_CHECKING:
    from opslib.cloud.vercel.models import Deployment, Project

__all__ = ["VercelStatus"]


@dataclass(frozen=True, slots=True)
class _Seen:
    project: Project
    newest: list[Deployment]
    page: dict[str, Any] | None
    now: float


class VercelStatus(VercelTask, name="vercel_status"):
    """Say what is in production, since when, whether later builds failed, and whether its page answers.

    It fails when nothing is in production, what is there is not READY, or the page is not right.

    data: `production` (id), `url`, `state`, `age_seconds`, `domains`, `rolled_back`, `domains_assigned` (whether new
    deployments get the production domains), `alias_job` (`type`, `status`, `to`), `newest` (a deployment as in
    `vercel_deployments`), `failed_since` (ids of production builds that failed since), `page` (as of `http_check`).
    """

    url: str | None = param(
        Url(),
        "The page that visitors see; without it none is looked at.",
        default=None,
        example="https://dashboard.example.com",
    )
    contains: str | None = param(Text("text"), "Text that must stand in that page.", default=None)
    page_wait: float = param(Duration(low=0.01), "Seconds within which the page must answer.", default="10s")

    def look(self) -> _Seen:
        project = self.client.project()
        newest = self.client.deployments(project.id, 20)
        page = None
        if self.url:
            page = website.visit(
                self.url, contains=self.contains, patience=self.patience, poll=self.poll, wait=self.page_wait
            )
        return _Seen(project, newest, page, time.time())

    def compare(self, state: _Seen) -> Plan:
        project, target = state.project, state.project.targets.production
        job = project.last_alias_request
        since = target.created_at if target else 0
        newest = state.newest[0] if state.newest else None
        failed = [
            each.key
            for each in state.newest
            if each.production and each.ready_state == "ERROR" and each.created_at > since
        ]
        data: dict[str, Any] = {
            "production": project.production,
            "url": target.url if target else None,
            "state": str(target.ready_state) if target else None,
            "age_seconds": max(0, round(state.now - since / 1000)) if target else None,
            "domains": target.alias if target else [],
            "rolled_back": project.rolled_back,
            "domains_assigned": project.auto_assign_custom_domains,
            "alias_job": job and {"type": str(job.type), "status": str(job.job_status), "to": job.to_deployment_id},
            "newest": newest and row(newest, now=state.now, production=project.production),
            "failed_since": failed,
            "page": state.page,
        }
        warnings = [f"{len(failed)} production builds have failed since: {failed[0]} is the last"] if failed else []
        if project.rolled_back:
            warnings.append("production is rolled back")
        if not project.auto_assign_custom_domains:
            warnings.append("new deployments get no production domains until one is promoted")
        if job and job.under_way:
            warnings.append(f"a {job.type} to {job.to_deployment_id} is {job.job_status}")
        failure = ""
        if target is None:
            failure = "nothing is in production"
        elif target.ready_state != "READY":
            failure = f"{target.id}, which is in production, is {target.ready_state}"
        elif state.page and "problem" in state.page:
            failure = str(state.page["words"])
        reason = "" if target is None else f"{target.id} is in production, {span(data['age_seconds'])} old"
        return Plan(reason=reason, failure=failure, warnings=warnings, data=data)
