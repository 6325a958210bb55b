"""Which log group is meant, and the order in which events come."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib import tasks
from opslib.cloud.aws.log_events import LogEvent, _Order, backwards
from opslib.cloud.aws.log_groups import LogGroup, named_by_arn
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


class Service:
    """CloudWatch Logs with one group, in pages of so many events; newest first only if it knows that."""

    def __init__(self, times: list[int], size: int, *, knows_order: bool) -> None:
        self.times, self.size, self.knows_order = sorted(times), size, knows_order
        self.given: list[int] = []
        self.meta = self.service_model = self.input_shape = self
        self.members = ("startFromHead",)

    def operation_model(self, _name: str) -> Service:
        return self

    def client(self, _name: str) -> Service:
        return self

    def ask(self, call: Any, *, doing: str) -> Any:
        return call()

    def filter_log_events(
        self,
        *,
        logGroupName: str,
        startTime: int,
        limit: int,
        endTime: int = 1 << 60,
        startFromHead: bool = True,
        nextToken: str = "0",
    ) -> Any:
        found = [when for when in self.times if startTime <= when <= endTime]
        if self.knows_order and not startFromHead:
            found.reverse()
        at = int(nextToken)
        page = found[at : at + self.size]
        self.given += page
        more = {"nextToken": str(at + self.size)} if at + self.size < len(found) else {}
        return {
            "events": [
                {"eventId": f"{when}", "logStreamName": "s", "timestamp": when, "message": "x"} for when in page
            ],
            **more,
        }


NOW_MS = 1764201600_000
EDGES = [span * 1000 + more for span in (60, 600, 3600, 86400) for more in (-1, 0, 1)]


@given(
    st.lists(st.integers(0, 90 * 86400_000) | st.sampled_from(EDGES), unique=True, max_size=12),
    st.integers(1, 4),
    st.booleans(),
    st.integers(1, 6),
    st.none() | st.integers(1, 90 * 86400),
)
def test_the_newest_are_read_and_none_twice(
    ages: list[int], size: int, knows_order: bool, wanted: int, since: int | None
) -> None:
    service = Service([NOW_MS - age for age in ages], size, knows_order=knows_order)
    group = LogGroup("g", "g", created=NOW_MS / 1000 - 80 * 86400, days=0)
    begin = None if since is None else NOW_MS / 1000 - since
    read: list[int] = []
    for events in backwards(service, group, begin, NOW_MS / 1000, lambda: len(read) >= wanted):  # type: ignore[arg-type]
        read.extend(int(event.id) for event in events)
    kept = [when for when in service.times if begin is None or when >= begin * 1000]
    assert sorted(read)[-wanted:] == kept[-wanted:]
    assert len(set(service.given)) == len(service.given)


def test_where_order_is_kept_a_busy_minute_is_not_read_to_its_end() -> None:
    group = LogGroup("g", "g", created=0, days=0)
    for knows_order, pages in ((True, 1), (False, 10)):
        service = Service([NOW_MS - age for age in range(50)], 5, knows_order=knows_order)
        read: list[Any] = []
        for events in backwards(service, group, None, NOW_MS / 1000, lambda read=read: len(read) >= 3):  # type: ignore[arg-type]
            read.extend(events)
        assert len(service.given) == 5 * pages
