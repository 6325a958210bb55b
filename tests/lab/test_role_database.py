"""The role `database` on a real host, through both engines, verified by the role's own suites; and its secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import opslib
from opslib import Report, Status, tasks
from opslib.verify import verify
from support.arguments import Watched
from support.database import ADMIN, FOLDER, databases, files
from support.system import System

ENTRIES = ("check", "credentials", "slow_queries", "backup", "prove", "refresh", "restore")
QUIET = ("check", "credentials", "slow_queries", "backup", "prove", "restore")
CANARY = "canary-of-the-database-77c1"


@pytest.fixture
def system(standing_system: System) -> Iterator[System]:
    """The sample system with a materialized view, and without backups."""
    system = standing_system
    system.sql("CREATE MATERIALIZED VIEW totals AS SELECT user_id, count(*) AS n FROM cost_records GROUP BY 1")
    system.sql("CREATE UNIQUE INDEX totals_user ON totals (user_id); ALTER MATERIALIZED VIEW totals OWNER TO ai_cost")
    yield system
    system.sql("DROP MATERIALIZED VIEW IF EXISTS totals")
    system.host.run(["rm", "-rf", FOLDER])


def inventory(system: System, folder: Path, **more: Any) -> Path:
    """Write an inventory as the operators of the system would have it: `ops` logs in, and becomes root."""
    variables: dict[str, Any] = {
        "ansible_become": True,
        "database_name": "ai_cost",
        "database_env_file": system.env_file,
        "database_unit": system.unit,
        "database_unit_http": system.url("/health/db"),
        "database_backup_keep_free": 0,
        "database_restore_units": [system.unit],
        "database_settle": 0.5,
        **more,
    }
    path = folder / "inventory.yml"
    text = system.lab.inventory_text(user="ops", hosts=[system.host])
    path.write_text(text + "".join(f"    {name}: {json.dumps(value)}\n" for name, value in variables.items()))
    return path


def playbook(folder: Path, entries: Sequence[str]) -> Path:
    """Write a playbook of entry points that one host goes through in a row, and return its path."""
    play = "- name: All\n  hosts: all\n  gather_facts: false\n  tasks:\n"
    for entry in entries:
        play += f"    - name: Do {entry}\n      ansible.builtin.import_role:\n"
        play += f"        name: opslib.runbook.database\n        tasks_from: {entry}\n"
    path = folder / f"{len(entries)}.yml"
    path.write_text("---\n" + play)
    return path


def ended(report: Report) -> Status:
    """Return how the host ended, once it is sure that it did not fail."""
    report.raise_for_failures()
    (host,) = report.hosts.values()
    return host.status


def test_the_role(system: System, tmp_path: Path) -> None:
    given = inventory(system, tmp_path, database_system_user="postgres")
    before = system.look()
    planned = opslib.run_playbook("opslib.runbook.backup_database", given, check=True)
    assert planned.engine == "ssh"
    assert ended(planned) is Status.CHANGED
    after = system.look()
    assert {key for key in {**before, **after} if before.get(key) != after.get(key)} == set()
    assert ended(opslib.run_playbook("opslib.runbook.backup_database", given)) is Status.CHANGED
    assert [len(files(system, pattern)) for pattern in ("*.dump", "*.proof")] == [1, 1]
    system.sql("DELETE FROM cost_records")
    assert ended(opslib.run_playbook(playbook(tmp_path, ENTRIES), given)) is Status.CHANGED
    assert int(system.sql("SELECT count(*) FROM cost_records")) > 0
    assert databases(system) == {"ai_cost", "postgres"}
    assert ended(opslib.run_playbook(playbook(tmp_path, QUIET), given)) is Status.OK
    assert verify("database", given) == 0


def test_data_loss_is_restored_while_writes_are_stopped(system: System, tmp_path: Path) -> None:
    """A restore that fails leaves writes stopped, too; the rows are back before anything writes again."""
    rows = "SELECT count(*) FROM cost_records"
    whole = system.sql(rows)
    assert system.apply(tasks.postgres_backup(**ADMIN, folder=FOLDER, keep_free=0)).failure is None
    system.sql("DELETE FROM cost_records WHERE user_id = 'alice'")
    lost = int(whole) - int(system.sql(rows))
    given = {"emergency_restore": True, "emergency_write_units": [system.unit], "emergency_settle": 0.5}
    hosts = inventory(system, tmp_path, database_system_user="postgres", **given)

    def run(**extra: Any) -> Report:
        return opslib.run_playbook("opslib.runbook.data_loss", hosts, extra_vars=extra)

    def compared(report: Report) -> Any:
        return next(step for step in report.hosts[system.host.name].steps if step.task == "postgres_compare")

    for engine in ("ssh", "ansible"):
        before = system.look()
        told = opslib.run_playbook("database:compare", hosts, engine=engine)
        assert ended(told) is Status.OK
        assert {key for key, value in system.look().items() if before.get(key) != value} == set()
        assert compared(told).data["lost_rows"] == lost
        assert f"{lost} rows lost since backup" in compared(told).warnings[0]
        strict = opslib.run_playbook(
            "database:compare", hosts, engine=engine, extra_vars={"database_compare_strict": True}
        )
        assert f"public.cost_records has {int(whole) - lost} of {whole}" in str(strict.hosts[system.host.name].failure)
    (failed,) = run(database_backup="ai_cost-20200101-000000").hosts.values()
    assert "there is no backup ai_cost-20200101-000000" in str(failed.failure)
    assert "there is no good backup ai_cost-20200101-000000" in str(next(s for s in failed.steps if s.ignored).error)
    assert not system.witness.service(system.unit).is_running
    done = run()
    assert ended(done) is Status.CHANGED
    assert compared(done).data["lost_rows"] == lost
    assert system.sql(rows) == whole
    assert not system.witness.service(system.unit).is_running
    assert verify("emergency:data_loss", hosts) == 0
    assert len(files(system, "ai_cost-safety-*.dump")) == 1
    assert ended(run(emergency_writes="resumed")) is Status.CHANGED
    system.await_up()
    assert system.sql(rows) == whole


def test_credentials(system: System, tmp_path: Path) -> None:
    given = inventory(system, tmp_path, database_system_user="postgres")
    assert ended(opslib.run_playbook("database:credentials", given)) is Status.OK
    system.sql(f"ALTER ROLE ai_cost PASSWORD '{CANARY}'")
    try:
        failed = opslib.run_playbook("database:credentials", given)
        assert "the password of role ai_cost is wrong" in str(failed.hosts[system.host.name].failure)
        system.configure(DATABASE_URL=system.environment["DATABASE_URL"].replace(system.password, CANARY))
        done = opslib.run_playbook("database:credentials", given)
        assert ended(done) is Status.CHANGED
        assert verify("database:credentials", given) == 0
        for report in (failed, done):
            for secret in (system.password, CANARY):
                assert secret not in json.dumps(report.to_dict())
    finally:
        system.sql(f"ALTER ROLE ai_cost PASSWORD '{system.password}'")
        system.configure()
        system.restart()


@pytest.mark.parametrize("engine", ["ssh", "ansible"])
def test_a_password_from_the_controller_is_not_shown(system: System, tmp_path: Path, engine: Any) -> None:
    given = inventory(system, tmp_path)
    place = {"database_host": "127.0.0.1", "database_user": "ai_cost", "database_password": CANARY}
    own = {**place, "database_env_file": None}
    with Watched(CANARY) as watched:
        report = opslib.run_playbook("database:check", given, engine=engine, extra_vars=own)
    assert "the password of role ai_cost is wrong" in str(report.hosts[system.host.name].failure)
    assert watched.found == set()
    assert CANARY not in json.dumps(report.to_dict())
