"""The local carrier: programs as subprocesses."""

from __future__ import annotations

import os
import resource
import signal

import pytest

from opslib.carriers import local
from opslib.carriers.base import Deadline
from opslib.carriers.local import LocalConnection
from opslib.errors import CarrierError, UsageError
from support import processes

NEVER = Deadline()


@pytest.fixture
def start(monkeypatch):
    """Start shell scripts; all are closed in the end, those that go on are killed."""
    monkeypatch.setattr(local, "_LONGEST_KILL", 0.1)
    channels = []

    def start_script(script, *words):
        channels.append(LocalConnection().start(["sh", "-c", script, *words], NEVER))
        return channels[-1]

    yield start_script
    for channel in channels:
        channel.close()


def everything(channel):
    """Return all output."""
    pieces = []
    while piece := channel.receive(30):
        pieces.append(piece)
    return b"".join(pieces)


def test_output_errors_and_code(start):
    """All three come back."""
    channel = start("echo out; echo err >&2; exit 3")
    assert everything(channel) == b"out\n"
    assert channel.exit_code() == 3
    assert channel.errors() == "err"


def test_input_arrives_whatever_its_size(start):
    """More than a pipe holds, while output flows the other way."""
    channel = start("wc -c")
    channel.send(b"x" * 1_000_000, Deadline.after(30))
    channel.end_input()
    assert everything(channel) == b"1000000\n"


def test_silence_is_not_the_end(start):
    """None for nothing yet, b"" for closed."""
    channel = start("read line; echo $line")
    assert channel.receive(0.01) is None
    assert channel.exit_code() is None
    channel.send(b"word\n", NEVER)
    assert channel.receive(30) == b"word\n"
    assert channel.receive(30) == b""
    assert channel.receive(30) == b""


def test_errors_do_not_look_like_output(start):
    """A program that only writes errors is silent; they are kept up to a limit."""
    channel = start("i=0; while [ $i -lt 3000 ]; do echo 'error: something' >&2; i=$((i+1)); done; echo done; read x")
    while (piece := channel.receive(0.05)) is None:
        pass
    assert piece == b"done\n"
    assert channel.errors().startswith("error: something\nerror:")
    assert len(channel.errors()) <= local._MAX_ERRORS


def test_closed_errors_do_not_hide_output(start):
    """A program may close its standard error first."""
    channel = start("exec 2>&-; read x; echo out")
    assert channel.receive(0.05) is None
    channel.send(b"\n", NEVER)
    assert everything(channel) == b"out\n"


def test_errors_that_are_no_text_can_be_shown(start):
    """Bytes are escaped."""
    channel = start("printf 'caf\\351' >&2")
    everything(channel)
    assert channel.errors() == "caf\\xe9"


def test_sending_to_a_program_that_has_ended(start):
    """The error holds what the program said."""
    channel = start("echo 'no such thing' >&2")
    everything(channel)
    with pytest.raises(CarrierError, match="the program ended early: no such thing"):
        for _try in range(100):
            channel.send(b"x" * 100_000, Deadline.after(30))


def test_sending_has_a_deadline(start):
    """A program that does not read is not waited for longer than that."""
    channel = start("sleep 1000")
    with pytest.raises(TimeoutError):
        channel.send(b"x" * 1_000_000, Deadline.after(0.1))


def test_a_program_that_does_not_exist():
    """The error names it."""
    with pytest.raises(UsageError, match="cannot start /no/such/python: No such file"):
        LocalConnection().start(["/no/such/python", "-c", ""], NEVER)


@pytest.mark.parametrize("word", ["nul\0nul", "\ud800"])
def test_a_program_that_cannot_exist(word):
    """Names that no file can have."""
    with pytest.raises(UsageError, match="cannot start"):
        LocalConnection().start([word], NEVER)


def test_arguments_are_not_read_by_a_shell(start):
    """They arrive as they are."""
    channel = start('printf "%s|" "$@"', "x", "$(id)", "a b", "-o", "'")
    assert everything(channel) == b"$(id)|a b|-o|'|"


def test_programs_start_in_the_root_and_in_their_own_session(start):
    """No terminal's Ctrl-C reaches them, and no folder is kept busy."""
    channel = start("pwd; echo $$; ps -o sid= -p $$")
    where, pid, session = everything(channel).decode().split()
    assert (where, pid) == ("/", session)


def test_closing_ends_what_does_not_end_by_itself(start):
    """The whole session is killed, after some time."""
    seconds = processes.unique_seconds()
    channel = start(f"sleep {seconds} & sleep {seconds}; echo")
    assert processes.wait_until(lambda: len(processes.with_argument(seconds)) == 2)
    channel.close()
    channel.close()
    assert processes.wait_until(lambda: not processes.with_argument(seconds))
    assert channel.exit_code() == -signal.SIGKILL


def test_a_closed_channel_is_at_its_end(start):
    """Reading is harmless, sending is an error."""
    channel = start("cat")
    channel.close()
    assert channel.receive(0) == b""
    assert channel.errors() == ""
    with pytest.raises(CarrierError):
        channel.send(b"x", NEVER)


def test_many_channels_at_once():
    """More open files than select(2) can take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip("fewer than 2048 open files are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    held = [os.open("/dev/null", os.O_RDONLY) for _number in range(1050)]
    try:
        channel = LocalConnection().start(["cat"], NEVER)
        channel.send(b"hello\n", NEVER)
        assert channel.receive(30) == b"hello\n"
        channel.close()
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_programs_inherit_nothing_open(start):
    """Not even what another thread has just opened."""
    with open("/dev/null", "rb") as file:
        os.set_inheritable(file.fileno(), True)
        channel = start("ls /proc/self/fd | wc -l")
        assert int(everything(channel)) == 4


def test_connections_to_this_machine_are_always_alive():
    """There is nothing to lose."""
    connection = LocalConnection()
    connection.close()
    assert connection.alive


def test_a_deadline_counts_down(monkeypatch):
    """Never negative, and no limit is None."""
    now = [100.0]
    monkeypatch.setattr("opslib.carriers.base.time.monotonic", lambda: now[0])
    deadline = Deadline.after(10)
    assert (deadline.left, deadline.cap(3), deadline.cap(30)) == (10, 3, 10)
    now[0] = 200.0
    assert (deadline.left, deadline.cap(3)) == (0.0, 0.0)
    assert (Deadline.after(None).left, Deadline.after(None).cap(5)) == (None, 5)
