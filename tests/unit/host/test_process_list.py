"""Processes are counted by command, user and unit; the run that counts them never counts itself."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.params import ParamError
from opslib.host.tasks import processes as process_list
from opslib.host.tasks.processes import Processes, carriers, family, in_unit, parse_stat
from opslib.host.worker import run_step

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]
SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def sleeper():
    """Start processes that sleep, with a word in their command line that no other has. They are no children of ours."""
    word = "sleeper%d" % os.getpid()
    started = []

    def start(*more):
        shell = ["sh", "-c", '"$@" >/dev/null 2>&1 </dev/null & echo $!', "sh"]
        done = subprocess.run([*shell, sys.executable, "-c", SLEEP, word, *more], stdout=subprocess.PIPE, check=True)
        pid = int(done.stdout)
        started.append(pid)
        for _look in range(500):
            if process_list.processes.read(pid, "cmdline").startswith(os.fsencode(sys.executable) + b"\0"):
                break
            time.sleep(0.01)
        return pid

    start.word = word
    yield start
    for pid in started:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("command", ["(", "a\0b", "a\nb", "", 5 + 1j, [], {"a": 1}, "(" * 5000, "x" * 70000, "\x1b[31m"]),
        ("user", ["a b", [], {}, *HOSTILE]),
        ("unit", ["a b", "x@", "@.service", [], {}, *HOSTILE]),
        ("least", ["few", -1, 1.5, 2000000, [], True, *HOSTILE]),
        ("most", ["few", -1, 1.5, 2000000, [], True, *HOSTILE]),
        ("count", ["few", -1, 1.5, 2000000, [], True, *HOSTILE]),
        ("top", ["few", -1, 1.5, 1001, [], True, *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^processes: %s: " % name):
            Processes(**{name: value})


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"count": 2, "most": 3}, "processes: count 2 says it all; leave out least and most"),
        ({"count": 2, "least": 2}, "processes: count 2 says it all; leave out least and most"),
        ({"least": 3, "most": 2}, "processes: least 3 must not be above most 2"),
        ({"least": 2, "most": 0}, "processes: least 2 must not be above most 0"),
    ],
)
def test_contradictions_are_refused(args, words):
    with pytest.raises(ParamError) as refused:
        Processes(**args)
    assert str(refused.value) == words


def test_parameters_stay_the_same_when_checked_again():
    task = Processes(command="uvicorn .*", user="root", unit="nginx", most="3")
    assert task.unit == "nginx.service"
    assert Processes(**task.args()) == task


# What /proc says

STAT = (
    b"4242 (a (b) c) S 4200 4242 4200 34816 4242 4194304 1000 0 1 0 150 50 0 0 20 0 1 0 880000 25000000 1500 "
    b"18446744073709551615 1 1 0 0 0 0 0 16781312 134217730 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)


def test_a_stat_is_read_whatever_the_name_holds():
    assert parse_stat(STAT) == {
        "name": "a (b) c",
        "state": "sleeping",
        "parent": 4200,
        "cpu_ticks": 200,
        "ticks": 880000,
        "pages": 1500,
    }


@pytest.mark.parametrize(
    "text", [b"", b"4242", b"4242 (a) S 1 2", STAT.replace(b" 4194304 ", b" %d " % (4194304 | 0x200000))]
)
def test_kernel_threads_and_vanished_processes_are_left_out(text):
    assert parse_stat(text) is None


@pytest.mark.parametrize(
    ("cgroup", "unit", "within"),
    [
        ("0::/system.slice/nginx.service\n", "nginx.service", True),
        ("0::/system.slice/nginx.service\n", "system.slice", True),
        ("0::/system.slice/nginx.service\n", "ginx.service", False),
        ("12:pids:/system.slice/a.service\n1:name=systemd:/system.slice/a.service\n", "a.service", True),
        ("0::/user.slice/user-0.slice/user@0.service/app.slice/b.service", "user@0.service", True),
        ("0::/\n", "a.service", False),
        ("", "a.service", False),
    ],
)
def test_units(cgroup, unit, within):
    assert in_unit(cgroup, unit) is within


# The run itself


def test_a_family_holds_all_descendants():
    parents = {1: 0, 5: 1, 6: 5, 7: 6, 8: 1, 9: 7}
    assert family(6, parents) == {6, 7, 9}


PARENTS = {1: 0, 10: 1, 11: 10, 12: 11, 13: 12, 14: 13, 20: 14}


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        # sshd, its session, the shell that runs sudo, sudo, its monitor
        (
            {
                10: b"sshd: /usr/sbin/sshd -D",
                11: b"sshd: root@notty",
                12: b"sh\0-c\0sudo python3 opslib-ready",
                13: b"sudo\0python3",
                14: b"/usr/bin/sudo\0python3",
            },
            {12, 13, 14},
        ),
        ({14: b"sshd: root@notty", 13: b"sshd: /usr/sbin/sshd"}, set()),
        # on the same host: a script, started from a shell
        ({14: b"python3\0check.py\0uvicorn", 13: b"-bash", 12: b"tmux"}, {14}),
        ({14: b"python3\0/x/opslib\0task\0processes\0command=tmux", 13: b"-bash", 12: b"tmux"}, {14}),
        ({14: b"python3\0/x/python3 guard.py", 13: b"/usr/bin/ansible-playbook\0x.yml", 12: b"-bash"}, {14, 13}),
    ],
)
def test_who_started_the_run_is_known(lines, found):
    assert carriers(20, PARENTS, lambda pid: lines.get(pid, b"x")) == found


def test_the_first_process_of_a_host_never_counts_as_a_carrier():
    assert carriers(5, {5: 1, 1: 0}, lambda pid: b"opslib") == set()


def test_a_run_does_not_find_itself(sleeper):
    """The pattern stands in the command line of the child that runs the task, and of its parent."""
    program = (
        "import sys; from opslib.host.worker import run_step; from opslib.host.tasks.processes import Processes;"
        "result = run_step(Processes, {'command': sys.argv[1]}, True); print(result['data']['count'])"
    )
    word = sleeper.word
    sleeper()
    shell = ["sh", "-c", '"$0" -c "$1" "$2"; true', sys.executable, program, word]
    done = subprocess.run(shell, stdout=subprocess.PIPE, check=True)
    assert done.stdout == b"1\n"


# Real processes


def test_processes_are_found_by_command_and_user(sleeper):
    first, second = sleeper(), sleeper("password=secret")
    for check in (True, False, False):
        result = run_step(Processes, {"command": sleeper.word, "user": str(os.geteuid()), "count": 2}, check)
        assert (result["status"], result["changed"], result["changes"]) == ("ok", False, []), result
    rows = result["data"]["processes"]
    assert sorted(row["pid"] for row in rows) == sorted([first, second])
    assert "secret" not in str(result)
    for row in rows:
        assert row["age_seconds"] < 60
        assert row["rss_bytes"] > 100000
        assert row["state"] in ("sleeping", "running")
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", row["started"])
    nobody = run_step(Processes, {"command": sleeper.word, "user": "nosuchuser"}, True)
    assert nobody["error"] == "no process runs with %s in the command line of user nosuchuser, expected at least 1" % (
        sleeper.word
    )


def test_a_list_is_cut(sleeper):
    sleeper()
    sleeper()
    data = run_step(Processes, {"command": sleeper.word, "top": 1}, True)["data"]
    assert (data["count"], len(data["processes"]), data["left_out"]) == (2, 1, 1)


def test_nothing_runs_in_an_unknown_unit():
    assert run_step(Processes, {"unit": "no-such-unit", "most": 0}, True)["status"] == "ok"
    assert run_step(Processes, {"unit": "no-such-unit"}, True)["error"] == (
        "no process runs in no-such-unit.service, expected at least 1"
    )


def test_a_zombie_is_no_running_process(sleeper):
    """The zombie keeps its name but no command line; its parent is asked for by its own."""
    program = "import os, time; pid = os.fork(); pid or os._exit(0); time.sleep(60)"
    name = "zombiemaker%d" % os.getpid()
    shell = ["sh", "-c", '"$@" >/dev/null 2>&1 </dev/null & echo $!', "sh", sys.executable, "-c", program, name]
    maker = int(subprocess.run(shell, stdout=subprocess.PIPE, check=True).stdout)
    try:
        for _look in range(500):
            rows = [row for row in process_list._found(None, None) if row["parent"] == maker]
            if rows and rows[0]["state"] == "zombie":
                break
            time.sleep(0.01)
        assert [row["state"] for row in rows] == ["zombie"]
        args = {"command": "^%s$|%s" % (re.escape(rows[0]["name"]), name), "user": str(os.geteuid()), "top": 0}
        data = run_step(Processes, args, True)["data"]
        assert data["zombies"] >= 1
        assert data["count"] >= 1
    finally:
        os.kill(maker, signal.SIGKILL)


def test_zombies_are_remarked_on():
    state = judged(0, zombies=2, parents=["app (pid 7)"])
    plan = Processes(command="x").plan(state)
    assert plan.warnings == ["2 zombies with x in the command line, not reaped by app (pid 7)"]
    assert plan.failure.startswith("no process runs")


def test_an_expression_that_never_ends_is_given_up(sleeper, monkeypatch):
    monkeypatch.setattr(process_list, "_PATIENCE", 0.3)
    process = sleeper("a" * 60 + "b")
    with pytest.raises(process_list.TaskError, match="takes too long to match; make it simpler"):
        process_list._matching([process], "(a+)+$")


# The plan


def row(pid=7, ticks=100):
    return {
        "pid": pid, "user": "root", "unit": "", "ticks": ticks, "cpu_ticks": 150, "pages": 2, "state": "sleeping",
        "command": "python a.py", "parent": 1, "name": "python",
    }  # fmt: skip


def judged(number, **more):
    state = {
        "now": 1767323045.0, "uptime_seconds": 50.0, "ticks_per_second": 100, "page_bytes": 4096, "count": number,
        "zombies": 0, "parents": [], "processes": [row(pid) for pid in range(7, 7 + number)], "hidden": False,
    }  # fmt: skip
    state.update(more)
    return state


@pytest.mark.parametrize(
    ("args", "number", "failure"),
    [
        ({}, 0, "no process runs, expected at least 1"),
        ({}, 1, ""),
        ({"least": 3}, 2, "2 processes run, expected at least 3"),
        ({"most": 1}, 2, "2 processes run, expected at most 1"),
        ({"most": 0}, 0, ""),
        ({"most": 0}, 1, "1 process runs, expected at most 0"),
        ({"count": 2}, 2, ""),
        ({"count": 0}, 0, ""),
        ({"count": 2}, 3, "3 processes run, expected exactly 2"),
        ({"command": "u", "user": "w", "unit": "n"}, 0,
         "no process runs with u in the command line of user w in n.service, expected at least 1"),
    ],
)  # fmt: skip
def test_expectations(args, number, failure):
    assert Processes(**args).plan(judged(number)).failure == failure


def test_data_and_reason():
    plan = Processes(command="a.py").plan(judged(1))
    assert plan.reason == (
        "1 process with a.py in the command line: the oldest is python a.py (pid 7, user root, 8.0 KiB, "
        "started 2026-01-02T03:03:16Z)"
    )
    assert plan.data["processes"] == [
        {
            "pid": 7,
            "user": "root",
            "unit": "",
            "started": "2026-01-02T03:03:16Z",
            "age_seconds": 49,
            "rss_bytes": 8192,
            "cpu_seconds": 1.5,
            "state": "sleeping",
            "command": "python a.py",
        }
    ]


def test_hidden_processes_are_remarked_on():
    assert "hidepid" in Processes().plan(judged(1, hidden=True)).warnings[0]


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_the_verdict_is_the_arithmetic(number, low, high):
    low, high = sorted((low, high))
    plan = Processes(least=low, most=high).plan(judged(number))
    expected = low if (low, high) != (1, 0) else 0
    assert bool(plan.failure) is not (expected <= number <= high)
    assert not plan.changes
    assert plan == Processes(least=low, most=high).plan(judged(number))
