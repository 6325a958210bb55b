"""Available memory, swap and load are judged for the host as it is: a machine, or a container with a limit."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.params import ParamError
from opslib.host.tasks import memory_usage
from opslib.host.tasks.memory_usage import MemoryUsage, parse_meminfo, parse_pressure
from opslib.host.worker import run_step

DATA = Path(__file__).parent / "data"
MIB, GIB = 1 << 20, 1 << 30
HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]


def state(total=100 * GIB, available=50 * GIB, swap=0, swap_free=0, load=(0.0, 0.0, 0.0), **more):
    memory = {"total": total, "available": available, "shared": 0, "swap_total": swap, "swap_free": swap_free}
    rest = {"cgroup": None, "processors": 2, "pressure": None, "oom_kills": 0, "process_count": 0, "processes": []}
    return dict(rest, memory=memory, load=list(load), **more)


def cgroup(limit, used, cache=0, swap_limit=None, swap_used=0):
    return {
        "version": 2,
        "path": "/sys/fs/cgroup",
        "limit_bytes": limit,
        "used_bytes": used,
        "inactive_file_bytes": cache,
        "swap_limit_bytes": swap_limit,
        "swap_used_bytes": swap_used,
        "oom_kills": 0,
    }


# The parameters


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("warn", ["ten", "101%", "-5%", -1, [], True, "1e30", *HOSTILE]),
        ("fail", ["ten", "101%", "-5%", -1, [], True, "1e30", *HOSTILE]),
        ("swap_warn", ["many", 101, "101%", -1, [], True, "5G", *HOSTILE]),
        ("swap_fail", ["many", 101, "101%", -1, [], True, "5G", *HOSTILE]),
        ("load_warn", ["high", -1, 1e9, float("nan"), float("inf"), [], True, "5%", *HOSTILE]),
        ("load_fail", ["high", -1, 1e9, float("nan"), float("inf"), [], True, "5%", *HOSTILE]),
        ("top", ["few", -1, 101, 1.5, [], True, *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^memory_usage: %s: " % name):
            MemoryUsage(**{name: value})


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"warn": "4%"}, "warn 4% available must be above fail 5% available"),
        ({"warn": "20%", "fail": "20%"}, "warn 20% available must be above fail 20% available"),
        ({"warn": "1G", "fail": "2G"}, "warn 1.0 GiB available must be above fail 2.0 GiB available"),
        ({"swap_warn": 50, "swap_fail": 40}, "swap_warn 50% must be below swap_fail 40%"),
        ({"load_warn": 3, "load_fail": 3}, "load_warn 3 must be below load_fail 3"),
    ],
)
def test_contradictions_are_refused(args, words):
    with pytest.raises(ParamError) as refused:
        MemoryUsage(**args)
    assert words in str(refused.value)


@pytest.mark.parametrize("args", [{}, {"fail": "20%"}, {"fail": "1G"}, {"swap_fail": 50}, {"load_fail": 1}])
def test_a_stricter_fail_needs_no_warn(args):
    task = MemoryUsage(**args)
    assert MemoryUsage(**task.args()) == task


# The parsers


def test_meminfo_of_a_real_machine():
    assert parse_meminfo((DATA / "meminfo_machine.txt").read_text()) == {
        "total": 24684084 * 1024,
        "available": 22291248 * 1024,
        "shared": 1497044 * 1024,
        "swap_total": 2097148 * 1024,
        "swap_free": 1048574 * 1024,
    }


def test_an_old_kernel_does_not_say_what_is_available():
    text = "MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 20 kB\nCached: 300 kB\nShmem: 50 kB\n"
    assert parse_meminfo(text)["available"] == 370 * 1024


PRESSURE = "some avg10=1.50 avg60=0.00 avg300=0.25 total=123\nfull avg10=0.75 avg60=0.00 avg300=0.00 total=45\n"


@pytest.mark.parametrize(("text", "found"), [(PRESSURE, 6), (PRESSURE.splitlines()[0], 3), ("", None), ("\n\n", None)])
def test_pressure(text, found):
    shares = parse_pressure(text)
    assert (shares and len(shares)) == found
    if shares:
        assert (shares["some_10s_percent"], shares["some_300s_percent"]) == (1.5, 0.25)


# The plan


def test_the_reason_says_it_all():
    row = {"pid": 812, "user": "postgres", "rss_bytes": 2 * GIB, "swap_bytes": 0, "command": "postgres"}
    plan = MemoryUsage().plan(state(load=(1.0, 0.84, 0.5), swap=4 * GIB, swap_free=GIB, processes=[row]))
    assert plan.reason == (
        "50% of 100.0 GiB memory is available (50.0 GiB), swap 75% used, load 0.42 per processor, "
        "most: postgres (pid 812) 2.0 GiB"
    )
    assert (plan.changes, plan.failure, plan.warnings) == ((), "", [])
    assert plan.data["load_5m_per_processor"] == 0.42
    assert plan.data["counted"] == "machine"


@pytest.mark.parametrize(
    ("args", "given", "failure", "warning"),
    [
        ({}, {"available": 4 * GIB}, "4% of 100.0 GiB memory is available (4.0 GiB) (fail: below 5%)", ""),
        ({}, {"available": 9 * GIB}, "", "9% of 100.0 GiB memory is available (9.0 GiB) (warn: below 10%)"),
        ({}, {"available": 10 * GIB}, "", ""),
        ({"fail": "60G"}, {}, "50% of 100.0 GiB memory is available (50.0 GiB) (fail: below 60.0 GiB)", ""),
        ({}, {"swap": 10 * GIB, "swap_free": 2 * GIB}, "", "80% of 10.0 GiB swap is used (warn: 80%)"),
        ({"swap_fail": 70}, {"swap": 10 * GIB, "swap_free": GIB}, "90% of 10.0 GiB swap is used (fail: 70%)", ""),
        ({"swap_fail": 0}, {}, "", ""),
        ({}, {"load": (0, 4, 0)}, "", "the load is 2 per processor (2 processors, 5 minutes) (warn: 2)"),
        (
            {"load_fail": 1.5},
            {"load": (0, 4, 0)},
            "the load is 2 per processor (2 processors, 5 minutes) (fail: 1.5)",
            "",
        ),
    ],
)
def test_thresholds(args, given, failure, warning):
    plan = MemoryUsage(**args).plan(state(**given))
    assert (plan.failure, "; ".join(plan.warnings)) == (failure, warning)


def test_the_limit_of_a_container_counts_where_it_is_tighter():
    plan = MemoryUsage().plan(state(cgroup=cgroup(2 * GIB, 2 * GIB, cache=GIB)))
    assert plan.data["counted"] == "/sys/fs/cgroup"
    assert (plan.data["total_bytes"], plan.data["available_bytes"]) == (2 * GIB, GIB)
    assert (plan.data["machine_total_bytes"], plan.data["machine_available_bytes"]) == (100 * GIB, 50 * GIB)
    assert "50% of 2.0 GiB memory (the container's limit) is available" in plan.reason


def test_a_limit_above_the_machine_does_not_count():
    assert MemoryUsage().plan(state(cgroup=cgroup(200 * GIB, GIB))).data["counted"] == "machine"


def test_a_container_has_no_more_than_its_machine():
    plan = MemoryUsage().plan(state(available=GIB, cgroup=cgroup(50 * GIB, 10 * GIB)))
    assert plan.data["available_bytes"] == GIB
    assert plan.failure


def test_the_swap_of_a_container():
    found = state(swap=8 * GIB, swap_free=8 * GIB, cgroup=cgroup(GIB, 0, swap_limit=GIB, swap_used=GIB // 2))
    assert MemoryUsage().plan(found).data["swap_used_percent"] == 50
    none = state(swap=8 * GIB, swap_free=8 * GIB, cgroup=cgroup(GIB, 0, swap_limit=0))
    assert MemoryUsage().plan(none).data["swap_used_percent"] is None


sizes = st.integers(1, 1 << 45)


@given(sizes, sizes, st.integers(1, 99), st.integers(0, 98), sizes, sizes)
def test_a_laxer_limit_never_fails_more(total, available, limit, less, container, used):
    found = state(total=total, available=available, cgroup=cgroup(container, used))
    lax = MemoryUsage(warn="100%", fail="%d%%" % max(limit - less, 1)).plan(found)
    strict = MemoryUsage(warn="100%", fail="%d%%" % limit).plan(found)
    assert not (lax.failure and not strict.failure)
    assert strict == MemoryUsage(warn="100%", fail="%d%%" % limit).plan(found)
    assert 0 <= strict.data["available_bytes"] <= strict.data["total_bytes"] <= total
    assert not strict.changes


# The host


def test_this_host_is_measured_and_nothing_changes():
    args = {"warn": "0", "fail": "0", "load_warn": 100000, "swap_warn": 100, "top": 3}
    for check in (True, False, False):
        result = run_step(MemoryUsage, args, check)
        assert (result["status"], result["changed"], result["error"]) == ("ok", False, None), result
    data = result["data"]
    assert data["total_bytes"] > data["available_bytes"] > 0
    assert len(data["processes"]) <= 3
    largest = [row["rss_bytes"] for row in data["processes"]]
    assert largest == sorted(largest, reverse=True)
    assert all({"pid", "user", "rss_bytes", "command"} <= set(row) for row in data["processes"])


def test_too_little_memory_fails():
    result = run_step(MemoryUsage, {"fail": "800000T", "top": 0}, True)
    assert result["status"] == "failed"
    assert "fail: below" in result["error"]
    assert result["data"]["processes"] == []


def test_without_proc_there_is_no_answer(monkeypatch):
    monkeypatch.setattr(memory_usage, "_read", lambda _path: "")
    assert "/proc/meminfo" in run_step(MemoryUsage, {}, True)["error"]


def test_kernel_threads_and_the_dead_are_left_out(monkeypatch):
    status = b"Name:\tx\nUid:\t0\t0\t0\t0\nVmSwap:\t   12 kB\n"
    files = {
        (2, "statm"): b"0 0 0 0 0 0 0\n",
        (50, "statm"): b"500 100 3 0 0 0 0\n",
        (60, "statm"): b"900 700 3 0 0 0 0\n",
        (70, "statm"): b"",
        (50, "status"): status,
        (60, "status"): status,
        (60, "cmdline"): b"/usr/bin/myapp\0--password\0secret\0",
        (50, "comm"): b"shy\n",
    }
    monkeypatch.setattr(memory_usage.processes, "pids", lambda: [2, 50, 60, 70])
    monkeypatch.setattr(memory_usage.processes, "read", lambda pid, name, limit=0: files.get((pid, name), b""))
    count, rows = memory_usage._processes(10)
    assert count == 2
    assert [(row["pid"], row["user"], row["command"], row["swap_bytes"]) for row in rows] == [
        (60, "root", "myapp", 12288),
        (50, "root", "shy", 12288),
    ]
