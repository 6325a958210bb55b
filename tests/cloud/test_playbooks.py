"""Playbooks that serve both kinds of system do the right thing for one on managed services."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

import opslib
from opslib import Report
from services.aws_json import ACCOUNT, REGION
from support.containers import NAME, Service

AWS = {"account": ACCOUNT, "region": REGION, "poll": 0.01}


@pytest.fixture
def play(tmp_path: Path) -> Any:
    """`play(playbook, **variables)` runs it for a system that no connection leads to."""

    def run(playbook: str, *, check: bool = False, engine: Any = "ssh", **variables: Any) -> Report:
        inventory = tmp_path / "hosts.yml"
        inventory.write_text(json.dumps({"all": {"hosts": {"spendsense": {"ansible_host": "192.0.2.1", **variables}}}}))
        return opslib.run_playbook(f"playbooks/{playbook}.yml", inventory, check=check, engine=engine, timeout=120)

    return run


def told(report: Report) -> list[tuple[str, str]]:
    """Return what came of each task of ours that was not left out."""
    ours = [step for step in report.hosts["spendsense"].steps if step.task in opslib.tasks.names()]
    return [(step.task, str(step.status)) for step in ours if step.status != "skipped"]


def of_role(role: str, **more: Any) -> dict[str, Any]:
    """Return variables of a role."""
    return {f"{role}_{name}": value for name, value in {**AWS, **more}.items()}


def test_an_outage_starts_the_service_anew(moto: Any, apprunner: Any, play: Any) -> None:
    service = Service(apprunner)
    report = play("outage", check=True, **of_role("container", service=NAME))
    assert (told(report), service.begun) == ([("container_restart", "changed")], 0)
    report = play("outage", **of_role("container", service=NAME))
    assert (report.exit_code, told(report), service.begun) == (0, [("container_restart", "changed")], 1)


def test_a_secret_is_rotated(moto: Any, play: Any) -> None:
    secrets = boto3.client("secretsmanager", region_name=REGION)
    secrets.create_secret(Name="spendsense/jwt", SecretString="old-canary-value")
    wanted = of_role("security", secret="spendsense/jwt", unproven=True, value="new-canary-value")
    assert told(play("rotate_secrets", check=True, **wanted)) == [("secret_rotation", "changed")]
    assert (
        secrets.get_secret_value(SecretId="spendsense/jwt", VersionStage="AWSCURRENT")["SecretString"]
        == "old-canary-value"
    )
    report = play("rotate_secrets", **wanted)
    assert told(report) == [("secret_rotation", "changed")], report.hosts["spendsense"].failure
    new = secrets.get_secret_value(SecretId="spendsense/jwt", VersionStage="AWSCURRENT")["SecretString"]
    assert new == "new-canary-value"
    assert new not in json.dumps(report.to_dict())
    assert "old-canary-value" not in json.dumps(report.to_dict())
    assert told(play("rotate_secrets", **wanted)) == [("secret_rotation", "ok")]


def test_a_tier_that_is_not_well_hides_no_other_and_fails_the_run(moto: Any, apprunner: Any, play: Any) -> None:
    """No token for Vercel, no network to the status pages: the container service is told of all the same."""
    Service(apprunner)
    tiers = of_role("container", service=NAME) | {"frontend_project": "ui", "frontend_wait": 1, "providers_wait": 1}
    report = play("status", engine="auto", **tiers)
    steps = {step.task: (str(step.status), step.ignored) for step in report.hosts["spendsense"].steps}
    assert steps["vercel_status"] == ("failed", True)
    assert steps["container_status"] == ("ok", False)
    assert report.exit_code == 2
    assert "not well: frontend" in str(report.hosts["spendsense"].failure)
