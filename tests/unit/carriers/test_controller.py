"""The controller carrier: tasks run here, in a process of their own, and put right what they began when cut short."""

from __future__ import annotations

import os
import subprocess
import threading
import time

import pytest

from opslib import Fleet, Step, Target
from opslib.carriers import ansible, controller, payload
from opslib.carriers.protocol import Answer, End
from opslib.errors import UsageError
from opslib.result import Status
from support.here import Errand, Saga
from support.probes import Note

HERE = Target(name="here", carrier="local")
MENDED = ["begun", "mending", "put-right"]


def run(*steps, **options):
    """Run steps on the fleet of one, and return how it ended."""
    told = []
    with Fleet(
        [HERE], on_event=told.append, **{k: v for k, v in options.items() if k in ("timeout", "cancel")}
    ) as fleet:
        report = fleet.run(list(steps), check=options.get("check", False))
    return report.hosts["here"], told


def eventually(condition, seconds=10.0):
    """Wait until something is so."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.01)


def test_a_task_runs_in_another_process_that_is_told_nothing_in_its_arguments():
    """Its parameters travel on standard input."""
    host, _told = run(Errand(secret="canary-5"))
    assert host.status is Status.OK
    data = host.steps[0].data
    assert data["pid"] != os.getpid()
    assert "canary" not in data["cmdline"]
    assert data["secret"] == "***"


def test_where_it_works_stands_in_changes_and_data(tmp_path):
    """The scope is proven before anything is looked at, and told with everything."""
    path = str(tmp_path / "file")
    host, told = run(Errand(path=path), check=True)
    assert host.steps[0].changes[0].summary == f"write {path} (account 123)"
    assert host.steps[0].data["account"] == "123"
    assert not os.path.exists(path)
    assert [event.message for event in told if hasattr(event, "message")] == [
        {"progress": "identified"},
        {"progress": "looked"},
    ]
    host, _told = run(Errand(path=path))
    assert (host.status, os.path.exists(path)) == (Status.CHANGED, True)
    assert run(Errand(path=path))[0].status is Status.OK


def test_wrong_credentials_touch_nothing(tmp_path):
    """Identification comes first."""
    host, told = run(Errand(path=str(tmp_path / "file"), belongs_to="999"))
    assert host.steps[0].error == "the credentials belong to 999, not to 123"
    assert len([event for event in told if hasattr(event, "message")]) == 1
    assert not os.listdir(tmp_path)


def test_host_and_cloud_tasks_mix_and_notify_each_other(tmp_path):
    """A handler on one side runs for a change on the other."""
    note, file = tmp_path / "note", str(tmp_path / "file")
    steps = [
        Step(task=Errand(path=file)),
        Step(task=Note(path=str(note), text="told"), handler_of=[0]),
        Step(task=Errand(path=file), handler_of=[0]),
    ]
    host, _told = run(*steps)
    assert [str(step.status) for step in host.steps] == ["changed", "changed", "ok"]
    assert [str(step.status) for step in run(*steps)[0].steps] == ["ok"]


def test_a_task_cut_short_by_its_deadline_puts_things_right(tmp_path):
    """Its clean-up is allowed its time, and the report says what happened."""
    host, _told = run(Saga(folder=str(tmp_path)), timeout=1)
    assert host.status is Status.FAILED
    assert host.steps[0].error == "cut short: its time was up or the run was stopped; it was put right"
    assert sorted(os.listdir(tmp_path)) == MENDED


def test_a_step_timeout_is_not_the_end_of_the_others(tmp_path):
    """Steps that run in any case follow."""
    after = str(tmp_path / "after")
    saga = tmp_path / "saga"
    saga.mkdir()
    steps = [Step(task=Saga(folder=str(saga)), timeout=0.5, ignore_errors=True), Step(task=Errand(path=after))]
    host, _told = run(*steps)
    assert [str(step.status) for step in host.steps] == ["failed", "changed"]
    assert sorted(os.listdir(saga)) == MENDED
    assert os.path.exists(after)


def test_ctrl_c_lets_it_put_things_right(tmp_path):
    """Cancelling waits for the clean-up."""
    cancel = threading.Event()
    watcher = threading.Thread(target=lambda: (eventually(lambda: os.listdir(tmp_path)), cancel.set()))
    watcher.start()
    host, _told = run(Saga(folder=str(tmp_path)), cancel=cancel)
    watcher.join()
    assert host.status is Status.FAILED
    assert sorted(os.listdir(tmp_path)) == MENDED


def test_a_vanished_controller_lets_it_put_things_right(tmp_path):
    """The process outlives its channel for as long as it may, and no longer."""
    job = payload.Job(
        steps=[{"id": 0, "task": "saga", "args": {"folder": str(tmp_path)}}],
        tasks=[Saga],
        token=payload.Job.new_token(),
    )
    channel = controller.ControllerConnection().start(controller.command(), None)
    channel.send(controller.encode(job), None)
    eventually(lambda: os.listdir(tmp_path) == ["begun"])
    for stream in (channel._in, channel._out, channel._err):
        stream.close()
    eventually(lambda: sorted(os.listdir(tmp_path)) == MENDED)
    channel._process.wait(10)


def test_a_killed_supervisor_does_not_keep_it_from_putting_things_right(tmp_path):
    """The step goes on, though nobody hears what it says."""
    step = {"id": 0, "task": "saga", "args": {"folder": str(tmp_path), "lasts": 0.2, "mends": 0}}
    job = payload.Job(steps=[step], tasks=[Saga], token=payload.Job.new_token())
    with subprocess.Popen(controller.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as supervisor:
        supervisor.stdin.write(controller.encode(job))
        supervisor.stdin.flush()
        eventually(lambda: os.listdir(tmp_path) == ["begun"])
        supervisor.kill()
        eventually(lambda: sorted(os.listdir(tmp_path)) == MENDED)
        supervisor.stdout.read()


def test_a_clean_up_that_hangs_is_killed(tmp_path):
    """When its time is over, so is the process."""
    host, _told = run(Saga(folder=str(tmp_path), mends=60), timeout=0.5)
    assert "its processes were killed" in host.steps[0].error
    assert sorted(os.listdir(tmp_path)) == ["begun", "mending"]


def test_ansible_gets_the_same_result(tmp_path):
    """Without any connection."""

    def execute(_command, _data):
        raise AssertionError("nothing is to run on the host")

    path = str(tmp_path / "file")
    checked = ansible.carry(Errand, {"path": path}, execute, check=True, diff=True)
    assert (checked["changed"], os.path.exists(path)) == (True, False)
    done = ansible.carry(Errand, {"path": path, "secret": "canary-5"}, execute, through_file=True)
    assert (done["changed"], done["data"]["account"], os.path.exists(path)) == (True, "123", True)
    assert ansible.carry(Errand, {"path": path}, execute)["changed"] is False


def test_ansible_waits_for_what_left_its_family(tmp_path):
    """A task that puts things right runs apart from Ansible's processes; its result comes all the same."""
    done = ansible.carry(Saga, {"folder": str(tmp_path)}, lambda *_: (1, "", ""), deadline=0.5)
    assert "cut short" in done["msg"]
    assert sorted(os.listdir(tmp_path)) == MENDED


def test_a_task_of_a_script_is_refused():
    """Nobody else could import it."""
    with pytest.raises(UsageError, match="defined in a script"):
        controller.encode(payload.Job(steps=(), tasks=[type("Own", (Errand,), {"__module__": "__main__"}, name="own")]))


def test_a_cut_off_job_says_so():
    """The process reads the whole job or nothing."""
    channel = controller.ControllerConnection().start(controller.command(), None)
    channel.send(b"100\n{}", None)
    channel.end_input()
    eventually(lambda: channel.exit_code() is not None)
    assert "the job was cut short" in channel.errors()
    channel.close()


def test_the_answer_is_that_of_a_host():
    """The same protocol."""
    job = payload.Job(steps=[{"id": 0, "task": "errand", "args": {}}], tasks=[Errand], token=payload.Job.new_token())
    _code, out, _err = controller.carry_out(job)
    assert [m.result["status"] for m in Answer(job.token, 1).feed(out.encode()) if isinstance(m, End)] == ["ok"]
