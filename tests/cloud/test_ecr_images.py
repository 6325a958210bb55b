"""The newest images of a repository are listed, with what scans found."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from support import images
from support.cloud import AWS, run
from support.images import DAY

ARGS = {**AWS, "wait": 60, "repository": "spendsense-api"}


@pytest.fixture
def ecr(moto):
    ecr = images.Ecr()
    for number in (1, 2, 3):
        ecr.push(f"v{number}", age=(4 - number) * DAY)
    moto.requests.clear()
    return ecr


def scanned(status="COMPLETE", **counts):
    return {"imageScanStatus": {"status": status}, "imageScanFindings": {"findingSeverityCounts": counts}}


def test_the_newest_come_first_with_age_and_findings(moto, ecr):
    moto.answer("DescribeImageScanFindings", scanned(HIGH=2, LOW=7))
    ran = run("ecr_images", {**ARGS, "last": 2})
    assert (ran.status, moto.mutations) == ("ok", [])
    first, second = ran.data["images"]
    assert (first["tags"], first["digest"]) == (["v3"], images.digest_of(images.manifest("v3")))
    assert first["age_seconds"] == pytest.approx(DAY, abs=30)
    assert first["scan"] == {"status": "COMPLETE", "findings": {"high": 2, "low": 7}}
    assert (second["tags"], second["scan"]) == (["v2"], {"status": "NONE", "findings": {}})
    assert ran.data["count"] == 3
    assert ran.reason.startswith("3 images; the newest is sha256:")


@pytest.mark.parametrize(
    ("fail_on", "answer", "told"),
    [
        ("critical", scanned(HIGH=5), ""),
        ("critical", scanned(CRITICAL=1), "has findings: 1 critical; fail_on is critical"),
        ("medium", scanned(CRITICAL=1, MEDIUM=3, LOW=9), "has findings: 1 critical, 3 medium; fail_on is medium"),
        ("low", scanned("IN_PROGRESS"), "has not been scanned: its scan is IN_PROGRESS"),
        ("low", scanned("ACTIVE", UNTRIAGED=4), ""),
    ],
)
def test_findings_fail_the_step_when_told(moto, ecr, fail_on, answer, told):
    moto.answer("DescribeImageScanFindings", answer)
    ran = run("ecr_images", {**ARGS, "last": 1, "fail_on": fail_on})
    assert (ran.status == "failed", told in (ran.error or "")) == (bool(told), True)


def test_a_newest_image_without_a_scan_fails_when_findings_matter(moto, ecr):
    assert "its scan is NONE" in run("ecr_images", {**ARGS, "fail_on": "critical"}).error


def test_a_repository_without_images_and_without_itself(moto):
    images.Ecr("empty")
    assert run("ecr_images", {**ARGS, "repository": "empty"}).reason == "repository empty holds no image"
    assert "there is no repository nosuch" in run("ecr_images", {**ARGS, "repository": "nosuch"}).error


@pytest.mark.parametrize("times", [1, 10])
def test_throttling_and_broken_servers_are_waited_out(moto, ecr, times):
    moto.throttle("DescribeImages", times)
    moto.fail("DescribeRepositories", times=times)
    moto.drop("DescribeImageScanFindings", times=times)
    assert run("ecr_images", ARGS).data["count"] == 3


def test_endless_throttling_and_expired_credentials_are_told(moto, ecr):
    moto.throttle("*")
    assert "ThrottlingException" in run("ecr_images", {**ARGS, "wait": 0.2}).error
    moto.mend()
    moto.expire_credentials(3)
    assert "renew the AWS credentials" in run("ecr_images", ARGS).error


def listed(*items, **more):
    return {"imageDetails": list(items), **more}


def an_image(number, **fields):
    plain = {"imageDigest": images.digest_of(str(number)), "imagePushedAt": datetime.now(UTC).timestamp()}
    return {**plain, "imageSizeInBytes": 5, **fields}


def test_a_listing_of_several_pages_is_read_to_its_end(moto, ecr):
    moto.answer("DescribeImages", listed(an_image(1), nextToken="two"))
    moto.answer("DescribeImages", listed(an_image(2), nextToken="three"))
    moto.answer("DescribeImages", listed(an_image(3), an_image(1)))
    assert run("ecr_images", ARGS).data["count"] == 3


@pytest.mark.parametrize(
    ("operation", "answer", "told"),
    [
        ("DescribeImages", {}, "holds no imageDetails"),
        ("DescribeImages", listed(nextToken="again"), "goes round in circles"),
        ("DescribeImages", listed(an_image(1, imageDigest="sha256:../../etc")), "an image makes no sense"),
        ("DescribeImages", listed(an_image(1, imageDigest=None)), "an image makes no sense"),
        ("DescribeImages", listed(an_image(1, imagePushedAt=None)), "an image makes no sense"),
        ("DescribeImageScanFindings", scanned("EXPLODED\x1b[2J"), "its status is not known"),
        ("DescribeImageScanFindings", scanned(DIRE=3), "makes no sense"),
        ("DescribeImageScanFindings", {}, "its status is not known"),
    ],
)
def test_answers_that_make_no_sense_are_told(moto, ecr, operation, answer, told):
    moto.answer(operation, answer, times=None)
    ran = run("ecr_images", ARGS)
    assert ran.status == "failed"
    assert told in ran.error
    assert ran.error.isprintable()


def test_hostile_tags_are_shown_harmlessly(moto, ecr):
    moto.answer("DescribeImages", listed(an_image(1, imageTags=["\x1b[2J" + "x" * 5000])), times=None)
    ran = run("ecr_images", ARGS)
    assert (ran.status, ran.reason.isprintable(), len(ran.reason) < 400) == ("ok", True, True)
