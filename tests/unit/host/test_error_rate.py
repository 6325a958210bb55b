"""Error rates of two windows are compared, and the rise is laid to what preceded it."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.logs.rates import compared, culprit
from opslib.host.params import ParamError
from opslib.host.tasks import memory_usage
from opslib.host.tasks.error_rate import ErrorRate
from opslib.host.worker import run_step

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]
LOG = ["/x.log"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("paths", [[], "", "relative/*", ["/a/../b"], ["/a\0b"], ["/a\nb"], [""], 5, {"a": 1}]),
        ("since", ["soon", 0, 5, -1, [], True, "1e30", *HOSTILE]),
        ("levels", [[], ["a b"], ["-x"], 5, ["E"] * 21, ["a\nb"], ["a\0b"], ["\udcff"], [""]]),
        ("match", ["(", "a\0b", "a\nb", "", [], {"a": 1}, "x" * 70000, "\x1b[31m"]),
        ("fields", [5, "user_id=5", [], {"": 1}, {"a": object()}]),
        ("timezone", ["+25:00", "/etc/passwd", "a/../b", "5", [], *HOSTILE]),
        ("releases", [["x"], ["/a/../b"], ["/a\nb"], 5]),
        ("application", ["", "a\nb", "a\0b", [], "x" * 70000]),
        ("compare", ["soon", 0, -1, [], True, *HOSTILE]),
        ("related", ["soon", -1, [], True, *HOSTILE]),
        ("factor", ["much", -1, [], True, float("nan"), *HOSTILE]),
        ("least", ["few", 0, -1, 1.5, [], True, *HOSTILE]),
        ("per_minute", ["few", -1, [], True, *HOSTILE]),
        ("top", ["few", 0, 501, [], True, *HOSTILE]),
        ("read_limit", ["much", "90%", -1, [], True, *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^error_rate: %s: " % name):
            ErrorRate(**{"paths": LOG, name: value})


def stamp(ago):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago))


class Site:
    """A log and records of releases in a folder."""

    def __init__(self, folder):
        self.log = folder / "app.log"
        self.records = folder / "releases.jsonl"
        self.lines = []

    def say(self, ago, text, level="ERROR"):
        self.lines.append((ago, "%s %s %s\n" % (stamp(ago), level, text)))

    def release(self, ago, ref, **more):
        with self.records.open("a") as file:
            file.write(json.dumps(dict(more, id="r-" + ref, ref=ref, commit="abc123" + "0" * 34, at=stamp(ago))) + "\n")

    def look(self, **args):
        self.log.write_text("".join(line for _ago, line in sorted(self.lines, key=lambda pair: -pair[0])))
        args = dict({"paths": [str(self.log)], "releases": [str(self.records)]}, **args)
        return run_step(ErrorRate, args, False)


def load(monkeypatch, words):
    read = memory_usage._read
    monkeypatch.setattr(memory_usage, "_read", lambda path: words if path == "/proc/loadavg" else read(path))


@pytest.fixture
def site(tmp_path, monkeypatch):
    load(monkeypatch, "0.1 0.1 0.1 1/100 1\n")
    return Site(tmp_path)


def test_an_overloaded_host_is_relieved_first(site, monkeypatch):
    load(monkeypatch, "900 9000 90 1/100 1\n")
    for ago in range(0, 600, 20):
        site.say(ago, "no answer from 10.0.0.%d" % (ago % 7))
    data = site.look()["data"]
    assert len(data["resources"]) == 1
    assert data["resources"][0].startswith("the load is ")
    assert data["suggestion"].startswith("relieve the host first: the load is ")


def test_errors_that_began_after_a_release_are_laid_to_it(site):
    for ago in range(1300, 4000, 300):
        site.say(ago, "timeout of request %d" % ago)
    site.release(5000, "v2")
    site.release(1200, "v3")
    for ago in range(0, 960, 10):
        site.say(ago, "KeyError: price of %d" % ago)
    result = site.look()
    assert result["status"] == "failed"
    words = result["error"]
    assert "began 4 minutes after release v3 (abc123000000): ERROR KeyError: price of <n> (96 times)" in words
    assert words.endswith("roll release v3 (abc123000000) back, or mend it")
    data = result["data"]
    assert (data["related"], data["high"], 235 < data["began_seconds"] < 265) == (True, True, True)
    assert [(row["pattern"], row["new"]) for row in data["patterns"]] == [("ERROR KeyError: price of <n>", True)]
    assert data["before"]["logged"] is True
    assert data["times"] > 10


def test_a_release_that_was_taken_back_is_not_to_be_taken_back(site):
    site.release(1200, "v3", outcome="failed")
    for ago in range(0, 960, 10):
        site.say(ago, "KeyError: price of %d" % ago)
    told = site.look()["error"]
    assert told.endswith("release v3 (abc123000000) is live no more (failed): see whether errors went on after that")


def test_the_same_errors_only_more_are_not_laid_to_a_release(site):
    site.release(1800, "v3")
    for ago in range(1810, 5400, 600):
        site.say(ago, "timeout of request %d" % ago)
    for ago in range(0, 900, 20):
        site.say(ago, "timeout of request %d" % ago)
    result = site.look()
    assert result["status"] == "failed"
    assert result["data"]["related"] is False
    assert "the same errors as before, only more" in result["error"]


def test_errors_without_a_release(site):
    for ago in range(3700, 7000, 600):
        site.say(ago, "all is well", "INFO")
    for ago in range(0, 600, 20):
        site.say(ago, "no answer from 10.0.0.%d" % (ago % 7))
    result = site.look()
    assert result["status"] == "failed"
    assert "30 errors in the last 1 hour" in result["error"]
    assert "none before that" in result["error"]
    assert "no release explains it" in result["data"]["suggestion"]
    assert result["data"]["release"] is None


def test_a_release_of_another_application_is_left_out(site):
    site.release(600, "v9", application="other")
    for ago in range(0, 500, 10):
        site.say(ago, "boom %d" % ago)
    assert site.look(application="shop")["data"]["release"] is None
    assert site.look(application="other")["data"]["release"]["ref"] == "v9"


def test_few_errors_and_steady_errors_are_well(site):
    site.say(10, "one alone")
    site.say(5000, "hello", "INFO")
    result = site.look()
    assert result["status"] == "ok"
    assert result["data"]["suggestion"] == "nothing to do"
    for ago in range(0, 7200, 60):
        site.say(ago, "steady %d" % ago)
    result = site.look()
    assert result["status"] == "ok"
    assert 0.9 < result["data"]["times"] < 1.2
    assert site.look(per_minute=0.5)["status"] == "failed"


def test_a_log_that_is_too_young_is_told(site):
    for ago in range(0, 60, 10):
        site.say(ago, "boom")
    assert any("nothing to compare with" in words for words in site.look()["warnings"])


def test_no_log_fails(tmp_path):
    result = run_step(ErrorRate, {"paths": [str(tmp_path / "none.log")]}, False)
    assert "does not exist" in result["error"]


def test_hostile_records_are_left_out(site, tmp_path):
    site.records.write_bytes(
        b'[[[[\n{"id": 5, "at": "x"}\nnull\n\xff\xfe\n{"id": "a\\u001b[2J", "at": 1e12, "commit": {}}\n'
    )
    (tmp_path / "link.json").symlink_to("/etc/shadow")
    site.say(5, "boom")
    assert site.look()["data"]["release"] is None
    assert site.look(releases=[str(tmp_path)])["data"]["release"] is None


def test_records_that_cannot_be_read_are_a_warning(site, tmp_path):
    site.say(5, "boom")
    nowhere = str(tmp_path / "nowhere")
    assert "releases: %s: No such file or directory" % nowhere in site.look(releases=[nowhere])["warnings"]


def state(patterns, since, until):
    rows = [{"pattern": name, "count": n, "first": since, "last": until, "samples": []} for name, n in patterns.items()]
    return {"patterns": rows, "since": since, "until": until}


counts = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 1000))


@given(after=counts, before=counts, length=st.floats(10, 1e6))
def test_comparison(after, before, length):
    rows = compared(state(after, 0.0, length), state(before, 0.0, length))
    assert {row.pattern: (row.count, row.before) for row in rows} == {
        name: (number, before.get(name, 0)) for name, number in after.items()
    }
    assert [row.growth for row in rows] == sorted((row.growth for row in rows), reverse=True)
    worst = culprit(rows)
    assert (worst is None) == all(number <= before.get(name, 0) for name, number in after.items())
