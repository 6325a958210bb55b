"""The environment of ansible-playbook: the caller's, but for what it must not get."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from opslib.engines import environment, guard

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
    "AWS_SECRET_ACCESS_KEY": "canary" * 20000,
    "DEPLOY_TOKEN": "token",
    "ODD": "\udcff",
    "JOB_ID": "7",
    "RUNNER_OMIT_EVENTS": "true",
}


def test_the_caller_s_but_for_what_would_change_how_it_talks_to_us(tmp_path: Path) -> None:
    made = environment.make(tmp_path, own=OWN)
    assert {name for name in OWN if made.get(name) != OWN[name]} == {
        "ANSIBLE_ASK_PASS",
        "ANSIBLE_HOST_KEY_CHECKING",
        "ANSIBLE_STDOUT_CALLBACK",
        "JOB_ID",
        "PATH",
        "RUNNER_OMIT_EVENTS",
    }
    assert not {"JOB_ID", "ANSIBLE_STDOUT_CALLBACK", "RUNNER_OMIT_EVENTS"} & set(made)
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


def test_guard_hands_it_over_and_no_file_has_it(tmp_path: Path) -> None:
    """However long the folder's name; and nobody answers once the run is over."""
    folder = tmp_path / ("x" * 200)
    folder.mkdir()
    words = [sys.executable, "-ISB", guard.__file__, str(os.getpid()), str(folder), "/usr/bin/env", "-0"]
    made = environment.make(tmp_path, own=OWN)
    with environment.offered(folder, made):
        told = subprocess.run(words, env={}, check=True, capture_output=True).stdout
        assert b"canary" not in b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    pairs = [pair.partition("=") for pair in os.fsdecode(told).split("\0") if pair]
    assert {name: value for name, _is, value in pairs} == made
    assert subprocess.run(words, env={}, check=False, capture_output=True).returncode == 127


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
