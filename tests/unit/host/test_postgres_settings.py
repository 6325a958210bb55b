"""Where a database is and who asks; and what every parameter of the tasks refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.params import ParamError
from opslib.host.postgres.settings import parse_url
from opslib.host.task import TaskError
from opslib.host.tasks.postgres_backup import PostgresBackup
from opslib.host.tasks.postgres_check import PostgresCheck
from opslib.host.tasks.postgres_compare import PostgresCompare
from opslib.host.tasks.postgres_proof import PostgresProof
from opslib.host.tasks.postgres_queries import PostgresQueries
from opslib.host.tasks.postgres_refresh import PostgresRefresh
from opslib.host.tasks.postgres_restore import PostgresRestore
from opslib.host.tasks.stale_credentials import StaleCredentials

FOLDERS = {"folder": "/var/backups/postgres"}
TASKS = {
    PostgresCheck: {},
    PostgresQueries: {},
    PostgresRefresh: {},
    PostgresBackup: FOLDERS,
    PostgresCompare: FOLDERS,
    PostgresProof: FOLDERS,
    PostgresRestore: FOLDERS,
}
BROKEN = ["a\nb", "a\0b", "\x1b[31m", "", "x" * 70000]
HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "\udcff", *BROKEN]
NOT_TEXT = [[], {}, True, b"x"]
TIMES = ["soon", -1, True, [], *HOSTILE]
NUMBERS = ["many", -1, 1.5, True, 10**9, [], *HOSTILE]
SIZES = ["much", -1, "5%", True, [], *HOSTILE]
SHARED = {
    "database": [*NOT_TEXT, *BROKEN, "\ud800"],
    "host": [*NOT_TEXT, *HOSTILE, "a,b", "u@h", "/" + "x" * 100, "/a/../b"],
    "port": ["http", 0, 65536, True, [], *HOSTILE],
    "user": [*NOT_TEXT, *BROKEN, "\ud800"],
    "password": [*NOT_TEXT, *BROKEN, "\ud800"],
    "env_file": ["app.env", "/a/../b", *NOT_TEXT, *HOSTILE],
    "env_key": [5, "A B", "A=B", *NOT_TEXT, *HOSTILE],
    "sslmode": ["allow", "yes", True, [], *HOSTILE],
    "ca_file": ["ca.pem", "/a/../b", *NOT_TEXT, *HOSTILE],
    "system_user": ["a b", "x" * 33, *NOT_TEXT, *HOSTILE],
    "connect_timeout": [0, *TIMES],
}
OWN = [
    (PostgresCheck, "max_latency", TIMES),
    (PostgresCheck, "warn_connections", ["101%", -1, True, [], *HOSTILE]),
    (PostgresCheck, "fail_connections", ["101%", -1, True, [], *HOSTILE]),
    (PostgresCheck, "least_version", ["new", 7, True, [], *HOSTILE]),
    (PostgresQueries, "slow", [0, *TIMES]),
    (PostgresQueries, "fail", NUMBERS),
    (PostgresQueries, "top", [0, *NUMBERS]),
    (PostgresQueries, "min_table", SIZES),
    (PostgresQueries, "min_index", SIZES),
    (PostgresBackup, "folder", ["backups", "/a/../b", *NOT_TEXT, *HOSTILE]),
    (PostgresBackup, "max_age", TIMES),
    (PostgresBackup, "keep", [0, *NUMBERS]),
    (PostgresBackup, "keep_for", TIMES),
    (PostgresBackup, "keep_free", SIZES),
    (PostgresBackup, "timeout", [0, *TIMES]),
    (PostgresCompare, "folder", ["backups", "/a/../b", *NOT_TEXT, *HOSTILE]),
    (PostgresCompare, "backup", [*NOT_TEXT, *BROKEN]),
    (PostgresCompare, "strict", ["maybe", 2, [], *HOSTILE]),
    (PostgresCompare, "timeout", [0, *TIMES]),
    (PostgresProof, "folder", ["backups", "/a/../b", *NOT_TEXT, *HOSTILE]),
    (PostgresProof, "backup", [*NOT_TEXT, *BROKEN]),
    (PostgresProof, "max_age", TIMES),
    (PostgresProof, "max_backup_age", [0, *TIMES]),
    (PostgresProof, "timeout", [0, *TIMES]),
    (PostgresRestore, "folder", ["backups", "/a/../b", *NOT_TEXT, *HOSTILE]),
    (PostgresRestore, "backup", [*NOT_TEXT, *BROKEN]),
    (
        PostgresRestore,
        "units",
        [5, {}, ["-x"], ["a b"], ["x" * 300], ["x"] * 51, ["a@.service"], *([t] for t in HOSTILE)],
    ),
    (PostgresRestore, "method", ["over", True, [], *HOSTILE]),
    (PostgresRestore, "safety", ["maybe", 2, [], *HOSTILE]),
    (PostgresRestore, "keep_old", ["maybe", 2, [], *HOSTILE]),
    (PostgresRestore, "again", ["maybe", 2, [], *HOSTILE]),
    (PostgresRestore, "keep_free", SIZES),
    (PostgresRestore, "settle", TIMES),
    (PostgresRestore, "start_timeout", [0, *TIMES]),
    (PostgresRestore, "timeout", [0, *TIMES]),
    (PostgresRefresh, "views", [5, {}, [], ["x"] * 1001, [5.5, {}], *([text] for text in BROKEN)]),
    (PostgresRefresh, "lock_timeout", [0, *TIMES]),
    (PostgresRefresh, "timeout", [0, *TIMES]),
]


def test_every_parameter_is_in_the_tables():
    for task in TASKS:
        own = {name for each, name, _values in OWN if each is task}
        assert own | set(SHARED) == set(task.parameters())


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", SHARED)
def test_bad_connections_are_refused_by_name(task, name):
    for value in SHARED[name]:
        with pytest.raises(ParamError, match="^%s: %s: " % (task.name, name)) as error:
            task(**dict(dict(TASKS[task], user="app"), **{name: value}))
        assert name != "password" or not value or str(value) not in str(error.value)


@pytest.mark.parametrize(("task", "name", "values"), OWN)
def test_bad_values_are_refused_by_name(task, name, values):
    for value in values:
        with pytest.raises(ParamError, match="^%s: %s: " % (task.name, name)):
            task(**dict(dict(TASKS[task], user="app"), **{name: value}))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("unit", ["-x", "a b", "x@.service", *NOT_TEXT, *HOSTILE]),
        ("env_file", ["app.env", "/a/../b", *NOT_TEXT, *HOSTILE]),
        ("keys", [5, {}, [], ["A B"], ["A=B"], ["X"] * 201, *([text] for text in HOSTILE)]),
        ("settle", TIMES),
        ("start_timeout", [0, *TIMES]),
        ("http", [5, [], True, "ftp://x", {"url": "x"}, {"link": "http://x"}, *HOSTILE]),
    ],
)
def test_stale_credentials_refuses_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^stale_credentials: %s: |^http_check: " % name):
            StaleCredentials(**dict({"unit": "app", "env_file": "/etc/app.env"}, **{name: value}))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "say who connects: give user, env_file or system_user"),
        ({"password": "p", "env_file": "/e", "user": "a"}, "give password or env_file, not both"),
        ({"user": "a", "sslmode": "require", "ca_file": "/ca.pem"}, "ca_file is for sslmode verify-ca or verify-full"),
        ({"system_user": "postgres", "host": "db1"}, "system_user is for the local socket"),
    ],
)
def test_contradictions(parameters, words):
    with pytest.raises(ParamError, match=words):
        PostgresCheck(**parameters)


def test_more_contradictions():
    with pytest.raises(ParamError, match="must not be above fail_connections"):
        PostgresCheck(user="a", warn_connections=90, fail_connections=80)
    for task in (PostgresCompare, PostgresProof, PostgresRestore):
        for args in ({"backup": "app-20250131-040500"}, {"database": "app", "backup": "../app-20250131-040500"}):
            with pytest.raises(ParamError, match="give database, and as backup the name of one of its backups"):
                task(user="a", folder="/b", **args)
    with pytest.raises(ParamError, match="keep_old is for method swap"):
        PostgresRestore(user="a", folder="/b", method="in_place", keep_old=True)
    with pytest.raises(ParamError, match="units names one unit twice"):
        PostgresRestore(user="a", folder="/b", units=["a", "a.service"])


def test_parameters_stay_the_same_when_checked_again():
    for task, args in TASKS.items():
        made = task(**dict(args, user="a", password="secret word", port="5433", connect_timeout="5s"))
        assert task(**made.args()) == made
        assert list(made.secrets()) == ["secret word"]
        assert "secret word" not in repr(made)


# URLs


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("postgresql://u:p@h:5433/d", {"user": "u", "password": "p", "host": "h", "port": "5433", "database": "d"}),
        ("postgres://u@h/d", {"user": "u", "host": "h", "database": "d"}),
        (
            "postgresql+asyncpg://u:p@h/d?ssl=require",
            {"user": "u", "password": "p", "host": "h", "database": "d", "sslmode": "require"},
        ),
        ("postgresql://u:p%40%2F%3A@h/a%20b", {"user": "u", "password": "p@/:", "host": "h", "database": "a b"}),
        ("postgresql://u:p@ss@h/d", {"user": "u", "password": "p@ss", "host": "h", "database": "d"}),
        ("postgresql://[::1]:5433/d", {"host": "::1", "port": "5433", "database": "d"}),
        ("postgresql://", {}),
        ("postgresql:///d?host=/run/pg&port=1", {"database": "d", "host": "/run/pg", "port": "1"}),
        (
            "postgresql://h?sslmode=verify-full&sslrootcert=/ca.pem",
            {"host": "h", "sslmode": "verify-full", "ca_file": "/ca.pem"},
        ),
        ("postgresql://h/d?sslmode=allow&application_name=x", {"host": "h", "database": "d", "sslmode": "prefer"}),
    ],
)
def test_urls(text, found):
    assert parse_url(text) == found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mysql://u:hush@h/d", "it does not begin with postgresql://"),
        ("hush", "it does not begin with"),
        ("postgresql://u:hush@h:port/d", "its port is no number"),
        ("postgresql://u:hush@h:99999/d", "its port is no number"),
        ("postgresql://u:hush@h1,h2/d", "its host is no host name"),
        ("postgresql://u:hush@-oProxyCommand/d", "its host is no host name"),
        ("postgresql://u:hush@h/d?sslmode=hush", "its sslmode is none of"),
        ("postgresql://u:hush%00@h/d", "it holds a NUL"),
    ],
)
def test_bad_urls_are_refused_and_not_repeated(text, words):
    with pytest.raises(ParamError, match=words) as error:
        parse_url(text)
    assert "hush" not in str(error.value)


@given(st.text(max_size=60))
def test_any_url_is_read_or_refused(text):
    try:
        found = parse_url("postgresql://" + text)
    except ParamError as error:
        assert text not in str(error) or len(text) < 8
    else:
        assert all(isinstance(value, str) and "\0" not in value for value in found.values())


# Together


def test_settings_from_a_file(tmp_path):
    file = tmp_path / "app.env"
    file.write_text("# c\nDATABASE_URL='postgresql://u:s3cret%21@db:5433/app?sslmode=verify-full'\nPW=just-this\n")
    task = PostgresCheck(env_file=str(file))
    settings = task.settings()
    assert (settings.host, settings.port, settings.user, settings.database) == ("db", 5433, "u", "app")
    assert settings.password == "s3cret!"
    assert {"s3cret!", "postgresql://u:s3cret%21@db:5433/app?sslmode=verify-full"} <= set(task.secrets())
    assert "s3cret" not in repr(settings)
    env = settings.environment()
    assert (env["PGPASSWORD"], env["PGSSLMODE"]) == ("s3cret!", "verify-full")
    assert env["PGSSLROOTCERT"] == "/etc/ssl/certs/ca-certificates.crt"
    other = PostgresCheck(
        env_file=str(file), database="b", host="127.0.0.1", port=1, user="c", sslmode="require"
    ).settings()
    assert (other.host, other.port, other.user, other.database, other.sslmode) == ("127.0.0.1", 1, "c", "b", "require")
    word = PostgresCheck(env_file=str(file), env_key="PW", user="a", host="h").settings()
    assert (word.password, word.database) == ("just-this", "a")
    with pytest.raises(TaskError, match="PW names no user; give user"):
        PostgresCheck(env_file=str(file), env_key="PW").settings()
    with pytest.raises(TaskError, match="holds no MISSING"):
        PostgresCheck(env_file=str(file), env_key="MISSING").settings()


def test_a_system_user_takes_only_the_database_from_a_url(tmp_path):
    (tmp_path / "app.env").write_text("DATABASE_URL=postgresql://u:hush@db:5433/app\n")
    settings = PostgresCheck(env_file=str(tmp_path / "app.env"), system_user="postgres").settings()
    assert (settings.host, settings.port, settings.user) == ("/var/run/postgresql", 5432, "postgres")
    assert (settings.database, settings.password) == ("app", None)


def test_settings_of_a_system_user():
    settings = PostgresCheck(system_user="postgres", database="app").settings()
    assert (settings.host, settings.user, settings.identity, settings.password) == (
        "/var/run/postgresql",
        "postgres",
        "postgres",
        None,
    )
    assert settings.local
    assert settings.environment()["PGSSLMODE"] == "disable"
    assert "PGPASSWORD" not in settings.environment()


def test_environment_file_that_cannot_be_read(tmp_path):
    with pytest.raises(TaskError, match="cannot be read: No such file"):
        PostgresCheck(env_file=str(tmp_path / "none")).settings()
    with pytest.raises(TaskError, match="cannot be read: Is a directory"):
        PostgresCheck(env_file=str(tmp_path)).settings()
    (tmp_path / "long").write_bytes(b"A=" + b"x" * (2 << 20))
    with pytest.raises(TaskError, match="longer than 1 MiB"):
        PostgresCheck(env_file=str(tmp_path / "long")).settings()
