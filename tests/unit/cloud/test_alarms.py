"""Alarms as they are written down, and when two are the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib import tasks
from opslib.cloud.aws.alarm_specs import AlarmSpecs, as_request
from opslib.cloud.aws.alarms import Alarm, normal
from opslib.cloud.aws.dashboards import is_ours, marked
from opslib.errors import ParamError

PLACE = {"account": "123456789012", "region": "us-east-1"}
PLAIN = {"namespace": "Queue", "metric": "Depth", "statistic": "p99", "threshold": 5}
RATIO = {"expression": "a", "threshold": 5, "metrics": {"a": {"namespace": "Q", "metric": "D", "statistic": "Sum"}}}

SPECS = st.fixed_dictionaries(
    {
        **{key: st.just(value) for key, value in PLAIN.items()},
        "threshold": st.floats(-1e6, 1e6),
        "periods": st.integers(5, 9),
    },
    optional={
        "dimensions": st.dictionaries(st.text("abc", min_size=1), st.text("xyz", min_size=1), max_size=3),
        "comparison": st.sampled_from([">", ">=", "<", "<="]),
        "breaching": st.integers(1, 5),
        "missing": st.sampled_from(["missing", "ignore", "breaching", "notBreaching"]),
        "enabled": st.booleans(),
        "actions": st.lists(st.just("arn:aws:sns:us-east-1:123456789012:pager"), max_size=1),
    },
)


@given(st.dictionaries(st.text("abc", min_size=1), SPECS, max_size=4))
def test_what_is_there_as_written_needs_no_change(specs: dict[str, Any]) -> None:
    task = tasks.cloudwatch_alarms(**PLACE, prefix="p-", alarms=specs)
    assert tasks.cloudwatch_alarms(**task.args()).args() == task.args()
    empty = task.compare(type("State", (), {"there": {}, "service": None}))
    assert len(empty.changes) == len(specs)
    there = {}
    for change in empty.changes:
        request = change.detail["request"]
        shown = {**request, "Dimensions": list(reversed(request["Dimensions"])) if request.get("Dimensions") else []}
        extra = {"StateValue": "OK", "AlarmArn": "arn", "OKActions": [], "AlarmDescription": "", "Unit": None}
        there[request["AlarmName"]] = Alarm(request["AlarmName"], "arn", normal({**extra, **shown}), "p-")
    assert not task.compare(type("State", (), {"there": there, "service": None})).changes
    for alarm in there.values():
        changed = {**there, alarm.name: Alarm(alarm.name, "arn", {**alarm.setting, "Threshold": 1e9}, "p-")}
        [change] = task.compare(type("State", (), {"there": changed, "service": None})).changes
        assert change.summary.startswith(f"change the alarm {alarm.name}")


def test_an_expression_as_cloudwatch_takes_it() -> None:
    spec = AlarmSpecs()({"x": RATIO})["x"]
    assert AlarmSpecs()({"x": spec})["x"] == spec
    asked = as_request("p-x", spec)
    assert [each["Id"] for each in asked["Metrics"] if each["ReturnData"]] == ["result"]
    assert "Statistic" not in asked


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (5, "is no mapping"),
        ({}, "threshold is required"),
        ({"threshold": 5}, "give namespace, metric and statistic"),
        ({**PLAIN, "treshold": 5}, "there is no 'treshold'"),
        ({**PLAIN, "threshold": "many"}, "threshold: 'many' is no number"),
        ({**PLAIN, "comparison": "=="}, "comparison: '==' is none of"),
        ({**PLAIN, "breaching": 2}, "breaching 2 is more than periods 1"),
        ({**PLAIN, "period": 90}, "nor a multiple of 60"),
        ({**PLAIN, "periods": 1441}, "longer than CloudWatch looks back"),
        ({**PLAIN, "metrics": {}}, "or expression and metrics"),
        ({**PLAIN, "actions": ["$(x)"]}, "is no ARN"),
        ({**RATIO, "metric": "x"}, "no metric of its own"),
        ({**RATIO, "metrics": {}}, "name those of the expression"),
        ({**RATIO, "metrics": {"A": RATIO["metrics"]["a"]}}, "is no id"),
        ({**RATIO, "metrics": {"result": RATIO["metrics"]["a"]}}, "none of them `result`"),
        ({**RATIO, "metrics": {"a": {"namespace": "Q"}}}, "a: give namespace, metric and statistic"),
    ],
)
def test_wrong_alarms(spec: Any, words: str) -> None:
    with pytest.raises(ParamError, match=words):
        tasks.cloudwatch_alarms(**PLACE, prefix="p-", alarms={"x": spec})


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"prefix": None}, "prefix is required"),
        ({"prefix": "-x"}, "is no beginning of names"),
        ({"alarms": {"a b": PLAIN}}, "is no name of an alarm"),
        ({"alarms": {"x" * 200: PLAIN}, "prefix": "y" * 100}, "longer than 255"),
        ({"service": "a:b"}, "is no App Runner service"),
    ],
)
def test_wrong_parameters(args: dict[str, Any], words: str) -> None:
    with pytest.raises(ParamError, match=words):
        tasks.cloudwatch_alarms(**{**PLACE, "prefix": "p-", **args})


@given(
    st.lists(
        st.fixed_dictionaries({"type": st.just("text")}, optional={"y": st.integers(0, 9), "height": st.integers(1, 9)})
    )
)
def test_a_mark_is_set_once_and_known(widgets: list[dict[str, Any]]) -> None:
    assert not is_ours({"widgets": widgets})
    once = marked({"widgets": widgets, "start": "-PT3H"})
    assert is_ours(once)
    assert marked(once) == once
    assert once["widgets"][:-1] == widgets


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, "give either service or body"),
        ({"service": "api", "body": {"widgets": []}}, "give either service or body"),
        ({"body": {}}, "a mapping with a list of widgets"),
        ({"body": {"widgets": [{}]}}, "each a mapping with a type"),
        ({"body": {"widgets": [{"type": "text", "y": "x"}]}}, "is no whole number"),
        ({"service": "api", "dashboard": "a/b"}, "is no name of a dashboard"),
    ],
)
def test_wrong_dashboards(args: dict[str, Any], words: str) -> None:
    with pytest.raises(ParamError, match=words):
        tasks.cloudwatch_dashboard(**{**PLACE, "dashboard": "Shop", **args})
