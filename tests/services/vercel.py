"""Vercel's REST API, as far as deployments, production aliases, environment variables and logs go.

Checked against Vercel's own published models, in both directions (`services.vercel_model`), and against their command
line, which drives it (`services.vercel_cli`). It cannot show: builds, rolling releases, what plans forbid, caches, and
how fast an alias really reaches the edge. Times are looks: a build or an alias job goes a step further with each look.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Response

from services.back_end import EXPIRED
from services.faults import Call, Fault
from services.web import Answer, Web, WebCall, route

__all__ = ["Deployment", "Site", "Vercel"]

TOKEN = "vercelToken0123456789abcdef"
TEAM = "team_0123456789abcdefghijklmn"
PROJECT = "prj_0123456789abcdefghijklmn"


@dataclass
class Deployment:
    """A deployment; `steps`: the states it has still to go through, one a look."""

    uid: str
    url: str
    created: int
    state: str = "READY"
    target: str | None = "production"
    substate: str | None = "PROMOTED"
    steps: list[str] = field(default_factory=list)
    meta: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    assigned: int | None = None

    def listed(self, project: str) -> dict[str, Any]:
        """Return it as listings show it."""
        shown: dict[str, Any] = {
            "uid": self.uid,
            "name": project,
            "projectId": PROJECT,
            "url": self.url,
            "created": self.created,
            "createdAt": self.created,
            "creator": {"uid": "user_1", "username": "ada"},
            "inspectorUrl": f"https://vercel.com/acme/{project}/{self.uid}",
            "state": self.state,
            "readyState": self.state,
            "target": self.target,
            "type": "LAMBDAS",
            "source": "cli",
            "meta": self.meta,
            "aliasAssigned": self.assigned,
            "isRollbackCandidate": self.substate == "PROMOTED" and self.state == "READY",
        }
        if self.substate and self.state == "READY":
            shown["readySubstate"] = self.substate
        if self.state == "READY":
            shown["ready"] = self.created + 1000
        if self.problem and self.state == "ERROR":
            shown.update(errorCode="BUILD_FAILED", errorMessage=self.problem)
        return shown


class Vercel(Web):
    """One team with one project, called `project`, whose production aliases are `aliases`.

    looks: how many looks each step of a build or of an alias job takes; lag: how many looks at the project still show
    the deployment that was in production before, after a job has succeeded; page: most deployments in one listing;
    outcome: how the next alias job ends; builds: the states that the next deployments go through.
    """

    def forget(self) -> None:
        """Put everything to its beginning: three production deployments, the newest of them in production."""
        self.token = TOKEN
        self.project = "dashboard"
        self.team = {"id": TEAM, "slug": "acme"}
        self.aliases = ["dashboard.example.com", "dashboard.vercel.app"]
        self.looks, self.lag, self.page = 1, 0, 100
        self.outcome = "succeeded"
        self.builds = ["QUEUED", "BUILDING", "READY"]
        self.auto_assign = True
        self.deployments: list[Deployment] = []
        self.variables: list[dict[str, Any]] = []
        self.secrets: dict[str, str] = {}
        self.logs: list[dict[str, Any]] = []
        self.job: dict[str, Any] | None = None
        self.production: str | None = None
        self._numbers = itertools.count(1)
        self._before: str | None = None
        self._stale = 0
        self._waited = 0
        for _turn in range(3):
            self.production = self.add().uid

    # --- what tests set up

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which clients find the service."""
        return {"VERCEL_TOKEN": self.token, "VERCEL_API_URL": self.url}

    def add(self, **values: Any) -> Deployment:
        """Add a deployment, newer than all others, and return it."""
        number = next(self._numbers)
        made = Deployment(
            uid=f"dpl_{number:024d}",
            url=f"dashboard-{number:09d}-acme.vercel.app",
            created=1_790_000_000_000 + number * 60_000,
            **values,
        )
        if made.state == "READY" and made.target == "production" and made.substate == "PROMOTED":
            made.assigned = made.created + 2000
        self.deployments.insert(0, made)
        return made

    def find(self, name: str) -> Deployment | None:
        """Return the deployment with this id, or at this host."""
        return next((each for each in self.deployments if name in (each.uid, each.url)), None)

    def variable(
        self, key: str, value: str, *, targets: list[str] | None = None, kind: str = "encrypted", **more: Any
    ) -> str:
        """Add an environment variable and return its id."""
        number = next(self._numbers)
        made = {
            "id": f"env{number:021d}",
            "key": key,
            "type": kind,
            "target": targets or ["production"],
            "createdAt": 1_790_000_000_000,
            "updatedAt": 1_790_000_000_000,
            **more,
        }
        self.variables.append(made)
        self.secrets[made["id"]] = value
        return str(made["id"])

    def values(self, target: str = "production") -> dict[str, str]:
        """Return the variables of a target with their values."""
        return {each["key"]: self.secrets[each["id"]] for each in self.variables if target in each["target"]}

    # --- manners

    def admit(self, call: WebCall) -> Answer | None:
        if call.headers.get("authorization") != f"Bearer {self.token}":
            return self._expired_token()
        given = [call.query[name] for name in ("teamId", "slug") if name in call.query]
        if any(name not in self.team.values() for name in given):
            return self.problem(403, "forbidden", "You don't have permission to access the team")
        return None

    def _expired_token(self) -> Answer:
        error = {"code": "forbidden", "message": "Not authorized", "invalidToken": True}
        return Answer({"error": error}, 403)

    def error(self, call: Call, fault: Fault) -> Response:
        return self._expired_token().response() if fault is EXPIRED else super().error(call, fault)

    def _missing(self, what: str) -> Answer:
        return self.problem(404, "not_found", f"The {what} was not found")

    def _no_project(self, call: WebCall, name: str = "idOrName") -> Answer | None:
        if call.parameters[name] in (PROJECT, self.project):
            return None
        return self.problem(404, "not_found", "Project not found.")

    # --- users and teams

    @route("GET", "/v2/user")
    def get_user(self, call: WebCall) -> Any:
        return {
            "user": {
                "id": "user_1",
                "username": "ada",
                "email": "ada@example.com",
                "name": "Ada",
                "avatar": None,
                "billing": None,
                "createdAt": 1_600_000_000_000,
                "defaultTeamId": TEAM,
                "hasTrialAvailable": False,
                "resourceConfig": {},
                "softBlock": None,
                "stagingPrefix": "ada",
            }
        }

    def _team(self) -> dict[str, Any]:
        membership = {"uid": "user_1", "role": "OWNER", "confirmed": True, "created": 1, "createdAt": 1, "teamId": TEAM}
        return {
            "id": TEAM,
            "slug": "acme",
            "name": "Acme",
            "avatar": None,
            "createdAt": 1_600_000_000_000,
            "creatorId": "user_1",
            "updatedAt": 1_600_000_000_000,
            "description": None,
            "stagingPrefix": "acme",
            "billing": {"plan": "pro"},
            "resourceConfig": {},
            "membership": membership,
        }

    @route("GET", "/v2/teams/{teamId}")
    @route("GET", "/teams/{teamId}")
    def get_team(self, call: WebCall) -> Any:
        return self._team() if call.parameters["teamId"] in self.team.values() else self._missing("team")

    @route("GET", "/v1/teams")
    @route("GET", "/v2/teams")
    def list_teams(self, call: WebCall) -> Any:
        return {"teams": [self._team()], "pagination": {"count": 1, "next": None, "prev": None}}

    # --- the project

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

    # --- deployments

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

    @route("GET", "/v1/projects/{projectId}/deployments/{deploymentId}/runtime-logs")
    def get_runtime_logs(self, call: WebCall) -> Any:
        if self.find(call.parameters["deploymentId"]) is None:
            return self._missing("deployment")
        import json

        return Answer(
            "".join(json.dumps(row) + "\n" for row in self.logs), 200, {"Content-Type": "application/stream+json"}
        )

    @route("GET", "/api/logs/request-logs")
    def get_request_logs(self, call: WebCall) -> Any:
        return {"rows": [_as_request(row) for row in self.logs], "hasMoreRows": False}

    # --- environment variables

    @route("GET", "/v10/projects/{idOrName}/env")
    def list_variables(self, call: WebCall) -> Any:
        return self._no_project(call) or {
            "envs": [{**self._shown(each), "securityIssues": []} for each in self.variables]
        }

    def _shown(self, variable: Mapping[str, Any], *, decrypted: bool = False) -> dict[str, Any]:
        value = self.secrets[variable["id"]]
        if variable["type"] == "sensitive":
            value = ""
        elif variable["type"] == "encrypted" and not decrypted:
            value = "eyJ2IjoidjIi" + value.encode().hex()[::-1]
        return {**variable, "value": value}

    @route("GET", "/v1/projects/{idOrName}/env/{id}")
    def get_variable(self, call: WebCall) -> Any:
        found = self._variable(call)
        return found if isinstance(found, Answer) else {**self._shown(found, decrypted=True), "decrypted": True}

    def _variable(self, call: WebCall) -> Any:
        refusal = self._no_project(call)
        if refusal:
            return refusal
        found = [each for each in self.variables if each["id"] == call.parameters["id"]]
        return found[0] if found else self._missing("environment variable")

    @route("POST", "/v10/projects/{idOrName}/env")
    def create_variable(self, call: WebCall) -> Any:
        refusal = self._no_project(call)
        if refusal:
            return refusal
        body = call.body[0] if isinstance(call.body, list) and len(call.body) == 1 else call.body
        targets = [body["target"]] if isinstance(body["target"], str) else list(body["target"])
        if body["type"] == "sensitive" and "development" in targets:
            return self.problem(400, "bad_request", "Sensitive variables cannot be in development")
        taken = [
            each
            for each in self.variables
            if each["key"] == body["key"]
            and each.get("gitBranch") == body.get("gitBranch")
            and {*each["target"]} & {*targets}
        ]
        if taken and call.query.get("upsert") != "true":
            return self.problem(403, "ENV_ALREADY_EXISTS", f"The variable {body['key']} exists already")
        for each in taken:
            self.variables.remove(each)
        more = {name: body[name] for name in ("gitBranch", "comment") if body.get(name)}
        made = self.variable(body["key"], body["value"], targets=targets, kind=body["type"], **more)
        created = next(each for each in self.variables if each["id"] == made)
        created["createdAt"] = created["updatedAt"] = int(time.time() * 1000)
        return Answer({"created": self._shown(created), "failed": []}, 201)

    @route("PATCH", "/v9/projects/{idOrName}/env/{id}")
    def edit_variable(self, call: WebCall) -> Any:
        found = self._variable(call)
        if isinstance(found, Answer):
            return found
        body = dict(call.body)
        if "value" in body:
            self.secrets[found["id"]] = body.pop("value")
        found.update(body, updatedAt=int(time.time() * 1000))
        return self._shown(found)

    @route("DELETE", "/v10/projects/{idOrName}/env/{id}")
    @route("DELETE", "/v9/projects/{idOrName}/env/{id}")
    def remove_variable(self, call: WebCall) -> Any:
        found = self._variable(call)
        if isinstance(found, Answer):
            return found
        shown = self._shown(found)
        self.variables.remove(found)
        return shown

    @route("GET", "/projects/{idOrName}/custom-environments")
    @route("GET", "/v9/projects/{idOrName}/custom-environments")
    def list_environments(self, call: WebCall) -> Any:
        return {"environments": []}


def log_row(
    message: str, *, level: str = "info", at: int = 1_790_000_000_000, path: str = "/", status: int = 200
) -> dict[str, Any]:
    """Return a row of runtime logs."""
    return {
        "rowId": f"row-{at}-{message[:8]}",
        "level": level,
        "message": message,
        "messageTruncated": False,
        "source": "serverless",
        "domain": "dashboard.example.com",
        "requestMethod": "GET",
        "requestPath": path,
        "responseStatusCode": status,
        "timestampInMs": at,
    }


def _as_request(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "requestId": row["rowId"],
        "timestamp": row["timestampInMs"],
        "deploymentId": "dpl_1",
        "requestMethod": row["requestMethod"],
        "requestPath": row["requestPath"],
        "statusCode": row["responseStatusCode"],
        "domain": row["domain"],
        "environment": "production",
        "events": [{"source": "serverless"}],
        "logs": [{"level": row["level"], "message": row["message"], "messageTruncated": False}],
    }


class Site(Web):
    """What visitors of the production aliases see: a page that names the deployment in production."""

    def __init__(self, vercel: Vercel) -> None:
        super().__init__()
        self.vercel = vercel

    @route("GET", "/")
    def page(self, call: WebCall) -> Answer:
        """Answer as the deployment in production does."""
        body = f"<html><body>served by {self.vercel.production}</body></html>"
        return Answer(body, 200, {"Content-Type": "text/html"})
