"""A repository of ECR is made and kept as declared."""

from __future__ import annotations

import json

import boto3
import pytest

from services.aws_json import REGION
from services.faults import Fault
from support.cloud import AWS, run

NAME = "spendsense-api"
ARGS = {**AWS, "wait": 60, "repository": NAME}
UNTAGGED = {
    "rulePriority": 1,
    "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14},
    "action": {"type": "expire"},
}
WANTED = {**ARGS, "create": True, "tags": "immutable", "scan_on_push": True, "lifecycle": {"rules": [UNTAGGED]}}


@pytest.fixture
def ecr(moto):
    return boto3.client("ecr", region_name=REGION)


@pytest.fixture
def there(moto, ecr):
    ecr.create_repository(repositoryName=NAME)
    moto.requests.clear()
    return ecr


def seen(ecr):
    """Return mutability, scanning and lifecycle as boto3 sees them."""
    (found,) = ecr.describe_repositories(repositoryNames=[NAME])["repositories"]
    try:
        policy = json.loads(ecr.get_lifecycle_policy(repositoryName=NAME)["lifecyclePolicyText"])
    except ecr.exceptions.LifecyclePolicyNotFoundException:
        policy = None
    return found["imageTagMutability"], found["imageScanningConfiguration"]["scanOnPush"], policy


def test_a_missing_one_is_made_only_when_told(moto, ecr):
    ran = run("ecr_repository", ARGS)
    assert ran.error == f"there is no repository {NAME}; create: true makes it"
    ran = run("ecr_repository", WANTED, check=True)
    assert (ran.status, moto.mutations) == ("changed", [])
    assert ran.summaries == [
        f"create repository {NAME} (account 123456789012, region us-east-1)",
        f"set the lifecycle of repository {NAME} to 1 rule (account 123456789012, region us-east-1)",
    ]
    ran = run("ecr_repository", WANTED)
    assert (ran.status, ran.error) == ("changed", None)
    assert seen(ecr) == ("IMMUTABLE", True, {"rules": [UNTAGGED]})
    assert ran.data["uri"].endswith(f".dkr.ecr.us-east-1.amazonaws.com/{NAME}")
    before = len(moto.mutations)
    assert (run("ecr_repository", WANTED).status, len(moto.mutations)) == ("ok", before)


def test_each_setting_is_changed_and_the_others_stay(moto, there):
    for more, after in (
        ({"tags": "immutable"}, ("IMMUTABLE", False, None)),
        ({"scan_on_push": True}, ("IMMUTABLE", True, None)),
        ({"lifecycle": {"rules": [UNTAGGED]}}, ("IMMUTABLE", True, {"rules": [UNTAGGED]})),
        (
            {"lifecycle": {"rules": [{**UNTAGGED, "rulePriority": 5}]}},
            ("IMMUTABLE", True, {"rules": [{**UNTAGGED, "rulePriority": 5}]}),
        ),
        ({"lifecycle": {"rules": []}}, ("IMMUTABLE", True, None)),
        ({"tags": "mutable", "scan_on_push": False}, ("MUTABLE", False, None)),
    ):
        before = seen(there)
        assert (run("ecr_repository", {**ARGS, **more}, check=True).status, seen(there)) == ("changed", before)
        ran = run("ecr_repository", {**ARGS, **more})
        assert (ran.status, ran.error, seen(there)) == ("changed", None, after)
        assert run("ecr_repository", {**ARGS, **more}).status == "ok"


def test_the_difference_is_shown(moto, there):
    ran = run("ecr_repository", {**WANTED, "create": False}, check=True)
    assert [(each["before"], each["after"]) for each in ran.changes] == [
        ("mutable", "immutable"),
        (False, True),
        (None, json.dumps(UNTAGGED, sort_keys=True)),
    ]


OPERATIONS = ["CreateRepository", "PutLifecyclePolicy"]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("after_effect", [True, False])
def test_lost_answers_are_cleared_up_by_looking(moto, ecr, operation, after_effect):
    moto.fail(operation, after_effect=after_effect)
    ran = run("ecr_repository", WANTED)
    assert (ran.status, ran.error) == ("changed", None)
    assert seen(ecr) == ("IMMUTABLE", True, {"rules": [UNTAGGED]})
    assert len(moto.calls(operation)) == (1 if after_effect else 2)


@pytest.mark.parametrize("operation", ["PutImageTagMutability", "PutImageScanningConfiguration"])
def test_so_are_those_of_settings(moto, there, operation):
    moto.fail(operation, after_effect=True)
    assert run("ecr_repository", WANTED).status == "changed"
    assert len(moto.calls(operation)) == 1


def test_throttling_once_often_and_for_ever(moto, ecr):
    moto.throttle("CreateRepository", 1)
    moto.throttle("PutLifecyclePolicy", 10)
    assert run("ecr_repository", WANTED).status == "changed"
    moto.throttle("DescribeRepositories")
    ran = run("ecr_repository", {**WANTED, "wait": 0.2})
    assert (ran.status, "ThrottlingException" in ran.error) == ("failed", True)


def test_a_new_one_that_is_not_seen_at_once_is_waited_for(moto, ecr, monkeypatch):
    original, blind = moto.perform, iter([True] * 4)

    def perform(call, request):
        if call.operation == "DescribeRepositories" and next(blind, False):
            return moto.error(call, Fault(400, "RepositoryNotFoundException", "not yet"))
        return original(call, request)

    monkeypatch.setattr(moto, "perform", perform)
    ran = run("ecr_repository", WANTED)
    assert (ran.status, ran.error, len(moto.calls("CreateRepository"))) == ("changed", None, 1)


def test_somebody_who_made_it_meanwhile_is_no_trouble(moto, ecr):
    moto.fail("CreateRepository", status=400, code="RepositoryAlreadyExistsException")
    ran = run("ecr_repository", WANTED)
    assert "RepositoryAlreadyExistsException" in ran.error
    assert ran.status == "failed"


def test_expired_credentials_and_another_account_are_told(moto, there):
    moto.expire_credentials(2)
    assert "renew the AWS credentials" in run("ecr_repository", WANTED).error
    moto.mend()
    moto.requests.clear()
    ran = run("ecr_repository", {**WANTED, "account": "999999999999"})
    assert "the AWS credentials belong to account 123456789012, not to 999999999999" in ran.error
    assert [call.operation for call in moto.requests] == ["GetCallerIdentity"]


REPOSITORY = {"repositoryName": NAME, "repositoryUri": f"1.dkr.ecr/{NAME}", "imageTagMutability": "MUTABLE"}


@pytest.mark.parametrize(
    ("operation", "answer", "told"),
    [
        ("DescribeRepositories", {}, "not about that repository"),
        ("DescribeRepositories", {"repositories": []}, "not about that repository"),
        (
            "DescribeRepositories",
            {"repositories": [{**REPOSITORY, "repositoryName": "other"}]},
            "not about that repository",
        ),
        (
            "DescribeRepositories",
            {"repositories": [{**REPOSITORY, "imageTagMutability": "ETERNAL\x1b[2J"}]},
            "not known: 'ETERNAL",
        ),
        ("DescribeRepositories", {"repositories": [{**REPOSITORY, "repositoryUri": "evil"}]}, "no address that fits"),
        ("GetLifecyclePolicy", {}, "holds no policy"),
        ("GetLifecyclePolicy", {"lifecyclePolicyText": "[" * 100_000}, "holds no policy"),
    ],
)
def test_answers_that_make_no_sense_are_told(moto, there, operation, answer, told):
    moto.answer(operation, answer, times=None)
    ran = run("ecr_repository", WANTED)
    assert told in ran.error
    assert (ran.error.isprintable(), moto.mutations) == (True, [])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"repository": "Upper"}, "no repository name"),
        ({"repository": "a/../b"}, "no repository name"),
        ({"repository": "-oProxyCommand=x"}, "no repository name"),
        ({"tags": "sometimes"}, "none of mutable, immutable"),
        ({"lifecycle": {"rule": []}}, "holds a list of rules"),
        ({"lifecycle": {"rules": ["x"]}}, "each rule of the lifecycle has"),
        ({"lifecycle": {"rules": [{**UNTAGGED, "rulePriority": 0}]}}, "whole number from 1"),
        ({"lifecycle": {"rules": [UNTAGGED, UNTAGGED]}}, "same rulePriority"),
    ],
)
def test_bad_parameters_are_refused_before_anything_is_asked(moto, more, told):
    ran = run("ecr_repository", {**ARGS, **more})
    assert told in ran.error
    assert moto.requests == []
