"""A review of IAM: what should not be there is found, and what could not be asked is said."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto.backends import get_backend

from opslib import Fleet, Target, tasks
from services.moto import Moto
from support.cloud import AWS, Ran, run

ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
OPEN = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}
NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=200)
COLUMNS = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,mfa_active,"
    "access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,"
    "access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,access_key_2_last_used_date,"
    "access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,cert_1_last_rotated,cert_2_active,"
    "cert_2_last_rotated"
)
NO_KEY = "false,N/A,N/A,N/A,N/A"


def review(**args: Any) -> Ran:
    return run("iam_review", {**AWS, "last_accessed": 0, **args})


def found(done: Ran) -> list[tuple[str, str, str]]:
    return [(each["severity"], each["kind"], each["subject"]) for each in done.data["findings"]]


def backdate(things: Any) -> None:
    for thing in things:
        thing.create_date = OLD


@pytest.fixture
def account(moto: Moto) -> Any:
    """An account with one of each."""
    iam = boto3.client("iam")
    for name in ("ann", "bob", "cy"):
        iam.create_user(UserName=name)
    iam.create_login_profile(UserName="ann", Password="not-a-Real-1")
    iam.create_access_key(UserName="bob")
    iam.create_access_key(UserName="cy")
    iam.create_access_key(UserName="cy")
    iam.create_policy(PolicyName="Nobodys", PolicyDocument=json.dumps(ALL))
    arn = iam.create_policy(PolicyName="Everything", PolicyDocument=json.dumps(ALL))["Policy"]["Arn"]
    iam.attach_user_policy(UserName="bob", PolicyArn=arn)
    iam.create_role(RoleName="old", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.create_role(RoleName="new", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.create_role(RoleName="open", AssumeRolePolicyDocument=json.dumps(OPEN))
    iam.put_role_policy(
        RoleName="new",
        PolicyName="inline",
        PolicyDocument=json.dumps({**ALL, "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": "*"}]}),
    )
    backend = get_backend("iam")[AWS["account"]]["aws"]
    backdate(next(user for user in backend.users.values() if user.name == "bob").access_keys)
    backdate(role for role in backend.roles.values() if role.name == "old")
    moto.answer(
        "GetAccountSummary", {"SummaryMap": {"AccountAccessKeysPresent": 0, "AccountMFAEnabled": 1}}, times=None
    )
    moto.requests.clear()
    return iam


def test_one_of_each_is_found(account: Any, moto: Moto) -> None:
    done = review()
    assert found(done) == [
        ("high", "no_mfa", "user ann"),
        ("high", "open_role", "role open"),
        ("high", "wildcard_policy", "policy Everything"),
        ("medium", "old_key", "user bob"),
        ("medium", "unused_key", "user bob"),
        ("medium", "wildcard_policy", "policy inline of role new"),
        ("low", "two_keys", "user cy"),
        ("low", "unused_role", "role old"),
        ("low", "wildcard_policy", "policy Nobodys"),
    ]
    assert done.status == "failed"
    assert "high: policy Everything: allows everything on all resources; held by user bob (wildcard_policy)" in str(
        done.error
    )
    assert "access key 1 is 200 days old" in json.dumps(done.data)
    assert moto.mutations == []


def test_limits_and_what_is_accepted(account: Any) -> None:
    accept = ["no_mfa:*", "open_role:role o*", "wildcard_policy:policy Everything"]
    done = review(accept=accept, key_age="300d", unused="300d")
    assert (done.status, done.error) == ("ok", None)
    assert [kind for _severity, kind, _subject in found(done)] == ["wildcard_policy", "two_keys", "wildcard_policy"]
    assert (done.data["accepted"], done.data["counts"]) == (3, {"high": 0, "medium": 1, "low": 2})
    assert "medium: policy inline of role new" in done.warnings[1]
    assert review(accept=accept, fail_on="medium").status == "failed"
    assert review(fail_on="never").status == "ok"


def root_row(*, password: str = "not_supported", used: str = "no_information", key: str = NO_KEY) -> bytes:
    """A report of the root account alone, whose password AWS calls `not_supported`."""
    row = f"<root_account>,arn:aws:iam::123456789012:root,2020-01-01T00:00:00+00:00,{password},{used},"
    row += f"not_supported,not_supported,false,{key},{NO_KEY},false,N/A,false,N/A"
    return f"{COLUMNS}\n{row}\n".encode()


def test_the_root_account(moto: Moto) -> None:
    key = "true,2020-01-01T00:00:00+00:00,N/A,N/A,N/A"
    for content in (
        root_row(used=f"{NOW:%Y-%m-%dT%H:%M:%S+00:00}", key=key),
        root_row(),
        root_row(password="FALSE"),
    ):
        answer = {"Content": content, "ReportFormat": "text/csv", "GeneratedTime": NOW}
        moto.answer("GetCredentialReport", answer)
    assert found(review()) == [
        ("high", "root_key", "root"),
        ("high", "root_no_mfa", "root"),
        ("medium", "root_used", "root"),
    ]
    assert found(review()) == [("high", "root_no_mfa", "root")]
    assert found(review()) == []
    assert moto.calls("GetAccountSummary") == []
    moto.answer("GetAccountSummary", {"SummaryMap": {"AccountAccessKeysPresent": 1, "AccountMFAEnabled": 0}})
    boto3.client("iam").create_user(UserName="ann")
    assert [kind for _severity, kind, _subject in found(review())] == ["root_key", "root_no_mfa"]


def test_what_may_not_be_asked_is_said(account: Any, moto: Moto) -> None:
    moto.fail("GenerateCredentialReport", times=None, status=403, code="AccessDenied", message="not you")
    done = review()
    assert done.data["not_asked"][0] == "the credential report: having a credential report made: AccessDenied: not you"
    assert done.warnings[0].startswith("not asked: the credential report")
    assert ("high", "open_role", "role open") in found(done)
    moto.fail("GetAccountAuthorizationDetails", times=None, status=403, code="AccessDenied")
    assert str(review().error).startswith("nothing could be reviewed: ")


def test_a_report_is_waited_for(account: Any, moto: Moto) -> None:
    for state in ("STARTED", "INPROGRESS"):
        moto.answer("GenerateCredentialReport", {"State": state})
    moto.fail("GetCredentialReport", status=410, code="ReportExpired")
    moto.fail("GetCredentialReport", status=404, code="ReportInProgress")
    assert len(found(review())) == 9
    moto.fail("GenerateCredentialReport", status=409, code="LimitExceeded")
    assert len(found(review())) == 9


def access(*services: tuple[str, datetime | None]) -> dict[str, Any]:
    rows = [
        {"ServiceName": name, "ServiceNamespace": name, **({"LastAuthenticated": when} if when else {})}
        for name, when in services
    ]
    return {"JobStatus": "COMPLETED", "JobCreationDate": NOW, "JobCompletionDate": NOW, "ServicesLastAccessed": rows}


def test_services_that_are_used(account: Any, moto: Moto) -> None:
    moto.answer("GenerateServiceLastAccessedDetails", {"JobId": "x" * 36}, times=None)
    moto.answer("GetServiceLastAccessedDetails", {**access(), "JobStatus": "IN_PROGRESS"})
    moto.answer(
        "GetServiceLastAccessedDetails", {**access(("s3", NOW), ("ec2", OLD)), "IsTruncated": True, "Marker": "more"}
    )
    moto.answer("GetServiceLastAccessedDetails", access(("sqs", None)))
    moto.answer("GetServiceLastAccessedDetails", access(("s3", NOW)))
    done = review(last_accessed=5)
    rows = [each for each in done.data["findings"] if each["kind"] == "unused_services"]
    assert [(each["subject"], each["text"]) for each in rows] == [
        ("role new", "may use 3 services, used in 90 days: s3")
    ]
    assert done.data["not_asked"] == []
    moto.mend()
    moto.fail("GenerateServiceLastAccessedDetails", times=None, status=403, code="AccessDenied")
    assert "services used by 2 holders of wide policies: asking which services role new has used: AccessDenied" in str(
        review(last_accessed=5).data["not_asked"]
    )
    assert "last_accessed is 0" in review().data["not_asked"][0]


def test_a_listing_in_pages(account: Any, moto: Moto) -> None:
    role = {
        "Path": "/",
        "RoleName": "paged",
        "RoleId": "x",
        "Arn": "arn:aws:iam::123456789012:role/paged",
        "CreateDate": OLD,
    }
    empty: dict[str, Any] = {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [role], "Policies": []}
    moto.answer("GetAccountAuthorizationDetails", {**empty, "IsTruncated": True, "Marker": "more"})
    done = review()
    assert ("low", "unused_role", "role paged") in found(done)
    assert ("low", "unused_role", "role old") in found(done)
    moto.answer("GetAccountAuthorizationDetails", {**empty, "IsTruncated": True, "Marker": "again"}, times=None)
    assert "the listing goes round in circles" in str(review().error)


@pytest.mark.parametrize("times", [1, 10, None])
def test_throttling(account: Any, moto: Moto, times: int | None) -> None:
    moto.throttle("GetAccountAuthorizationDetails", times)
    done = review(wait=60 if times else 0.5)
    assert (("high", "open_role", "role open") in found(done)) is (times is not None)
    assert ("Rate exceeded" in str(done.data["not_asked"])) is (times is None)


@pytest.mark.parametrize(
    "content",
    [b"", b"user\nann\n", b"\xff\xfe", f"{COLUMNS}\nann,x,soon,true\n".encode(), f"{COLUMNS}\n{'x,' * 21}x\n".encode()],
)
def test_reports_that_make_no_sense(account: Any, moto: Moto, content: bytes) -> None:
    moto.answer("GetCredentialReport", {"Content": content, "ReportFormat": "text/csv", "GeneratedTime": NOW})
    done = review()
    assert done.status == "failed"
    assert str(done.error).startswith("reading the credential report: ")
    assert "internal error" not in str(done.error)


def test_a_state_that_is_unknown(account: Any, moto: Moto) -> None:
    moto.answer("GenerateCredentialReport", {"State": "PONDERING"})
    assert "has the state 'PONDERING', which is unknown" in str(review().error)


def test_credentials_that_expire(account: Any, moto: Moto) -> None:
    moto.expire_credentials(after=2)
    assert "renew the AWS credentials" in str(review().error)


def test_a_run_in_a_process_of_its_own(account: Any) -> None:
    with Fleet([Target(name="controller", carrier="local")]) as fleet:
        task = tasks.iam_review(account=AWS["account"], region=AWS["region"], last_accessed=0)
        [step] = fleet.run([task], check=True).hosts["controller"].steps
    assert (step.status.value, step.data["counts"]["high"]) == ("failed", 3)
