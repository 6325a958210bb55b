"""Every entry point of every role that works on hosts, through both engines, on one real system full of secrets.

Each goes the whole way: check, nothing is touched; run, changed; verified by the role's own suite; run again, unchanged.
Meanwhile the argument vectors of both sides are watched, and afterwards every report, file and journal is searched: a
secret stands nowhere but where it belongs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from opslib import Report, Status, tasks
from opslib.engines.roles import role_folder
from opslib.lab import Lab
from opslib.verify import verify
from support.arguments import Watched
from support.canaries import files_on, files_with, journal_has
from support.database import ADMIN, FOLDER
from support.system import System, running

OPSLIB = [sys.executable, "-c", "import sys; from opslib.cli.main import main; sys.exit(main())"]
ROLES = (
    *("backend", "database", "emergency", "environment", "forecast"),
    *("health", "incident", "maintenance", "scheduler", "service"),
)
PASSWORD, TOKEN, KEY = "canary-password-90c1", "canary-token-5e77", "canary-key-31ab"
GIVEN, INDEX = "canary-given-by-operator-c4", "canary-of-the-index-77"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
WITH_HEADERS = ("request_headers", "health_headers", "forecast_headers", "scheduler_headers")
SECRETS = (PASSWORD, TOKEN, KEY, GIVEN, INDEX)


class World:
    """The sample system, whose password, token and key are canaries."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.words = set(SECRETS)
        system.environment = {
            **system.environment,
            "DATABASE_URL": system.environment["DATABASE_URL"].replace(system.password, PASSWORD),
            "ANTHROPIC_API_KEY": KEY,
            "ADMIN_TOKEN": TOKEN,
        }
        # What its own user may not do (make databases, extensions) is tested elsewhere.
        system.sql(f"ALTER ROLE ai_cost PASSWORD '{PASSWORD}' SUPERUSER")
        system.sql("CREATE MATERIALIZED VIEW totals AS SELECT user_id, count(*) AS n FROM cost_records GROUP BY 1")
        system.sql("CREATE UNIQUE INDEX totals_user ON totals (user_id); DELETE FROM cost_records WHERE user_id > 'bz'")
        system.sql("SELECT pg_stat_statements_reset()")  # which has kept the statement with the password
        self.restart()

    def restart(self) -> None:
        """Have the service run with the environment file that it begins with."""
        self.system.faults()
        self.system.configure()
        self.system.restart()

    def learn(self) -> None:
        """Learn the secrets that a rotation has made on the host."""
        for line in self.system.host.read(self.system.env_file).splitlines():
            name, sign, value = line.partition("=")
            if sign and name.startswith(("ADMIN_TOKEN", "ROTATED")):
                self.words.add(value)


@dataclass(frozen=True, slots=True)
class Case:
    """A way through an entry point.

    first: how its first run ends; again: how the second does, None when it acts each time; before: what brings the
    host to where it begins; extra: variables; verified: whether the role's suite can do with them.
    """

    first: Status = Status.OK
    again: Status | None = Status.OK
    before: Callable[[System], object] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    verified: bool = True


CHANGES = {"first": Status.CHANGED}
ACTS = {"first": Status.CHANGED, "again": None}


def version(wanted: str) -> Callable[[System], None]:
    """Return what brings a release into place."""

    def bring(system: System) -> None:
        if system.json("/health")["api_version"] != wanted.removeprefix("v"):
            given = {**_backend(system), "ref": wanted, "migrate": [], "migrate_down": [], "allow_rewritten": True}
            assert system.apply(tasks.deploy(**given)).failure is None

    return bring


def backed_up(system: System) -> None:
    """Leave one backup, not proven."""
    system.host.run(["rm", "-rf", FOLDER])
    task = tasks.postgres_backup(**ADMIN, folder=FOLDER, keep_free=0)
    assert system.apply(task).failure is None


def lost(system: System) -> None:
    """Lose records after a backup."""
    backed_up(system)
    system.sql("DELETE FROM cost_records WHERE user_id = 'bob'")


def other_address(system: System) -> None:
    """Name the database otherwise in the environment file than the service was told when it began."""
    url = system.environment["DATABASE_URL"].replace("127.0.0.1", "localhost")
    old = "localhost" in system.host.read(system.env_file)
    system.configure(DATABASE_URL=system.environment["DATABASE_URL"] if old else url)


def not_contained(system: System) -> None:
    """Undo what was done against a breach."""
    system.host.run(["nft", "delete", "table", "inet", "opslib"], check=False)
    system.configure()
    system.restart()


def resumed(system: System) -> None:
    """Let the service write again."""
    result = system.apply(tasks.writes(state="resumed", settle=0.2))
    assert result.failure is None
    system.await_up()


def stopped(system: System) -> None:
    """Stop what writes."""
    assert system.apply(tasks.writes(state="stopped", units=[system.unit])).failure is None


def lost_and_resumed(system: System) -> None:
    """Lose records, with everything running."""
    resumed(system)
    lost(system)


def old_logs(system: System) -> None:
    """Leave logs that are to be archived and rotated, and no capacity history or marks."""
    system.host.run(["rm", "-rf", "/var/backups/logs", "/etc/logrotate.d/site", "/var/lib/opslib/capacity.jsonl"])
    system.host.run(["rm", "-rf", "/var/lib/opslib/checklist.json"])
    system.host.write("/srv/logs/site.log.1", "old\n")
    system.host.run(["touch", "-d", "40 days ago", "/srv/logs/site.log.1"])


def aged(system: System) -> None:
    """Leave what a month leaves: old logs, and a backup that was never proven."""
    old_logs(system)
    backed_up(system)


CASES: Mapping[str, Case] = {
    "backend:deploy": Case(**CHANGES, before=version("v1.1.0")),
    "backend:status": Case(before=version("v1.2.0")),
    "backend:rollback": Case(**CHANGES, before=version("v1.2.0")),
    "database:check": Case(),
    "database:check with a password": Case(
        verified=False,
        extra={
            "database_env_file": None,
            "database_host": "127.0.0.1",
            "database_user": "ai_cost",
            "database_password": PASSWORD,
        },
    ),
    "database:credentials": Case(**CHANGES, before=other_address),
    "database:slow_queries": Case(),
    "database:backup": Case(**CHANGES, before=lambda system: system.host.run(["rm", "-rf", FOLDER])),
    "database:prove": Case(**CHANGES, before=backed_up),
    "database:compare": Case(before=backed_up),
    "database:refresh": Case(**ACTS),
    "database:restore": Case(**CHANGES, before=lost),
    "emergency:outage": Case(**ACTS),
    "emergency:data_loss": Case(**CHANGES, before=resumed),
    "emergency:data_loss resumed": Case(**CHANGES, before=stopped, extra={"emergency_writes": "resumed"}),
    "emergency:data_loss with a restore": Case(
        **CHANGES, before=lost_and_resumed, extra={"emergency_restore": True, "database_restore_units": []}
    ),
    "emergency:breach": Case(**CHANGES, before=lambda system: (resumed(system), not_contained(system))),
    "environment:update": Case(**CHANGES, before=not_contained),
    "environment:rotate": Case(**CHANGES, before=not_contained, extra={"environment_set": {"GIVEN": GIVEN}}),
    "forecast:check": Case(before=not_contained),
    "forecast:package": Case(),
    "forecast:data": Case(),
    "forecast:generate": Case(**ACTS),
    **{
        f"health:{part}": Case()
        for part in ("all", "service", "database", "scheduler", "metrics", "forecast", "others")
    },
    "incident:not_responding": Case(**ACTS),
    "incident:error_rate": Case(),
    "incident:memory_leak": Case(**ACTS, extra={"incident_memory_limit": "1M"}),
    "maintenance:daily": Case(
        **CHANGES,
        before=lambda system: (old_logs(system), system.host.run(["rm", "-rf", FOLDER])),
        extra={"maintenance_database_backup": True, "maintenance_capacity_record": True},
    ),
    "maintenance:weekly": Case(before=old_logs),
    "maintenance:security": Case(),
    "maintenance:capacity": Case(**CHANGES, before=old_logs),
    "maintenance:checklist": Case(
        **CHANGES,
        before=old_logs,
        extra={"maintenance_checklist_done": ["Team training"], "maintenance_checklist_by": "anna"},
    ),
    "maintenance:monthly": Case(**CHANGES, before=aged),
    "maintenance:quarterly": Case(**CHANGES, before=aged),
    "scheduler:status": Case(),
    "scheduler:trigger": Case(**ACTS),
    "scheduler:providers": Case(),
    "service:status": Case(),
    "service:restart": Case(**ACTS),
}


def _backend(system: System) -> dict[str, Any]:
    return {
        "app": "ai-cost-dashboard",
        "path": system.folder,
        "strategy": "in_place",
        "repository": system.remote,
        "ref": "v1.2.0",
        "unit": system.unit,
        "port": system.port,
        "http": {"url": system.url("/health/detailed"), "request_headers": HEADERS},
        "settle": 0.2,
        "watch": 0,
        "env_file": system.env_file,
        "migrate": ["python", "-m", "dashboard.migrate"],
        "migrate_down": ["python", "-m", "dashboard.migrate", "--to", "2"],
    }


def variables(system: System) -> dict[str, Any]:
    """Return what an operator would have in the inventory, with secrets wherever one can be given."""
    http = {"url": system.url("/health"), "request_headers": HEADERS, "timeout": "5s"}
    unit = {"unit": system.unit, "port": system.port, "http": http, "settle": 0.2}
    jobs = {"url": system.url("/health"), "request_headers": {"X-Api-Key": KEY}, "json": {"status": "healthy"}}
    return {
        "ansible_become": True,
        **{f"backend_{name}": value for name, value in _backend(system).items()},
        "database_name": "ai_cost",
        "database_env_file": system.env_file,
        "database_unit": system.unit,
        "database_unit_http": http,
        "database_backup_keep_free": 0,
        "database_restore_units": [system.unit],
        "database_settle": 0.2,
        "emergency_units": [{"unit": "postgresql@15-main.service"}, unit],
        "emergency_endpoints": [http],
        "emergency_logs": [f"{system.folder}/logs"],
        "emergency_settle": 0.2,
        "emergency_write_units": [system.unit],
        "emergency_block": ["203.0.113.9"],
        "emergency_secrets": [
            {"path": system.env_file, "rotate": ["ADMIN_TOKEN"], "set": {"ANTHROPIC_API_KEY": GIVEN}}
        ],
        "emergency_keep_previous": "1h",
        "emergency_ignored_files": ["/usr/*", "/lib/*", "/etc/*"],
        "environment_path": system.env_file,
        "environment_set": {"ANTHROPIC_API_KEY": GIVEN},
        "environment_rotate": ["ROTATED"],
        "environment_rotate_after": "30d",
        "environment_units": [unit],
        "environment_settle": 0.2,
        "forecast_url": system.url("/api/forecast"),
        "forecast_venv": f"{system.folder}/venv",
        "forecast_modules": ["trendcast"],
        "forecast_unit_user": "aicost",
        "forecast_log_paths": [f"{system.folder}/logs"],
        "forecast_env_file": system.env_file,
        "forecast_headers": HEADERS,
        "forecast_users": ["alice"],
        "forecast_memory_warn": "2%",
        "forecast_memory_fail": "1%",
        "health_url": system.url(),
        "health_headers": HEADERS,
        "health_others": [jobs],
        "incident_unit": system.unit,
        "incident_port": system.port,
        "incident_http": http,
        "incident_settle": 0.2,
        "incident_logs": [f"{system.folder}/logs"],
        "incident_required_variables": ["DATABASE_URL", "ANTHROPIC_API_KEY"],
        "incident_watch": "1s",
        "incident_watch_every": "100ms",
        "maintenance_services": [system.unit],
        "maintenance_http_checks": [http],
        "maintenance_memory_fail": "1%",
        "maintenance_log_paths": ["/srv/logs", f"{system.folder}/logs"],
        "maintenance_retention": [{"root": "/srv/logs", "keep_free": 0}],
        "maintenance_logrotate": [{"config": "site", "paths": ["/srv/logs/*.log"]}],
        "maintenance_error_logs": [f"{system.folder}/logs"],
        "maintenance_scheduler": True,
        "maintenance_database": True,
        "maintenance_file_audit": False,
        "maintenance_venvs": [
            {
                "venv": f"{system.folder}/venv",
                "index_url": f"https://operator:{INDEX}@127.0.0.1:9/simple",
                "find_links": ["/srv/wheels"],
            }
        ],
        "scheduler_url": system.url("/health/scheduler"),
        "scheduler_trigger_url": system.url("/api/scheduler/trigger"),
        "scheduler_job": "aggregate_refresh",
        "scheduler_headers": HEADERS,
        "scheduler_table": "job_runs",
        "scheduler_env_file": system.env_file,
        "scheduler_providers": [jobs],
        "service_unit": system.unit,
        "service_port": system.port,
        "service_http": http,
        "service_settle": 0.2,
    }


@pytest.fixture(scope="module")
def world(sample_lab: Lab) -> Iterator[World]:
    with running(sample_lab, sample_lab.hosts[0]) as system:
        yield World(system)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: ssh puts sockets below the operator's home."""
    with tempfile.TemporaryDirectory(prefix="op-") as name:
        yield Path(name)


def without_headers(value: Any) -> Any:
    """Return variables without what is asked with headers."""
    if isinstance(value, dict):
        return {key: without_headers(item) for key, item in value.items() if key not in WITH_HEADERS}
    return [without_headers(item) for item in value] if isinstance(value, list) else value


class Operator:
    """Runs playbooks and entry points from the command line, in a folder that holds all that may be written."""

    def __init__(self, world: World, engine: str, folder: Path, extra: Mapping[str, Any] | None = None) -> None:
        self.world, self.engine = world, engine
        for name in ("home", "out", "given"):
            (folder / name).mkdir()
        self.home, self.out, self.given = folder / "home", folder / "out", folder / "given"
        system = world.system
        given = {key: value for key, value in {**variables(system), **(extra or {})}.items() if value is not None}
        self.inventory = self._inventory("hosts.yml", given)
        # What a suite asks for it asks by commands, in which a secret would be seen: it does without headers.
        self.plain = self._inventory("plain.yml", without_headers(given))
        self.watched = Watched()
        self.said = ""
        self.began = time.time()

    def _inventory(self, name: str, given: Mapping[str, Any]) -> Path:
        path = self.given / name
        path.touch(mode=0o600)
        text = self.world.system.lab.inventory_text(user="ops", hosts=[self.world.system.host])
        path.write_text(text + "".join(f"    {key}: {json.dumps(value)}\n" for key, value in given.items()))
        return path

    def verify(self, entry: str) -> None:
        """See that the host is as the entry point promises."""
        told: list[str] = []
        assert verify(entry, self.plain, on_output=told.append) == 0, told
        assert not [line for line in told if line.startswith("SKIPPED")], told

    def run(self, what: str, *, check: bool = False) -> Status:
        """Run it, and return how the host ended."""
        report = self.out / "report.json"
        command = [*OPSLIB, "run", what, "-i", str(self.inventory), "--engine", self.engine, "--diff", "-v"]
        command += ["--json", str(report), "--junit", str(self.out / "report.xml"), *(["--check"] if check else [])]
        environ = {**os.environ, "HOME": str(self.home), "TMPDIR": str(self.out)}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300, check=False)
        self.said += done.stdout + done.stderr
        assert report.exists(), self.said
        found = Report.from_dict(json.loads(report.read_text()))
        assert found.engine == self.engine
        (host,) = found.hosts.values()
        assert host.failure is None, host.failure
        return host.status

    def playbook(self, entries: Sequence[str]) -> str:
        """Write a playbook of entry points that the host goes through in a row, and return its path."""
        lines = ["---", "- name: All", "  hosts: all", "  gather_facts: false", "  tasks:"]
        for role, _, entry in (entry.partition(":") for entry in entries):
            lines += [f"    - name: Do {entry}", "      ansible.builtin.import_role:"]
            lines += [f"        name: opslib.runbook.{role}", f"        tasks_from: {entry}"]
        path = self.given / f"{len(entries)}.yml"
        path.write_text("\n".join(lines) + "\n")
        return str(path)

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Fail when the host looks otherwise afterwards."""
        before = self.world.system.look()
        yield
        after = self.world.system.look()
        assert {key for key in {**before, **after} if before.get(key) != after.get(key)} == set()

    @contextmanager
    def leaking_nothing(self) -> Iterator[None]:
        """Fail when a secret is seen in an argument vector, or stands afterwards where it must not."""
        with self.watched:
            yield
        world, host = self.world, self.world.system.host
        world.learn()
        words, minutes = sorted(world.words), (time.time() - self.began) / 60 + 0.1
        assert self.watched.looks > 50
        assert self.watched.holding(*words) == set()
        assert [word for word in words if word in self.said] == []
        assert files_with(words, [self.home, self.out, Path("/dev/shm"), Path("/run")], self.began) == []
        assert files_on(host, words, minutes) - {world.system.env_file} == set()
        assert journal_has(host, words, minutes) == []


@pytest.mark.parametrize("name", CASES)
def test_entry_point(world: World, name: str, folder: Path) -> None:
    case, entry = CASES[name], name.partition(" ")[0]
    if case.before is not None:
        case.before(world.system)
    operator = Operator(world, "ssh", folder, case.extra)
    with operator.leaking_nothing():
        with operator.untouched():
            assert operator.run(entry, check=case.first is Status.CHANGED) is case.first
        if case.first is Status.CHANGED:
            assert operator.run(entry) is case.first
        if case.verified:
            operator.verify(entry)
        if case.first is Status.CHANGED and case.again is not None:
            assert operator.run(entry) is case.again


@pytest.mark.parametrize("role", ROLES)
def test_role_through_ansible(world: World, role: str, folder: Path) -> None:
    """All entry points, in check mode; and really those that change nothing."""
    entries = {name: case for name, case in CASES.items() if name.startswith(f"{role}:") and " " not in name}
    quiet = [name for name, case in entries.items() if case.first is Status.OK]
    for before in dict.fromkeys(case.before for case in entries.values() if case.before is not None):
        before(world.system)
    operator = Operator(world, "ansible", folder)
    with operator.leaking_nothing(), operator.untouched():
        operator.run(operator.playbook(list(entries)), check=True)
        if quiet:
            assert operator.run(operator.playbook(quiet)) is Status.OK


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.first is Status.CHANGED])
def test_entry_point_through_ansible(world: World, name: str, folder: Path) -> None:
    case, entry = CASES[name], name.partition(" ")[0]
    if case.before is not None:
        case.before(world.system)
    operator = Operator(world, "ansible", folder, case.extra)
    with operator.leaking_nothing():
        assert operator.run(entry) is Status.CHANGED
        if case.verified:
            operator.verify(entry)
        if case.again is not None:
            assert operator.run(entry) is case.again


def test_no_entry_point_is_left_out() -> None:
    entries = {
        f"{role}:{path.stem}"
        for role in ROLES
        for path in (role_folder(role) / "tasks").glob("*.yml")
        if path.stem != "main"
    }
    assert {name.partition(" ")[0] for name in CASES} == entries
    suites = {f"{role}:{path.stem[5:]}" for role in ROLES for path in (role_folder(role) / "tests").glob("test_*.py")}
    assert suites == entries
