"""The lifecycle and retention of a bucket are as declared, and nobody else's rule is lost."""

from __future__ import annotations

import pytest

from support.cloud import run
from support.exports import DAY

ARGS = {"project": "spendsense-test", "bucket": "backups", "wait": 60, "poll": 0.001}
DAILY = {**ARGS, "delete_after": "30d", "prefixes": ["daily/"]}


def deletion(days, *prefixes):
    return {
        "action": {"type": "Delete"},
        "condition": {"age": days, **({"matchesPrefix": list(prefixes)} if prefixes else {})},
    }


ABORT = {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 7}}
COLD = {
    "action": {"type": "SetStorageClass", "storageClass": "COLDLINE"},
    "condition": {"age": 10, "matchesStorageClass": ["STANDARD"]},
}


def rules(gcs):
    return gcs.store.buckets["backups"].get("lifecycle", {}).get("rule", [])


@pytest.fixture
def bucket(gcs):
    gcs.make_bucket("backups", lifecycle={"rule": [ABORT, COLD, deletion(90, "daily/")]})
    return gcs


def test_check_run_obey_and_run_again(bucket):
    ran = run("gcs_lifecycle", DAILY, check=True)
    assert (ran.status, bucket.mutations) == ("changed", [])
    change = ran.changes[0]
    assert change["summary"] == "set the lifecycle of gs://backups (project spendsense-test, bucket backups)"
    assert "delete after 90 days: daily/" in change["before"]
    assert change["after"] == change["before"].replace("90", "30")
    ran = run("gcs_lifecycle", DAILY)
    assert (ran.status, ran.error) == ("changed", None)
    assert rules(bucket) == [ABORT, COLD, deletion(30, "daily/")]
    assert [call.query["ifMetagenerationMatch"] for call in bucket.mutations] == ["1"]
    bucket.put("backups", "daily/old", age=31 * DAY)
    bucket.put("backups", "daily/young", age=29 * DAY)
    bucket.put("backups", "manual/old", age=99 * DAY)
    assert bucket_obeys(bucket) == ["daily/old"]
    ran = run("gcs_lifecycle", DAILY)
    assert (ran.status, len(bucket.mutations)) == ("ok", 1)
    assert "delete after 30 days: daily/" in ran.reason


def bucket_obeys(gcs):
    gcs.store.buckets["backups"]["lifecycle"] = {
        "rule": [each for each in rules(gcs) if each["action"]["type"] == "Delete"]
    }
    gone = gcs.run_lifecycle()
    gcs.store.buckets["backups"]["lifecycle"] = {"rule": [ABORT, COLD, *rules(gcs)]}
    return gone


def test_a_new_rule_is_added_and_the_others_stay(bucket):
    ran = run("gcs_lifecycle", {**ARGS, "delete_after": "400d", "prefixes": ["manual-"], "rules": [ABORT]})
    assert ran.status == "changed"
    assert rules(bucket) == [ABORT, COLD, deletion(90, "daily/"), deletion(400, "manual-")]


def test_rules_of_a_kind_that_nobody_knows_yet_stay_too(bucket):
    shred = {"action": {"type": "Shred", "passes": 3}, "condition": {"moonPhase": "full"}}
    bucket.twist("buckets.get", lambda body: body["lifecycle"]["rule"].append(shred), times=None)
    run("gcs_lifecycle", DAILY)
    assert bucket.mutations[0].body["lifecycle"]["rule"] == [ABORT, COLD, deletion(30, "daily/"), shred]


def test_the_others_go_only_when_told(bucket):
    assert run("gcs_lifecycle", {**DAILY, "exclusive": True}).status == "changed"
    assert rules(bucket) == [deletion(30, "daily/")]
    assert run("gcs_lifecycle", {**ARGS, "exclusive": True}).status == "changed"
    assert rules(bucket) == []


def test_a_rule_that_would_delete_earlier_is_refused(gcs):
    gcs.make_bucket("backups", lifecycle={"rule": [deletion(7)]})
    ran = run("gcs_lifecycle", DAILY)
    assert "1 rule that would not keep objects for so long: delete after 7 days: everything" in ran.error
    assert gcs.mutations == []
    assert run("gcs_lifecycle", {**DAILY, "exclusive": True}).status == "changed"


def test_retention_is_set_raised_and_removed(bucket):
    def policy():
        return bucket.store.buckets["backups"].get("retentionPolicy", {}).get("retentionPeriod")

    for wanted, there in (("7d", str(7 * DAY)), ("14d", str(14 * DAY)), ("0s", None)):
        ran = run("gcs_lifecycle", {**ARGS, "retention": wanted})
        assert (ran.status, policy()) == ("changed", there)
        assert run("gcs_lifecycle", {**ARGS, "retention": wanted}).status == "ok"
    assert rules(bucket) == [ABORT, COLD, deletion(90, "daily/")]


def test_a_locked_retention_is_never_shortened(gcs):
    gcs.make_bucket("backups", retentionPolicy={"retentionPeriod": "864000", "isLocked": True})
    ran = run("gcs_lifecycle", {**ARGS, "retention": "1d"})
    assert "is locked at 864000 seconds" in ran.error
    assert run("gcs_lifecycle", {**ARGS, "retention": "20d"}).status == "changed"


def test_retention_beyond_the_lifecycle_is_remarked(bucket):
    assert (
        "cannot be deleted before their retention"
        in run("gcs_lifecycle", {**DAILY, "retention": "60d"}, check=True).warnings[0]
    )


# what goes wrong on the way


def test_settings_changed_meanwhile_are_left(bucket, monkeypatch):
    original = bucket.perform

    def perform(call, request):
        if call.operation == "buckets.patch":
            bucket.store.buckets["backups"].update(metageneration="9", lifecycle={"rule": [deletion(5)]})
        return original(call, request)

    monkeypatch.setattr(bucket, "perform", perform)
    ran = run("gcs_lifecycle", DAILY)
    assert "412" in ran.error
    assert rules(bucket) == [deletion(5)]


@pytest.mark.parametrize("after_effect", [True, False])
def test_lost_answers_are_cleared_up_by_looking(bucket, after_effect):
    bucket.fail("buckets.patch", after_effect=after_effect)
    assert run("gcs_lifecycle", DAILY).status == "changed"
    assert rules(bucket) == [ABORT, COLD, deletion(30, "daily/")]
    assert len(bucket.mutations) == (1 if after_effect else 2)


def test_throttling_once_often_and_for_ever(bucket):
    for times, days in ((1, 40), (10, 50)):
        bucket.throttle("buckets.patch", times)
        assert run("gcs_lifecycle", {**DAILY, "delete_after": f"{days}d"}).status == "changed"
    bucket.throttle("buckets.patch")
    assert "429" in run("gcs_lifecycle", {**DAILY, "wait": 0.2}).error


def test_expired_credentials_are_told(bucket):
    bucket.expire_credentials(2)
    assert "credentials" in run("gcs_lifecycle", DAILY).error
    assert rules(bucket)[-1] == deletion(90, "daily/")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"name": "other", "metageneration": "1"},
        {"name": "backups", "metageneration": "1", "lifecycle": {"rule": [{"action": {"type": "Delete"}}]}},
        {"name": "backups", "metageneration": "1", "lifecycle": {"rule": 7}},
        {"name": "backups", "metageneration": "x"},
        {"name": "backups", "metageneration": "1", "retentionPolicy": {"retentionPeriod": "long"}},
    ],
)
def test_answers_that_make_no_sense_are_told(bucket, answer):
    bucket.answer("buckets.get", answer, times=None)
    ran = run("gcs_lifecycle", DAILY)
    assert "makes no sense" in ran.error
    assert "internal error" not in ran.error
    assert bucket.mutations == []


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, "give delete_after, rules or retention"),
        ({"delete_after": "36h"}, "no whole number of days"),
        ({"delete_after": 0}, "no whole number of days"),
        ({"prefixes": ["x"]}, "prefixes belong to delete_after"),
        ({"delete_after": "1d", "prefixes": [""]}, "leave prefixes out"),
        ({"rules": [{"action": {"type": "Delete"}}]}, "has an action and a condition"),
        ({"rules": [{"action": {"type": "Shred"}, "condition": {"age": 1}}]}, "none of Delete"),
        ({"rules": [{"action": {"type": "Delete"}, "condition": {}}]}, "is not made of"),
        ({"rules": [{"action": {"type": "Delete"}, "condition": {"size": 3}}]}, "is not made of"),
        ({"rules": [{"action": {"type": "Delete"}, "condition": {"matchesPrefix": "daily/"}}]}, "no list of texts"),
        ({"rules": ["$(reboot)"]}, "no mapping"),
        ({"retention": "500ms"}, "whole seconds"),
    ],
)
def test_bad_parameters_are_refused_before_anything_is_asked(bucket, more, told):
    ran = run("gcs_lifecycle", {**ARGS, **more})
    assert told in ran.error
    assert bucket.requests == []
