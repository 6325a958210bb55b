"""Supabase: a project's health, through the management API and a real PostgREST, and its backups."""

from __future__ import annotations

import time

import pytest

from services.supabase import REF, key
from services.web import endless
from support.cloud import run

BASE = {"ref": REF, "wait": 5, "poll": 0.002}


@pytest.fixture
def opened(project, management, monkeypatch):
    """A project with both secrets in the environment."""
    monkeypatch.setenv("SUPABASE_SERVICE_KEY", project.service_key)
    return project


def status(project, **more):
    return run("supabase_status", {**BASE, "url": project.url, **more})


def trouble(done):
    """Return what is not well, by part."""
    return {each["part"]: each.get("trouble", each["state"]) for each in done.data["parts"] if not each["ok"]}


def test_a_healthy_project(opened, management):
    """All parts are looked at; nothing is changed; a view of the table goes down to the database."""
    done = status(opened, table="cost_records", max_latency="10s")
    assert (done.status, done.error, done.warnings) == ("ok", None, [])
    assert [each["part"] for each in done.data["parts"]] == [
        "project",
        "auth",
        "db",
        "pooler",
        "realtime",
        "rest",
        "storage",
        "rest interface",
    ]
    assert (done.data["status"], done.data["region"]) == ("ACTIVE_HEALTHY", "us-east-1")
    assert done.data["rest_seconds"] > 0
    assert opened.mutations == management.mutations == []
    assert opened.calls("rest")[0].path == "/rest/v1/cost_records?select=%2A&limit=1"


def test_without_a_table_only_the_interface_is_asked(opened):
    """Its description, without a body."""
    assert status(opened).status == "ok"
    assert [call.method for call in opened.calls("rest")] == ["HEAD"]


def test_services_that_ail_are_named(opened, management):
    """With why; also one of which Supabase says nothing, and the project as a whole."""
    management.health["db"] = "UNHEALTHY"
    management.status = "ACTIVE_UNHEALTHY"
    management.twist("get_health", lambda rows: [row for row in rows if row["name"] != "auth"])
    done = status(opened)
    assert done.status == "failed"
    assert trouble(done) == {
        "project": "ACTIVE_UNHEALTHY",
        "db": "db does not answer",
        "auth": "Supabase did not say how it is",
    }
    assert "db: db does not answer" in done.error


@pytest.mark.parametrize(
    ("table", "said"),
    [("hidden", "permission denied for table hidden"), ("nothing", 'relation \\"public.nothing\\" does not exist')],
)
def test_what_postgrest_says_is_told(opened, table, said):
    """A missing grant, a missing table."""
    done = status(opened, table=table)
    assert said.replace('\\"', '"') in trouble(done)["rest interface"]
    assert len(opened.calls("rest")) == 1


@pytest.mark.parametrize("wrong", ["sb_secret_0123456789", key(secret="x" * 40)])
def test_a_service_key_that_is_not_good(opened, wrong):
    """It is said so, and shown nowhere."""
    done = status(opened, service_key=wrong)
    assert "the service key is not accepted" in trouble(done)["rest interface"]
    assert wrong not in repr(done)
    assert opened.service_key not in repr(done)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (key("anon"), "a publishable key"),
        ("sb_publishable_abc", "a publishable key"),
        (key("authenticated"), "is for role 'authenticated'"),
    ],
)
def test_a_key_of_another_kind_is_refused(opened, management, other, said):
    """Before anything is asked."""
    done = status(opened, service_key=other)
    assert said in done.error
    assert other not in repr(done)
    assert opened.requests == management.requests == []


def test_a_key_of_another_project_is_refused(opened, management):
    """It says itself where it belongs."""
    done = status(opened, ref="zyxwvutsrqponmlkjihg")
    assert f"the key is for project '{REF}', not for zyxwvutsrqponmlkjihg" in done.error
    assert opened.requests == []


@pytest.mark.parametrize("times", [1, 2])
def test_what_may_pass_is_tried_again(opened, times):
    """A gateway that stumbles is no outage."""
    opened.fail("rest", times=times, status=503)
    assert status(opened).status == "ok"


def test_what_does_not_pass_is_told_soon(opened):
    """After three tries, not after a quarter of an hour."""
    opened.fail("rest", times=None, status=502)
    done = status(opened, wait="15m")
    assert "502" in trouble(done)["rest interface"]
    assert "(3 times)" in done.error
    assert len(opened.calls("rest")) == 3


@pytest.mark.parametrize("answer", ["endless", b'{"not": "rows"}', b"\xff"])
def test_answers_of_the_interface_that_make_no_sense(opened, answer):
    """They are trouble like any other."""
    if answer == "endless":
        opened.stream("rest", endless)
    else:
        opened.answer("rest", answer)
    assert "rest interface" in trouble(status(opened, table="cost_records"))


def test_slowness_is_judged(opened):
    """Against what was asked."""
    opened.delay("rest", 0.05)
    assert "longer than 0.01 s" in trouble(status(opened, max_latency="10ms"))["rest interface"]


def test_one_secret_is_enough_for_its_part(opened, monkeypatch):
    """The other part is left out, and a warning says so; without both there is nothing to ask with."""
    monkeypatch.delenv("SUPABASE_ACCESS_TOKEN")
    done = status(opened)
    assert (done.status, done.warnings) == ("ok", ["the management API was not asked: no SUPABASE_ACCESS_TOKEN"])
    monkeypatch.setenv("SUPABASE_ACCESS_TOKEN", "sbp_x")
    monkeypatch.delenv("SUPABASE_SERVICE_KEY")
    done = status(opened, token="sbp_" + "0123456789abcdef" * 2 + "01234567")
    assert (done.status, done.warnings) == ("ok", ["the REST interface was not asked: no SUPABASE_SERVICE_KEY"])
    monkeypatch.delenv("SUPABASE_ACCESS_TOKEN")
    assert "no credentials for Supabase: set SUPABASE_ACCESS_TOKEN or SUPABASE_SERVICE_KEY" in status(opened).error


def backups(**more):
    return run("supabase_backups", {**BASE, **more})


def test_backups_are_held_against_what_is_promised(management):
    """The newest by time, not by place in the list."""
    management.backups.reverse()
    done = backups(keep="6d")
    assert (done.status, done.error) == ("ok", None)
    assert done.reason == "the newest of 7 backups is 2 hours old"
    ages = [row["age_seconds"] for row in done.data["backups"]]
    assert ages == sorted(ages)
    assert len(ages) == 7
    assert done.data["newest_seconds"] == pytest.approx(7200, abs=60)
    assert management.mutations == []
    assert "backups reach back 6 days only; 30 days are promised" in backups(keep="30d").error
    assert "the newest backup is 2 hours old; 60 minutes are promised" in backups(max_age="1h").error


def test_only_complete_backups_count(management):
    """A failed one is a warning, and no backup."""
    management.backups[0]["status"] = "FAILED"
    management.backups[1]["status"] = "PENDING"
    done = backups()
    assert "the newest backup is 2 days old" in done.error
    assert done.warnings == ["failed: backup 1 2 hours ago"]


def test_no_backups_at_all(management):
    """As for projects on the free plan."""
    management.backups.clear()
    assert "free projects get none" in backups().error


def test_restores_to_any_moment_count(management):
    """With them the newest state is minutes old."""
    management.backups.clear()
    now = int(time.time())
    management.pitr = (now - 8 * 86400, now - 120)
    done = backups(max_age="10m", keep="7d")
    assert (done.status, done.error) == ("ok", None)


@pytest.mark.parametrize("times", [1, 10])
def test_the_rate_limit_is_respected(management, times):
    """The pause that was asked for is made, and then it goes on."""
    management.throttle("list_backups", times)
    assert backups().status == "ok"
    assert len(management.calls("list_backups")) == times + 1


def test_the_limit_of_the_api_itself(management):
    """Requests beyond it wait."""
    management.limit = 1
    assert backups().status == "ok"
    assert len(management.requests) == 3


@pytest.mark.usefixtures("unhurried")
def test_throttling_without_end_ends_with_the_time(management):
    """And so does a pause longer than there is time."""
    management.throttle("list_backups", None, retry_after=None)
    assert "429" in backups(wait=0.3).error
    management.mend()
    management.throttle("list_backups", 1, retry_after="600")
    assert "asks to wait 600 seconds" in backups().error


def test_a_token_that_has_expired(management):
    """It is shown nowhere."""
    management.expire_credentials()
    done = backups()
    assert "401" in done.error
    assert management.token not in repr(done)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: {**body, "backups": [{**body["backups"][0], "status": "MAYBE"}]},
        lambda body: {**body, "backups": [{**body["backups"][0], "inserted_at": "yesterday"}]},
        lambda body: {**body, "backups": [{**body["backups"][0], "inserted_at": "2026-11-20T10:00:00"}]},
        lambda body: {**body, "backups": "none"},
        lambda body: [],
    ],
)
def test_backups_that_make_no_sense(management, change):
    """A moment without a zone is one of them."""
    management.twist("list_backups", change)
    assert "the answer makes no sense" in backups().error


def test_another_project_than_asked_for(management):
    """Unknown to the token, or answered in place of ours."""
    assert "Project not found" in backups(ref="zyxwvutsrqponmlkjihg").error
    management.twist("get_project", lambda body: {**body, "ref": "zyxwvutsrqponmlkjihg"})
    assert "answered with project 'zyxwvutsrqponmlkjihg'" in backups().error
    management.twist("get_project", lambda body: {**body, "status": "DREAMING"})
    assert "status" in backups().error
