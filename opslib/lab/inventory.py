"""The files by which programs find a lab's hosts: Ansible inventory, OpenSSH configuration, known hosts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

__all__ = ["ansible_inventory", "known_hosts_line", "ssh_config"]


def ansible_inventory(addresses: Mapping[str, str], *, user: str, private_key: Path, known_hosts: Path) -> str:
    """Write an Ansible inventory in YAML with the hosts (name to address) in the group `lab`."""
    options = _options(known_hosts)
    variables = {
        "ansible_user": user,
        "ansible_ssh_private_key_file": str(private_key),
        "ansible_ssh_common_args": " ".join(f"-o {name}={value}" for name, value in options.items()),
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    lines = ["lab:", "  hosts:"]
    for name, address in addresses.items():
        lines += [f"    {name}:", f"      ansible_host: {address}"]
    # A JSON string is a YAML string, whatever is in it.
    lines += ["  vars:", *(f"    {name}: {json.dumps(value)}" for name, value in variables.items()), ""]
    return "\n".join(lines)


def ssh_config(addresses: Mapping[str, str], *, user: str, private_key: Path, known_hosts: Path) -> str:
    """Write a configuration for `ssh -F`: `ssh -F FILE lab1`."""
    options = {"User": user, "IdentityFile": str(private_key), **_options(known_hosts)}
    blocks = [f"Host {name}\n  HostName {address}\n" for name, address in addresses.items()]
    return "".join([*blocks, "Host *\n", *(f"  {name} {value}\n" for name, value in options.items())])


def known_hosts_line(names: Iterable[str], host_key: str) -> str:
    """One line of a known_hosts file (sshd(8))."""
    return f"{','.join(names)} {host_key}\n"


def _options(known_hosts: Path) -> dict[str, str]:
    return {
        "UserKnownHostsFile": str(known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "IdentitiesOnly": "yes",
    }
