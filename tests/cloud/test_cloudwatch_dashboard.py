"""Dashboards as code."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from services.apprunner import AppRunner
from services.faults import Fault
from services.moto import Moto
from support.cloud import AWS, Ran, run

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/api:1"
BODY = {"widgets": [{"type": "text", "x": 0, "y": 2, "width": 6, "height": 3, "properties": {"markdown": "hello"}}]}
NAME = "SpendSense-API"


def keep(check: bool = False, **args: Any) -> Ran:
    return run("cloudwatch_dashboard", {**AWS, "dashboard": NAME, **args}, check=check)


def there() -> Any:
    """Return the dashboard's body, None when there is none."""
    client = boto3.client("cloudwatch")
    names = [each["DashboardName"] for each in client.list_dashboards()["DashboardEntries"]]
    return json.loads(client.get_dashboard(DashboardName=NAME)["DashboardBody"]) if NAME in names else None


def somebodys(body: str = '{"widgets": []}') -> None:
    boto3.client("cloudwatch").put_dashboard(DashboardName=NAME, DashboardBody=body)


def test_check_run_and_run_again(moto: Moto) -> None:
    done = keep(check=True, body=BODY)
    assert (done.changed, there(), moto.mutations) == (True, None, [])
    done = keep(body=BODY)
    assert done.summaries == [f"create dashboard {NAME} (account 123456789012, region us-east-1)"]
    widgets = there()["widgets"]
    assert widgets[0] == BODY["widgets"][0]
    assert (widgets[1]["y"], widgets[1]["properties"]["markdown"][:14]) == (5, "Kept by opslib")
    moto.requests.clear()
    done = keep(body=BODY)
    assert (done.status, done.data["ours"], moto.mutations) == ("ok", True, [])
    changed = {"widgets": [{**BODY["widgets"][0], "properties": {"markdown": "bye"}}]}
    done = keep(body=changed)
    assert ("hello" in done.changes[0]["before"], "bye" in done.changes[0]["after"]) == (True, True)
    assert keep(state="absent", check=True).changed is True
    assert there() is not None
    assert keep(state="absent").summaries == [f"remove dashboard {NAME} (account 123456789012, region us-east-1)"]
    assert there() is None
    assert keep(state="absent").status == "ok"


def test_the_standard_one_of_a_service(moto: Moto, apprunner: AppRunner) -> None:
    service = apprunner.make("spendsense", IMAGE)
    assert keep(service="spendsense", latency=400).status == "changed"
    text = json.dumps(there())
    for words in (
        service.id,
        '"p95"',
        "5xxStatusResponses",
        "MemoryUtilization",
        '"value": 400',
        '"region": "us-east-1"',
    ):
        assert words in text
    assert keep(service="spendsense", latency=400).status == "ok"


@pytest.mark.parametrize("body", ['{"widgets": []}', '{"widgets": 5}', "[]"])
def test_one_that_is_not_ours_is_touched_only_when_told(moto: Moto, body: str) -> None:
    somebodys(body)
    moto.requests.clear()
    for args in ({"body": BODY}, {"state": "absent"}):
        assert "was not made by opslib" in str(keep(**args).error)
    assert moto.mutations == []
    assert keep(body=BODY, adopt=True).status == "changed"
    assert keep(body=BODY).status == "ok"
    somebodys(body)
    assert keep(state="absent", adopt=True).status == "changed"
    assert there() is None


@pytest.mark.parametrize("after_effect", [True, False])
def test_an_answer_that_is_lost_is_looked_for(moto: Moto, after_effect: bool) -> None:
    moto.fail("PutDashboard", after_effect=after_effect)
    assert keep(body=BODY).status == "changed"
    assert len(moto.calls("PutDashboard")) == (1 if after_effect else 2)
    moto.fail("DeleteDashboards", after_effect=after_effect)
    assert keep(state="absent").status == "changed"
    assert there() is None


def test_old_answers_are_waited_out(moto: Moto) -> None:
    keep(body=BODY)
    old = {"DashboardBody": json.dumps(there()), "DashboardName": NAME, "DashboardArn": "x"}
    for _look in range(3):
        moto.answer("GetDashboard", old)
    assert keep(body={"widgets": []}).status == "changed"
    assert len(moto.calls("PutDashboard")) == 2


def test_remarks_are_passed_on(moto: Moto) -> None:
    remark = {"DataPath": "/widgets/0", "Message": "should have \x1b[2J a title"}
    told = Fault(200, body={"DashboardValidationMessages": [remark]}, after_effect=True)
    moto.script.add("PutDashboard", told, 1)
    done = keep(body=BODY)
    assert done.warnings == ["CloudWatch remarks: /widgets/0: should have \\x1b[2J a title"]


@pytest.mark.parametrize(("times", "status"), [(1, "changed"), (10, "changed"), (None, "failed")])
def test_throttling(moto: Moto, times: int | None, status: str) -> None:
    moto.throttle("GetDashboard", times)
    assert keep(body=BODY, wait=60 if times else 0.3).status == status


@pytest.mark.parametrize("answer", [{"DashboardName": NAME}, b"\xff"])
def test_answers_that_make_no_sense(moto: Moto, answer: Any) -> None:
    moto.answer("GetDashboard", answer, times=None)
    done = keep(body=BODY)
    assert (done.status, moto.mutations) == ("failed", [])
    assert f"reading the dashboard {NAME}" in str(done.error)
