"""The same work as playbooks: with opslib's tasks, and with Ansible's own modules."""

import json
from pathlib import Path

OPSLIB = [
    ("Service runs", {"opslib.runbook.service": {"unit": "bench", "state": "started", "enabled": True}}),
    ("Disk has room", {"opslib.runbook.disk_usage": {"paths": ["/"], "warn": "94%", "fail": "95%"}}),
    ("Memory is available", {"opslib.runbook.memory_usage": {"warn": "3%", "fail": "2%", "top": 0}}),
    ("Logs are small", {"opslib.runbook.log_size": {"paths": ["/var/log"], "fail": "10G", "open_files": False}}),
    (
        "Rotation is configured",
        {"opslib.runbook.logrotate": {"config": "bench", "paths": ["/var/lib/bench/logs/*.log"]}},
    ),
    (
        "Old logs are gone",
        {"opslib.runbook.log_retention": {"root": "/var/lib/bench/logs", "older_than": "30d", "delete": True}},
    ),
]


def builtin(rotation: str) -> list[tuple[str, dict[str, object]]]:
    """Return the six steps with Ansible's own modules; the rotation file's content is given."""
    return [
        ("Service runs", {"ansible.builtin.systemd_service": {"name": "bench", "state": "started", "enabled": True}}),
        (
            "Disk has room",
            {
                "ansible.builtin.shell": "df -P / | awk 'NR == 2 { print $5 + 0 }'",
                "register": "disk",
                "changed_when": False,
                "failed_when": "disk.stdout | int >= 95",
            },
        ),
        (
            "Memory is available",
            {
                "ansible.builtin.shell": "awk '/MemTotal/ {t=$2} /MemAvailable/ {a=$2} END {print a / t}' /proc/meminfo",
                "register": "memory",
                "changed_when": False,
                "failed_when": "memory.stdout | float < 0.02",
            },
        ),
        (
            "Logs are small",
            {
                "ansible.builtin.shell": "du -sk /var/log | cut -f1",
                "register": "logs",
                "changed_when": False,
                "failed_when": "logs.stdout | int >= 10485760",
            },
        ),
        (
            "Rotation is configured",
            {"ansible.builtin.copy": {"content": rotation, "dest": "/etc/logrotate.d/bench", "mode": "0644"}},
        ),
        (
            "Old logs are gone",
            {"ansible.builtin.find": {"paths": "/var/lib/bench/logs", "patterns": "*.log.*", "age": "30d"}},
        ),
    ]


def write(path: Path, steps: list[tuple[str, dict[str, object]]], rounds: int) -> Path:
    """Write a playbook that does the steps so many times; JSON is YAML."""
    tasks = [{"name": f"{name} {number}", **body} for number in range(rounds) for name, body in steps]
    path.write_text(json.dumps([{"name": "Bench", "hosts": "all", "gather_facts": False, "tasks": tasks}]))
    return path
