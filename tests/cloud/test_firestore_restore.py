"""The complete restore: whatever goes wrong on the way, the service is resumed, and the old data are safe."""

from __future__ import annotations

import pytest

from opslib import tasks
from support.cloud import AWS, run, stopped
from support.firestore import DAILY, PROD, Time, aside, backup, client, operations, paths, seed

SAFETY = "gs://spendsense-backups/safety-1"
RESTORE = {
    **PROD,
    "backup": DAILY,
    "safety": SAFETY,
    "snapshot": "none",
    "service": "spendsense-api",
    "account": AWS["account"],
    "region": AWS["region"],
}
BELOW = {"backup": None, "newest_below": "gs://spendsense-backups/daily"}
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/api:v1"


def restore(*, check=False, **more):
    return run("firestore_restore", {**RESTORE, **more}, check=check)


@pytest.fixture
def world(google, moto, apprunner):
    seed(google)
    backup(google)
    client().document("recommendations/rec_001").update({"status": "spoilt"})
    client().document("users/late").set({})
    apprunner.make("spendsense-api", IMAGE)
    google.forget_requests()
    apprunner.requests.clear()
    google.apprunner = apprunner
    return google


def powers(world):
    """What was asked of the service, and how it is."""
    asked = [call.operation for call in world.apprunner.mutations]
    return asked, world.apprunner.named("spendsense-api").status


RESUMED = (["PauseService", "ResumeService"], "RUNNING")


def test_everything_happens_in_order_and_only_once(world):
    checked = restore(check=True)
    assert (checked.status, checked.changed, world.mutations, world.apprunner.mutations) == ("changed", True, [], [])
    assert checked.summaries[0].startswith(
        f"restore: export what is there to {SAFETY}, pause spendsense-api, import 6 documents from {DAILY}, "
        "resume spendsense-api (project spendsense-production, database (default), service spendsense-api"
    )
    done = restore()
    assert (done.status, done.error) == ("changed", None)
    assert [(each["step"], each["ended"]) for each in done.data["steps"]] == [
        ("safety export", "ok"), ("pause", "ok"), ("import", "ok"), ("resume", "ok"),
    ]  # fmt: skip
    assert operations(world) == ["databases.exportDocuments", "databases.importDocuments"]
    assert powers(world) == RESUMED
    assert client().document("recommendations/rec_001").get().to_dict() == {"status": "wrong", "weight": 1.5}
    assert "1 document that the backup does not hold was not removed: users/late" in done.warnings
    assert done.data["left_names"] == ["users/late"]
    assert (done.data["paused"], done.data["safety"]["operation"]["documents"]) == (False, 7)
    world.forget_requests()
    world.apprunner.requests.clear()
    again = restore()
    assert (again.status, again.changed, world.mutations, world.apprunner.mutations) == ("ok", False, [], [])
    assert again.reason.startswith(f"{DAILY} was imported ")


def test_the_safety_export_leads_back(world):
    before = {path: client().document(path).get().to_dict() for path in paths()}
    restore()
    back = restore(backup=SAFETY, safety="gs://spendsense-backups/safety-2")
    assert back.error is None
    assert {path: client().document(path).get().to_dict() for path in paths()} == before


@pytest.mark.parametrize("after_effect", [False, True])
def test_the_service_is_resumed_when_the_import_fails(world, after_effect):
    pause = world.apprunner.named("spendsense-api")
    world.firestore.twist("databases.exportDocuments", lambda _body: None)
    world.apprunner.twist("PauseService", lambda _body: world.firestore.fail_operation(after_effect=after_effect))
    done = restore()
    assert "failed: told to fail; spendsense-api was resumed" in done.error
    assert powers(world) == RESUMED
    assert pause.status == "RUNNING"
    assert [each["ended"] for each in done.data["steps"]] == ["ok", "ok", "failed", "ok"]


def test_the_service_is_resumed_when_time_is_up(world, monkeypatch):
    world.apprunner.twist("PauseService", lambda _body: setattr(world.firestore, "looks", None))
    world.firestore.twist("databases.importDocuments", aside(Time(monkeypatch).over))
    done = restore()
    assert "not done after 600 seconds; it may still go on; spendsense-api was resumed" in done.error
    assert powers(world) == RESUMED


def test_the_service_is_resumed_when_the_import_is_refused_or_throttled(world, monkeypatch):
    world.firestore.fail("databases.importDocuments", status=403, code="PERMISSION_DENIED", message="no permission")
    assert "no permission" in restore().error
    assert powers(world) == RESUMED
    time, looks = Time(monkeypatch), []

    def before_the_import():
        looks.append(1)
        if len(looks) == 3:  # after the first look, and the beginning of the export
            time.over()

    world.firestore.twist("operations.list", aside(before_the_import), times=3)
    world.firestore.throttle("databases.importDocuments")
    assert "Quota exceeded" in restore(safety="gs://spendsense-backups/safety-2").error
    assert powers(world)[1] == "RUNNING"


@pytest.mark.parametrize("looks", [0, 2], ids=["done", "under way"])
def test_an_import_of_a_part_by_somebody_else_is_no_restore(world, looks):
    part = world.firestore.somebody_else(PROD["project"], looks=looks, address=DAILY, collectionIds=["users"])
    if looks == 0:
        run("firestore_operations", {**PROD, "mode": "follow"})
    done = restore(service=None, account=None, region=None)
    assert (done.status, part.done) == ("changed", True)
    assert operations(world) == ["databases.exportDocuments", "databases.importDocuments"]
    assert client().document("recommendations/rec_001").get().to_dict()["status"] == "wrong"


def test_a_lost_answer_of_the_import_is_looked_up(world):
    world.firestore.fail("databases.importDocuments", status=500, code="INTERNAL", after_effect=True)
    assert restore().error is None
    assert operations(world) == ["databases.exportDocuments", "databases.importDocuments"]


def test_nothing_is_imported_when_the_safety_export_fails(world):
    world.firestore.fail_operation()
    assert "failed: told to fail" in restore().error
    assert (operations(world), powers(world)) == (["databases.exportDocuments"], ([], "RUNNING"))


def test_nothing_is_imported_while_the_service_may_write(world):
    world.apprunner.types_that_fail.add("PAUSE_SERVICE")
    done = restore()
    assert "pausing spendsense-api failed" in done.error
    assert operations(world) == ["databases.exportDocuments"]
    assert powers(world)[1] == "RUNNING"


def test_a_resume_that_fails_is_the_last_word(world):
    world.apprunner.types_that_fail.add("RESUME_SERVICE")
    done = restore()
    assert "spendsense-api could not be resumed: resuming spendsense-api failed" in done.error
    assert done.error.endswith("resume it now")
    world.apprunner.types_that_fail.clear()
    world.forget_requests()
    world.apprunner.requests.clear()
    mended = restore()
    assert (mended.error, mended.summaries[0].partition(" (")[0]) == (None, "resume spendsense-api")
    assert (operations(world), powers(world)) == ([], (["ResumeService"], "RUNNING"))


@pytest.mark.parametrize("how", ["fail", "drop"])
def test_a_resume_that_was_lost_is_asked_for_again(world, how):
    getattr(world.apprunner, how)("ResumeService")
    assert restore().error is None
    assert powers(world) == (["PauseService", "ResumeService", "ResumeService"], "RUNNING")


def test_a_resume_that_is_never_answered_is_the_last_word(world, monkeypatch):
    monkeypatch.setattr("opslib.cloud.tasks.firestore_restore._CLEANUP", 2.0)
    world.apprunner.fail("ResumeService", times=None)
    error = restore().error
    assert "spendsense-api could not be resumed: " in error
    assert "told to fail" in error
    assert error.endswith("resume it now")


def test_a_service_that_was_paused_before_may_stay_so(world):
    world.apprunner.named("spendsense-api").status = "PAUSED"
    done = restore(resume="as_before")
    assert (done.error, powers(world)) == (None, ([], "PAUSED"))
    assert client().document("recommendations/rec_001").get().to_dict()["status"] == "wrong"


def test_the_newest_backup_is_restored_once_with_a_safety_export_beside_it(world):
    given = {**BELOW, "safety": "gs://spendsense-backups/daily-safety/%Y%m%d_%H%M%S"}
    done = restore(**given)
    assert (done.error, done.data["backup"]["url"]) == (None, DAILY)
    world.forget_requests()
    again = restore(**given)
    assert (again.status, world.mutations) == ("ok", [])


def test_without_a_service_and_without_safety(world):
    done = restore(service=None, account=None, region=None, safety=None, without_safety=True)
    assert (done.error, operations(world), powers(world)[0]) == (None, ["databases.importDocuments"], [])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"safety": None}, "give safety"),
        ({"region": None}, "give account and region"),
        ({"backup": None}, "give either backup or newest_below"),
        ({"safety": "gs://backups/x%j"}, "%j is none of"),
        ({"safety": DAILY}, "is inside"),
        ({"safety": f"{DAILY}/safety"}, "is inside"),
        ({**BELOW, "safety": "gs://spendsense-backups/daily/safety-%Y%m%d_%H%M%S"}, "would be taken for the backup"),
        ({"backup": None, "newest_below": "gs://backups/x/2026", "safety": "gs://backups/x/%Y/safety"}, "is inside"),
        ({"project": "a b"}, "is no Google Cloud project id"),
        ({"database": "../x"}, "is no database id"),
        ({"service": "-oProxyCommand=x"}, "is no name or ARN"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything(world, more, told):
    assert told in restore(**more).error
    assert world.firestore.requests + world.gcs.requests + world.apprunner.requests == []


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"backup": "gs://spendsense-backups/daily/none"}, "must not be relied on: there is nothing in this folder"),
        ({"safety": "gs://spendsense-backups/daily"}, "is not empty; name another place"),
        ({"service": "spendsense-apy"}, "there is no App Runner service spendsense-apy"),
        ({"account": "210987654321"}, "not to 210987654321"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_is_changed(world, more, told):
    assert told in restore(**more).error
    assert world.mutations + world.apprunner.mutations == []


@pytest.mark.parametrize("moment", ["pause", "import", "resume", "resume after a failure"])
def test_a_run_that_is_stopped_at_any_moment_resumes_the_service(world, monkeypatch, moment):
    """Really stopped: the controller goes, the process that runs the task has its time to put things right."""

    def arrange(now):
        if moment == "pause":
            world.apprunner.lag = 4  # for the next two looks it is as if no pause had been asked for
            world.apprunner.twist("PauseService", now)
        elif moment == "import":
            world.firestore.twist("databases.importDocuments", now)
        else:
            then = aside(lambda: world.apprunner.twist("DescribeService", now))
            world.firestore.twist("databases.importDocuments", then)
        if moment == "resume after a failure":
            world.apprunner.twist("PauseService", aside(world.firestore.fail_operation))

    step = stopped(monkeypatch, tasks.firestore_restore(**RESTORE), arrange)
    assert powers(world) == RESUMED
    why = "failed: told to fail" if moment.endswith("failure") else "cut short: its time was up or the run was stopped"
    assert step.error.endswith(f"{why}; spendsense-api was resumed")
