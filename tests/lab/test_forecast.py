"""The role `forecast` and its tasks on the sample system: a forecast, and each reason for which there is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import opslib
from opslib import Status, StepResult, tasks
from opslib.verify import verify
from support.system import System

ASKED = ("python_import", "memory_usage", "http_check", "series_quality", "user_forecast")


@pytest.fixture
def system(standing_system: System) -> Iterator[System]:
    standing_system.seed()
    yield standing_system
    standing_system.faults()


def quality(system: System, **args: Any) -> StepResult:
    given = {"table": "cost_records", "value_column": "cost_usd", "series_column": "user_id", **args}
    (step,) = system.rehearse(tasks.series_quality(env_file=system.env_file, **given)).steps
    assert system.password not in json.dumps(step.to_dict())
    return step


def request(system: System, user: str, **args: Any) -> StepResult:
    url = system.url("/api/forecast/generate")
    (step,) = system.apply(tasks.user_forecast(url=url, user=user, **args)).steps
    return step


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("bob", "user_id bob: 12 days of records only, 30 are needed"),
        ("carol", "user_id carol: 1 value is no number (1 NaN)"),
        ("dave", "user_id dave: 3 days missing from"),
        ("erin", "user_id erin: 1 value is no number (1 infinite)"),
        ("nobody", "user_id nobody: has no records"),
    ],
)
def test_data_of_users(system: System, user: str, words: str) -> None:
    step = quality(system, series=[user])
    assert step.status is Status.FAILED
    assert words in str(step.error)


def test_data_of_all(system: System) -> None:
    step = quality(system)
    assert (step.data["series"], step.data["broken"], step.data["gappy"], step.data["few"]) == (55, 2, 1, 1)
    assert step.data["records"] == int(system.sql("SELECT count(*) FROM cost_records"))
    assert step.warnings == ("user_id bob: 12 days of records only, 30 are needed",)
    system.sql("DELETE FROM cost_records WHERE user_id IN ('carol', 'dave', 'erin')")
    assert quality(system).status is Status.OK
    system.sql("DELETE FROM cost_records")
    assert str(quality(system).error) == "cost_records has no records"


def test_hostile_names_are_only_names(system: System) -> None:
    name = """x'; DROP TABLE "users"; -- %s {day} \\"""
    assert "has no records" in str(quality(system, series=[name]).error)
    assert "does not exist" in str(quality(system, value_column='cost"; DROP TABLE users; --').error)
    assert "does not exist" in str(quality(system, table='t"; DROP TABLE users; --%(day)s').error)
    assert system.sql("SELECT count(*) FROM users") == "55"


@pytest.mark.parametrize(
    ("user", "problem"), [("bob", "insufficient_data"), ("carol", "internal"), ("nobody", "insufficient_data")]
)
def test_422_is_told_from_500(system: System, user: str, problem: str) -> None:
    step = request(system, user)
    assert step.status is Status.FAILED
    assert step.data["problem"] == problem


def test_a_forecast_and_a_wrong_request(system: System) -> None:
    url = system.url("/api/forecast/generate")
    (planned,) = system.rehearse(tasks.user_forecast(url=url, user="alice")).steps
    assert planned.status is Status.CHANGED
    done = request(system, "alice", fields={"horizon_days": 7})
    assert (done.status, done.data["points"]) == (Status.CHANGED, 7)
    wrong = request(system, "alice", fields={"horizon_days": 0})
    assert wrong.data["problem"] == "bad_request"
    assert "body.horizon_days" in str(wrong.error)
    system.faults("hang@/api/forecast/generate")
    assert request(system, "alice", timeout=0.5).data["problem"] == "timeout"
    system.faults("html@/api/forecast/generate")
    assert request(system, "alice").data["problem"] == "html"


def test_package(system: System) -> None:
    venv = f"{system.folder}/venv"
    (step,) = system.rehearse(tasks.python_import(venv=venv, modules=["trendcast", "fastapi"], user="aicost")).steps
    assert step.status is Status.OK, step.error
    installed = json.loads(system.host.run([f"{venv}/bin/pip", "list", "--format=json"]).stdout)
    versions = {row["name"]: row["version"] for row in installed}
    assert {name: row["version"] for name, row in step.data["modules"].items()} == {
        name: versions[name] for name in ("trendcast", "fastapi")
    }
    module = f"{venv}/lib/python3.11/site-packages/trendcast/__init__.py"
    whole = system.host.read(module)
    system.host.write(module, 'raise ImportError("libtrend.so.4: cannot open shared object file")\n')
    (step,) = system.apply(tasks.python_import(venv=venv, modules=["trendcast"])).steps
    system.host.write(module, whole)
    assert "ImportError: libtrend.so.4: cannot open shared object file" in str(step.error)
    assert system.json("/api/forecast/health")["status"] == "healthy"  # the running process has the old one


def test_role(system: System, tmp_path: Path) -> None:
    inventory = system.inventory(tmp_path / "inventory.yml", forecast_users=["alice"])
    report = opslib.run_playbook("opslib.runbook.forecast", inventory)
    report.raise_for_failures()
    assert report.hosts["lab1"].status is Status.CHANGED
    ran = [step.task for step in report.hosts["lab1"].steps if step.status in (Status.OK, Status.CHANGED)]
    assert [task for task in ran if task in ASKED] == list(ASKED)


def test_role_stops_at_the_reason(system: System, tmp_path: Path) -> None:
    inventory = system.inventory(tmp_path / "inventory.yml")
    for users, words in ((["carol"], "1 NaN"), (["alice", "bob"], "12 days of records")):
        report = opslib.run_playbook("forecast:check", inventory, extra_vars={"forecast_users": users})
        assert words in str(report.hosts["lab1"].failure)
    report = opslib.run_playbook(
        "forecast:package", inventory, extra_vars={"forecast_memory_warn": "100%", "forecast_memory_fail": "99.9%"}
    )
    assert "memory" in str(report.hosts["lab1"].failure)
    report = opslib.run_playbook("forecast:generate", inventory, extra_vars={"forecast_users": ["alice", "bob"]})
    assert [step.status for step in report.hosts["lab1"].steps[-2:]] == [Status.CHANGED, Status.FAILED]


PLAY = """
- name: All that may be wrong
  hosts: all
  gather_facts: false
  ignore_errors: true
  tasks:
    - ansible.builtin.import_role: {name: opslib.runbook.forecast, tasks_from: check}
    - ansible.builtin.import_role: {name: opslib.runbook.forecast, tasks_from: generate}
      vars: {forecast_users: [alice, bob, carol]}
"""


@pytest.mark.parametrize("engine", ["ssh", "ansible"])
def test_role_tells_what_is_wrong(system: System, tmp_path: Path, engine: Any) -> None:
    system.faults("unavailable@/api/forecast/health")
    given = {"forecast_modules": ["trendcast", "no_such_package"], "forecast_memory_warn": "100%"}
    given |= {"forecast_memory_fail": "99.9%", "forecast_users": ["bob", "carol", "dave", "erin"]}
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAY)
    report = opslib.run_playbook(playbook, system.inventory(tmp_path / "inventory.yml", **given), engine=engine)
    assert report.engine == engine
    package, memory, health, data, alice, bob, carol = [
        step for step in report.hosts["lab1"].steps if step.task in ASKED
    ]
    assert "no_such_package" in str(package.error)
    assert memory.status is Status.FAILED
    assert "it answered 503 Service Unavailable" in str(health.error)
    for words in ("12 days of records only", "(1 NaN)", "3 days missing from", "(1 infinite)"):
        assert words in str(data.error)
    assert (alice.status, alice.data["points"]) == (Status.CHANGED, 30)
    assert "422, " in str(bob.error)
    assert "the service failed with 500" in str(carol.error)


def test_suites_see_it_too(system: System, tmp_path: Path) -> None:
    inventory = system.inventory(tmp_path / "inventory.yml")
    told: list[str] = []
    assert verify("forecast", inventory, on_output=told.append) == 2
    assert any("2 values are no numbers" in line for line in told)
    system.sql("DELETE FROM cost_records WHERE user_id IN ('carol', 'erin')")
    assert verify("forecast", inventory) == 0
