"""The role `scheduler` and its tasks on the sample system, whose jobs run under APScheduler and write a table of runs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import opslib
from opslib import Status, StepResult, tasks
from opslib.errors import UsageError
from opslib.verify import verify
from support.system import System

MANY = """INSERT INTO job_runs (job, started_at, finished_at, status)
    SELECT 'openai_collection', at, at, 'failed' FROM generate_series(now() - interval '40 days', now() - interval '1 day', '1 hour') AS at"""


@pytest.fixture(scope="module")
def standing_system(standing_system: System) -> System:
    """The system with the schedule that it is born with, which other tests are spared."""
    environment = standing_system.environment
    standing_system.environment = {name: environment[name] for name in environment if not name.startswith("CRON_")}
    standing_system.configure()
    standing_system.restart()
    return standing_system


@pytest.fixture
def inventory(standing_system: System, tmp_path: Path) -> Path:
    return standing_system.inventory(tmp_path / "inventory.yml")


@pytest.fixture
def system(standing_system: System) -> Iterator[System]:
    """The system, whose jobs all ran as they should, and none of which comes within the next seconds."""
    soonest = min(900 - time.time() % 900, 3600 - (time.time() - 300) % 3600)
    if soonest < 20:
        time.sleep(soonest + 2)
    standing_system.seed()
    yield standing_system
    standing_system.faults()


def judged(system: System, *, table: bool = True, **args: Any) -> StepResult:
    given = {"table": "job_runs", "env_file": system.env_file} if table else {}
    (step,) = system.apply(tasks.scheduler_jobs(url=system.url("/health/scheduler"), **given, **args)).steps
    assert system.password not in json.dumps(step.to_dict())
    assert not step.changed
    return step


def triggered(system: System, job: str, **args: Any) -> StepResult:
    url = system.url(f"/api/scheduler/trigger/{job}")
    given = {"history_url": system.url("/health/scheduler"), "interval": 0.2, "wait": 20, **args}
    (step,) = system.apply(tasks.job_trigger(job=job, url=url, **given)).steps
    return step


@pytest.mark.parametrize("table", [True, False])
def test_all_is_well_and_nothing_touched(system: System, table: bool) -> None:
    given = {"table": "job_runs", "env_file": system.env_file} if table else {}
    if table:  # far more runs than are read
        system.sql(MANY)
    (step,) = system.rehearse(tasks.scheduler_jobs(url=system.url("/health/scheduler"), **given), login="ops").steps
    assert step.status is Status.OK, step.error
    assert step.reason.startswith("4 jobs run as they should")
    shown = step.data["jobs"]["aggregate_refresh"]
    newest = system.sql("SELECT to_char(max(started_at), 'YYYY-MM-DD HH24:MI') FROM job_runs WHERE job LIKE 'agg%'")
    assert shown["last_run"]["started_at"].replace("T", " ").startswith(newest)
    (told,) = (job for job in system.json("/health/scheduler")["jobs"] if job["id"] == "aggregate_refresh")
    assert shown["next_at"] == told["next_run"].replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("sql", "state", "words"),
    [
        (
            "DELETE FROM job_runs WHERE job = 'openai_collection' AND started_at > now() - interval '90 minutes'",
            "late",
            "openai_collection is late: it was due at",
        ),
        ("DELETE FROM job_runs WHERE job = 'openai_collection'", "never", "openai_collection never ran"),
        (
            "UPDATE job_runs SET status = 'failed', error = 'HTTP 401' WHERE job = 'openai_collection'",
            "failing",
            "openai_collection fails: its last 6 runs failed",
        ),
        (
            "INSERT INTO job_runs (job, started_at) VALUES ('openai_collection', now() - interval '61 minutes');"
            "DELETE FROM job_runs WHERE job = 'openai_collection' AND finished_at > now() - interval '2 hours'",
            "stuck",
            "openai_collection has been running since",
        ),
    ],
)
def test_what_is_wrong_is_told_apart(system: System, sql: str, state: str, words: str) -> None:
    system.sql(sql)
    step = judged(system)
    assert step.status is Status.FAILED
    assert words in str(step.error)
    states = {name: row["state"] for name, row in step.data["jobs"].items()}
    assert states == {**dict.fromkeys(states, "ok"), "openai_collection": state}


def test_a_page_whose_history_is_too_short_is_a_warning(system: System) -> None:
    system.sql("DELETE FROM job_runs WHERE started_at < now() - interval '20 minutes'")
    step = judged(system, table=False)
    assert step.status is Status.OK, step.error
    assert any("has no run in the history, which does not reach back to" in warning for warning in step.warnings)
    assert "never ran" in str(judged(system).error)


def test_a_missing_job_a_lost_database_and_a_wrong_table(system: System) -> None:
    assert "billing is not among the scheduler's jobs" in str(judged(system, jobs={"billing": "@daily"}).error)
    system.faults("lose_database")
    assert judged(system, table=False).status is Status.FAILED
    system.faults()
    (step,) = system.apply(tasks.scheduler_jobs(table="job_runz", env_file=system.env_file)).steps
    assert 'relation "job_runz" does not exist' in str(step.error)


def test_a_scheduler_that_did_not_start(system: System) -> None:
    system.configure(FAULT="scheduler_off")
    system.restart()
    assert str(judged(system).error).startswith("the scheduler does not run")
    system.configure(CRON_FORECAST_TRAINING="0 3 * * 0", CRON_AGGREGATE_REFRESH="30 2 last * *")
    system.restart()
    step = judged(system)
    assert "forecast_training: the scheduler means to run it at" in step.warnings[0]  # on Monday, its 0
    assert step.data["jobs"]["aggregate_refresh"]["state"] == "invalid"
    assert "aggregate_refresh has a cron expression that cannot be read" in str(step.error)
    theirs = judged(system, dialect="apscheduler")
    assert (theirs.data["jobs"]["aggregate_refresh"]["state"], theirs.warnings) == ("ok", ())
    system.configure()
    system.restart()


def test_a_job_is_triggered_and_followed(system: System) -> None:
    count = "SELECT count(*) FROM job_runs WHERE job = 'anthropic_collection' AND trigger = 'trigger'"
    url = system.url("/api/scheduler/trigger/anthropic_collection")
    task = tasks.job_trigger(job="anthropic_collection", url=url, history_url=system.url("/health/scheduler"))
    (planned,) = system.rehearse(task).steps
    assert planned.status is Status.CHANGED
    assert system.sql(count) == "0"
    system.faults("job_slow=1")
    done = triggered(system, "anthropic_collection")
    assert done.status is Status.CHANGED, done.error
    assert done.data["run"]["status"] == "succeeded"
    assert done.data["followed_seconds"] > 1
    assert system.sql(count) == "1"
    assert system.sql("SELECT status FROM job_runs WHERE trigger = 'trigger'") == "succeeded"


def test_jobs_that_fail_hang_or_are_not_there(system: System) -> None:
    system.faults("job_fails=openai_collection", "job_hangs=anthropic_collection")
    failed = triggered(system, "openai_collection")
    assert str(failed.error) == "job openai_collection failed: RuntimeError: provider answered 401 Unauthorized"
    assert failed.status is Status.FAILED
    hanging = triggered(system, "anthropic_collection", wait=0.5)
    assert "is still running after 0.5 s" in str(hanging.error)
    again = triggered(system, "anthropic_collection")
    assert "answered 409: the job runs already" in str(again.error)
    assert "has no job billing" in str(triggered(system, "billing").error)
    assert "there is no such job" in str(triggered(system, "billing", history_url=None).error)


def test_role_with_a_bad_expression_and_its_suites(system: System, inventory: Path, tmp_path: Path) -> None:
    wrong = {"scheduler_jobs": {"aggregate_refresh": "30 25 * * *"}}
    with pytest.raises(UsageError, match="aggregate_refresh: '30 25 .*': hour '25' is no number from 0 to 23"):
        opslib.run_playbook("scheduler:status", inventory, extra_vars=wrong)
    system.faults("job_fails=openai_collection")
    job = {"scheduler_job": "openai_collection"}
    assert opslib.run_playbook("scheduler:trigger", inventory, extra_vars=job).exit_code == 2
    told: list[str] = []
    assert verify("scheduler:status", inventory, on_output=told.append) == 2
    assert any("provider answered 401" in line for line in told)
    system.faults()
    opslib.run_playbook("scheduler:trigger", inventory, extra_vars=job).raise_for_failures()
    assert verify("scheduler:trigger", system.inventory(tmp_path / "with_job.yml", **job)) == 0


WRONG = """
DELETE FROM job_runs WHERE job = 'anthropic_collection' AND started_at > now() - interval '50 minutes';
UPDATE job_runs SET status = 'failed', error = 'HTTP 401' WHERE job = 'openai_collection';
DELETE FROM job_runs WHERE job = 'aggregate_refresh';
INSERT INTO job_runs (job, started_at) VALUES ('forecast_training', now() - interval '61 minutes');
"""
PLAY = """
- name: All that may be wrong
  hosts: all
  gather_facts: false
  ignore_errors: true
  tasks:
    - ansible.builtin.import_role: {name: opslib.runbook.scheduler, tasks_from: status}
    - ansible.builtin.import_role: {name: opslib.runbook.scheduler, tasks_from: trigger}
      vars: {scheduler_job: openai_collection}
    - ansible.builtin.import_role: {name: opslib.runbook.scheduler, tasks_from: trigger}
      vars: {scheduler_job: billing}
"""
UNREADABLE = """
    - ansible.builtin.import_role: {name: opslib.runbook.scheduler, tasks_from: status}
      vars: {scheduler_jobs: {aggregate_refresh: "30 25 * * *"}}
"""


@pytest.mark.parametrize("engine", ["ssh", "ansible"])
def test_role_tells_what_is_wrong(system: System, tmp_path: Path, engine: Any) -> None:
    system.sql(WRONG)
    system.faults("job_fails=openai_collection")
    inventory = system.inventory(tmp_path / "all.yml", scheduler_table="job_runs", scheduler_env_file=system.env_file)
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAY + (UNREADABLE if engine == "ansible" else ""))
    report = opslib.run_playbook(playbook, inventory, engine=engine)
    assert report.engine == engine
    status, failing, unknown, *unreadable = [
        step for step in report.hosts["lab1"].steps if step.task in ("scheduler_jobs", "job_trigger")
    ]
    assert {name: row["state"] for name, row in status.data["jobs"].items()} == {
        "anthropic_collection": "late",
        "openai_collection": "failing",
        "aggregate_refresh": "never",
        "forecast_training": "stuck",
    }
    assert str(failing.error) == "job openai_collection failed: RuntimeError: provider answered 401 Unauthorized"
    assert "has no job billing" in str(unknown.error)
    assert all("hour '25' is no number from 0 to 23" in str(step.error) for step in unreadable)
    assert len(unreadable) == (engine == "ansible")
    assert all(step.status is Status.FAILED for step in (status, failing, unknown, *unreadable))


def test_a_token_that_is_wrong(system: System) -> None:
    system.configure(ADMIN_TOKEN="canary-94c1de07")
    system.restart()
    refused = triggered(system, "aggregate_refresh", request_headers={"Authorization": "Bearer no-such-token"})
    assert "answered 401: the credentials are missing or wrong" in str(refused.error)
    assert "no-such-token" not in json.dumps(refused.to_dict())
    system.configure()
    system.restart()
