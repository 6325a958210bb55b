"""Values of metrics, and charts of them."""

from __future__ import annotations

import os
import re
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.apprunner import AppRunner
from services.moto import Moto
from support.cloud import AWS, Ran, run
from support.metrics import MINUTE, Metrics

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/api:1"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def metrics(moto: Moto, apprunner: AppRunner) -> Metrics:
    return Metrics("spendsense", apprunner.make("spendsense", IMAGE).id)


def tell(check: bool = False, **args: Any) -> Ran:
    return run("cloudwatch_metrics", {**AWS, "metric": "RequestLatency", "service": "spendsense", **args}, check=check)


def result(**more: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "MetricDataResults": [
            {"Id": "q0", "Label": "x", "Timestamps": [now], "Values": [1.0], "StatusCode": "Complete", **more}
        ]
    }


def test_values_of_a_service(metrics: Metrics) -> None:
    metrics.put("RequestLatency", range(1, 101), ago=20 * MINUTE)
    metrics.put("RequestLatency", [7], ago=5 * MINUTE)
    done = tell(statistics=["p95", "Maximum", "SampleCount"], period="5m")
    assert done.status == "ok"
    assert done.reason == "RequestLatency: p95 7, Maximum 7, SampleCount 1"
    series = done.data["series"]
    assert [value for _when, value in series["p95"]["points"]] == [95, 7]
    assert (series["Maximum"]["greatest"], series["SampleCount"]["average"]) == (100, 50.5)
    assert done.data["dimensions"]["ServiceName"] == "spendsense"


def test_any_metric(metrics: Metrics) -> None:
    metrics.put("Depth", [3, 5], namespace="Queue")
    dimensions = {each["Name"]: each["Value"] for each in metrics.dimensions}
    done = tell(service=None, namespace="Queue", metric="Depth", dimensions=dimensions)
    assert done.data["series"]["Average"]["newest"] == 4
    done = tell(service=None, namespace="Queue", metric="Depth", dimensions={"ServiceName": "spendsense"})
    assert done.warnings == ["Depth has no values in that time: are name and dimensions right?"]


@pytest.mark.parametrize("ending", ["html", "png"])
def test_a_chart_is_drawn_by_a_run_alone(metrics: Metrics, moto: Moto, tmp_path: Path, ending: str) -> None:
    for ago in range(0, 60, 5):
        metrics.put("RequestLatency", [ago], ago=ago * MINUTE)
    path = tmp_path / f"latency.{ending}"
    moto.requests.clear()
    done = tell(check=True, chart=str(path), target=40, period="5m")
    assert (done.changed, path.exists(), moto.mutations) == (True, False, [])
    done = tell(chart=str(path), target=40, period="5m", title="Latency $x$ of <api>")
    assert (done.status, moto.mutations) == ("changed", [])
    assert done.summaries == [f"draw RequestLatency to {path} (account 123456789012, region us-east-1)"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [path.name]
    drawn = path.read_bytes()
    if ending == "png":
        assert drawn.startswith(PNG)
        assert drawn.endswith(b"IEND\xaeB`\x82")
    else:
        text = drawn.decode()
        assert "<h1>Latency $x$ of &lt;api&gt;</h1>" in text
        assert text.count("<polyline") == 1
        assert "<script" not in text
        assert not re.search(r"(src|href)=|https?://", text)


def test_where_nothing_can_be_written(metrics: Metrics, tmp_path: Path) -> None:
    done = tell(chart=str(tmp_path / "nowhere" / "a.html"))
    assert done.error == f"cannot write {tmp_path}/nowhere/a.html: No such file or directory"


def test_without_the_library_it_says_what_to_install(metrics: Metrics, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    metrics.put("RequestLatency", [1])
    done = tell(chart=str(tmp_path / "a.png"))
    assert done.error == "matplotlib is not installed; pip install 'opslib[charts]'"
    assert os.listdir(tmp_path) == []


def test_an_unknown_service_is_named(metrics: Metrics) -> None:
    assert tell(service="web").error == "there is no App Runner service called web"


def test_values_come_in_pages(metrics: Metrics, moto: Moto) -> None:
    early = datetime.fromtimestamp(0, UTC)
    first = result(StatusCode="PartialData")
    moto.answer("GetMetricData", {**first, "NextToken": "more"})
    moto.answer("GetMetricData", result(Timestamps=[early], Values=[2.0]))
    points = tell().data["series"]["Average"]["points"]
    assert [value for _when, value in points] == [2.0, 1.0]
    assert moto.calls("GetMetricData")[1].body != moto.calls("GetMetricData")[0].body


def test_an_incomplete_answer_is_asked_for_again(metrics: Metrics, moto: Moto) -> None:
    moto.answer("GetMetricData", result(StatusCode="InternalError", Values=[], Timestamps=[]))
    moto.answer("GetMetricData", result(StatusCode="PartialData", Values=[], Timestamps=[]))
    moto.answer("GetMetricData", result())
    assert tell().data["series"]["Average"]["newest"] == 1
    assert len(moto.calls("GetMetricData")) == 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (result(StatusCode="Forbidden", Messages=[{"Code": "x", "Value": "not yours"}]), "CloudWatch forbids it"),
        (result(Id="q9"), "values that were not asked for"),
        (result(Values=[]), "not as many values as times"),
        (result(Values=[float("nan")]), "what is no value"),
        (result(Values=[float("inf")]), "what is no value"),
        ({"MetricDataResults": []}, "does not hold all that was asked for"),
        ({"Messages": []}, "GetMetricData"),
        ({**result(), "NextToken": "again"}, "round in circles"),
        (b"nonsense", "reading RequestLatency of CloudWatch"),
    ],
)
def test_answers_that_make_no_sense(metrics: Metrics, moto: Moto, answer: Any, said: str) -> None:
    moto.answer("GetMetricData", answer, times=None)
    done = tell()
    assert done.status == "failed"
    assert said.replace("GetMetricData", "MetricDataResults") in str(done.error)
    assert "internal error" not in str(done.error)


@pytest.mark.parametrize(("times", "status"), [(1, "ok"), (10, "ok"), (None, "failed")])
def test_throttling(metrics: Metrics, moto: Moto, times: int | None, status: str) -> None:
    moto.throttle("GetMetricData", times)
    done = tell(wait=60 if times else 0.1)
    assert done.status == status
    assert times or "Rate exceeded" in str(done.error)
