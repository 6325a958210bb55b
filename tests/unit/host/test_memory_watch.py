"""A line through samples of memory: how steep, how sure, and when it ends."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.params import ParamError
from opslib.host.tasks.memory_watch import MemoryWatch
from opslib.host.units import memory, trend
from opslib.host.units.memory import Sample, Source

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]
MIB = 1 << 20


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("unit", ["-x", "a b", "a@", [], *HOSTILE]),
        ("duration", ["soon", 0, 0.5, -1, [], True, *HOSTILE]),
        ("every", ["soon", 0, -1, [], True, *HOSTILE]),
        ("limit", ["much", "90%", -1, [], True, *HOSTILE]),
        ("critical", ["soon", -1, [], True, *HOSTILE]),
        ("critical_percent", ["much", 101, -1, [], True, *HOSTILE]),
        ("noise", ["much", "90%", -1, [], True, *HOSTILE]),
        ("restart", ["maybe", 2, [], *HOSTILE]),
        ("settle", ["soon", -1, [], True, *HOSTILE]),
        ("start_timeout", ["soon", 0, -1, [], True, *HOSTILE]),
        ("port", ["http", 0, 65536, [], True, *HOSTILE]),
        ("http", [5, [], {"url": "ftp://x"}, {"nonsense": 1}, *HOSTILE]),
        ("log_lines", ["few", -1, 501, [], True, *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^memory_watch: %s: " % name):
            MemoryWatch(**{"unit": "app", name: value})


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"duration": 5, "every": 2}, "memory_watch: duration 5 s is too short for 5 samples every 2 s"),
        ({"limit": 0}, "memory_watch: limit 0 bytes leaves nothing to watch"),
    ],
)
def test_contradictions_are_refused(args, words):
    with pytest.raises(ParamError) as refused:
        MemoryWatch(unit="app", **args)
    assert str(refused.value) == words


def test_secrets_of_the_check_are_secrets_of_the_task():
    task = MemoryWatch(unit="app", http={"url": "http://x/", "request_headers": {"X-Token": "canary-1"}})
    assert "canary-1" in list(task.secrets())
    assert "canary" not in repr(task)
    assert MemoryWatch(**task.args()) == task


# The line


# Student's t, two-sided (any statistical table)
@pytest.mark.parametrize(
    ("t", "free", "p"),
    [
        (12.706, 1, 0.05),
        (2.228, 10, 0.05),
        (3.169, 10, 0.01),
        (2.042, 30, 0.05),
        (1.96, 1e6, 0.05),
        (0, 7, 1),
        (1e9, 5, 0),
    ],
)
def test_probability(t, free, p):
    assert trend.two_sided(t, free) == pytest.approx(p, abs=2e-4)
    assert trend.two_sided(-t, free) == pytest.approx(p, abs=2e-4)


def test_a_line_that_is_known():
    # Anscombe's first set: slope 0.5001, standard error 0.1179, r2 0.6665, p 0.00217
    xs = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
    ys = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]
    line = trend.fit(sorted(zip(map(float, xs), ys)))
    assert line is not None
    assert line.slope == pytest.approx(0.5001, abs=1e-4)
    assert line.r2 == pytest.approx(0.6665, abs=1e-4)
    assert line.effective <= 11
    if line.effective == 11:
        assert line.error == pytest.approx(0.1179, abs=1e-4)
        assert line.p == pytest.approx(0.00217, abs=1e-5)


times = st.lists(st.integers(0, 10000), min_size=3, max_size=40, unique=True).map(sorted)


@given(times=times, slope=st.integers(-1000, 1000), start=st.integers(0, 10**9))
def test_a_straight_line_is_found(times, slope, start):
    line = trend.fit([(float(t), start + slope * t) for t in times])
    assert line is not None
    assert line.slope == pytest.approx(slope, rel=1e-6, abs=1e-3)
    assert line.level == pytest.approx(start + slope * times[-1], rel=1e-6, abs=1)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e12)), max_size=30))
def test_any_samples_give_a_line_or_none(samples):
    line = trend.fit(sorted(samples))
    if line is not None:
        assert 0 <= line.p <= 1
        assert line.r2 <= 1 + 1e-9
        assert line.sureness in ("sure", "likely", "unclear")
        ends = line.reaches(1e13)
        assert ends is None or ends >= 0


def test_correlated_samples_count_for_less():
    stairs = [(float(t), float(t // 20)) for t in range(60)]
    line = trend.fit(stairs)
    assert line is not None
    assert line.effective < 30


# What is said of it


def watched(values, *, limit=1024 * MIB, every=2, invocations=None, after=None, **args):
    samples = [
        Sample(
            at=100.0 + number * every,
            used=int(value),
            available=512 * MIB,
            invocation=invocations[number] if invocations else "a",
            active="active",
        )
        for number, value in enumerate(values)
    ]
    state = {"now": 1.8e9, "source": Source(kind="cgroup", version=2), "samples": samples, "limit": limit}
    state.update(limit_of="unit", after=after)
    return MemoryWatch(**dict({"unit": "app"}, **args)).plan(state)


def test_a_leak():
    random.seed(7)
    plan = watched([500 * MIB + n * MIB + random.randint(-MIB, MIB) for n in range(60)])
    assert plan.data["trend"] == "growing"
    assert plan.data["sureness"] == "sure"
    assert plan.data["bytes_per_hour"] == pytest.approx(1800 * MIB, rel=0.05)
    assert plan.data["runs_out_seconds"] == pytest.approx(465 * 2, rel=0.1)
    assert plan.data["runs_out_earliest_seconds"] < plan.data["runs_out_seconds"] < plan.data["runs_out_latest_seconds"]
    assert plan.data["critical"] is True
    assert "memory runs out in" in plan.failure
    assert plan.changes == ()


def test_a_leak_that_leaves_time_is_a_warning():
    plan = watched([500 * MIB + n * MIB for n in range(60)], critical="5m")
    assert plan.failure == ""
    assert "growing by 1.8 GiB per hour (sure" in plan.warnings[0]


def test_restart_only_when_critical():
    values = [500 * MIB + n * MIB for n in range(60)]
    assert [change.kind for change in watched(values, restart=True).changes] == ["action"]
    assert watched(values, restart=True, critical="5m").changes == ()
    assert watched([500 * MIB] * 60, restart=True).changes == ()
    done = watched(values, restart=True, after=40 * MIB)
    assert (done.changes, done.failure, done.data["restarted"], done.data["used_after_bytes"]) == (
        (),
        "",
        True,
        40 * MIB,
    )


def test_much_but_steady_is_critical_too():
    plan = watched([950 * MIB] * 60)
    assert plan.data["trend"] == "steady"
    assert plan.failure.endswith("93% of 1.0 GiB is used")


def test_noise_is_no_leak():
    random.seed(3)
    plan = watched([500 * MIB + random.randint(-20, 20) * MIB for _ in range(60)])
    assert plan.data["trend"] == "unclear"
    assert "watch longer" in plan.reason
    assert watched([500 * MIB] * 10).reason.endswith("steady over 18 seconds (sure)")


def test_shrinking_never_runs_out():
    plan = watched([900 * MIB - n * MIB for n in range(60)])
    assert plan.data["trend"] == "shrinking"
    assert plan.data["runs_out_seconds"] is None
    assert plan.failure == ""


def test_a_restart_while_watching_begins_anew():
    values = [900 * MIB + n * MIB for n in range(30)] + [100 * MIB] * 30
    plan = watched(values, invocations=["a"] * 30 + ["b"] * 30)
    assert plan.data["restarts_seen"] == 1
    assert plan.data["trend"] == "steady"
    assert "restarted 1 time while it was watched" in plan.warnings[0]


@given(values=st.lists(st.integers(0, 2**45), min_size=1, max_size=300), limit=st.integers(1, 2**45))
def test_every_watch_can_be_told(values, limit):
    plan = watched(values, limit=limit)
    data = plan.data
    assert len(data["samples"]) <= 201
    assert data["critical"] == bool(plan.failure)
    assert data["runs_out_seconds"] is None or data["trend"] == "growing"
    assert math.isfinite(data["used_percent"])


def test_groups(tmp_path):
    for name, text in {
        "memory.current": "5000\n",
        "memory.stat": "anon 1\ninactive_file 1000\n",
        "memory.max": "max\n",
    }.items():
        (tmp_path / name).write_text(text)
    of = Source(kind="cgroup", version=2, folders=[str(tmp_path)])
    assert memory._of_group(of) == 4000
    assert memory.limit(of) is None
    (tmp_path / "memory.max").write_text("9000\n")
    assert memory.limit(of) == 9000
    for name, text in {"memory.usage_in_bytes": "7000\n", "memory.stat": "total_inactive_file 500\n"}.items():
        (tmp_path / name).write_text(text)
    assert memory._of_group(Source(kind="cgroup", version=1, folders=[str(tmp_path)])) == 6500


def test_of_a_limit_that_is_shared_counts_what_others_leave(tmp_path):
    own = tmp_path / "a.service"
    own.mkdir()
    for folder, most, used in ((tmp_path, "512", "500"), (own, "max", "100")):
        (folder / "memory.max").write_text(most)
        (folder / "memory.current").write_text(used)
    source = memory.Source(kind=memory.GROUP, version=2, folders=[str(own), str(tmp_path)])
    assert memory.limit(source) == 112
    (own / "memory.max").write_text("110")
    assert memory.limit(source) == 110


def test_what_a_restart_could_not_do_is_refused_at_once():
    with pytest.raises(ParamError, match="port"):
        MemoryWatch(unit="x.scope", port=8000, restart=True)
