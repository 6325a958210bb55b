"""The role `health` on the sample system: whole, and with everything that may be wrong with an answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import opslib
from opslib import Report, Status
from opslib.verify import verify
from support.system import System

PATHS = ["/health", "/health/detailed", "/health/db", "/health/scheduler", "/metrics", "/api/forecast/health"]


@pytest.fixture
def inventory(standing_system: System, tmp_path: Path) -> Path:
    return standing_system.inventory(tmp_path / "inventory.yml")


def asked(report: Report) -> list[Any]:
    """Return the steps that asked an endpoint."""
    (host,) = report.hosts.values()
    return [step for step in host.steps if step.task == "http_check"]


def run(playbook: str, inventory: Path, engine: Any = "ssh", **extra_vars: Any) -> Report:
    return opslib.run_playbook(playbook, inventory, engine=engine, extra_vars=extra_vars)


@pytest.mark.parametrize("playbook", ["health", "health_from_here"])
def test_all_endpoints_are_one_check(standing_system: System, inventory: Path, playbook: str) -> None:
    before = standing_system.look()
    report = run(f"opslib.runbook.{playbook}", inventory)
    report.raise_for_failures()
    assert [step.status for step in asked(report)] == [Status.OK] * 6
    base = standing_system.url() if playbook == "health" else standing_system.outside()
    assert [step.data["url"] for step in asked(report)] == [base + path for path in PATHS]
    assert standing_system.look() == before


def test_suites_agree(standing_system: System, inventory: Path) -> None:
    assert verify("health", inventory) == 0
    standing_system.faults("unavailable@/health/db")
    told: list[str] = []
    assert verify("health:database", inventory, on_output=told.append) == 2
    assert any("/health/db answers 503" in line for line in told)
    standing_system.faults()


SPOILT = (
    "degraded",
    "unavailable@/health/db",
    "html@/health/scheduler",
    "endless@/metrics",
    "slow=0.7@/api/forecast/health",
)
TOLD = {
    "/health": ("", ""),
    "/health/detailed": ("json", """its JSON's status is "degraded", expected "healthy\""""),
    "/health/db": ("status", "it answered 503 Service Unavailable, expected 200"),
    "/health/scheduler": ("html", "it answered with HTML where JSON was expected"),
    "/metrics": ("size", "its body is longer than 1048576 bytes"),
    "/api/forecast/health": ("slow", "longer than 0.5 s (max_latency)"),
}


@pytest.mark.parametrize("engine", ["ssh", "ansible"])
@pytest.mark.parametrize("playbook", ["health", "health_from_here"])
def test_what_is_wrong_is_told_apart(standing_system: System, inventory: Path, playbook: str, engine: str) -> None:
    """All at once, by both engines, as the host sees it and as this machine does: one bad endpoint hides no other."""
    standing_system.faults(*SPOILT)
    report = run(f"opslib.runbook.{playbook}", inventory, engine, health_max_latency="500ms", health_timeout="8s")
    standing_system.faults()
    assert (report.exit_code, report.engine) == (2, engine)
    seen = {step.data.get("url", str(step.error)).partition("8000")[2]: step for step in asked(report)}
    assert {path: step.data.get("problem", "") for path, step in seen.items()} == {
        path: problem for path, (problem, _words) in TOLD.items()
    }
    assert [path for path, (_problem, words) in TOLD.items() if words not in str(seen[path].error)] == []


@pytest.mark.parametrize(
    ("fault", "problem", "words"),
    [
        ("error500", "status", "it answered 500"),
        ("hang", "timeout", ""),
        ("lose_database", "status", "it answered 503"),
    ],
)
def test_a_service_that_fails_in_other_ways(
    standing_system: System, inventory: Path, fault: str, problem: str, words: str
) -> None:
    standing_system.faults(f"{fault}@/health/detailed")
    report = run("health:service", inventory, health_timeout="1s")
    standing_system.faults()
    assert report.exit_code == 2
    simple, detailed = asked(report)
    assert simple.status is (Status.FAILED if fault == "lose_database" else Status.OK)
    assert detailed.status is Status.FAILED
    assert detailed.data["problem"] == problem
    assert words in str(detailed.error)


def test_parts_alone(standing_system: System, inventory: Path) -> None:
    standing_system.stop_database()
    try:
        assert run("health:database", inventory).exit_code == 2
        assert run("health:metrics", inventory).exit_code == 0
        assert run("health:forecast", inventory).exit_code == 0
    finally:
        standing_system.start_database()
    standing_system.await_up()
    assert run("health:database", inventory).exit_code == 0
    assert run("health:scheduler", inventory).exit_code == 0


def test_a_service_that_is_stopped_is_told_from_a_network_that_is_cut(standing_system: System, inventory: Path) -> None:
    standing_system.host.run(["systemctl", "stop", standing_system.unit])
    (step, *_rest) = asked(run("opslib.runbook.health_from_here", inventory))
    standing_system.host.run(["systemctl", "start", standing_system.unit])
    assert step.data["problem"] == "refused"
    standing_system.host.cut()
    (step, *_rest) = asked(run("opslib.runbook.health_from_here", inventory, health_timeout="1s", health_endpoints=ONE))
    standing_system.host.mend()
    assert step.data["problem"] in ("timeout", "unreachable")
    standing_system.await_up()


ONE = {"service": [{"path": "/health", "json": {"status": "healthy"}}]}


def test_other_endpoints_and_nothing_at_all(standing_system: System, tmp_path: Path) -> None:
    others = [{"url": standing_system.url("/health"), "json": {"api_version": "1.1.0"}, "max_latency": 5}]
    inventory = standing_system.inventory(tmp_path / "others.yml", health_url=None, health_others=others)
    report = run("opslib.runbook.health", inventory)
    assert [step.status for step in asked(report)] == [Status.OK]
    inventory = standing_system.inventory(tmp_path / "nothing.yml", health_url=None)
    report = run("opslib.runbook.health", inventory)
    assert report.exit_code == 2
    assert "nothing would be asked" in str(report.hosts["lab1"].failure)
