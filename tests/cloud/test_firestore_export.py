"""Exports of Firestore: complete, of one moment, and never begun twice."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from support.cloud import run
from support.firestore import DAILY, PROD, Time, aside, client, operations, seed

EXPORT = {**PROD, "destination": DAILY, "snapshot": "none"}


def export(*, check=False, **more):
    return run("firestore_export", {**EXPORT, **more}, check=check)


@pytest.fixture
def world(google):
    return seed(google)


def test_a_database_is_exported_once_and_proven(world):
    checked = export(check=True)
    assert (checked.status, checked.changed, world.mutations) == ("changed", True, [])
    assert checked.summaries == [f"export all documents to {DAILY} (project spendsense-production, database (default))"]
    done = export()
    assert (done.status, done.error) == ("changed", None)
    assert world.gcs.names("spendsense-backups")[0].endswith("2026-01-31.overall_export_metadata")
    assert {key: done.data[key] for key in ("url", "documents", "objects", "problems")} == {
        "url": DAILY, "documents": 6, "objects": 3, "problems": [],
    }  # fmt: skip
    assert done.data["operation"]["state"] == "SUCCESSFUL"
    assert any("PROCESSING" in told["progress"] for told in done.told)
    world.forget_requests()
    again = export()
    assert (again.status, again.changed, world.mutations) == ("ok", False, [])
    assert again.reason.startswith(f"{DAILY} holds a complete export of 6 documents")


def test_the_state_of_a_moment_is_exported_and_counted(world):
    moment = datetime.now(UTC)
    client().collection("users").document("late").set({})
    world.firestore.granularity = 0
    done = export(snapshot=moment.isoformat())
    assert done.error is None
    assert (done.data["documents"], done.data["expected"]) == (6, 6)
    assert done.data["collections"] == {"recommendations": 1, "users": 4}
    assert world.firestore.count(PROD["project"]) == 7


def test_a_page_of_collections_may_be_empty_and_a_circle_is_none(world):
    world.firestore.granularity = 0
    moment = datetime.now(UTC).isoformat()
    pages = [{"collectionIds": ["users"], "nextPageToken": "1"}, {"nextPageToken": "2"}]
    for page in (*pages, {"collectionIds": ["recommendations"]}, *pages, pages[0]):
        world.firestore.answer("documents.listCollectionIds", page)
    done = export(snapshot=moment)
    assert (done.error, done.data.get("collections")) == (None, {"recommendations": 1, "users": 4})
    assert "goes round in circles" in export(snapshot=moment, destination=f"{DAILY}-2").error


def test_by_default_it_is_the_last_full_minute_and_the_destination_may_hold_the_time(world):
    done = export(snapshot="now", destination="gs://spendsense-backups/manual-%Y%m%d_%H%M%S")
    assert re.fullmatch(r"gs://spendsense-backups/manual-\d{8}_\d{6}", done.data["url"])
    asked = world.firestore.calls("databases.exportDocuments")[0].body
    moment = datetime.fromisoformat(asked["snapshotTime"])
    assert (moment.second, moment.microsecond) == (0, 0)
    assert timedelta(0) < datetime.now(UTC) - moment < timedelta(minutes=3)
    assert asked["outputUriPrefix"] == done.data["url"]


def test_a_snapshot_of_long_ago_is_refused_before_anything_is_done(world):
    found = export(snapshot="2026-01-31T02:00:00Z")
    assert "too long ago: states are kept since" in found.error
    assert world.mutations == []


def test_a_lost_answer_is_looked_up_and_the_export_not_begun_again(world):
    world.firestore.fail("databases.exportDocuments", status=500, code="INTERNAL", after_effect=True)
    done = export()
    assert (done.status, done.error) == ("changed", None)
    assert operations(world) == ["databases.exportDocuments"]


def test_an_export_that_perhaps_never_began_is_not_begun_again_either(world):
    world.firestore.fail("databases.exportDocuments", status=500, code="INTERNAL")
    done = export()
    assert "no such export has appeared since: look at the operations before trying again" in done.error
    assert operations(world) == ["databases.exportDocuments"]


def test_an_export_under_way_to_the_same_place_is_followed(world, monkeypatch):
    world.firestore.looks = None
    world.firestore.twist("operations.get", aside(Time(monkeypatch).over))
    stuck = export()
    assert "it may still go on" in stuck.error
    for operation in world.firestore.operations.values():
        operation.looks = 1
    world.forget_requests()
    done = export()
    assert (done.status, done.error, operations(world)) == ("changed", None, [])
    assert "which is under way" in done.summaries[0]


def test_an_export_of_a_part_to_the_same_place_is_not_followed(world):
    world.firestore.somebody_else(PROD["project"], "ExportDocuments", looks=2, address=DAILY, collectionIds=["users"])
    assert "of a part only, begun" in (done := export()).error
    assert done.error.endswith("is under way to the same place; name another destination")
    assert world.mutations == []


def test_somebody_elses_import_is_waited_for(world):
    other = world.firestore.somebody_else(PROD["project"], looks=2)
    checked = export(check=True)
    assert "import" in checked.warnings[0]
    done = export()
    assert (done.error, other.done) == (None, True)


def test_a_failed_operation_fails_the_step(world):
    world.firestore.fail_operation("INTERNAL", "the disk \x1b[31mis full\n")
    done = export()
    assert (done.status, done.changed) == ("failed", True)
    assert "failed: the disk \\x1b[31mis full\\n" in done.error


def test_what_lies_there_and_is_no_export_is_left_alone(world):
    world.gcs.put("spendsense-backups", "daily/2026-01-31/notes.txt", b"mine")
    done = export()
    assert "is not empty, and no complete export" in done.error
    assert world.mutations == []


def test_an_operation_that_ends_well_without_a_whole_export_is_a_failure(world, monkeypatch):
    write = world.firestore._write

    def lossy(*args):
        answer = write(*args)
        world.gcs.store.delete_file("spendsense-backups", "daily/2026-01-31/all_namespaces/all_kinds/output-0")
        return answer

    monkeypatch.setattr(world.firestore, "_write", lossy)
    done = export()
    assert "the export ended well" in done.error
    assert "output-0" in done.error


@pytest.mark.parametrize("times", [1, 10])
def test_throttling_is_sat_out(world, times):
    world.firestore.throttle("databases.exportDocuments", times)
    world.firestore.throttle("operations.get", times)
    done = export()
    assert (done.status, done.error) == ("changed", None)
    assert len(operations(world)) == times + 1


def test_endless_throttling_ends_with_the_time(world, monkeypatch):
    world.firestore.throttle("databases.exportDocuments", None)
    world.firestore.twist("operations.list", aside(Time(monkeypatch).over))
    done = export()
    assert "429 (Quota exceeded)" in done.error


@pytest.mark.parametrize(
    ("operation", "body", "told"),
    [
        ("databases.exportDocuments", {"name": "../../etc"}, "is no operation"),
        ("databases.exportDocuments", [1], "is no operation"),
        ("operations.get", b"<html>", "is no JSON"),
        ("operations.get", {"name": "projects/p/databases/d/operations/x", "done": True}, "makes no sense"),
        ("operations.list", {"operations": {"a": 1}}, "listing operations"),
        ("databases.get", {"name": "projects/other/databases/(default)", "type": "FIRESTORE_NATIVE"}, "it tells of"),
    ],
)
def test_hostile_answers_are_refused_in_words(world, operation, body, told):
    world.firestore.answer(operation, body)
    done = export()
    assert told in done.error
    assert done.status == "failed"


def test_a_state_that_nobody_knows_is_refused(world):
    world.firestore.twist("operations.get", lambda body: body["metadata"].update(operationState="DREAMING"))
    assert "in the unknown state DREAMING" in export().error


def test_listings_are_read_to_their_end(world):
    world.firestore.page_size = 1
    for _number in range(3):
        world.firestore.somebody_else("spendsense-production", "ExportDocuments", looks=0)
    assert export().error is None
    world.firestore.answer("operations.list", {"operations": [], "nextPageToken": "x"}, times=None)
    assert "round in circles" in export(destination=f"{DAILY}b").error


def test_a_project_that_is_not_there_is_refused_before_anything(world):
    found = export(project="spendsense-prodution")
    assert "project spendsense-prodution has no Firestore database (default)" in found.error
    assert world.mutations == []


def test_an_emulator_that_is_half_set_is_refused(world, monkeypatch):
    monkeypatch.delenv("CLOUDSDK_API_ENDPOINT_OVERRIDES_FIRESTORE")
    found = export()
    assert "FIRESTORE_EMULATOR_HOST is set, so an emulator is meant" in found.error


def test_credentials_that_expire_on_the_way_are_named(world):
    world.firestore.expire_credentials(after=5)
    found = export()
    assert "credentials" in found.error
