"""Deploy a release of the sample service (tests/systems): opslib against the same steps in Ansible's own modules.

    python benchmarks/deploy.py                      # 10 hosts, medians of 3
    python benchmarks/deploy.py --hosts 2 --runs 1

Each turn begins with hosts that are as new, with the release before running. `again`: the same deployment once more, when
there is nothing to do. Cases take turns; read the ratios, the seconds belong to the machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "cases"), str(HERE.parent / "tests"), str(HERE.parent)]

import deploy_plays  # noqa: E402 - found through the path above

from opslib.lab import Lab  # noqa: E402
from support.system import DISK, System, layer  # noqa: E402
from systems import install  # noqa: E402

BIN = Path(sys.executable).parent
REF = "v1.2.0"


def timed(name: str, command: list[str], env: dict[str, str]) -> float:
    """Run a command and return its seconds; a failure ends the benchmark, because then it did not do the same work."""
    given = {key: value for key, value in os.environ.items() if key != "ANSIBLE_CONFIG"} | env
    began = time.perf_counter()
    done = subprocess.run(command, env=given, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{name} failed with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return seconds


def begin(systems: list[System], *, reset: bool) -> None:
    """Bring every host to where each turn begins."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(System.reset if reset else System.begin, systems))


def prove(systems: list[System]) -> None:
    """See that the release serves everywhere."""
    for system in systems:
        assert system.json("/health")["api_version"] == REF[1:], system.host.name


def main() -> None:
    """Boot the hosts, run the cases in turn, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        Lab(hosts=arguments.hosts, packages=install.PACKAGES, layers=[layer()], disk=DISK) as lab,
    ):
        folder, hosts = Path(name), ["-i", str(lab.inventory)]
        variables = {"folder": install.FOLDER, "remote": install.REMOTE, "env_file": install.ENV_FILE, "ref": REF}
        ours = deploy_plays.write(folder / "opslib.yml", [deploy_plays.OPSLIB], variables)
        theirs = deploy_plays.write(folder / "builtin.yml", deploy_plays.BUILTIN, variables)
        fast = {"ANSIBLE_PIPELINING": "True", "ANSIBLE_HOST_KEY_CHECKING": "True"}
        opslib = [sys.executable, "-m", "opslib.cli.main", "run", str(ours), *hosts, "--engine", "ssh", "--forks", "50"]
        ansible = [str(BIN / "ansible-playbook"), *hosts, "--forks", "50", str(theirs)]
        cases = {
            "opslib run, ssh engine": (opslib, {"PYTHONPATH": str(HERE.parent)}),
            "ansible-playbook, its own modules": (ansible, fast),
        }
        rows: dict[str, list[float]] = {f"{case}{end}": [] for case in cases for end in ("", ", again")}
        systems = [System(lab, host) for host in lab.hosts]
        begin(systems, reset=False)
        for turn in range(arguments.runs):
            for number, (case, (command, env)) in enumerate(cases.items()):
                if turn or number:
                    begin(systems, reset=True)
                rows[case].append(timed(case, command, env))
                prove(systems)
                rows[f"{case}, again"].append(timed(case, command, env))
                print(f"  {case}: {rows[case][-1]:.2f} s, again {rows[f'{case}, again'][-1]:.2f} s", flush=True)
        for system in systems:
            system.close()
    print(f"{arguments.hosts} hosts, {os.cpu_count()} processors\n\n| case | median | min - max |\n|---|---|---|")
    for case, seconds in rows.items():
        print(f"| {case} | {statistics.median(seconds):.2f} s | {min(seconds):.2f} - {max(seconds):.2f} s |")


if __name__ == "__main__":
    main()
