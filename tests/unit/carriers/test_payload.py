"""Real payloads, run as subprocesses under every Python that hosts may have."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import marshal
import os
import signal
import subprocess
import sys
import textwrap
import zlib

import pytest

from opslib.carriers import payload
from opslib.carriers.protocol import Bye, Hello, Start
from opslib.errors import UsageError
from opslib.host.task import Task
from support import processes, pythons
from support.payloads import Talk, mishap, note, wrapper
from support.probes import Mishap, Note


@pytest.fixture(params=pythons.REQUIRED)
def python(request):
    """Every Python that host code must run on."""
    return pythons.need(request.param)


@pytest.fixture(scope="module")
def any_python():
    """One Python, for what no version changes."""
    return sys.executable


@pytest.fixture
def seconds():
    """How long processes are to sleep, so that they can be found; none of them is left behind."""
    number = processes.unique_seconds()
    yield number
    assert processes.wait_until(lambda: not processes.with_argument(number))


def test_a_whole_role_in_one_go(python, tmp_path):
    """Check, run, run again: each step begins and ends in order, and check mode touches nothing."""
    steps = [note(tmp_path / "a"), mishap("fine"), mishap("act")]
    for check, statuses in ((True, "changed ok changed"), (False, "changed ok changed"), (False, "ok ok changed")):
        talk = Talk(python, steps, check=check).end()
        first, second, third = statuses.split()
        assert talk.story == ["start 0", f"{first} 0", "start 1", f"{second} 1", "start 2", f"{third} 2", "bye"]
        assert (tmp_path / "a").exists() != check
        assert talk.channel.exit_code() == 0
        assert talk.channel.errors() == ""
    hello = talk.messages[0]
    assert isinstance(hello, Hello)
    assert python.endswith("python") or hello.python.startswith(python.rpartition("python")[2] + ".")


def test_failures_stop_the_rest(python, tmp_path):
    """Of the steps after a failure only those that run always are done."""
    steps = [mishap("diverge"), note(tmp_path / "a"), note(tmp_path / "b", always=True)]
    talk = Talk(python, steps).end()
    assert talk.story == ["start 0", "failed 0", "start 2", "changed 2", "bye"]
    assert "did not converge" in talk.results[0]["error"]
    assert sorted(os.listdir(tmp_path)) == ["b"]


def test_a_task_error_keeps_its_data(python):
    """What helps to understand a failure is in the result."""
    talk = Talk(python, [mishap("fail", ignore_errors=True), mishap("raise")]).end()
    assert talk.story == ["start 0", "failed 0", "start 1", "failed 1", "bye"]
    assert talk.results[0]["data"] == {"log": ["a line", ""]}
    assert talk.results[1]["error"] == "internal error: RuntimeError: unforeseen: no secret"
    assert talk.results[1]["data"]["traceback"]


def test_a_step_that_dies_is_a_failure(python, tmp_path):
    """A signal ends the step, not the run."""
    steps = [mishap("die", ignore_errors=True), note(tmp_path / "a"), mishap("exit"), note(tmp_path / "b", always=True)]
    talk = Talk(python, steps).end()
    assert talk.story == [
        "start 0", "failed 0", "start 1", "changed 1", "start 2", "failed 2", "start 3", "changed 3", "bye"
    ]  # fmt: skip
    assert talk.results[0]["error"] == "the step's process died (signal 9), perhaps for want of memory"
    assert talk.results[2]["error"] == "the step's process died (code 70)"


def test_what_a_dead_step_has_started_dies_too(any_python, seconds):
    """Nobody knows what it was to become."""
    talk = Talk(any_python, [mishap("abandon", seconds=seconds)]).end()
    assert talk.results[0]["error"] == "the step's process died (signal 6)"
    assert not processes.with_argument(seconds)


def test_a_step_has_no_way_to_the_channel(any_python):
    """What a task prints is no answer, and it cannot read what is not for it."""
    talk = Talk(any_python, [mishap("chatter")]).end()
    assert talk.story == ["start 0", "ok 0", "bye"]
    assert (talk.answer.explain(), talk.channel.errors()) == ("", "")


def test_what_comes_before_the_payload_is_passed_over(any_python):
    """A password that nobody asked for, for example."""
    job = payload.Job(steps=[{"id": 0, **mishap("fine")}], tasks=[Mishap], token="t0", watch=False)
    data = b"hunter2\n\xff\n\n" + payload.encode(job)
    done = subprocess.run(payload.command(any_python), input=data, stdout=subprocess.PIPE, check=False)
    assert done.stdout.startswith(payload.READY)
    assert b"t0 end 0 ok 0 " in done.stdout
    assert b"hunter2" not in done.stdout


def test_without_a_payload_nothing_happens(any_python):
    """The channel closed before anything came."""
    done = subprocess.run(payload.command(any_python), input=b"hello\n", stdout=subprocess.PIPE, check=False)
    assert (done.stdout, done.returncode) == (payload.READY, 71)


def test_a_step_that_takes_too_long_is_cut_short(python, tmp_path, seconds):
    """Its processes die, also those that left its session; with ignore_errors the run goes on."""
    steps = [mishap("spawn", seconds=seconds, timeout=0.6, ignore_errors=True), note(tmp_path / "a")]
    talk = Talk(python, steps).end()
    assert talk.story == ["start 0", "failed 0", "start 1", "changed 1", "bye"]
    assert talk.results[0]["error"] == "cut short after its timeout of 0.6 seconds; its processes were killed"
    assert not processes.with_argument(seconds)


def test_when_time_is_up_everything_ends(python, tmp_path, seconds):
    """The host itself watches the clock."""
    steps = [mishap("spawn", seconds=seconds, ignore_errors=True), note(tmp_path / "a", always=True)]
    talk = Talk(python, steps, deadline=0.6).end()
    assert talk.story == ["start 0", "failed 0", "bye: the time for this host was up"]
    assert talk.results[0]["error"] == "cut short: the time for this host was up; its processes were killed"
    assert talk.channel.exit_code() == 75
    assert not processes.with_argument(seconds)


@pytest.mark.parametrize("how", ["hang", "spawn", "shed"])
def test_without_its_channel_everything_ends(python, how, seconds):
    """Whoever closes standard input ends the run, whatever the processes did to hide."""
    with Talk(python, [mishap(how, seconds=seconds)]) as talk:
        talk.until(Start)
        assert processes.wait_until(lambda: processes.with_argument(seconds))
        talk.channel.end_input()
        talk.end()
    assert talk.story == ["start 0", "failed 0", "bye: the run was stopped"]
    assert talk.results[0]["error"] == "interrupted: the run was stopped; its processes were killed"
    assert not processes.with_argument(seconds)
    assert not processes.marked(talk.job.token)


@pytest.mark.parametrize("watch", [True, False])
def test_a_reader_that_goes_away_ends_the_run(any_python, seconds, watch):
    """Closing the output is as good as closing the input, and is noticed where that is not watched."""
    with Talk(any_python, [mishap("spawn", seconds=seconds)], watch=watch) as talk:
        assert processes.wait_until(lambda: processes.with_argument(seconds))
        talk.channel._out.close()
        assert processes.wait_until(lambda: not processes.with_argument(seconds))
        assert processes.wait_until(lambda: talk.channel.exit_code() is not None)


def test_a_reader_that_does_not_read_does_not_stop_the_clock(any_python, seconds):
    """A frozen controller: the pipe is full, and the deadline holds all the same."""
    with Talk(any_python, [mishap("fill"), mishap("spawn", seconds=seconds)], deadline=0.7) as talk:
        assert processes.wait_until(lambda: processes.with_argument(seconds))
        assert processes.wait_until(lambda: not processes.with_argument(seconds))
        assert processes.wait_until(lambda: talk.channel.exit_code() is not None)


def test_a_slow_reader_gets_everything(any_python):
    """A full pipe loses nothing."""
    with Talk(any_python, [mishap("fill"), mishap("fill")]) as talk:
        talk.until(Start)
        assert processes.wait_until(lambda: talk.channel.exit_code() is None)
        talk.end()
    assert talk.story == ["start 0", "ok 0", "start 1", "ok 1", "bye"]
    assert [len(result["data"]["lines"]) for result in talk.results.values()] == [2000, 2000]


CONTROLLER = """
import sys
from opslib.carriers import payload
from opslib.carriers.base import Deadline
from opslib.carriers.local import LocalConnection
from support.payloads import Talk, mishap
with Talk({python!r}, [mishap("spawn", seconds={seconds})]) as talk:
    print(talk.job.token, flush=True)
    talk.end()
"""


def test_nothing_outlives_a_killed_controller(any_python, seconds):
    """SIGKILL leaves no time to say goodbye; the payload sees its channel close."""
    script = CONTROLLER.format(python=any_python, seconds=seconds)
    environ = dict(os.environ, PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
    with subprocess.Popen([sys.executable, "-c", script], env=environ, stdout=subprocess.PIPE) as controller:
        assert controller.stdout is not None
        token = controller.stdout.readline().decode().strip()
        assert processes.wait_until(lambda: len(processes.with_argument(seconds)) >= 2)
        controller.send_signal(signal.SIGKILL)
    assert processes.wait_until(lambda: not processes.with_argument(seconds))
    assert not processes.marked(token)


def test_what_a_step_leaves_running_on_purpose_stays_when_all_is_well(any_python, seconds):
    """A daemon that a step has started lives on after the run."""
    talk = Talk(any_python, [mishap("leave", seconds=seconds)]).end()
    left = processes.with_argument(seconds)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert talk.story == ["start 0", "ok 0", "bye"]
    assert len(left) == 1


def test_handlers_run_when_notified(python, tmp_path):
    """A handler runs if one of its steps changed something, in this job or an earlier one."""
    same = tmp_path / "same"
    same.write_text("hello")
    steps = [
        note(tmp_path / "new"),
        note(same),
        note(tmp_path / "handler of the first", notified=[0]),
        note(tmp_path / "handler of the second", notified=[1]),
        note(tmp_path / "handler of both", notified=[1, 0]),
        note(tmp_path / "handler of an earlier one", notified=[77]),
        note(tmp_path / "handler of a handler", notified=[2]),
        note(tmp_path / "handler of none", notified=[]),
    ]
    talk = Talk(python, steps, changed=[(77, None)]).end()
    assert [word for word in talk.story if word.startswith("start")] == [f"start {n}" for n in (0, 1, 2, 4, 5, 6)]


def test_a_failed_step_notifies_nobody(any_python, tmp_path):
    """As in Ansible, also when it is told to go on and has changed something."""
    for how in ("half", "unproven", "stick"):
        steps = [
            mishap(how, ignore_errors=True, timeout=0.3 if how == "stick" else None),
            note(tmp_path / how, notified=[0]),
        ]
        talk = Talk(
            any_python, [{key: value for key, value in row.items() if value is not None} for row in steps]
        ).end()
        assert talk.story == ["start 0", "failed 0", "bye"]
        assert talk.results[0]["changed"] is True


def test_handlers_forced_after_a_failure(any_python, tmp_path):
    """A handler that runs always still wants to be notified."""
    steps = [
        note(tmp_path / "new"),
        mishap("fail"),
        note(tmp_path / "handler", notified=[0], always=True),
        note(tmp_path / "not notified", notified=[1], always=True),
    ]
    talk = Talk(any_python, steps).end()
    assert talk.story == ["start 0", "changed 0", "start 1", "failed 1", "start 2", "changed 2", "bye"]


@pytest.mark.parametrize("how", ["fail", "die", "hang"])
def test_the_items_of_a_loop_all_run(any_python, tmp_path, how):
    """One item's failure does not stop its loop, however it fails; it stops what comes after."""
    limit = {"timeout": 0.3} if how == "hang" else {}
    steps = [
        note(tmp_path / "a", group=4),
        mishap(how, group=4, **limit),
        note(tmp_path / "b", group=4),
        note(tmp_path / "c", group=5),
        note(tmp_path / "d"),
    ]
    talk = Talk(any_python, steps).end()
    assert talk.story == ["start 0", "changed 0", "start 1", "failed 1", "start 2", "changed 2", "bye"]


@pytest.mark.parametrize("how", ["fail", "die", "hang"])
def test_a_loop_with_a_failed_item_notifies_nobody(any_python, tmp_path, how):
    """As in Ansible, also when the failure is ignored, and whichever item fails, in whatever way."""
    limit = {"timeout": 0.3} if how == "hang" else {}
    steps = [
        note(tmp_path / "a", group=4),
        mishap(how, group=4, ignore_errors=True, **limit),
        note(tmp_path / "b", group=4),
        note(tmp_path / "c", group=5),
        note(tmp_path / "handler of the loop", notified=[0, 2, 77]),
        note(tmp_path / "handler of both", notified=[0, 3]),
    ]
    talk = Talk(any_python, steps, changed=[(77, 4)]).end()
    assert [word for word in talk.story if word.startswith("start")] == [f"start {n}" for n in (0, 1, 2, 3, 5)]


def test_a_step_may_differ_from_the_runs_check_mode(any_python, tmp_path, seconds):
    """`check` of a step goes before that of the run. What was cut short before it began to act changed nothing."""
    steps = [
        note(tmp_path / "a", check=True),
        note(tmp_path / "b", check=False),
        mishap("stick", seconds=seconds, timeout=0.3, ignore_errors=True, check=True),
        mishap("stick", seconds=seconds, timeout=0.3, ignore_errors=True, check=False),
        mishap("hang", seconds=seconds, timeout=0.3, ignore_errors=True, check=False),
    ]
    for check in (True, False):
        talk = Talk(any_python, steps, check=check).end()
        assert [talk.results[number]["changed"] for number in range(5)] == [True, check, True, True, False]
        assert sorted(os.listdir(tmp_path)) == ["b"]


def test_results_that_cannot_be_sent_are_replaced(python):
    """Objects, endless lists and floods: the status comes through, a warning says what is missing."""
    talk = Talk(python, [mishap("alien"), mishap("deep"), mishap("flood"), mishap("garbage")]).end()
    assert [talk.results[number]["status"] for number in range(4)] == ["ok"] * 4
    assert [talk.results[number]["data"] for number in range(3)] == [{}, {}, {}]
    assert "object cannot be represented in JSON" in talk.results[0]["warnings"][0]
    assert "represented in JSON" in talk.results[1]["warnings"][0]
    assert "bytes; at most 8388608 are sent" in talk.results[2]["warnings"][0]
    assert talk.results[3]["reason"] == "\x1b[31mred\udcff\x00[bold]"
    assert talk.results[3]["data"] == {"\udc80": "\x9b2J"}


def test_secrets_do_not_leave_the_host(python):
    """Not in errors, data, tracebacks or what the payload writes to standard error."""
    secret = "hunter2!\nand a second line"
    steps = [mishap(how, secret=secret, ignore_errors=True) for how in ("fail", "raise", "tell", "die")]
    talk = Talk(python, steps).end()
    said = repr(talk.results) + talk.channel.errors() + talk.answer.explain()
    assert "hunter2!" not in said
    assert "second line" not in said
    assert said.count("***") >= 5


def test_secrets_are_in_no_argument_and_no_environment(any_python, seconds):
    """Arguments travel on standard input only."""
    with Talk(any_python, [mishap("hang", seconds=seconds, secret="hunter2!canary")]) as talk:
        assert processes.wait_until(lambda: processes.with_argument(seconds))
        pids = [talk.channel._process.pid, *processes.with_argument(seconds)]
        for pid in pids:
            for name in ("cmdline", "environ"):
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    assert b"canary" not in file.read()


def test_greetings_are_no_answer(any_python, tmp_path):
    """A login script may say anything before the payload, even something that looks like it."""
    script = "echo Welcome to $(uname); echo opslib:0000 end 0 ok 0 {}; printf 'no newline'; echo err >&2; echo"
    talk = Talk(wrapper(tmp_path, any_python, script), [mishap("fine")]).end()
    assert talk.story == ["start 0", "ok 0", "bye"]
    assert "Welcome to Linux" in talk.answer.explain()
    assert talk.channel.errors() == "err"


def test_a_python_that_is_too_old_is_named():
    """Python 3.7 understands the boot, and says that it is too old."""
    old = pythons.find(pythons.TOO_OLD)
    if old is None:
        return  # nice to have; the boot's own test covers it under every Python
    talk = Talk(old, [mishap("fine")]).end()
    assert talk.story == ["bye: Python 3.7 is too old on this host; 3.8 or newer is needed"]


def test_nothing_is_written_on_the_host(python, tmp_path):
    """No byte code, no temporary file, nothing in the home folder."""
    script = f"export HOME={tmp_path} TMPDIR={tmp_path}; cd {tmp_path}"
    Talk(wrapper(tmp_path, python, script), [mishap("fine"), mishap("raise")]).end()
    assert os.listdir(tmp_path) == ["python"]


def test_the_callers_python_settings_do_not_matter(any_python, tmp_path):
    """PYTHONPATH, PYTHONSTARTUP and modules that lie about are not looked at."""
    (tmp_path / "zlib.py").write_text("raise SystemExit('wrong zlib')")
    (tmp_path / "time.py").write_text("raise SystemExit('wrong time')")
    script = f"cd {tmp_path}; export PYTHONPATH={tmp_path} PYTHONSTARTUP={tmp_path}/zlib.py PYTHONOPTIMIZE=x"
    assert Talk(wrapper(tmp_path, any_python, script), [mishap("fine")]).end().story == ["start 0", "ok 0", "bye"]


def test_a_job_without_steps_says_goodbye(any_python):
    """An empty job is no error."""
    talk = Talk(any_python, []).end()
    assert [type(message) for message in talk.messages] == [Hello, Bye]


def test_without_watching_the_input_may_be_closed_at_once(any_python, tmp_path):
    """Ansible closes standard input behind the payload."""
    talk = Talk(any_python, [note(tmp_path / "a")], watch=False)
    talk.channel.end_input()
    assert talk.end().story == ["start 0", "changed 0", "bye"]


# What is sent


def unpacked(job: payload.Job) -> dict:
    """Return the mapping that boot reads."""
    data = payload.encode(job)
    assert data.startswith(payload.MARK)
    length, _, rest = data[len(payload.MARK) :].partition(b"\n")
    length, _, body = rest[int(length) :].partition(b"\n")
    assert int(length) == len(body)
    return marshal.loads(body)


def test_only_what_is_needed_is_sent():
    """The runtime, the tasks' modules and what they import; each after what it needs."""
    job = unpacked(payload.Job(steps=(), tasks=(Note, Mishap), token="t", watch=False))
    texts = dict(marshal.loads(zlib.decompress(job["source"])))
    codes = dict(marshal.loads(zlib.decompress(job["bytecode"])))
    assert list(texts) == list(codes)
    assert "opslib.host.runtime" in texts
    assert "support.probes" in texts
    assert not {"opslib.host.tasks.service", "opslib.host.tasks.disk_usage", "opslib.errors", "opslib.host.boot"} & set(
        texts
    )
    seen: set[str] = set()
    checked = 0
    for name, text in texts.items():
        typing_only = [node for node in ast.parse(text).body if isinstance(node, ast.If)]
        left_out = {part for block in typing_only for part in ast.walk(block)}
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node not in left_out:
                base = importlib.util.resolve_name("." * node.level + (node.module or ""), name.rpartition(".")[0])
                whole = {f"{base}.{each.name}" for each in node.names} & set(texts) or {base} & set(texts)
                assert whole <= seen, f"{name} comes before {whole - seen}"
                checked += len(whole)
        seen.add(name)
    assert checked
    assert job["tasks"] == {"note": ("support.probes", "Note"), "mishap": ("support.probes", "Mishap")}


def test_source_is_sent_unasked_only_where_it_cannot_be_asked_for():
    """It is a third of a payload, and seldom needed."""
    job = payload.Job(steps=(), tasks=(Note,), token="t", watch=False)
    length, _, source = payload.source(job).partition(b"\n")
    assert int(length) == len(source)
    assert unpacked(job)["source"] == source
    assert unpacked(dataclasses.replace(job, watch=True))["source"] == b""


def test_the_command_line_holds_no_parameter():
    """It is the same for every job."""
    argv = payload.command("/usr/bin/python3")
    assert argv[:3] == ["/usr/bin/python3", "-ISB", "-c"]
    assert payload.command("x")[1:] == argv[1:]


def test_tokens_cannot_be_guessed():
    """Each run has its own."""
    tokens = {payload.Job.new_token() for _number in range(100)}
    assert len(tokens) == 100
    assert all(len(token) >= 24 and "\n" not in token and " " not in token for token in tokens)


def test_a_task_of_a_script_is_refused():
    """What only exists in a running script cannot be sent."""
    wrong = type(Task)("Wrong", (Task,), {"__module__": "__main__"}, name="wrong")
    with pytest.raises(UsageError, match="Wrong is defined in a script; put it into a module"):
        payload.encode(payload.Job(steps=(), tasks=(wrong,)))


@pytest.mark.parametrize("module", ["sys", "no_such_module"])
def test_a_task_without_source_is_refused(module):
    """Built-in modules and modules that are gone."""
    wrong = type(Task)("Wrong", (Task,), {"__module__": module}, name="wrong")
    with pytest.raises(UsageError, match=f"{module} cannot be sent to a host: it has no source file"):
        payload.encode(payload.Job(steps=(), tasks=(wrong,)))


def test_two_tasks_of_one_name_are_refused():
    """Or the wrong one would run."""
    other = type(Task)("Other", (Task,), {}, name="note")
    with pytest.raises(UsageError, match="two tasks of one name"):
        payload.encode(payload.Job(steps=(), tasks=(Note, other)))


def test_the_same_task_twice_is_fine():
    """A task that several steps use is sent once."""
    assert unpacked(payload.Job(steps=(), tasks=(Note, Note)))["tasks"] == {"note": ("support.probes", "Note")}


MINE = """
    import opslib.host.words
    from opslib.host.files import tree as trees
    from opslib.host.task import Plan, Task

    TYPE_CHECKING = False
    if TYPE_CHECKING:
        from opslib.host.tasks.service import Service

    class Mine(Task, name="mine"):
        def probe(self):
            return opslib.host.words.size(2048)

        def plan(self, state):
            return Plan(reason=state + trees.__name__)
"""


def test_a_task_of_another_package_brings_what_it_imports(any_python, tmp_path, monkeypatch):
    """Modules of the host package come along however they are imported; those for type checkers do not."""
    (tmp_path / "mine_for_test.py").write_text(textwrap.dedent(MINE))
    monkeypatch.syspath_prepend(str(tmp_path))
    import mine_for_test

    job = payload.Job(
        steps=[{"id": 0, "task": "mine", "args": {}}], tasks=[mine_for_test.Mine], token="t0", watch=False
    )
    done = subprocess.run(payload.command(any_python), input=payload.encode(job), stdout=subprocess.PIPE, check=False)
    assert b"2.0 KiBopslib.host.files.tree" in done.stdout
    names = [name for name, _text in marshal.loads(zlib.decompress(unpacked(job)["source"]))]
    assert "opslib.host.tasks.service" not in names
