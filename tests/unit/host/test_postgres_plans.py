"""What the checks, reports, refreshes and restores make of what they found."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.postgres import catalog, databases, programs, restoring
from opslib.host.postgres.faults import PostgresError
from opslib.host.postgres.restoring import Work
from opslib.host.postgres.settings import Settings
from opslib.host.postgres.statements import LONGEST, folded
from opslib.host.postgres.store import Backup, Store
from opslib.host.postgres.words import span
from opslib.host.system import processes
from opslib.host.task import TaskError
from opslib.host.tasks import stale_credentials
from opslib.host.tasks.postgres_check import PostgresCheck, nearest_limit
from opslib.host.tasks.postgres_queries import PostgresQueries
from opslib.host.tasks.postgres_refresh import PostgresRefresh, ordered
from opslib.host.tasks.postgres_restore import PostgresRestore
from opslib.host.tasks.stale_credentials import StaleCredentials, differing
from opslib.host.units.systemd import Unit
from opslib.host.words import utc
from opslib.host.worker import run_step

# Statements without what is in them


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("SELECT  *\n FROM a", "SELECT * FROM a"),
        ("ALTER ROLE a PASSWORD 'hush'", "ALTER ROLE a PASSWORD '?'"),
        ("SELECT 'it''s hush', $1", "SELECT '?', $1"),
        (r"SELECT E'it\'s hush', 'a\', 'hush'", r"SELECT E'?', '?', '?'"),
        ("SELECT $$hush$$, $t$hush$t$, $1, a$b$c", "SELECT '?', '?', $1, a$b$c"),
        ('SELECT "a ""b", 1 -- hush\n, 2', 'SELECT "a ""b", 1 , 2'),
        ("SELECT /* hush */ 1", "SELECT 1"),
        ("SELECT 'hush", "SELECT '?'"),
        ("SELECT $$hush", "SELECT '?'"),
        ("SELECT /* hush", "SELECT"),
        ("/* /* */ ' */ ALTER ROLE a PASSWORD 'hush'", "ALTER ROLE a PASSWORD '?'"),
        ("SELECT /* a /* b */ hush", "SELECT"),
        ("\x1b[31m", "\\x1b[31m"),
        ("", ""),
        ("$", "$"),
    ],
)
def test_values_are_folded(text, shown):
    assert folded(text) == shown


@given(st.text(max_size=600))
def test_any_text_is_folded_into_a_short_line(text):
    shown = folded(text)
    assert len(shown) <= LONGEST
    assert shown.isprintable()


@given(st.text(st.characters(blacklist_characters="'\\"), max_size=50))
def test_no_quoted_value_stays(secret):
    assert folded("ALTER ROLE a PASSWORD '%s' VALID" % secret) == "ALTER ROLE a PASSWORD '?' VALID"


# Checks


def facts(**changes):
    found = {"max": 100, "reserved": 3, "superuser": False, "used": 10, "here": 5, "database_limit": -1, "mine": 2}
    found.update(role_limit=-1, version_number=150018, recovery=False, read_only=False, uptime=5.5, size=9)
    return dict(found, **changes)


@pytest.mark.parametrize(
    ("changes", "of", "used", "limit"),
    [
        ({}, "server", 10, 97),
        ({"superuser": True}, "server", 10, 100),
        ({"role_limit": 3}, "role", 2, 3),
        ({"database_limit": 6}, "database", 5, 6),
        ({"database_limit": 0, "here": 1}, "database", 1, 0),
    ],
)
def test_the_nearest_limit(changes, of, used, limit):
    found = nearest_limit(facts(**changes))
    assert (found["of"], found["used"], found["limit"]) == (of, used, limit)


def check(parameters=None, **changes):
    state = {"server": "d at h port 1", "user": "u", "error": None, "address": "h", "tls": ("TLSv1.3", "AES")}
    state.update(
        seconds={"connect": 0.1, "tls": 0.1, "login": 0.1}, version="15.18 (Debian)", latency=0.01, facts=facts()
    )
    return PostgresCheck(**dict({"user": "u"}, **(parameters or {}))).plan(dict(state, **changes))


def test_what_the_check_says():
    good = check()
    assert not good.failure
    assert (
        good.reason
        == "d at h port 1 answers role u in 10 ms: PostgreSQL 15.18, TLSv1.3, 10 of 97 connections of the server are used"
    )
    assert good.data["connections"]["percent"] == pytest.approx(10.3)
    assert check({"warn_connections": 5}).warnings == ["10 of 97 connections of the server are used"]
    assert check({"fail_connections": 9, "warn_connections": 5}).data["wrong"] == "connections"
    assert check({"max_latency": 0.005}).data["wrong"] == "latency"
    assert check({"least_version": 16}).data["wrong"] == "version"
    assert check({"least_version": 15}).failure == ""
    standby = check(facts=facts(recovery=True, read_only=True))
    assert standby.warnings == ["the database takes no writes (standby)"]
    error = {"stage": "reach", "words": "refused", "code": ""}
    assert check(error=error).data == {"server": "d at h port 1", "user": "u", "wrong": "reach", "code": ""}


def test_what_the_report_says():
    state = {"extension": "ready", "advice": "", "slow": [], "slow_count": 0, "running": [], "sequential_scans": []}
    state.update(unused_indexes=[], missing_indexes=[], statistics_age_seconds=None)
    assert PostgresQueries(user="u").plan(state).reason.startswith("0 statements slower than 1 s, 0 running for longer")
    slow = dict(state, slow=[{"mean_seconds": 2.5, "query": "SELECT"}], slow_count=1)
    assert "the slowest takes 2.5 s: SELECT" in PostgresQueries(user="u", fail=0).plan(slow).failure
    assert PostgresQueries(user="u", fail=1).plan(slow).failure == ""
    unknown = dict(state, extension="not loaded", advice="do this")
    assert PostgresQueries(user="u").plan(unknown).warnings == ["do this"]
    assert PostgresQueries(user="u", fail=9).plan(unknown).failure == "slow statements cannot be counted: do this"
    unused = dict(state, unused_indexes=[{"size_bytes": 2048}], statistics_age_seconds=60)
    young = PostgresQueries(user="u").plan(unused)
    assert "1 unused index (2.0 KiB)" in young.reason
    assert "younger than a week" in young.warnings[0]


# Materialized views


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda pair: pair[0] > pair[1]), max_size=12))
def test_a_view_comes_after_those_it_reads(direct):
    reads = set(direct)
    while True:  # at any distance, as the server tells it
        more = {(a, d) for a, b in reads for c, d in reads if b == c} - reads
        if not more:
            break
        reads |= more
    views = [{"oid": number} for number in reversed(range(8))]
    order = [view["oid"] for view in ordered(views, sorted(reads))]
    assert sorted(order) == list(range(8))
    assert all(order.index(source) < order.index(reader) for reader, source in reads)


def view(name, **changes):
    found = {
        "oid": hash(name),
        "schema": "public",
        "view": name,
        "populated": True,
        "size_bytes": 1,
        "mine": True,
        "index": "i",
    }
    return dict(found, **changes)


def refresh(found, seconds=None, **parameters):
    state = {"views": found, "reads": [], "seconds": seconds or {}, "user": "u"}
    return PostgresRefresh(**dict({"user": "u"}, **parameters)).plan(state)


def test_how_views_are_refreshed():
    plan = refresh([view("a"), view("b", index=None), view("c", populated=False)])
    assert [row["method"] for row in plan.data["views"]] == ["concurrently", "plain", "plain"]
    assert [change.kind for change in plan.changes] == ["action"] * 3
    assert "plainly: it was never filled" in plan.changes[2].summary
    assert refresh([]).reason == "there is no materialized view to refresh"
    assert refresh([view("a")], seconds={"public.a": 1.0}).reason == "1 view refreshed"
    assert "only its owner may refresh it" in refresh([view("a", mine=False)]).failure
    assert refresh([view("a")], views=["b"]).failure == "there is no materialized view b; there are public.a"
    assert len(refresh([view("a"), view("b")], views=["a", "public.a"]).changes) == 1


@pytest.mark.parametrize(
    ("closed", "words"), [(True, "whether public.a was refreshed is not"), (False, "a was not refr")]
)
def test_a_connection_lost_during_a_refresh(monkeypatch, closed, words):
    class Lost(FakeSession):
        def rows(self, sql, *_values, timeout=60):
            if "REFRESH" in sql:
                self.closed = closed
                raise TaskError("it broke the connection off")
            return []

    monkeypatch.setattr(PostgresRefresh, "connect", lambda _self, _settings: Lost())
    task = PostgresRefresh(host="db", user="me", database="app")
    with pytest.raises(TaskError, match=words):
        task.apply(refresh([view("a")]).changes[0])


class FakeSession:
    """Stands for a connection."""

    closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass


def numbered(number, error=None, *, lost=True):
    """Return a kind of session to a server where database app has that number in the end."""

    class Numbered(FakeSession):
        opened = 0

        def __init__(self, _settings):
            type(self).opened += 1
            if self.opened > 1 and error:
                raise error

        def rows(self, sql, *_values, timeout=60):
            if "RENAME" in sql and self.opened == 1:
                self.closed = lost
                raise PostgresError("server", "it broke the connection off")
            return [["7", "now"]] if "backend_start FROM" in sql else []

        def json(self, _sql, name):
            return {"oid": {"new": 5, "app": number}[name], "all": {}}

    return Numbered


@pytest.mark.parametrize(
    ("session", "raised", "words"),
    [
        (numbered(5), None, ""),
        (numbered(4), PostgresError, "^it broke the connection off$"),
        (numbered(5, lost=False), PostgresError, "^it broke the connection off$"),
        (
            numbered(5, PostgresError("reach", "refused")),
            databases.Undecided,
            "has been replaced is not known: refused",
        ),
    ],
)
def test_a_connection_lost_while_a_database_takes_its_name(monkeypatch, session, raised, words):
    monkeypatch.setattr(databases, "Session", session)
    settings = Settings(host="db", port=1, user="me", database="postgres", timeout=0.01)
    if raised is None:
        databases.replace(settings, "app", "new", None)
    else:
        with pytest.raises(raised, match=words):
            databases.replace(settings, "app", "new", None)


# Restores

MANIFEST = {"sha256": "x", "taken": 0.0, "tables": {"a": 1}, "bytes": 4, "owner": "app"}
BACKUP = Backup(name="app-19700101-000000", manifest=MANIFEST)
RUNNING = Unit(name="a.service", id="a.service", load="loaded", active="active", sub="running")
STOPPED = Unit(name="b.service", id="b.service", load="loaded")


def restore(parameters=None, **changes):
    state = {
        "now": 60.0,
        "settings": Settings(host="h", port=1, user="u", database="app"),
        "me": {"name": "u", "superuser": True, "createdb": True},
        "found": {"oid": 5, "size_bytes": 2048},
        "others": 0,
        "store": Store(exists=True, backups=[BACKUP]),
        "restored": None,
        "note": None,
        "units": {"a.service": RUNNING, "b.service": STOPPED},
        "outcome": {},
    }
    given = dict({"user": "u", "folder": "/b", "units": ["a", "b"]}, **(parameters or {}))
    return PostgresRestore(**given).plan(dict(state, **changes))


def test_only_units_that_run_are_stopped_and_started():
    (change,) = restore().changes
    assert change.kind == "modify"
    assert change.summary == (
        "restore database app from backup app-19700101-000000 (1 minute old): stop a.service, back up what is there, "
        "restore beside it, verify, exchange names, start a.service"
    )
    assert (change.before, change.after) == ("2.0 KiB", "1 table, 1 row")
    assert list(change.detail.units) == ["a.service"]


def test_a_restore_is_done_once():
    done = {"sha256": "x", "oid": 5, "restored": 30.0}
    plan = restore(restored=done)
    assert plan.changes == []
    assert plan.reason.endswith(
        "was restored from backup app-19700101-000000 30 seconds ago; again: true restores it once more"
    )
    assert [change.kind for change in restore({"again": True}, restored=done).changes] == ["action"]
    for other in (dict(done, sha256="y"), dict(done, oid=6)):
        assert len(restore(restored=other).changes) == 1


def test_what_a_killed_restore_left_is_put_right_first():
    note = {"units": ["b.service", 5], "scratch": "s", "old": "o"}
    # What the restore starts at its end is not started before: it may be down for want of the data.
    first, second = restore(note=note).changes
    assert first.summary == "put right what a restore that was cut short left"
    assert "stop a.service, stop b.service" in second.summary
    assert second.summary.endswith("start b.service, start a.service")
    first, _second = restore({"units": ["a"]}, note=note).changes
    assert first.summary.endswith(": start b.service")
    done = {"sha256": "x", "oid": 5, "restored": 30.0}
    (only,) = restore(note=note, restored=done).changes
    assert (only.kind, only.summary) == ("modify", first.summary)
    assert [change.detail["goes_on"] for change in (first, only)] == [True, False]


def test_old_data_that_cannot_be_dropped(monkeypatch, tmp_path):
    class Unwilling(FakeSession):
        def __init__(self, _settings):
            pass

        def rows(self, _sql, *_values, timeout=60):
            raise PostgresError("server", "it broke the connection off")

    work = restore({"units": []}, store=Store(exists=True, backups=[BACKUP])).changes[0].detail
    work = Work(**dict(work._values(), folder=str(tmp_path)))
    done = {"old_database": "app_before", "safety_backup": None}
    monkeypatch.setattr(restoring, "_replace", lambda *_given: dict(done))
    monkeypatch.setattr(restoring, "Session", Unwilling)
    tmp_path.chmod(0o700)
    with pytest.raises(TaskError, match="is restored, but what it held before is left in database app_before"):
        restoring.restore(work)
    assert os.listdir(str(tmp_path)) == ["app.restoring"]


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), TaskError("Input/output error")])
def test_a_restore_that_fails_tells_all_and_keeps_what_the_next_one_must_know(monkeypatch, tmp_path, error):
    def control(_unit, state, _work):
        if state == "started":
            raise TaskError("a.service did not start")

    def fail(*_given):
        raise error

    work = restore(store=Store(exists=True, backups=[BACKUP])).changes[0].detail
    work = Work(**dict(work._values(), folder=str(tmp_path), units=["a.service"], in_place=True))
    monkeypatch.setattr(restoring, "control", control)
    monkeypatch.setattr(restoring, "_replace", fail)
    tmp_path.chmod(0o700)
    words = "^Input/output error; the database is as it was before; a.service did not start$"
    with pytest.raises(TaskError, match=words):
        restoring.restore(work)
    assert os.listdir(str(tmp_path)) == ["app.restoring"]


def test_what_stands_in_the_way_of_a_restore():
    broken = Store(exists=True, backups=[Backup(name="b", manifest=MANIFEST, problem="it is short")])
    assert restore(store=broken).failure == "backup b is broken: it is short"
    assert restore(store=Store(exists=True)).failure == "there is no backup of app in /b"
    early = Store(exists=True, backups=[Backup(name="c", manifest=dict(MANIFEST, taken=200.0)), BACKUP])
    assert restore(store=early).failure.endswith("which backup is the newest is for you to say (backup)")
    assert restore({"backup": BACKUP.name, "database": "app"}, store=early).failure == ""
    missing = Unit(name="a.service", id="a.service")
    assert restore(units={"a.service": missing, "b.service": STOPPED}).failure == "a.service is not known to systemd"
    weak = {"name": "u", "superuser": False, "createdb": False}
    assert "may not create databases" in restore(me=weak).failure
    assert restore({"method": "in_place"}, me=weak).failure == ""
    assert restore({"method": "in_place"}, me=weak).warnings == ["role u is no superuser: it will own what is restored"]
    assert "method swap creates it" in restore({"method": "in_place"}, found=None).failure
    assert restore(found=None).changes[0].before == "no such database"
    assert restore({"units": []}, others=2).warnings == ["2 connections will be cut off; give units to stop who writes"]


@given(st.text(min_size=1, max_size=80))
def test_names_of_databases_aside_are_not_too_long(name):
    try:
        name.encode("utf-8")
    except UnicodeError:
        return
    assert len(databases.aside(name, "restore_20250131_040500").encode("utf-8")) <= 63


def test_differences():
    assert catalog.differences({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 3, "d": 0}) == [
        "b has 3 rows instead of 2",
        "c is missing",
        "d was not in the database that was backed up",
    ]
    assert catalog.differences({"a": 1}, {"a": 1}) == []


def test_extensions_are_left_out():
    contents = (
        "; head\n2; 3079 16386 EXTENSION - pg_trgm \n3380; 0 0 COMMENT - EXTENSION pg_trgm \n"
        "215; 1259 16400 TABLE public EXTENSION postgres\n"
    )
    assert programs.without_extensions(contents) == "; head\n215; 1259 16400 TABLE public EXTENSION postgres\n"


def test_a_missing_program(monkeypatch):
    monkeypatch.setattr(programs, "which", lambda _name: "")
    monkeypatch.setattr(programs, "_NEWEST_FIRST", "/nowhere")
    with pytest.raises(TaskError, match="pg_dump is not installed on this host; install the package postgresql-client"):
        programs.find("pg_dump")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 seconds"), (1, "1 second"), (59.9, "59 seconds"), (60, "1 minute"), (7300, "2 hours"), (200000, "2 days")],
)
def test_spans(seconds, words):
    assert span(seconds) == words
    assert utc(0) == "1970-01-01T00:00:00Z"


# Credentials


BEGUN = b"PATH=/bin\0INVOCATION_ID=5\0"


def test_differing_values():
    environ = processes.variables(BEGUN + b"A=1\0B=two=2\0C=\0\xff=x\0D=\xff\0odd\0")
    assert differing(environ, {"A": "1", "B": "two=2", "C": "", "D": "\udcff"}) == []
    assert differing(environ, {"A": "2", "E": "", "odd": ""}) == ["A", "E", "odd"]


@pytest.fixture
def unit(monkeypatch, tmp_path):
    """A unit whose main process is this one, and a file with one of its variables."""
    shown = Unit(name="app.service", id="app.service", load="loaded", active="active", main_pid=os.getpid())
    monkeypatch.setattr(stale_credentials.systemd, "show", lambda _name: shown)
    (tmp_path / "app.env").write_text("A=hush-1\nB=hush-2\n")
    monkeypatch.setattr(stale_credentials.processes, "read", lambda *_args: BEGUN + b"A=hush-1\0B=old-hush\0")
    return str(tmp_path / "app.env")


def test_a_restart_is_planned_for_what_differs(unit):
    same = run_step(StaleCredentials, {"unit": "app", "env_file": unit, "keys": ["A"]}, True)
    assert (same["status"], same["reason"]) == ("ok", "app.service runs with what %s holds" % unit)
    planned = run_step(StaleCredentials, {"unit": "app", "env_file": unit}, True)
    assert planned["status"] == "changed"
    assert planned["changes"][0]["summary"] == "restart app.service, which runs with another B than %s holds" % unit
    assert "hush" not in str(planned)


@pytest.mark.parametrize("left", [b"", b"INVOCATION_ID=5\0A=1\0"])
def test_a_title_over_the_environment_is_no_reason_to_restart(unit, monkeypatch, left):
    block = b"gunicorn: master [app:app]" + b"\0" * 30 + left
    monkeypatch.setattr(stale_credentials.processes, "read", lambda *_args: block)
    result = run_step(StaleCredentials, {"unit": "app", "env_file": unit}, True)
    assert (result["status"], result["data"]["known"]) == ("ok", False)
    assert "not known: it wrote something else, such as its title, over its environment" in result["warnings"][0]


def test_an_environment_that_cannot_be_read(unit, monkeypatch):
    monkeypatch.setattr(stale_credentials.processes, "read", lambda *_args: b"")
    result = run_step(StaleCredentials, {"unit": "app", "env_file": unit}, True)
    assert "cannot be read; run this as root (become)" in result["error"]
    wrong = run_step(StaleCredentials, {"unit": "app", "env_file": unit, "keys": ["NONE"]}, True)
    assert "holds no NONE" in wrong["error"]


# Counting rows


class Counting(FakeSession):
    """A session whose every count takes a while."""

    def __init__(self):
        self.asked = []

    def rows(self, sql, *_values, timeout=60):
        self.asked.append(sql)
        return [("public", "a"), ("public", "b")] if "pg_class" in sql else []

    def value(self, _sql, *_values, timeout=60):
        time.sleep(0.06)
        return "5"


def test_counting_has_one_time_for_all_tables_and_sees_all_rows():
    session = Counting()
    assert catalog.count_rows(session, 60) == {"public.a": 5, "public.b": 5}
    assert session.asked[0] == "SET row_security = off"
    with pytest.raises(TaskError, match="the rows of 2 tables cannot be counted within 0.05 seconds"):
        catalog.count_rows(Counting(), 0.05)


@pytest.mark.parametrize(
    ("version", "like", "words"),
    [
        ("15.14 (Debian 15.14-1)", {"provider": "c"}, ["LOCALE_PROVIDER libc"]),
        ("15.14", {"provider": "i", "locale": "en"}, ["LOCALE_PROVIDER icu ICU_LOCALE 'en'"]),
        ("17beta1", {"provider": "b", "locale": "C.UTF-8"}, ["LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"]),
        ("14.9", {"provider": "c"}, []),
        ("", {"provider": "c"}, []),
        ("16.1", {}, []),
    ],
)
def test_who_provides_the_locale_is_said_to_servers_that_know_more_than_one(version, like, words):
    session = FakeSession()
    session.parameters = {"server_version": version}
    assert " ".join(databases._provider(session, like)) == " ".join(words)
