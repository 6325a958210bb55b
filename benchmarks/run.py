"""Compare opslib with its peers: the same work, on the same hosts, in one run, in turn, in one table.

    make bench                                      # everything on 50 hosts, medians of 5: about 50 minutes
    make bench ARGS="--slow-runs 0"                 # without ansible-playbook, which needs 8 minutes a turn: 8 minutes
    make bench ARGS="--hosts 10 --runs 3 --only floor,opslib-6"

Every case is a process, timed from outside, but for the library's, which time themselves; all but those that take minutes
are warmed up once. Cases take turns, so a change in the machine's speed hits all of them. Read the ratios; the seconds
belong to the machine.

Cases: floor, and for 6 steps and for 30: opslib-6, pyinfra-6, action-6 (ansible-playbook with opslib's tasks), ansible-6;
fleet-first, fleet-again (the library); many (opslib run on --targets targets that are one small host).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "cases"))

import crowd  # noqa: E402 - found through the path above
import plays  # noqa: E402

from opslib.lab import Lab  # noqa: E402

BIN = Path(sys.executable).parent
NAMES = (
    "floor",
    *(f"{kind}-{steps}" for steps in (6, 30) for kind in ("opslib", "pyinfra", "action", "ansible")),
    *("fleet-first", "fleet-again", "many"),
)
UNIT = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"


class Case:
    """A command, how long it took each time, what it said last, and the most memory it had, in KiB.

    slow: takes minutes; timed_within: it prints the seconds that count.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        env: dict[str, str] | None = None,
        *,
        slow: bool = False,
        timed_within: bool = False,
    ) -> None:
        self.name = name
        self.command = command
        self.env = env or {}
        self.slow = slow
        self.timed_within = timed_within
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
            self.seconds.append(float(self.said) if self.timed_within else seconds)
            self.peak = max(self.peak, usage.ru_maxrss)

    @property
    def median(self) -> float:
        """The median in seconds."""
        return statistics.median(self.seconds)


def prepare(lab: Lab, folder: Path) -> dict[str, Case]:
    """Bring every host into the state that the work asks for, so that it finds nothing to change; return the cases."""
    cases: dict[str, Case] = {}
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
            f"ansible-playbook with opslib's tasks, {steps} steps", [*ansible, str(ours)], fast, slow=True
        )
        cases[f"ansible-{steps}"] = Case(f"ansible-playbook, {steps} steps", [*ansible, str(theirs)], fast, slow=True)
    for which, name in (("first", "connects"), ("again", "on open connections")):
        command = [sys.executable, str(HERE / "cases" / "fleet.py"), str(lab.inventory), which]
        cases[f"fleet-{which}"] = Case(f"`fleet.run`, 6 steps, {name}", command, timed_within=True)
    return cases


def many(inventory: Path, playbook: Path, count: int) -> Case:
    """Return the case of one play over hundreds of targets."""
    return Case(
        f"opslib run, 6 steps, {count} targets",
        [str(BIN / "opslib"), "run", str(playbook), "-i", str(inventory), "--engine", "ssh", "--forks", "50"],
    )


def table(cases: Iterable[Case]) -> str:
    """Return the results as a Markdown table; its first row is what the others are compared with."""
    done = [case for case in cases if case.seconds]
    rows = ["| case | median | min - max | times the first | peak memory |", "|---|---|---|---|---|"]
    for case in done:
        spread = f"{min(case.seconds):.2f} - {max(case.seconds):.2f} s"
        ratio = f"{case.median / done[0].median:.2f}"
        rows.append(f"| {case.name} | {case.median:.2f} s | {spread} | {ratio} | {case.peak / 1024:.0f} MiB |")
    return "\n".join(rows)


def main() -> None:
    """Boot the hosts, run the cases in turn, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--slow-runs", type=int, default=5, help="runs of the cases that take minutes; 0: leave them out"
    )
    parser.add_argument("--targets", type=int, default=500, help="targets of the case `many`")
    parser.add_argument("--only", default="", help="cases, separated by commas")
    arguments = parser.parse_args()
    only = list(filter(None, arguments.only.split(","))) or list(NAMES)
    if unknown := [name for name in only if name not in NAMES]:
        parser.error(f"there is no case {', '.join(unknown)}; there are {', '.join(NAMES)}")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cases = {} if only == ["many"] else prepare(stack.enter_context(Lab(hosts=arguments.hosts)), folder)
        if "many" in only:
            cases["many"] = many(*stack.enter_context(crowd.crowd(folder, arguments.targets)), arguments.targets)
        chosen = {name: case for name, case in cases.items() if name in only}
        print(f"{arguments.hosts} hosts, {os.cpu_count()} processors", flush=True)
        for turn in range(-1, max(arguments.runs, arguments.slow_runs)):
            for name, case in chosen.items():
                if turn < (arguments.slow_runs if case.slow else arguments.runs) and not (case.slow and turn < 0):
                    case.run(counted=turn >= 0)
                    if turn >= 0:
                        print(f"  {name}: {case.seconds[-1]:.2f} s", flush=True)
        print(table(chosen.values()), flush=True)


if __name__ == "__main__":
    main()
