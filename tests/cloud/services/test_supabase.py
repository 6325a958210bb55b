"""Supabase: a real PostgREST behind a gateway's keys, and the management API as Supabase's command line takes it."""

from __future__ import annotations

import os
import subprocess

import requests

from services import npm
from services.supabase import REF, key


def test_the_service_key_opens_what_policies_close(project):
    """Missing, wrong, weak and strong keys, as gateway and PostgREST answer them."""
    address = project.url + "/rest/v1/cost_records?select=id"

    def ask(headers, address=address):
        answer = requests.get(address, headers=headers, timeout=10)
        return answer.status_code, answer.json()

    assert ask({})[1]["message"] == "No API key found in request"
    assert ask({"apikey": "wrong"}) == (
        401,
        {"message": "Invalid API key", "hint": "Double check your Supabase API key."},
    )
    assert ask({"apikey": key("anon")}) == (200, [])
    status, rows = ask({"apikey": project.service_key})
    assert (status, len(rows)) == (200, 40)
    forged = {"apikey": project.service_key, "Authorization": f"Bearer {key(secret='x' * 40)}"}
    assert ask(forged)[1]["code"] == "PGRST301"
    hidden = {"apikey": project.service_key}
    assert ask(hidden, project.url + "/rest/v1/hidden")[1]["code"] == "42501"
    assert ask(hidden, project.url + "/rest/v1/nothing")[1]["code"] == "42P01"


def test_supabases_own_command_line_takes_the_answers(management, tmp_path):
    """It refuses what lacks a member that the API's description promises, as the second run shows."""
    profile = tmp_path / "profile.yaml"
    profile.write_text(
        f"name: fake\napi_url: {management.url}\ndashboard_url: {management.url}\nproject_host: supabase.co\n"
    )
    program = npm.installed(npm.SUPABASE) / ".bin" / "supabase"
    line = [str(program), "backups", "list", "--project-ref", REF, "--profile", str(profile)]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "SUPABASE_ACCESS_TOKEN": management.token,
        "SUPABASE_TELEMETRY_DISABLED": "1",
    }

    def run():
        return subprocess.run(
            line, env=environment, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )

    done = run()
    assert (done.returncode, done.stdout.count("COMPLETED")) == (0, 7), done.stderr
    del management.backups[0]["status"]
    assert run().returncode != 0


def test_the_management_api_wants_pauses(management):
    """After so many requests it says how long, once."""
    management.limit = 1
    address = f"{management.url}/v1/projects/{REF}"
    headers = {"Authorization": f"Bearer {management.token}"}
    answers = [requests.get(address, headers=headers, timeout=10) for _turn in range(3)]
    assert [each.status_code for each in answers] == [200, 429, 200]
    assert answers[1].headers["Retry-After"] == "0"
    assert requests.get(address, timeout=10).status_code == 401


def test_health_is_asked_by_service(management):
    """Each is named once; a service that ails says why."""
    management.health["rest"] = "UNHEALTHY"
    address = f"{management.url}/v1/projects/{REF}/health"
    headers = {"Authorization": f"Bearer {management.token}"}
    rows = requests.get(address, params={"services": ["db", "rest"]}, headers=headers, timeout=10).json()
    assert [(row["name"], row["status"]) for row in rows] == [("db", "ACTIVE_HEALTHY"), ("rest", "UNHEALTHY")]
    assert rows[1]["error"]
    assert requests.get(address, params={"services": "db,rest"}, headers=headers, timeout=10).status_code == 400
