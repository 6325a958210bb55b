"""Deployments, status and logs of a Vercel project."""

from __future__ import annotations

import pytest

from services.vercel import log_row
from services.vercel_cli import program
from support.vercel import kept, on_vercel

__all__ = ["kept"]
pytestmark = pytest.mark.usefixtures("kept")


def test_deployments_are_listed_over_all_pages(vercel):
    """Each once, the newest first, however few a page holds."""
    vercel.page = 2
    failed = vercel.add(state="ERROR", problem="Command failed")
    vercel.add(state="BUILDING", target=None, substate=None, meta={"githubCommitSha": "0af3"})
    done = on_vercel("vercel_deployments", most=50)
    assert done.status == "ok"
    rows = done.data["deployments"]
    assert [row["id"] for row in rows] == [each.uid for each in vercel.deployments]
    assert [row["state"] for row in rows] == ["BUILDING", "ERROR", "READY", "READY", "READY"]
    assert (rows[0]["target"], rows[0]["version"], rows[1]["error"]) == ("preview", "0af3", "Command failed")
    assert [row["id"] for row in rows if row["in_production"]] == [vercel.production]
    assert done.data["states"] == {"BUILDING": 1, "ERROR": 1, "READY": 3}
    assert len(vercel.calls("list_deployments")) == 3
    only = on_vercel("vercel_deployments", states=["ERROR"], target="production")
    assert [row["id"] for row in only.data["deployments"]] == [failed.uid]
    assert vercel.mutations == []


def test_no_more_are_read_than_asked_for(vercel):
    """Two of three."""
    done = on_vercel("vercel_deployments", most=2)
    assert len(done.data["deployments"]) == 2
    assert on_vercel("vercel_deployments", states=["BLOCKED"]).reason == "no deployment is as asked for"


def test_a_listing_that_never_ends_is_refused(vercel):
    """Pages must go back in time."""
    vercel.twist("list_deployments", lambda page: {**page, "pagination": {"next": 1_790_000_000_000}}, times=None)
    done = on_vercel("vercel_deployments", most=10000)
    assert "does not end" in done.error
    assert len(vercel.calls("list_deployments")) == 2


def test_the_status_of_a_healthy_project(vercel, vercel_site):
    """What is in production, since when, and its page."""
    done = on_vercel("vercel_status", site=vercel_site)
    assert (done.status, done.warnings) == ("ok", [])
    assert (done.data["production"], done.data["page"]["status"]) == (vercel.production, 200)
    assert done.data["domains"] == ["dashboard.example.com", "dashboard.vercel.app"]
    assert vercel.mutations == []


def test_the_status_of_a_project_with_troubles(vercel, vercel_site):
    """Failed builds, a rollback, a page that is wrong."""
    on_vercel("vercel_rollback", verified=False)
    failed = vercel.add(state="ERROR", problem="no")
    done = on_vercel("vercel_status", site=vercel_site, contains="welcome", page_wait=0.1)
    assert done.status == "failed"
    assert "lacks the text" in done.error
    assert done.data["failed_since"] == [failed.uid]
    assert (done.data["rolled_back"], done.data["domains_assigned"]) == (True, False)
    assert len(done.warnings) == 3


def test_nothing_in_production(vercel):
    """It is no success."""
    vercel.production = None
    assert on_vercel("vercel_status").error == "nothing is in production"
    assert "nothing is in production" in on_vercel("vercel_logs").error


def test_request_logs_come_through_vercels_command_line(vercel):
    """With what looks like a secret masked, and what is asked for passed on."""
    vercel.logs += [
        log_row("collected 12 records", at=1_790_000_000_000),
        log_row("password=hunter2secret was refused", level="error", at=1_790_000_060_000, path="/api", status=500),
        log_row(f"token {vercel.token} \x1b[31mred", level="error", at=1_790_000_030_000),
    ]
    done = on_vercel("vercel_logs", program=program(), lines=50, since="2h", levels=["error"], search="refused")
    assert done.status == "ok", done.error
    assert [line["time"] for line in done.data["lines"]] == [1_790_000_000, 1_790_000_030, 1_790_000_060]
    last = done.data["lines"][-1]
    assert (last["text"], last["status"], last["path"]) == ("password=*** was refused", 500, "/api")
    assert (done.data["levels"], done.data["statuses"]) == ({"info": 1, "error": 2}, {"200": 2, "500": 1})
    assert vercel.token not in repr(done)
    assert "\x1b" not in repr(done.data["lines"])
    asked = vercel.calls("get_request_logs")[0].query
    assert (asked["level"], asked["search"]) == ("error", "refused")
    assert int(asked["endDate"]) - int(asked["startDate"]) == pytest.approx(7_200_000, abs=120_000)


def test_a_command_line_that_fails_or_is_missing(vercel, tmp_path):
    """Its last words are told; how to install it, too."""
    stub = tmp_path / "vercel"
    stub.write_text('#!/bin/sh\necho "Error: \033[31mno access for $VERCEL_TOKEN" >&2\nexit 1\n')
    stub.chmod(0o755)
    done = on_vercel("vercel_logs", program=str(stub))
    assert done.error == "vercel logs: Error: no access for ***"
    stub.write_text("#!/bin/sh\necho '{\"id\": 1}'\n")
    assert "the answer makes no sense" in on_vercel("vercel_logs", program=str(stub)).error
    stub.write_text("#!/bin/sh\necho 'Done!'\n")
    assert "a line is no JSON" in on_vercel("vercel_logs", program=str(stub)).error
    stub.write_text("#!/bin/sh\nsleep 60 & sleep 60\n")
    assert "was stopped" in on_vercel("vercel_logs", program=str(stub), wait=0.5).error
    assert "npm install -g vercel" in on_vercel("vercel_logs", program="vercel-is-not-here").error


def test_the_log_of_a_build(vercel):
    """Through the API."""
    events = [
        {"type": "stdout", "created": 2000, "text": "Compiled"},
        {"type": "command", "created": 1000, "text": "next build"},
    ]
    vercel.answer("get_events", events, times=None)
    done = on_vercel("vercel_logs", kind="build", deployment=vercel.deployments[0].url)
    assert [line["text"] for line in done.data["lines"]] == ["next build", "Compiled"]
