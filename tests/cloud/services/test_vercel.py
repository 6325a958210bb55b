"""The Vercel fake: against Vercel's published models, their command line, and as tests use it."""

from __future__ import annotations

import pytest
import requests

from services import vercel_cli, vercel_model
from services.vercel import PROJECT, TEAM, log_row


def ask(vercel, method, path, body=None):
    """Send one request as the team's member."""
    return requests.request(
        method,
        vercel.url + path,
        params={"teamId": TEAM},
        json=body,
        headers={"Authorization": f"Bearer {vercel.token}"},
        timeout=10,
    )


def everything(vercel):
    """Ask once for all that the fake knows."""
    newest, older, oldest = (each.uid for each in vercel.deployments)
    known = vercel.variable("API_URL", "https://api.example.com")
    vercel.logs.append(log_row("hello"))
    project = f"/v9/projects/{PROJECT}"
    new = {"key": "TOKEN", "value": "x", "type": "sensitive", "target": ["production"]}
    for method, path, body in [
        ("GET", "/v2/user", None),
        ("GET", f"/v2/teams/{TEAM}", None),
        ("GET", project, None),
        ("GET", f"/v7/deployments?projectId={PROJECT}&limit=2&rollbackCandidate=true", None),
        ("GET", f"/v13/deployments/{newest}", None),
        ("POST", "/v13/deployments", {"name": "dashboard", "target": "production", "files": []}),
        ("POST", f"/v10/projects/{PROJECT}/promote/{older}", None),
        ("GET", project, None),
        ("GET", project, None),
        ("POST", f"/v1/projects/{PROJECT}/rollback/{oldest}", None),
        ("GET", f"/v2/deployments/{older}/aliases", None),
        ("GET", f"/v10/projects/{PROJECT}/env", None),
        ("GET", f"/v1/projects/{PROJECT}/env/{known}", None),
        ("POST", f"/v10/projects/{PROJECT}/env?upsert=true", new),
        ("PATCH", f"/v9/projects/{PROJECT}/env/{known}", {"value": "y"}),
        ("DELETE", f"/v9/projects/{PROJECT}/env/{known}", None),
        ("GET", f"/v1/projects/{PROJECT}/deployments/{older}/runtime-logs", None),
    ]:
        assert ask(vercel, method, path, body).status_code < 300, path


def test_requests_and_answers_are_of_the_published_models(vercel):
    """Both directions, every operation that the SDK knows."""
    everything(vercel)
    assert vercel_model.problems(vercel.exchanges) == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda vercel: setattr(vercel, "auto_assign", "yes"), "answer to get_project: autoAssignCustomDomains"),
        (lambda vercel: vercel.deployments[0].meta.update(a=1), "answer to get_deployment"),
        (lambda vercel: setattr(vercel, "outcome", "done"), "answer to get_project"),
    ],
)
def test_an_answer_that_is_not_of_the_model_is_noticed(vercel, spoil, said):
    """Wrong types and unknown words."""
    spoil(vercel)
    ask(vercel, "GET", f"/v13/deployments/{vercel.deployments[0].uid}")
    ask(vercel, "POST", f"/v10/projects/{PROJECT}/promote/{vercel.deployments[1].uid}")
    for _turn in range(2):
        ask(vercel, "GET", f"/v9/projects/{PROJECT}")
    problems = vercel_model.problems(vercel.exchanges)
    assert any(each.startswith(said) for each in problems), problems


def test_a_request_that_is_not_of_the_model_is_noticed(vercel):
    """Members that nobody documents, and missing ones."""
    ask(vercel, "GET", f"/v9/projects/{PROJECT}?verbose=1")
    ask(
        vercel,
        "POST",
        f"/v10/projects/{PROJECT}/env",
        {"key": "A", "value": "b", "type": "secretive", "target": ["production"]},
    )
    problems = vercel_model.problems(vercel.exchanges)
    assert "request of get_project: .verbose is unknown" in problems
    assert any(each.startswith("request of create_variable") for each in problems)


def test_vercels_own_command_line_works_with_it(vercel, tmp_path):
    """It reads, sets variables, deploys, rolls back and promotes."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("hello")
    vercel.logs.append(log_row("a line of the log"))
    newest, older, _oldest = vercel.deployments
    variable = ("env", "add", "API_URL", "production")

    def run(*words, given=""):
        done = vercel_cli.run(vercel, site, *words, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert "ada" in run("whoami")
    assert newest.url in run("ls")
    assert newest.uid in run("inspect", newest.url)
    run(*variable, given="https://api.example.com")
    assert vercel.values() == {"API_URL": "https://api.example.com"}
    assert "API_URL" in run("env", "ls")
    run("env", "rm", "API_URL", "production", "--yes")
    assert vercel.values() == {}
    assert "a line of the log" in run("logs", newest.url)
    run("rollback", older.url)
    assert vercel.production == older.uid
    run("promote", newest.url)
    assert vercel.production == newest.uid
    told = run("deploy", "--prod", "--yes", "--meta", "mark=42")
    assert vercel.deployments[0].url in told
    assert (vercel.production, vercel.deployments[0].meta) == (vercel.deployments[0].uid, {"mark": "42"})


def test_rollback_without_an_argument_does_nothing_and_says_success(vercel, tmp_path):
    """What the runbook tells people to do only looks whether one is under way."""
    site = tmp_path / "site"
    site.mkdir()
    done = vercel_cli.run(vercel, site, "rollback")
    assert (done.returncode, vercel.mutations) == (0, [])
    assert "No deployment rollback in progress" in done.stderr


def test_aliases_move_when_the_job_is_done_and_reads_may_lag(vercel):
    """Asking is not having."""
    vercel.looks, vercel.lag = 2, 1
    newest, older = vercel.deployments[0].uid, vercel.deployments[1].uid
    assert ask(vercel, "POST", f"/v1/projects/{PROJECT}/rollback/{older}").status_code == 201
    assert ask(vercel, "POST", f"/v1/projects/{PROJECT}/rollback/{older}").status_code == 409
    seen = []
    for _turn in range(5):
        project = ask(vercel, "GET", f"/v9/projects/{PROJECT}").json()
        seen.append((project["lastAliasRequest"]["jobStatus"], project["targets"]["production"]["id"]))
    assert seen == [
        ("pending", newest),
        ("in-progress", newest),
        ("in-progress", newest),
        ("succeeded", newest),
        ("succeeded", older),
    ]


def test_credentials_and_teams_are_checked(vercel):
    """A wrong token and a foreign team get nothing."""
    assert ask(vercel, "GET", "/v2/user?slug=other").status_code == 403
    vercel.expire_credentials(after=1)
    assert ask(vercel, "GET", "/v2/user").status_code == 200
    refused = ask(vercel, "GET", "/v2/user")
    assert (refused.status_code, refused.json()["error"]["invalidToken"]) == (403, True)


def test_listings_come_in_pages(vercel):
    """The next page begins where the last one ended."""
    vercel.page = 2
    first = ask(vercel, "GET", f"/v7/deployments?projectId={PROJECT}").json()
    second = ask(vercel, "GET", f"/v7/deployments?projectId={PROJECT}&until={first['pagination']['next']}").json()
    assert [each["uid"] for each in first["deployments"] + second["deployments"]] == [
        each.uid for each in vercel.deployments
    ]
    assert second["pagination"]["next"] is None
