"""Fleets: what is refused before anything is touched, and real runs on this machine."""

from __future__ import annotations

import os
import pwd
import re
import stat
import threading
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

import opslib
from opslib.errors import InterruptedRunError, InventoryError, RunFailedError, UnreachableError, UsageError
from opslib.events import HostEnded, HostStarted, RunEnded, RunStarted, StepStarted
from opslib.fleet import Fleet, new_run_id
from opslib.result import Status
from opslib.step import Become, Step
from opslib.target import Target
from support import hostile, processes
from support.fakes import CHANGED, FAILED, ConnectionFails, FakeConnections, host
from support.probes import Mishap, Note

FINE = Mishap(how="fine")


def local(*names, **more):
    """Return targets that are all this machine."""
    return [Target(name=name, carrier="local", **more) for name in names]


@pytest.fixture
def seconds():
    """How long processes are to sleep, so that they can be found; none of them is left behind."""
    number = processes.unique_seconds()
    yield number
    assert processes.wait_until(lambda: not processes.with_argument(number))


class Scripted(Fleet):
    """A fleet of scripted hosts."""

    def __init__(self, hosts, **more):
        super().__init__([Target(name=name) for name in hosts], **more)
        self._engine.connections = FakeConnections(hosts)


# What is refused

NUMBERS = [0, -1, 1001, 1.5, "5", None, True, float("nan"), [5], 10**5000]
TIMES = [0, -1, "5", True, float("nan"), float("inf"), 1e7, [5], 10**5000]


@pytest.mark.parametrize("forks", NUMBERS, ids=range(len(NUMBERS)))
def test_forks_are_a_whole_number(forks):
    """From 1 to 1000."""
    with pytest.raises(UsageError, match="^forks .* is no whole number from 1 to 1000$"):
        Fleet(local("a"), forks=forks)


@pytest.mark.parametrize("timeout", TIMES, ids=range(len(TIMES)))
def test_timeouts_are_numbers_of_seconds(timeout):
    """Of the fleet, of a run, and of a step."""
    with pytest.raises(UsageError, match="^timeout .* is no number of seconds above 0$"):
        Fleet(local("a"), timeout=timeout)
    with Fleet(local("a")) as fleet:
        with pytest.raises(UsageError, match="is no number of seconds above 0$"):
            fleet.run([FINE], timeout=timeout)
        with pytest.raises(UsageError, match="is no number of seconds above 0$"):
            fleet.run([Step(task=FINE, timeout=timeout)])


@pytest.mark.parametrize("value", hostile.VALUES, ids=range(len(hostile.VALUES)))
def test_a_fleet_of_anything_else_is_refused(value):
    """With words, whatever it is; also as steps, check and on_event."""
    with pytest.raises(UsageError) as caught:
        Fleet(value)
    assert str(caught.value).isprintable()
    with Fleet(local("a")) as fleet:
        with pytest.raises(UsageError):
            fleet.run(value)
        with pytest.raises(UsageError):
            fleet.run([FINE, value])
        with pytest.raises(UsageError):
            fleet.run([Step(task=value)])
        if not isinstance(value, bool):
            with pytest.raises(UsageError):
                fleet.run([FINE], check=value)
    if not callable(value):
        with pytest.raises(UsageError):
            Fleet(local("a"), on_event=value)


@pytest.mark.parametrize(
    "wrong",
    [{"carrier": "sssh"}, {"port": "22"}, {"port": 0}, {"address": "-oProxyCommand=x"}, {"host_keys": "no"}]
    + [{"become": "root"}],
)
def test_a_target_has_values_of_its_types(wrong):
    [(name, value)] = wrong.items()
    with pytest.raises(InventoryError, match=re.escape(repr(value))):
        Fleet([Target(name="h", **wrong)])


@pytest.mark.parametrize("wrong", [{"name": 5}, {"become": "root"}, {"check": "no"}, {"no_log": "no"}])
def test_a_step_has_values_of_its_types(wrong):
    [(name, value)] = wrong.items()
    with Fleet(local("a")) as fleet, pytest.raises(UsageError, match=f"{name}.*{value!r}"):
        fleet.run([Step(task=FINE, **wrong)])


def test_an_empty_fleet_is_an_error():
    """No host is never a success."""
    for nothing in ([], (), iter([]), {}):
        with pytest.raises(InventoryError, match="the fleet has no host"):
            Fleet(nothing)


def test_two_hosts_of_one_name_are_an_error():
    """Each would hide the other's result."""
    with pytest.raises(InventoryError, match="more than one host named 'b'"):
        Fleet(local("a", "b", "c", "b"))


@pytest.mark.parametrize("name", ["", None, 5])
def test_a_host_has_a_name(name):
    """Or nobody can be told what happened to it."""
    with pytest.raises(InventoryError, match="has no name"):
        Fleet(local(name))


@pytest.mark.parametrize("steps", [[], (), FINE, Step(task=FINE), Mishap, [Mishap], "note", ["note"], [[FINE]], None])
def test_steps_are_a_list_of_tasks(steps):
    """Not one task, not a class, not a name, and not nothing."""
    with Fleet(local("a")) as fleet, pytest.raises(UsageError):
        fleet.run(steps)


def test_handlers_belong_to_steps_that_exist():
    """Numbers count from 0."""
    with Fleet(local("a")) as fleet:
        for wrong in ([2], [-1], ["0"], 5, [None]):
            with pytest.raises(UsageError):
                fleet.run([FINE, Step(task=FINE, handler_of=wrong)])


def test_what_cannot_be_sent_is_refused_before_anything_is_touched():
    """A task of a script, and two tasks of one name."""
    script = type(Note)("Script", (Note,), {"__module__": "__main__"}, name="script")
    other = type(Note)("Other", (Mishap,), {}, name="mishap")
    fleet = Scripted({"web1": host()})
    for steps in ([script(path="/x")], [FINE, other(how="fine")]):
        with pytest.raises(UsageError):
            fleet.run(steps)
    assert fleet._engine.connections.asked == []


# Reports


def test_steps_may_come_from_a_generator():
    """All of them run."""
    report = Scripted({"web1": host(CHANGED)}).run(task for task in (FINE, FINE))
    assert [step.status for step in report.hosts["web1"].steps] == [Status.CHANGED, Status.OK]
    assert [target.name for target in Fleet(target for target in local("a", "b")).targets] == ["a", "b"]


def test_the_report_of_a_mixed_fleet():
    """One state per host, in order, and the exit code of the worst."""
    hosts = {"web1": host(CHANGED), "web2": host(FAILED), "web3": ConnectionFails(UnreachableError("down"))}
    events = []
    report = Scripted(hosts, on_event=events.append).run([FINE], name="check")
    assert {name: str(result.status) for name, result in report.hosts.items()} == {
        "web1": "changed",
        "web2": "failed",
        "web3": "unreachable",
    }
    assert (report.source, report.engine, report.check, report.exit_code) == ("check", "ssh", False, 2)
    with pytest.raises(RunFailedError) as caught:
        report.raise_for_failures()
    assert caught.value.report is report
    assert str(caught.value) == "2 of 3 hosts did not succeed: web2: mishap: it is broken; web3: down"
    first, last = events[0], events[-1]
    assert isinstance(first, RunStarted)
    assert (first.hosts, first.run_id, first.source) == (("web1", "web2", "web3"), report.run_id, "check")
    assert isinstance(last, RunEnded)
    assert last.report == report
    kinds = [type(event) for event in events]
    assert (kinds.count(RunStarted), kinds.count(RunEnded)) == (1, 1)
    assert kinds.count(HostStarted) == kinds.count(HostEnded) == 3


def test_a_report_names_its_steps():
    """Without a name, the source is what ran, each once."""
    report = Scripted({"web1": host()}).run([FINE, Step(task=FINE, name="again"), FINE])
    assert report.source == "mishap, again"


def test_a_callback_that_raises_is_a_warning():
    """Also when it raises at the very end."""

    def broken(event):
        if isinstance(event, RunEnded):
            raise ValueError("late")

    report = Scripted({"web1": host()}, on_event=broken).run([FINE])
    assert report.exit_code == 0
    assert report.warnings == ("on_event raised ValueError: late",)


def test_handlers_of_a_fleets_steps():
    """They refer to steps by their place in the list."""
    fleet = Scripted({"web1": host()})
    fleet.run([FINE, Step(task=FINE, handler_of=[0], id=99)])
    rows = fleet._engine.connections.channels("web1")[0].job["steps"]
    assert [(row["id"], row.get("notified")) for row in rows] == [(0, None), (1, [0])]


@pytest.fixture
def _elsewhere(monkeypatch):
    """A machine whose clock shows the time of Tokyo."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_elsewhere")
def test_run_ids_sort_by_time_and_are_never_used_twice():
    """Two runs in one second differ; the time is UTC everywhere."""
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    ids = {new_run_id(now) for _number in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch(r"20260102T010405Z-[0-9a-f]{8}", run_id) for run_id in ids)
    assert max(ids) < new_run_id(datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC))


# For real, on this machine


def test_check_then_run_then_run_again(tmp_path):
    """The sequence that every task goes through, over the local carrier, with connections that stay open."""
    path = tmp_path / "note"
    with opslib.Fleet(local("here")) as fleet:
        checked = fleet.run([Note(path=str(path))], check=True)
        assert (checked.changed, checked.exit_code, path.exists()) == (True, 0, False)
        done = fleet.run([Note(path=str(path))])
        assert (done.changed, path.read_text()) == (True, "hello")
        again = fleet.run([Note(path=str(path))])
        assert (again.changed, again.exit_code) == (False, 0)
        assert again.hosts["here"].steps[0].reason == f"{path} is as it should be"
    assert len({checked.run_id, done.run_id, again.run_id}) == 3


def test_many_hosts_and_many_troubles(tmp_path, seconds):
    """Every step that goes wrong is told, and the run goes on where it may."""
    steps = [
        Step(
            task=Mishap(how=how, seconds=seconds), name=how, ignore_errors=True, timeout=0.5 if how == "spawn" else None
        )
        for how in ("fine", "fail", "raise", "die", "spawn", "flood", "garbage", "act")
    ]
    report = Fleet(local("a", "b", "c"), forks=2).run(steps)
    for result in report.hosts.values():
        outcome = {step.name: str(step.status) for step in result.steps}
        assert outcome == {
            "fine": "ok",
            "fail": "failed",
            "raise": "failed",
            "die": "failed",
            "spawn": "failed",
            "flood": "ok",
            "garbage": "ok",
            "act": "changed",
        }
        assert (result.status, result.error) == (Status.CHANGED, None)
        assert result.steps[6].reason == "\x1b[31mred\\xff\x00[bold]"
    assert report.exit_code == 0
    assert not processes.with_argument(seconds)


def test_time_is_up(seconds):
    """The host kills its processes and says so; what was running is known."""
    report = Fleet(local("here"), timeout=0.7).run([Mishap(how="spawn", seconds=seconds), FINE])
    result = report.hosts["here"]
    assert (report.exit_code, result.status, len(result.steps)) == (2, Status.FAILED, 1)
    assert result.steps[0].error == "cut short: the time for this host was up; its processes were killed"
    assert result.error == "the time for this host was up"
    assert not processes.with_argument(seconds)


def test_a_run_that_is_stopped(seconds):
    """Hosts that run are stopped, those that wait are not begun; the report is partial and says so."""
    cancel = threading.Event()

    def listen(event):
        if isinstance(event, StepStarted):
            threading.Thread(target=stop).start()

    def stop():
        processes.wait_until(lambda: processes.with_argument(seconds))
        cancel.set()

    fleet = Fleet(local("a", "b"), forks=1, cancel=cancel, on_event=listen)
    report = fleet.run([Mishap(how="spawn", seconds=seconds)])
    assert (report.interrupted, report.exit_code) == (True, 130)
    assert report.hosts["a"].steps[0].error == "interrupted: the run was stopped; its processes were killed"
    assert report.hosts["b"].error == "interrupted before its end"
    assert {result.status for result in report.hosts.values()} == {Status.FAILED}
    assert not processes.with_argument(seconds)
    with pytest.raises(InterruptedRunError) as caught:
        report.raise_for_failures()
    assert caught.value.report is report


SUDO = """#!/bin/sh
# takes the options that are given, and asks for a password on standard error
prompt=
while [ $# -gt 0 ]; do
  case $1 in
    -p) prompt=$2; shift 2 ;;
    -u) shift 2 ;;
    -n) noask=1; shift ;;
    --) shift; break ;;
    *) shift ;;
  esac
done
if [ -n "$noask" ]; then echo 'sudo: a password is required' >&2; exit 1; fi
for try in 1 2 3; do
  printf '%s' "$prompt" >&2
  IFS= read -r password || exit 1
  echo "$password" >> TRIES
  [ "$password" = 'right one' ] && exec "$@"
  echo 'Sorry, try again.' >&2
done
exit 1
"""


@pytest.fixture
def sudo(tmp_path):
    """A program that asks for a password as sudo does, and writes down what it is told."""
    program = tmp_path / "sudo"
    program.write_text(SUDO.replace("TRIES", str(tmp_path / "tries")))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def test_become_with_a_password(sudo, tmp_path):
    """Asked once, answered once, and the payload arrives whole behind it."""
    target = local("here", become=Become(user="other", password="right one", exe=str(sudo)))
    report = Fleet(target).run([Note(path=str(tmp_path / "note")), Step(task=FINE, become=False)])
    assert [str(step.status) for step in report.hosts["here"].steps] == ["changed", "ok"]
    assert (tmp_path / "tries").read_text() == "right one\n"


def test_become_with_a_wrong_password(sudo, tmp_path):
    """Tried once, and not repeated anywhere."""
    target = local("here", become=Become(user="other", password="wrong one", exe=str(sudo)))
    report = Fleet(target).run([FINE])
    assert report.hosts["here"].error == "sudo does not accept the become password"
    assert (tmp_path / "tries").read_text() == "wrong one\n"
    assert "wrong one" not in repr(report)


def test_become_without_a_password_that_is_wanted(sudo):
    """The message says what to do."""
    report = Fleet(local("here", become=Become(user="other", exe=str(sudo)))).run([FINE])
    assert report.hosts["here"].error == "sudo wants a password on this host; give ansible_become_password"


def test_sudo_is_left_out_by_whoever_is_that_user_and_missed_by_others(tmp_path):
    """A host without sudo is no obstacle to root; to others it is reachable, and has failed."""
    myself = pwd.getpwuid(os.geteuid()).pw_name
    for user, status in ((myself, Status.CHANGED), ("other", Status.FAILED)):
        become = Become(user=user, password="none", exe="/no/such/sudo")
        result = Fleet(local("here", become=become)).run([Note(path=str(tmp_path / user))]).hosts["here"]
        assert result.status is status
    assert result.error == "cannot start /no/such/sudo: No such file or directory"


@pytest.mark.parametrize("interpreter", ["/no/such/python", "-oProxyCommand=x", "$(id)", "", "nul\0"])
def test_an_interpreter_that_is_none(interpreter):
    """It is a word, never a command."""
    report = Fleet(local("here", interpreter=interpreter)).run([FINE])
    assert report.hosts["here"].status is Status.FAILED
    assert "cannot start" in report.hosts["here"].error


def test_an_interpreter_that_is_no_python():
    """Its last words are shown."""
    report = Fleet(local("here", interpreter="/bin/sh")).run([FINE])
    assert report.hosts["here"].status is Status.FAILED
    assert "the host did not run the payload to its end (exit code" in report.hosts["here"].error


def test_nothing_is_left_open():
    """Runs leave no open file and no child with the caller."""
    with Fleet(local("a", "b")) as fleet:
        fleet.run([FINE])
        before = len(os.listdir("/proc/self/fd"))
        for _run in range(3):
            fleet.run([FINE])
        assert len(os.listdir("/proc/self/fd")) == before
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("opslib-host")]
