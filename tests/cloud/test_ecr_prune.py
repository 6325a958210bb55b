"""Old images go by policy; what is deployed, young, or belongs to what stays does not."""

from __future__ import annotations

import pytest

from support import images
from support.cloud import AWS, run
from support.images import DAY

ARGS = {**AWS, "wait": 60, "repository": "spendsense-api", "deployed": [], "keep_last": 2, "younger": "7d"}


@pytest.fixture
def ecr(moto):
    """Images of 1 to 50 days ago."""
    ecr = images.Ecr()
    for age in (50, 40, 30, 20, 1):
        ecr.push(f"v{age}", age=age * DAY)
    moto.requests.clear()
    return ecr


def test_check_run_and_run_again(moto, ecr):
    ran = run("ecr_prune", ARGS, check=True)
    assert (ran.status, moto.mutations) == ("changed", [])
    assert [summary.partition("(")[2].partition(")")[0] for summary in ran.summaries] == ["v50", "v40", "v30"]
    assert ran.summaries[0].endswith("pushed 50 days ago (account 123456789012, region us-east-1)")
    assert ran.changes[0]["before"] == images.digest_of(images.manifest("v50"))
    ran = run("ecr_prune", ARGS)
    assert (ran.status, ran.error, ran.data["deleted"], ecr.left()) == ("changed", None, 3, ["v1", "v20"])
    before = len(moto.mutations)
    ran = run("ecr_prune", ARGS)
    assert (ran.status, ran.reason, len(moto.mutations)) == ("ok", "all of 2 images of spendsense-api stay", before)


def test_what_is_deployed_stays_however_it_is_named(moto, ecr):
    digest = images.digest_of(images.manifest("v50"))
    deployed = [
        digest,
        "v40",
        f"123456789012.dkr.ecr.us-east-1.amazonaws.com/spendsense-api@{images.digest_of(images.manifest('v30'))}",
    ]
    ran = run("ecr_prune", {**ARGS, "deployed": deployed})
    assert (ran.status, moto.mutations) == ("ok", [])
    assert [each["why"] for each in ran.data["kept"]][2:] == ["it is deployed"] * 3


def test_what_is_said_to_be_deployed_and_is_not_there_stops_everything(moto, ecr):
    ran = run("ecr_prune", {**ARGS, "deployed": ["v40", "v41", "sha256:" + "0" * 64]})
    assert "is not in repository spendsense-api: v41; sha256:000" in ran.error
    assert moto.mutations == []


def test_what_is_deployed_must_be_said(moto, ecr):
    assert "deployed is required" in run("ecr_prune", {**ARGS, "deployed": None}).error


def test_tags_by_pattern_and_the_young_stay(moto, ecr):
    ran = run("ecr_prune", {**ARGS, "keep_tags": ["v4*"], "younger": "35d"})
    assert (ran.status, ecr.left()) == ("changed", ["v1", "v20", "v30", "v40"])


def test_untagged_images_do_not_take_the_places_of_tagged_ones(moto, ecr):
    for number in range(5):
        ecr.put(images.manifest(f"untagged {number}"), age=10 * DAY + number)
    ran = run("ecr_prune", ARGS)
    assert (ran.status, ecr.left()) == ("changed", ["v1", "v20"])


def test_parts_of_an_index_and_signatures_share_its_fate(moto, ecr):
    kept = [ecr.put(images.manifest(f"kept {n}"), age=60 * DAY) for n in (1, 2)]
    gone = [ecr.put(images.manifest(f"gone {n}"), age=60 * DAY) for n in (1, 2)]
    deployed = ecr.put(images.index(*kept), "multi", age=60 * DAY)
    old = ecr.put(images.index(*gone), "old", age=60 * DAY)
    for owner in (deployed, old):
        ecr.put(images.manifest(f"signature of {owner}"), f"sha256-{owner[7:]}.sig", age=60 * DAY)
    ran = run("ecr_prune", {**ARGS, "deployed": ["multi"]})
    assert (ran.status, ran.error) == ("changed", None)
    assert ecr.left() == sorted(["multi", f"sha256-{deployed[7:]}.sig", "v1", "v20", *(each[:14] for each in kept)])
    order = [call.body["imageIds"][0]["imageDigest"] for call in moto.calls("BatchDeleteImage")]
    assert order.index(old) < min(order.index(each) for each in gone)


def test_a_part_that_two_indexes_share_stays_with_either(moto, ecr):
    same, old, new = (ecr.put(images.manifest(name), age=60 * DAY) for name in ("same", "old", "new"))
    ecr.put(images.index(same, new), "multi", age=59 * DAY)
    ecr.put(images.index(same, old), "older", age=60 * DAY)
    ran = run("ecr_prune", {**ARGS, "deployed": ["multi"]})
    assert (ran.status, ran.error) == ("changed", None)
    assert ecr.left() == sorted(["multi", "v1", "v20", same[:14], new[:14]])


def test_a_deployed_part_keeps_its_whole_index(moto, ecr):
    parts = [ecr.put(images.manifest(f"part {n}"), age=60 * DAY) for n in (1, 2)]
    ecr.put(images.index(*parts), "multi", age=60 * DAY)
    run("ecr_prune", {**ARGS, "deployed": [parts[0]]})
    assert ecr.left() == sorted(["multi", "v1", "v20", *(each[:14] for each in parts)])


def test_more_than_most_is_refused(moto, ecr):
    assert "3 images would go, more than most, 2" in run("ecr_prune", {**ARGS, "most": 2}).error
    assert moto.mutations == []


def test_an_image_that_is_tagged_meanwhile_is_left(moto, ecr, monkeypatch):
    original = moto.perform
    retagged = iter([True])

    def perform(call, request):
        if call.operation == "DescribeImages" and call.body.get("imageIds") and next(retagged, False):
            next(each for each in ecr.images if "v50" in each.image_tags).image_tags.append("production")
        return original(call, request)

    monkeypatch.setattr(moto, "perform", perform)
    ran = run("ecr_prune", ARGS)
    assert "was tagged otherwise meanwhile; it was left" in ran.error
    assert moto.calls("BatchDeleteImage") == []


def test_what_ecr_refuses_is_told(moto, ecr):
    digest = images.digest_of(images.manifest("v50"))
    failure = {
        "imageId": {"imageDigest": digest},
        "failureCode": "ImageReferencedByManifestList",
        "failureReason": "part \x1b[2J",
    }
    moto.answer("BatchDeleteImage", {"imageIds": [], "failures": [failure]}, times=None)
    ran = run("ecr_prune", ARGS)
    assert "ImageReferencedByManifestList" in ran.error
    assert ran.error.isprintable()
    moto.mend()
    moto.answer("BatchDeleteImage", {"imageIds": [{"imageDigest": "sha256:" + "1" * 64}], "failures": []})
    assert "about other images" in run("ecr_prune", ARGS).error


@pytest.mark.parametrize("after_effect", [True, False])
def test_lost_answers_are_cleared_up_by_looking(moto, ecr, after_effect):
    moto.fail("BatchDeleteImage", times=2, after_effect=after_effect)
    ran = run("ecr_prune", ARGS)
    assert (ran.status, ran.error, ecr.left()) == ("changed", None, ["v1", "v20"])
    assert len(moto.calls("BatchDeleteImage")) == (3 if after_effect else 5)


def test_an_image_that_is_seen_for_a_while_after_it_is_gone_is_waited_for(moto, ecr, monkeypatch):
    original, gone, shown = moto.perform, {}, []

    def perform(call, request):
        answer = original(call, request)
        if call.operation == "DescribeImages" and call.body.get("imageIds"):
            digest = call.body["imageIds"][0]["imageDigest"]
            if answer.status_code == 200:
                gone.setdefault(digest, answer)
            elif len(shown) < 3:
                shown.append(digest)
                return gone[digest]
        return answer

    monkeypatch.setattr(moto, "perform", perform)
    assert run("ecr_prune", ARGS).status == "changed"
    assert len(shown) == 3


@pytest.mark.parametrize("times", [1, 10])
def test_throttling_is_waited_out(moto, ecr, times):
    moto.throttle("*", times)
    moto.throttle("BatchDeleteImage", times)
    assert run("ecr_prune", ARGS).status == "changed"


def test_endless_throttling_and_expired_credentials_are_told(moto, ecr):
    moto.throttle("BatchDeleteImage")
    ran = run("ecr_prune", {**ARGS, "wait": 0.3})
    assert ("ThrottlingException" in ran.error, len(ecr.left())) == (True, 5)
    moto.mend()
    moto.expire_credentials(5)
    assert "renew the AWS credentials" in run("ecr_prune", ARGS).error
    moto.mend()
    assert {"v1", "v20"} <= set(ecr.left())


def test_an_index_that_makes_no_sense_is_told(moto, ecr):
    ecr.put(images.index("sha256:" + "2" * 64), "multi", age=60 * DAY)
    moto.answer("BatchGetImage", {"images": []})
    assert "the answer leaves out 1 of them" in run("ecr_prune", ARGS).error
    moto.answer("BatchGetImage", {"images": [{"imageId": {"imageDigest": "x"}, "imageManifest": "{"}]})
    assert "makes no sense" in run("ecr_prune", ARGS).error
    assert moto.calls("BatchDeleteImage") == []
