"""The environment of ansible-playbook: what it gets, and what it must not get."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from opslib.engines import environment
from opslib.errors import UsageError

OWN = {
    "HOME": "/home/someone",
    "PATH": "/usr/bin",
    "LANG": "de_DE.UTF-8",
    "LC_TIME": "C",
    "SSH_AUTH_SOCK": "/run/agent",
    "ANSIBLE_CONFIG": "/srv/ansible.cfg",
    "ANSIBLE_ROLES_PATH": "/srv/roles",
    "ANSIBLE_STDOUT_CALLBACK": "json",
    "ANSIBLE_ASK_PASS": "True",
    "ANSIBLE_HOST_KEY_CHECKING": "False",
    "AWS_SECRET_ACCESS_KEY": "canary",
    "GOOGLE_APPLICATION_CREDENTIALS": "canary",
    "VAULT_TOKEN": "canary",
    "JOB_ID": "7",
    "AD_HOC_COMMAND_ID": "7",
    "LD_PRELOAD": "canary",
}


def test_only_what_is_needed(tmp_path: Path) -> None:
    made = environment.make(tmp_path, own=OWN)
    assert "canary" not in made.values()
    assert not {"JOB_ID", "AD_HOC_COMMAND_ID", "ANSIBLE_STDOUT_CALLBACK"} & set(made)
    assert made["SSH_AUTH_SOCK"] == "/run/agent"
    assert made["ANSIBLE_CONFIG"] == "/srv/ansible.cfg"
    assert made["LC_TIME"] == "C"
    assert "LC_ALL" not in made


def test_never_asks_and_checks_host_keys(tmp_path: Path) -> None:
    made = environment.make(tmp_path, own=OWN)
    assert made["ANSIBLE_ASK_PASS"] == made["ANSIBLE_BECOME_ASK_PASS"] == "False"
    assert made["ANSIBLE_HOST_KEY_CHECKING"] == "True"


def test_our_programs_come_first(tmp_path: Path) -> None:
    made = environment.make(tmp_path, own=OWN)
    assert made["PATH"].split(os.pathsep) == [str(Path(sys.executable).parent), "/usr/bin"]


@pytest.mark.parametrize(
    "lang", [{}, {"LANG": "C"}, {"LANG": "en_US.ISO-8859-1"}, {"LC_ALL": "POSIX", "LANG": "C.UTF-8"}]
)
def test_locale_is_utf8(tmp_path: Path, lang: dict[str, str]) -> None:
    assert environment.make(tmp_path, own=lang)["LC_ALL"] == "C.UTF-8"


def test_more_by_name(tmp_path: Path) -> None:
    made = environment.make(tmp_path, own=OWN, names=["VAULT_TOKEN", "UNSET"])
    assert made["VAULT_TOKEN"] == "canary"
    assert "UNSET" not in made


@pytest.mark.parametrize("name", ["", "A=B", "A\0B"])
def test_bad_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no name of an environment variable"):
        environment.make(tmp_path, own=OWN, names=[name])


def test_value_that_is_not_utf8_is_left_out(tmp_path: Path) -> None:
    assert "LC_TIME" not in environment.make(tmp_path, own={"LC_TIME": "\udcff"})


def test_checkout_offers_its_own_collection(tmp_path: Path) -> None:
    """The module is asked where it stands in a checkout; installed, it has nothing to offer."""
    checkout = Path(__file__).parents[3]
    code = "import json, pathlib, sys; from opslib.engines import environment as e; "
    code += "print(json.dumps(e.offer_collection(pathlib.Path(sys.argv[1]))))"
    words = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(words, cwd=checkout, capture_output=True, text=True, check=True)
    library, root = json.loads(done.stdout)
    offered = Path(library, "ansible_collections", "opslib", "runbook")
    assert (offered / "plugins" / "action" / "disk_usage.py").is_file()
    assert (offered / "meta" / "runtime.yml").is_file()
    assert Path(root, "opslib", "__init__.py").is_file()
