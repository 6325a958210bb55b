"""user_forecast, python_import and series_quality: their verdicts and their parameters."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.params import ParamError
from opslib.host.tasks.python_import import PythonImport
from opslib.host.tasks.series_quality import SeriesQuality
from opslib.host.tasks.user_forecast import UserForecast
from opslib.host.web.exchange import Answer
from opslib.host.worker import run_step
from support.hostile import OTHERS

URL = "http://127.0.0.1:9/api/forecast/generate"
TOKEN = "token-77ab1e"


@contextlib.contextmanager
def service(status, body, kind="application/json"):
    """Give the URL of a service that answers any POST so, and the list of requests to it."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            requests.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield "http://127.0.0.1:%d/generate" % server.server_port, requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(url, check=False, **args):
    return run_step(UserForecast, {"url": url, "user": "alice", "timeout": 5, **args}, check)


def test_a_forecast_comes():
    with service(200, b'{"forecast": [1.5, 2, 3]}') as (url, requests):
        result = ask(url, fields={"horizon_days": 3}, request_headers={"Authorization": "Bearer " + TOKEN})
    assert (result["status"], result["error"]) == ("changed", None), result
    assert (result["data"]["points"], result["data"]["problem"], result["data"]["user"]) == (3, None, "alice")
    headers, body = requests[0]
    assert json.loads(body) == {"user_id": "alice", "horizon_days": 3}
    assert (headers["Content-Type"], headers["Authorization"]) == ("application/json", "Bearer " + TOKEN)
    assert TOKEN not in json.dumps(result)


def test_check_mode_asks_nothing():
    with service(200, b"{}") as (url, requests):
        result = ask(url, check=True)
    assert (result["status"], requests) == ("changed", [])


@pytest.mark.parametrize(
    ("status", "body", "problem", "words"),
    [
        (422, b'{"detail": "insufficient data: 12 days"}', "insufficient_data", "422, insufficient data: 12 days"),
        (422, b'{"detail": "At least 30 days"}', "insufficient_data", "At least 30 days"),
        (422, b'{"detail": "no such model"}', "unprocessable", "422, no such model"),
        (422, b"", "unprocessable", "422, it gave no reason"),
        (
            422,
            b'{"detail": [{"loc": ["body", "horizon_days"], "msg": "too small"}, 3]}',
            "bad_request",
            "not as the service wants it: body.horizon_days: too small",
        ),
        (500, b'{"detail": "forecast failed: ValueError"}', "internal", "500 (forecast failed: ValueError); look at"),
        (500, b"oops \x1b[31m", "internal", "failed with 500; look at"),
        (502, b"<html>", "internal", "502"),
        (404, b"{}", "status", "answered 404"),
        (401, b"{}", "status", "answered 401"),
        (200, b"<html>", "html", "HTML"),
        (200, b"{", "json", "no JSON"),
        (200, b'{"forecast": []}', "values", "holds no numbers"),
        (200, b'{"forecast": [1, NaN, Infinity]}', "values", "2 values in the answer are no number"),
    ],
)
def test_reasons_are_told_apart(status, body, problem, words):
    kind = "text/html" if body[:1] == b"<" else "application/json"
    with service(status, body, kind) as (url, _requests):
        result = ask(url)
    assert result["status"] == "failed"
    assert result["data"]["problem"] == problem
    assert words in result["error"]
    assert result["error"].isprintable()


def test_an_echoed_token_is_masked():
    with service(422, b'{"detail": "not enough for %s"}' % TOKEN.encode()) as (url, _requests):
        result = ask(url, request_headers={"Authorization": "Bearer " + TOKEN})
    assert TOKEN not in json.dumps(result)


def test_a_service_that_is_gone_or_slow():
    assert ask("http://127.0.0.1:1/")["data"]["problem"] == "refused"
    with service(200, b"[1]") as (url, _requests):
        assert ask(url)["data"]["points"] == 1


def test_a_good_answer_may_come_too_late():
    found = UserForecast(url=URL, user="a", max_latency=2)._judged(
        Answer(url=URL, status=200, body=b'{"a": 1}', total_seconds=3.0)
    )
    assert found["problem"] == "slow"


# --- python_import


@pytest.fixture
def venv(tmp_path):
    """A virtual environment's form, with modules that fail in several ways."""
    (tmp_path / "bin").mkdir()
    code = tmp_path / "code"
    code.mkdir()
    (code / "good.py").write_text('__version__ = "1.2"\nprint("noise {")\n')
    (code / "odd.py").write_text("__version__ = 3\n")
    (code / "broken.py").write_text('raise ImportError("libx.so.4: no such file\\n\\x1b[31m" + "x" * 5000)\n')
    (code / "deadly.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    (code / "leaving.py").write_text("import sys\nsys.exit(3)\n")
    (code / "slow.py").write_text("import time\ntime.sleep(60)\n")
    python = tmp_path / "bin" / "python"
    python.write_text(
        '#!/bin/sh\nshift 2\nPYTHONPATH=%s exec %s -S -B "$@"\n' % (code, sys.executable)
    )  # -I would hide the modules
    python.chmod(0o755)
    return tmp_path


def load(venv, *modules, **args):
    return run_step(PythonImport, {"venv": str(venv), "modules": list(modules), **args}, False)


def test_modules_that_can_be_imported(venv):
    result = load(venv, "good", "odd", "os.path")
    assert result["status"] == "ok", result
    assert result["reason"].startswith("good 1.2, odd (no version), os.path")
    row = result["data"]["modules"]["good"]
    assert (row["imported"], row["error"]) == (True, None)
    assert row["memory_bytes"] > 1 << 20
    assert sorted(os.listdir(venv / "code")) == sorted(
        ["good.py", "odd.py", "broken.py", "deadly.py", "leaving.py", "slow.py"]
    )


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("nosuch", "ModuleNotFoundError: No module named 'nosuch'"),
        ("broken", "ImportError: libx.so.4: no such file"),
        ("deadly", "the interpreter ended with signal 9"),
        ("leaving", "SystemExit: 3"),
        ("slow", "did not end within 0.5 seconds"),
        ("os.nosuch", "ModuleNotFoundError"),
    ],
)
def test_modules_that_cannot(venv, module, words):
    result = load(venv, "good", module, **({"timeout": 0.5} if module == "slow" else {}))
    assert result["status"] == "failed"
    assert words in result["error"]
    assert result["error"].isprintable()
    assert len(result["error"]) < 2000
    assert result["data"]["modules"]["good"]["imported"]


def test_a_user_that_is_not_there(venv):
    assert "there is no user nosuchuser" in load(venv, "good", user="nosuchuser")["error"]


def test_memory_is_warned_of(venv):
    assert "more than 1.0 MiB" in load(venv, "good", max_memory="1M")["warnings"][0]
    assert not load(venv, "good", max_memory="1T")["warnings"]


def test_no_virtual_environment(tmp_path):
    assert "is no virtual environment" in load(tmp_path, "good")["error"]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text("")
    assert "cannot be run" in load(tmp_path, "good")["error"]


# --- series_quality

ROW = {
    "series": "alice",
    "days": 60,
    "records": 120,
    "first_day": "2026-09-24",
    "last_day": "2026-11-22",
    "age_days": 0,
    "nans": 0,
    "infinite": 0,
    "nulls": 0,
    "negative": 0,
    "missing_days": 0,
    "longest_gap_days": 0,
    "gap_from": None,
    "bad_days": None,
}
CONNECTION = {"table": "cost_records", "value_column": "cost_usd", "env_file": "/etc/app.env"}


def quality(*rows, **args):
    state = {"series": len(rows), "records": sum(row["records"] for row in rows), "rows": list(rows)}
    return SeriesQuality(**{**CONNECTION, "series_column": "user_id", **args}).plan(state)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"nans": 1, "bad_days": ["2026-11-15"]}, "user_id alice: 1 value is no number (1 NaN), on 2026-11-15"),
        ({"infinite": 1, "nulls": 2, "bad_days": ["2026-11-15"]}, "3 values are no numbers (1 infinite, 2 NULL)"),
        ({"longest_gap_days": 3, "gap_from": "2026-11-01"}, "3 days missing from 2026-11-01 on"),
    ],
)
def test_faults_fail_for_any_series(changes, words):
    assert words in quality({**ROW, **changes}).failure
    assert words in quality({**ROW, **changes}, series=["alice"]).failure


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"days": 12}, "12 days of records only, 30 are needed"), ({"age_days": 9}, "the newest record is 9 days old")],
)
def test_too_little_fails_for_those_that_were_named(changes, words):
    named = quality({**ROW, **changes}, series=["alice"], max_age=2)
    assert words in named.failure
    every = quality({**ROW, **changes}, max_age=2)
    assert not every.failure
    assert words in every.warnings[0]
    alone = quality({**ROW, **changes}, series_column=None, max_age=2)
    assert words in alone.failure


def test_words_for_what_is_well_and_what_is_not_there():
    assert quality(ROW).reason == "cost_records: 120 records of 1 series without a fault"
    assert quality({**ROW, "negative": 1}).warnings == ["user_id alice: 1 value is negative"]
    assert quality({**ROW, "longest_gap_days": 2, "gap_from": "x"}).failure == ""
    assert quality().failure == "cost_records has no records"
    assert quality(ROW, series=["alice", "n\x85obody"[:1] + "obody"]).failure == "user_id nobody: has no records"


def test_many_bad_series_stay_readable():
    rows = [{**ROW, "series": "u%d\x1b" % number, "nans": 1, "days": 3} for number in range(200)]
    plan = quality(*rows)
    assert plan.failure.isprintable()
    assert "and 190 more" in plan.failure
    assert len(plan.warnings) == 11


numbers = st.integers(0, 10**6)


@given(
    st.lists(
        st.fixed_dictionaries(
            {key: numbers for key in ROW if isinstance(ROW[key], int)}, optional={"series": st.text(max_size=20)}
        ),
        max_size=5,
    ),
    st.integers(1, 100),
    st.integers(0, 100),
)
def test_a_plan_fails_just_when_a_value_a_gap_or_everything_is_missing(rows, least, gap):
    rows = [{**ROW, "gap_from": "d", **row} for row in rows]
    plan = quality(*rows, least_days=least, max_gap=gap)
    bad = any(row["nans"] + row["infinite"] + row["nulls"] or row["longest_gap_days"] > gap for row in rows)
    assert bool(plan.failure) == (bad or not rows)
    json.dumps(plan.data)


# --- parameters

BASE = {
    UserForecast: {"url": URL, "user": "alice"},
    PythonImport: {"venv": "/srv/venv", "modules": ["prophet"]},
    SeriesQuality: {**CONNECTION, "series_column": "user_id"},
}
BAD_TEXT = ["", "a\nb", "a\0b", "\x1b[31m", "x" * 100000]
BAD_URL = [*BAD_TEXT, "-oProxyCommand=x", "$(id)", "../x", "ftp://x/", "http://u:p@x/", "http://", "\udcff"]
BAD_PATH = [*BAD_TEXT, "../x", "/a/../b", "-x", "\ud800"]
BAD_TIME = ["", "soon", -1, "1e999", float("nan"), "$(id)", "a\nb", [], "9" * 50]
BAD_NAME = [*BAD_TEXT, "-oProxyCommand=x", "$(id)", "../x", "ä"]
WRONG = {
    UserForecast: {
        "url": BAD_URL,
        "user": BAD_TEXT,
        "user_field": BAD_TEXT,
        "fields": ["x", {"a": object()}, {"user_id": "b"}, {3: 4}, {"a": float("nan")}],
        "request_headers": ["x", {"a b": "c"}, {"a": "b\nc"}, {"Content-Length": "3"}],
        "timeout": [0, *BAD_TIME],
        "max_latency": [0, *BAD_TIME],
    },
    PythonImport: {
        "venv": BAD_PATH,
        "modules": [
            "",
            [],
            [""],
            ["-c"],
            ["a b"],
            ["a;b"],
            ["a..b"],
            ["3"],
            ["a\n"],
            ["$(id)"],
            ["../x"],
            [3],
            ["x" * 300],
        ],
        "user": BAD_NAME,
        "max_memory": ["", "big", -1, "1e999"],
        "timeout": [0, *BAD_TIME],
    },
    SeriesQuality: {
        "table": [*BAD_TEXT, "a.b.c", ".a", "x" * 64],
        "day_column": BAD_TEXT,
        "value_column": BAD_TEXT,
        "series_column": BAD_TEXT,
        "series": [[""], ["a\0"], ["x"] * 201, {"a": 1}],
        "least_days": [0, -1, 1.5, "x", 10**9],
        "max_gap": [-1, 1.5, "x", 10**9],
        "max_age": [-1, 1.5, "x", 10**9],
        "timeout": [0, *BAD_TIME],
        "database": BAD_TEXT,
        "host": [*BAD_TEXT, "-oProxyCommand=x", "$(id)", "/a/../b"],
        "port": [0, 65536, "x"],
        "user": BAD_TEXT,
        "password": ["", "a\nb", "a\0b"],
        "env_file": BAD_PATH,
        "env_key": BAD_NAME,
        "sslmode": ["", "on"],
        "ca_file": BAD_PATH,
        "system_user": BAD_NAME,
        "connect_timeout": [0, *BAD_TIME],
    },
}
CASES = [(task, name, value) for task, names in WRONG.items() for name, values in names.items() for value in values]


@pytest.mark.parametrize(("task", "name", "value"), CASES)
def test_bad_values_are_refused_by_name(task, name, value):
    with pytest.raises(ParamError, match=r"^%s: .*%s" % (task.name, name)) as caught:
        task(**{**BASE[task], name: value})
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("task", list(WRONG))
def test_every_parameter_has_bad_values_above(task):
    assert set(WRONG[task]) == set(task.parameters())


@pytest.mark.parametrize(("task", "name"), [(task, name) for task in WRONG for name in WRONG[task]])
def test_values_of_no_kind_are_refused_or_taken_but_never_crash(task, name):
    for value in OTHERS:
        with contextlib.suppress(ParamError):
            task(**{**BASE[task], name: value})


def test_named_series_need_a_column():
    with pytest.raises(ParamError, match="give series_column"):
        SeriesQuality(**CONNECTION, series=["alice"])
