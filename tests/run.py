"""Run the whole test suite, and say plainly what was left out and why.

Run by `make test`, against the installed package. Arguments go to pytest; without any, or with `--cov` alone, everything
runs: first what needs no host, then what needs the cloud's back ends, both on all processors, then what boots hosts,
half as much again at once, then what has the machine to itself. Where something is missing (root, a program, a Python
version) its tests are left out and named in one line; with CI=true that is a failure.
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
    """Run pytest, with `--cov` and coverage of the controller's side; return its exit code."""
    os.chdir(ROOT)
    os.environ.setdefault("OPSLIB_LAB_CACHE", str(ROOT / ".cache" / "lab"))
    pytest = [sys.executable, "-I", "-m", "pytest"]
    covered = sys.argv[1:] == ["--cov"]
    if len(sys.argv) > 1 and not covered:
        return subprocess.call([*pytest, *sys.argv[1:]])
    processors = os.cpu_count() or 1
    at_once = ["-n", str(processors), "--dist", "loadfile"]
    with_hosts = ["-n", str(processors + processors // 2), "--dist", "loadfile"]  # which wait a third of the time
    rounds = [[*at_once, *WITHOUT_HOSTS], [*at_once, *CLOUD], [*with_hosts, *WITH_HOSTS], [*ALONE]]
    rootless = os.geteuid() != 0
    rounds = rounds[:2] if rootless else rounds
    codes = []
    for number, words in enumerate(rounds):
        cov = ["--cov", "--cov-report=", *(["--cov-append"] if number else [])] if covered else []
        cov += ["--cov-report=term:skip-covered"] if covered and number == len(rounds) - 1 else []
        codes.append(subprocess.call([*pytest, "-q", "--durations=10", *cov, *words]))
    if rootless:
        print(f"left out: {', '.join(WITH_HOSTS + ALONE)}, because hosts can only be booted by root")
        return max(codes) or int(os.environ.get("CI") == "true")
    return max(codes)


if __name__ == "__main__":
    raise SystemExit(main())
