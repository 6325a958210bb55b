"""The role `frontend` and its playbooks, through both engines: a rollback needs no argument, and no secret shows."""

from __future__ import annotations

import json

import pytest

import opslib
from services.vercel_cli import program
from support.arguments import Watched


@pytest.fixture(params=["ssh", "ansible"])
def play(request, tmp_path, vercel, vercel_site):
    """`play(playbook, check=..., **variables)` runs a playbook for a system that is a host of its own."""
    known = {
        "frontend_project": "dashboard",
        "frontend_team": "acme",
        "frontend_poll": 0.01,
        "frontend_url": vercel_site.url + "/",
        "frontend_contains": "served by",
        "frontend_program": program(),
        "ansible_host": "192.0.2.1",  # nothing listens there, and nobody is to try
    }

    def run(playbook, *, check=False, **variables):
        inventory = tmp_path / "hosts.yml"
        inventory.write_text(json.dumps({"all": {"hosts": {"spendsense": {**known, **variables}}}}))
        return opslib.run_playbook(playbook, inventory, check=check, engine=request.param, timeout=120)

    return run


def told(report):
    """Return what came of each step of ours, after seeing that the run went well."""
    assert report.exit_code == 0, report.hosts["spendsense"].failure
    return [(step.task, str(step.status)) for step in report.hosts["spendsense"].steps if "vercel" in step.task]


def test_roll_back_without_an_argument_and_deploy_again(vercel, play, tmp_path):
    """Check, run, run again; then a deployment ends the rollback."""
    folder = tmp_path / "ui"
    folder.mkdir()
    (folder / "index.html").write_text("hello")
    older = vercel.deployments[1].uid
    back, there = [("vercel_rollback", "changed")], [("vercel_rollback", "ok")]
    with Watched(vercel.token) as watched:
        planned = play("playbooks/rollback_frontend.yml", check=True)
        assert (told(planned), vercel.mutations) == (back, [])
        done = play("playbooks/rollback_frontend.yml")
        assert (told(done), vercel.production) == (back, older)
        again = play("playbooks/rollback_frontend.yml")
        assert (told(again), vercel.production) == (there, older)
        deployed = play("playbooks/deploy_frontend.yml", frontend_directory=str(folder))
        assert told(deployed) == [("vercel_deploy", "changed")]
    assert vercel.production == vercel.deployments[0].uid != older
    assert (watched.looks > 0, watched.found) == (True, set())
    for report in (planned, done, again, deployed):
        assert vercel.token not in json.dumps(report.to_dict())
