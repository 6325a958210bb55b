"""The same deployment as playbooks: with opslib's role, and with Ansible's own modules; JSON is YAML."""

import json
from pathlib import Path

FOLDER, VENV = "{{ folder }}", "{{ folder }}/venv"
HEALTH = "http://127.0.0.1:8000/health/detailed"

OPSLIB = {
    "name": "The release is deployed and works",
    "opslib.runbook.deploy": {
        "app": "ai-cost-dashboard",
        "path": FOLDER,
        "strategy": "in_place",
        "repository": "{{ remote }}",
        "ref": "{{ ref }}",
        "unit": "ai-cost-dashboard",
        "port": 8000,
        "http": {"url": HEALTH, "json": {"status": "healthy"}},
        "settle": 0,
        "env_file": "{{ env_file }}",
        "migrate": ["python", "-m", "dashboard.migrate"],
    },
}

# What the role does, as far as these modules can: no way back, no lock, nothing that watches.
BUILTIN = [
    {
        "name": "The commit is known",
        "ansible.builtin.command": {"argv": ["git", "ls-remote", "{{ remote }}", "refs/tags/{{ ref }}"]},
        "register": "resolved",
        "changed_when": False,
    },
    {
        "name": "The checkout is clean",
        "ansible.builtin.command": {
            "argv": ["git", "-C", FOLDER, "status", "--porcelain", "--untracked-files=no"],
        },
        "register": "dirty",
        "changed_when": False,
        "failed_when": "dirty.stdout | length > 0",
    },
    {
        "name": "The commit in place is known",
        "ansible.builtin.command": {"argv": ["git", "-C", FOLDER, "rev-parse", "HEAD"]},
        "register": "head",
        "changed_when": False,
    },
    {
        "name": "The release is deployed",
        "when": "head.stdout not in resolved.stdout",
        "block": [
            {
                "name": "A copy of the environment is kept",
                "ansible.builtin.command": {"argv": ["cp", "-a", VENV, VENV + ".before"]},
            },
            {
                "name": "The code is there",
                "ansible.builtin.git": {"repo": "{{ remote }}", "dest": FOLDER, "version": "{{ ref }}"},
            },
            {
                "name": "The packages are there",
                "ansible.builtin.command": {  # the module pip wants more of Python on the host than Debian's has
                    "argv": [VENV + "/bin/python", "-m", "pip", "install", "-q", "-r", FOLDER + "/requirements.txt"],
                },
            },
            {
                "name": "The packages fit together",
                "ansible.builtin.command": {"argv": [VENV + "/bin/python", "-m", "pip", "check"]},
                "changed_when": False,
            },
            {
                "name": "The packages are known",
                "ansible.builtin.command": {"argv": [VENV + "/bin/python", "-m", "pip", "freeze", "--all"]},
                "register": "frozen",
                "changed_when": False,
            },
            {
                "name": "The schema is up to date",
                "ansible.builtin.shell": {
                    "cmd": "set -a; . {{ env_file }}; exec venv/bin/python -m dashboard.migrate",
                    "chdir": FOLDER,
                },
            },
            {
                "name": "The service is restarted",
                "ansible.builtin.systemd_service": {"name": "ai-cost-dashboard", "state": "restarted"},
            },
            {
                "name": "The release is recorded",
                "ansible.builtin.copy": {
                    "content": "{{ resolved.stdout }}\n{{ frozen.stdout }}\n",
                    "dest": "/var/lib/ai-cost-dashboard.release",
                    "mode": "0640",
                },
            },
        ],
    },
    {
        "name": "The service answers",
        "ansible.builtin.uri": {"url": HEALTH, "return_content": True},
        "register": "answer",
        "until": "answer.status == 200 and answer.json.status == 'healthy'",
        "retries": 60,
        "delay": 1,
    },
]


def write(path: Path, tasks: list[dict[str, object]], variables: dict[str, str]) -> Path:
    """Write a playbook of these tasks."""
    play = {"name": "Deploy", "hosts": "all", "gather_facts": False, "vars": variables, "tasks": tasks}
    path.write_text(json.dumps([play]))
    return path
