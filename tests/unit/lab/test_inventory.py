"""The inventory is what Ansible reads, the ssh configuration what OpenSSH reads."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from opslib.lab.inventory import ansible_inventory, known_hosts_line, ssh_config

ADDRESSES = {"lab1": "10.203.0.2", "lab2": "10.203.0.3"}
KEY, KNOWN = Path("/run/l/id_ed25519"), Path("/run/l/known_hosts")


def test_ansible_inventory() -> None:
    text = ansible_inventory(ADDRESSES, user="ops", private_key=KEY, known_hosts=KNOWN)
    group = yaml.safe_load(text)["lab"]
    assert group["hosts"] == {"lab1": {"ansible_host": "10.203.0.2"}, "lab2": {"ansible_host": "10.203.0.3"}}
    arguments = group["vars"].pop("ansible_ssh_common_args")
    assert "-o UserKnownHostsFile=/run/l/known_hosts" in arguments
    assert "-o StrictHostKeyChecking=yes" in arguments
    assert group["vars"] == {
        "ansible_user": "ops",
        "ansible_ssh_private_key_file": "/run/l/id_ed25519",
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def test_odd_values_stay_values() -> None:
    odd = 'a"b: {c}\n#'
    assert (
        yaml.safe_load(ansible_inventory(ADDRESSES, user=odd, private_key=KEY, known_hosts=KNOWN))["lab"]["vars"][
            "ansible_user"
        ]
        == odd
    )


def test_ssh_config_as_openssh_reads_it(tmp_path: Path) -> None:
    if shutil.which("ssh") is None:
        pytest.skip("ssh is not installed: run `apt-get install openssh-client`")
    path = tmp_path / "config"
    path.write_text(ssh_config(ADDRESSES, user="ops", private_key=KEY, known_hosts=KNOWN))
    read = subprocess.run(["ssh", "-G", "-F", path, "lab2"], capture_output=True, text=True, check=True).stdout
    lines = read.splitlines()
    assert "hostname 10.203.0.3" in lines
    assert "user ops" in lines
    assert "identityfile /run/l/id_ed25519" in lines
    assert "userknownhostsfile /run/l/known_hosts" in lines
    assert "stricthostkeychecking true" in lines


def test_known_hosts_line() -> None:
    assert known_hosts_line(["10.203.0.2", "lab1"], "ssh-ed25519 AAAA") == "10.203.0.2,lab1 ssh-ed25519 AAAA\n"
