"""The role `backend` and its playbooks on real hosts, through both engines, verified by the role's own suite."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import opslib
from opslib import Report, Status
from opslib.engines.roles import role_folder
from opslib.lab import Lab
from opslib.verify import verify
from support.system import System, running

CANARY = "blue-heron-4711"


@pytest.fixture
def systems(sample_fleet: Lab) -> Iterator[Sequence[System]]:
    """Two hosts with the sample system."""
    with ExitStack() as stack:
        yield [stack.enter_context(running(sample_fleet, host)) for host in sample_fleet.hosts[:2]]


def inventory_for(lab: Lab, systems: Sequence[System], path: Path) -> Path:
    """Write the inventory that an operator would have."""
    one = systems[0]
    variables = {
        "backend_app": "ai-cost-dashboard",
        "backend_path": one.folder,
        "backend_strategy": "in_place",
        "backend_repository": one.remote,
        "backend_ref": "v1.2.0",
        "backend_unit": one.unit,
        "backend_port": one.port,
        "backend_http": {"url": one.url("/health/detailed"), "json": {"status": "healthy"}},
        "backend_settle": 1,
        "backend_watch": "1s",
        "backend_start_timeout": 25,
        "backend_env_file": one.env_file,
        "backend_migrate": ["python", "-m", "dashboard.migrate"],
    }
    text = lab.inventory_text(user="ops", hosts=[system.host for system in systems])
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


def test_the_other_engine(system: System, tmp_path: Path) -> None:
    inventory = inventory_for(system.lab, [system], tmp_path / "inventory.yml")
    before = system.look()
    for playbook, check, status, version in (
        ("deploy_backend", True, Status.CHANGED, "1.1.0"),
        ("deploy_backend", False, Status.CHANGED, "1.2.0"),
        ("deploy_backend", False, Status.OK, "1.2.0"),
        ("rollback_backend", False, Status.CHANGED, "1.1.0"),
    ):
        report = run(inventory, playbook, "ansible", check=check)
        report.raise_for_failures()
        assert statuses(report) == [status]
        assert versions([system]) == [version]
        if check:
            assert system.look() == before


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


def test_every_entry_point_has_a_suite() -> None:
    folder = role_folder("backend")
    entries = {path.stem for path in (folder / "tasks").glob("*.yml")} - {"main"}
    assert {path.stem.removeprefix("test_") for path in (folder / "tests").glob("test_*.py")} == entries
