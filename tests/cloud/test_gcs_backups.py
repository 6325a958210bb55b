"""Backups are found by time, proven, and held against what was promised."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime

import pytest

from opslib import tasks
from opslib.fleet import Fleet
from opslib.target import Target
from services.gcs_rules import stamp
from services.google import Answer
from support import exports
from support.cloud import run
from support.exports import DAY

ARGS = {"project": "spendsense-test", "bucket": "backups", "prefix": "daily/", "every": "1d", "wait": 60, "poll": 0.001}
PLACE = {name: ARGS[name] for name in ("project", "bucket", "wait", "poll")}
PRUNE = {**PLACE, "prefix": "daily/"}
ROOT = "gs://backups/daily"


@pytest.fixture
def bucket(gcs):
    gcs.make_bucket("backups")
    return gcs


def test_the_newest_is_found_by_time_and_proven_to_be_whole(bucket):
    exports.put(bucket, "backups", "daily/2031-01-01", age=3 * DAY)
    exports.put(bucket, "backups", "daily/2026-01-01", age=DAY / 2, documents=4, outputs=2)
    exports.put(bucket, "backups", "daily/a/b/nested", age=2 * DAY)
    exports.put(bucket, "backups", "other/2040-01-01", age=0)
    bucket.put("backups", "daily/notes.txt", b"no export")
    bucket.page_size = 2
    ran = run("gcs_backups", ARGS)
    assert (ran.status, ran.error) == ("ok", None)
    newest = ran.data["newest"]
    assert newest["url"] == f"{ROOT}/2026-01-01"
    assert (newest["documents"], newest["problems"], newest["objects"], newest["verified"]) == (8, [], 4, False)
    assert newest["age_seconds"] == pytest.approx(DAY / 2, abs=30)
    assert [each["url"] for each in ran.data["backups"]] == [
        f"{ROOT}/{n}" for n in ("2026-01-01", "a/b/nested", "2031-01-01")
    ]
    assert ran.reason.startswith(f"{ROOT}/2026-01-01 is 12 h old and whole (8 documents, ")
    assert "3 complete backups in all" in ran.reason
    assert bucket.mutations == []


def test_it_runs_as_any_step_does(bucket):
    exports.put(bucket, "backups", "daily/x")
    with Fleet([Target(name="controller", carrier="local")]) as fleet:
        report = fleet.run([tasks.gcs_backups(**ARGS), tasks.gcs_prune(**{**PRUNE, "keep_last": 1})], check=True)
    first, second = report.hosts["controller"].steps
    assert (first.status.value, first.data["newest"]["documents"]) == ("ok", 3)
    assert (second.status.value, second.data["project"], second.data["bucket"]) == ("ok", "spendsense-test", "backups")
    assert bucket.mutations == []


def test_every_byte_is_read_when_asked(bucket):
    exports.put(bucket, "backups", "daily/x", documents=900)
    ran = run("gcs_backups", {**ARGS, "read": True})
    assert (ran.status, ran.data["newest"]["verified"]) == ("ok", True)
    assert "every byte verified" in ran.reason
    assert any("bytes of gs://backups/daily/x" in told["progress"] for told in ran.told)


def damage(name, change):
    def do(gcs):
        raw = gcs.content("backups", f"daily/new/{name}")
        change(gcs, f"daily/new/{name}", raw)

    return do


def rewritten(gcs, name, raw):
    gcs.put("backups", name, raw[:-3] + b"xyz", age=1000)


def cut(gcs, name, raw):
    gcs.put("backups", name, raw[:19], age=1000)


def emptied(gcs, name, raw):
    gcs.put("backups", name, b"", age=1000)


def rotten(gcs, name, raw):
    gcs.corrupt("backups", name, raw[:-1] + b"#")


def late(gcs, name, raw):
    gcs.put("backups", name, raw, age=10)


OUTPUT = "all_namespaces/all_kinds/output-0"
MARKER = "new.overall_export_metadata"


@pytest.mark.parametrize(
    ("read", "harm", "told"),
    [
        (False, damage(MARKER, emptied), "its completion marker is empty"),
        (False, damage(MARKER, cut), "its completion marker is damaged: it is cut or damaged at byte"),
        (False, damage(MARKER, rewritten), "its completion marker is damaged: a checksum is wrong"),
        (False, damage(MARKER, rotten), "its completion marker is damaged: .* its checksum is"),
        (False, damage(exports.NAME, rotten), "its checksum is .* was promised"),
        (False, damage(exports.NAME, emptied), "its part all_namespaces.* is empty"),
        (False, damage(OUTPUT, emptied), "output-0 of all_namespaces.* is empty"),
        (False, damage(OUTPUT, late), "output-0 was written after the export was complete"),
        (True, damage(OUTPUT, rotten), "output-0: its checksum is"),
        (True, damage(OUTPUT, rewritten), "output-0 is damaged: a checksum is wrong at byte"),
        (True, damage(OUTPUT, cut), "output-0 is damaged: it is cut"),
    ],
)
def test_a_newest_one_that_is_not_whole_fails_and_the_good_one_is_named(bucket, read, harm, told):
    exports.put(bucket, "backups", "daily/old", age=DAY)
    exports.put(bucket, "backups", "daily/new", age=900)
    harm(bucket)
    ran = run("gcs_backups", {**ARGS, "read": read})
    assert ran.status == "failed"
    assert re.search(told, ran.error), ran.error
    assert ran.error.endswith("the newest good one is gs://backups/daily/old")
    assert ran.data["good"]["url"] == f"{ROOT}/old"
    assert ran.data["newest"]["problems"]


@pytest.mark.parametrize("gone", ["output-0", "all_kinds.export_metadata"])
def test_a_missing_part_is_seen(bucket, gone):
    exports.put(bucket, "backups", "daily/new", without=(gone,))
    ran = run("gcs_backups", ARGS)
    assert ran.status == "failed"
    assert f"{gone}" in ran.error
    assert "is missing" in ran.error
    assert "none of the newest is good" in ran.error


def test_fewer_documents_than_promised_are_seen_by_reading(bucket):
    exports.put(bucket, "backups", "daily/new", documents=9)
    bucket.put("backups", f"daily/new/{OUTPUT}", exports.log(b"only", b"two"), age=100)
    assert run("gcs_backups", ARGS).warnings == [
        "gs://backups/daily/new: the outputs of all_namespaces/all_kinds/all_namespaces_all_kinds.export_metadata have 21 bytes; "
        "its marker tells 90"
    ]
    ran = run("gcs_backups", {**ARGS, "read": True})
    assert "its outputs hold 2 documents; its marker tells 9" in ran.error


def test_an_overdue_backup_fails_in_words(bucket):
    exports.put(bucket, "backups", "daily/last", age=2.5 * DAY)
    ran = run("gcs_backups", ARGS)
    assert ran.error == (
        "2 backups did not come: the newest, gs://backups/daily/last, is 60 h old; one is promised every 24 h, and may be 2 h late"
    )
    assert run("gcs_backups", {**ARGS, "grace": "2d"}).status == "ok"
    assert run("gcs_backups", {**ARGS, "every": None}).status == "ok"


def test_no_complete_backup_fails_in_words(bucket):
    assert run("gcs_backups", ARGS).error == "there is no complete backup below gs://backups/daily/"
    exports.put(bucket, "backups", "daily/going", without=("overall_export_metadata",))
    exports.put(bucket, "backups", "daily/failed", age=3 * DAY, without=("overall_export_metadata",))
    ran = run("gcs_backups", ARGS)
    assert ran.error == "there is no complete backup below gs://backups/daily/; 2 exports without a completion marker"
    assert ran.warnings == [
        "1 export never came to an end: gs://backups/daily/failed",
        "perhaps under way: gs://backups/daily/going",
    ]


def test_a_backup_that_shrank_is_remarked_and_one_too_small_fails(bucket):
    exports.put(bucket, "backups", "daily/1", age=DAY, documents=500)
    exports.put(bucket, "backups", "daily/2", documents=3)
    assert "less than half as big" in run("gcs_backups", ARGS).warnings[0]
    assert "least_bytes is 1.0 MiB" in run("gcs_backups", {**ARGS, "least_bytes": "1M"}).error


def test_dumps_are_backups_too(bucket):
    bucket.put("backups", "daily/b.dump", b"x" * 10, age=3 * DAY)
    bucket.put("backups", "daily/a.dump", b"x" * 20, age=100)
    ran = run("gcs_backups", {**ARGS, "kind": "object"})
    assert (ran.status, ran.data["good"]["url"], ran.data["complete"]) == ("ok", "gs://backups/daily/a.dump", 2)


def test_an_empty_database_is_remarked(bucket):
    bucket.put("backups", "daily/e/e.overall_export_metadata", exports.log(b"3", b""))
    ran = run("gcs_backups", ARGS)
    assert ran.status == "ok"
    assert ran.warnings == ["gs://backups/daily/e: its marker names no part: the database was empty"]


# what goes wrong on the way


def test_throttling_is_waited_out_and_endless_throttling_told(bucket):
    exports.put(bucket, "backups", "daily/x")
    for times in (1, 10):
        bucket.throttle("*", times)
        assert run("gcs_backups", ARGS).status == "ok"
    bucket.throttle("*")
    ran = run("gcs_backups", {**ARGS, "wait": 0.2})
    assert "429" in ran.error
    assert "Quota exceeded" in ran.error


def test_a_broken_connection_and_a_broken_server_are_tried_again(bucket):
    exports.put(bucket, "backups", "daily/x", documents=500)
    bucket.cut_downloads(10, 20)
    bucket.fail("objects.list", times=2)
    bucket.drop("objects.download")
    assert run("gcs_backups", {**ARGS, "read": True}).data["newest"]["verified"]


def test_credentials_that_expire_on_the_way_are_told(bucket):
    exports.put(bucket, "backups", "daily/x")
    bucket.expire_credentials(2)
    ran = run("gcs_backups", ARGS)
    assert ran.status == "failed"
    assert "credentials" in ran.error


def test_a_bucket_of_another_project_is_refused(bucket):
    bucket.answer("buckets.list", {"kind": "storage#buckets"})
    ran = run("gcs_backups", ARGS)
    assert ran.error.startswith("project spendsense-test has no bucket backups; nothing was touched")
    assert [call.operation for call in bucket.requests] == ["buckets.list"]


def test_a_project_that_may_not_be_asked_is_a_warning(bucket):
    exports.put(bucket, "backups", "daily/x")
    bucket.fail("buckets.list", status=403, code="PERMISSION_DENIED")
    ran = run("gcs_backups", ARGS)
    assert ran.status == "ok"
    assert "storage.buckets.list is not granted" in ran.warnings[0]


@pytest.mark.parametrize(
    ("task", "args"),
    [
        ("gcs_prune", {"prefix": "daily/"}),
        ("gcs_lifecycle", {"retention": 0}),
        ("gcs_upload", {"path": "/etc/hostname", "object": "daily/y"}),
    ],
)
def test_nothing_is_changed_in_a_bucket_that_may_be_another_project_s(bucket, task, args):
    exports.put(bucket, "backups", "daily/x", age=400 * DAY)
    bucket.fail("buckets.list", status=403, code="PERMISSION_DENIED", times=None)
    for check in (True, False):
        ran = run(task, {**PLACE, **args}, check=check)
        assert ran.status == "failed"
        assert "storage.buckets.list is not granted; nothing was touched" in ran.error
    assert bucket.mutations == []


def objects(*items, **more):
    return {"kind": "storage#objects", "items": list(items), **more}


def an_object(name, **fields):
    plain = {"name": name, "size": "1", "crc32c": "AAAAAA==", "generation": "1", "metageneration": "1"}
    return {**plain, "timeCreated": stamp(datetime.now(UTC)), **fields}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({}, "the answer is no listing"),
        ([], "makes no sense"),
        ("<html>", "Expecting value"),
        ({"kind": "storage#objects", "items": 3}, "makes no sense"),
        (objects(an_object("elsewhere/x")), "elsewhere/x does not belong there"),
        (objects(an_object("daily/b"), an_object("daily/a")), "daily/a does not belong there"),
        (objects(an_object("daily/a"), an_object("daily/a")), "daily/a does not belong there"),
        (objects(an_object("daily/a", size="-1")), "size -1 is no whole number"),
        (objects(an_object("daily/a", size="9" * 400)), "makes no sense"),
        (objects(an_object("daily/a", size=None)), "makes no sense"),
        (objects(an_object("daily/a", crc32c="AA==")), "crc32c 'AA==' is no checksum"),
        (objects(an_object("daily/a", crc32c=7)), "is no checksum"),
        (objects(an_object("daily/a", generation="x")), "makes no sense"),
        (objects(an_object("daily/a", timeCreated="yesterday")), "makes no sense"),
        (objects(an_object("daily/\x1b[2J")), ""),
        (objects(an_object("daily/" + "a" * 5000)), "is no object's name"),
        (objects({"size": "1"}), "makes no sense"),
        (objects(nextPageToken=["x"]), "no sensible token"),
    ],
)
def test_answers_that_make_no_sense_are_told(bucket, answer, told):
    bucket.answer("objects.list", answer, times=None)
    ran = run("gcs_backups", {**ARGS, "wait": 0.2})
    assert ran.status == "failed"
    assert told in ran.error
    assert ran.error.isprintable()
    assert "internal error" not in ran.error
    assert len(ran.error) < 1500


def test_a_listing_that_never_ends_is_told(bucket):
    bucket.answer("objects.list", objects(nextPageToken="again"), times=None)
    assert "goes round in circles" in run("gcs_backups", ARGS).error


def test_a_listing_without_an_end_is_told(bucket, monkeypatch):
    original, tokens = bucket.perform, itertools.count()

    def perform(call, request):
        if call.operation == "objects.list":
            return Answer(objects(nextPageToken=f"{next(tokens)}")).response()
        return original(call, request)

    monkeypatch.setattr(bucket, "perform", perform)
    assert "the listing did not end within 0.3 seconds" in run("gcs_backups", {**ARGS, "wait": 0.3}).error


def test_a_listing_that_breaks_off_is_no_short_listing(bucket):
    exports.put(bucket, "backups", "daily/x")
    exports.put(bucket, "backups", "daily/y")
    bucket.page_size = 2
    whole = run("gcs_backups", ARGS).data["complete"]
    pages = sum("maxResults" not in call.query for call in bucket.calls("objects.list"))
    assert (whole, pages) == (2, 3)
    bucket.requests.clear()
    bucket.answer("objects.list", objects(nextPageToken="ZGFpbHkv"), times=1)
    bucket.fail("objects.list", times=None, status=410, code="FAILED_PRECONDITION")
    assert run("gcs_backups", ARGS).status == "failed"


def test_more_than_promised_is_not_taken(bucket):
    exports.put(bucket, "backups", "daily/x")
    bucket.answer("objects.download", b"y" * 100_000, times=None)
    ran = run("gcs_backups", ARGS)
    assert "more comes than its" in ran.error


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"prefix": "/daily"}, "begins with '/'"),
        ({"prefix": "gs://x/"}, "gs://"),
        ({"prefix": "a/../b"}, "'..'"),
        ({"prefix": "a\nb"}, "control character"),
        ({"bucket": "gs://backups"}, "bucket name without gs://"),
        ({"every": "0s"}, "shorter than 60 seconds"),
        ({"kind": "tape"}, "none of firestore, object"),
        ({"kind": "object", "read": True}, "read is for exports"),
        ({"last": 0}, "from 1 to 1000"),
    ],
)
def test_bad_parameters_are_refused_before_anything_is_asked(bucket, more, told):
    ran = run("gcs_backups", {**ARGS, **more})
    assert told in ran.error
    assert bucket.requests == []
