"""Failures that procedures name, met through their roles and by both engines: what is said, and what serves afterwards.

The role `backend` keeps its releases side by side here, as it does by default.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import opslib
from opslib import HostResult, Report, Status, StepResult, tasks
from opslib.lab import Lab
from opslib.verify import verify
from support import database
from support.database import ADMIN, FOLDER, databases, newest
from support.system import System, running

ENGINES = ("ssh", "ansible")
PATH = "/srv/dashboard"
RECORDS = "/var/lib/opslib/releases/ai-cost-dashboard"
BRINGS = "deploy/ai-cost-dashboard.service"
BROUGHT = {"backend_unit_file": BRINGS}
MIGRATE = ["python", "-m", "dashboard.migrate"]


@pytest.fixture(scope="module")
def system(sample_lab: Lab) -> Iterator[System]:
    """The sample system, whose releases lie side by side: v1.2.0 was deployed from main, and then v1.1.0."""
    with running(sample_lab, sample_lab.hosts[0]) as found:
        path = f"/etc/systemd/system/{found.unit}"
        text = found.host.read(path).replace(found.folder, f"{PATH}/current")
        for tag, parent in (("v1.1.0", "v1.1.0"), ("v1.2.0", "v1.2.0")):
            unit = text.replace("[Service]", f"[Service]\nEnvironment=BROUGHT_BY={tag}")
            found.push(f"refs/tags/side-{tag}", {BRINGS: unit}, parent)
        found.push("refs/heads/main", {BRINGS: text}, "v1.2.0")
        yield found


@pytest.fixture
def inventory(system: System, tmp_path: Path) -> Path:
    """What an operator would have; `ops` logs in."""
    variables: dict[str, Any] = {
        "ansible_become": True,
        "backend_app": "ai-cost-dashboard",
        "backend_path": PATH,
        "backend_repository": system.remote,
        "backend_ref": "side-v1.1.0",
        "backend_unit": system.unit,
        "backend_port": system.port,
        "backend_http": {"url": system.url("/health/detailed"), "json": {"status": "healthy"}, "timeout": 4},
        "backend_settle": 0.5,
        "backend_watch": "1s",
        "backend_start_timeout": 15,
        "backend_env_file": system.env_file,
        "database_env_file": system.env_file,
        "database_system_user": None,
        "database_backup_keep_free": 0,
        "database_restore_units": [system.unit],
        "database_settle": 0.5,
    }
    given = {name: value for name, value in variables.items() if value is not None}
    path = tmp_path / "inventory.yml"
    text = system.lab.inventory_text(user="ops", hosts=[system.host])
    path.write_text(text + "".join(f"    {name}: {json.dumps(value)}\n" for name, value in given.items()))
    return path


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def run(inventory: Path, what: Any, engine: Any = "ssh", *, check: bool = False, **extra: Any) -> HostResult:
    report: Report = opslib.run_playbook(what, inventory, engine=engine, check=check, extra_vars=extra)
    assert report.engine == engine
    (host,) = report.hosts.values()
    return host


def failure(result: HostResult) -> str:
    assert result.status is Status.FAILED, result
    return str(result.failure)


def playbook(path: Path, entry: str, cases: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write a play that goes through an entry point once for each case, whatever becomes of it; return its path."""
    role, _, name = entry.partition(":")
    lines = ["---", "- name: All", "  hosts: all", "  gather_facts: false", "  tasks:"]
    for case, variables in cases.items():
        lines += [f"    - name: {case}", "      ansible.builtin.import_role:"]
        lines += [f"        name: opslib.runbook.{role}", f"        tasks_from: {name}"]
        lines += [f"      vars: {json.dumps(variables)}", "      ignore_errors: true"]
    path.write_text("\n".join(lines) + "\n")
    return path


def is_serving(system: System, version: str, brought_by: str = "") -> None:
    """Say, by means that are not ours, that this version serves, whole."""
    seen = system.witness
    assert system.json("/health")["api_version"] == version
    assert seen.service(system.unit).is_running
    assert f'VERSION = "{version}"' in seen.file(f"{PATH}/current/dashboard/release.py").content_string
    pid = seen.check_output("systemctl show --value -p MainPID %s", system.unit)
    assert seen.file(f"/proc/{pid}/cwd").linked_to == seen.check_output("readlink -e %s", f"{PATH}/current")
    environ = seen.file(f"/proc/{pid}/environ").content_string.split("\0")
    assert (f"BROUGHT_BY={brought_by}" in environ) == bool(brought_by)
    assert not seen.file(f"{RECORDS}/pending").exists


def outcomes(system: System) -> list[tuple[str, str, str]]:
    rows = [json.loads(line) for line in str(system.host.read(f"{RECORDS}/history.jsonl")).splitlines()]
    return [(row["act"], row["ref"], row["outcome"]) for row in rows]


def releases(system: System) -> set[str]:
    return set(system.witness.check_output("ls %s", f"{PATH}/releases").split())


def test_releases_side_by_side_through_the_role(system: System, inventory: Path) -> None:
    before = system.look()
    planned = run(inventory, "backend:deploy", check=True, backend_ref="main", backend_migrate=MIGRATE, **BROUGHT)
    assert planned.status is Status.CHANGED, planned.failure
    assert {key for key, value in system.look().items() if before.get(key) != value} == set()
    done = run(inventory, "backend:deploy", "ansible", backend_ref="main", backend_migrate=MIGRATE, **BROUGHT)
    assert done.status is Status.CHANGED, done.failure
    is_serving(system, "1.2.0")
    assert int(system.sql("SELECT max(version) FROM schema_migrations")) == 3
    first = run(inventory, "backend:deploy", "ssh", **BROUGHT)
    assert first.status is Status.CHANGED, first.failure
    is_serving(system, "1.1.0", "v1.1.0")
    for engine in ENGINES:
        assert run(inventory, "backend:deploy", engine, **BROUGHT).status is Status.OK
    told: list[str] = []
    assert verify("backend:deploy", inventory, on_output=told.append) == 0, told
    back = run(inventory, "backend:rollback", check=True, backend_to="main", **BROUGHT)
    assert back.status is Status.CHANGED, back.failure
    is_serving(system, "1.1.0", "v1.1.0")
    assert run(inventory, "backend:rollback", "ansible", backend_to="main", **BROUGHT).status is Status.CHANGED
    is_serving(system, "1.2.0")
    assert verify("backend:rollback", inventory, on_output=told.append) == 0, told
    assert run(inventory, "backend:rollback", backend_to="main", **BROUGHT).status is Status.OK
    assert (
        run(inventory, "backend:deploy", **BROUGHT).status is Status.CHANGED
    )  # which is still there: nothing is built
    is_serving(system, "1.1.0", "v1.1.0")
    assert len(releases(system)) == 2


AT_ONCE: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "missing ref": ({"backend_ref": "v9"}, "has no branch and no tag called v9"),
    "unreachable remote": ({"backend_repository": "https://127.0.0.1:9/app"}, "cannot be read"),
    "remote that does not answer": (
        {"backend_repository": "https://127.0.0.1:9443/app", "backend_timeout": 1},
        "the remote repository cannot be read: git ls-remote did not end within 1 seconds",
    ),
    "dirty checkout": (
        {
            "backend_strategy": "in_place",
            "backend_app": "by-hand",
            "backend_path": "/srv/ai-cost-dashboard",
            "backend_ref": "v1.2.0",
        },
        "has local changes (dashboard/release.py)",
    ),
}
DEAF = "import socket, time; listener = socket.create_server(('127.0.0.1', 9443)); time.sleep(999)"


def test_nothing_is_touched_when_nothing_can_be_deployed(
    system: System, inventory: Path, tmp_path: Path, engine: str
) -> None:
    system.host.run(["systemd-run", "-q", "--unit=deaf", "python3", "-c", DEAF])
    release = f"{system.folder}/dashboard/release.py"
    text = system.host.read(release)
    system.host.write(release, "# mended at night\n")
    try:
        before = system.look()
        play = playbook(tmp_path / "all.yml", "backend:deploy", {name: given for name, (given, _) in AT_ONCE.items()})
        result = run(inventory, play, engine)
        after = system.look()
    finally:
        system.host.write(release, text)
        system.host.run(["systemctl", "stop", "deaf"])
    steps = [step for step in result.steps if step.task == "deploy"]
    assert [step.ignored for step in steps] == [True] * len(AT_ONCE)
    for step, (_given, words) in zip(steps, AT_ONCE.values(), strict=True):
        assert words in str(step.error)
    assert {key for key in {**before, **after} if before.get(key) != after.get(key)} == set()


def test_a_branch_that_was_pushed_over(system: System, inventory: Path, engine: str) -> None:
    newest = system.commit("main")
    system.push("refs/heads/main", {"notes.txt": "begun anew\n"}, "v1.1.0")
    said = failure(run(inventory, "backend:deploy", engine, backend_ref="main"))
    system.host.run(["git", "-C", system.remote, "update-ref", "refs/heads/main", newest])
    assert f"main was rewritten (a forced push, or a tag that moved): {newest[:12]}" in said
    is_serving(system, "1.1.0", "v1.1.0")


def test_a_full_disk(system: System, inventory: Path, engine: str) -> None:
    before = releases(system)
    system.host.fill_disk(leave_bytes=12 << 20)
    try:
        said = failure(run(inventory, "backend:deploy", engine, backend_ref="v1.2.0"))
    finally:
        system.host.free_disk()
    assert f" ({PATH} has " in said
    assert " inodes free); side-v1.1.0" in said
    assert releases(system) == before
    is_serving(system, "1.1.0", "v1.1.0")


DIES = """#!/bin/sh
while ! pid=$(pgrep -f '^[^ ]*python[^ ]* -m pip install'); do sleep 0.02; done
kill -KILL $pid
"""


def test_pip_that_dies_half_way(system: System, inventory: Path, engine: str) -> None:
    before = releases(system)
    system.host.write("/usr/local/bin/pip-dies", DIES, 0o755)
    system.host.run(["systemd-run", "-q", "--unit=reaper", "/usr/local/bin/pip-dies"])
    said = failure(run(inventory, "backend:deploy", engine, backend_ref="v1.2.0"))
    assert "pip install" in said
    assert "still serves, nothing else was touched" in said
    assert releases(system) == before
    is_serving(system, "1.1.0", "v1.1.0")


BAD = [
    *((engine, "migration", "migration 004_invoices.sql failed") for engine in ENGINES),
    *((engine, "crash-at-start", "exit code 3|crash loop|start limit") for engine in ENGINES),
    ("ssh", "hang", "/health/detailed: time ran out after 4 seconds, while waiting for its answer"),
    ("ansible", "degraded", "status"),
    ("ssh", "conflict", "starlette"),
]


@pytest.mark.parametrize(("engine", "branch", "words"), BAD)
def test_bad_releases(system: System, inventory: Path, engine: str, branch: str, words: str) -> None:
    before = releases(system)
    given = {"backend_migrate": MIGRATE} if branch == "migration" else {}
    result = run(inventory, "backend:deploy", engine, backend_ref=branch, **given)
    said = failure(result)
    assert any(word in said for word in words.split("|")), said
    assert "side-v1.1.0" in said
    assert system.password not in said + json.dumps(result.to_dict())
    assert outcomes(system)[-1] == ("deploy", branch, "failed")
    assert releases(system) == before
    is_serving(system, "1.1.0", "v1.1.0")


def test_a_package_that_cannot_be_imported_is_found_where_it_serves(system: System, inventory: Path) -> None:
    """The release is in place, and answers; what it needs only later is looked for by the role `forecast`."""
    done = run(inventory, "backend:deploy", backend_ref="import")
    assert done.status is Status.CHANGED, done.failure
    asked = {"forecast_venv": f"{PATH}/current/venv", "forecast_modules": ["trendcast"]}
    for engine in ENGINES:
        assert "trendcast" in failure(run(inventory, "forecast:package", engine, **asked))
    back = run(inventory, "backend:rollback", "ansible")
    assert back.status is Status.CHANGED, back.failure
    is_serving(system, "1.1.0", "v1.1.0")
    assert run(inventory, "forecast:package", **asked).status is Status.OK


def test_a_log_that_is_not_there_hides_nothing_else(system: System, inventory: Path, engine: str) -> None:
    """It is told, and what comes after it is done all the same."""
    nowhere, unit = ["/srv/nowhere/app.log"], system.unit
    cases: Mapping[str, tuple[Mapping[str, Any], str, bool]] = {
        "emergency:data_loss": (
            {"emergency_logs": nowhere, "emergency_write_units": [unit], "emergency_compare": True},
            "postgres_compare",
            True,
        ),
        "incident:memory_leak": (
            {
                "incident_unit": unit,
                "incident_watch": "1s",
                "incident_watch_every": "100ms",
                "incident_memory_match": "x",
                "incident_logs": nowhere,
            },
            "memory_watch",
            False,
        ),
        "scheduler:status": (
            {"scheduler_url": system.url("/health/scheduler"), "scheduler_log_paths": nowhere},
            "scheduler_jobs",
            False,
        ),
        "forecast:check": (
            {
                "forecast_url": system.url("/api/forecast"),
                "forecast_venv": f"{system.folder}/venv",
                "forecast_env_file": system.env_file,
                "forecast_memory_warn": 0,
                "forecast_memory_fail": 0,
                "forecast_log_paths": nowhere,
            },
            "python_import",
            False,
        ),
    }
    for entry, (given, task, check) in cases.items():
        result = run(inventory, entry, engine, check=check, **given)
        (log,) = (step for step in result.steps if step.task == "log_errors")
        assert (log.status, log.ignored) == (Status.FAILED, True), entry
        assert "/srv/nowhere/app.log does not exist" in str(log.error)
        assert [step.task for step in result.steps if step.task == task] == [task], entry


# Databases

CHECKS: Mapping[str, tuple[Mapping[str, Any], str, str]] = {
    "nobody listens": ({"database_port": 5999}, "reach", "nothing listens on 127.0.0.1 port 5999"),
    "no such name": ({"database_host": "database.invalid"}, "name", "does not resolve"),
    "wrong password": ({"database_user": "nobody"}, "credentials", "the password of role nobody is wrong"),
    "certificate": ({"database_sslmode": "verify-full"}, "tls", "its certificate is for another"),
    "authority": ({"database_sslmode": "verify-ca", "database_ca_file": "/etc/no.pem"}, "tls", "cannot be used"),
    "slow": ({"database_max_latency": 0}, "latency", "a small statement takes"),
    "old": ({"database_least_version": 99}, "version", "the server is PostgreSQL 15."),
    "full": (
        {"database_warn_connections": 0, "database_fail_connections": 0},
        "connections",
        "connections of the server are used",
    ),
}


def test_what_is_wrong_with_a_database_is_named(system: System, inventory: Path, tmp_path: Path, engine: str) -> None:
    play = playbook(tmp_path / "all.yml", "database:check", {name: given for name, (given, _, _) in CHECKS.items()})
    result = run(inventory, play, engine)
    steps: list[StepResult] = [step for step in result.steps if step.task == "postgres_check"]
    assert [step.data["wrong"] for step in steps] == [wrong for _, wrong, _ in CHECKS.values()]
    for step, (_given, _wrong, words) in zip(steps, CHECKS.values(), strict=True):
        assert words in str(step.error)
    assert system.password not in json.dumps(result.to_dict())


def test_a_backup_that_restores_half(system: System, inventory: Path, engine: str) -> None:
    """It proves nothing, and a restore of it leaves the data and the service as they were."""
    admin = {"database_env_file": None, "database_system_user": "postgres", "database_name": "ai_cost"}
    text = inventory.read_text().replace("    database_env_file:", "    unused:")
    inventory.write_text(text)
    given = {name: value for name, value in admin.items() if value is not None}
    system.host.run(["rm", "-rf", FOLDER])
    assert system.apply(tasks.postgres_backup(**ADMIN, folder=FOLDER, keep_free=0)).failure is None
    database.spoil(system, newest(system))
    before = database.counts(system)
    assert "cannot be read to its end" in failure(run(inventory, "database:prove", engine, **given))
    system.sql("DELETE FROM cost_records WHERE user_id = 'bob'")
    left = database.counts(system)
    assert left != before
    said = failure(run(inventory, "database:restore", engine, **given))
    assert "pg_restore failed" in said
    assert f"the database is as it was before, and {system.unit} runs again" in said
    assert database.counts(system) == left
    assert databases(system) == {"ai_cost", "postgres"}
    system.await_up()
    system.seed()
