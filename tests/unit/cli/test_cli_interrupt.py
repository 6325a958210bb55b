"""Ctrl-C, with real processes and a real terminal: the first ends the run and reports, the second leaves at once."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import opslib
from opslib.cli.interruption import Interruption

FAKE = Path(__file__).parents[2] / "support" / "fake_library.py"
ROOT = Path(opslib.__file__).parents[1]
PATIENCE = 60.0


def command(hosts: int, seconds: float, *words: str) -> list[str]:
    """The program, on a library whose hosts take so many seconds per step."""
    return [sys.executable, str(FAKE), str(hosts), str(seconds), *words]


def environment(**extra: str) -> dict[str, str]:
    own = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return {**own, "PYTHONPATH": str(ROOT), "TERM": "xterm", **extra}


class Shown:
    """What a process wrote to its terminal so far."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.text = ""

    def until(self, words: str) -> str:
        """Read until some words appear."""
        return self._read(lambda: words in plain(self.text), f"{words!r} did not appear")

    def to_end(self) -> str:
        """Read until the process is gone."""
        return self._read(lambda: False, None)

    def _read(self, done, problem: str | None) -> str:  # type: ignore[no-untyped-def]
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, f"{problem} in:\n{plain(self.text)}"
            if select.select([self.fd], [], [], 0.1)[0]:
                piece = b""
                with suppress(OSError):
                    piece = os.read(self.fd, 65536)
                if not piece:
                    assert problem is None, f"{problem} in:\n{plain(self.text)}"
                    break
                self.text += piece.decode("utf-8", "replace")
        return plain(self.text)


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


@contextmanager
def on_a_terminal(argv: list[str], **extra: str) -> Iterator[tuple[subprocess.Popen[bytes], Shown]]:
    """Run a program whose output is a terminal of 30 lines and 80 columns."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (30, 80))
    process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(**extra))
    os.close(theirs)
    try:
        yield process, Shown(ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_a_run_on_a_terminal_is_live_and_leaves_a_summary() -> None:
    with on_a_terminal(command(4, 0.4, "run", "site.yml", "-i", "x")) as (process, shown):
        shown.until("4 running")
        text = shown.to_end()
        assert process.wait(PATIENCE) == 0
    assert "\x1b[?1049h" not in shown.text
    assert shown.text.rindex("\x1b[?25h") > shown.text.rindex("\x1b[?25l")
    assert "Running site.yml on 4 hosts (web1..web4), engine auto: for real" in text
    assert "4 hosts: 4 changed in " in text
    assert "\x1b[33mChanged" in shown.text


def test_no_color_and_dumb_terminals_are_respected() -> None:
    with on_a_terminal(command(2, 0, "run", "site.yml", "-i", "x"), NO_COLOR="1") as (process, shown):
        shown.to_end()
        assert process.wait(PATIENCE) == 0
    assert not re.search(r"\x1b\[[0-9;]*m", shown.text.replace("\x1b[0m", ""))
    with on_a_terminal(command(2, 0, "run", "site.yml", "-i", "x"), TERM="dumb") as (process, shown):
        shown.to_end()
        assert process.wait(PATIENCE) == 0
    assert "\x1b" not in shown.text


def test_ctrl_c_ends_the_run_and_reports(tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    words = ("run", "site.yml", "-i", "x", "--json", str(report))
    with on_a_terminal(command(6, 30, *words)) as (process, shown):
        shown.until("6 running")
        process.send_signal(signal.SIGINT)
        shown.until("stopping on 6 hosts; press Ctrl-C again to leave at once")
        text = shown.to_end()
        assert process.wait(PATIENCE) == 130
    assert "Interrupted. 6 hosts: 6 failed" in text
    assert "Traceback" not in text
    assert json.loads(report.read_text())["exit_code"] == 130


def test_the_second_ctrl_c_leaves_at_once() -> None:
    with on_a_terminal(command(6, 30, "run", "stubborn", "-i", "x")) as (process, shown):
        shown.until("6 running")
        process.send_signal(signal.SIGINT)
        shown.until("press Ctrl-C again")
        assert process.poll() is None
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert time.monotonic() - began < 20
        text = shown.to_end()
    assert "left at once" in text
    assert shown.text.endswith("\n")
    assert shown.text.rindex("\x1b[?25h") > shown.text.rindex("\x1b[?25l")


def test_sigterm_is_taken_for_ctrl_c_and_plain_output_says_so() -> None:
    process = subprocess.Popen(
        command(3, 30, "run", "site.yml", "-i", "x"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("Running site.yml")
    time.sleep(0.3)
    process.terminate()
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "stopping on 3 hosts; press Ctrl-C again to leave at once\n" in err
    assert "Interrupted. 3 hosts: 3 failed" in out


def test_a_reader_that_goes_away_does_not_change_the_exit_code() -> None:
    line = f"{sys.executable} {FAKE} 9 0 run site.yml -i x -v 2>/dev/null | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", line], env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""


def test_a_full_disk_behind_stdout_is_told_and_the_summary_goes_to_stderr() -> None:
    line = f"{sys.executable} {FAKE} 2 0 run site.yml -i x > /dev/full"
    done = subprocess.run(
        ["bash", "-c", line], env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0
    assert "opslib: standard output: No space left on device" in done.stderr
    assert "2 hosts: 2 changed" in done.stderr


@pytest.mark.parametrize("words", ["run site.yml -i x --json -", "run site.yml -i x --list-hosts"])
def test_what_was_asked_for_but_not_written_is_no_success(words: str) -> None:
    line = f"{sys.executable} {FAKE} 2 0 {words} > /dev/full"
    done = subprocess.run(
        ["bash", "-c", line], env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 74
    assert "opslib: standard output: No space left on device" in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_trouble(closed: str) -> None:
    line = f"{sys.executable} {FAKE} 2 0 run site.yml -i x {closed}"
    done = subprocess.run(
        ["bash", "-c", line], env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stdout + done.stderr


def test_an_encoding_without_our_signs_is_no_trouble() -> None:
    argv = command(3, 0.3, "run", "日本.yml", "-i", "x")
    with on_a_terminal(argv, PYTHONIOENCODING="latin-1", PYTHONUTF8="1") as (process, shown):
        text = shown.to_end()
        assert process.wait(PATIENCE) == 0
    assert "....." in text
    assert "\\u65e5\\u672c has room" in text
    assert "Running \\u65e5\\u672c.yml on 3 hosts" in text
    assert "3 hosts: 3 changed" in text


def test_handlers_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    heard: list[str] = []
    with Interruption(lambda: heard.append("first"), lambda: None) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.cancel.wait(PATIENCE)
    assert heard == ["first"]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert signal.set_wakeup_fd(-1) == -1


def test_a_remark_that_fails_does_not_keep_the_run_from_being_cancelled() -> None:
    def fails() -> None:
        raise RuntimeError("the terminal is gone")

    with Interruption(fails, lambda: None) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.cancel.wait(PATIENCE)


def test_outside_the_main_thread_nothing_is_installed() -> None:
    import threading

    handlers: list[object] = []

    def elsewhere() -> None:
        with Interruption(lambda: None, lambda: None) as stop:
            handlers.append(signal.getsignal(signal.SIGINT))
            assert not stop.cancel.is_set()

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGINT)]
