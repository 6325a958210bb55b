"""Vercel's REST API, as far as tasks need it: for one project of one team."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from opslib.cloud.errors import ExpiredError, MalformedError, RefusedError
from opslib.cloud.http import Answer, Http, model_of
from opslib.cloud.libraries import load
from opslib.cloud.patience import Patience

if TYPE_CHECKING:
    from opslib.cloud.vercel import models as kinds

__all__ = ["Client"]

M = TypeVar("M")
_PAGE = 100
_MOST_PAGES = 1000


class Client:
    """Asks for one project.

    address: of the API; team: id or slug, None for a personal account; project: id or name.
    """

    def __init__(self, address: str, token: str, patience: Patience, *, team: str | None, project: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._http = Http("Vercel", address, patience, extra="http", headers=headers)
        load("pydantic", "http")
        from opslib.cloud.vercel import models

        self._models = models
        self._team = {} if team is None else {"teamId" if team.startswith("team_") else "slug": team}
        self._project = quote(project, safe="")

    def project(self) -> kinds.Project:
        """Return the project."""
        return self._read(self._models.Project, f"/v9/projects/{self._project}", "the project")

    def deployment(self, name: str) -> kinds.Deployment:
        """Return a deployment by its id or host. Raises RefusedError when there is none."""
        path = f"/v13/deployments/{quote(name, safe='')}"
        return self._read(self._models.Deployment, path, f"deployment {name}")

    def deployments(self, project: str, most: int, **filters: str) -> list[kinds.Deployment]:
        """Return the newest deployments of the project with this id, at most so many, over as many pages as it takes.

        filters: `target`, `state`, `rollbackCandidate`, as the API takes them.
        """
        found: dict[str, kinds.Deployment] = {}
        until: int | None = None
        for _page in range(_MOST_PAGES):
            asked = {"projectId": project, "limit": str(min(_PAGE, most - len(found))), **filters}
            if until is not None:
                asked["until"] = str(until)
            page = self._read(self._models.Deployments, "/v7/deployments", "the list of deployments", **asked)
            for each in page.deployments:
                found.setdefault(each.key, each)
            before, until = until, page.pagination.next
            if until is None or len(found) >= most:
                return list(found.values())[:most]
            if before is not None and until >= before:
                break
        raise MalformedError("Vercel: the list of deployments does not end: its pages do not go back in time")

    def promote(self, project: str, deployment: str) -> None:
        """Ask for production to be pointed at a deployment that was built for it. Raises UnknownOutcomeError."""
        self._send("POST", f"/v10/projects/{quote(project, safe='')}/promote/{quote(deployment, safe='')}")

    def roll_back(self, project: str, deployment: str, reason: str) -> None:
        """Ask for production to be pointed at a deployment that was in production. Raises UnknownOutcomeError."""
        more = {"description": reason} if reason else {}
        path = f"/v1/projects/{quote(project, safe='')}/rollback/{quote(deployment, safe='')}"
        self._send("POST", path, **more)

    def variables(self) -> list[kinds.Variable]:
        """Return the environment variables of all environments. Raises MalformedError for a part of them."""
        path = f"/v10/projects/{self._project}/env"
        page = self._read(self._models.Variables, path, "the environment variables")
        if page.pagination is not None and page.pagination.next is not None:
            raise MalformedError(f"Vercel: the list of environment variables is cut after {len(page.envs)}")
        return page.envs

    def value(self, variable: str) -> str:
        """Return the value of a variable that can be read, by its id."""
        path = f"/v1/projects/{self._project}/env/{quote(variable, safe='')}"
        return self._read(self._models.Variable, path, "an environment variable").value

    def put_variable(self, key: str, value: str, kind: str, targets: list[str]) -> None:
        """Give a variable a value, whether it is there or not."""
        body = {"key": key, "value": value, "type": kind, "target": targets}
        answer = self._send("POST", f"/v10/projects/{self._project}/env", body, upsert="true")
        failed = model_of(self._models.Created, answer.json(), f"Vercel: setting {key}").failed
        if failed:
            raise RefusedError(f"Vercel: {key} was not set: {_why(failed[0])}")

    def change_variable(self, variable: str, **changes: Any) -> None:
        """Change members of a variable, by its id."""
        self._send("PATCH", f"/v9/projects/{self._project}/env/{quote(variable, safe='')}", changes)

    def remove_variable(self, variable: str) -> None:
        """Remove a variable, by its id."""
        self._send("DELETE", f"/v9/projects/{self._project}/env/{quote(variable, safe='')}")

    def build_log(self, deployment: str, lines: int) -> list[kinds.Event]:
        """Return the last lines of the log of a build."""
        path = f"/v3/deployments/{quote(deployment, safe='')}/events"
        asked = {"direction": "backward", "limit": str(lines), "builds": "1"}
        found = self._read(list[self._models.Event], path, "a build log", **asked)  # type: ignore[name-defined]
        return sorted(found, key=lambda event: event.created)

    def _read(self, kind: type[M], path: str, what: str, **query: str) -> M:
        try:
            answer = self._http.get(path, params={**self._team, **query})
        except RefusedError as error:
            raise _told(error) from error
        return model_of(kind, answer.json(), f"Vercel: {what}")

    def _send(self, method: str, path: str, body: Any = None, **query: str) -> Answer:
        try:
            return self._http.send(method, path, json=body, params={**self._team, **query})
        except RefusedError as error:
            raise _told(error) from error


def _told(error: RefusedError) -> RefusedError | ExpiredError:
    """Vercel answers 403 `forbidden` to a token that is not good, or no longer."""
    if error.status == 403 and error.code == "forbidden":
        words = f"{error}; the token is wrong or has expired, or may not enter this team"
        return ExpiredError(words, code=error.code, status=403)
    return error


def _why(failed: dict[str, object]) -> str:
    inner = failed.get("error")
    words = inner.get("message") if isinstance(inner, dict) else None
    return ascii(words)[1:-1][:300] if isinstance(words, str) else "no reason was given"
