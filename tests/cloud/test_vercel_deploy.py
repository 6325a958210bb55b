"""Deploying to Vercel's production with their command line."""

from __future__ import annotations

import json
import time

import pytest
import requests

from opslib import Fleet, Target, tasks
from services.vercel import PROJECT
from services.vercel_cli import program
from support.vercel import VERCEL, kept, on_vercel

__all__ = ["kept"]
pytestmark = pytest.mark.usefixtures("kept")


@pytest.fixture
def folder(tmp_path):
    """A web site."""
    site = tmp_path / "frontend"
    site.mkdir()
    (site / "index.html").write_text("hello")
    (site / "node_modules").mkdir()
    (site / "node_modules" / "left-out.js").write_text("x")
    return site


def deploy(folder, site=None, **more):
    """Deploy; without a site no page is looked at."""
    page = {} if site else {"verified": False}
    return on_vercel("vercel_deploy", site=site, directory=str(folder), program=program(), wait=30, **page, **more)


def test_a_folder_is_deployed_once(vercel, vercel_site, folder):
    """Check, run, run again; then once more after the files, and after a variable, have changed."""
    vercel.lag = 5
    before = vercel.production
    planned = deploy(folder, vercel_site, check=True, version="1.4.2")
    assert (planned.status, vercel.mutations) == ("changed", [])
    assert "its files differ from those in production" in planned.summaries[0]
    assert (planned.changes[0]["before"], planned.changes[0]["after"]) == (before, "1.4.2 (1 file, 5 B)")

    done = deploy(folder, vercel_site, version="1.4.2")
    made = vercel.deployments[0]
    assert (done.status, done.error, done.data["production"]) == ("changed", None, made.uid)
    assert vercel.production == made.uid != before
    assert f"served by {made.uid}" in requests.get(vercel_site.url + "/", timeout=10).text
    assert made.meta["opslibVersion"] == "1.4.2"
    assert f"{made.uid} is READY" in [each["progress"] for each in done.told]

    count = len(vercel.mutations)
    again = deploy(folder, vercel_site, version="1.4.2")
    assert (again.status, len(vercel.mutations)) == ("ok", count)
    assert again.reason == f"{made.uid} was built from the same files"

    vercel.variable("API_URL", "x", updatedAt=int(time.time() * 1000) + 1000)
    assert "API_URL changed since that was built" in deploy(folder, check=True).summaries[0]
    vercel.variables.clear()
    (folder / "index.html").write_text("hello again")
    assert deploy(folder, check=True).status == "changed"


def test_the_token_travels_in_the_environment(vercel, folder, tmp_path):
    """Never among arguments, in files, in what is told, or in the report; in a run as engineers run it."""
    spy = tmp_path / "vercel"
    spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {tmp_path}/words\nexec {program()} "$@"\n')
    spy.chmod(0o755)
    told = []
    task = tasks.vercel_deploy(**{**VERCEL, "wait": 30}, directory=str(folder), program=str(spy), verified=False)
    with Fleet([Target(name="controller", carrier="local")], on_event=told.append) as fleet:
        report = fleet.run([task])
    assert report.hosts["controller"].status == "changed", report.hosts["controller"].failure
    words = (tmp_path / "words").read_text()
    assert "--prod" in words
    for text in (words, repr(told), json.dumps(report.to_dict())):
        assert vercel.token not in text
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and vercel.token.encode() in file.read_bytes()]


@pytest.mark.parametrize("lose", ["error", "drop"])
def test_a_lost_answer_is_made_up_for_by_looking(vercel, folder, lose):
    """The deployment that was made is found by its mark; none is made twice."""
    if lose == "error":
        vercel.fail("create_deployment", after_effect=True)
    else:
        vercel.drop("create_deployment", after_effect=True, times=None)
    done = deploy(folder)
    assert (done.status, done.error) == ("changed", None)
    made = [each for each in vercel.deployments if each.meta]
    assert vercel.production in [each.uid for each in made]


def test_a_deployment_that_was_not_made(vercel, folder):
    """Vercel's words are told, and production stays."""
    before = vercel.production
    vercel.fail("create_deployment", status=402, code="payment_required", message="Your plan has ended", times=None)
    done = deploy(folder)
    assert (done.status, vercel.production) == ("failed", before)
    assert "Your plan has ended" in done.error
    assert "no deployment was made" in done.error


def test_a_build_that_fails_leaves_production(vercel, folder):
    """With why, and the end of its log, from which the token is masked."""
    before = vercel.production
    vercel.builds = ["QUEUED", "BUILDING", "ERROR"]
    lines = [{"type": "stderr", "created": 5, "text": f"cannot find module\nused {vercel.token}"}]
    vercel.answer("get_events", lines, times=None)
    done = deploy(folder)
    assert (done.status, done.changed, vercel.production) == ("failed", True, before)
    assert "ended in ERROR: Command" in done.error
    assert "production was not changed" in done.error
    assert done.data["log"] == ["cannot find module", "used ***"]
    vercel.builds = ["QUEUED", "CANCELED"]
    assert "ended in CANCELED" in deploy(folder).error


def test_a_deployment_that_an_earlier_run_began_is_followed(vercel, folder):
    """After a run that was cut short nothing is sent twice."""
    planned = deploy(folder, check=True)
    begun = vercel.add(
        state="BUILDING", substate=None, steps=["READY"], meta={"opslibFiles": planned.data["built_from"]}
    )
    done = deploy(folder)
    assert (done.status, vercel.production, vercel.mutations) == ("changed", begun.uid, [])
    assert f"follow {begun.uid}" in done.summaries[0]


def test_after_a_rollback_the_new_deployment_is_promoted(vercel, folder):
    """For it gets no production domains by itself."""
    on_vercel("vercel_rollback", verified=False)
    done = deploy(folder)
    assert (done.status, done.error) == ("changed", None)
    assert "and promote it" in done.summaries[0]
    assert vercel.production == vercel.deployments[0].uid
    assert [call.operation for call in vercel.mutations][-2:] == ["create_deployment", "promote"]


def test_a_folder_of_another_project_is_refused(vercel, folder):
    """What .vercel says must be what the parameters say."""
    (folder / ".vercel").mkdir()
    link = folder / ".vercel" / "project.json"
    link.write_text(json.dumps({"projectId": "prj_other", "orgId": "team_x"}))
    done = deploy(folder)
    assert f"is linked to prj_other, but dashboard is {PROJECT}" in done.error
    link.write_text("{")
    assert "cannot be read" in deploy(folder).error
    assert vercel.mutations == []
    assert "is no folder" in deploy(folder / "none").error


def test_files_of_secrets_are_warned_of(vercel, folder):
    """They would be sent along."""
    (folder / ".env").write_text("KEY=x")
    done = deploy(folder, check=True)
    assert any(".env; name it in .vercelignore" in each for each in done.warnings)


def test_deploying_again_on_request(vercel, folder):
    """An act that is done each time, and said to be one."""
    deploy(folder)
    first = vercel.production
    done = deploy(folder, again=True)
    assert (done.status, done.changes[0]["kind"]) == ("changed", "action")
    assert vercel.production != first


def test_somebody_who_deploys_meanwhile(vercel, folder, monkeypatch):
    """Ours is not waited for when theirs, which is newer, has taken its place."""
    go_on, theirs = vercel._go_on_with_build, []

    def overtaken(found):
        go_on(found)
        if found.meta and found.state == "READY" and not theirs:
            theirs.append(vercel.add())
            theirs[0].created = found.created + 1
            vercel.production = theirs[0].uid

    monkeypatch.setattr(vercel, "_go_on_with_build", overtaken)
    done = deploy(folder)
    assert f"{theirs[0].uid}, which is newer, is in production" in done.error
