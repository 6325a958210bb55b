"""Whole procedures of a system on managed services, by its playbooks, across all that they touch."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import boto3
import pytest

import opslib
from opslib import Report
from services.aws_json import ACCOUNT, REGION
from support.firestore import DAILY, PROD, backup, client, seed

API = "spendsense-api"
SYSTEM = {
    "ansible_host": "192.0.2.1",  # nothing listens there, and nobody is to try
    "container_account": ACCOUNT,
    "container_region": REGION,
    "container_service": API,
    "container_image": "{{ image_repository }}:{{ image_tag }}",
    "container_http": {"url": "/health", "json": {"status": "healthy"}, "wait": 0},
    "container_poll": 0.01,
    "image_account": ACCOUNT,
    "image_region": REGION,
    "image_repository": API,
    "image_poll": 0.01,
    "firestore_project": PROD["project"],
    "firestore_bucket": "spendsense-backups",
    "firestore_prefix": "daily/",
    "firestore_destination": "gs://spendsense-backups/manual-%Y%m%d_%H%M%S",
    "firestore_backup": DAILY,
    "firestore_safety": "gs://spendsense-backups/safety-%Y%m%d_%H%M%S",
    "firestore_snapshot": "none",
    "firestore_service": API,
    "firestore_account": ACCOUNT,
    "firestore_region": REGION,
    "firestore_poll": 0.01,
}


@pytest.fixture
def play(tmp_path: Path) -> Any:
    """`play(playbook, check=..., **variables)` runs one of our playbooks for the system."""

    def run(playbook: str, *, check: bool = False, **variables: Any) -> Report:
        inventory = tmp_path / "hosts.yml"
        inventory.write_text(json.dumps({"all": {"hosts": {"spendsense": {**SYSTEM, **variables}}}}))
        return opslib.run_playbook(f"playbooks/{playbook}.yml", inventory, check=check, engine="ssh", timeout=240)

    return run


def told(report: Report) -> list[tuple[str, str]]:
    """Return what came of each task of ours that was not left out."""
    ours = [step for step in report.hosts["spendsense"].steps if step.task in opslib.tasks.names()]
    return [(step.task, str(step.status)) for step in ours if step.status != "skipped"]


def failure(report: Report) -> str:
    return str(report.hosts["spendsense"].failure)


# --- deploying a backend: a real engine builds, a real registry keeps, App Runner serves


@pytest.fixture
def system(amazon: Any, apprunner: Any, tmp_path: Path) -> Any:
    """A service that runs nothing yet, its repository in git, and one in ECR."""
    boto3.client("ecr", region_name=REGION).create_repository(repositoryName=API)
    return System(tmp_path / "source", apprunner, amazon)


class System:
    """What is operated on."""

    def __init__(self, folder: Path, apprunner: Any, amazon: Any) -> None:
        self.folder = folder
        self.apprunner = apprunner
        self.amazon = amazon
        folder.mkdir()
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /app/\n")
        self._git("init", "-q")

    def _git(self, *words: str) -> None:
        line = ["git", "-C", str(self.folder), "-c", "user.name=x", "-c", "user.email=x@example.org", *words]
        subprocess.run(line, check=True, capture_output=True)

    def commit(self, text: str) -> None:
        (self.folder / "text").write_text(text)
        self._git("add", ".")
        self._git("commit", "-q", "-m", text)

    def digest(self, tag: str) -> str:
        """Return what the registry has under a tag, asked by boto3."""
        found = boto3.client("ecr", region_name=REGION).describe_images(
            repositoryName=API, imageIds=[{"imageTag": tag}]
        )
        return str(found["imageDetails"][0]["imageDigest"])

    @property
    def serving(self) -> str:
        """The digest of the image that the public address answers with."""
        return str(self.apprunner.site.image).rpartition("@")[2]


def test_a_backend_is_deployed_fails_and_is_rolled_back(system: System, play: Any) -> None:
    system.commit("one")
    first = play("../tests/cloud/playbooks/push", image_folder=str(system.folder), image_tag="v1")
    assert told(first) == [("image_push", "changed")], failure(first)
    host = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
    system.apprunner.make(API, f"{host}/{API}@{system.digest('v1')}")
    system.apprunner.requests.clear()

    system.commit("two")
    two = {"image_folder": str(system.folder), "image_tag": "v2"}
    planned = play("deploy_backend", check=True, **two)
    assert (planned.exit_code, told(planned)) == (0, [("image_push", "changed")])
    assert (system.apprunner.mutations, system.serving) == ([], system.digest("v1"))
    done = play("deploy_backend", **two)
    assert told(done) == [("image_push", "changed"), ("container_deploy", "changed")], failure(done)
    assert system.serving == system.digest("v2") != system.digest("v1")
    again = play("deploy_backend", **two)
    assert told(again) == [("image_push", "ok"), ("container_deploy", "ok")]

    system.commit("three")
    three = {"image_folder": str(system.folder), "image_tag": "v3"}
    assert play("../tests/cloud/playbooks/push", **three).exit_code == 0
    system.apprunner.images_that_fail = {f"{host}/{API}@{system.digest('v3')}"}
    bad = play("deploy_backend", **three)
    assert (bad.exit_code, told(bad)) == (2, [("image_push", "ok"), ("container_deploy", "failed")])
    assert "ROLLBACK_SUCCEEDED" in failure(bad)
    assert system.serving == system.digest("v2")
    system.apprunner.images_that_fail = set()
    assert told(play("deploy_backend", **three))[-1] == ("container_deploy", "changed")

    system.apprunner.requests.clear()
    planned = play("rollback_backend", check=True)
    assert (planned.exit_code, told(planned)) == (0, [("container_rollback", "changed")])
    assert (system.apprunner.mutations, system.serving) == ([], system.digest("v3"))
    back = play("rollback_backend")
    assert told(back) == [("container_rollback", "changed")], failure(back)
    assert system.serving == system.digest("v2")
    assert told(play("rollback_backend")) == [("container_rollback", "ok")]


# --- the complete restore: Google's emulator holds the documents, a bucket the backups, App Runner the service


@pytest.fixture
def world(google: Any, moto: Any, apprunner: Any) -> Any:
    seed(google)
    backup(google)
    client().document("recommendations/rec_001").update({"status": "spoilt"})
    client().document("users/late").set({})
    apprunner.make(API, f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{API}:v1")
    google.forget_requests()
    apprunner.requests.clear()
    return google


def test_a_complete_restore(world: Any, apprunner: Any, play: Any) -> None:
    checked = play("complete_restore", check=True)
    assert told(checked) == [("firestore_restore", "changed")], failure(checked)
    assert (world.mutations, apprunner.mutations) == ([], [])
    done = play("complete_restore")
    assert told(done) == [("firestore_restore", "changed")], failure(done)
    assert client().document("recommendations/rec_001").get().to_dict()["status"] == "wrong"
    assert [call.operation for call in apprunner.mutations] == ["PauseService", "ResumeService"]
    assert apprunner.named(API).status == "RUNNING"
    step = next(step for step in done.hosts["spendsense"].steps if step.task == "firestore_restore")
    assert step.data["left_names"] == ["users/late"]
    assert {"account": ACCOUNT, "region": REGION, "project": PROD["project"]}.items() <= dict(step.data).items()
    assert told(play("complete_restore")) == [("firestore_restore", "ok")]


def test_an_import_that_fails_leaves_the_service_running(world: Any, apprunner: Any, play: Any) -> None:
    apprunner.twist("PauseService", lambda _body: world.firestore.fail_operation())
    done = play("complete_restore")
    assert (done.exit_code, told(done)) == (2, [("firestore_restore", "failed")])
    assert "spendsense-api was resumed" in failure(done), failure(done)
    assert apprunner.named(API).status == "RUNNING"


def test_the_run_s_deadline_leaves_the_service_running(world: Any, apprunner: Any, tmp_path: Path) -> None:
    """The whole run is out of time in the middle of the import: what was begun is put right all the same."""
    apprunner.twist("PauseService", lambda _body: setattr(world.firestore, "looks", None))
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(json.dumps({"all": {"hosts": {"spendsense": SYSTEM}}}))
    done = opslib.run_playbook("playbooks/complete_restore.yml", inventory, timeout=10)
    assert done.exit_code == 2
    assert apprunner.named(API).status == "RUNNING"
    assert [call.operation for call in apprunner.mutations] == ["PauseService", "ResumeService"]


def test_a_backup_and_its_proof(world: Any, play: Any) -> None:
    assert told(play("backup", check=True)) == [("firestore_export", "changed")]
    assert world.mutations == []
    done = play("backup")
    assert told(done) == [("firestore_export", "changed")], failure(done)
    assert [call.operation for call in world.firestore.mutations] == ["databases.exportDocuments"]
