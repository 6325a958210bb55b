"""Charts: nothing in them acts on who looks at them, and nothing breaks them."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opslib import tasks
from opslib.cloud.charts import Chart, Curve, _moments, _parts, _ticks, as_html, as_png
from opslib.errors import ParamError

VALUES = st.floats(-(2.0**360), 2.0**360, allow_nan=False)
POINTS = st.dictionaries(st.integers(0, 50).map(lambda n: 1764201600.0 + 60 * n), VALUES, max_size=30)


def chart(curves: list[Curve], **more: Any) -> Chart:
    return Chart(**{"title": "t", "begin": 1764201600, "end": 1764204600, "period": 60, "curves": curves, **more})


def drawing(page: str) -> ET.Element:
    return ET.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])


@given(st.text(), st.text(), POINTS, st.none() | VALUES)
def test_any_text_and_any_value(title: str, label: str, points: dict[float, float], target: float | None) -> None:
    page = as_html(chart([Curve(label, sorted(points.items()))], title=title, target=target))
    root = drawing(page)
    for each in root.iter("polyline"):
        for pair in each.attrib["points"].split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= 960
            assert 0 <= y <= 400
    assert "\x1b" not in page


def test_the_same_as_png() -> None:
    curve = Curve("p95 $\\frac", [(1764201600.0, -1.0), (1764201660.0, 2.0**360), (1764202000.0, 5.0)])
    assert as_png(chart([curve], title="$\\x{\x1b", target=5.0)).startswith(b"\x89PNG")


def test_a_gap_is_no_line() -> None:
    points = [(0.0, 1.0), (60.0, 1.0), (180.0, 1.0), (240.0, 2.0), (900.0, 1.0)]
    assert [[when for when, _value in part] for part in _parts(points, 60)] == [[0, 60], [180, 240], [900]]


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
@example(5e-324, 7.0)
def test_scales_are_round(low: float, height: float) -> None:
    ticks = _ticks(low, low + height) if low + height > low else [0, 1]
    assert 1 <= len(ticks) <= 8
    slack = 1e-6 * (abs(low) + height)
    assert all(low - slack <= tick <= low + height + slack for tick in ticks)


def test_times_are_round() -> None:
    assert [label for _when, label in _moments(1764201600, 1764201600 + 3 * 3600)][:3] == ["00:00", "00:30", "01:00"]
    assert len(list(_moments(0, 400 * 86400))) <= 15
    assert [label for _when, label in _moments(0, 5 * 86400)][0] == "1970-01-01"


def test_an_empty_chart_has_a_scale() -> None:
    assert (chart([]).low, chart([]).top) == (0, 1)
    assert math.isfinite(chart([Curve("x", [(0.0, 2.0**360)])]).top)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"service": None}, "either service or namespace"),
        ({"namespace": "x"}, "either service or namespace"),
        ({"dimensions": {"a": "b"}}, "the dimensions are the service's"),
        ({"statistics": ["p95", "Median"]}, "item 2: 'Median' is no statistic"),
        ({"period": 90}, "no multiple of 60"),
        ({"period": 7}, "below 60 seconds there are"),
        ({"period": 1, "since": "30d"}, "more than 14400 values"),
        ({"until": "4h"}, "must be less than since"),
        ({"chart": "/srv/x.pdf"}, "must end in .html or .png"),
        ({"chart": "../x.png"}, "absolute path"),
        ({"metric": "a\nb"}, "control character"),
    ],
)
def test_wrong_parameters(args: dict[str, Any], words: str) -> None:
    good = {"account": "123456789012", "region": "us-east-1", "service": "api", "metric": "Requests"}
    with pytest.raises(ParamError, match=words):
        tasks.cloudwatch_metrics(**{**good, **args})
