"""Restore drills: in a database of their own, in a sandbox, and gone afterwards."""

from __future__ import annotations

import pytest

from opslib import tasks
from support.cloud import run, stopped
from support.firestore import DAILY, PROD, SANDBOX, Time, aside, backup, client, operations, seed

DRILL = {**SANDBOX, "backup": DAILY, "production": [PROD["project"]]}
MADE = "projects/spendsense-test/databases/opslib-drill"


def drill(*, check=False, **more):
    return run("firestore_drill", {**DRILL, **more}, check=check)


@pytest.fixture
def world(google):
    seed(google)
    backup(google)
    google.forget_requests()
    return google


def test_a_backup_is_restored_compared_and_removed_again(world):
    checked = drill(check=True)
    assert (checked.status, checked.changed, world.mutations) == ("changed", True, [])
    assert "make the database in eur3, import 6 documents" in checked.summaries[0]
    done = drill(compare_with=PROD["project"])
    assert (done.status, done.error) == ("changed", None)
    assert operations(world) == ["databases.create", "databases.importDocuments", "databases.delete"]
    assert MADE not in world.firestore.databases
    assert (done.data["documents"], done.data["left"], done.data["kept"]) == (6, 0, False)
    assert done.data["collections"]["users"] == {"restored": 4, "production": 4}
    assert all(PROD["project"] not in call.target for call in world.firestore.mutations)


def test_a_database_that_is_kept_is_not_made_again(world):
    done = drill(keep=True)
    assert (done.error, done.data["kept"]) == (None, True)
    assert client(SANDBOX["project"], "opslib-drill").document("users/u3").get().to_dict() == {"n": 3}
    world.forget_requests()
    again = drill(keep=True)
    assert (again.status, again.changed, world.mutations) == ("ok", False, [])
    assert again.reason == f"the database holds 6 documents restored from {DAILY}"
    assert "there is a database opslib-drill in spendsense-test already (6 documents)" in drill().error


@pytest.mark.parametrize(
    "more", [{"project": PROD["project"]}, {"compare_with": SANDBOX["project"]}, {"production": []}]
)
def test_production_is_refused_before_anything_is_asked(world, more):
    refused = drill(**more)
    assert refused.status == "failed"
    assert world.firestore.requests + world.gcs.requests == []


def test_collections_that_shrank_or_are_missing_are_a_failure(world):
    users = client().collection("users")
    for number in range(10):
        users.document(f"more{number}").set({})
    client().collection("things").document("t").set({})
    done = drill(compare_with=PROD["project"])
    assert "things has 0 documents restored and 1 there" in done.error
    assert "users has 4 documents restored and 14 there" in done.error
    assert MADE not in world.firestore.databases


@pytest.mark.parametrize("after_effect", [False, True])
def test_an_import_that_fails_leaves_no_database(world, after_effect):
    world.firestore.twist("databases.create", lambda _body: world.firestore.fail_operation(after_effect=after_effect))
    done = drill()
    assert "failed: told to fail" in done.error
    assert MADE not in world.firestore.databases


@pytest.mark.parametrize("operation", ["databases.create", "databases.delete"])
def test_lost_answers_are_looked_up(world, operation):
    world.firestore.fail(operation, status=500, code="INTERNAL", after_effect=True)
    assert drill().error is None
    assert MADE not in world.firestore.databases
    assert operations(world) == ["databases.create", "databases.importDocuments", "databases.delete"]


def test_time_that_is_up_leaves_no_database_either(world, monkeypatch):
    time = Time(monkeypatch)
    world.firestore.twist("databases.create", lambda _body: setattr(world.firestore, "looks", None))

    def stuck():
        world.firestore.looks = 1
        time.over()

    world.firestore.twist("databases.importDocuments", aside(stuck))
    assert "it may still go on" in drill().error
    assert MADE not in world.firestore.databases
    assert operations(world)[-1] == "databases.delete"


def test_a_sandbox_that_cannot_be_seen_is_refused(world):
    world.firestore.fail("databases.list", status=403, code="PERMISSION_DENIED", message="no permission")
    assert "the sandbox spendsense-test cannot be worked in; nothing was touched" in drill().error
    assert world.mutations == []


@pytest.mark.parametrize(
    "moment", ["databases.create", "databases.importDocuments", "databases.get", "databases.delete"]
)
def test_a_run_that_is_stopped_leaves_no_database(world, monkeypatch, moment):
    """Also one that is not to be seen yet, or just being removed."""

    def arrange(now):
        def unseen(body):
            world.firestore.fail("databases.get", status=404, code="NOT_FOUND", times=2)
            now(body)

        then = aside(lambda: world.firestore.twist(moment, now))
        before = "documents.listCollectionIds" if moment == "databases.get" else "databases.create"
        world.firestore.twist(before, unseen if moment == before else then)

    step = stopped(monkeypatch, tasks.firestore_drill(**DRILL), arrange)
    assert MADE not in world.firestore.databases
    assert step.error == f"cut short: its time was up or the run was stopped; {MADE} was removed"


def test_a_database_that_somebody_else_made_meanwhile_stays(world):
    theirs = aside(lambda: world.firestore.make_database(SANDBOX["project"], "opslib-drill"))
    world.firestore.twist("databases.get", theirs, times=2)  # there is none at the first look
    assert "409" in drill().error
    assert (MADE in world.firestore.databases, operations(world)) == (True, ["databases.create"])
