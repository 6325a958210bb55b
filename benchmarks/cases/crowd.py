"""Hundreds of targets: as many addresses of one lab host's sshd."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opslib.lab import Lab
from opslib.lab.inventory import ansible_inventory, known_hosts_line

NETWORK = "10.203.128.0/17"
STEPS = [
    ("sshd runs", {"opslib.runbook.service": {"unit": "ssh", "state": "started"}}),
    ("Disk has room", {"opslib.runbook.disk_usage": {"paths": ["/"], "warn": "98%", "fail": "99%"}}),
    ("Memory is available", {"opslib.runbook.memory_usage": {"warn": "1%", "fail": "0%", "top": 0}}),
    ("Logs are small", {"opslib.runbook.log_size": {"paths": ["/var/log"], "fail": "1T", "open_files": False}}),
    ("Old logs", {"opslib.runbook.log_retention": {"root": "/var/log", "older_than": "30d", "delete": True}}),
    ("Ports", {"opslib.runbook.listening_ports": {}}),
]


@contextmanager
def crowd(folder: Path, count: int) -> Iterator[tuple[Path, Path]]:
    """Boot the host; give an inventory with `count` targets, and a playbook of six steps."""
    with Lab(hosts=1) as lab:
        host = lab.hosts[0]
        host.write("/etc/ssh/sshd_config.d/crowd.conf", "MaxStartups 1000\n")
        host.run(["systemctl", "reload", "ssh"])
        host.run(["ip", "route", "add", "local", NETWORK, "dev", "lo"])
        addresses = {f"target{n}": f"10.203.{128 + n // 250}.{n % 250 + 1}" for n in range(count)}
        host_key = lab.known_hosts.read_text().splitlines()[0].partition(" ")[2]
        known = folder / "known_hosts"
        known.write_text("".join(known_hosts_line([address], host_key) for address in addresses.values()))
        inventory = folder / "crowd.yml"
        inventory.write_text(ansible_inventory(addresses, user="root", private_key=lab.private_key, known_hosts=known))
        playbook = folder / "crowd-play.yml"
        play = [{"name": name, **body} for name, body in STEPS]
        playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": play}]))
        subprocess.run(["ip", "route", "add", NETWORK, "via", host.address], check=True)
        try:
            yield inventory, playbook
        finally:
            subprocess.run(["ip", "route", "del", NETWORK, "via", host.address], check=True)
