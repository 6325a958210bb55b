"""Security rules: released after they were proven, and temporary ones that end by themselves."""

from __future__ import annotations

import time

import pytest

from support.cloud import run
from support.firestore import PROD, aside

RULES = """rules_version = '2';
service cloud.firestore {
  match /databases/{database}/documents {
    // 'people' see their own } only
    match /users/{user} {
      allow read: if request.auth != null && request.auth.uid == user;
    }
  }
}
"""
LOOSE = RULES.replace(" && request.auth.uid == user", "")
ADD = """match /users/{user} {
  allow read: if true;  // for support; only now
}"""
PROJECT = PROD["project"]
DOCUMENTS = f"/v1/projects/{PROJECT}/databases/(default)/documents"
USER = f"{DOCUMENTS}/users/u1"


def rules(mode, *, check=False, **more):
    return run("firestore_rules", {**PROD, "mode": mode, **more}, check=check)


@pytest.fixture
def world(google):
    google.firestore.make_database(PROJECT)
    google.emulator.request("PATCH", USER, {"fields": {}})
    google.rules.deploy(PROJECT, RULES)
    google.forget_requests()
    return google


def who_reads(world):
    allowed = world.emulator.allowed
    return [user for user in ("nobody", "u1", "u2") if allowed(USER, user=None if user == "nobody" else user)]


def operations(world):
    return [call.operation for call in world.rules.mutations]


def test_rules_are_read_and_tested_without_a_change(world):
    found = rules("read")
    assert (found.status, found.data["source"], found.data["temporary"]) == ("ok", RULES, None)
    assert found.data["ruleset"].startswith(f"projects/{PROJECT}/rulesets/")
    cases = [
        {"expect": "allow", "method": "get", "path": "users/u1", "user": "u1"},
        {"expect": "deny", "method": "get", "path": "users/u1", "user": "u2"},
        {"expect": "deny", "method": "update", "path": "users/u1", "user": "u1", "there": {"n": 1}, "new": {"n": 2}},
    ]
    assert rules("test", cases=cases).reason == "the rules compile, and 3 of 3 cases go as expected"
    wrong = rules("test", source=LOOSE, cases=cases)
    assert "get of /databases/(default)/documents/users/u1 by u2 is not to be expected: DENY" in wrong.error
    assert world.mutations == []


def test_rules_are_released_once_with_a_diff(world, tmp_path):
    checked = rules("deploy", check=True, source=LOOSE)
    assert (checked.changed, world.mutations) == (True, [])
    assert (checked.changes[0]["before"], checked.changes[0]["after"]) == (RULES, LOOSE)
    assert who_reads(world) == ["u1"]
    (tmp_path / "firestore.rules").write_text(LOOSE)
    done = rules("deploy", file=str(tmp_path / "firestore.rules"))
    assert (done.status, done.error, done.data["source"]) == ("changed", None, LOOSE)
    assert (who_reads(world), operations(world)) == (["u1", "u2"], ["rulesets.create", "releases.patch"])
    world.forget_requests()
    again = rules("deploy", source=LOOSE)
    assert (again.status, again.changed, world.mutations) == ("ok", False, [])


def test_the_first_rules_of_a_project_are_released_too(world):
    world.rules.releases.clear()
    assert rules("read").reason == f"no rules were ever released in {PROJECT}"
    done = rules("deploy", source=LOOSE)
    assert (done.changes[0]["kind"], operations(world)) == ("create", ["rulesets.create", "releases.create"])


@pytest.mark.parametrize(
    ("source", "told"),
    [(RULES.replace("!= null", "= null"), "line 6, column"), (RULES + "}", "line"), ("x", "line")],
)
def test_rules_that_do_not_compile_are_not_released(world, source, told):
    done = rules("deploy", source=source)
    assert "these rules must not be released" in done.error
    assert told in done.error
    assert (world.mutations, who_reads(world)) == ([], ["u1"])


def test_a_case_that_goes_wrong_keeps_rules_from_being_released(world):
    done = rules("deploy", source=LOOSE, cases=[{"expect": "deny", "method": "get", "path": "users/u1", "user": "u2"}])
    assert "is not to be expected" in done.error
    assert world.mutations == []


def test_temporary_rules_are_added_once(world):
    checked = rules("temporary", check=True, add=ADD)
    assert (checked.changed, world.mutations, who_reads(world)) == (True, [], ["u1"])
    assert checked.changes[0]["before"] == RULES
    done = rules("temporary", add=ADD)
    assert (done.status, done.error, who_reads(world)) == ("changed", None, ["nobody", "u1", "u2"])
    assert done.data["temporary"]["expired"] is False
    world.forget_requests()
    again = rules("temporary", add=ADD)
    assert (again.status, again.changed, world.mutations) == ("ok", False, [])
    assert "these temporary rules are in force for another" in again.reason


def test_temporary_rules_end_by_themselves_with_nobody_acting(world):
    granted: list[str] = []
    for ttl in (3, 15, 60):  # a machine that is busy may need longer than that to see them at all
        rules("temporary", add=ADD, ttl=ttl)
        granted = who_reads(world)
        if granted == ["nobody", "u1", "u2"]:
            break
        rules("revert")
    assert granted == ["nobody", "u1", "u2"]
    asked = len(world.rules.requests)
    ends = time.monotonic() + 250
    while who_reads(world) != ["u1"] and time.monotonic() < ends:
        time.sleep(0.05)
    assert who_reads(world) == ["u1"]
    assert len(world.rules.requests) == asked, "nobody asked for anything"
    late = rules("read")
    assert (late.data["temporary"]["expired"], late.data["source"] != RULES) == (True, True)
    assert "grant nothing any more" in late.warnings[-1]


def test_a_later_run_puts_the_very_ruleset_back(world):
    before = rules("read").data["ruleset"]
    rules("temporary", add=ADD)
    world.forget_requests()
    checked = rules("revert", check=True)
    assert (checked.changed, world.mutations) == (True, [])
    done = rules("revert")
    assert (done.error, done.data["ruleset"], operations(world)) == (None, before, ["releases.patch"])
    assert (world.rules.in_force(PROJECT), who_reads(world)) == (RULES, ["u1"])
    world.forget_requests()
    again = rules("revert")
    assert (again.reason, again.changed, world.mutations) == ("there are no temporary rules", False, [])


def test_a_ruleset_that_is_gone_is_made_again_from_the_text(world):
    before = rules("read").data["ruleset"]
    rules("temporary", add=ADD)
    del world.rules.rulesets[before]
    assert rules("revert").error is None
    assert world.rules.in_force(PROJECT) == RULES


def test_other_temporary_rules_take_the_place_of_those_before(world):
    before = rules("read").data["ruleset"]
    rules("temporary", add=ADD)
    other = rules("temporary", add="match /things/{thing} { allow get; }")
    assert (other.error, other.data["temporary"]["over"]) == (None, before)
    assert who_reads(world) == ["u1"]
    assert world.emulator.allowed(f"{DOCUMENTS}/things/t")
    rules("revert")
    assert world.rules.in_force(PROJECT) == RULES


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"ttl": "2h"}, "ttl 7200 is more than 3600 seconds"),
        ({"add": None}, "add is for mode temporary"),
        ({"add": "allow read;"}, "is no block such as"),
        ({"add": "match /x/{y} { } } match /z/{a} { allow read;"}, "closes nothing"),
        ({"add": "match /x/{y} { function f() { return true; } }"}, "grants nothing"),
        ({"add": "match /x/{y} { allow read: if true }"}, "needs `if …;`"),
        ({"add": "match /x/{request} { allow read; }"}, "may not be called request"),
        ({"mode": "deploy", "add": None}, "give source or file"),
        ({"mode": "test", "add": None, "cases": [{"expect": "maybe"}]}, "give allow or deny"),
        (
            {"mode": "test", "add": None, "cases": [{"expect": "deny", "method": "get", "path": "users"}]},
            "give that of a document",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything(world, more, told):
    done = run("firestore_rules", {**PROD, "mode": "temporary", "add": ADD, **more})
    assert told in done.error
    assert world.rules.requests == []


def test_nothing_is_released_over_somebody_elses_release(world):
    world.rules.twist("rulesets.create", aside(lambda: world.rules.deploy(PROJECT, RULES + "\n")))
    done = rules("deploy", source=LOOSE)
    assert "somebody else released" in done.error
    assert world.rules.in_force(PROJECT) == RULES + "\n"


@pytest.mark.parametrize(
    "fault", [{"after_effect": False}, {"after_effect": True}, {"status": 429, "code": "RESOURCE_EXHAUSTED"}]
)
def test_nothing_is_sent_again_over_somebody_elses_release(world, fault):
    other, others = RULES.replace("their own", "their very own"), []

    def theirs(_body):
        if world.rules.calls("releases.patch") and not others:
            others.append(world.rules.deploy(PROJECT, other))
        [release] = world.rules.releases.values()
        return release

    world.rules.fail("releases.patch", **{"status": 500, "code": "INTERNAL", **fault})
    world.rules.twist("releases.get", theirs, times=None)
    done = rules("deploy", source=LOOSE)
    assert "somebody else released" in done.error
    assert (world.rules.in_force(PROJECT), operations(world).count("releases.patch")) == (other, 1)


@pytest.mark.parametrize("operation", ["rulesets.create", "releases.patch"])
@pytest.mark.parametrize("after_effect", [True, False])
def test_lost_answers_are_looked_up(world, operation, after_effect):
    world.rules.fail(operation, status=500, code="INTERNAL", after_effect=after_effect)
    done = rules("deploy", source=LOOSE)
    if operation == "rulesets.create" and not after_effect:
        assert "500" in done.error
        assert who_reads(world) == ["u1"]
    else:
        assert (done.error, who_reads(world)) == (None, ["u1", "u2"])
        assert operations(world).count("rulesets.create") == 1


@pytest.mark.parametrize("times", [1, 10])
def test_throttling_is_sat_out(world, times):
    for operation in ("rulesets.create", "releases.patch", "projects.test", "releases.get"):
        world.rules.throttle(operation, times)
    assert rules("deploy", source=LOOSE).error is None


@pytest.mark.parametrize(
    ("operation", "body", "told"),
    [
        ("releases.get", {"name": "projects/x/releases/y", "rulesetName": "z"}, "is no release of"),
        ("rulesets.get", {"source": {"files": "x"}}, "makes no sense"),
        ("rulesets.get", {"source": {"files": [{}, {}]}}, "consists of 2 files"),
        ("projects.test", {"issues": [{"severity": "ERROR"}]}, "makes no sense"),
        ("rulesets.create", {"name": "../../x"}, "is no ruleset"),
    ],
)
def test_hostile_answers_are_refused_in_words(world, operation, body, told):
    world.rules.answer(operation, body, times=None)
    done = rules("deploy", source=LOOSE)
    assert told in done.error
    assert who_reads(world) == ["u1"]
