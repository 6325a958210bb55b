"""The role `container` and the backend's playbooks, through both engines: the same statuses and the same end.

What the engines have no part in is seen through the faster one alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import opslib
from opslib import Report
from support.arguments import Watched
from support.containers import NAME, Service

CANARY = "canary-of-a-secret-key"
VARIABLES = {
    "container_account": "123456789012",
    "container_region": "us-east-1",
    "container_service": NAME,
    "container_poll": 0.01,
    "container_http": {"url": "/health", "wait": 0},
    "ansible_host": "192.0.2.1",  # nothing listens there, and nobody is to try
}


@pytest.fixture(params=["ssh", "ansible"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def service(moto: Any, apprunner: Any, monkeypatch: pytest.MonkeyPatch) -> Service:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    return Service(apprunner)


@pytest.fixture
def play(tmp_path: Path, engine: str) -> Any:
    """`play(playbook, check=..., **variables)` runs a playbook for a system that is a host of its own."""

    def run(playbook: str, *, check: bool = False, **variables: Any) -> Report:
        inventory = tmp_path / "hosts.yml"
        inventory.write_text(json.dumps({"all": {"hosts": {"spendsense": {**VARIABLES, **variables}}}}))
        return opslib.run_playbook(playbook, inventory, check=check, engine=engine, timeout=120)

    return run


def told(report: Report) -> list[tuple[str, str]]:
    """Return what came of each step of ours."""
    return [(step.task, str(step.status)) for step in report.hosts["spendsense"].steps if "container" in step.task]


def test_deploy_and_rollback(service: Service, play: Any) -> None:
    """Check, run, run again; then back, and back again."""
    deploy = [("container_deploy", "changed")]
    with Watched(CANARY) as watched:
        planned = play("playbooks/deploy_backend.yml", check=True, container_image="spendsense-api:v2")
        assert (planned.exit_code, told(planned), service.writes) == (0, deploy, [])
        done = play("playbooks/deploy_backend.yml", container_image="spendsense-api:v2")
        assert (done.exit_code, told(done), service.serving) == (0, deploy, service.v2)
        again = play("playbooks/deploy_backend.yml", container_image="spendsense-api:v2")
        assert (again.exit_code, told(again)) == (0, [("container_deploy", "ok")])
        back = play("playbooks/rollback_backend.yml")
        assert (back.exit_code, told(back), service.serving) == (0, [("container_rollback", "changed")], service.v1)
        again = play("playbooks/rollback_backend.yml")
        assert (again.exit_code, told(again)) == (0, [("container_rollback", "ok")])
    assert watched.looks > 0
    assert watched.found == set()
    for report in (planned, done, again, back):
        assert CANARY not in json.dumps(report.to_dict())


def test_a_deployment_that_the_platform_takes_back_fails_the_play(service: Service, play: Any) -> None:
    service.fake.images_that_fail = {service.v2}
    report = play("playbooks/deploy_backend.yml", container_image="spendsense-api:v2")
    assert (report.exit_code, told(report), service.serving) == (2, [("container_deploy", "failed")], service.v1)
    assert "ROLLBACK_SUCCEEDED" in str(report.hosts["spendsense"].failure)


@pytest.mark.parametrize("engine", ["ssh"])
def test_the_wrong_account_is_refused_before_anything_happens(service: Service, play: Any) -> None:
    report = play("playbooks/deploy_backend.yml", container_image="spendsense-api:v2", container_account="999999999999")
    assert (report.exit_code, service.writes) == (2, [])
    assert "belong to account 123456789012, not to 999999999999" in str(report.hosts["spendsense"].failure)


@pytest.mark.parametrize("engine", ["ssh"])
def test_scale(service: Service, play: Any) -> None:
    """Size and number in one run; what is not given is left."""
    wanted = {"container_cpu": 2, "container_memory": "4G", "container_min_size": 2, "container_max_size": 6}
    assert play("playbooks/scale.yml", check=True, **wanted).exit_code == 0
    assert service.writes == []
    done = play("playbooks/scale.yml", **wanted)
    assert told(done) == [("container_scale", "changed"), ("container_autoscaling", "changed")]
    assert service.size == ("2048", "4096")
    again = play("playbooks/scale.yml", **wanted)
    assert told(again) == [("container_scale", "ok"), ("container_autoscaling", "ok")]
