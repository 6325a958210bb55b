"""The plugin costs nothing when loaded, and says plainly why there is no lab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import opslib

ROOT = Path(opslib.__file__).parents[1]
NO_LAB = """
import opslib.lab.needs
opslib.lab.needs.missing = lambda **_: ["A lab needs root: run this as root or with sudo."]
def test_it(lab): pass
"""


def session(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(NO_LAB)
    (folder / "pytest.ini").write_text("[pytest]\n")
    environ = {name: value for name, value in os.environ.items() if name not in {"CI", "PYTEST_ADDOPTS"}}
    environ |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **variables}
    argv = [sys.executable, "-m", "pytest", "-p", "opslib.lab.pytest_plugin", "-rs", "-p", "no:cacheprovider"]
    return subprocess.run([*argv, *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False)


def test_skipped_where_a_lab_cannot_run(tmp_path: Path) -> None:
    done = session(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
    assert "A lab needs root" in done.stdout


def test_failed_in_ci(tmp_path: Path) -> None:
    done = session(tmp_path, CI="true")
    assert done.returncode == 1
    assert "no lab in CI: A lab needs root" in done.stdout


def test_option_must_be_a_number(tmp_path: Path) -> None:
    assert session(tmp_path, "--lab-hosts", "many").returncode == pytest.ExitCode.USAGE_ERROR


def test_loading_it_loads_nothing_heavy() -> None:
    program = "import sys, pytest; a = set(sys.modules); import opslib.lab.pytest_plugin; print(*set(sys.modules) - a)"
    done = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == {"opslib", "opslib.lab", "opslib.lab.pytest_plugin"}
