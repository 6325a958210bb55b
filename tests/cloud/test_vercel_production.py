"""Promotion and rollback on Vercel: what happens, what does not, and what is found out when the answer is lost."""

from __future__ import annotations

import pytest
import requests

from services.vercel import TEAM
from services.web import endless
from support.vercel import kept, on_vercel

__all__ = ["kept"]
pytestmark = pytest.mark.usefixtures("kept")


def shown(site):
    """Return what a visitor sees."""
    return requests.get(site.url + "/", timeout=10).text


def roll_back(vercel, site=None, **more):
    """Roll back without an argument; without a site no page is looked at."""
    return on_vercel("vercel_rollback", site=site, **({} if site else {"verified": False}), **more)


def test_a_rollback_goes_to_what_was_there_before(vercel, vercel_site):
    """Check, run, and run again: the second run does not go further back."""
    newest, older, _oldest = (each.uid for each in vercel.deployments)
    vercel.variable("API_URL", "https://new.example.com", updatedAt=vercel.deployments[1].created + 5)
    vercel.variable("OLD", "as ever", updatedAt=vercel.deployments[1].created - 5)

    planned = roll_back(vercel, vercel_site, check=True)
    assert (planned.status, planned.summaries) == (
        "changed",
        [f"roll production back to {older} (team acme, project dashboard)"],
    )
    assert (planned.changes[0]["before"], planned.changes[0]["after"]) == (newest, older)
    assert vercel.mutations == []

    done = roll_back(vercel, vercel_site)
    assert (done.status, done.error) == ("changed", None)
    assert f"served by {older}" in shown(vercel_site)
    assert [call.operation for call in vercel.mutations] == ["rollback"]
    assert done.data["changed_variables"] == ["API_URL"]
    assert any("environment variables" in each and "API_URL" in each for each in done.warnings)
    assert len(done.warnings) == 4

    again = roll_back(vercel, vercel_site)
    assert (again.status, len(vercel.mutations)) == ("ok", 1)
    assert "name a deployment to go further back" in again.reason


def test_a_named_deployment_can_be_gone_back_to(vercel):
    """By its id or its URL, as far back as it was in production."""
    oldest = vercel.deployments[2]
    done = roll_back(vercel, deployment=f"https://{oldest.url}", reason="errors after the release")
    assert (done.status, vercel.production) == ("changed", oldest.uid)
    assert vercel.mutations[0].query == {"slug": "acme", "description": "errors after the release"}
    assert roll_back(vercel, deployment=oldest.uid).status == "ok"


def test_what_never_served_or_does_not_work_is_no_way_back(vercel):
    """Failed builds, previews and staged builds are passed over, and refused when they are named."""
    vercel.add(state="ERROR", problem="no")
    vercel.add(target=None, substate=None)
    staged = vercel.add(substate="STAGED")
    vercel.production = vercel.add().uid
    done = roll_back(vercel)
    assert vercel.production == done.data["to"] == "dpl_000000000000000000000003"
    refused = roll_back(vercel, deployment=staged.uid)
    assert (refused.status, refused.changed) == ("failed", False)
    assert "a rollback goes to what was in production" in refused.error


def test_nothing_to_go_back_to(vercel):
    """The oldest deployment has none before it."""
    vercel.production = vercel.deployments[2].uid
    done = roll_back(vercel)
    assert "there is no earlier deployment" in done.error
    assert vercel.mutations == []


def test_a_promotion_ends_a_rollback(vercel, vercel_site):
    """Check, run, run again; and domains are assigned to new deployments once more."""
    newest = vercel.deployments[0]
    roll_back(vercel)
    assert vercel.auto_assign is False
    before = len(vercel.mutations)
    planned = on_vercel("vercel_promote", check=True, site=vercel_site, deployment=newest.url)
    assert (planned.status, len(vercel.mutations)) == ("changed", before)
    done = on_vercel("vercel_promote", site=vercel_site, deployment=newest.url)
    assert (done.status, done.error, vercel.auto_assign) == ("changed", None, True)
    assert f"served by {newest.uid}" in shown(vercel_site)
    again = on_vercel("vercel_promote", site=vercel_site, deployment=newest.url)
    assert (again.status, again.reason) == ("ok", f"{newest.uid} is in production already")
    assert len(vercel.mutations) == before + 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"state": "ERROR", "problem": "no"}, "is ERROR"),
        ({"state": "BUILDING", "steps": []}, "is BUILDING"),
        ({"target": None, "substate": None}, "was built for preview"),
    ],
)
def test_only_what_can_serve_is_promoted(vercel, values, said):
    """The plan says why not."""
    made = vercel.add(**values)
    done = on_vercel("vercel_promote", deployment=made.uid)
    assert said in done.error
    assert vercel.mutations == []


def test_an_unknown_deployment(vercel):
    """Vercel's own words are kept."""
    done = on_vercel("vercel_promote", deployment="dpl_nowhere")
    assert "404 (The deployment was not found)" in done.error


def test_asking_is_not_having(vercel):
    """The job takes its time, and the project shows the old deployment for a while even then."""
    vercel.looks, vercel.lag = 3, 4
    older = vercel.deployments[1].uid
    done = roll_back(vercel)
    assert (done.status, done.error, vercel.production) == ("changed", None, older)
    assert [each["progress"] for each in done.told] == [
        f"the rollback to {older} is pending",
        f"the rollback to {older} is in-progress",
        f"the rollback to {older} is succeeded",
    ]


@pytest.mark.parametrize("lose", ["error", "drop"])
def test_a_lost_answer_is_made_up_for_by_looking(vercel, lose):
    """The request is never sent twice."""
    if lose == "error":
        vercel.fail("rollback", status=502, after_effect=True)
    else:
        vercel.drop("rollback", after_effect=True)
    done = roll_back(vercel)
    assert (done.status, done.error, vercel.production) == ("changed", None, vercel.deployments[1].uid)
    assert len(vercel.calls("rollback")) == 1


def test_an_answer_that_was_lost_without_effect(vercel):
    """It says that nothing is seen of it, and sends nothing again; the next run does it."""
    vercel.fail("rollback", status=500)
    done = roll_back(vercel)
    assert "nothing is seen of it since" in done.error
    assert (done.status, len(vercel.calls("rollback"))) == ("failed", 1)
    assert roll_back(vercel).status == "changed"


def test_an_earlier_job_to_the_same_deployment_is_not_taken_for_ours(vercel):
    """It has succeeded, but long ago; something else has been deployed since."""
    older = vercel.deployments[1].uid
    roll_back(vercel)
    vercel.production = vercel.add().uid
    vercel.fail("rollback", status=500)
    done = roll_back(vercel, deployment=older)
    assert "nothing is seen of it since" in done.error


@pytest.mark.parametrize("times", [1, 10])
def test_throttling_is_waited_out(vercel, times):
    """Reads and the request itself."""
    for operation in ("get_project", "list_deployments", "rollback"):
        vercel.throttle(operation, times)
    done = roll_back(vercel)
    assert (done.status, done.error) == ("changed", None)
    assert len(vercel.calls("rollback")) == times + 1
    assert vercel.production == vercel.deployments[1].uid


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("operation", ["get_project", "rollback"])
def test_throttling_without_end_ends_with_the_time(vercel, operation):
    """Nothing has happened then."""
    newest = vercel.production
    vercel.throttle(operation, None, retry_after=None)
    done = roll_back(vercel, wait=0.3)
    assert (done.status, vercel.production) == ("failed", newest)
    assert "429" in done.error


def test_a_pause_longer_than_the_time_is_not_slept(vercel):
    """Vercel asks for an hour; we say so at once."""
    vercel.throttle("rollback", 1, retry_after="3600")
    done = roll_back(vercel)
    assert "asks to wait 3600 seconds" in done.error


def test_somebody_elses_job_is_waited_for(vercel):
    """And then ours is done, from what is in production by then."""
    oldest, vercel.looks = vercel.deployments[2].uid, 3
    vercel.begin("promote", oldest)
    done = on_vercel("vercel_promote", deployment=vercel.deployments[1].uid, verified=False)
    assert (done.status, done.error) == ("changed", None)
    assert vercel.production == vercel.deployments[1].uid
    assert f"waiting for a promote to {oldest} by somebody else" in done.told[0]["progress"]


def test_somebody_who_is_faster_is_waited_for(vercel, monkeypatch):
    """Between our look and our request they began."""
    promote = vercel.promote
    oldest, older = vercel.deployments[2].uid, vercel.deployments[1].uid

    def theirs_first(call):
        vercel.begin("promote", oldest)
        monkeypatch.setattr(vercel, "promote", promote)
        return vercel.problem(409, "conflict", "Another alias request is in progress")

    monkeypatch.setattr(vercel, "promote", theirs_first)
    done = on_vercel("vercel_promote", deployment=older, verified=False)
    assert (done.status, done.error, vercel.production) == ("changed", None, older)
    assert done.told[0]["progress"] == "somebody else was faster; waiting for them"


def test_a_refusal_without_anybody_else_is_final(vercel):
    """It is not asked again and again."""
    vercel.fail("promote", status=409, code="conflict", message="Rolling release active", times=None)
    done = on_vercel("vercel_promote", deployment=vercel.deployments[1].uid, verified=False)
    assert "409 (Rolling release active)" in done.error
    assert len(vercel.calls("promote")) == 1


def test_somebody_who_undoes_ours_is_named(vercel, monkeypatch):
    """We do not fight over it."""
    oldest, rollback = vercel.deployments[2].uid, vercel.rollback

    def overtaken(call):
        answer = rollback(call)
        vercel.begin("promote", oldest)
        vercel.job["requestedAt"] += 1
        return answer

    monkeypatch.setattr(vercel, "rollback", overtaken)
    done = roll_back(vercel)
    assert f"somebody else asked for a promote to {oldest}" in done.error


@pytest.mark.parametrize(
    ("outcome", "said"), [("failed", "could not move all aliases"), ("skipped", "skipped the rollback")]
)
def test_a_job_that_does_not_succeed_fails_the_step(vercel, outcome, said):
    """Although the request was answered with success."""
    vercel.outcome = outcome
    newest = vercel.production
    done = roll_back(vercel)
    assert (done.status, done.changed, vercel.production) == ("failed", True, newest)
    assert said in done.error


def test_a_job_that_never_ends(vercel):
    """The time that was given ends the waiting, and the message says that it may still go on."""
    vercel.looks = 10**6
    done = roll_back(vercel, wait=0.3)
    assert "it may still go on" in done.error


def test_a_page_that_is_not_right_afterwards_fails_the_step(vercel, vercel_site):
    """With what is wrong with it, and what was done."""
    done = on_vercel("vercel_rollback", site=vercel_site, contains="welcome", page_wait=0.1)
    assert (done.status, done.changed) == ("failed", True)
    assert "lacks the text" in done.error
    assert "after: roll production back" in done.error
    assert vercel.production == vercel.deployments[1].uid


def test_credentials_that_expire_while_waiting(vercel):
    """The message says what to look at; the token stands nowhere."""
    vercel.looks = 50
    vercel.expire_credentials(after=8)
    done = roll_back(vercel)
    assert "the token is wrong or has expired" in done.error
    assert vercel.token not in repr(done)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"project": "other"}, "project other is not in team acme"),
        ({"team": "strangers"}, "may not enter this team"),
        ({"team": TEAM, "project": "prj_none"}, f"project prj_none is not in team {TEAM}"),
    ],
)
def test_another_project_or_team_than_the_tokens_is_refused(vercel, wrong, said):
    """Before anything happens."""
    done = roll_back(vercel, **wrong)
    assert said in done.error
    assert vercel.mutations == []


def test_a_project_of_another_team_is_refused(vercel):
    """Even if Vercel answers with it."""
    vercel.twist("get_project", lambda project: {**project, "accountId": "team_other"})
    assert f"is of team_other, not of {TEAM}" in roll_back(vercel, team=TEAM).error
    vercel.twist("get_project", lambda project: {**project, "name": "evil", "id": "prj_evil"})
    assert "answered with project evil instead of dashboard" in roll_back(vercel).error


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"<html>login</html>",
        b"[" * 100000,
        {"id": 1},
        {"id": "a", "name": "dashboard", "accountId": None},
    ],
)
def test_answers_that_make_no_sense_stop_the_step(vercel, body):
    """Nothing is changed on their strength."""
    vercel.answer("get_project", body, times=None)
    done = roll_back(vercel)
    assert done.status == "failed"
    assert "Vercel" in done.error or "no JSON" in done.error
    assert "internal error" not in done.error
    assert vercel.mutations == []


@pytest.mark.parametrize(
    "change",
    [
        lambda project: {
            **project,
            "targets": {"production": {**project["targets"]["production"], "readyState": "FINE"}},
        },
        lambda project: {**project, "targets": {"production": {**project["targets"]["production"], "createdAt": -5}}},
        lambda project: {**project, "lastAliasRequest": {**project["lastAliasRequest"], "jobStatus": "thinking"}},
        lambda project: {**project, "lastAliasRequest": {**project["lastAliasRequest"], "type": "demote"}},
    ],
)
def test_words_that_nobody_documents_stop_the_step(vercel, change):
    """A state that we do not know is not guessed at."""
    vercel.begin("promote", vercel.deployments[0].uid)
    vercel.twist("get_project", change, times=None)
    done = roll_back(vercel)
    assert "the answer makes no sense" in done.error
    assert vercel.mutations == []


def test_an_answer_without_end_is_dropped(vercel):
    """It is not kept in memory."""
    vercel.stream("list_deployments", endless)
    assert "longer than 16 MiB" in roll_back(vercel).error


def test_what_vercel_says_cannot_play_with_the_terminal(vercel):
    """Control characters in its errors are made harmless."""
    vercel.fail("rollback", status=400, code="bad", message="\x1b[2Jno\nreally\x00")
    done = roll_back(vercel)
    assert "\x1b" not in done.error
    assert "\x00" not in done.error
