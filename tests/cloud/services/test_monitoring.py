"""The Cloud Monitoring back end gives back what tests put there, in the interval that is asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import requests

READS = "firestore.googleapis.com/document/read_ops_count"


def ask(google, **more):
    now = datetime.now(UTC)
    query = {
        "filter": f'metric.type = "{READS}" AND resource.labels.database_id = "(default)"',
        "interval.startTime": (now - timedelta(hours=1)).isoformat(),
        "interval.endTime": now.isoformat(),
        **more,
    }
    return requests.get(f"{google.monitoring.url}/v3/projects/prod/timeSeries", params=query, timeout=200)


def test_points_of_the_interval_are_told_one_by_one_or_summed(google):
    google.monitoring.put("prod", READS, 5, age=60, type="LOOKUP")
    google.monitoring.put("prod", READS, 7, age=120, type="LOOKUP")
    google.monitoring.put("prod", READS, 100, age=7200, type="LOOKUP")
    google.monitoring.put("prod", READS, 100, database="two")
    google.monitoring.put("other", READS, 100)
    points = ask(google).json()["timeSeries"][0]["points"]
    assert [point["value"] for point in points] == [{"int64Value": "5"}, {"int64Value": "7"}]
    summed = {"aggregation.perSeriesAligner": "ALIGN_SUM", "aggregation.alignmentPeriod": "3600s"}
    series = ask(google, **summed).json()["timeSeries"]
    assert [point["value"] for point in series[0]["points"]] == [{"int64Value": "12"}]
    assert series[0]["metric"]["labels"] == {"type": "LOOKUP"}
    assert google.monitoring.mutations == []


def test_no_points_are_no_series(google):
    assert ask(google).json() == {}


def test_wrong_questions_are_refused(google):
    assert ask(google, filter="").status_code == 400
    assert ask(google, **{"interval.endTime": "now"}).status_code == 400
    assert ask(google, **{"aggregation.perSeriesAligner": "SUM"}).status_code == 400
