"""The ansible carrier, with a shell on this machine in Ansible's place."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from opslib.carriers import ansible as carrier
from opslib.carriers import controller, payload
from opslib.carriers.ansible import carry, shell_command
from tests.support.here import Errand
from tests.support.probes import Mishap, Note


class Shell:
    """Runs commands as `sh -c`, and keeps what it was given."""

    def __init__(self, noise: str = "", shell: tuple[str, ...] = ("sh", "-c")) -> None:
        self.noise = noise
        self.shell = shell
        self.sent: list[tuple[str, bytes]] = []

    def __call__(self, command: str, data: bytes) -> tuple[int, str, str]:
        self.sent.append((command, data))
        done = subprocess.run([*self.shell, command], input=data, capture_output=True, check=False)
        out = done.stdout.decode("utf-8", "surrogateescape")
        return done.returncode, self.noise + out, done.stderr.decode("utf-8", "replace")


def test_change_and_second_run(tmp_path: Path) -> None:
    path = str(tmp_path / "note")
    first = carry(Note, {"path": path}, Shell(), interpreter=sys.executable, diff=True)
    assert first["changed"] is True
    assert first["diff"] == [
        {"before": "", "after": "hello\n", "before_header": f"write {path}", "after_header": f"write {path}"}
    ]
    assert first["opslib"]["status"] == "changed"
    assert first["opslib"]["changes"][0]["summary"] == f"write {path}"
    second = carry(Note, {"path": path}, Shell(), interpreter=sys.executable, diff=True)
    assert second["changed"] is False
    assert "diff" not in second
    assert second["reason"] == second["msg"] == f"{path} is as it should be"


def test_check_mode_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "note"
    result = carry(Note, {"path": str(path)}, Shell(), interpreter=sys.executable, check=True)
    assert result["changed"] is True
    assert not path.exists()


def test_sensitive_change_shows_no_sides(tmp_path: Path) -> None:
    args = {"path": str(tmp_path / "note"), "text": "canary", "sensitive": True}
    result = carry(Note, args, Shell(), interpreter=sys.executable, diff=True)
    assert result["diff"] == [{"prepared": f"write {tmp_path}/note\n"}]
    assert "canary" not in repr(result)


def test_wrong_parameter_sends_nothing() -> None:
    shell = Shell()
    result = carry(Note, {"path": "relative"}, shell)
    assert result["failed"] is True
    assert "note: path: 'relative' is no absolute path" in result["msg"]
    assert shell.sent == []


def test_failure_carries_message_and_data() -> None:
    result = carry(Mishap, {"how": "fail", "secret": "canary"}, Shell(), interpreter=sys.executable)
    assert result["failed"] is True
    assert result["msg"] == "it failed as told: ***"
    assert result["data"] == {"log": ["a line", "***"]}
    assert "canary" not in repr(result)


def test_secrets_of_the_caller_are_masked(tmp_path: Path) -> None:
    """They came from a vault, and the task does not know that they are secrets."""
    result = carry(Note, {"path": f"{tmp_path}/canary"}, Shell(), interpreter=sys.executable, secrets=["canary"])
    assert "canary" not in repr(result)
    wrong = carry(Note, {"path": "canary"}, Shell(), secrets=["canary"])
    assert "canary" not in repr(wrong)


def test_parameters_are_not_in_the_command(tmp_path: Path) -> None:
    shell = Shell()
    carry(Note, {"path": f"{tmp_path}/canary"}, shell, interpreter=sys.executable)
    assert "canary" not in shell.sent[0][0]


def test_no_secret_goes_through_a_file() -> None:
    shell = Shell()
    result = carry(Mishap, {"how": "fine", "secret": "canary"}, shell, through_file=True)
    assert "holds a secret" in result["msg"]
    assert shell.sent == []
    assert not carry(Mishap, {"how": "fine"}, shell, through_file=True).get("failed")


def test_noise_before_the_answer(tmp_path: Path) -> None:
    noise = "Welcome!\nopslib:forged end 0 ok 0 {}\n\x1b[2J\udcff\n"
    assert carry(Note, {"path": f"{tmp_path}/n"}, Shell(noise), interpreter=sys.executable)["changed"] is True


def test_lines_that_end_as_on_a_terminal(tmp_path: Path) -> None:
    class Terminal(Shell):
        def __call__(self, command: str, data: bytes) -> tuple[int, str, str]:
            code, out, err = super().__call__(command, data)
            return code, out.replace("\n", "\r\n"), err

    assert carry(Note, {"path": f"{tmp_path}/n"}, Terminal(), interpreter=sys.executable)["changed"] is True


@pytest.mark.parametrize("how", ["raise", "die", "diverge", "flood", "garbage", "act", "fine"])
def test_every_mishap_gives_a_result(how: str) -> None:
    result = carry(Mishap, {"how": how}, Shell(), interpreter=sys.executable)
    assert bool(result.get("failed")) is (how in ("raise", "die", "diverge"))
    assert isinstance(result["opslib"]["seconds"], float)
    result["opslib"].__repr__().encode()


def test_deadline_ends_the_task() -> None:
    nap = 95000 + os.getpid() % 1000
    began = time.monotonic()
    result = carry(Mishap, {"how": "hang", "seconds": nap}, Shell(), interpreter=sys.executable, deadline=1)
    assert result["failed"] is True
    assert "time for this host was up" in result["msg"]
    assert time.monotonic() - began < 10
    assert subprocess.run(["pgrep", "-f", f"^sleep {nap}"], check=False, capture_output=True).stdout == b""


@pytest.mark.parametrize(("task", "module", "way"), [(Note, payload, "encode"), (Errand, controller, "carry_out")])
def test_a_play_without_timeout_cuts_nothing_short(task, module, way, monkeypatch) -> None:
    """A restore may take hours, and says so by its own parameters."""
    jobs: list[payload.Job] = []
    monkeypatch.setattr(module, way, lambda job, *_: jobs.append(job) or ((1, "", "") if module is controller else b""))
    for deadline in (None, 5):
        carry(task, {"path": "/n"}, lambda *_: (1, "", ""), deadline=deadline)
    assert [job.deadline for job in jobs] == [None, 5]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((127, "", "sh: nopython: not found"), "nopython was not found on the host; set ansible_python_interpreter"),
        ((1, "This account is closed.", ""), "did not run the payload (exit code 1): This account is closed."),
        ((255, "", ""), "did not run the payload (exit code 255): it said nothing"),
    ],
)
def test_no_payload(answer: tuple[int, str, str], words: str) -> None:
    result = carry(Note, {"path": "/n"}, lambda _command, _data: answer, interpreter="nopython")
    assert result["failed"] is True
    assert words in result["msg"]


def hostile(line: str) -> Any:
    """Return an `execute` whose host knows the token and answers with this line."""

    def execute(_command: str, data: bytes) -> tuple[int, str, str]:
        token = data[data.index(b"opslib:") :][:31].decode()
        return 0, f'{token} hello {{"python": [3, 11, 2], "pid": 1}}\n{token} {line}\n', ""

    return execute


@pytest.mark.parametrize(
    "line",
    [
        "end 0 ok 0 []",
        "end 0 ok 0 {}",
        'end 0 ok 0 {"status": "splendid"}',
        'end 0 ok 0 {"status": "ok", "changes": 7}',
        'end 0 ok 0 {"status": "ok", "changes": [7]}',
        'end 0 ok 0 {"status": "ok", "data": [1]}',
        'end 0 ok 0 {"status": "ok", "reason": {"a": 1}}',
        "end 1 ok 0 {}",
        "end 0",
        "nonsense",
        "bye {}",
    ],
)
def test_hostile_answers(line: str) -> None:
    result = carry(Note, {"path": "/n"}, hostile(line))
    assert result["failed"] is True
    assert "makes no sense" in result["msg"]


def test_payload_that_stops_early() -> None:
    assert "ended without a result" in carry(Note, {"path": "/n"}, hostile("start 0"))["msg"]
    gone = carry(Note, {"path": "/n"}, hostile('bye {"error": "Python 3.6 is too old on this host"}'))
    assert gone["msg"] == "Python 3.6 is too old on this host"


def test_first_python_that_is_found(tmp_path: Path) -> None:
    command = shell_command(None)
    done = subprocess.run(["sh", "-c", command], input=b"", capture_output=True, check=False)
    assert done.returncode == 71, done.stderr  # Python ran, and found no payload
    nowhere = f"PATH={tmp_path}; command() {{ return 1; }}; {command}"
    none = subprocess.run(["sh", "-c", nowhere], input=b"", capture_output=True, check=False)
    assert none.returncode == 127
    assert b"no python3 found" in none.stderr


def test_interpreter_may_have_arguments(tmp_path: Path) -> None:
    interpreter = f"env A=1 {shlex.quote(sys.executable)}"
    assert carry(Note, {"path": f"{tmp_path}/n"}, Shell(), interpreter=interpreter)["changed"] is True


def test_prepare_leaves_nothing_to_compile() -> None:
    carrier.prepare(Note)
    began = time.perf_counter()
    carrier.prepare(Note)
    assert time.perf_counter() - began < 0.01
