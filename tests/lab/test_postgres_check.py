"""The tasks `postgres_check`, `postgres_queries` and `stale_credentials` on a real host with a real PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from opslib import HostResult, Status, tasks
from opslib.host.task import Task
from support.hosts import eventually
from support.system import System

ADMIN: dict[str, Any] = {"system_user": "postgres", "database": "ai_cost"}
CLUSTER = "/etc/postgresql/15/main"


def check(system: System, **parameters: Any) -> Task:
    """Return the check as the service's operators would write it."""
    return tasks.postgres_check(**{"env_file": system.env_file, "connect_timeout": 4, **parameters})


def data(result: HostResult) -> Any:
    return result.steps[0].data


def direct(system: System, **parameters: Any) -> Task:
    """Return a check that names everything itself."""
    given = {"host": "127.0.0.1", "user": "ai_cost", "password": system.password, "database": "ai_cost"}
    return tasks.postgres_check(**{**given, "connect_timeout": 4, **parameters})


@pytest.mark.parametrize("login", ["root", "pat"])
def test_a_database_that_is_well(standing_system: System, login: str) -> None:
    system = standing_system
    planned = system.rehearse(check(system), login=login)
    assert planned.status is Status.OK, planned.failure
    result = system.apply(check(system), login=login)
    assert result.status is Status.OK
    found = data(result)
    assert found["server_version"].startswith("15.")
    assert found["tls"]["version"] == "TLSv1.3"
    assert found["user"] == "ai_cost"
    limit = int(system.sql("SHOW max_connections")) - int(system.sql("SHOW superuser_reserved_connections"))
    assert found["connections"]["limit"] == limit
    assert 0 < found["connections"]["used"] < limit
    assert found["database_bytes"] == pytest.approx(int(system.sql("SELECT pg_database_size('ai_cost')")), rel=0.2)
    assert system.password not in str(result.to_dict())


def test_peer_authentication(standing_system: System) -> None:
    result = standing_system.apply(tasks.postgres_check(**ADMIN))
    assert result.status is Status.OK, result.failure
    assert data(result)["user"] == "postgres"
    assert data(result)["tls"] is None
    denied = standing_system.apply(tasks.postgres_check(system_user="postgres", user="ai_cost", database="ai_cost"))
    assert data(denied)["wrong"] == "credentials"
    assert "Peer authentication failed" in str(denied.failure)


@pytest.mark.parametrize(
    ("parameters", "wrong", "words"),
    [
        ({"host": "database.invalid"}, "name", "the name database.invalid does not resolve"),
        ({"port": 5999}, "reach", "connection refused: nothing listens on 127.0.0.1 port 5999"),
        ({"port": 22}, "reach", "is not PostgreSQL; it says SSH-2.0"),
        ({"port": 8000}, "reach", "is not PostgreSQL; it says HTTP"),
        ({"host": "/nowhere"}, "reach", "no server listens on the socket /nowhere/.s.PGSQL.5432"),
        ({"password": "wrong horse"}, "credentials", "the password of role ai_cost is wrong, or there is no such role"),
        ({"user": "nobody here"}, "credentials", "the password of role nobody here is wrong, or there is no such role"),
        ({"password": None}, "credentials", "the server asks for a password, and none was given"),
        ({"database": 'no "such" \\ one'}, "database", 'there is no database no "such" \\ one'),
        ({"sslmode": "verify-full"}, "tls", "its certificate is for another"),
        ({"sslmode": "verify-ca", "ca_file": "/etc/nothing.pem"}, "tls", "ca_file /etc/nothing.pem cannot be used"),
        ({"fail_connections": 0, "warn_connections": 0}, "connections", "connections of the server are used"),
        ({"least_version": 99}, "version", "the server is PostgreSQL 15."),
        ({"max_latency": 0}, "latency", "a small statement takes"),
    ],
)
def test_what_is_wrong_is_named(standing_system: System, parameters: Any, wrong: str, words: str) -> None:
    result = standing_system.apply(direct(standing_system, **parameters))
    assert result.status is Status.FAILED
    assert data(result)["wrong"] == wrong, result.failure
    assert words in str(result.failure)


def test_a_listener_that_never_speaks(standing_system: System) -> None:
    with standing_system.lab.silent_listener() as (address, port):
        result = standing_system.apply(direct(standing_system, host=address, port=port, connect_timeout=0.5))
    assert data(result)["wrong"] == "reach"
    assert "time ran out after 0.5 seconds, while waiting for its answer to the request for TLS" in str(result.failure)


def test_too_many_connections(standing_system: System) -> None:
    standing_system.sql("ALTER ROLE ai_cost CONNECTION LIMIT 0")
    try:
        result = standing_system.apply(check(standing_system))
    finally:
        standing_system.sql("ALTER ROLE ai_cost CONNECTION LIMIT -1")
    assert data(result)["wrong"] == "connections", result.failure
    assert 'too many connections for role "ai_cost"' in str(result.failure)


def test_near_the_limit_of_a_database(standing_system: System) -> None:
    standing_system.sql("ALTER DATABASE ai_cost CONNECTION LIMIT 1000")
    try:
        standing_system.sql("ALTER ROLE ai_cost CONNECTION LIMIT 3")
        result = standing_system.apply(check(standing_system, warn_connections=5, fail_connections=99.9))
        assert data(result)["connections"]["of"] == "role"
        assert data(result)["connections"]["limit"] == 3
    finally:
        standing_system.sql("ALTER DATABASE ai_cost CONNECTION LIMIT -1; ALTER ROLE ai_cost CONNECTION LIMIT -1")


@pytest.fixture
def configured(standing_system: System) -> Iterator[Any]:
    """`configured(file, text)` puts a text before a file of the cluster's configuration, for one test."""
    system, before = standing_system, {}

    def put(name: str, text: str, *, restart: bool = False) -> None:
        path = f"{CLUSTER}/{name}"
        before.setdefault(path, system.host.read(path))
        system.host.write(
            path, text + before[path] if name == "pg_hba.conf" else before[path] + text, 0o640, "postgres"
        )
        system.host.run(["systemctl", "restart" if restart else "reload", "postgresql@15-main"])

    yield put
    for path, text in before.items():
        system.host.write(path, text, 0o640, "postgres")
    system.host.run(["systemctl", "restart", "postgresql@15-main"])
    system.await_up()


def test_refused_by_the_access_rules(standing_system: System, configured: Any) -> None:
    configured("pg_hba.conf", "host all ai_cost 127.0.0.1/32 reject\n")
    assert eventually(lambda: "pg_hba.conf" in str(standing_system.apply(check(standing_system)).failure))
    result = standing_system.apply(check(standing_system))
    assert data(result)["wrong"] == "rejected"


def test_tls_that_the_server_has_not(standing_system: System, configured: Any) -> None:
    configured("postgresql.conf", "ssl = off\n", restart=True)
    result = standing_system.apply(check(standing_system, sslmode="require"))
    assert data(result)["wrong"] == "tls"
    assert "the server speaks no TLS, and sslmode require asks for it" in str(result.failure)
    without = standing_system.apply(check(standing_system))
    assert without.status is Status.OK, without.failure
    assert data(without)["tls"] is None


def test_a_certificate_that_is_trusted_and_one_for_another_host(standing_system: System, configured: Any) -> None:
    script = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=db.test "
        "-addext subjectAltName=DNS:localhost -keyout /tmp/db.key -out /etc/ssl/db.pem 2>/dev/null && "
        "install -o postgres -m 600 /tmp/db.key /etc/ssl/db.key && rm /tmp/db.key"
    )
    standing_system.host.run(["bash", "-c", script])
    configured("postgresql.conf", "ssl_cert_file = '/etc/ssl/db.pem'\nssl_key_file = '/etc/ssl/db.key'\n", restart=True)
    unknown = standing_system.apply(direct(standing_system, host="localhost", sslmode="verify-full"))
    assert data(unknown)["wrong"] == "tls"
    assert "its certificate is self-signed, so no known authority vouches for it" in str(unknown.failure)
    trusted = {"sslmode": "verify-full", "ca_file": "/etc/ssl/db.pem"}
    good = standing_system.apply(direct(standing_system, host="localhost", **trusted))
    assert good.status is Status.OK, good.failure
    other = standing_system.apply(direct(standing_system, host="127.0.0.1", **trusted))
    assert data(other)["wrong"] == "tls"
    assert "its certificate is for another" in str(other.failure)


def test_a_server_that_is_down_or_frozen(standing_system: System) -> None:
    system = standing_system
    system.stop_database()
    try:
        result = system.apply(check(system))
    finally:
        system.start_database()
        system.await_up()
    assert data(result)["wrong"] == "reach"
    assert "connection refused: nothing listens on 127.0.0.1 port 5432" in str(result.failure)
    leader = int(system.host.read("/var/lib/postgresql/15/main/postmaster.pid").split()[0])
    (outer,) = [process.outer_pid for process in system.host.pids() if process.pid == leader]
    with ExitStack() as stack:
        stack.callback(os.kill, outer, 18)
        os.kill(outer, 19)
        result = system.apply(check(system, connect_timeout=0.5))
    assert data(result)["wrong"] == "reach"
    assert "time ran out after 0.5 seconds" in str(result.failure)


def test_environment_files_that_do_not_help(standing_system: System) -> None:
    host = standing_system.host
    host.write(
        "/etc/broken.env", "DATABASE_URL=mysql://u:hush-hush@h/d\nOTHER='postgresql://u:hush-hush@h:port/d'\n", 0o600
    )
    cases = {
        "DATABASE_URL": "is no URL of a database: it does not begin with postgresql://",
        "OTHER": "is no URL of a database: its port is no number",
        "MISSING": "/etc/broken.env holds no MISSING",
    }
    for key, words in cases.items():
        result = standing_system.apply(tasks.postgres_check(env_file="/etc/broken.env", env_key=key))
        assert words in str(result.failure)
        assert "hush" not in str(result.to_dict())
    host.run(["rm", "/etc/broken.env"])
    gone = standing_system.apply(tasks.postgres_check(env_file="/etc/broken.env"))
    assert "environment file /etc/broken.env cannot be read: No such file or directory" in str(gone.failure)


# What makes it slow

SLOW = """
CREATE TABLE big AS SELECT i AS id, repeat('x', 100) AS t FROM generate_series(1, 20000) i;
CREATE INDEX big_t ON big (t, id);
CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int, parent_id int REFERENCES parent);
SELECT sum(id) FROM big WHERE id > 1; SELECT pg_stat_statements_reset();
SELECT pg_sleep(0.3), 'hush-hush' AS secret; ALTER ROLE ai_cost PASSWORD 'hush-hush' VALID UNTIL 'infinity';
"""


def test_slow_queries(standing_system: System) -> None:
    system = standing_system
    system.sql(SLOW)
    try:
        seen = {"min_table": "100K", "min_index": "100K", "slow": "200ms"}
        result = system.rehearse(tasks.postgres_queries(**ADMIN, **seen))
        assert result.status is Status.OK, result.failure
        found = data(result)
        assert found["extension"] == "ready"
        (slow,) = found["slow"]
        assert slow["calls"] == 1
        assert 0.3 <= slow["mean_seconds"] < 5

        def told() -> Any:
            return data(system.apply(tasks.postgres_queries(**ADMIN, **seen)))

        # The server tells of tables and indexes a little later.
        assert eventually(lambda: "public.big" in [each["table"] for each in told()["sequential_scans"]])
        assert eventually(lambda: "public.big_t" in [each["index"] for each in told()["unused_indexes"]])
        assert "public.child" in [each["table"] for each in found["missing_indexes"]]
        every = system.apply(tasks.postgres_queries(**ADMIN, slow="1ms", top=1000))
        assert "ALTER ROLE" in str(data(every)["slow"])
        assert "hush" not in str(every.to_dict())
        failed = system.apply(tasks.postgres_queries(**ADMIN, **seen, fail=0))
        assert "1 statement is slower than 0.2 s on average; at most 0 may be" in str(failed.failure)
    finally:
        system.sql(f"DROP TABLE big, child, parent; ALTER ROLE ai_cost PASSWORD '{system.password}'")


def test_slow_queries_without_the_extension(standing_system: System) -> None:
    other = {"system_user": "postgres", "database": "postgres"}
    result = standing_system.apply(tasks.postgres_queries(**other))
    assert data(result)["extension"] == "not created"
    assert "run CREATE EXTENSION pg_stat_statements in this database" in str(result.steps[0].warnings)
    failed = standing_system.apply(tasks.postgres_queries(**other, fail=3))
    assert "slow statements cannot be counted" in str(failed.failure)


# Restarts only where credentials changed


def main_pid(system: System) -> int:
    return int(system.host.run(["systemctl", "show", "--value", "-p", "MainPID", system.unit]).stdout)


def stale(system: System, **parameters: Any) -> Task:
    health = system.url("/health/db")
    given = {"unit": system.unit, "env_file": system.env_file, "keys": ["DATABASE_URL"], "settle": 0.5, "http": health}
    return tasks.stale_credentials(**{**given, **parameters})


def test_restart_only_when_credentials_changed(standing_system: System) -> None:
    system, new = standing_system, "red-crane-1984"
    before = main_pid(system)
    same = system.apply(stale(system))
    assert same.status is Status.OK, same.failure
    system.configure(SCHEDULER_TIMEZONE="Europe/Rome")
    assert system.apply(stale(system)).status is Status.OK
    assert main_pid(system) == before
    system.sql(f"ALTER ROLE ai_cost PASSWORD '{new}'")
    url = system.environment["DATABASE_URL"].replace(system.password, new)
    system.configure(DATABASE_URL=url)
    try:
        planned = system.rehearse([check(system), stale(system)])
        assert planned.status is Status.CHANGED, planned.failure
        assert main_pid(system) == before
        done = system.apply([check(system), stale(system)])
        assert done.status is Status.CHANGED, done.failure
        assert (
            done.steps[1].changes[0].summary.startswith(f"restart {system.unit}, which runs with another DATABASE_URL")
        )
        running = main_pid(system)
        assert running != before
        assert f"DATABASE_URL={url}" in system.host.read(f"/proc/{running}/environ").split("\0")
        for result in (planned, done):
            assert new not in str(result.to_dict())
        assert system.apply(stale(system)).status is Status.OK
        assert main_pid(system) == running
    finally:
        system.sql(f"ALTER ROLE ai_cost PASSWORD '{system.password}'")
        system.configure()
        system.restart()


def test_a_restart_that_changes_nothing_is_a_failure(standing_system: System) -> None:
    host = standing_system.host
    host.write("/etc/other.env", "DATABASE_URL=postgresql://ai_cost:other@127.0.0.1/ai_cost\n", 0o600)
    result = standing_system.apply(stale(standing_system, env_file="/etc/other.env", http=None))
    assert "still runs with another DATABASE_URL than /etc/other.env holds" in str(result.failure)
    standing_system.await_up()


def test_credentials_of_a_unit_that_does_not_run(standing_system: System) -> None:
    system = standing_system
    system.host.run(["systemctl", "stop", system.unit])
    try:
        result = system.apply(stale(system))
    finally:
        system.host.run(["systemctl", "start", system.unit])
        system.await_up()
    assert "has no running process (inactive (dead))" in str(result.failure)
