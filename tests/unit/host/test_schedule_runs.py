"""What is known of jobs and their runs, and the verdict on a job."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.host.logs.times import Clock, Zone
from opslib.host.schedule import cron, judge, runs, table, triggers
from opslib.host.schedule.judge import Due
from opslib.host.schedule.runs import Known, Listed, Run

NOW = 1795500000.0  # 2026-11-24T06:00:00Z
CLOCK = Clock(NOW, 0)
PAGE = {  # captured from the sample service
    "status": "healthy",
    "running": True,
    "timezone": "UTC",
    "jobs": [
        {"id": "anthropic_collection", "cron": "*/15 * * * *", "next_run": "2026-11-22T06:15:00+00:00"},
        {"id": "openai_collection", "cron": "5 * * * *", "next_run": "2026-11-22T07:05:00+00:00"},
    ],
    "job_history": [
        {
            "id": 31,
            "job": "anthropic_collection",
            "trigger": "trigger",
            "status": "succeeded",
            "started_at": "2026-11-22T06:11:54.667599+00:00",
            "finished_at": "2026-11-22T06:11:54.698748+00:00",
            "records": 55,
            "error": None,
        },
        {
            "id": 21,
            "job": "openai_collection",
            "status": "failed",
            "started_at": "2026-11-22T06:05:00+00:00",
            "finished_at": "2026-11-22T06:05:03+00:00",
            "error": "RuntimeError: provider answered 401 Unauthorized for token=abcdef123",
        },
    ],
}
OTHER = {  # the same in other words
    "scheduler_running": False,
    "jobs": {"collect": {"schedule": "@hourly", "next_run_time": 1763795100}, "sweep": {}},
    "history": [
        {"job_id": "collect", "run_at": 1763791500000, "success": False, "exception": "a\nb\x1b[31m"},
        {"name": "collect", "start_time": "2025-11-22 05:05:00", "state": "Executed", "duration": 3},
        {"name": "collect", "start": "yesterday", "state": "puzzled"},
        "nonsense",
        {"status": "succeeded"},
    ],
}


def test_the_sample_service_s_page():
    known = runs.from_document(PAGE, CLOCK)
    assert (known.running, known.timezone, known.lists_jobs, known.complete) == (True, "UTC", True, False)
    assert known.jobs[0] == Listed(name="anthropic_collection", cron="*/15 * * * *", following=1795328100.0)
    first, second = known.runs
    assert (first.job, first.id, first.status, first.error) == ("anthropic_collection", "31", "succeeded", "")
    assert round(first.finished - first.started, 3) == 0.031
    assert second.error == "RuntimeError: provider answered 401 Unauthorized for token=***"
    assert known.oldest == second.started
    assert first.shown()["started_at"] == "2026-11-22T06:11:54Z"


def test_a_page_in_other_words():
    known = runs.from_document(OTHER, CLOCK)
    assert [(job.name, job.cron, job.following) for job in known.jobs] == [
        ("collect", "@hourly", 1763795100),
        ("sweep", "", None),
    ]
    assert known.running is False
    assert [(run.status, run.started) for run in known.runs] == [
        ("failed", 1763791500.0),
        ("succeeded", 1763787900.0),
        ("unknown", None),
    ]
    assert known.runs[0].error == "a b"


def test_times_without_a_zone_are_read_in_the_one_that_is_given():
    page = {"history": [{"job": "a", "started_at": "2026-07-01T12:00:00", "finished_at": "2026-01-01 12:00:00.5"}]}
    assert runs.from_document(page, CLOCK).zoneless
    assert not runs.from_document(PAGE, CLOCK).zoneless
    with Zone("Europe/Berlin"):
        (run,) = runs.from_document(page, Clock(NOW)).runs
    assert (run.shown()["started_at"], run.shown()["finished_at"]) == ("2026-07-01T10:00:00Z", "2026-01-01T11:00:00Z")
    (run,) = runs.from_document(page, Clock(NOW, -5 * 3600)).runs
    assert run.shown()["started_at"] == "2026-07-01T17:00:00Z"


@pytest.mark.parametrize(
    ("zone", "posix"), [("Europe/Berlin", "Europe/Berlin"), ("UTC", "UTC"), ("+05:30", "<+0530>-05:30")]
)
def test_a_zone_as_postgresql_takes_it(zone, posix):
    assert table._posix(zone) == posix


@pytest.mark.parametrize(
    ("said", "fields"),
    [  # said by APScheduler 3.10.4
        ("cron[minute='*/15']", "*/15 * * * *"),
        ("cron[month='*', day='*', day_of_week='0-4', hour='3', minute='30']", "30 3 * * 0-4"),
        ("cron[day='last']", "0 0 last * *"),
        ("cron[month='6,12']", "0 0 1 6,12 *"),
        ("cron[day_of_week='sun', hour='3']", "0 3 * * sun"),
        ("cron[second='*/5']", None),
        ("cron[year='2027', hour='3']", None),
        ("cron[week='2']", None),
        ("interval[0:15:00]", None),
        ("30 2 * * *", None),
    ],
)
def test_a_trigger_in_the_words_of_apscheduler(said, fields):
    assert triggers.crontab(said) == fields
    if fields:
        cron.parse(fields, "apscheduler")
    assert triggers.is_trigger(said) is (said != "30 2 * * *")
    (job,) = runs.from_document({"jobs": [{"id": "a", "trigger": said}]}, CLOCK).jobs
    assert job.cron == said


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("interval[0:15:00]", 900),
        ("interval[1 day, 2:00:00]", 93600),
        ("interval[2 days, 0:00:01]", 172801),
        ("interval[0:00:00]", None),
        ("date[2026-11-24 06:00:00 UTC]", None),
    ],
)
def test_an_interval(said, seconds):
    assert triggers.every(said) == seconds


@pytest.mark.parametrize("page", [None, [], "x", 3, {}, {"jobs": 3, "job_history": "x"}, {"jobs": [3, None, {}, ""]}])
def test_a_page_of_nothing_tells_nothing(page):
    known = runs.from_document(page, CLOCK)
    assert not known.jobs
    assert not known.runs


leaves = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        10**30,
        1.5e9,
        float("nan"),
        float("inf"),
        "",
        "x",
        "\x1b[31m\n",
        "failed",
        "x" * 1000,
        [],
        {},
        [{}],
    ]
) | st.text(max_size=20)
rows = st.dictionaries(st.sampled_from(["id", "job", "started_at", "finished_at", "status", "error", "cron"]), leaves)
many = leaves | st.lists(rows | leaves, max_size=4) | st.dictionaries(st.text(max_size=5), rows | leaves, max_size=3)


@settings(max_examples=50)
@given(st.fixed_dictionaries({"jobs": many, "job_history": many, "running": leaves, "timezone": leaves}))
def test_any_page_is_read_within_bounds(page):
    known = runs.from_document(page, CLOCK)
    assert len(known.runs) <= runs.MOST_RUNS
    for run in known.runs:
        assert run.job
        assert (run.job + run.id + run.error).isprintable()
        assert max(len(run.job), len(run.id), len(run.error)) <= runs.LONGEST * 6
        json.dumps(run.shown())


def test_a_page_of_a_million_runs_is_cut():
    page = {"job_history": [{"job": "a", "started_at": number + 1e9} for number in range(5000)]}
    assert len(runs.from_document(page, CLOCK).runs) == runs.MOST_RUNS


def test_of_runs_the_table_s_count():
    page = runs.from_document(PAGE, CLOCK)
    rows = Known(runs=(Run(job="x"),), complete=True)
    both = table.joined(page, rows)
    assert (both.jobs, both.runs, both.complete, both.running) == (page.jobs, rows.runs, True, True)
    assert table.joined(page, None) is page


def run(ago, status="succeeded", **more):
    return Run(
        job="j", started=NOW - ago, finished=None if status == "running" else NOW - ago + 2, status=status, **more
    )


def verdict(*newest, due=600.0, complete=True, oldest=None, failures=1, stuck=3600.0):
    last = None if due is None else NOW - due
    found = judge.judge(
        newest,
        Due(last=last),
        NOW,
        complete=complete,
        oldest=None if oldest is None else NOW - oldest,
        failures=failures,
        stuck=stuck,
    )
    return found.state, found.words


@pytest.mark.parametrize(
    ("given", "state", "words"),
    [
        ([run(600)], "ok", "ran well at"),
        ([run(600.4)], "ok", "ran well"),
        ([run(5)], "ok", "ran well"),
        ([run(602)], "late", "was due at 2026-11-24T05:50:00Z and ran last at 2026-11-24T05:49:58Z"),
        ([run(602, "failed", error="boom")], "late", "is late"),
        ([run(600, "failed", error="boom")], "failing", "its last run failed, at 2026-11-24T05:50:00Z with: boom"),
        ([run(10, "failed"), run(600, "failed")], "failing", "its last 2 runs failed"),
        ([run(10, "running"), run(600, "failed", error="boom")], "failing", "its last run failed"),
        ([run(10, "running")], "ok", "is running"),
        ([run(3700, "running")], "stuck", "has been running since 2026-11-24T04:58:20Z, longer than 3600 s"),
        ([run(3500, "running")], "ok", "is running"),
        ([run(10, "unknown")], "ok", "it is not known how"),
        ([], "never", "never ran, although it was due at"),
        ([run(-3600)], "unsure", "has a run of 2026-11-24T07:00:00Z, which is still to come"),
        ([run(-3600, "running")], "unsure", "which is still to come"),
        ([run(-30)], "ok", "ran well"),
        ([Run(job="j", status="running")], "unsure", "is running, it is not told since when"),
        ([Run(job="j", status="running"), run(600, "failed", error="boom")], "failing", "its last run failed"),
        ([Run(job="j", id="1", started=None, finished=NOW - 5, status="succeeded")], "ok", "at 2026-11-24T05:59:55Z"),
    ],
)
def test_verdicts(given, state, words):
    found = verdict(*given)
    assert found[0] == state, found
    assert words in found[1]


@pytest.mark.parametrize("word", ["JobStatus.FAILED", "status.error", "Failed"])
def test_the_member_of_an_enumeration_is_understood(word):
    assert runs.run_of({"job": "j", "status": word}, CLOCK).status == "failed"


def test_an_error_that_is_a_structure_keeps_its_words():
    found = runs.run_of({"job": "j", "status": "failed", "error": {"type": "ValueError", "token": "abcdef"}}, CLOCK)
    assert found.error == '{"type":"ValueError","token":***}'
    assert runs.run_of({"job": "j", "status": "failed", "error": {}}, CLOCK).error == ""


def test_failures_in_a_row_are_counted_to_the_first_success():
    given = [run(10, "failed"), run(20, "unknown"), run(30, "failed"), run(40), run(50, "failed")]
    assert verdict(*given, failures=2)[0] == "failing"
    assert verdict(*given, failures=3) == ("ok", "failed at 2026-11-24T05:59:50Z")


def test_a_short_history_makes_unsure_instead_of_never():
    assert verdict(due=600, complete=False, oldest=300)[0] == "unsure"
    assert verdict(due=600, complete=False, oldest=900)[0] == "never"
    assert verdict(due=600, complete=False, oldest=None)[0] == "unsure"
    assert verdict(due=None, complete=True)[0] == "never"


def test_without_an_expression_the_last_runs_decide():
    assert verdict(run(1e7), due=None)[0] == "ok"
    assert verdict(run(1e7, "failed"), due=None)[0] == "failing"


def test_a_bad_expression_is_invalid_whatever_ran():
    found = judge.judge([run(1)], Due(problem="'x' has 1 fields"), NOW, complete=True, oldest=None, failures=1, stuck=1)
    assert (found.state, "'x' has 1 fields" in found.words) == ("invalid", True)


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from(["running", "succeeded", "failed", "unknown"])), max_size=6),
    st.none() | st.floats(0, 1e6),
    st.booleans(),
    st.integers(1, 5),
)
def test_every_history_has_a_verdict_in_words(history, due, complete, failures):
    given = [run(ago, status) for ago, status in sorted(history)]
    state, words = verdict(*given, due=due, complete=complete, failures=failures)
    assert state in (*judge.BAD, judge.OK, judge.UNSURE)
    assert words
    if given and given[0].status == "succeeded" and due is not None and history and min(history)[0] <= due:
        assert state == "ok"
