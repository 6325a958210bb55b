"""Imports into Firestore, and the list of operations: into the right database, over nothing unasked, compared."""

from __future__ import annotations

import pytest

from support.cloud import run
from support.firestore import DAILY, PROD, SANDBOX, Time, aside, backup, client, operations, paths, seed

IMPORT = {**SANDBOX, "backup": DAILY}


def import_(*, check=False, **more):
    return run("firestore_import", {**IMPORT, **more}, check=check)


@pytest.fixture
def world(google):
    seed(google)
    backup(google)
    google.forget_requests()
    return google


def test_a_backup_is_imported_once_into_the_database_that_is_named(world):
    checked = import_(check=True)
    assert (checked.status, checked.changed, world.mutations) == ("changed", True, [])
    assert checked.summaries == [f"import 6 documents from {DAILY} (project spendsense-test, database (default))"]
    done = import_()
    assert (done.status, done.error) == ("changed", None)
    assert paths(SANDBOX["project"]) == paths() != []
    assert (done.data["documents"], done.data["left"], done.data["backup"]["documents"]) == (6, 0, 6)
    assert done.data["imported"]["state"] == "SUCCESSFUL"
    assert (
        world.firestore.calls("databases.importDocuments")[0].parts["name"]
        == "projects/spendsense-test/databases/(default)"
    )
    world.forget_requests()
    again = import_()
    assert (again.status, again.changed, world.mutations) == ("ok", False, [])
    assert again.reason.startswith(f"{DAILY} was imported ")
    assert import_(again=True, into="any").changed


def test_another_backup_at_the_same_place_is_another_backup(world):
    import_()
    client().document("users/u1").set({"n": 100})
    backup(world)
    assert import_(into="any").changed
    assert client(SANDBOX["project"]).document("users/u1").get().to_dict() == {"n": 100}


def test_the_newest_good_backup_is_found_by_its_time_and_not_by_its_name(world):
    world.gcs.backdate("spendsense-backups", "daily/2026-01-31/2026-01-31.overall_export_metadata", 3600)
    client().collection("users").document("more").set({})
    backup(world, "daily/0-later")
    client().collection("users").document("most").set({})
    backup(world, "daily/broken")
    world.gcs.store.delete_file("spendsense-backups", "daily/broken/all_namespaces/all_kinds/output-0")
    done = import_(backup=None, newest_below="gs://spendsense-backups/daily")
    assert (done.error, done.data["backup"]["url"], done.data["documents"]) == (
        None,
        "gs://spendsense-backups/daily/0-later",
        7,
    )


def test_what_is_there_is_not_written_over_unasked(world):
    client(SANDBOX["project"]).collection("users").document("u1").set({"mine": True})
    refused = import_()
    assert "the database holds 1 document, over which an import would write" in refused.error
    assert world.mutations == []
    done = import_(into="any")
    assert (done.status, done.error) == ("changed", None)
    assert client(SANDBOX["project"]).document("users/u1").get().to_dict() == {"n": 1}


def test_what_the_import_could_not_remove_is_named(world):
    client(SANDBOX["project"]).collection("users").document("late").set({})
    done = import_(into="any")
    assert (done.data["left"], done.data["left_names"], done.data["left_names_whole"]) == (1, ["users/late"], True)
    assert "1 document that the backup does not hold was not removed: users/late" in done.warnings
    remade = client(SANDBOX["project"]).document("users/u2")
    remade.delete()
    remade.set({"made": "anew"})
    again = import_(into="any", again=True)
    assert (again.data["left"], again.data["left_names"], remade.get().to_dict()) == (1, ["users/late"], {"n": 2})
    none = import_(into="any", again=True, scan=0)
    assert (none.data["left"], none.data["left_names"], none.data["left_names_whole"]) == (1, [], False)


@pytest.mark.parametrize(
    "lost",
    ["daily/2026-01-31/2026-01-31.overall_export_metadata", "daily/2026-01-31/all_namespaces/all_kinds/output-0"],
)
def test_a_backup_that_is_not_whole_is_refused(world, lost):
    world.gcs.store.delete_file("spendsense-backups", lost)
    done = import_()
    assert "must not be relied on" in done.error
    assert world.mutations == []


def test_bytes_that_are_not_those_that_were_stored_are_found_when_all_are_read(world):
    name = "daily/2026-01-31/all_namespaces/all_kinds/output-0"
    world.gcs.corrupt("spendsense-backups", name, b"x" * len(world.gcs.content("spendsense-backups", name)))
    done = import_(read=True)
    assert "its checksum is" in done.error
    assert world.mutations == []


def test_an_import_that_fails_is_told_and_not_repeated(world):
    world.firestore.fail_operation("INTERNAL", "no capacity")
    done = import_()
    assert "failed: no capacity" in done.error
    assert operations(world) == ["databases.importDocuments"]
    assert import_().error is None


def test_an_import_under_way_from_this_backup_is_followed_and_another_waited_for(world, monkeypatch):
    world.firestore.looks = None
    world.firestore.twist("operations.get", aside(Time(monkeypatch).over))
    stuck = import_()
    assert "it may still go on" in stuck.error
    for each in world.firestore.operations.values():
        each.looks = 1
    world.forget_requests()
    done = import_()
    assert (done.error, operations(world)) == (None, [])
    world.firestore.looks = 1
    other = world.firestore.somebody_else(SANDBOX["project"], looks=2)
    done = import_(into="any", again=True)
    assert (done.error, other.done) == (None, True)


@pytest.mark.parametrize("filters", [{"collectionIds": ["users"]}, {"namespaceIds": ["n"]}])
@pytest.mark.parametrize("looks", [0, 2], ids=["done", "under way"])
def test_an_import_of_a_part_is_none_of_the_backup(world, filters, looks):
    part = world.firestore.somebody_else(SANDBOX["project"], looks=looks, address=DAILY, **filters)
    if looks == 0:
        assert run("firestore_operations", {**SANDBOX, "mode": "follow"}).data["operations"][0]["filtered"] is True
        assert part.done
    else:
        assert "of a part only, begun" in import_(check=True).warnings[0]
    done = import_()
    assert (done.status, done.data["documents"], operations(world)) == ("changed", 6, ["databases.importDocuments"])
    assert part.done
    assert (import_().status, paths(SANDBOX["project"])) == ("ok", paths())


def test_a_lost_answer_is_not_found_in_an_import_of_a_part(world, monkeypatch):
    monkeypatch.setattr("opslib.cloud.gcp.firestore_operations._LOOKS", 2)
    world.firestore.fail("databases.importDocuments", status=500, code="INTERNAL")
    parts = [lambda: world.firestore.somebody_else(SANDBOX["project"], looks=0, address=DAILY, collectionIds=["users"])]
    listed = []

    def begun(_body):
        listed.append(1)
        if len(listed) == 2:  # before the beginning, after it is known what was there
            parts.pop()()

    world.firestore.twist("operations.list", begun, times=None)
    assert "no such import has appeared since" in import_().error


def test_fewer_documents_than_the_backup_holds_are_a_failure(world, monkeypatch):
    read = world.firestore._read_back

    def lossy(*args):
        answer = read(*args)
        client(SANDBOX["project"]).document("users/u2").delete()
        return answer

    monkeypatch.setattr(world.firestore, "_read_back", lossy)
    assert "the backup holds 6 documents, and the database only 5 after the import" in import_().error


def test_operations_are_listed_and_followed(world):
    import_()
    other = world.firestore.somebody_else(SANDBOX["project"], "ExportDocuments", looks=3)
    world.forget_requests()
    listed = run("firestore_operations", SANDBOX)
    assert (listed.status, listed.reason) == ("ok", "2 operations, 1 under way")
    assert [each["kind"] for each in listed.data["operations"]] == ["export", "import"]
    followed = run("firestore_operations", {**SANDBOX, "mode": "follow"})
    assert (followed.reason, other.done) == ("1 operation ended well", True)
    assert any("PROCESSING" in told["progress"] for told in followed.told)
    assert run("firestore_operations", {**SANDBOX, "mode": "follow"}).reason == "none is under way"
    identity = other.name.rpartition("/")[2]
    one = run("firestore_operations", {**SANDBOX, "operation": identity})
    assert [each["id"] for each in one.data["operations"]] == [identity]
    assert "knows of no operation nothing" in run("firestore_operations", {**SANDBOX, "operation": "nothing"}).error
    assert world.mutations == []


def test_following_a_failure_fails(world):
    world.firestore._failure = ("ABORTED", "somebody stopped it", False)
    world.firestore.somebody_else(SANDBOX["project"], looks=1)
    followed = run("firestore_operations", {**SANDBOX, "mode": "follow"})
    assert "failed: somebody stopped it" in followed.error


def test_production_is_untouched_by_all_of_this(world):
    before = client().document("users/u1").get().update_time
    import_()
    assert client().document("users/u1").get().update_time == before
    assert all(PROD["project"] not in call.target for call in world.firestore.mutations)
