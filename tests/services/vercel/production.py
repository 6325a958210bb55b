"""The project of the Vercel fake, and the jobs that move its production aliases."""

from __future__ import annotations

import time
from typing import Any

from services.vercel.state import PROJECT, TEAM, Deployment, State
from services.web import Answer, WebCall, route

__all__ = ["Production"]


class Production(State):
    """Promotions and rollbacks: asked for now, done some looks later."""

    @route("GET", "/v9/projects/{idOrName}")
    def get_project(self, call: WebCall) -> Any:
        refusal = self._no_project(call)
        if refusal:
            return refusal
        self._go_on_with_job()
        shown = self.production
        if self._stale:
            self._stale -= 1
            shown = self._before
        current = self.find(shown) if shown else None
        return {
            "id": PROJECT,
            "name": self.project,
            "accountId": TEAM,
            "alias": [{"domain": name, "target": "PRODUCTION", "environment": "production"} for name in self.aliases],
            "autoAssignCustomDomains": self.auto_assign,
            "defaultResourceConfig": {"functionDefaultRegions": ["iad1"]},
            "resourceConfig": {"functionDefaultRegions": ["iad1"]},
            "deploymentExpiration": {},
            "directoryListing": False,
            "nodeVersion": "22.x",
            "framework": None,
            "lastAliasRequest": self.job and {key: value for key, value in self.job.items() if key != "steps"},
            "targets": {"production": current and self._target(current)},
        }

    def _target(self, deployment: Deployment) -> dict[str, Any]:
        return {
            "id": deployment.uid,
            "name": self.project,
            "url": deployment.url,
            "alias": self.aliases,
            "aliasAssigned": deployment.assigned,
            "createdAt": deployment.created,
            "createdIn": "iad1",
            "creator": {"uid": "user_1", "username": "ada", "email": "ada@example.com"},
            "deploymentHostname": deployment.url.partition(".")[0],
            "meta": deployment.meta,
            "plan": "pro",
            "private": False,
            "readyState": deployment.state,
            "target": deployment.target,
            "type": "LAMBDAS",
            "userId": "user_1",
        }

    def _go_on_with_job(self) -> None:
        job = self.job
        if job is None or not job["steps"]:
            return
        self._waited += 1
        if self._waited < self.looks:
            return
        self._waited = 0
        job["jobStatus"] = job["steps"].pop(0)
        if job["jobStatus"] == "succeeded":
            self._before, self.production, self._stale = self.production, job["toDeploymentId"], self.lag
            moved = self.find(job["toDeploymentId"])
            assert moved is not None
            moved.substate, moved.assigned = "PROMOTED", moved.assigned or int(time.time() * 1000)
            self.auto_assign = job["type"] == "promote"

    def begin(self, kind: str, to: str) -> None:
        """Begin an alias job, as somebody would with a promote or rollback."""
        self._waited = 0
        self.job = {
            "fromDeploymentId": self.production,
            "toDeploymentId": to,
            "jobStatus": "pending",
            "requestedAt": int(time.time() * 1000),
            "type": kind,
            "steps": ["in-progress", self.outcome],
        }

    def _alias(self, call: WebCall, kind: str) -> Answer:
        refusal = self._no_project(call, "projectId")
        if refusal:
            return refusal
        found = self.find(call.parameters["deploymentId"])
        if found is None:
            return self._missing("deployment")
        if self.job and self.job["steps"]:
            return self.problem(409, "conflict", "Another alias request is in progress")
        if found.state != "READY":
            return self.problem(422, "deployment_not_ready", "The deployment is not ready")
        if kind == "rollback" and found.substate != "PROMOTED":
            return self.problem(422, "not_a_candidate", "The deployment was never in production")
        if kind == "promote" and found.target != "production":
            return self.problem(422, "not_a_production_deployment", "The deployment was built for another environment")
        if found.uid == self.production:
            return self.problem(409, "conflict", "The deployment is in production already")
        self.begin(kind, found.uid)
        return Answer(None, 201)

    @route("POST", "/v10/projects/{projectId}/promote/{deploymentId}")
    def promote(self, call: WebCall) -> Any:
        return self._alias(call, "promote")

    @route("POST", "/v1/projects/{projectId}/rollback/{deploymentId}")
    @route("POST", "/v9/projects/{projectId}/rollback/{deploymentId}")
    def rollback(self, call: WebCall) -> Any:
        return self._alias(call, "rollback")
