"""Run the whole test suite, and say plainly what was left out and why.

Run by `make test`, against the installed package. Arguments go to pytest; without any, everything runs: first what
needs no host, then what needs the cloud's back ends, both on all processors, then what boots hosts, half as much again
at once, then what has the machine to itself. Where something is missing (root, a program, a Python version) its tests
are left out and named in one line; with CI=true that is a failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
WITHOUT_HOSTS = ("tests/architecture", "tests/unit")
CLOUD = ("tests/cloud",)
WITH_HOSTS = ("tests/differential", "tests/lab")  # the longest file first
ALONE = ("tests/faults",)


def main() -> int:
    """Run pytest with coverage of the controller's side; return its exit code."""
    os.chdir(ROOT)
    os.environ.setdefault("OPSLIB_LAB_CACHE", str(ROOT / ".cache" / "lab"))
    pytest = [sys.executable, "-I", "-m", "pytest"]
    if len(sys.argv) > 1:
        return subprocess.call([*pytest, *sys.argv[1:]])
    processors = os.cpu_count() or 1
    covered = ["-q", "--durations=10", "--cov", "--cov-report="]
    at_once = ["-n", str(processors), "--dist", "loadfile"]
    with_hosts = ["-n", str(processors + processors // 2), "--dist", "loadfile"]  # which wait a third of the time
    if os.geteuid() != 0:
        code = subprocess.call([*pytest, *covered, *at_once, *WITHOUT_HOSTS])
        code = max(
            code,
            subprocess.call([*pytest, *covered, "--cov-append", "--cov-report=term:skip-covered", *at_once, *CLOUD]),
        )
        print(f"left out: {', '.join(WITH_HOSTS + ALONE)}, because hosts can only be booted by root")
        return code or int(os.environ.get("CI") == "true")
    codes = [
        subprocess.call([*pytest, *covered, *at_once, *WITHOUT_HOSTS]),
        subprocess.call([*pytest, *covered, "--cov-append", *at_once, *CLOUD]),
        subprocess.call([*pytest, *covered, "--cov-append", *with_hosts, *WITH_HOSTS]),
        subprocess.call([*pytest, *covered, "--cov-append", "--cov-report=term:skip-covered", *ALONE]),
    ]
    return max(codes)


if __name__ == "__main__":
    raise SystemExit(main())
