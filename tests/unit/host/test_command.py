"""Programs: no shell, a fixed environment, bounded output and time, nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.host import command
from opslib.host.task import TaskError
from support.processes import unique_seconds, wait_until, with_argument


@pytest.fixture(autouse=True)
def _nothing_is_left(monkeypatch):
    """No program leaves an open file or a dead child with its caller."""
    monkeypatch.delenv("OPSLIB_RUN", raising=False)
    before = sorted(os.listdir("/proc/self/fd")), children()
    yield
    assert (sorted(os.listdir("/proc/self/fd")), children()) == before


def children():
    """Return the ids of this process's children, dead ones included."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as stat:
                    parent = stat.read().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if int(parent) == os.getpid():
                found.append(name)
    return sorted(found)


def gone(pid):
    """Wait, not long, for a process to end; return whether it did."""
    for _look in range(200):
        try:
            with open("/proc/%d/stat" % pid) as stat:
                if stat.read().rpartition(")")[2].split()[0] in "ZX":
                    return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


def test_output_and_code_come_back():
    """Both streams, apart, and the exit code."""
    done = command.run(["sh", "-c", "echo out; echo err >&2; exit 3"], ok=(3,))
    assert (done.out, done.err, done.code, done.cut) == ("out\n", "err\n", 3, False)
    assert tuple(done.argv) == ("sh", "-c", "echo out; echo err >&2; exit 3")


@pytest.mark.parametrize("word", ["$(id)", "`id`", "; id", "a b", "*", "-n", "\n", "'\"", "\udcff", "ü"])
def test_arguments_reach_the_program_as_they_are(word):
    """There is no shell in between."""
    assert command.run(["printf", "%s", word]).out == word


@settings(max_examples=20)
@given(data=st.binary(max_size=200))
def test_any_bytes_survive(data):
    """Output that is not UTF-8 can be turned back into the same bytes."""
    assert os.fsencode(command.run(["cat"], stdin=data).out) == data


def test_large_input_and_output_flow_at_once():
    """A program that writes while it reads does not block."""
    data = b"0123456789abcdef" * 65536
    assert command.run(["cat"], stdin=data).out.encode() == data


def test_input_that_nobody_reads_is_no_error():
    """A program may end before it has read everything."""
    assert command.run(["true"], stdin=b"x" * (1 << 20)).code == 0


def test_without_input_the_program_reads_nothing():
    """Standard input is empty, not the caller's."""
    assert command.run(["cat"]).out == ""


def test_output_is_bounded_and_says_so():
    """The beginning is kept, the rest is read and dropped."""
    done = command.run(["sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x; echo end >&2"], max_output=1000)
    assert (len(done.out), done.err, done.cut) == (1000, "end\n", True)
    assert command.run(["printf", "x" * 1000], max_output=1000).cut is False


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -9 $$", -9), ("kill -15 $$", -15)])
def test_exit_codes_and_signals(script, code):
    """A signal is a negative code."""
    assert command.run(["sh", "-c", script], ok=None).code == code


def test_a_wrong_code_is_an_error_with_the_last_words():
    """The message names the program and ends with what it said last."""
    with pytest.raises(TaskError) as caught:
        command.run(["sh", "-c", "echo fine; head -c 5000 /dev/zero | tr '\\0' x >&2; echo no disk >&2; exit 2"])
    text = str(caught.value)
    assert text.startswith("sh -c ")
    assert "failed with exit code 2" in text
    assert text.endswith("xno disk")
    assert len(text) < 2300
    with pytest.raises(TaskError, match="exit code 1: it said nothing"):
        command.run(["false"])


@pytest.mark.parametrize("name", ["no-such-program", "/no/such/program", "../bin/sh", "/etc/passwd", ""])
def test_a_missing_program_is_named(name):
    """What is not there, or no program, is not started."""
    with pytest.raises(TaskError, match="is not installed on this host"):
        command.run([name, "x"])


@pytest.mark.parametrize("word", ["a\0b", "\ud800"])
def test_an_argument_that_no_program_can_get_is_an_error(word):
    """NUL and half characters do not vanish."""
    with pytest.raises(TaskError, match="cannot start /"):
        command.run(["echo", word])


def test_a_file_that_cannot_be_executed_says_why(tmp_path):
    """An executable file of an unknown format."""
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF nonsense")
    broken.chmod(0o755)
    with pytest.raises(TaskError, match="cannot start"):
        command.run([str(broken)])


def test_programs_are_found_in_the_systems_folders_only(tmp_path, monkeypatch):
    """PATH of the caller, which a user may have set, decides nothing."""
    (tmp_path / "only-here").write_text("#!/bin/sh\n")
    (tmp_path / "only-here").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert command.which("only-here") == ""
    assert command.which("sh").endswith("bin/sh")
    assert command.which(str(tmp_path / "only-here")) == str(tmp_path / "only-here")


def test_what_cannot_be_executed_is_passed_over(tmp_path, monkeypatch):
    """A folder, or a file without the right, hides no program behind it."""
    for number, kind in enumerate(("folder", "file", "program")):
        place = tmp_path / str(number)
        place.mkdir()
        if kind == "folder":
            (place / "tool").mkdir()
        else:
            (place / "tool").write_text("#!/bin/sh\n")
            (place / "tool").chmod(0o755 if kind == "program" else 0o644)
    monkeypatch.setattr(command, "PATH", ":".join(str(tmp_path / str(number)) for number in range(3)))
    assert command.which("tool") == str(tmp_path / "2" / "tool")


def test_the_environment_is_small_and_fixed(monkeypatch):
    """Nothing of the caller's but HOME and the run's mark; more only when asked for."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("LC_ALL", "de_DE")
    monkeypatch.setenv("HOME", "/root")
    lines = command.run(["env"]).out.splitlines()
    assert sorted(lines) == ["HOME=/root", "LC_ALL=C.UTF-8", "PATH=" + command.PATH]
    monkeypatch.setenv("OPSLIB_RUN", "token")
    lines = command.run(["env"], env={"LC_ALL": "C", "X": "1"}).out.splitlines()
    assert sorted(lines) == ["HOME=/root", "LC_ALL=C", "OPSLIB_RUN=token", "PATH=" + command.PATH, "X=1"]


def test_the_working_directory_is_the_root_or_as_told(tmp_path):
    """A program never starts in the caller's folder."""
    assert command.run(["pwd"]).out == "/\n"
    assert command.run(["pwd"], cwd=str(tmp_path)).out == "%s\n" % tmp_path
    with pytest.raises(TaskError, match="cannot start"):
        command.run(["pwd"], cwd=str(tmp_path / "missing"))


def test_no_open_file_is_handed_down(tmp_path):
    """Not even one that could be inherited."""
    with open(str(tmp_path / "file"), "w") as file:
        os.set_inheritable(file.fileno(), True)
        links = command.run(["sh", "-c", "ls -l /proc/$$/fd"]).out
    assert str(tmp_path) not in links


def test_signals_have_their_usual_effect():
    """Python ignores SIGPIPE; its programs must not, or pipes in scripts never end."""
    ignored = command.run(["sh", "-c", "grep ^SigIgn: /proc/$$/status"]).out.split()[1]
    ours = re.search("^SigIgn:\t(.*)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    pythons = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
    inherited = int(ours[1], 16) & ~pythons  # whoever starts the tests may have something ignored, as nohup does
    assert (int(ignored, 16) ^ inherited) & 0x7FFFFFFF == 0  # above are signals that the C library keeps for itself


def test_a_program_that_takes_too_long_is_killed_with_its_children(tmp_path):
    """Time is up: the whole process group goes."""
    pids = tmp_path / "pids"
    with pytest.raises(TaskError, match="sh did not end within 0.3 seconds"):
        command.run(["sh", "-c", "sleep 1000 & echo $! $$ > %s; wait" % pids], timeout=0.3)
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_a_program_that_closes_its_output_and_goes_on_is_not_waited_for_twice(monkeypatch):
    """Reading and waiting share one deadline."""
    ends = []
    converse, wait = command._converse, command._wait
    monkeypatch.setattr(command, "_converse", lambda *args: (ends.append(args[3]), converse(*args))[1])
    monkeypatch.setattr(command, "_wait", lambda pid, deadline: (ends.append(deadline), wait(pid, deadline))[1])
    with pytest.raises(TaskError, match="did not end within 0.3 seconds"):
        command.run(["sh", "-c", "exec >&- 2>&-; sleep 1000"], timeout=0.3)
    assert ends[0] == ends[1]


def test_an_exception_kills_the_program(tmp_path, monkeypatch):
    """Whatever ends the caller ends the program too."""
    pids = tmp_path / "pids"

    class Interrupted:
        def register(self, *_args):
            pass

        def poll(self, _timeout):
            while not pids.exists() or not pids.read_text():
                time.sleep(0.01)
            raise KeyboardInterrupt

    monkeypatch.setattr(command.select, "poll", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        command.run(["sh", "-c", "echo $$ > %s; sleep 1000" % pids])
    assert gone(int(pids.read_text()))


def test_a_very_long_timeout_is_no_error():
    """More milliseconds than poll(2) takes."""
    assert command.run(["true"], timeout=1e9).code == 0


def test_a_program_that_goes_on_can_be_read_and_stopped():
    """With everything that it started, and the descriptors are closed."""
    seconds = unique_seconds()
    running = command.start(["sh", "-c", "echo ready; echo wrong >&2; sleep %d & wait" % seconds])
    assert os.read(running.out, 100) == b"ready\n"
    assert os.read(running.err, 100) == b"wrong\n"
    assert wait_until(lambda: with_argument(seconds))
    assert running.stop() is None
    assert wait_until(lambda: not with_argument(seconds))


def test_a_program_that_has_ended_tells_its_code():
    """Its output can be read to the end first."""
    running = command.start(["sh", "-c", "exit 3"])
    assert os.read(running.out, 1) == b""
    os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
    assert running.stop() == 3


def test_a_program_that_is_not_there_cannot_be_started():
    """It is told by name."""
    with pytest.raises(TaskError, match="no-such-program is not installed"):
        command.start(["no-such-program"])
