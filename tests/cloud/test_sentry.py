"""Errors that Sentry has counted: spikes, new issues, and what can go wrong in asking."""

from __future__ import annotations

import pytest

from services.sentry import Issue
from support.cloud import run

BASE = {"organisation": "acme", "projects": ["dashboard-api"], "wait": 5, "poll": 0.002}


def errors(**more):
    return run("sentry_errors", {**BASE, **more})


def test_a_usual_hour(sentry):
    """Counted, compared, and nothing is changed."""
    done = errors()
    assert (done.status, done.error) == ("ok", None)
    assert (done.data["verdict"], done.data["errors"], done.data["baseline_errors"]) == ("usual", 6, 144)
    assert (done.data["ratio"], done.data["new_issues"]) == (1.0, [])
    assert done.reason == "usual: 6 errors in 60 minutes, 6 an hour; usual are 6; no new issue in 60 minutes"
    assert sentry.mutations == []
    asked = sentry.calls("get_events")
    assert asked[0].query["start"] == asked[1].query["end"]


@pytest.mark.parametrize(
    ("now", "usual", "args", "verdict"),
    [
        (60, 6, {}, "spike"),
        (17, 6, {}, "usual"),  # less than three times as many
        (9, 0, {}, "usual"),  # less than ten
        (10, 0, {}, "spike"),
        (0, 6, {}, "none"),
        (60, 6, {"factor": 11}, "usual"),
        (60, 6, {"least": 61}, "usual"),
    ],
)
def test_what_is_a_spike(sentry, now, usual, args, verdict):
    """Many, and many more than usual."""
    sentry.hourly[0], sentry.usual = now, usual
    done = errors(**args)
    assert done.data["verdict"] == verdict
    assert done.status == ("failed" if verdict == "spike" else "ok")
    assert ("a spike" in (done.error or "")) is (verdict == "spike")
    assert errors(**args, fail=False).status == "ok"


def test_issues_that_came_with_a_release(sentry):
    """Over as many pages as it takes; resolved ones are left out, and secrets in titles masked."""
    sentry.page = 2
    sentry.issues += [Issue(f"ValueError {number}", release="1.1.0", first=1) for number in range(5)]
    sentry.issues += [
        Issue("fixed", release="1.1.0", status="resolved"),
        Issue("refused password=hunter2secret\x1b[2J", release="1.1.0", level="fatal"),
    ]
    done = errors(release="1.1.0")
    assert done.status == "ok"
    titles = [row["title"] for row in done.data["new_issues"]]
    assert titles == [f"ValueError {number}" for number in range(5)] + ["refused password=***"]
    assert done.data["new_issues"][5]["level"] == "fatal"
    assert "hunter2secret" not in repr(done)
    assert done.data["release_age_seconds"] == pytest.approx(7200, abs=60)
    failed = errors(release="1.1.0", max_new=5)
    assert "6 new issues with 1.1.0: DASHBOARD-API-3 ValueError 0" in failed.error
    few = errors(release="1.1.0", most=3)
    assert (len(few.data["new_issues"]), few.data["more_issues"]) == (3, True)


def test_issues_that_came_lately(sentry):
    """Without a release the window decides."""
    sentry.issues += [Issue("young", first=0.5), Issue("older", first=3)]
    assert [row["title"] for row in errors().data["new_issues"]] == ["young"]
    assert [row["title"] for row in errors(window="4h").data["new_issues"]] == ["young", "older"]


def test_a_release_that_sentry_does_not_know(sentry):
    """It is not taken for one without new issues."""
    assert "Sentry knows no release 9.9.9" in errors(release="9.9.9").error


def test_another_organisation_or_project_than_the_tokens(sentry):
    """It is said which."""
    assert "the token does not lead to dashboard-api of other" in errors(organisation="other").error
    assert "does not lead to secret-project of acme" in errors(projects=["secret-project"]).error


@pytest.mark.parametrize("times", [1, 10])
def test_throttling_is_waited_out(sentry, times):
    """As long as Sentry asks."""
    sentry.throttle("get_events", times)
    sentry.throttle("list_issues", times)
    assert errors().status == "ok"


@pytest.mark.usefixtures("unhurried")
def test_throttling_without_end_ends_with_the_time(sentry):
    """With Sentry's words."""
    sentry.throttle("list_issues", None, retry_after=None)
    assert "429 (Rate exceeded)" in errors(wait=0.3).error


def test_a_token_that_expires(sentry):
    """It is shown nowhere."""
    sentry.expire_credentials(after=1)
    done = errors()
    assert "401 (Token expired)" in done.error
    assert sentry.token not in repr(done)


def test_a_token_that_is_missing(sentry, monkeypatch):
    """Nothing is asked without one."""
    monkeypatch.delenv("SENTRY_AUTH_TOKEN")
    assert "no credentials for Sentry: set SENTRY_AUTH_TOKEN" in errors().error
    monkeypatch.setenv("SENTRY_AUTH_TOKEN", "two words")
    done = errors()
    assert "SENTRY_AUTH_TOKEN: the value is no access token" in done.error
    assert "two words" not in done.error
    assert sentry.requests == []


@pytest.mark.parametrize(
    "body",
    [
        {"data": [{"count()": "12"}]},
        {"data": [{"count()": -1}]},
        {"data": [{"count()": 1}, {"count()": 2}]},
        {"data": [{}]},
        {"data": {"count()": 1}},
        [],
        b"nothing",
    ],
)
def test_counts_that_make_no_sense(sentry, body):
    """They are not added up."""
    sentry.answer("get_events", body)
    said = errors().error
    assert "no sense" in said or "no JSON" in said


def test_no_rows_are_no_errors(sentry):
    """As Sentry answers for projects without any."""
    sentry.answer("get_events", {"data": []}, times=None)
    assert errors().data["verdict"] == "none"


@pytest.mark.parametrize(
    "change",
    [{"level": "horrible"}, {"count": "many"}, {"count": 5}, {"firstSeen": "2026-11-20T10:00:00"}, {"status": "odd"}],
)
def test_issues_that_make_no_sense(sentry, change):
    """Words that nobody documents are not guessed at."""
    sentry.issues.append(Issue("young", first=0.5))
    sentry.twist("list_issues", lambda rows: [{**rows[0], **change}])
    assert "the answer makes no sense: 0." in errors().error


def test_a_listing_that_never_ends(sentry):
    """Pages that repeat are noticed."""
    sentry.issues += [Issue(f"young {number}", first=0.5) for number in range(3)]
    sentry.page = 1
    listed = sentry.list_issues

    def circle(call):
        answer = listed(call)
        return type(answer)(answer.body, 200, {"Link": '<x>; rel="next"; results="true"; cursor="0:1:0"'})

    sentry.list_issues = circle
    try:
        assert "does not end: its pages repeat" in errors().error
    finally:
        del sentry.list_issues


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"organisation": "a/b"}, "is no Sentry organisation"),
        ({"projects": []}, "the list is empty"),
        ({"baseline": "10m"}, "baseline 600 must be at least window 3600"),
        ({"release": 'x" OR "y'}, "is no release"),
        ({"api": "http://sentry.example.com"}, "use https"),
        ({"factor": 0.5}, "is no number"),
    ],
)
def test_parameters_that_are_refused(args, said):
    """Before anything is asked."""
    assert said in errors(**args).error
