"""Single documents: read, and corrected with a diff and a precondition."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from support.cloud import run
from support.firestore import PROD, aside, client, operations, seed

ONE = {**PROD, "path": "recommendations/rec_001"}


def document(*, check=False, **more):
    return run("firestore_document", {**ONE, **more}, check=check)


@pytest.fixture
def world(google):
    return seed(google)


def stored(path=ONE["path"]):
    return client().document(path).get().to_dict()


def test_a_document_is_read(world):
    found = document()
    assert (found.status, found.changed, found.data["fields"]) == ("ok", False, {"status": "wrong", "weight": 1.5})
    none = document(path="recommendations/none")
    assert (none.status, none.data["exists"], none.reason) == ("ok", False, "recommendations/none: there is none")
    assert world.mutations == []


def test_fields_are_corrected_with_a_diff_and_the_rest_is_kept(world):
    wanted = {"set": {"status": "pending", "of.`zip code`": [1, None, {"a": True}]}, "unset": ["weight", "gone"]}
    checked = document(check=True, **wanted)
    assert (checked.changed, world.mutations) == (True, [])
    assert checked.changes[0]["before"] == 'status: "wrong"\nof.`zip code`: (none)\nweight: 1.5\n'
    assert checked.changes[0]["after"] == 'status: "pending"\nof.`zip code`: [1, null, {"a": true}]\nweight: (none)\n'
    client().document(ONE["path"]).update({"other": "kept"})
    done = document(**wanted)
    assert (done.status, done.error) == ("changed", None)
    assert stored() == {"status": "pending", "of": {"zip code": [1, None, {"a": True}]}, "other": "kept"}
    world.forget_requests()
    again = document(**wanted)
    assert (again.status, again.changed, world.mutations) == ("ok", False, [])
    assert again.reason == "recommendations/rec_001: all fields are so"


def test_typed_values_keep_their_types(world):
    wanted = {"at": {"timestampValue": "2026-01-31T02:00:00.500Z"}, "big": {"integerValue": "9007199254740993"}}
    assert document(set=wanted).error is None
    assert stored()["at"] == datetime(2026, 1, 31, 2, 0, 0, 500000, UTC)
    assert stored()["big"] == 9007199254740993
    assert document(set=wanted).changed is False


def test_a_missing_document_is_made_only_on_demand(world):
    refused = document(path="users/new", set={"n": 1})
    assert "there is no document users/new; say create: true" in refused.error
    done = document(path="users/new", set={"n": 1}, create=True)
    assert (done.changes[0]["kind"], stored("users/new")) == ("create", {"n": 1})


@pytest.mark.parametrize("create", [False, True])
def test_what_somebody_changed_meanwhile_is_not_written_over(world, create):
    path = "users/new" if create else ONE["path"]
    world.firestore.twist("documents.batchGet", aside(lambda: client().document(path).set({"theirs": 1})))
    done = document(path=path, set={"status": "pending"}, create=create)
    assert "was changed by somebody else since it was looked at; nothing was done: run this again" in done.error
    assert stored(path) == {"theirs": 1}


def test_a_lost_answer_is_looked_up(world):
    world.firestore.fail("documents.commit", status=500, code="INTERNAL", after_effect=True)
    done = document(set={"status": "pending"})
    assert (done.error, operations(world)) == (None, ["documents.commit"])
    world.firestore.fail("documents.commit", status=500, code="INTERNAL")
    done = document(set={"status": "done"})
    assert (done.error, stored()["status"]) == (None, "done")


@pytest.mark.parametrize("times", [1, 10])
def test_throttling_is_sat_out(world, times):
    world.firestore.throttle("documents.commit", times)
    world.firestore.throttle("documents.batchGet", times)
    assert document(set={"status": "pending"}).error is None
    assert len(operations(world)) == times + 1


def test_hidden_values_are_nowhere(world):
    client().document(ONE["path"]).set({"token": "canary-1"})
    done = document(set={"token": "canary-2"}, hidden=True)
    assert (done.status, stored()) == ("changed", {"token": "canary-2"})
    assert "canary" not in repr(done)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"path": "recommendations"}, "is no path of a document"),
        ({"path": "a/../b/c"}, "is no path of a document"),
        ({"path": "a/b\nc"}, "control character"),
        ({"path": "__x__/b"}, "is no path of a document"),
        ({"set": {"a..b": 1}}, "is no path of a field"),
        ({"set": {"a": 1, "a.b": 2}}, "one lies within the other"),
        ({"set": {"a": 1}, "unset": ["a"]}, "one lies within the other"),
        ({"set": {"a": 1 << 70}}, "is no number of 64 bits"),
        ({"set": {"a": {"timestampValue": "soon"}}}, "is no time such as"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything(world, more, told):
    assert told in document(**more).error
    assert world.firestore.requests == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"found": {}}, "is no list"),
        ([], "makes no sense"),
        ([{"found": {"name": "projects/other/databases/(default)/documents/a/b"}}], "is no document of"),
        (
            [{"found": {"name": f"projects/{PROD['project']}/databases/(default)/documents/a/b", "createTime": "x"}}],
            "is no time",
        ),
    ],
)
def test_hostile_answers_are_refused_in_words(world, body, told):
    world.firestore.answer("documents.batchGet", body)
    assert told in document(set={"status": "pending"}).error
    assert world.mutations == []


def test_fields_that_make_no_sense_are_refused(world):
    world.firestore.twist(
        "documents.batchGet", lambda body: body[0]["found"].update(fields={"status": {"strangeValue": 1}})
    )
    assert "makes no sense" in document(set={"status": "pending"}).error
    assert world.mutations == []
