"""The role `backend` and its playbooks on real hosts, through both engines, verified by the role's own suite."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import opslib
from opslib import HostResult, Report, Status, tasks
from opslib.lab import Lab
from opslib.verify import verify
from support.system import System, running

CANARY = "blue-heron-4711"


@pytest.fixture(scope="module")
def late_crash(sample_fleet: Lab) -> Iterator[Future[tuple[HostResult, str]]]:
    """The end of a deployment, on a host of its own, of a release that crashes after 30 s; and what serves then."""

    def deploy(system: System) -> tuple[HostResult, str]:
        watched = {**variables_for(system), "ref": "crash-after-30s", "watch": 36, "migrate": []}
        return system.apply(tasks.deploy(**watched)), str(system.json("/health")["api_version"])

    with running(sample_fleet, sample_fleet.hosts[2]) as system, ThreadPoolExecutor(1) as pool:
        yield pool.submit(deploy, system)


@pytest.fixture
def systems(sample_fleet: Lab) -> Iterator[Sequence[System]]:
    """Two hosts with the sample system."""
    with ExitStack() as stack:
        yield [stack.enter_context(running(sample_fleet, host)) for host in sample_fleet.hosts[:2]]


def variables_for(system: System) -> dict[str, Any]:
    """Return what an operator would have for the role, without the prefix of its name."""
    return {
        "app": "ai-cost-dashboard",
        "path": system.folder,
        "strategy": "in_place",
        "repository": system.remote,
        "ref": "v1.2.0",
        "unit": system.unit,
        "port": system.port,
        "http": {"url": system.url("/health/detailed"), "json": {"status": "healthy"}},
        "settle": 1,
        "watch": "1s",
        "start_timeout": 25,
        "env_file": system.env_file,
        "migrate": ["python", "-m", "dashboard.migrate"],
    }


def inventory_for(lab: Lab, systems: Sequence[System], path: Path) -> Path:
    """Write the inventory that an operator would have."""
    text = lab.inventory_text(user="ops", hosts=[system.host for system in systems])
    variables = {f"backend_{name}": value for name, value in variables_for(systems[0]).items()}
    path.write_text(text + "".join(f"    {name}: {json.dumps(value)}\n" for name, value in variables.items()))
    return path


@pytest.fixture
def inventory(sample_fleet: Lab, systems: Sequence[System], tmp_path: Path) -> Path:
    return inventory_for(sample_fleet, systems, tmp_path / "inventory.yml")


def run(inventory: Path, playbook: str, engine: Any = "ssh", **options: Any) -> Report:
    report = opslib.run_playbook(f"opslib.runbook.{playbook}", inventory, engine=engine, **options)
    assert report.engine == engine
    assert CANARY not in json.dumps(report.to_dict())
    return report


def statuses(report: Report) -> list[Status]:
    return [host.status for host in report.hosts.values()]


def versions(systems: Sequence[System]) -> list[str]:
    return [str(system.json("/health")["api_version"]) for system in systems]


@pytest.mark.usefixtures("late_crash")
def test_deploy_and_rollback(systems: Sequence[System], inventory: Path) -> None:
    both = {"extra_vars": {"deploy_backend_serial": 2, "rollback_backend_serial": 2}}
    before = [system.look() for system in systems]
    planned = run(inventory, "deploy_backend", check=True, **both)
    planned.raise_for_failures()
    assert statuses(planned) == [Status.CHANGED, Status.CHANGED]
    assert [system.look() for system in systems] == before
    done = run(inventory, "deploy_backend", **both)
    done.raise_for_failures()
    assert statuses(done) == [Status.CHANGED, Status.CHANGED]
    assert versions(systems) == ["1.2.0", "1.2.0"]
    told: list[str] = []
    assert verify("backend:deploy", inventory, on_output=told.append) == 0, told
    assert statuses(run(inventory, "deploy_backend", **both)) == [Status.OK, Status.OK]
    back = run(inventory, "rollback_backend", **both)
    back.raise_for_failures()
    assert statuses(back) == [Status.CHANGED, Status.CHANGED]
    assert versions(systems) == ["1.1.0", "1.1.0"]
    assert verify("backend:rollback", inventory, on_output=told.append) == 0, told
    assert statuses(run(inventory, "rollback_backend", **both)) == [Status.OK, Status.OK]
    report = opslib.run_playbook("backend:status", inventory, engine="ssh", extra_vars={"ansible_become": True})
    assert statuses(report) == [Status.OK, Status.OK]


def test_rolling_stops_at_the_first_bad_host(systems: Sequence[System], inventory: Path) -> None:
    report = run(inventory, "deploy_backend", extra_vars={"backend_ref": "crash-at-start"})
    assert statuses(report)[0] is Status.FAILED
    assert report.exit_code == 2
    said = str(report.hosts["lab1"].failure)
    assert "serves again" in said
    assert not systems[1].witness.file("/var/lib/opslib/releases").exists
    assert versions(systems) == ["1.1.0", "1.1.0"]
    told: list[str] = []
    assert verify("backend:deploy", inventory, limit="lab1", on_output=told.append) == 2
    assert any("('deploy', 'failed')" in line for line in told), told
    assert verify("backend:status", inventory, limit="lab1", on_output=told.append) == 0, told
    missing = run(inventory, "deploy_backend", "ansible", extra_vars={"backend_ref": "v9"})
    assert "no branch and no tag called v9" in str(missing.hosts["lab1"].failure)
    assert [step.task for step in missing.hosts["lab2"].steps if step.task == "deploy"] == []
    assert missing.exit_code == 2


@pytest.mark.parametrize("engine", ["ssh", "ansible"])
def test_a_host_that_is_lost_ends_the_run(systems: Sequence[System], inventory: Path, engine: str) -> None:
    inventory.write_text(inventory.read_text().replace(systems[0].host.address, "127.0.0.9"))  # where nothing listens
    report = run(inventory, "deploy_backend", engine, check=True)
    assert report.hosts["lab1"].status is Status.UNREACHABLE
    assert "lab2" not in report.hosts or not [step for step in report.hosts["lab2"].steps if step.task == "deploy"]
    assert report.exit_code == 4


def test_a_branch_means_one_commit_for_all_hosts(systems: Sequence[System], inventory: Path) -> None:
    newest, older = (systems[0].commit(ref) for ref in ("main", "v1.1.0"))
    pinned = {"backend_ref": "main", "backend_commit": older, "deploy_backend_serial": 2}  # main has moved on meanwhile
    for engine in ("ssh", "ansible"):
        refused = run(inventory, "deploy_backend", engine, check=True, extra_vars={"backend_ref": "main"})
        assert statuses(refused)[0] is Status.FAILED
        assert f"give a tag, or its commit: {newest}" in str(refused.hosts["lab1"].failure)
        planned = run(inventory, "deploy_backend", engine, check=True, extra_vars=pinned)
        planned.raise_for_failures()
        for host in planned.hosts.values():
            assert [step.data["wanted"] for step in host.steps if step.task == "deploy"] == [older]


def test_a_crash_after_half_a_minute_is_caught(late_crash: Future[tuple[HostResult, str]]) -> None:
    result, serves = late_crash.result(timeout=120)
    assert result.status is Status.FAILED
    assert "of crash-after-30s" in str(result.failure)
    assert "serves again" in str(result.failure)
    assert serves == "1.1.0"
