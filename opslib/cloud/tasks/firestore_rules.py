"""Read, test and release security rules of Firestore; also for a while only."""

from __future__ import annotations

import functools
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from opslib.cloud.gcp.firebase_rules import FirebaseRules, Release, Verdict
from opslib.cloud.gcp.firestore_task import FirestoreTask
from opslib.cloud.gcp.rules_text import Temporary, UnfitError, bound, insert, strip, temporary_of
from opslib.cloud.gcp.times import stamp
from opslib.cloud.task import CREATE, MODIFY, Change, Plan, TaskError, param
from opslib.host.params import Choice, Duration, ListOf, Mapping, Path, Text, shown

__all__ = ["FirestoreRules"]

READ, TEST, DEPLOY, TEMPORARY, REVERT = "read", "test", "deploy", "temporary", "revert"
_LONGEST = 3600.0
_MOST_TEXT = 256 << 10  # https://firebase.google.com/docs/rules/manage-deploy, limits
_METHODS = ("get", "list", "create", "update", "delete")


@dataclass(frozen=True, slots=True)
class _State:
    release: Release | None
    temporary: Temporary | None
    now: datetime
    wanted: str
    verdict: Verdict | None


class FirestoreRules(FirestoreTask, name="firestore_rules"):
    """Read, test or release the security rules of a Firestore database.

    mode: `read` tells what is in force; `test` compiles rules and tries `cases` on them; `deploy` does the same, then
    releases them; `temporary` adds the `match` blocks in `add` to the rules that are in force, for `ttl`; `revert`
    takes these out again. What is released must compile and pass the cases; nothing is released over what somebody
    else released in between: that is looked at right before each request, for the service knows no precondition.

    Temporary rules end by themselves, even if nobody ever comes back: every `allow` of them is also bound to
    `request.time`, so that after the time to live the rules grant no more than they did before. A later `revert` only
    tidies up. Google may take a minute until a release is in force everywhere.

    data: `ruleset` (name), `released` (UTC), `source`, `temporary` (null, or `until` (UTC), `over`, the ruleset before,
    and `expired`), `warnings` of the compiler.
    """

    mode: str = param(Choice(READ, TEST, DEPLOY, TEMPORARY, REVERT), "What to do.", default=READ)
    source: str | None = param(
        Text("text of rules", lines=True),
        "The rules, for `test` and `deploy`; `test` takes those in force otherwise.",
        default=None,
    )
    file: str | None = param(
        Path(),
        "Instead of `source`: a file on this machine that holds the rules.",
        default=None,
        example="/srv/firestore.rules",
    )
    cases: list[dict[str, Any]] = param(
        ListOf(Mapping(), longest=200),
        "What must be allowed or denied: `expect` (allow, deny), `method` (get, list, create, update, delete), `path` "
        "of a document, `user` (id; nobody if not given), `there` (the document's fields), `new` (fields written).",
        default=[],
        example=[{"expect": "deny", "method": "get", "path": "users/u1"}],
    )
    add: str | None = param(
        Text("match blocks", lines=True), "For `temporary`: blocks such as `match /users/{user} { … }`.", default=None
    )
    ttl: float = param(Duration(low=1), "For `temporary`: seconds until they grant nothing; at most 1h.", default="10m")

    def check(self) -> None:
        if self.source is not None and self.file is not None:
            self.refuse("give source or file, not both")
        if self.mode == DEPLOY and self.source is None and self.file is None:
            self.refuse("give source or file: the rules to release")
        if (self.mode == TEMPORARY) != (self.add is not None):
            self.refuse("add is for mode temporary, which needs it")
        if self.ttl > _LONGEST:
            self.refuse(
                f"ttl {self.ttl:g} is more than {_LONGEST:g} seconds; what is needed longer is no temporary rule"
            )
        if self.add is not None:
            try:
                bound(self.add, datetime.fromtimestamp(0).astimezone())
            except UnfitError as error:
                self.refuse(f"add: {error}")
        for number, case in enumerate(self.cases):
            wrong = _wrong_case(case)
            if wrong:
                self.refuse(f"cases: item {number + 1}: {wrong}")

    @functools.cached_property
    def rules(self) -> FirebaseRules:
        """The rules of the database."""
        return FirebaseRules(self, self.database)

    @functools.cached_property
    def _given(self) -> str | None:
        """The text that was given, None when none was."""
        if self.file is None:
            return self.source
        try:
            with open(self.file, encoding="utf-8") as file:
                text = file.read(_MOST_TEXT + 1)
        except (OSError, ValueError) as error:
            raise TaskError(f"{self.file} cannot be read: {error}") from error
        if not text.strip() or len(text) > _MOST_TEXT:
            raise TaskError(f"{self.file} is empty, or longer than the {_MOST_TEXT >> 10} KiB that rules may have")
        return text

    def look(self) -> _State:
        release = self.rules.release()
        temporary = temporary_of(release.text) if release is not None else None
        now = self.rules.now()
        wanted = self._wanted(release, temporary, now)
        verdict = None
        if self.mode in (TEST, DEPLOY, TEMPORARY):
            verdict = self.rules.test(wanted, [_as_asked(case, self.database) for case in self.cases])
        return _State(release, temporary, now, wanted, verdict)

    def _wanted(self, release: Release | None, temporary: Temporary | None, now: datetime) -> str:
        """Return the text that is to be in force, or to be tested."""
        if release is None:
            if self.mode in (TEMPORARY, REVERT) or (self.mode == TEST and self._given is None):
                raise TaskError(f"no rules were ever released in {self.project}")
            return self._given or ""
        if self.mode == REVERT:
            return strip(release.text)
        if self.mode == TEMPORARY:
            assert self.add is not None
            if temporary is not None and temporary.until > now and bound(self.add, temporary.until) == temporary.blocks:
                return release.text
            until = (now + timedelta(seconds=self.ttl)).replace(microsecond=0)
            over = temporary.ruleset if temporary is not None else release.ruleset
            try:
                return insert(strip(release.text), bound(self.add, until), until, over)
            except UnfitError as error:
                raise TaskError(f"nothing can be added to {release.ruleset}: {error}") from error
        return self._given if self._given is not None else release.text

    def compare(self, state: _State) -> Plan:
        data = _data(state)
        warnings = list(data["warnings"][:5])
        if state.temporary is not None and data["temporary"]["expired"] and self.mode != REVERT:
            warnings.append(
                "temporary rules are still released, and grant nothing any more; mode revert takes them out"
            )
        if state.verdict is not None and state.verdict.failure:
            return Plan(
                failure=f"these rules must not be released: {state.verdict.failure}", data=data, warnings=warnings
            )
        if self.mode == TEST:
            passed = f", and {len(self.cases)} of {len(self.cases)} cases go as expected" if self.cases else ""
            return Plan(reason=f"the rules compile{passed}", data=data, warnings=warnings)
        if self.mode == READ or (state.release is not None and state.release.text == state.wanted):
            return Plan(reason=self._reason(state), data=data, warnings=warnings)
        change = Change(
            kind=CREATE if state.release is None else MODIFY,
            summary=self._summary(state),
            before=state.release.text if state.release is not None else None,
            after=state.wanted,
            detail=state,
        )
        return Plan(changes=[change], data=data, warnings=warnings)

    def apply(self, change: Change) -> None:
        state: _State = change.detail
        ruleset = None
        if self.mode == REVERT and state.temporary is not None and state.temporary.ruleset:
            before = f"projects/{self.project}/rulesets/{state.temporary.ruleset.rpartition('/')[2]}"
            ruleset = before if self.rules.text(before) == state.wanted else None
        if ruleset is None:
            ruleset = self.rules.create(state.wanted)
        self.rules.publish(ruleset, state.release)
        self.say(f"released {ruleset}")

    def _summary(self, state: _State) -> str:
        if self.mode == REVERT and state.temporary is not None:
            return f"take out the temporary rules of until {stamp(state.temporary.until)}"
        if self.mode == TEMPORARY:
            found = temporary_of(state.wanted)
            assert found is not None
            return f"add temporary rules, which grant nothing from {stamp(found.until)} on"
        over = "" if state.temporary is None else ", temporary ones among those that go"
        return f"release security rules{over}"

    def _reason(self, state: _State) -> str:
        if state.release is None:
            return f"no rules were ever released in {self.project}"
        if self.mode == REVERT:
            return "there are no temporary rules"
        if self.mode == TEMPORARY and state.temporary is not None:
            left = (state.temporary.until - state.now).total_seconds()
            return f"these temporary rules are in force for another {left:.0f} s, until {stamp(state.temporary.until)}"
        if self.mode == DEPLOY:
            return f"these rules are in force since {stamp(state.release.updated)}"
        return f"{state.release.ruleset} is in force since {stamp(state.release.updated)}"


def _data(state: _State) -> dict[str, Any]:
    temporary = state.temporary
    return {
        "ruleset": state.release.ruleset if state.release else None,
        "released": stamp(state.release.updated) if state.release else None,
        "source": state.release.text if state.release else None,
        "temporary": {
            "until": stamp(temporary.until),
            "over": temporary.ruleset or None,
            "expired": temporary.until <= state.now,
        }
        if temporary is not None
        else None,
        "warnings": list(state.verdict.warnings) if state.verdict is not None else [],
    }


def _wrong_case(case: AnyMapping[str, Any]) -> str:
    unknown = set(case) - {"expect", "method", "path", "user", "there", "new"}
    if unknown:
        return f"{shown(min(unknown))} is none of expect, method, path, user, there, new"
    if case.get("expect") not in ("allow", "deny"):
        return f"expect is {shown(case.get('expect'))}; give allow or deny"
    if case.get("method") not in _METHODS:
        return f"method is {shown(case.get('method'))}; give one of {', '.join(_METHODS)}"
    path = case.get("path")
    if not isinstance(path, str) or not path.strip("/") or path.count("/") % 2 == 0 or "//" in path or ".." in path:
        return f"path is {shown(path)}; give that of a document, such as users/u1"
    if not isinstance(case.get("user", ""), str | None):
        return f"user is {shown(case['user'])}; give an id"
    for name in ("there", "new"):
        if not isinstance(case.get(name, {}), dict):
            return f"{name} is {shown(case[name])}; give fields with values"
    return ""


def _as_asked(case: AnyMapping[str, Any], database: str) -> dict[str, Any]:
    """Return a case in the form that the service takes."""
    path = f"/databases/{database}/documents/{case['path']}"
    user = case.get("user")
    request: dict[str, Any] = {"method": case["method"], "path": path, "auth": {"uid": user} if user else None}
    if "new" in case:
        request["resource"] = {"data": case["new"]}
    asked: dict[str, Any] = {"expectation": case["expect"].upper(), "request": request}
    return asked | ({"resource": {"data": case["there"]}} if "there" in case else {})
