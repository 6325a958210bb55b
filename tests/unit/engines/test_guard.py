"""The guard: nothing that it starts outlives its parent, or its order to kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest

from opslib.engines import guard

# A child in a session of its own, as Ansible's workers are; one without the mark, which only the process table knows;
# one whose parent is gone, which only the mark gives away.
BROOD = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(["sleep", "{nap}"], start_new_session=True)
subprocess.Popen(["sleep", "{nap}"], env={{}})
subprocess.run(["setsid", "-f", "sleep", "{nap}"])
open({ready!r}, "w").close()
time.sleep(60)
"""


def brood(tmp_path: Path, nap: str) -> list[str]:
    """Return a command that leaves children of two kinds."""
    return [sys.executable, "-c", BROOD.format(nap=nap, ready=str(tmp_path / "ready"))]


def start(folder: Path, command: list[str], parent: int | None = None) -> subprocess.Popen[bytes]:
    """Start a command under guard."""
    watched = [sys.executable, "-ISB", guard.__file__, str(parent or os.getpid()), str(folder), *command]
    return subprocess.Popen(watched, env={**os.environ, guard.MARK: os.urandom(8).hex()}, start_new_session=True)


def napping(nap: str) -> list[int]:
    """Return the processes that sleep for so long."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "cmdline").read_bytes().split(b"\0")[:2] == [b"sleep", nap.encode()]:
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def wait_for(condition, seconds: float = 10) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.02)


@pytest.mark.parametrize("code", [0, 3])
def test_exit_code_is_passed_on(tmp_path: Path, code: int) -> None:
    assert start(tmp_path, [sys.executable, "-c", f"raise SystemExit({code})"]).wait(20) == code


def test_signal_becomes_exit_code(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    assert start(tmp_path, command).wait(20) == 128 + 9


def test_a_guard_that_was_stopped_for_a_while_goes_on(tmp_path: Path) -> None:
    """As by `kill -STOP`, or a container that was paused, for longer than it takes between two looks."""
    go = tmp_path / "go"
    watched = start(tmp_path, ["/bin/sh", "-c", f"until [ -e {go} ]; do sleep 0.02; done; exit 3"])
    wait_for((tmp_path / guard.PID_FILE).exists)
    for _time in range(3):
        watched.send_signal(signal.SIGSTOP)
        time.sleep(0.4)
        watched.send_signal(signal.SIGCONT)
        time.sleep(0.1)
    assert watched.poll() is None
    go.touch()
    assert watched.wait(20) == 3


def test_missing_program(tmp_path: Path) -> None:
    assert start(tmp_path, ["/nonexistent/program"]).wait(20) == 127


def test_no_terminal_and_nothing_to_read(tmp_path: Path) -> None:
    """ansible-runner starts us on a terminal; what we start must not be able to ask anything there."""
    seen = tmp_path / "seen"
    script = f"""
import os, sys
try:
    os.open("/dev/tty", os.O_RDWR)
    tty = "a terminal"
except OSError:
    tty = "none"
open({str(seen)!r}, "w").write(f"{{sys.stdin.read()!r}} {{tty}}")
"""
    watched = ["-ISB", guard.__file__, str(os.getpid()), str(tmp_path), sys.executable, "-c", script]
    child = pexpect.spawn(sys.executable, watched)
    child.expect(pexpect.EOF, timeout=20)
    assert child.wait() == 0
    assert seen.read_text() == "'' none"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_told_to_kill_it_kills_all_descendants(tmp_path: Path, number: signal.Signals) -> None:
    nap = f"86{os.getpid()}{int(number)}"
    guarded = start(tmp_path, brood(tmp_path, nap))
    wait_for((tmp_path / "ready").exists)
    wait_for(lambda: len(napping(nap)) == 3)
    began = time.monotonic()
    guarded.send_signal(number)
    assert guarded.wait(10) == guard.KILLED
    assert napping(nap) == []
    assert time.monotonic() - began < 3


def test_parent_killed_leaves_nothing(tmp_path: Path) -> None:
    nap = f"87{os.getpid()}"
    folder = tmp_path / "private"
    folder.mkdir()
    aside = tmp_path / "excerpt"
    aside.touch()
    (folder / guard.ASIDE).symlink_to(aside)
    watched = [sys.executable, "-ISB", guard.__file__]
    parent = f"""
import os, subprocess, time
subprocess.Popen([*{watched!r}, str(os.getpid()), {str(folder)!r}, *{brood(tmp_path, nap)!r}], start_new_session=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", parent], env={**os.environ, guard.MARK: "ab" * 8})
    wait_for((tmp_path / "ready").exists)
    pid = int((folder / guard.PID_FILE).read_text())
    process.kill()
    process.wait()
    wait_for(lambda: not napping(nap))
    wait_for(lambda: not folder.exists())
    assert not aside.exists()
    wait_for(lambda: not Path(f"/proc/{pid}").exists())
