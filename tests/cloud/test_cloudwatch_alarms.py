"""Alarms as code: what is written is there, and nothing of others is touched."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from opslib import Fleet, Target, tasks
from services.apprunner import AppRunner
from services.moto import Moto
from support.cloud import AWS, Ran, run

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/api:1"
TOPIC = "arn:aws:sns:us-east-1:123456789012:pager"
QUEUE = {
    "namespace": "Queue",
    "metric": "Depth",
    "statistic": "Maximum",
    "threshold": 100,
    "dimensions": {"b": "2", "a": "1"},
}
RATIO = {
    "expression": "100 * a / b",
    "threshold": 5,
    "periods": 3,
    "breaching": 2,
    "metrics": {
        "a": {"namespace": "Queue", "metric": "Lost", "statistic": "Sum"},
        "b": {"namespace": "Queue", "metric": "Sent", "statistic": "Sum"},
    },
}
BOTH = {"depth": QUEUE, "lost": RATIO}


def keep(check: bool = False, **args: Any) -> Ran:
    return run("cloudwatch_alarms", {**AWS, "prefix": "shop-", **args}, check=check)


def there() -> dict[str, Any]:
    """Return the alarms, as boto3 sees them."""
    return {each["AlarmName"]: each for each in boto3.client("cloudwatch").describe_alarms()["MetricAlarms"]}


def somebodys(name: str, **more: Any) -> None:
    boto3.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        Namespace="Queue",
        MetricName="Depth",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        **more,
    )


def test_check_run_and_run_again(moto: Moto) -> None:
    done = keep(check=True, alarms=BOTH, actions=[TOPIC])
    assert (done.changed, moto.mutations, there()) == (True, [], {})
    assert '"MetricName": "Depth"' in done.changes[0]["after"]
    done = keep(alarms=BOTH, actions=[TOPIC])
    assert done.summaries == [
        "create the alarm shop-depth (account 123456789012, region us-east-1)",
        "create the alarm shop-lost (account 123456789012, region us-east-1)",
    ]
    found = there()
    assert found["shop-depth"]["AlarmActions"] == [TOPIC]
    assert found["shop-depth"]["Dimensions"] == [{"Name": "b", "Value": "2"}, {"Name": "a", "Value": "1"}]
    assert [each.get("Expression") for each in found["shop-lost"]["Metrics"]] == ["100 * a / b", None, None]
    assert (found["shop-lost"]["EvaluationPeriods"], found["shop-lost"]["DatapointsToAlarm"]) == (3, 2)
    moto.requests.clear()
    done = keep(alarms=BOTH, actions=[TOPIC])
    assert (done.status, done.reason, moto.mutations) == ("ok", "2 alarms as they should be", [])


def test_what_was_changed_by_hand_is_changed_back_with_a_diff(moto: Moto) -> None:
    keep(alarms=BOTH)
    somebodys("shop-depth", ActionsEnabled=False)
    done = keep(alarms=BOTH)
    assert done.summaries == ["change the alarm shop-depth (account 123456789012, region us-east-1)"]
    assert (
        '"ActionsEnabled": false' in done.changes[0]["before"],
        '"Threshold": 100.0' in done.changes[0]["after"],
    ) == (True, True)
    assert keep(alarms=BOTH).status == "ok"


def test_only_our_own_are_removed(moto: Moto) -> None:
    keep(alarms=BOTH)
    somebodys("shop-other")
    somebodys("else", Tags=[{"Key": "opslib:alarms", "Value": "else"}])
    run("cloudwatch_alarms", {**AWS, "prefix": "shop-2-", "alarms": {"x": QUEUE}})
    done = keep(alarms={"lost": RATIO})
    assert done.summaries == ["remove the alarm shop-depth (account 123456789012, region us-east-1)"]
    assert set(there()) == {"shop-lost", "shop-other", "else", "shop-2-x"}
    assert done.data["alarms"]["others"] == ["shop-2-x", "shop-other"]
    assert keep().summaries == ["remove the alarm shop-lost (account 123456789012, region us-east-1)"]
    assert keep().reason == "there are no alarms of ours"


def test_one_of_the_same_name_is_taken_over_only_when_told(moto: Moto) -> None:
    somebodys("shop-depth")
    moto.requests.clear()
    done = keep(alarms={"depth": QUEUE})
    assert (done.error, moto.mutations) == (
        "not ours, but of the same name: shop-depth; adopt=true takes them over",
        [],
    )
    done = keep(alarms={"depth": QUEUE}, adopt=True)
    assert [summary.split(" (")[0] for summary in done.summaries] == [
        "change the alarm shop-depth",
        "take over the alarm shop-depth",
    ]
    assert keep(alarms={"depth": QUEUE}).status == "ok"


def test_the_usual_alarms_of_a_service(moto: Moto, apprunner: AppRunner) -> None:
    service = apprunner.make("spendsense", IMAGE)
    own = {"cpu": {**QUEUE, "threshold": 1}}
    done = keep(service="spendsense", latency=400, alarms=own)
    assert done.status == "changed"
    found = there()
    assert set(found) == {"shop-latency", "shop-error-rate", "shop-cpu", "shop-memory"}
    assert (found["shop-latency"]["ExtendedStatistic"], found["shop-latency"]["Threshold"]) == ("p95", 400)
    assert {"Name": "ServiceID", "Value": service.id} in found["shop-memory"]["Dimensions"]
    assert found["shop-cpu"]["Namespace"] == "Queue"
    assert keep(service="spendsense", latency=400, alarms=own).status == "ok"


@pytest.mark.parametrize("operation", ["PutMetricAlarm", "DeleteAlarms"])
@pytest.mark.parametrize("after_effect", [True, False])
def test_an_answer_that_is_lost_is_looked_for(moto: Moto, operation: str, after_effect: bool) -> None:
    if operation == "DeleteAlarms":
        keep(alarms={"depth": QUEUE})
    wanted = {"depth": QUEUE} if operation == "PutMetricAlarm" else {}
    moto.requests.clear()
    moto.fail(operation, after_effect=after_effect)
    done = keep(alarms=wanted)
    assert (done.status, set(there())) == ("changed", {f"shop-{key}" for key in wanted})
    assert len(moto.calls(operation)) == (1 if after_effect else 2)
    assert keep(alarms=wanted).status == "ok"


def test_old_answers_are_waited_out(moto: Moto) -> None:
    keep(alarms={"depth": QUEUE})
    old = {"MetricAlarms": [there()["shop-depth"]]}
    for _look in range(3):
        moto.answer("DescribeAlarms", old)
    done = keep(alarms={"depth": {**QUEUE, "threshold": 7}})
    assert (done.status, there()["shop-depth"]["Threshold"]) == ("changed", 7)
    assert len(moto.calls("PutMetricAlarm")) == 2


@pytest.mark.parametrize(("times", "status"), [(1, "changed"), (10, "changed"), (None, "failed")])
def test_throttling(moto: Moto, times: int | None, status: str) -> None:
    moto.throttle("PutMetricAlarm", times)
    done = keep(alarms={"depth": QUEUE}, wait=60 if times else 0.5)
    assert done.status == status
    assert len(there()) == (1 if times else 0)


@pytest.mark.parametrize("after", [1, 2, 3])
def test_credentials_that_expire_on_the_way(moto: Moto, after: int) -> None:
    moto.expire_credentials(after=after)
    assert "renew the AWS credentials" in str(keep(alarms=BOTH).error)
    moto.mend()
    keep(alarms=BOTH)
    assert (set(there()), keep(alarms=BOTH).status) == ({"shop-depth", "shop-lost"}, "ok")


def test_a_listing_in_pages(moto: Moto) -> None:
    keep(alarms=BOTH)
    found = there()
    moto.answer("DescribeAlarms", {"MetricAlarms": [found["shop-depth"]], "NextToken": "more"})
    moto.answer("DescribeAlarms", {"MetricAlarms": [found["shop-lost"]]})
    assert keep(alarms=BOTH).status == "ok"


@pytest.mark.parametrize(
    "answer",
    [
        {"MetricAlarms": [{"AlarmName": "else", "AlarmArn": "x"}]},
        {"MetricAlarms": [{"AlarmName": "shop-x"}]},
        {"CompositeAlarms": []},
        {"MetricAlarms": [], "NextToken": "again"},
        b"\xff\xff",
    ],
)
def test_answers_that_make_no_sense(moto: Moto, answer: Any) -> None:
    moto.answer("DescribeAlarms", answer, times=None)
    done = keep(alarms=BOTH)
    assert (done.status, moto.mutations) == ("failed", [])
    assert "reading the alarms shop-*" in str(done.error)


def test_a_run_in_a_process_of_its_own(moto: Moto) -> None:
    with Fleet([Target(name="controller", carrier="local")]) as fleet:
        task = tasks.cloudwatch_alarms(account=AWS["account"], region=AWS["region"], prefix="shop-", alarms=BOTH)
        for status in ("changed", "ok"):
            [step] = fleet.run([task]).hosts["controller"].steps
            assert (step.status.value, step.error) == (status, None)
