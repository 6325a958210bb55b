"""Promises judged by metrics: numbers, verdicts, and what is unknown."""

from __future__ import annotations

from typing import Any

import pytest

from opslib import Fleet, Target, tasks
from services.apprunner import AppRunner
from services.moto import Moto
from support.cloud import AWS, Ran, run
from support.metrics import MINUTE, Metrics

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/api:1"
DAY = 24 * 60 * MINUTE


@pytest.fixture
def metrics(moto: Moto, apprunner: AppRunner) -> Metrics:
    return Metrics("spendsense", apprunner.make("spendsense", IMAGE).id)


@pytest.fixture
def healthy(metrics: Metrics) -> Metrics:
    for ago in (10 * MINUTE, 2 * DAY, 20 * DAY):
        metrics.put("Requests", [1] * 400, ago=ago)
    metrics.put("5xxStatusResponses", [1] * 2)
    metrics.put("RequestLatency", [100] * 97 + [900] * 3)
    metrics.put("CPUUtilization", [30, 40])
    metrics.put("MemoryUtilization", [50])
    return metrics


def judge(**args: Any) -> Ran:
    return run("slo", {**AWS, "service": "spendsense", **args})


def levels(done: Ran) -> dict[str, tuple[Any, str]]:
    return {each["name"]: (each["value"], each["verdict"]) for each in done.data["levels"]}


def test_promises_that_are_kept(healthy: Metrics, moto: Moto) -> None:
    moto.requests.clear()
    done = judge()
    assert (done.status, done.warnings, done.data["scale"]) == ("ok", [], False)
    assert levels(done) == {
        "p95 latency": (100, "met"),
        "error rate": (0.5, "met"),
        "uptime": (100, "met"),
        "CPU": (35, "met"),
        "memory": (50, "met"),
    }
    assert done.reason.startswith(
        "p95 latency 100 ms (target below 500 ms); error rate 0.5 % (target below 1 %); uptime"
    )
    assert moto.mutations == []


def test_promises_that_are_not_kept(healthy: Metrics) -> None:
    healthy.put("RequestLatency", [800] * 20)
    healthy.put("5xxStatusResponses", [1] * 10, ago=10 * MINUTE)
    healthy.put("5xxStatusResponses", [1] * 399, ago=2 * DAY)
    done = judge()
    assert done.status == "failed"
    assert done.error == (
        "not kept: p95 latency 800 ms (target below 500 ms); error rate 3 % (target below 1 %); "
        "uptime 66.67 % (target at least 99.9 %)"
    )
    assert levels(done)["error rate"] == (3, "missed")
    assert [each["note"] for each in done.data["levels"][1:3]] == [
        "12 of 400 requests",
        "down in 1 of 3 periods with requests, of 8640",
    ]


@pytest.mark.parametrize(("metric", "value"), [("CPUUtilization", 71), ("MemoryUtilization", 80.5)])
def test_load_above_the_limit_says_scale(healthy: Metrics, metric: str, value: float) -> None:
    healthy.put(metric, [value] * 100)
    done = judge()
    assert (done.status, done.data["scale"]) == ("ok", True)
    assert done.warnings[0].startswith("scale: ")


def test_targets_are_parameters(healthy: Metrics) -> None:
    done = judge(percentile="p99", latency=950, error_rate="0.1%", cpu=20, judge=["latency", "errors", "load"])
    assert levels(done) == {
        "p99 latency": (900, "met"),
        "error rate": (0.5, "missed"),
        "CPU": (35, "missed"),
        "memory": (50, "met"),
    }
    assert done.error == "not kept: error rate 0.5 % (target below 0.1 %)"


def test_without_values_nothing_is_promised(metrics: Metrics) -> None:
    done = judge()
    assert done.status == "failed"
    assert "nothing is known" in str(done.error)
    metrics.put("Requests", [1] * 50)
    done = judge()
    assert done.status == "ok"
    assert done.warnings == ["unknown for want of values: p95 latency, CPU, memory"]
    assert levels(done)["error rate"] == (0, "met")
    assert judge(strict=True).error == "unknown: p95 latency, CPU, memory"


def test_other_metrics_play_the_parts(healthy: Metrics) -> None:
    own = {each["Name"]: each["Value"] for each in healthy.dimensions}
    healthy.put("TargetResponseTime", [0.2] * 20, namespace="AWS/ApplicationELB")
    healthy.put("SuccessPercent", [100, 100, 99, 100], namespace="Canary")
    done = judge(
        metrics={
            "latency": {
                "namespace": "AWS/ApplicationELB",
                "name": "TargetResponseTime",
                "dimensions": own,
                "factor": 1000,
            },
            "probe": {"namespace": "Canary", "name": "SuccessPercent", "dimensions": own},
        }
    )
    assert levels(done)["p95 latency"] == (200, "met")
    assert levels(done)["uptime"] == (99.75, "missed")


@pytest.mark.parametrize(("times", "status"), [(1, "ok"), (10, "ok"), (None, "failed")])
def test_throttling(healthy: Metrics, moto: Moto, times: int | None, status: str) -> None:
    moto.throttle("GetMetricData", times)
    assert judge(wait=60 if times else 0.1).status == status


def test_an_error_that_is_forbidden_to_see_is_no_zero(healthy: Metrics, moto: Moto) -> None:
    denied = [{"Id": f"q{number}", "Timestamps": [], "Values": [], "StatusCode": "Forbidden"} for number in range(5)]
    moto.answer("GetMetricData", {"MetricDataResults": denied})
    done = judge()
    assert done.status == "failed"
    assert "CloudWatch forbids it" in str(done.error)


def test_a_run_in_a_process_of_its_own(healthy: Metrics) -> None:
    with Fleet([Target(name="controller", carrier="local")]) as fleet:
        report = fleet.run([tasks.slo(account=AWS["account"], region=AWS["region"], service="spendsense")], check=True)
    [step] = report.hosts["controller"].steps
    assert (step.error, step.data["region"], step.data["scale"]) == (None, "us-east-1", False)
