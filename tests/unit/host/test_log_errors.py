"""Errors of the last hour are counted, folded to patterns and judged."""

from __future__ import annotations

import gzip
import json
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.params import ParamError
from opslib.host.tasks.log_errors import LogErrors, _span
from opslib.host.worker import run_step

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("paths", [[], "", "relative/*", ["/a/../b"], ["/a\0b"], ["/a\nb"], [""], 5, {"a": 1}, ["/" + "x" * 5000]]),
        ("since", ["soon", 0, -1, [], True, "1e30", *HOSTILE]),
        ("until", ["soon", -1, [], True, "1e30", *HOSTILE]),
        ("levels", [["a b"], ["-x"], [5.5, []], 5, ["x" * 300], ["E"] * 21, ["a\nb"], ["a\0b"], ["\udcff"], [""]]),
        ("match", ["(", "a\0b", "a\nb", "", [], {"a": 1}, "(" * 5000, "x" * 70000, "\x1b[31m"]),
        ("fields", [5, "user_id=5", [], {5: 1}, {"": 1}, {"a": object()}, {"a": float("nan")}]),
        ("warn", ["few", -1, 1.5, [], True, *HOSTILE]),
        ("fail", ["few", -1, 1.5, [], True, *HOSTILE]),
        ("silent", ["soon", -1, [], True, "1e30", *HOSTILE]),
        ("timezone", ["+25:00", "+2", "/etc/passwd", "Europe/", "a/../b", "5", [], {}, *HOSTILE]),
        ("top", ["few", -1, 501, 1.5, [], True, *HOSTILE]),
        ("samples", ["few", -1, 21, 1.5, [], True, *HOSTILE]),
        ("buckets", ["few", 0, 1441, 1.5, [], True, *HOSTILE]),
        ("read_limit", ["much", "90%", -1, [], True, "1e30", *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^log_errors: %s: " % name):
            LogErrors(**{name: value})


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"since": "5m", "until": "5m"}, "log_errors: until 5m ago must be later than since 5m ago"),
        ({"warn": 5, "fail": 5}, "log_errors: warn 5 must be below fail 5"),
    ],
)
def test_contradictions_are_refused(args, words):
    with pytest.raises(ParamError) as refused:
        LogErrors(**args)
    assert str(refused.value) == words


def test_parameters_stay_the_same_when_checked_again():
    task = LogErrors(paths="/a.log,/b/*.log", since="90m", levels="ERROR", fields={"a.b": 1}, timezone="Europe/Berlin")
    assert LogErrors(**task.args()) == task


# Real files


def stamp(ago, form="%Y-%m-%dT%H:%M:%SZ"):
    return time.strftime(form, time.gmtime(time.time() - ago))


def look(*paths, **args):
    return run_step(LogErrors, dict(args, paths=[str(path) for path in paths]), True)


def log(path, *lines):
    path.write_bytes(b"".join(line.encode() + b"\n" for line in lines))
    return path


def test_errors_are_counted_and_nothing_is_touched(tmp_path):
    path = log(
        tmp_path / "app.log",
        stamp(9000) + " ERROR too old 1",
        stamp(2850) + " ERROR user 17 is gone",
        stamp(2000) + " INFO fine",
        stamp(1050) + " ERROR user 18 is gone",
        "Traceback (most recent call last):",
        "  File 'x', line 5 ERROR",
        "KeyError: 18 ERROR",
        stamp(450) + " CRITICAL password=hunter2 \x1b[31mlost",
        stamp(10) + " INFO fine",
    )
    before = path.read_bytes(), path.stat().st_mtime_ns
    for check in (True, False, False):
        result = run_step(LogErrors, {"paths": [str(path)]}, check)
        assert (result["status"], result["changed"], result["changes"]) == ("ok", False, []), result
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    data = result["data"]
    assert data["count"] == 3
    assert [(one["pattern"], one["count"]) for one in data["patterns"]] == [
        ("ERROR user <n> is gone", 1),
        ("ERROR user <n> is gone | KeyError: <n> ERROR", 1),
        ("CRITICAL password=*** lost", 1),
    ]
    assert "hunter2" not in json.dumps(result)
    assert sum(bucket["count"] for bucket in data["buckets"]) == 3
    assert [number for number, bucket in enumerate(data["buckets"]) if bucket["count"]] == [2, 8, 10]
    assert (data["bucket_seconds"], data["window_seconds"], data["per_minute"]) == (300, 3600, 0.05)
    assert 10 <= data["newest_age_seconds"] < 60
    assert data["bytes_read"] == path.stat().st_size == data["log_bytes"]
    assert data["lines_read"] == 9
    assert result["reason"].startswith("3 errors in the last 1h, from ")
    assert result["warnings"] == []


def test_thresholds(tmp_path):
    path = log(tmp_path / "a.log", *[stamp(5) + " ERROR %d" % number for number in range(3)])
    assert look(path, fail=3)["status"] == "ok"
    assert look(path, fail=2)["error"].endswith("(fail: more than 2)")
    assert look(path, warn=2)["warnings"][0].endswith("(warn: more than 2)")
    assert look(path, warn=3)["warnings"] == []


def test_json_lines_match_and_fields(tmp_path):
    lines = [
        {"ts": time.time() - 5, "level": "error", "msg": "forecast %d failed" % n, "user": {"id": n % 2}}
        for n in range(6)
    ]
    lines.append({"ts": time.time() - 5, "level": "info", "msg": "ERROR in words"})
    path = log(tmp_path / "a.log", *map(json.dumps, lines))
    assert look(path)["data"]["count"] == 6
    assert look(path, fields={"user.id": "1"})["data"]["count"] == 3
    assert look(path, match="forecast [12]")["data"]["count"] == 2
    assert look(path, match="forecast [12]", fields={"user.id": 1})["data"]["count"] == 1
    assert look(path, levels=[])["data"]["count"] == 7
    assert look(path)["data"]["patterns"][0]["pattern"] == "forecast <n> failed"


def test_an_access_log(tmp_path):
    form = '10.0.0.%d - - [%s] "GET /x HTTP/1.1" %d 12'
    when = stamp(60, "%d/%b/%Y:%H:%M:%S +0000")
    path = log(tmp_path / "access.log", *[form % (n, when, 500 if n < 3 else 200) for n in range(9)])
    result = look(path, levels=[], match='" 5[0-9][0-9] ')
    assert result["data"]["count"] == 3
    assert "3 entries in the last 1h" in result["reason"]


def test_rotated_parts_belong_to_the_log(tmp_path):
    log(tmp_path / "app.log", stamp(100) + " ERROR new", stamp(1) + " INFO x")
    log(tmp_path / "app.log.1", stamp(2000) + " ERROR middle")
    with gzip.open(str(tmp_path / "app.log.2.gz"), "wb") as file:
        file.write((stamp(3000) + " ERROR early\n" + stamp(2900) + " ERROR early\n").encode())
    log(tmp_path / "app.log.3", stamp(3100) + " ERROR not read: its time of writing says so")
    os.utime(str(tmp_path / "app.log.3"), (1000, 1000))
    data = look(tmp_path / "app.log", since="1h")["data"]
    assert data["count"] == 4
    assert [os.path.basename(file["path"]) for file in data["files"]] == ["app.log", "app.log.1", "app.log.2.gz"]
    assert [file["count"] for file in data["files"]] == [1, 1, 2]


def test_until(tmp_path):
    path = log(tmp_path / "a.log", *[stamp(ago) + " ERROR x" for ago in (3000, 2000, 1000, 100)])
    data = look(path, since="40m", until="10m")["data"]
    assert data["count"] == 2
    assert data["newest_age_seconds"] < 200
    assert data["window_seconds"] == 1800


def test_zones_of_naive_times(tmp_path):
    path = log(tmp_path / "a.log", stamp(60 - 7200, "%Y-%m-%d %H:%M:%S") + " ERROR x")
    assert look(path, timezone="+02:00")["data"]["count"] == 1
    wrong = look(path, timezone="UTC")
    assert wrong["data"]["count"] == 0
    assert "ahead of the clock: is the time zone right (timezone)?" in wrong["warnings"][0]
    assert "this host does not know Nowhere/City" in look(path, timezone="Nowhere/City")["error"]


def test_a_silent_log_is_remarked_on(tmp_path):
    path = log(tmp_path / "a.log", stamp(7200) + " INFO x")
    assert look(path)["warnings"][0].startswith("nothing was logged for 2h")
    assert look(path, silent="3h")["warnings"] == []
    empty = log(tmp_path / "b.log")
    os.utime(str(empty), (time.time() - 90000, time.time() - 90000))
    assert look(empty)["warnings"][0].startswith("nothing was logged for 1d 1h")


def test_what_is_missing_or_has_no_times(tmp_path):
    path = log(tmp_path / "a.log", stamp(5) + " ERROR x")
    other = log(tmp_path / "b.log", "ERROR when?")
    assert look(tmp_path / "no.log", path)["error"] == "%s/no.log does not exist" % tmp_path
    assert look(tmp_path / "*.txt")["error"] == "no log file was found: %s/*.txt matches nothing" % tmp_path
    assert look(tmp_path / "*.txt", path)["warnings"] == ["%s/*.txt matches nothing" % tmp_path]
    assert look(other)["error"] == "no times were found in %s" % other
    both = look(path, other)
    assert (both["status"], both["data"]["undated"]) == ("ok", [str(other)])
    assert both["warnings"] == ["no times were found in %s: not looked through" % other]


def test_a_log_that_is_named_and_cannot_be_read_is_no_success(tmp_path):
    path = log(tmp_path / "a.log", stamp(5) + " INFO x")
    (tmp_path / "b.log").symlink_to("b.log")  # not even root can open it
    words = "%s/b.log: Too many levels of symbolic links" % tmp_path
    assert look(tmp_path / "b.log", path)["error"] == words
    by_pattern = look(tmp_path / "*.log", path)
    assert (by_pattern["status"], by_pattern["warnings"]) == ("ok", [words])


def test_what_is_left_out_is_told(tmp_path):
    path = log(tmp_path / "a.log", *[stamp(5) + " ERROR x" for _number in range(5000)])
    result = look(path, read_limit="10K")
    assert not result["data"]["complete"]
    assert 0 < result["data"]["count"] < 500
    assert "(read_limit): a part was left out of %s" % path in result["warnings"][0]


def test_hostile_bytes(tmp_path):
    path = tmp_path / "a\n\x1b.log"
    path.write_bytes(stamp(5).encode() + b" ERROR \xff\xfe\x1b[2J\x07\x00 x\n" + b"\xff" * 9000 + b"\n{" * 100 + b"\n")
    result = look(tmp_path / "*.log")
    assert result["data"]["count"] == 1, result
    sample = result["data"]["patterns"][0]["samples"][0]
    assert sample["text"].replace("\n", "").isprintable()
    assert sample["path"].isprintable()
    assert len(sample["text"]) <= 1000


# The plan


def state(number, buckets=12, **more):
    rest = number % buckets
    found = {
        "now": 1767323045.0, "since": 1767319445.0, "until": 1767323045.0, "count": number,
        "first": 1767319500.0 if number else None, "last": 1767323000.0 if number else None, "patterns": [],
        "pattern_count": 0, "buckets": [number // buckets + (n < rest) for n in range(buckets)],
        "newest": 1767323040.0, "written": 1767323040.0, "bytes_read": 10, "lines_read": 1,
        "files": [{"path": "/a.log", "size_bytes": 10, "count": number}], "missing": [], "undated": [], "cut": [],
        "problems": [], "closed": [], "left_out": 0,
    }  # fmt: skip
    return dict(found, **more)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_the_verdict_is_monotone(number, low, high):
    low, high = sorted((low, high))
    if low == high:
        high += 1
    task = LogErrors(warn=low, fail=high)
    plan = task.plan(state(number))
    assert bool(plan.failure) is (number > high)
    assert bool(plan.warnings) is (low < number <= high)
    assert not plan.changes
    assert plan == task.plan(state(number))
    assert sum(bucket["count"] for bucket in plan.data["buckets"]) == number
    json.dumps(plan.data)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0s"), (59.6, "1m"), (3600, "1h"), (5400, "1h 30m"), (2592000, "30d"), (90061, "1d 1h")]
)
def test_spans(seconds, words):
    assert _span(seconds) == words
