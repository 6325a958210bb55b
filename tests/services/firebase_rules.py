"""firebaserules.googleapis.com, with Google's Firestore emulator as compiler and as the place where rules come into force.

A release of `cloud.firestore` changes what the emulator lets people do in that project. Test cases are carried out
there, too: each by a request of the user it names, on the document it describes. Requests and answers are held against
Google's description (firebaserules.v1).

It cannot show: rules of other services than Firestore's default database, mocked functions and times in test cases
(they are refused), and the seconds to minutes that Google takes until a release is in force everywhere.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any

from services.firestore import FirestoreEmulator, Refused
from services.google import Google, GoogleCall, GoogleProblem, own

__all__ = ["FirebaseRules"]

_SCRATCH = "opslib-rules"
_RELEASE = "cloud.firestore"
_DOCUMENTS = "/databases/(default)/documents/"


class FirebaseRules(Google):
    """The service, over an emulator; `page_size`: the most that one page of a listing holds."""

    document = "firebaserules.v1"
    variables = {"FIREBASE_RULES_URL": "{url}"}

    def __init__(self, emulator: FirestoreEmulator) -> None:
        self.emulator = emulator
        super().__init__()

    def forget(self) -> None:
        """Remove rulesets and releases; the emulator's own `reset` opens it again."""
        self.rulesets: dict[str, dict[str, Any]] = {}
        self.releases: dict[str, dict[str, Any]] = {}
        self.page_size = 10

    def deploy(self, project: str, text: str) -> str:
        """Put rules into force behind the service's back; return the name of the ruleset."""
        name = self._new_ruleset(project, text)
        release = f"projects/{project}/releases/{_RELEASE}"
        now = _now()
        self.releases[release] = {"name": release, "rulesetName": name, "createTime": now, "updateTime": now}
        self.emulator.set_rules(project, text)
        return name

    def in_force(self, project: str) -> str:
        """Return the text of the rules of a project that are released."""
        ruleset = self.rulesets[self.releases[f"projects/{project}/releases/{_RELEASE}"]["rulesetName"]]
        return str(ruleset["source"]["files"][0]["content"])

    @own("projects.test", mutates=False)
    def _test(self, call: GoogleCall) -> Any:
        name = call.parts["name"]
        text = _text(call.body) if "source" in call.body else _text(self._ruleset(name))
        issues = self._issues(text)
        answer: dict[str, Any] = {"issues": issues} if issues else {}
        if any(issue["severity"] == "ERROR" for issue in issues):
            return answer
        cases = call.body.get("testSuite", {}).get("testCases", [])
        return answer | ({"testResults": [self._tried(case) for case in cases]} if cases else {})

    @own("rulesets.create")
    def _create_ruleset(self, call: GoogleCall) -> Any:
        text = _text(call.body)
        for issue in self._issues(text):
            if issue["severity"] == "ERROR":
                at = issue["sourcePosition"]
                raise GoogleProblem("INVALID_ARGUMENT", f"L{at['line']}:{at['column']} {issue['description']}")
        return self.rulesets[self._new_ruleset(call.parts["name"].removeprefix("projects/"), text)]

    @own("rulesets.get")
    def _get_ruleset(self, call: GoogleCall) -> Any:
        return self._ruleset(call.parts["name"])

    @own("rulesets.list")
    def _list_rulesets(self, call: GoogleCall) -> Any:
        mine = [each for name, each in self.rulesets.items() if name.startswith(call.parts["name"] + "/")]
        bare = [{key: value for key, value in each.items() if key != "source"} for each in reversed(mine)]
        return self._page(call, "rulesets", bare)

    @own("rulesets.delete")
    def _delete_ruleset(self, call: GoogleCall) -> Any:
        name = self._ruleset(call.parts["name"])["name"]
        if any(release["rulesetName"] == name for release in self.releases.values()):
            raise GoogleProblem("FAILED_PRECONDITION", "Ruleset cannot be deleted while it is referenced by a release.")
        del self.rulesets[name]
        return {}

    @own("releases.create")
    def _create_release(self, call: GoogleCall) -> Any:
        name, now = call.body["name"], _now()
        if name in self.releases:
            raise GoogleProblem("ALREADY_EXISTS", "Requested entity already exists")
        self._enforce(name, call.body["rulesetName"])
        self.releases[name] = {
            "name": name,
            "rulesetName": call.body["rulesetName"],
            "createTime": now,
            "updateTime": now,
        }
        return self.releases[name]

    @own("releases.get")
    def _get_release(self, call: GoogleCall) -> Any:
        return self._release(call.parts["name"])

    @own("releases.list")
    def _list_releases(self, call: GoogleCall) -> Any:
        mine = [each for name, each in self.releases.items() if name.startswith(call.parts["name"] + "/")]
        return self._page(call, "releases", mine)

    @own("releases.patch")
    def _patch_release(self, call: GoogleCall) -> Any:
        release = self._release(call.parts["name"])
        wanted = call.body.get("release", {})
        if wanted.get("name") != release["name"]:
            raise GoogleProblem("INVALID_ARGUMENT", "Release rename is not supported.")
        self._enforce(release["name"], wanted.get("rulesetName", ""))
        release.update(rulesetName=wanted["rulesetName"], updateTime=_now())
        return release

    @own("releases.delete")
    def _delete_release(self, call: GoogleCall) -> Any:
        del self.releases[self._release(call.parts["name"])["name"]]
        return {}

    # How it does it

    def _page(self, call: GoogleCall, key: str, items: list[dict[str, Any]]) -> dict[str, Any]:
        first = int(call.query.get("pageToken") or 0)
        size = min(int(call.query.get("pageSize") or 10), self.page_size)
        page: dict[str, Any] = {key: items[first : first + size]}
        return page | ({"nextPageToken": str(first + size)} if len(items) > first + size else {})

    def _ruleset(self, name: str) -> dict[str, Any]:
        if name not in self.rulesets:
            raise GoogleProblem("NOT_FOUND", "Requested entity was not found.")
        return self.rulesets[name]

    def _release(self, name: str) -> dict[str, Any]:
        if name not in self.releases:
            raise GoogleProblem("NOT_FOUND", "Requested entity was not found.")
        return self.releases[name]

    def _new_ruleset(self, project: str, text: str) -> str:
        name = f"projects/{project}/rulesets/{uuid.uuid4()}"
        source = {"files": [{"name": "firestore.rules", "content": text}]}
        services = {"services": [_RELEASE]} if "cloud.firestore" in text else {}
        self.rulesets[name] = {"name": name, "source": source, "createTime": _now(), "metadata": services}
        return name

    def _enforce(self, release: str, ruleset: str) -> None:
        text = _text(self._ruleset(ruleset))
        if release.endswith(f"/releases/{_RELEASE}"):
            self.emulator.set_rules(release.split("/")[1], text)

    def _issues(self, text: str) -> list[dict[str, Any]]:
        """Let the emulator compile rules."""
        import json

        try:
            files = {"rules": {"files": [{"name": "firestore.rules", "content": text}]}}
            answer = self.emulator.request("PUT", f"/emulator/v1/projects/{_SCRATCH}:securityRules", files)
            found: list[dict[str, Any]] = json.loads(answer).get("issues", [])
        except Refused as refused:
            return [_error(line) for line in refused.message.splitlines()[1:] or [refused.message]]
        for issue in found:
            issue["sourcePosition"] = {"fileName": "firestore.rules"} | {
                key: value for key, value in issue["sourcePosition"].items() if key in ("line", "column")
            }
        return found

    def _tried(self, case: dict[str, Any]) -> dict[str, Any]:
        """Carry out a test case on the rules that were compiled last."""
        request = case.get("request", {})
        if "time" in request or "functionMocks" in case:
            raise GoogleProblem("UNIMPLEMENTED", "this fake knows no times and no mocks in test cases")
        path = f"/v1/projects/{_SCRATCH}{request['path']}"
        self.emulator.request("DELETE", f"/emulator/v1/projects/{_SCRATCH}{_DOCUMENTS.rstrip('/')}")
        if "resource" in case:
            self.emulator.request("PATCH", path, {"fields": _fields(case["resource"].get("data", {}))})
        verb, body = _request(request["method"], request)
        if request["method"] == "list":
            parent, _slash, collection = path.rpartition("/")[0].rpartition("/")
            path, body = f"{parent}:runQuery", {"structuredQuery": {"from": [{"collectionId": collection}]}}
        user = (request.get("auth") or {}).get("uid")
        allowed = self.emulator.allowed(path, user=user, method=verb, body=body)
        if allowed == (case.get("expectation") == "ALLOW"):
            return {"state": "SUCCESS"}
        return {
            "state": "FAILURE",
            "debugMessages": [f"Expected {case.get('expectation')}, but it was {'ALLOW' if allowed else 'DENY'}"],
        }


def _request(method: str, request: dict[str, Any]) -> tuple[str, Any]:
    verbs = {"get": "GET", "list": "POST", "create": "PATCH", "update": "PATCH", "delete": "DELETE"}
    if method not in verbs:
        raise GoogleProblem("INVALID_ARGUMENT", f"Unknown method {method}")
    wanted = request.get("resource", {}).get("data", {})
    return verbs[method], {"fields": _fields(wanted)} if verbs[method] == "PATCH" else None


def _text(holder: dict[str, Any]) -> str:
    files = holder.get("source", {}).get("files", [])
    if not files:
        raise GoogleProblem("INVALID_ARGUMENT", "The source holds no file.")
    return str(files[0].get("content", ""))


def _error(line: str) -> dict[str, Any]:
    found = re.fullmatch(r"L(\d+):(\d+) (.*)", line)
    at, words = ((int(found[1]), int(found[2])), found[3]) if found else ((1, 1), line)
    place = {"fileName": "firestore.rules", "line": at[0], "column": at[1]}
    return {"sourcePosition": place, "description": words, "severity": "ERROR"}


def _fields(data: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in data.items()}


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool) or value is None:
        return {"nullValue": None} if value is None else {"booleanValue": value}
    if isinstance(value, int | float):
        return {"integerValue": str(value)} if isinstance(value, int) else {"doubleValue": value}
    if isinstance(value, dict):
        return {"mapValue": {"fields": _fields(value)}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(each) for each in value]}}
    return {"stringValue": str(value)}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
