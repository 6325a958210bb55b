"""What the Vercel fake remembers, who may ask, and how it refuses."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Response

from services.back_end import EXPIRED
from services.faults import Call, Fault
from services.web import Answer, Web, WebCall

__all__ = ["PROJECT", "TEAM", "Deployment", "State"]

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


class State(Web):
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
