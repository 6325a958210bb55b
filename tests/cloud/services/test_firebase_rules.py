"""The Firebase Rules back end: what is released there decides what people may do in the emulator."""

from __future__ import annotations

import pytest
import requests

CLOSED = """rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    match /users/{user} {
      allow read: if request.auth != null && request.auth.uid == user;
    }
  }
}
"""
USER = "/v1/projects/prod/databases/(default)/documents/users/u1"


@pytest.fixture
def rules(google):
    google.emulator.request("PATCH", USER, {"fields": {}})
    google.emulator.use("prod")
    return google.rules


def post(rules, path, body, verb="POST"):
    return requests.request(verb, f"{rules.url}/v1/projects/prod{path}", json=body, timeout=200)


def source(text):
    return {"source": {"files": [{"name": "firestore.rules", "content": text}]}}


def deploy(rules, text):
    ruleset = post(rules, "/rulesets", source(text)).json()["name"]
    release = {"name": "projects/prod/releases/cloud.firestore", "rulesetName": ruleset}
    answer = post(rules, "/releases/cloud.firestore", {"release": release}, "PATCH")
    return post(rules, "/releases", release) if answer.status_code == 404 else answer


def test_a_release_changes_what_people_may_do(rules):
    allowed = rules.emulator.allowed
    assert allowed(USER)
    assert deploy(rules, CLOSED).status_code == 200
    assert (allowed(USER), allowed(USER, user="u1"), allowed(USER, user="u2")) == (False, True, False)
    assert deploy(rules, CLOSED.replace("&& request.auth.uid == user", "")).status_code == 200
    assert allowed(USER, user="u2")
    assert [call.operation for call in rules.mutations] == [
        "rulesets.create", "releases.patch", "releases.create", "rulesets.create", "releases.patch",
    ]  # fmt: skip


def test_rules_that_do_not_compile_are_neither_kept_nor_released(rules):
    wrong = CLOSED.replace("!= null", "= null")
    answer = post(rules, ":test", source(wrong)).json()
    issue = answer["issues"][0]
    assert (issue["severity"], issue["sourcePosition"]["line"]) == ("ERROR", 5)
    assert "Unexpected" in issue["description"]
    assert post(rules, "/rulesets", source(wrong)).status_code == 400
    assert rules.rulesets == {}
    assert rules.emulator.allowed(USER)


def test_warnings_do_not_stop_anything(rules):
    answer = post(rules, ":test", source(CLOSED.replace("rules_version = '2';\n", ""))).json()
    assert [issue["severity"] for issue in answer["issues"]] == ["WARNING"]


def test_test_cases_are_carried_out(rules):
    def case(expectation, method, uid, **more):
        path = "/databases/(default)/documents/users/u1"
        auth = {"uid": uid} if uid else None
        return {"expectation": expectation, "request": {"method": method, "path": path, "auth": auth}, **more}

    there = {"resource": {"data": {"n": 1}}}
    suite = [
        case("ALLOW", "get", "u1", **there),
        case("DENY", "get", None, **there),
        case("DENY", "update", "u1", **there),
        case("ALLOW", "get", "u2"),
        case("DENY", "list", "u2"),
    ]
    answer = post(rules, ":test", {**source(CLOSED), "testSuite": {"testCases": suite}}).json()
    assert [result["state"] for result in answer["testResults"]] == [
        "SUCCESS",
        "SUCCESS",
        "SUCCESS",
        "FAILURE",
        "SUCCESS",
    ]
    assert rules.emulator.allowed(USER)
    assert rules.mutations == []


def test_releases_and_rulesets_have_their_own_rules(rules):
    deploy(rules, CLOSED)
    name = rules.releases["projects/prod/releases/cloud.firestore"]["rulesetName"]
    assert requests.delete(f"{rules.url}/v1/{name}", timeout=200).json()["error"]["status"] == "FAILED_PRECONDITION"
    assert requests.get(f"{rules.url}/v1/{name}", timeout=200).json()["source"]["files"][0]["content"] == CLOSED
    release = {"name": "projects/prod/releases/cloud.firestore", "rulesetName": "projects/prod/rulesets/none"}
    assert post(rules, "/releases/cloud.firestore", {"release": release}, "PATCH").status_code == 404
    assert post(rules, "/releases", release).status_code == 409
    for _number in range(4):
        deploy(rules, CLOSED)
    rules.page_size = 3
    first = requests.get(f"{rules.url}/v1/projects/prod/rulesets", timeout=200).json()
    assert (len(first["rulesets"]), first["nextPageToken"], "source" in first["rulesets"][0]) == (3, "3", False)


def test_what_contradicts_the_description_is_refused(rules):
    answer = post(rules, "/rulesets", {"source": {"file": []}})
    assert (answer.status_code, rules.rulesets) == (400, {})
    assert (
        "Source has no member file" in answer.json()["error"]["message"]
        or "source has no" in answer.json()["error"]["message"]
    )
