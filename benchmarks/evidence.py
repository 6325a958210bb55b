"""Evidence bundles from many hosts: the task `diagnose` against the same looks by ssh and by ansible-playbook, in turn.

    python benchmarks/evidence.py                            # 20 hosts, medians of 3
    python benchmarks/evidence.py --hosts 2 --runs 1 --only task,ssh

Cases: `task`, one round trip per host, a private archive with a summary on each; `ssh`, what a runbook has one type
(state, journal, log tail, processes, ports, disks, memory, packed by tar), one ssh per host, all at once; `ansible`, the
same commands as tasks of builtin modules. Only the first judges what it sees, counts error patterns, compares
environments and masks secrets. Each host has a service and a log of some megabytes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from opslib import Fleet, Target, tasks
from opslib.lab import Lab

UNIT = "[Service]\nEnvironment=API_KEY=bench-secret-value\nExecStart=/bin/sleep infinity\n"
COMMANDS = (
    "systemctl status --no-pager app",
    "journalctl --no-pager -n 200 -u app",
    "tail -n 200 /srv/app/app.log",
    "grep ERROR /srv/app/app.log | tail -n 50",
    "ps aux",
    "ss -tlnp",
    "df -h",
    "free -h",
    "tail -n 100 /var/log/dpkg.log",
    "journalctl -k --no-pager -n 200",
)
BIN = Path(sys.executable).parent


def prepare(lab: Lab, megabytes: int) -> None:
    """Give every host a service and a log that ends now."""
    now = time.time()
    count = megabytes * (1 << 20) // 100
    lines = []
    for number in range(count):
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now - (count - number) * 0.2))
        level = "ERROR" if number % 50 == 0 else "INFO"
        lines.append(
            f"{stamp} {level} app.api request {number:09d} of user 10.1.2.3 took 12 ms status=200 padding={'x' * 10}\n"
        )
    text = "".join(lines)
    for host in lab.hosts:
        host.write("/etc/systemd/system/app.service", UNIT)
        host.write("/srv/app/app.log", text)
        host.run(["systemctl", "daemon-reload"])
        host.run(["systemctl", "start", "app"])


def by_task(lab: Lab) -> None:
    """Write a bundle on every host."""
    targets = [
        Target(
            name=host.name,
            address=host.address,
            user="root",
            identity_files=[str(lab.private_key)],
            known_hosts=[str(lab.known_hosts)],
        )
        for host in lab.hosts
    ]
    with Fleet(targets) as fleet:
        report = fleet.run([tasks.diagnose(unit="app", logs=["/srv/app"], required=["API_KEY"])])
    report.raise_for_failures()
    for host in report.hosts.values():
        (step,) = host.steps
        if not step.data["bundle"] or step.data["errors"]["count"] < 1:
            sys.exit(f"task: {host.name} has no proper bundle")


def by_ssh(lab: Lab) -> None:
    """Run the commands on all hosts at once and pack what they said."""
    looks = "; ".join(f"({command}) > $d/{number}.txt 2>&1" for number, command in enumerate(COMMANDS))
    script = f"umask 077; d=$(mktemp -d); {looks}; tar -czf /root/evidence.tar.gz -C $d .; rm -r $d"

    def one(name: str) -> None:
        subprocess.run(["ssh", "-F", str(lab.ssh_config), name, script], check=True, capture_output=True)

    with ThreadPoolExecutor(len(lab.hosts)) as pool:
        list(pool.map(one, [host.name for host in lab.hosts]))


def by_ansible(lab: Lab) -> None:
    """Run the commands as tasks of a playbook and pack what they said."""
    looks = [
        f"    - ansible.builtin.shell: '({command}) > /root/evidence/{n}.txt 2>&1 || true'"
        for n, command in enumerate(COMMANDS)
    ]
    play = [
        "- hosts: all",
        "  gather_facts: false",
        "  tasks:",
        "    - ansible.builtin.file: {path: /root/evidence, state: directory, mode: '0700'}",
        *looks,
        "    - ansible.builtin.command: tar -czf /root/evidence.tar.gz -C /root/evidence .",
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "play.yml"
        path.write_text("\n".join(play) + "\n")
        environment = {**os.environ, "ANSIBLE_PIPELINING": "1", "ANSIBLE_FORKS": str(len(lab.hosts))}
        command = [str(BIN / "ansible-playbook"), "-i", str(lab.inventory), "-u", "root", str(path)]
        subprocess.run(command, check=True, capture_output=True, env=environment)


def main() -> None:
    """Run the cases in turn and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--log", type=int, default=20, help="megabytes of log on each host")
    parser.add_argument("--only", default="", help="cases, separated by commas")
    given = parser.parse_args()
    cases: dict[str, Callable[[Lab], None]] = {"task": by_task, "ssh": by_ssh, "ansible": by_ansible}
    chosen = {name: case for name, case in cases.items() if not given.only or name in given.only.split(",")}
    seconds: dict[str, list[float]] = {name: [] for name in chosen}
    with Lab(hosts=given.hosts, disk="512M") as lab:
        prepare(lab, given.log)
        for number in range(given.runs + 1):  # the first is a warm-up
            for name, case in chosen.items():
                began = time.perf_counter()
                case(lab)
                if number:
                    seconds[name].append(time.perf_counter() - began)
    first = statistics.median(next(iter(seconds.values())))
    for name, found in seconds.items():
        median = statistics.median(found)
        print(f"{name:10} {median:8.2f} s  {median / first:6.2f} x", flush=True)


if __name__ == "__main__":
    main()
