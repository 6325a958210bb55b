"""Policies that are too wide, and the rules by which users and roles are judged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib import tasks
from opslib.cloud.aws.account_details import Details, Grant, Role
from opslib.cloud.aws.credential_report import Key, User
from opslib.cloud.aws.findings import Finding
from opslib.cloud.aws.iam_rules import Limits, of_grants, of_roles, of_users
from opslib.cloud.aws.policies import is_open, too_wide
from opslib.errors import ParamError

DAY = 86400.0
LIMITS = Limits(now=1000 * DAY, key_age=90 * DAY, unused=90 * DAY)


def policy(**statement: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Resource": "*", **statement}]}


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (policy(Action="*"), ["high: allows everything on all resources"]),
        (policy(Action=["s3:Get*", "*:*"]), ["high: allows everything on all resources"]),
        (policy(Action="*", Resource=["arn:aws:s3:::x", "*"]), ["high: allows everything on all resources"]),
        (policy(Action="*", Condition={"Bool": {}}), ["medium: allows everything on all resources under a condition"]),
        (policy(Action=["iam:*", "S3:**"]), ["high: allows iam:*, s3:* on all resources"]),
        (policy(Action="s3:*"), ["medium: allows s3:* on all resources"]),
        (policy(Action="s3:*", Condition={"Bool": {}}), ["low: allows s3:* on all resources under a condition"]),
        (policy(NotAction="s3:*"), ["high: allows everything but s3:* on all resources"]),
        (policy(NotAction=["IAM:*"]), ["medium: allows everything but IAM:* on all resources"]),
        ({"Statement": {"Effect": "Allow", "Action": "*", "NotResource": "x"}}, ["high: allows everything on all resources but x"]),
        (
            {"Statement": {"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "arn:aws:s3:::payroll/*"}},
            ["low: allows s3:GetObject on all resources but arn:aws:s3:::payroll/*, on those yet to come, too"],
        ),
        (
            {"Statement": {"Effect": "Allow", "NotAction": "iam:*", "NotResource": ["a", "b"]}},
            ["medium: allows everything but iam:* on all resources but a; b"],
        ),
        (policy(Action="s3:*", Resource="arn:aws:s3:::*"), ["medium: allows s3:* on all resources"]),
        (policy(Action="iam:*", Resource="arn:aws:iam::123456789012:*"), ["high: allows iam:* on all resources"]),
        (policy(Action="*", Resource="arn:aws:sqs:*:123456789012:*"), ["medium: allows sqs:* on all resources"]),
        (policy(Action=["ecs:*", "s3:*"], Resource="arn:aws:s3:*"), ["medium: allows s3:* on all resources"]),
        (policy(Action="s3:*", Resource=["arn:aws:s3:::a/*", "arn:aws:sns:eu-west-1:*", "arn:aws:s3:::b"]), []),
        (policy(Action="*", Resource="arn:*:*:*:*:*"), ["high: allows everything on all resources"]),
        (policy(Action="*", Resource="arn:aws:s3:::x"), []),
        (policy(Action="s3:Get*"), []),
        (policy(Effect="Deny", Action="*"), []),
        (policy(Action=["s3:*", "*"]), ["high: allows everything on all resources", "medium: allows s3:* on all resources"]),
    ],
)  # fmt: skip
def test_wildcards(document: Any, found: list[str]) -> None:
    assert [f"{wide.severity}: {wide.words}" for wide in too_wide(document)] == found


@pytest.mark.parametrize(
    ("statement", "severity"),
    [
        ({"Principal": "*"}, "high"),
        ({"Principal": {"AWS": "*"}}, "high"),
        ({"Principal": {"AWS": ["arn:x", "*"]}, "Condition": {"StringEquals": {}}}, "medium"),
        ({"NotPrincipal": {"AWS": "arn:x"}}, "high"),
        ({"Principal": {"Service": "ec2.amazonaws.com"}}, None),
        ({"Principal": {"AWS": "arn:aws:iam::1:root"}}, None),
        ({"Principal": "*", "Effect": "Deny"}, None),
    ],
)
def test_who_may_come_in(statement: dict[str, Any], severity: str | None) -> None:
    wide = is_open({"Statement": [{"Effect": "Allow", **statement}]})
    assert (wide.severity if wide else None) == severity


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["Statement", "Effect", "Action", "NotAction", "Resource", "Principal", "AWS"]), inner
        )
    ),
)


@given(JSON)
def test_no_document_breaks_the_review(document: Any) -> None:
    too_wide(document)
    is_open(document)


def user(**more: Any) -> User:
    plain = {
        "name": "ann",
        "made": 0.0,
        "password": False,
        "password_used": None,
        "password_set": None,
        "mfa": True,
        "keys": (),
    }
    return User(**{**plain, **more})


@given(st.floats(0, 1000), st.none() | st.floats(0, 1000))
def test_a_key_is_old_or_unused_by_its_times(made: float, used: float | None) -> None:
    key = Key(1, made * DAY, None if used is None else used * DAY)
    kinds = {finding.kind for finding in of_users((user(keys=(key,)),), LIMITS)}
    assert ("old_key" in kinds) is (LIMITS.now - made * DAY > 90 * DAY)
    assert ("unused_key" in kinds) is (LIMITS.now - (made if used is None else used) * DAY > 90 * DAY)


def test_passwords() -> None:
    fresh = {"password": True, "password_set": 990 * DAY}
    assert [each.kind for each in of_users((user(**fresh, mfa=False),), LIMITS)] == ["no_mfa"]
    assert [each.kind for each in of_users((user(**fresh),), LIMITS)] == []
    assert [each.kind for each in of_users((user(password=True, password_used=800 * DAY),), LIMITS)] == [
        "unused_password"
    ]


def role(name: str = "r", path: str = "/", made: float = 0, used: float | None = None) -> Role:
    return Role(name, "arn", path, made * DAY, None if used is None else used * DAY, None)


def test_roles() -> None:
    assert [each.words for each in of_roles((role(),), LIMITS)] == ["was never used for 1000 days"]
    assert [each.words for each in of_roles((role(used=800),), LIMITS)] == ["was not used for 200 days"]
    others = role(used=990), role(made=990), role(path="/aws-service-role/x/"), role(path="/aws-reserved/sso/")
    assert list(of_roles(others, LIMITS)) == []


def test_whose_policies_count() -> None:
    wide = policy(Action="*")
    service = role("AWSServiceRoleForX", path="/aws-service-role/x/")
    grants = (
        Grant("held", wide, ("user ann",)),
        Grant("free", wide, ()),
        Grant("AdministratorAccess", wide, (), own=False),
        Grant("of-a-service", wide, ("role AWSServiceRoleForX",)),
        Grant("inline", wide, ("role r",), inline=True),
    )
    found = [(each.severity, each.subject) for each in of_grants(Details((service,), grants))]
    assert found == [("high", "policy held"), ("low", "policy free"), ("high", "policy inline of role r")]


def test_names_are_harmless() -> None:
    [finding] = of_users((user(name="ann\x1b[2J", password=True, password_set=999 * DAY, mfa=False),), LIMITS)
    assert finding.line.isprintable()


def test_acceptance_names_kind_and_subject() -> None:
    finding = Finding("low", "unused_role", "role ci-7", "x")
    assert finding.accepted(["x:*", "unused_role:role ci-*"])
    assert not finding.accepted(["unused_role", "role ci-7", "unused_key:*"])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"key_age": 0}, "shorter than 1"),
        ({"fail_on": "worst"}, "is none of high, medium, low, never"),
        ({"last_accessed": 501}, "whole number"),
        ({"accept": ["a\nb"]}, "control character"),
    ],
)
def test_wrong_parameters(args: dict[str, Any], words: str) -> None:
    with pytest.raises(ParamError, match=words):
        tasks.iam_review(account="123456789012", region="us-east-1", **args)
