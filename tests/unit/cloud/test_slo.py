"""Verdicts, whatever the metrics say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib import tasks
from opslib.cloud.aws.metrics import Series, least_period, round_up
from opslib.cloud.aws.slo import Verdict, error_rate, load, percentile, uptime
from opslib.errors import ParamError

COUNTS = st.dictionaries(st.integers(0, 20).map(lambda n: n * 300.0), st.integers(0, 1000).map(float), max_size=20)
GOOD = {"account": "123456789012", "region": "us-east-1", "service": "api"}


def series(points: dict[float, float]) -> Series:
    return Series(tuple(sorted(points.items())))


@given(COUNTS, COUNTS)
def test_an_error_rate_is_known_where_there_were_requests(
    requests: dict[float, float], errors: dict[float, float]
) -> None:
    level = error_rate(series(requests), series(errors), 1)
    total = sum(requests.values())
    assert (level.value is None) is (total == 0) is (level.verdict is Verdict.UNKNOWN)
    if total:
        assert (level.verdict is Verdict.MET) is (100 * sum(errors.values()) < total)


@given(COUNTS, COUNTS, st.integers(1, 100))
def test_uptime_counts_only_what_is_known(requests: dict[float, float], errors: dict[float, float], down: int) -> None:
    level = uptime(series(requests), series(errors), 21, down, 99.9)
    known = [when for when, count in requests.items() if count]
    bad = [when for when in known if 100 * errors.get(when, 0) >= down * requests[when]]
    assert level.value == (pytest.approx(100 - 100 * len(bad) / len(known)) if known else None)
    assert (level.verdict is Verdict.MET) is bool(known and not bad)


def test_a_limit_that_is_reached_is_a_latency_missed_and_a_load_met() -> None:
    assert percentile(series({0.0: 500}), "p95", 500).verdict is Verdict.MISSED
    assert load("CPU", series({0.0: 70}), 70).verdict is Verdict.MET
    assert load("CPU", series({0.0: 10, 60.0: 70.1}), 70).verdict is Verdict.MISSED
    assert percentile(series({}), "p95", 500).words == "p95 latency unknown (target below 500 ms)"


def test_periods_are_those_that_are_kept() -> None:
    days = 86400
    assert [least_period(age) for age in (60, 15 * days, 16 * days, 63 * days, 64 * days)] == [60, 60, 300, 300, 3600]
    assert [round_up(seconds, 60) for seconds in (0, 1, 60, 61)] == [60, 60, 60, 120]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"service": None}, "give service, or metrics for latency, requests, errors, cpu, memory"),
        ({"service": "a/b"}, "is no App Runner service"),
        ({"service": "arn:aws:apprunner:eu-west-1:123456789012:service/a/1"}, "is not of account"),
        ({"metrics": {"speed": {}}}, "is none of latency"),
        ({"metrics": {"latency": {"namespace": "x"}}}, "is no metric"),
        ({"metrics": {"latency": {"namespace": "x", "name": "y", "factor": 0}}}, "latency: 0 is no number"),
        ({"percentile": "p101"}, "is no statistic"),
        ({"percentile": "$(x)"}, "is no statistic"),
        ({"error_rate": 101}, "percentage"),
        ({"down_share": 0}, "must be above 0"),
        ({"uptime_window": "500d"}, "455 days"),
        ({"judge": []}, "empty"),
        ({"judge": ["speed"]}, "is none of"),
        ({"window": 5}, "shorter than 60"),
    ],
)
def test_wrong_parameters(args: dict[str, Any], words: str) -> None:
    with pytest.raises(ParamError, match=words):
        tasks.slo(**{**GOOD, **args})


def test_parameters_stay_as_they_are() -> None:
    given = {"latency": {"namespace": "x", "name": "y"}}
    task = tasks.slo(**GOOD, metrics=given)
    assert tasks.slo(**task.args()).args() == task.args()
