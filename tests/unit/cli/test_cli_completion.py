"""Completion: what is offered, and that shells take it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import opslib
from opslib.cli.main import main
from support.fake_library import FakeLibrary

FAKE = Path(__file__).parents[2] / "support" / "fake_library.py"
ROOT = Path(opslib.__file__).parents[1]
Out = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


def offered(typed: str, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: Patch, breaks: str = "") -> list[str]:
    """What is offered in bash for a line typed so far; `breaks`: what bash splits words at."""
    monkeypatch.setenv("_OPSLIB_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_LINE", typed)
    monkeypatch.setenv("COMP_WORDBREAKS", breaks)
    assert main([], FakeLibrary()) == 0
    lines = capfdbinary.readouterr().out.decode().splitlines()
    return [line.removeprefix("plain,") for line in lines if line]


@pytest.mark.parametrize(
    ("typed", "offers"),
    [
        ("opslib ", ["run", "task", "list", "show", "verify", "logs", "runbook", "lab", "completion"]),
        ("opslib ta", ["task"]),
        ("opslib task logr", ["logrotate"]),
        ("opslib task service unit=x sta", ["state=", "start_timeout="]),
        ("opslib task service sta", ["state=", "start_timeout="]),
        ("opslib task service state=re", ["state=restarted", "state=reloaded"]),
        ("opslib task service enabled=", ["enabled=true", "enabled=false"]),
        ("opslib task service nothing=", []),
        ("opslib task nothing un", []),
        ("opslib run main", ["maintenance:weekly"]),
        ("opslib run maintenance:w", ["maintenance:weekly"]),
        ("opslib run some/fi", ["file,some/fi"]),
        ("opslib verify serv", ["service:restart"]),
        ("opslib show serv", ["service", "service:restart"]),
        ("opslib run x --eng", ["--engine"]),
        ("opslib run x --engine a", ["auto", "ansible"]),
        ("opslib lab do", ["down"]),
        ("opslib logs fo", ["follow"]),
        ("opslib completion z", ["zsh"]),
    ],
)
def test_offers(typed: str, offers: list[str], capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: Patch) -> None:
    assert offered(typed, capfdbinary, monkeypatch) == offers


def test_a_parameter_that_was_given_is_not_offered_again(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: Patch
) -> None:
    found = offered("opslib task service unit=a state:=1 ", capfdbinary, monkeypatch)
    assert "unit=" not in found
    assert "state=" not in found
    assert "enabled=" in found


def test_words_that_bash_splits_are_offered_in_part(
    capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: Patch
) -> None:
    assert offered("opslib run maintenance:w", capfdbinary, monkeypatch, ":=") == ["weekly"]
    assert offered("opslib task service state=sto", capfdbinary, monkeypatch, ":=") == ["stopped"]


def test_a_broken_role_does_not_break_completion(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: Patch) -> None:
    def broken(_self: FakeLibrary) -> None:
        raise OSError("broken")

    monkeypatch.setattr(FakeLibrary, "roles", broken)
    assert offered("opslib show serv", capfdbinary, monkeypatch) == ["service"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_printed_and_installed(shell: str, capsys: Out, monkeypatch: Patch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert main(["completion", shell], FakeLibrary()) == 0
    script = capsys.readouterr().out
    assert f"_OPSLIB_COMPLETE={shell}_complete" in script
    assert main(["completion", shell, "--install"], FakeLibrary()) == 0
    place = Path(capsys.readouterr().out.splitlines()[0].removeprefix("installed: "))
    assert place.is_relative_to(tmp_path)
    assert place.read_text().strip() == script.strip()
    if shutil.which(shell):
        subprocess.run([shell, "-n", str(place)], check=True)


def test_a_place_that_cannot_be_written_is_a_usage_error(capsys: Out, monkeypatch: Patch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/dev/null")
    assert main(["completion", "bash", "--install"], FakeLibrary()) == 1
    assert "cannot write /dev/null/" in capsys.readouterr().err


def test_bash_completes(tmp_path: Path) -> None:
    """The real shell, with the real script."""
    program = tmp_path / "opslib"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} 1 0 "$@"\n')
    program.chmod(0o755)
    script = """
        eval "$(opslib completion bash)"
        complete_line() {
            COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
            _opslib_completion opslib 2>/dev/null
            printf '%s|' "${COMPREPLY[@]}"
            echo
        }
        complete_line 'opslib task service state=sta'
        complete_line 'opslib run maintenance:w'
        complete_line 'opslib task disk'
    """
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.splitlines() == ["started|", "weekly|", "disk_usage|"], done.stderr
