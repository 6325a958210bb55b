"""Old backups go; nothing young, held, changed meanwhile, or of the newest good ones does."""

from __future__ import annotations

import pytest

from support import exports
from support.cloud import run
from support.exports import DAY

ARGS = {
    "project": "spendsense-test",
    "bucket": "backups",
    "prefix": "daily/",
    "keep_last": 2,
    "wait": 60,
    "poll": 0.001,
}
MARKER = "overall_export_metadata"


@pytest.fixture
def bucket(gcs):
    gcs.make_bucket("backups")
    return gcs


@pytest.fixture
def five(bucket):
    """Exports of 10 to 50 days ago."""
    for age in (10, 20, 31, 40, 50):
        exports.put(bucket, "backups", f"daily/{age}", age=age * DAY + 5)
    return bucket


def left(gcs):
    return sorted({name.split("/")[1] for name in gcs.names("backups")})


def test_check_run_and_run_again(five):
    ran = run("gcs_prune", ARGS, check=True)
    assert (ran.status, five.mutations) == ("changed", [])
    assert ran.summaries == [
        f"delete gs://backups/daily/{age} (3 objects, {size} B, {age} days old) (project spendsense-test, bucket backups)"
        for age, size in ((50, 132), (40, 132), (31, 132))
    ]
    ran = run("gcs_prune", ARGS)
    assert (ran.status, ran.error, left(five)) == ("changed", None, ["10", "20"])
    assert (ran.data["deleted"], ran.data["deleted_bytes"]) == (3, 396)
    ran = run("gcs_prune", ARGS)
    assert (ran.status, ran.reason) == ("ok", "all of 2 backups stay: it is one of the newest (2)")


def test_the_marker_goes_first_and_everything_only_as_it_was_seen(five):
    run("gcs_prune", {**ARGS, "older_than": "45d"})
    deleted = five.calls("objects.delete")
    assert deleted[0].parts["object"].endswith(MARKER)
    assert all({"ifGenerationMatch", "ifMetagenerationMatch"} <= set(call.query) for call in deleted)


def test_the_newest_good_ones_stay_however_old(bucket):
    for age in (400, 500, 600):
        exports.put(bucket, "backups", f"daily/{age}", age=age * DAY)
    assert run("gcs_prune", {**ARGS, "keep_last": 3}).status == "ok"
    ran = run("gcs_prune", {**ARGS, "keep_last": 2})
    assert (ran.status, left(bucket)) == ("changed", ["400", "500"])


def test_age_is_told_by_the_service_whatever_the_controller_s_clock_says(bucket):
    bucket.advance(-60 * DAY)
    for age in (1, 2, 31):
        exports.put(bucket, "backups", f"daily/{age}", age=age * DAY + 5)
    ran = run("gcs_prune", {**ARGS, "keep_last": 1})
    assert (ran.status, left(bucket)) == ("changed", ["1", "2"])
    assert "31 days old" in ran.summaries[0]


def test_what_is_not_whole_is_not_counted(five):
    for age in ("10", "20", "31"):
        five.put("backups", f"daily/{age}/all_namespaces/all_kinds/output-0", b"", age=60 * DAY)
    ran = run("gcs_prune", ARGS)
    assert (ran.status, left(five)) == ("changed", ["10", "20", "40", "50"])
    assert "not counted as good: gs://backups/daily/10: output-0" in ran.warnings[0]


def test_nothing_goes_while_too_few_are_good(five):
    for name in five.names("backups"):
        if name.endswith("output-0") and "/50/" not in name:
            five.put("backups", name, b"", age=60 * DAY)
    ran = run("gcs_prune", ARGS)
    assert (ran.status, len(left(five)), five.mutations) == ("ok", 5, [])
    assert "only 1 of 2 good ones are known (2)" in ran.reason


def test_what_is_young_kept_held_or_retained_stays(five):
    five.put("backups", "daily/50/late-note", b"x", age=DAY)
    item = "daily/40/all_namespaces/all_kinds/output-0"
    five.store.objects["backups"][item]["temporaryHold"] = True
    ran = run("gcs_prune", {**ARGS, "keep": ["3?"]})
    assert (ran.status, five.mutations, len(left(five))) == ("ok", [], 5)
    why = {each["url"].rpartition("/")[2]: each["why"] for each in ran.data["kept"]}
    assert why["50"] == "it is too young"
    assert why["31"] == "its name is to be kept"
    assert why["40"] == f"gs://backups/{item} is under temporary hold"
    assert ran.warnings == [f"gs://backups/daily/40 stays: gs://backups/{item} is under temporary hold"]


def test_the_retention_of_the_bucket_is_respected_before_anything_is_tried(gcs):
    gcs.make_bucket(
        "backups", retentionPolicy={"retentionPeriod": str(45 * DAY), "effectiveTime": "2020-01-01T00:00:00Z"}
    )
    for age in (10, 20, 31, 50):
        exports.put(gcs, "backups", f"daily/{age}", age=age * DAY)
    ran = run("gcs_prune", ARGS)
    assert (ran.status, left(gcs)) == ("changed", ["10", "20", "31"])
    assert "is retained until" in ran.warnings[0]
    assert len(gcs.mutations) == 3


def test_what_does_not_look_like_an_export_stays(five):
    five.put("backups", "daily/photos/cat.jpg", b"x", age=99 * DAY)
    exports.put(five, "backups", "daily/failed", age=99 * DAY, without=(MARKER,))
    ran = run("gcs_prune", {**ARGS, "unfinished": False})
    assert left(five) == ["10", "20", "failed", "photos"]
    ran = run("gcs_prune", ARGS)
    assert "unfinished, 2 objects" in ran.summaries[0]
    assert left(five) == ["10", "20", "photos"]


def test_dumps_are_pruned_too(bucket):
    for age in (1, 2, 40, 50):
        bucket.put("backups", f"daily/{age}.dump", b"x", age=age * DAY)
    assert run("gcs_prune", {**ARGS, "kind": "object"}).status == "changed"
    assert bucket.names("backups") == ["daily/1.dump", "daily/2.dump"]


def test_more_than_most_is_refused(five):
    ran = run("gcs_prune", {**ARGS, "most": 2})
    assert "3 backups would go, more than most, 2" in ran.error
    assert five.mutations == []


# what happens meanwhile


def just_before(gcs, monkeypatch, operation, act):
    """Do something whenever an operation is asked for, before it is done; `act` is given the request."""
    original = gcs.perform

    def perform(call, request):
        if call.operation == operation:
            act(call)
        return original(call, request)

    monkeypatch.setattr(gcs, "perform", perform)


OLDEST = "daily/50/50.overall_export_metadata"


def test_what_is_replaced_meanwhile_is_left(five, monkeypatch):
    just_before(five, monkeypatch, "objects.delete", lambda _: five.put("backups", OLDEST, b"new", age=99 * DAY))
    ran = run("gcs_prune", ARGS)
    assert (ran.status, "412" in ran.error) == ("failed", True)
    assert five.content("backups", OLDEST) == b"new"
    assert len([name for name in five.names("backups") if "/50/" in name]) == 3


def test_a_hold_that_comes_meanwhile_is_respected(five, monkeypatch):
    def hold(_call):
        five.store.objects["backups"][OLDEST].update(eventBasedHold=True, metageneration="2")

    just_before(five, monkeypatch, "objects.delete", hold)
    ran = run("gcs_prune", ARGS)
    assert (ran.status, "412" in ran.error, OLDEST in five.names("backups")) == ("failed", True, True)


def test_a_folder_into_which_something_is_written_meanwhile_is_left_whole(five, monkeypatch):
    just_before(five, monkeypatch, "objects.download", lambda _: five.put("backups", "daily/50/new", b"x"))
    ran = run("gcs_prune", {**ARGS, "older_than": "45d"})
    assert "gs://backups/daily/50 was changed meanwhile; nothing of it was deleted" in ran.error
    assert five.mutations == []


def test_a_run_that_was_cut_is_finished_by_the_next(five, monkeypatch):
    def refuse_the_second(call):
        if not call.parts["object"].endswith(MARKER):
            five.fail("objects.delete", status=403, code="PERMISSION_DENIED")

    with monkeypatch.context() as patch:
        just_before(five, patch, "objects.delete", refuse_the_second)
        assert "403" in run("gcs_prune", {**ARGS, "older_than": "45d"}).error
    five.mend()
    assert not any(name.endswith(MARKER) for name in five.names("backups") if "/50/" in name)
    ran = run("gcs_prune", {**ARGS, "older_than": "45d"})
    assert (ran.status, "50" in left(five)) == ("changed", False)


def test_lost_answers_are_cleared_up_by_looking(five):
    five.fail("objects.delete", times=3, after_effect=True)
    five.fail("objects.delete", times=2)
    five.drop("objects.delete", times=1, after_effect=True)
    ran = run("gcs_prune", ARGS)
    assert (ran.status, ran.error, left(five)) == ("changed", None, ["10", "20"])


@pytest.mark.parametrize("times", [1, 10])
def test_throttling_is_waited_out(five, times):
    five.throttle("objects.delete", times)
    assert run("gcs_prune", ARGS).status == "changed"
    assert left(five) == ["10", "20"]


def test_endless_throttling_and_endless_failure_are_told(five):
    five.throttle("objects.delete")
    ran = run("gcs_prune", {**ARGS, "wait": 1})
    assert (ran.status, "429" in ran.error, len(left(five))) == ("failed", True, 5)
    five.mend()
    five.fail("objects.delete", times=None)
    ran = run("gcs_prune", {**ARGS, "wait": 1})
    assert (ran.status, "503" in ran.error, len(left(five))) == ("failed", True, 5)


def test_credentials_that_expire_on_the_way_are_told(five):
    five.expire_credentials(8)
    ran = run("gcs_prune", ARGS)
    assert "credentials" in ran.error
    assert {"10", "20"} <= set(left(five))


def test_hostile_names_are_shown_harmlessly_and_deleted_as_they_are(five):
    five.put("backups", "daily/\x1b[2J\x1b[31m/\x1b.overall_export_metadata", exports.log(b"3", b""), age=70 * DAY)
    ran = run("gcs_prune", ARGS)
    assert ran.status == "changed"
    assert all(summary.isprintable() for summary in ran.summaries)
    assert any(r"daily/\x1b[2J" in summary for summary in ran.summaries)
    assert left(five) == ["10", "20"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"keep_last": 0}, "from 1 to 10000"),
        ({"older_than": "1m"}, "shorter than 3600 seconds"),
        ({"prefix": None}, "prefix is required"),
        ({"keep": ["a/b"]}, "holds no '/'"),
    ],
)
def test_bad_parameters_are_refused_before_anything_is_asked(bucket, more, told):
    ran = run("gcs_prune", {**ARGS, **more})
    assert told in ran.error
    assert bucket.requests == []
