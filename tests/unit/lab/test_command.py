"""Programs are run to their end, with their output, and killed with their children when they take too long."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from opslib.lab import LabError
from opslib.lab.command import call, complete


def test_output_and_input() -> None:
    assert call(["cat"], data=b"a\0b") == b"a\0b"
    assert call(["cat"]) == b""


def test_exit_code_is_told() -> None:
    assert complete(["false"]).returncode == 1
    with pytest.raises(LabError, match=r"exit code 1: .*no-such-file"):
        call(["cat", "no-such-file"])


def test_unknown_program() -> None:
    with pytest.raises(LabError, match="cannot start no-such-program"):
        call(["no-such-program"])


def test_environment_stays_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    assert b"hush" not in call(["env"])


def test_timeout_kills_the_children_too(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    child = f"import time, pathlib; time.sleep(1); pathlib.Path({str(marker)!r}).touch()"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    start = time.monotonic()
    with pytest.raises(LabError, match=r"no end after 0\.3 seconds"):
        call([sys.executable, "-c", program], timeout=0.3)
    assert time.monotonic() - start < 2
    time.sleep(1.2)
    assert not marker.exists()
