"""The task `postgres_restore` on a real host: the old data serves until the new is complete, services come back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from opslib import HostResult, Status, tasks
from opslib.host.task import Task
from support import database
from support.database import ADMIN, FOLDER, counts, databases, files, manifest, newest
from support.hosts import eventually
from support.system import System

COUNT = "SELECT count(*) FROM cost_records"


def restore(system: System, **parameters: Any) -> Task:
    given = {**ADMIN, "folder": FOLDER, "keep_free": 0, "units": [system.unit], "settle": 0.5, "start_timeout": "30s"}
    return tasks.postgres_restore(**{**given, **parameters})


def data(result: HostResult) -> Any:
    return result.steps[0].data


def serves(system: System) -> bool:
    """Whether the service runs, and answers within the time that it needs to start on a busy machine."""
    return system.witness.service(system.unit).is_running and eventually(lambda: system.get("/health/db")[0] == 200)


@pytest.fixture
def system(standing_system: System) -> Iterator[System]:
    """The sample system with a backup, after which records were lost."""
    system = standing_system
    if lost(system):
        system.begin()
    if "ballast" not in system.sql("SELECT tablename FROM pg_tables"):
        database.ballast(system, 1000)
    made = system.apply(tasks.postgres_backup(**ADMIN, folder=FOLDER, keep_free=0, max_age=0))
    assert made.status is Status.CHANGED, made.failure
    system.sql("DELETE FROM cost_records WHERE user_id IN ('alice', 'bob')")
    yield system
    if not serves(system) or databases(system) != {"ai_cost", "postgres"}:
        system.reset()
    system.host.run(["rm", "-rf", FOLDER])


def lost(system: System) -> bool:
    return system.sql("SELECT count(*) FROM cost_records WHERE user_id IN ('alice', 'bob')") == "0"


def test_restore(system: System) -> None:
    name, before = newest(system), counts(system)
    settings = "ALTER DATABASE ai_cost SET work_mem = '5MB'; ALTER ROLE ai_cost IN DATABASE ai_cost SET search_path = a, public"
    system.sql(
        f"{settings}; COMMENT ON DATABASE ai_cost IS 'it''s \\ ours'; GRANT CREATE ON DATABASE ai_cost TO PUBLIC"
    )
    properties = "SELECT datdba, (SELECT array_agg(a ORDER BY a::text) FROM unnest(datacl) a), datcollate FROM pg_database WHERE datname = 'ai_cost'"
    properties += "; SELECT setrole, setconfig FROM pg_db_role_setting ORDER BY 1; SELECT description FROM pg_shdescription ORDER BY 1"
    belongs = system.sql(properties)
    planned = system.rehearse(restore(system))
    assert planned.status is Status.CHANGED, planned.failure
    assert lost(system)
    done = system.apply(restore(system))
    assert done.status is Status.CHANGED, done.failure
    assert f"stop {system.unit}, back up what is there" in done.steps[0].changes[0].summary
    assert counts(system)["public.cost_records"] == manifest(system, name)["tables"]["public.cost_records"]
    assert counts(system)["public.cost_records"] > before["public.cost_records"]
    assert system.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'ballast'") == "ai_cost"
    assert serves(system)
    assert databases(system) == {"ai_cost", "postgres"}
    assert system.sql(properties) == belongs
    (safety,) = files(system, "ai_cost-safety-*.dump")
    assert data(done)["safety_backup"] == f"{FOLDER}/{safety}"
    assert manifest(system, safety[:-5])["tables"]["public.cost_records"] == before["public.cost_records"]
    assert not files(system, "*.restoring")
    again = system.apply(restore(system))
    assert again.status is Status.OK, again.failure
    assert "again: true restores it once more" in str(again.steps[0].reason)
    # What was there before comes back from the safety backup, and only when it is named.
    undone = system.apply(restore(system, backup=safety[:-5], keep_old=True))
    assert undone.status is Status.CHANGED, undone.failure
    assert lost(system)
    old = data(undone)["old_database"]
    assert old in databases(system)
    assert int(system.sql(COUNT, old)) > before["public.cost_records"]
    system.sql(
        f"DROP DATABASE {old}; ALTER DATABASE ai_cost RESET work_mem; ALTER ROLE ai_cost IN DATABASE ai_cost RESET ALL"
    )


def test_restore_that_fails_half_way(system: System) -> None:
    database.spoil(system, newest(system))
    before = counts(system)
    failed = system.apply(restore(system))
    assert "pg_restore failed" in str(failed.failure)
    assert f"the database is as it was before, and {system.unit} runs again" in str(failed.failure)
    assert counts(system) == before
    assert serves(system)
    assert databases(system) == {"ai_cost", "postgres"}
    assert not files(system, "*.restoring")
    system.host.run(["bash", "-c", f"rm {FOLDER}/{newest(system)}*"])
    assert system.apply(tasks.postgres_backup(**ADMIN, folder=FOLDER, keep_free=0)).status is Status.CHANGED


def test_backup_with_other_rows_is_not_taken(system: System) -> None:
    name = newest(system)
    tables = manifest(system, name)["tables"]
    manifest(system, name, tables={**tables, "public.cost_records": 7})
    failed = system.apply(restore(system))
    assert "restores to something else than was backed up: public.cost_records has" in str(failed.failure)
    assert lost(system)
    assert serves(system)
    assert databases(system) == {"ai_cost", "postgres"}
    manifest(system, name, tables=tables)


def test_broken_backups_are_refused_before_anything_stops(system: System) -> None:
    name = newest(system)
    size = manifest(system, name)["bytes"]
    pid = system.host.run(["systemctl", "show", "-p", "MainPID", system.unit]).stdout
    manifest(system, name, bytes=size + 1)
    cases = {
        "instead of": {},
        "no backup ai_cost-20200101-000000": {"backup": "ai_cost-20200101-000000"},
        "nonsense.service is not known to systemd": {"units": ["nonsense"]},
    }
    for words, parameters in cases.items():
        if parameters:
            manifest(system, name, bytes=size)
        assert words in str(system.apply(restore(system, **parameters)).failure)
    weak = system.apply(tasks.postgres_restore(env_file=system.env_file, folder=FOLDER))
    assert "role ai_cost may not create databases: give system_user, or method: in_place" in str(weak.failure)
    assert system.host.run(["systemctl", "show", "-p", "MainPID", system.unit]).stdout == pid


CUTTER = """
import os, select, socket, sys, threading

def serve(near, how, word):
    far, asked = socket.create_connection(("127.0.0.1", 5432)), b""
    while True:
        for one in select.select([near, far], [], [])[0]:
            data = one.recv(65536)
            if one is near:
                asked += data
                last = word.encode() in asked and b"COMMIT" in data
                if last and how != "before":
                    far.sendall(data)
                    far.recv(65536)
                if last:
                    near.close()
                    far.close()
                    return os._exit(0) if how == "gone" else None
            if not data:
                return (near.close(), far.close())
            (far if one is near else near).sendall(data)

server = socket.create_server(("127.0.0.1", 5433))
while True:
    threading.Thread(target=serve, args=(server.accept()[0], *sys.argv[1:])).start()
"""


@contextmanager
def cut_at_commit(system: System, how: str, word: str = "RENAME TO") -> Iterator[dict[str, Any]]:
    """Settings of connections that break off at the COMMIT after a word: `before` or `after` it, or for good (`gone`)."""
    system.host.write("/srv/cutter.py", CUTTER)
    system.host.run(["systemd-run", "-q", "--unit=cutter", "python3", "/srv/cutter.py", how, word])
    assert eventually(lambda: ":5433" in system.host.run(["ss", "-Htln"]).stdout)
    given = {"host": "127.0.0.1", "port": 5433, "user": "ai_cost", "password": system.password, "database": "ai_cost"}
    yield {**given, "system_user": None, "sslmode": "disable", "connect_timeout": 0.5}
    system.host.run(["systemctl", "stop", "cutter"], check=False)


def test_connection_lost_at_the_commit(system: System) -> None:
    """What has become of the databases is looked up; where it cannot be, that is said and the next run puts it right."""
    system.sql("ALTER ROLE ai_cost SUPERUSER")
    with cut_at_commit(system, "before") as way:
        undone = system.apply(restore(system, **way, units=[], safety=False))
    assert "the database is as it was before" in str(undone.failure)
    assert lost(system)
    assert databases(system) == {"ai_cost", "postgres"}
    with cut_at_commit(system, "gone") as way:
        unknown = system.apply(restore(system, **way, safety=False))
    assert "whether database ai_cost has been replaced is not known" in str(unknown.failure)
    assert "the next run finds out" in str(unknown.failure)
    assert "as it was before" not in str(unknown.failure)
    assert serves(system)
    assert len(databases(system)) == 3
    with cut_at_commit(system, "after") as way:
        done = system.apply(restore(system, **way, units=[], safety=False))
    assert done.status is Status.CHANGED, done.failure
    assert done.steps[0].changes[0].summary.startswith("put right what a restore that was cut short left")
    assert not lost(system)
    system.sql("DELETE FROM cost_records WHERE user_id IN ('alice', 'bob')")
    with cut_at_commit(system, "after", "CREATE TABLE") as way:
        failed = system.apply(restore(system, **way, units=[], safety=False, method="in_place", again=True))
    assert "the database is restored in place all the same" in str(failed.failure)
    system.sql("ALTER ROLE ai_cost NOSUPERUSER")
    assert not lost(system)
    assert serves(system)
    assert databases(system) == {"ai_cost", "postgres"}


def test_service_that_does_not_come_back_keeps_the_old_data(system: System) -> None:
    drop_in = f"/etc/systemd/system/{system.unit}.d/bad.conf"
    system.host.write(drop_in, "[Service]\nExecStartPre=/bin/false\n")
    system.host.run(["systemctl", "daemon-reload"])
    failed = system.apply(restore(system))
    assert "database ai_cost is restored, but" in str(failed.failure)
    (old,) = databases(system) - {"ai_cost", "postgres"}
    assert f"what it held before is in database {old}" in str(failed.failure)
    assert system.sql(COUNT + " WHERE user_id = 'alice'", old) == "0"
    assert not lost(system)
    system.host.run(["rm", drop_in])
    system.host.run(["systemctl", "daemon-reload"])
    again = system.apply(restore(system))  # which knows that the unit is to run
    assert again.status is Status.CHANGED, again.failure
    assert serves(system)
    assert old in databases(system)
    assert system.apply(restore(system)).status is Status.OK
    system.sql(f"DROP DATABASE {old}")


def test_a_unit_that_does_not_start_after_a_failed_restore_is_started_by_the_next(system: System) -> None:
    drop_in = f"/etc/systemd/system/{system.unit}.d/bad.conf"
    system.host.write(drop_in, "[Service]\nExecStartPre=/bin/false\n")
    system.host.run(["systemctl", "daemon-reload"])
    database.spoil(system, newest(system))
    failed = system.apply(restore(system))
    assert "the database is as it was before; " in str(failed.failure)
    assert not system.witness.service(system.unit).is_running
    system.host.run(["rm", drop_in])
    system.host.run(["systemctl", "daemon-reload"])
    assert "pg_restore failed" in str(system.apply(restore(system)).failure)
    assert serves(system)
    assert not files(system, "*.restoring")
    system.host.run(["bash", "-c", f"rm {FOLDER}/{newest(system)}*"])
    assert system.apply(tasks.postgres_backup(**ADMIN, folder=FOLDER, keep_free=0)).status is Status.CHANGED


def test_what_belongs_to_the_database_itself_is_kept(system: System) -> None:
    """Its tablespace, that nobody but the superuser may enter, and that nobody may write."""
    system.host.run(["install", "-d", "-o", "postgres", "-m", "700", "/srv/space"])
    system.sql("CREATE TABLESPACE big LOCATION '/srv/space'", "postgres")
    system.host.run(["systemctl", "stop", system.unit])
    system.sql("ALTER DATABASE ai_cost SET TABLESPACE big", "postgres")
    system.sql("REVOKE ALL ON DATABASE ai_cost FROM PUBLIC, ai_cost", "postgres")
    facts = (
        "SELECT datacl::text, spcname, has_database_privilege('ai_cost', datname, 'CONNECT') FROM pg_database d "
        "JOIN pg_tablespace t ON t.oid = dattablespace WHERE datname = 'ai_cost'"
    )
    system.sql("ALTER DATABASE ai_cost SET default_transaction_read_only = on", "postgres")
    before = system.sql(facts, "postgres")
    done = system.apply(restore(system, units=[]))
    assert done.status is Status.CHANGED, done.failure
    assert system.sql(facts, "postgres") == before
    assert "|big|" in before
    assert system.sql("SHOW default_transaction_read_only") == "on"
    system.sql("ALTER DATABASE ai_cost RESET default_transaction_read_only", "postgres")
    system.sql("GRANT ALL ON DATABASE ai_cost TO PUBLIC, ai_cost", "postgres")
    system.sql("ALTER DATABASE ai_cost SET TABLESPACE pg_default", "postgres")
    system.sql("DROP TABLESPACE big", "postgres")
    system.restart()


def test_missing_database_is_created(system: System) -> None:
    system.host.run(["systemctl", "stop", system.unit])
    system.sql("DROP DATABASE ai_cost WITH (FORCE)", "postgres")
    done = system.apply(restore(system))
    assert done.status is Status.CHANGED, done.failure
    assert done.steps[0].changes[0].before == "no such database"
    assert system.sql("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'ai_cost'") == "ai_cost"
    assert counts(system) == manifest(system, newest(system))["tables"]
    system.host.run(["systemctl", "start", system.unit])
    system.await_up()


def test_in_place_over_another_backup_that_fails(system: System) -> None:
    """Nothing says any more that the database is made from the first: it is restored again when asked for."""
    first = newest(system)
    given = {"method": "in_place", "database": "ai_cost"}
    assert system.apply(restore(system, backup=first, **given)).status is Status.CHANGED
    assert system.apply(restore(system, backup=first, **given)).status is Status.OK
    assert system.apply(tasks.postgres_backup(**ADMIN, folder=FOLDER, keep_free=0, max_age=0)).failure is None
    second = newest(system)
    assert second != first
    tables = manifest(system, second)["tables"]
    manifest(system, second, tables={**tables, "public.cost_records": 7})  # so that it is found wrong, when it is in
    assert "restores to something else" in str(system.apply(restore(system, backup=second, **given)).failure)
    assert system.apply(restore(system, backup=first, **given), check=True).status is Status.CHANGED
    system.host.run(["bash", "-c", f"rm {FOLDER}/{second}*"])


def test_in_place_as_the_application(system: System) -> None:
    system.host.run(["rm", "-rf", FOLDER])
    mine = {"env_file": system.env_file, "folder": FOLDER, "keep_free": 0}
    assert system.apply(tasks.postgres_backup(**mine)).status is Status.CHANGED
    expected = counts(system)
    system.sql("DELETE FROM cost_records WHERE user_id = 'carol'; CREATE TABLE later AS SELECT 1 AS a")
    system.sql("ALTER TABLE later OWNER TO ai_cost")
    task = tasks.postgres_restore(**mine, method="in_place", units=[system.unit], settle=0)
    done = system.apply(task)
    assert done.status is Status.CHANGED, done.failure
    assert counts(system) == {**expected, "public.later": 1}
    assert serves(system)
    assert system.apply(task).status is Status.OK
    system.sql("DELETE FROM cost_records WHERE user_id = 'carol'; DROP TABLE later")
    before = counts(system)
    database.spoil(system, newest(system))
    failed = system.apply(tasks.postgres_restore(**mine, method="in_place", units=[system.unit], settle=0))
    assert "pg_restore failed" in str(failed.failure)
    assert counts(system) == before
    assert serves(system)
    system.host.run(["bash", "-c", f"rm {FOLDER}/*"])
    assert system.apply(tasks.postgres_backup(**ADMIN, folder=FOLDER, keep_free=0)).status is Status.CHANGED


def test_the_run_is_killed_and_the_next_puts_it_right(system: System) -> None:
    system.sql("DROP TABLE ballast")
    database.ballast(system)
    made = system.apply(tasks.postgres_backup(**ADMIN, folder=FOLDER, keep_free=0, max_age=0))
    assert made.status is Status.CHANGED, made.failure
    task = restore(system, safety=False)

    def strike() -> bool:
        return len(databases(system)) > 2 and database.kill(system, "python3")

    assert database.interrupted(system, task, strike).status in (Status.FAILED, Status.UNREACHABLE)
    assert not system.witness.service(system.unit).is_running
    assert lost(system)
    mended = system.apply(task)
    assert mended.status is Status.CHANGED, mended.failure
    first = mended.steps[0].changes[0].summary
    assert first == "put right what a restore that was cut short left"
    assert mended.steps[0].changes[1].summary.endswith(f"start {system.unit}")
    assert serves(system)
    assert databases(system) == {"ai_cost", "postgres"}
    assert not files(system, "*.restoring")
