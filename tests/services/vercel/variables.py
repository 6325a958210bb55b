"""Environment variables of the Vercel fake."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from services.vercel.state import State
from services.web import Answer, WebCall, route

__all__ = ["Variables"]


class Variables(State):
    """Values can be read back unless they are sensitive."""

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
