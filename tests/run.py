"""Run the whole test suite, and say plainly what was left out and why.

Run by `make test`, against the installed package. Arguments go to pytest. Where something is missing (root, a
program, a Python version) its tests are left out and named in one line; with CI=true that is a failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Run pytest with coverage of the controller's side; return its exit code."""
    os.chdir(ROOT)
    arguments = sys.argv[1:]
    command = [sys.executable, "-I", "-m", "pytest", *arguments]
    if not arguments:
        command += ["--cov", "--cov-report=term:skip-covered", "-q"]
    return subprocess.call(command)


if __name__ == "__main__":
    raise SystemExit(main())
