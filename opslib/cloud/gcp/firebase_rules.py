"""Security rules of Firestore: rulesets, and the release that says which of them is in force.

Source: the REST reference of Firebase Rules v1.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opslib.cloud.errors import MalformedError, RefusedError, UnknownOutcomeError
from opslib.cloud.gcp.api import GoogleApi
from opslib.cloud.gcp.objects import said
from opslib.cloud.gcp.task import GcpTask
from opslib.cloud.gcp.times import moment_of
from opslib.host.task import TaskError

__all__ = ["FirebaseRules", "Release", "Verdict"]

_ADDRESS = "https://firebaserules.googleapis.com"
_ENDPOINT = "FIREBASE_RULES_URL"
_RULESET = re.compile(r"projects/[^/]+/rulesets/[\w-]+")
_RECENT = 10


@dataclass(frozen=True, slots=True)
class Release:
    """What is in force: the ruleset's name, its text, and since when."""

    ruleset: str
    text: str
    updated: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a test found: errors and warnings with their places, and which cases went otherwise than expected."""

    errors: Sequence[str]
    warnings: Sequence[str]
    wrong: Sequence[str]

    @property
    def failure(self) -> str:
        """Why these rules must not be released, "" when they may."""
        found = [*self.errors, *self.wrong]
        return "; ".join(found[:5]) + (f"; and {len(found) - 5} more" if len(found) > 5 else "")


class FirebaseRules:
    """The service for one task, its project, and one database."""

    def __init__(self, task: GcpTask, database: str) -> None:
        self._task = task
        self._project = f"projects/{task.project}"
        release = "cloud.firestore" if database == "(default)" else f"cloud.firestore/{database}"
        self._release = f"{self._project}/releases/{release}"

    @functools.cached_property
    def _api(self) -> GoogleApi:
        return GoogleApi(self._task, "Firebase Rules", _ADDRESS, _ENDPOINT)

    def now(self) -> datetime:
        """Return the service's own time; rules are judged by it."""
        return self._api.get(f"/v1/{self._project}/releases", params={"pageSize": 1}).moment()

    def release(self) -> Release | None:
        """Return what is in force, None when nothing was ever released."""
        try:
            found = self._api.get(f"/v1/{self._release}").json()
        except RefusedError as error:
            if error.status == 404:
                return None
            raise
        name = found.get("rulesetName") if isinstance(found, dict) else None
        if not isinstance(name, str) or not _RULESET.fullmatch(name) or found.get("name") != self._release:
            raise MalformedError(f"Firebase Rules: the answer is no release of {self._release}: {said(found)}")
        text = self.text(name)
        if text is None:
            raise MalformedError(f"Firebase Rules: {name} is released, and cannot be read")
        return Release(name, text, moment_of(found.get("updateTime"), "updateTime"))

    def text(self, ruleset: str) -> str | None:
        """Return the text of a ruleset, None when there is none of that name."""
        try:
            found = self._api.get(f"/v1/{ruleset}").json()
        except RefusedError as error:
            if error.status == 404:
                return None
            raise
        files = (found.get("source") or {}).get("files") if isinstance(found, dict) else None
        if not isinstance(files, list) or not all(isinstance(each, dict) for each in files) or not files:
            raise MalformedError(f"Firebase Rules: {said(ruleset)} makes no sense: {said(found)}")
        if len(files) > 1:
            raise TaskError(f"{said(ruleset)} consists of {len(files)} files; this is for rules in one file")
        content = files[0].get("content", "")
        if not isinstance(content, str):
            raise MalformedError(f"Firebase Rules: {said(ruleset)} makes no sense: {said(found)}")
        return content

    def test(self, text: str, cases: Sequence[dict[str, Any]] = ()) -> Verdict:
        """Let the service compile rules and try cases on them; this changes nothing."""
        asked: dict[str, Any] = {"source": _source(text)}
        if cases:
            asked["testSuite"] = {"testCases": list(cases)}
        path = f"/v1/{self._project}:test"
        found = self._task.patience.read(
            lambda: self._api.once("POST", path, json=asked), doing="testing security rules"
        ).json()
        try:
            issues = [(each["severity"], _issue(each)) for each in found.get("issues", [])]
            results = [each["state"] for each in found.get("testResults", [])]
        except (AttributeError, LookupError, TypeError, ValueError):
            raise MalformedError(f"testing security rules: the answer makes no sense: {said(found)}") from None
        errors = [words for severity, words in issues if severity == "ERROR"]
        if not errors and len(results) != len(cases):
            raise MalformedError(f"testing security rules: {len(cases)} cases have {len(results)} results")
        wrong = [_case(case) for case, state in zip(cases, results, strict=False) if state != "SUCCESS"]
        return Verdict(errors, [words for severity, words in issues if severity != "ERROR"], wrong)

    def create(self, text: str) -> str:
        """Make a ruleset, and return its name; when the answer is lost, look for it among the newest."""
        known = set(self._newest())
        try:
            answer = self._api.send("POST", f"/v1/{self._project}/rulesets", json={"source": _source(text)}).json()
        except UnknownOutcomeError:
            for name in self._newest():
                if name not in known and self.text(name) == text:
                    return name
            raise
        return _name(answer)

    def publish(self, ruleset: str, before: Release | None) -> None:
        """Put a ruleset into force instead of what was seen there. Raises TaskError if that has changed meanwhile.

        The service knows no precondition, so what is in force is looked at right before each request.
        """
        release = {"name": self._release, "rulesetName": ruleset}

        def send() -> None:
            now = self.release()
            if now is not None and now.ruleset == ruleset:
                return
            if now != before:
                raise TaskError(
                    f"somebody else released {now.ruleset if now else 'nothing'} meanwhile; it was left so: look, and "
                    "run this again"
                )
            if before is None:
                self._api.once("POST", f"/v1/{self._project}/releases", json=release)
            else:
                self._api.once("PATCH", f"/v1/{self._release}", json={"release": release})

        self._task.patience.read(send, doing=f"releasing {ruleset}")

    def _newest(self) -> list[str]:
        found = self._api.get(f"/v1/{self._project}/rulesets", params={"pageSize": _RECENT}).json()
        listed = found.get("rulesets", []) if isinstance(found, dict) else None
        if not isinstance(listed, list):
            raise MalformedError("Firebase Rules: the answer is no listing of rulesets")
        return [_name(each) for each in listed]


def _source(text: str) -> dict[str, Any]:
    return {"files": [{"name": "firestore.rules", "content": text}]}


def _name(ruleset: Any) -> str:
    name = ruleset.get("name") if isinstance(ruleset, dict) else None
    if not isinstance(name, str) or not _RULESET.fullmatch(name):
        raise MalformedError(f"Firebase Rules: the answer is no ruleset: {said(ruleset)}")
    return name


def _issue(each: dict[str, Any]) -> str:
    place = each.get("sourcePosition") or {}
    return f"line {int(place.get('line', 0))}, column {int(place.get('column', 0))}: {said(each['description'])}"


def _case(case: dict[str, Any]) -> str:
    request = case["request"]
    who = (request.get("auth") or {}).get("uid") or "nobody"
    return f"{request['method']} of {said(request['path'])} by {said(who)} is not to be expected: {case['expectation']}"
