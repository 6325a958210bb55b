"""Which log group is meant, and the order in which events come."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib import tasks
from opslib.cloud.aws.log_events import LogEvent, _Order
from opslib.cloud.aws.log_groups import named_by_arn
from opslib.errors import ParamError

ACCOUNT, REGION = "123456789012", "us-east-1"
SERVICE = f"arn:aws:apprunner:{REGION}:{ACCOUNT}:service/api/8fe1e1"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/aws/apprunner/api/8fe1e1/application", None),
        ("api", None),
        (SERVICE, "/aws/apprunner/api/8fe1e1/service"),
        (f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/a/b", "/a/b"),
        (f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/a/b:*", "/a/b"),
    ],
)
def test_a_group_by_its_arn(text: str, name: str | None) -> None:
    assert named_by_arn(text, "service", ACCOUNT, REGION) == name


@pytest.mark.parametrize(
    "text",
    [
        SERVICE.replace(REGION, "eu-west-1"),
        SERVICE.replace(ACCOUNT, "000000000000"),
        SERVICE.replace("apprunner", "ecs"),
        SERVICE + "/more",
        "arn:aws",
        "arn:",
        f"arn:aws:logs:{REGION}:{ACCOUNT}:stream:x",
    ],
)
def test_an_arn_of_elsewhere_or_something_else_is_refused(text: str) -> None:
    with pytest.raises(ParamError, match="arn:"):
        named_by_arn(text, "application", ACCOUNT, REGION)


GOOD = {"account": ACCOUNT, "region": REGION, "groups": ["api"]}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"groups": []}, "the list is empty"),
        ({"groups": ["a", "a"]}, "one is named twice"),
        ({"groups": ["a:b"]}, "is no log group or App Runner service"),
        ({"groups": ["$(reboot)"]}, "is no log group"),
        ({"groups": ["--x"]}, "is no log group"),
        ({"groups": ["a\nb"]}, "control character"),
        ({"groups": [SERVICE.replace(REGION, "eu-west-1")]}, "is not of account 123456789012 and region us-east-1"),
        ({"mode": "search"}, "needs since"),
        ({"since": "1m", "until": "5m"}, "until 300 must be less than since 60"),
        ({"mode": "follow", "until": "5m"}, "no meaning with mode follow"),
        ({"lasting": "5m"}, "with mode follow only"),
        ({"match": "("}, "regular expression"),
        ({"account": "123"}, "12 digits"),
    ],
)
def test_wrong_parameters(args: dict[str, Any], words: str) -> None:
    with pytest.raises(ParamError, match=words):
        tasks.cloudwatch_logs(**{**GOOD, **args})


@given(st.lists(st.lists(st.integers(0, 5), max_size=4), max_size=4))
def test_an_order_is_believed_only_when_it_is_proven(batches: list[list[int]]) -> None:
    order, so_far = _Order(), []
    for batch in batches:
        falls = order.falls([LogEvent("", "", float(when), "") for when in batch])
        so_far += batch
        proven = bool(so_far) and so_far == sorted(so_far, reverse=True) and so_far[0] > so_far[-1]
        assert falls is proven
