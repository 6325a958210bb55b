"""The tasks `postgres_backup`, `postgres_proof` and `postgres_refresh` on a real host with a real PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from opslib import HostResult, Status, tasks
from opslib.host.task import Task
from support import database
from support.canaries import files_on
from support.database import ADMIN, FOLDER, counts, databases, files, manifest, newest
from support.system import System


def backup(**parameters: Any) -> Task:
    return tasks.postgres_backup(**{**ADMIN, "folder": FOLDER, "keep_free": 0, **parameters})


def proof(**parameters: Any) -> Task:
    return tasks.postgres_proof(**{**ADMIN, "folder": FOLDER, **parameters})


def data(result: HostResult) -> Any:
    return result.steps[0].data


@pytest.fixture
def system(standing_system: System) -> Iterator[System]:
    """The sample system, whose folder of backups is gone after each test."""
    yield standing_system
    standing_system.host.run(["rm", "-rf", FOLDER])
    standing_system.sql("DROP TABLE IF EXISTS ballast")


def is_whole(system: System, name: str) -> bool:
    """Whether PostgreSQL's and the system's own programs find a backup to be what its manifest says."""
    seen, told = system.witness, manifest(system, name)
    total = seen.check_output("sha256sum %s", f"{FOLDER}/{name}.dump").split()[0]
    held = seen.check_output("pg_restore --list %s", f"{FOLDER}/{name}.dump")
    assert total == told["sha256"]
    assert seen.file(f"{FOLDER}/{name}.dump").size == told["bytes"]
    return "TABLE DATA public cost_records" in held


@pytest.mark.parametrize("who", ["administrator", "application"])
def test_backup(system: System, who: str) -> None:
    how = ADMIN if who == "administrator" else {"env_file": system.env_file}
    task = tasks.postgres_backup(**how, folder=FOLDER, keep_free=0)
    planned = system.rehearse(task)
    assert planned.status is Status.CHANGED, planned.failure
    done = system.apply(task)
    assert done.status is Status.CHANGED, done.failure
    assert files(system) == [f"{newest(system)}.dump", f"{newest(system)}.json"]
    assert is_whole(system, newest(system))
    for name in (".", *files(system)):
        file = system.witness.file(f"{FOLDER}/{name}")
        assert (file.mode, file.user) == (0o700 if name == "." else 0o600, "root")
    expected = counts(system)
    told = manifest(system, newest(system))["tables"]
    assert set(told) == set(expected)
    assert told["public.cost_records"] == expected["public.cost_records"] > 0
    again = system.apply(task)
    assert again.status is Status.OK, again.failure
    assert data(again)["newest"] == f"{FOLDER}/{newest(system)}.dump"
    assert system.password not in json.dumps(done.to_dict()) + system.host.read(f"{FOLDER}/{newest(system)}.json")


def test_rows_are_counted_in_the_snapshot_that_is_dumped(system: System) -> None:
    database.ballast(system, 1000)
    writer = "while true; do psql -qXc 'INSERT INTO ballast SELECT 1 FROM generate_series(1, 50)' ai_cost; done"
    system.host.run(["systemd-run", "-q", "--unit=writer", "--uid=postgres", "bash", "-c", writer])
    try:
        assert system.apply(backup()).status is Status.CHANGED
        assert counts(system)["public.ballast"] > manifest(system, newest(system))["tables"]["public.ballast"]
        proven = system.apply(proof())
    finally:
        system.host.run(["systemctl", "stop", "writer"])
    assert proven.status is Status.CHANGED, proven.failure


def test_retention(system: System) -> None:
    for _run in range(2):
        assert system.apply(backup(max_age=0)).status is Status.CHANGED
    first, second = (name[:-5] for name in files(system, "*.dump"))
    others = ["notes.txt", "ai_cost-20200101-000000.dump", "ai_cost-20200102-000000.json", "other-20200101-000000.json"]
    for name in others:
        system.host.write(f"{FOLDER}/{name}", "{}")
    kept = system.apply(backup(max_age=0, keep=1, keep_for="1d"))
    assert data(kept)["removed"] == []
    removed = system.apply(backup(keep=2))
    assert removed.status is Status.CHANGED, removed.failure
    assert data(removed)["removed"] == [first]
    assert set(others) <= set(files(system))
    assert f"{second}.dump" in files(system)
    assert f"{first}.dump" not in files(system)
    # A broken backup counts for nothing: the last good one stays, and so does the broken one.
    system.host.run(["truncate", "-s", "-1", f"{FOLDER}/{newest(system)}.dump"])
    result = system.apply(backup(keep=1))
    assert "instead of" in str(result.steps[0].warnings)
    assert f"{second}.dump" in files(system)
    assert system.apply(backup(keep=1)).status is Status.OK


def test_pg_dump_is_killed(system: System) -> None:
    assert system.apply(backup()).status is Status.CHANGED
    before = files(system)
    database.ballast(system)

    def strike() -> bool:
        half = ["find", FOLDER, "-name", "*.partial", "-size", "+100k"]
        return bool(system.host.run(half, check=False).stdout) and database.kill(system, "pg_dump")

    killed = database.interrupted(system, backup(max_age=0), strike)
    assert "pg_dump was killed by signal 9" in str(killed.failure)
    assert files(system) == before
    assert is_whole(system, newest(system))


def test_the_run_is_killed(system: System) -> None:
    database.ballast(system)

    def strike() -> bool:
        return bool(files(system, "*.partial")) and database.kill(system, "python3")

    killed = database.interrupted(system, backup(), strike)
    assert killed.status in (Status.FAILED, Status.UNREACHABLE)
    assert len(files(system)) == 1
    mended = system.apply(backup())
    assert mended.status is Status.CHANGED, mended.failure
    assert "left by a run that was cut short" in mended.steps[0].changes[0].summary
    assert is_whole(system, newest(system))
    assert len(files(system)) == 2


def test_full_disk(system: System) -> None:
    assert system.apply(backup()).status is Status.CHANGED
    before = files(system)
    database.ballast(system)
    system.sql("CHECKPOINT")
    system.host.fill_disk(leave_bytes=4 << 20)
    try:
        refused = system.apply(backup(max_age=0, keep_free="10M"))
        full = system.apply(backup(max_age=0))
    finally:
        system.host.free_disk()
    assert "must stay free (keep_free)" in str(refused.failure)
    assert "No space left on device" in str(full.failure)
    assert files(system) == before
    assert is_whole(system, newest(system))


def test_space_is_watched(system: System) -> None:
    database.ballast(system)
    free = int(system.witness.check_output("df --output=avail -B1 /var/backups | tail -1"))
    result = system.apply(backup(keep_free=free - (3 << 20)))
    assert "pg_dump was ended: less than" in str(result.failure)
    assert files(system) == []


def test_server_is_down(system: System) -> None:
    assert system.apply(backup()).status is Status.CHANGED
    system.stop_database()
    try:
        results = [system.apply(each) for each in (backup(), proof(), tasks.postgres_refresh(**ADMIN))]
    finally:
        system.start_database()
        system.await_up()
    for result in results:
        assert "no server listens on the socket /var/run/postgresql/.s.PGSQL.5432" in str(result.failure)


def test_names_meant_to_confuse(system: System) -> None:
    name = "-d b'\"\\;$(id) é=x"
    quoted = '"' + name.replace('"', '""') + '"'
    system.sql(f"CREATE DATABASE {quoted}")
    try:
        script = 'CREATE SCHEMA "s\'"; CREATE TABLE "s\'"."t""\\ x" AS SELECT 1 AS a'
        system.host.run(["env", f"PGDATABASE={name}", "psql", "-qX"], input=script, user="postgres")
        hard = {"database": name, "system_user": "postgres"}
        done = system.apply([tasks.postgres_backup(**hard, folder=FOLDER), tasks.postgres_proof(**hard, folder=FOLDER)])
        assert done.status is Status.CHANGED, done.failure
        (told,) = [json.loads(system.host.read(f"{FOLDER}/{each}")) for each in files(system, "*.json")]
        assert told["database"] == name
        assert told["tables"] == {"s'.t\"\\ x": 1}
    finally:
        system.sql(f"DROP DATABASE {quoted}")


# Proof


def test_proof(system: System) -> None:
    assert system.apply(backup()).status is Status.CHANGED
    before = databases(system)
    planned = system.rehearse(proof())
    assert planned.status is Status.CHANGED, planned.failure
    done = system.apply(proof())
    assert done.status is Status.CHANGED, done.failure
    assert databases(system) == before
    assert system.witness.file(f"{FOLDER}/{newest(system)}.proof").mode == 0o600
    again = system.apply(proof())
    assert again.status is Status.OK
    assert data(again)["proven"]
    assert data(again)["rows"] == sum(manifest(system, newest(system))["tables"].values())
    late = system.apply(proof(max_backup_age="1s"))
    assert "at most 1 second were asked for (max_backup_age)" in str(late.failure)


def damage(system: System, how: str, name: str) -> None:
    """Spoil a backup in one of the ways that happen."""
    path, told = f"{FOLDER}/{name}.dump", manifest(system, name)
    middle = told["bytes"] // 2
    if how == "truncated":
        system.host.run(["truncate", "-s", str(middle), path])
    elif how in ("changed", "corrupt", "truncated before"):
        if how == "truncated before":
            system.host.run(["truncate", "-s", str(middle), path])
        else:
            system.host.run(
                ["bash", "-c", f"head -c 400 /dev/zero | dd of={path} bs=1 seek={middle} conv=notrunc 2>&1"]
            )
        if how != "changed":
            total = system.host.run(["sha256sum", path]).stdout.split()[0]
            size = int(system.host.run(["stat", "-c", "%s", path]).stdout)
            manifest(system, name, sha256=total, bytes=size)
    elif how == "other rows":
        manifest(system, name, tables={**told["tables"], "public.cost_records": 1, "public.gone": 5})
    elif how == "gone":
        system.host.run(["rm", path])


def test_a_proof_that_takes_longer_than_connections_may_idle(system: System) -> None:
    slow = "CREATE FUNCTION slow(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(3); RETURN i; END'"
    system.sql(f"CREATE TABLE one AS SELECT 1 AS i; {slow}; CREATE INDEX ON one (slow(i))")
    assert system.apply(backup()).status is Status.CHANGED
    before = databases(system)
    system.sql("ALTER ROLE postgres SET idle_session_timeout = '1500ms'", "postgres")
    try:
        done = system.apply(proof())
    finally:
        system.sql("ALTER ROLE postgres RESET idle_session_timeout", "postgres")
        system.sql("DROP TABLE one; DROP FUNCTION slow")
    assert done.status is Status.CHANGED, done.failure
    assert databases(system) == before


def test_bytes_of_no_encoding_are_backed_up_as_they_are(system: System) -> None:
    text = "TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
    system.sql(f"CREATE DATABASE bytes {text}", "postgres")
    system.sql(r"CREATE TABLE t (x text); INSERT INTO t VALUES (E'caf\xe9')", "bytes")
    try:
        for task in (backup(database="bytes"), proof(database="bytes")):
            done = system.apply(task)
            assert done.status is Status.CHANGED, done.failure
        dump = f"pg_restore -f - {FOLDER}/bytes-2*.dump | LC_ALL=C grep -c -a -P 'caf\\xe9'"
        assert system.host.run(["sh", "-c", dump]).stdout == "1\n"
    finally:
        system.sql("DROP DATABASE bytes", "postgres")
        system.host.run(["sh", "-c", f"rm -f {FOLDER}/bytes-*"])


DAMAGES = {
    "truncated": "instead of",
    "gone": "its dump cannot be looked at: No such file or directory",
    "changed": "its dump has another checksum than its manifest says",
    "corrupt": "cannot be read to its end: pg_restore failed",
    "truncated before": "cannot be read to its end: pg_restore failed",
    "other rows": "public.gone is missing",
}


@pytest.mark.parametrize("how", DAMAGES)
def test_broken_backups_are_not_proven(system: System, how: str) -> None:
    database.ballast(system, 5000)
    assert system.apply(backup()).status is Status.CHANGED
    before = databases(system)
    damage(system, how, newest(system) if how != "gone" else files(system, "*.json")[0][:-5])
    result = system.apply(proof())
    assert result.status is Status.FAILED
    assert DAMAGES[how] in str(result.failure)
    assert databases(system) == before
    assert files(system, "*.proof") == []


def test_proof_is_killed(system: System) -> None:
    database.ballast(system)
    assert system.apply(backup()).status is Status.CHANGED
    before = databases(system)

    def strike() -> bool:
        return len(databases(system)) > len(before) and database.kill(system, "python3")

    assert database.interrupted(system, proof(), strike).status in (Status.FAILED, Status.UNREACHABLE)
    assert len(databases(system)) == len(before) + 1
    mended = system.apply(proof())
    assert mended.status is Status.CHANGED, mended.failure
    assert "left by a run cut short" in mended.steps[0].changes[0].summary
    assert databases(system) == before


def test_proof_needs_a_backup_and_a_right(system: System) -> None:
    assert f"there is no backup of ai_cost in {FOLDER}" in str(system.apply(proof()).failure)
    assert system.apply(backup()).status is Status.CHANGED
    weak = system.apply(tasks.postgres_proof(env_file=system.env_file, folder=FOLDER))
    assert "role ai_cost may not create databases" in str(weak.failure)


# Materialized views

VIEWS = """
CREATE MATERIALIZED VIEW zz_first AS SELECT user_id, count(*) AS n FROM cost_records GROUP BY 1;
CREATE UNIQUE INDEX zz_first_user ON zz_first (user_id);
CREATE VIEW between AS SELECT * FROM zz_first;
CREATE MATERIALIZED VIEW aa_second AS SELECT sum(n) AS n FROM between;
CREATE MATERIALIZED VIEW empty AS SELECT 1 AS a WITH NO DATA;
"""


@pytest.fixture
def views(system: System) -> Iterator[System]:
    """Views: one with a unique index, one that reads it through another view, one that was never filled."""
    mine = {name for name in system.sql("SELECT matviewname FROM pg_matviews").splitlines()}
    system.sql(VIEWS)
    yield system
    system.sql("DROP MATERIALIZED VIEW empty, aa_second; DROP VIEW between; DROP MATERIALIZED VIEW zz_first")
    assert {name for name in system.sql("SELECT matviewname FROM pg_matviews").splitlines()} == mine


def test_refresh(views: System) -> None:
    before = int(views.sql("SELECT n FROM aa_second"))
    views.sql("DELETE FROM cost_records WHERE user_id = 'user50'")
    expected = int(views.sql("SELECT count(*) FROM cost_records"))
    assert expected < before
    asked = ["aa_second", "zz_first", "public.empty"]
    planned = views.rehearse(tasks.postgres_refresh(**ADMIN, views=asked))
    assert planned.status is Status.CHANGED, planned.failure
    done = views.apply(tasks.postgres_refresh(**ADMIN, views=asked))
    assert done.status is Status.CHANGED, done.failure
    told = {each["name"]: each["method"] for each in data(done)["views"]}
    assert told == {"public.zz_first": "concurrently", "public.empty": "plain", "public.aa_second": "plain"}
    assert list(told).index("public.zz_first") < list(told).index("public.aa_second")
    assert int(views.sql("SELECT n FROM aa_second")) == expected
    assert views.sql("SELECT a FROM empty") == "1"


def test_readers_are_not_locked_out_where_possible(views: System) -> None:
    psql = "psql -qXd ai_cost -c 'BEGIN; SELECT 1 FROM zz_first, aa_second; SELECT pg_sleep(600)'"
    views.host.run(["systemd-run", "-q", "--unit=reader", "--uid=postgres", "bash", "-c", psql])
    try:
        held = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND wait_event = 'PgSleep'"
        assert database.eventually(lambda: views.sql(held) == "1")
        first = views.apply(tasks.postgres_refresh(**ADMIN, views=["zz_first"], lock_timeout="500ms"))
        assert first.status is Status.CHANGED, first.failure
        second = views.apply(tasks.postgres_refresh(**ADMIN, views=["aa_second"], lock_timeout="500ms"))
        assert "public.aa_second was not refreshed" in str(second.failure)
        assert "55P03" in str(second.failure)
    finally:
        views.host.run(["systemctl", "kill", "--signal=KILL", "reader"], check=False)
        views.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)'")


def test_refresh_of_what_is_not_there_or_not_ours(views: System) -> None:
    missing = views.apply(tasks.postgres_refresh(**ADMIN, views=["no'pe"]))
    assert "there is no materialized view no'pe; there are" in str(missing.failure)
    other = views.apply(tasks.postgres_refresh(env_file=views.env_file, views=["zz_first"]))
    assert "role ai_cost is not the owner of public.zz_first" in str(other.failure)


def test_nothing_of_a_password_is_left_on_the_host(system: System) -> None:
    given = {"env_file": system.env_file, "folder": FOLDER}
    system.apply([tasks.postgres_backup(**given, keep_free=0), tasks.postgres_refresh(env_file=system.env_file)])
    folders = ["/tmp", "/var/log", "/var/backups", "/root", "/etc", "/home"]
    assert files_on(system.host, [system.password], folders=folders) == {system.env_file}
    journal = system.host.run(["journalctl", "--no-pager"]).stdout
    assert system.password not in journal
