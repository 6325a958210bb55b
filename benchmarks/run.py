"""Compare opslib with its peers: the same work, on the same hosts, in one run, in turn.

    make bench                      # 50 hosts, medians of 5
    make bench ARGS="--hosts 10 --runs 3 --only floor,opslib-6"

Every case is a whole process, timed from outside; all but those that take minutes are warmed up once. Cases take turns, so a change in the
machine's speed hits all of them. Read the ratios; the seconds belong to the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "cases"))

import crowd  # noqa: E402 - found through the path above
import plays  # noqa: E402

from opslib.lab import Lab  # noqa: E402

BIN = Path(sys.executable).parent
UNIT = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"


class Case:
    """A command, how long it took each time, what it said last, and the most memory it had, in KiB."""

    def __init__(self, name: str, command: list[str], env: dict[str, str] | None = None) -> None:
        self.name = name
        self.command = command
        self.env = env or {}
        self.seconds: list[float] = []
        self.said = ""
        self.peak = 0

    def run(self, *, counted: bool = True) -> None:
        """Run it once; a failure ends the benchmark, because then it did not do the same work."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")} | self.env
        began = time.perf_counter()
        with tempfile.TemporaryFile("w+") as said:
            started = subprocess.Popen(self.command, env=environment, stdout=said, stderr=subprocess.STDOUT, text=True)
            _pid, status, usage = os.wait4(started.pid, 0)
            seconds = time.perf_counter() - began
            started.returncode = os.waitstatus_to_exitcode(status)
            said.seek(0)
            self.said = said.read()
        if started.returncode:
            sys.exit(f"{self.name} failed with {started.returncode}:\n{self.said[-6000:]}")
        if counted:
            self.seconds.append(seconds)
            self.peak = max(self.peak, usage.ru_maxrss)

    @property
    def median(self) -> float:
        """The median in seconds."""
        return statistics.median(self.seconds)


def prepare(lab: Lab, folder: Path, cases: dict[str, Case]) -> None:
    """Bring every host into the state that the work asks for, so that it finds nothing to change."""
    for host in lab.hosts:
        host.write("/etc/systemd/system/bench.service", UNIT)
        host.run(["mkdir", "-p", "/var/lib/bench/logs"])
        host.run(["systemctl", "daemon-reload"])
    first = plays.write(folder / "prepare.yml", plays.OPSLIB, 1)
    Case("prepare", [str(BIN / "opslib"), "run", str(first), "-i", str(lab.inventory)]).run()
    rotation = lab.hosts[0].read("/etc/logrotate.d/bench")
    text = rotation if isinstance(rotation, str) else rotation.decode()
    (folder / "rotation").write_text(text)
    for host in lab.hosts:
        host.write("/var/lib/bench/rotation", text)
    ansible = [str(BIN / "ansible-playbook"), "-i", str(lab.inventory), "--forks", "50"]
    fast = {"ANSIBLE_PIPELINING": "True", "ANSIBLE_HOST_KEY_CHECKING": "True"}
    addresses = json.dumps([host.address for host in lab.hosts])
    cases["floor"] = Case(
        "floor: 6 checks in sh, one exec per host",
        [sys.executable, str(HERE / "cases" / "floor.py"), addresses, str(lab.private_key), str(lab.known_hosts)],
    )
    pyinfra_inventory = folder / "hosts.py"
    pyinfra_inventory.write_text(
        "hosts = "
        + repr(
            [
                (
                    host.address,
                    {"ssh_user": "root", "ssh_key": str(lab.private_key), "ssh_known_hosts_file": str(lab.known_hosts)},
                )
                for host in lab.hosts
            ]
        )
    )
    for steps, rounds in ((6, 1), (30, 5)):
        ours = plays.write(folder / f"opslib-{steps}.yml", plays.OPSLIB, rounds)
        theirs = plays.write(folder / f"builtin-{steps}.yml", plays.builtin(text), rounds)
        cases[f"opslib-{steps}"] = Case(
            f"opslib run, ssh engine, {steps} steps",
            [str(BIN / "opslib"), "run", str(ours), "-i", str(lab.inventory), "--engine", "ssh", "--forks", "50"],
        )
        cases[f"pyinfra-{steps}"] = Case(
            f"pyinfra, {steps} steps",
            [str(BIN / "pyinfra"), "-y", str(pyinfra_inventory), str(HERE / "cases" / "pyinfra_deploy.py")],
            {"BENCH_ROUNDS": str(rounds), "BENCH_ROTATION": str(folder / "rotation")},
        )
        cases[f"action-{steps}"] = Case(
            f"ansible-playbook with opslib's tasks, {steps} steps", [*ansible, str(ours)], fast
        )
        cases[f"ansible-{steps}"] = Case(f"ansible-playbook, {steps} steps", [*ansible, str(theirs)], fast)


def library(lab: Lab, runs: int) -> str:
    """Return a table of a first `fleet.run` and of those after it."""
    case = Case("fleet", [sys.executable, str(HERE / "cases" / "fleet.py"), str(lab.inventory), str(runs)])
    case.run()
    first, *others = json.loads(case.said)
    rows = [
        "| the library, 6 steps | seconds |",
        "|---|---|",
        f"| first `fleet.run`, connects | {first:.2f} s |",
        f"| `fleet.run` on open connections, median of {len(others)} | {statistics.median(others):.2f} s |",
    ]
    return "\n".join(rows)


def many(count: int, runs: int) -> str:
    """Return a table of one play over hundreds of targets."""
    with tempfile.TemporaryDirectory() as name, crowd.crowd(Path(name), count) as (inventory, playbook):
        case = Case("many", [str(BIN / "opslib"), "run", str(playbook), "-i", str(inventory), "--engine", "ssh"])
        for turn in range(-1, runs):
            case.run(counted=turn >= 0)
    rows = [
        f"| {count} targets, 50 forks, 6 steps | median | peak memory of the controller |",
        "|---|---|---|",
        f"| opslib run, ssh engine | {case.median:.2f} s | {case.peak / 1024:.0f} MiB |",
    ]
    return "\n".join(rows)


def table(cases: dict[str, Case]) -> str:
    """Return the results as a Markdown table."""
    floor = cases["floor"].median if "floor" in cases and cases["floor"].seconds else None
    rows = ["| case | median | min - max | times the floor |", "|---|---|---|---|"]
    for case in cases.values():
        if case.seconds:
            ratio = f"{case.median / floor:.2f}" if floor else "-"
            rows.append(
                f"| {case.name} | {case.median:.2f} s | {min(case.seconds):.2f} - {max(case.seconds):.2f} s | {ratio} |"
            )
    return "\n".join(rows)


def main() -> None:
    """Boot the hosts, run the cases in turn, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--slow-runs", type=int, default=5, help="runs of the cases that take minutes")
    parser.add_argument("--targets", type=int, default=500, help="targets of the case `many`")
    parser.add_argument("--only", default="", help="cases, separated by commas")
    arguments = parser.parse_args()
    only = set(filter(None, arguments.only.split(",")))
    cases: dict[str, Case] = {}
    with tempfile.TemporaryDirectory() as name, Lab(hosts=arguments.hosts) as lab:
        prepare(lab, Path(name), cases)
        chosen = {key: case for key, case in cases.items() if not only or key in only}
        print(f"{arguments.hosts} hosts, {os.cpu_count()} processors", flush=True)
        for turn in range(-1, arguments.runs):
            for key, case in chosen.items():
                slow = key.startswith(("ansible", "action"))
                if not slow or 0 <= turn < arguments.slow_runs:
                    case.run(counted=turn >= 0)
                    if turn >= 0:
                        print(f"  {key}: {case.seconds[-1]:.2f} s", flush=True)
        if chosen:
            print(table(chosen), flush=True)
        if not only or "fleet" in only:
            print("\n" + library(lab, max(arguments.runs, 1)), flush=True)
    if not only or "many" in only:
        print("\n" + many(arguments.targets, arguments.runs))


if __name__ == "__main__":
    main()
