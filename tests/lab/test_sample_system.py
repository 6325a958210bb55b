"""The sample system is what its README says: everything else that is rehearsed on it depends on that."""

from __future__ import annotations

import pytest

from support.hosts import eventually
from support.system import System
from systems import history


def test_it_is_healthy(standing_system: System) -> None:
    system = standing_system
    assert system.json("/health") == {"status": "healthy", "database": "healthy", "api_version": "1.1.0"}
    detailed = system.json("/health/detailed")
    assert detailed["status"] == "healthy"
    assert system.witness.service(system.unit).is_running
    assert system.witness.file(system.env_file).mode == 0o600
    assert '"message": "version 1.1.0 is up"' in system.host.read(f"{system.folder}/logs/app.log")
    assert system.json("/metrics")["application"]["requests_total"] > 0


@pytest.mark.parametrize(
    ("user", "status"), [("alice", 200), ("bob", 422), ("carol", 500), ("dave", 200), ("erin", 500), ("nobody", 422)]
)
def test_forecasts_fail_as_real_ones_do(standing_system: System, user: str, status: int) -> None:
    words = ("-H", "Content-Type: application/json", "-d", f'{{"user_id": "{user}"}}')
    assert standing_system.get("/api/forecast/generate", *words)[0] == status


def test_job_runs_to_its_end(standing_system: System) -> None:
    system = standing_system
    status, body = system.get("/api/scheduler/trigger/aggregate_refresh", "-X", "POST")
    assert (status, '"status":"accepted"' in body) == (202, True)
    number = system.sql("SELECT max(id) FROM job_runs")
    assert eventually(lambda: system.json(f"/api/scheduler/runs/{number}")["status"] == "succeeded")
    assert system.get("/api/scheduler/trigger/nothing", "-X", "POST")[0] == 404


@pytest.mark.parametrize(
    ("fault", "path", "status"),
    [("error500", "/metrics", 500), ("unavailable", "/health", 503), ("html", "/health", 200), ("hang", "/health", 0)],
)
def test_faults(standing_system: System, fault: str, path: str, status: int) -> None:
    system = standing_system
    system.faults(f"{fault}@{path}")
    assert system.get(path, "-m", "1")[0] == status
    assert system.get("/api/forecast/health")[0] == 200
    system.faults()
    assert system.get(path)[0] == 200


def test_missing_variable_and_lost_database(standing_system: System) -> None:
    system = standing_system
    system.faults("lose_database")
    assert system.get("/health/db")[0] == 503
    system.faults()
    system.configure(ANTHROPIC_API_KEY=None)
    system.host.run(["systemctl", "restart", system.unit])
    told = "missing environment variable: ANTHROPIC_API_KEY"
    assert eventually(lambda: told in system.host.run(["journalctl", "--no-pager", "-u", system.unit]).stdout)
    system.configure()
    system.restart()


def test_every_release_is_there(standing_system: System) -> None:
    assert {standing_system.commit(ref) for ref in history.BAD}.isdisjoint(map(standing_system.commit, history.GOOD))
    assert standing_system.commit("main") == standing_system.commit("v1.2.0")
