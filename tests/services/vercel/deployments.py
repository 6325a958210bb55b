"""Deployments of the Vercel fake: listed, looked at, made."""

from __future__ import annotations

import time
from typing import Any

from services.vercel.state import PROJECT, TEAM, Deployment, State
from services.web import WebCall, route

__all__ = ["Deployments"]


class Deployments(State):
    """Builds go a step further with each look."""

    @route("GET", "/v6/deployments")
    @route("GET", "/v7/deployments")
    def list_deployments(self, call: WebCall) -> Any:
        asked = call.query
        if asked.get("projectId") not in (None, PROJECT, self.project):
            return {"deployments": [], "pagination": {"count": 0, "next": None, "prev": None}}
        found = self.deployments
        if "until" in asked:
            found = [each for each in found if each.created < int(asked["until"])]
        if "since" in asked:
            found = [each for each in found if each.created > int(asked["since"])]
        if "target" in asked:
            found = [each for each in found if (each.target or "preview") == asked["target"]]
        if "state" in asked:
            found = [each for each in found if each.state in asked["state"].split(",")]
        if asked.get("rollbackCandidate") == "true":
            found = [each for each in found if each.listed("")["isRollbackCandidate"]]
        shown = found[: min(int(asked.get("limit", 20)), self.page)]
        rest = len(found) > len(shown)
        pagination = {
            "count": len(shown),
            "next": shown[-1].created if rest else None,
            "prev": shown[0].created if shown else None,
        }
        return {"deployments": [each.listed(self.project) for each in shown], "pagination": pagination}

    @route("GET", "/v13/deployments/{idOrUrl}")
    def get_deployment(self, call: WebCall) -> Any:
        found = self.find(call.parameters["idOrUrl"])
        if found is None:
            return self._missing("deployment")
        self._go_on_with_build(found)
        return self._whole(found)

    def _go_on_with_build(self, found: Deployment) -> None:
        if not found.steps:
            return
        found.state = found.steps.pop(0)
        if found.state == "READY" and found.target == "production" and self.auto_assign and found.substate != "STAGED":
            found.substate, found.assigned = "PROMOTED", int(time.time() * 1000)
            self._before, self.production, self._stale = self.production, found.uid, self.lag

    def _whole(self, found: Deployment) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": found.uid,
            "name": self.project,
            "projectId": PROJECT,
            "project": {"id": PROJECT, "name": self.project, "framework": None},
            "ownerId": TEAM,
            "team": {"id": TEAM, "name": "Acme", "slug": "acme"},
            "url": found.url,
            "alias": self.aliases if self.production == found.uid else [],
            "aliasAssigned": found.assigned is not None,
            "bootedAt": found.created + 10,
            "buildingAt": found.created + 20,
            "buildSkipped": False,
            "build": {"env": []},
            "builds": [],
            "createdAt": found.created,
            "createdIn": "iad1",
            "creator": {"uid": "user_1", "username": "ada"},
            "env": [],
            "inspectorUrl": f"https://vercel.com/acme/{self.project}/{found.uid}",
            "isInConcurrentBuildsQueue": False,
            "isInSystemBuildsQueue": False,
            "meta": found.meta,
            "plan": "pro",
            "projectSettings": {},
            "public": False,
            "readyState": found.state,
            "status": found.state,
            "regions": ["iad1"],
            "routes": [],
            "source": "cli",
            "target": found.target,
            "type": "LAMBDAS",
            "version": 2,
        }
        if found.substate and found.state == "READY":
            shown["readySubstate"] = found.substate
        if found.state == "READY":
            shown["ready"] = found.created + 1000
        if found.problem and found.state == "ERROR":
            shown.update(errorCode="BUILD_FAILED", errorMessage=found.problem, errorStep="buildStep")
        return shown

    @route("POST", "/v13/deployments")
    def create_deployment(self, call: WebCall) -> Any:
        body = call.body
        made = self.add(
            state=self.builds[0],
            target=body.get("target"),
            substate=None,
            steps=list(self.builds[1:]),
            meta=dict(body.get("meta") or {}),
            problem='Command "next build" exited with 1',
        )
        made.created = max(made.created, int(time.time() * 1000))
        return self._whole(made)

    @route("POST", "/v2/files")
    def upload_file(self, call: WebCall) -> Any:
        return {}

    @route("GET", "/v3/now/deployments/{idOrUrl}/events")
    @route("GET", "/v3/deployments/{idOrUrl}/events")
    def get_events(self, call: WebCall) -> Any:
        return []

    @route("GET", "/v11/deployments/{id}/builds")
    def get_builds(self, call: WebCall) -> Any:
        return {"builds": []}

    @route("GET", "/v2/deployments/{id}/aliases")
    def list_aliases(self, call: WebCall) -> Any:
        found = self.find(call.parameters["id"])
        if found is None:
            return self._missing("deployment")
        names = self.aliases if found.uid == self.production else []
        return {"aliases": [{"uid": name, "alias": name, "created": "2026-11-20T10:00:00Z"} for name in names]}
