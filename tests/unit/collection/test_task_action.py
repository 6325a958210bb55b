"""The action plugins under stock ansible-playbook, on this machine, with nothing configured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from opslib.engines import environment

PLAY = """\
- hosts: all
  gather_facts: false
  vars:
    quoted: "{{ 1 + 1 }}"
    hidden: !vault |
VAULT
  tasks:
    - module_defaults:
        group/opslib.runbook.all: {warn: "99%"}
      block:
        - name: plain
          opslib.runbook.disk_usage: {paths: ["/"], fail: "100%"}
          register: plain
        - name: short name, templated values, a loop
          opslib.runbook.disk_usage: {paths: "{{ [item] }}", fail: "100%", timeout: "{{ quoted | int }}"}
          loop: ["/", "/nonexistent"]
          ignore_errors: true
          register: looped
        - name: contradicts the default of the group
          opslib.runbook.disk_usage: {paths: ["/"], fail: "98%"}
          ignore_errors: true
          register: strict
        - name: wrong parameter
          opslib.runbook.disk_usage: {path: "/"}
          ignore_errors: true
          register: wrong
        - name: asynchronous
          opslib.runbook.disk_usage: {paths: ["/"]}
          async: 20
          poll: 0
          ignore_errors: true
          register: asynchronous
    - name: check
      opslib.runbook.log_retention: &logs {root: "ROOT", older_than: 1d, patterns: ["*.log.1"], delete: true}
      check_mode: true
      diff: true
      register: check
    - name: still there
      ansible.builtin.stat: {path: "ROOT/app.log.1"}
      vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
      register: still
    - name: change
      opslib.runbook.log_retention: *logs
      register: change
    - name: again
      opslib.runbook.log_retention: *logs
      register: again
    - name: hidden
      opslib.runbook.log_retention: {root: "ROOT/{{ hidden }}", delete: true}
      ignore_errors: true
      register: vaulted
    - name: secret alone
      opslib.runbook.log_size: {paths: ["ROOT"], fail: "{{ hidden }}"}
      ignore_errors: true
      register: vaulted_alone
    - name: too long
      opslib.runbook.http_check: {url: "http://127.0.0.1:1/", wait: 60}
      timeout: 2
      ignore_errors: true
      register: late
    - name: results
      ansible.builtin.copy:
        content: "{{ dict(names | zip(query('ansible.builtin.vars', *names))) | to_json }}"
        dest: "ROOT/results.json"
      vars:
        ansible_python_interpreter: "{{ ansible_playbook_python }}"
        names: [plain, strict, looped, wrong, asynchronous, check, still, change, again, vaulted, vaulted_alone, late]
"""


def ansible_playbook(
    folder: Path, text: str, *options: str, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a playbook on this machine as its user would, from some other folder."""
    book = folder / "site.yml"
    book.write_text(text)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    library = folder / "lib"
    paths = [str(library), str(Path(__file__).parents[3])] if library.exists() else environment.offer_collection(folder)
    return subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            "--inventory=here,",
            "-e",
            "ansible_connection=local",
            *options,
            book,
        ],
        env={
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONDONTWRITEBYTECODE": "1",
            **(environ or {}),
        },
        cwd=elsewhere,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the registered results of one long play, and what it printed."""
    from ansible.constants import DEFAULT_VAULT_IDENTITY
    from ansible.parsing.vault import VaultLib, VaultSecret

    folder = tmp_path_factory.mktemp("collection")
    old = folder / "app.log.1"
    old.write_text("x" * 5000)
    os.utime(old, (time.time() - 9e6,) * 2)
    secret = VaultSecret(b"password")
    (folder / "password").write_text("password")
    vaulted = VaultLib([(DEFAULT_VAULT_IDENTITY, secret)]).encrypt("canary-vaulted", secret).decode()
    text = PLAY.replace("ROOT", str(folder)).replace(
        "VAULT", "".join(f"      {line}\n" for line in vaulted.splitlines()).rstrip()
    )
    done = ansible_playbook(folder, text, f"--vault-password-file={folder}/password", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    results: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return {**results, "output": done.stdout + done.stderr, "folder": folder}


def test_result(told: dict[str, Any]) -> None:
    plain = told["plain"]
    assert (plain["changed"], plain["failed"]) == (False, False)
    assert plain["data"]["mounts"][0]["mount"] == "/"
    assert plain["reason"] == plain["opslib"]["reason"] != ""
    assert plain["opslib"]["status"] == "ok"
    assert "diff" not in plain


def test_action_group_gives_defaults(told: dict[str, Any]) -> None:
    assert told["strict"]["failed"] is True
    assert told["strict"]["msg"].startswith("disk_usage: warn 99% must be below fail 98%")


def test_loop_and_templates(told: dict[str, Any]) -> None:
    good, bad = told["looped"]["results"]
    assert good["failed"] is False
    assert bad["failed"] is True
    assert bad["msg"] == "/nonexistent does not exist"


def test_wrong_parameter(told: dict[str, Any]) -> None:
    assert told["wrong"]["failed"] is True
    assert told["wrong"]["msg"].startswith("disk_usage has no parameter 'path'; it has paths, ")


def test_async_is_refused(told: dict[str, Any]) -> None:
    assert told["asynchronous"]["failed"] is True
    assert "does not run with 'async'; its time is limited by 'timeout'" in told["asynchronous"]["msg"]


def test_check_mode_and_diff(told: dict[str, Any]) -> None:
    assert told["check"]["changed"] is True
    assert told["check"]["diff"]
    assert told["still"]["stat"]["exists"] is True


def test_change_and_no_change(told: dict[str, Any]) -> None:
    assert told["change"]["changed"] is True
    assert "diff" not in told["change"]
    assert told["again"]["changed"] is False
    assert not (told["folder"] / "app.log.1").exists()


def test_vaulted_value_is_not_shown(told: dict[str, Any]) -> None:
    """By itself it is known to be secret; inside other text Ansible forgets where it came from."""
    assert told["vaulted_alone"]["failed"] is True
    assert "***" in told["vaulted_alone"]["msg"]
    assert "canary-vaulted" not in json.dumps(told["vaulted_alone"])


def test_timeout_of_the_task(told: dict[str, Any]) -> None:
    assert told["late"]["failed"] is True
    assert "imed out" in told["late"]["msg"] or "time for this host was up" in told["late"]["msg"]


def test_pipelining_makes_no_difference(tmp_path: Path) -> None:
    text = '- hosts: all\n  gather_facts: false\n  tasks: [{opslib.runbook.disk_usage: {paths: ["/"], fail: "100%"}}]\n'
    for pipelining in ("True", "False"):
        done = ansible_playbook(tmp_path, text, "-vvv", environ={"ANSIBLE_PIPELINING": pipelining})
        assert done.returncode == 0, done.stdout
        assert done.stdout.count("EXEC ") == 1  # one exec, no temporary folder
        assert "PUT " not in done.stdout


@pytest.mark.skipif(os.getuid() != 0, reason="su asks for a password unless root runs it")
def test_become_without_standard_input(tmp_path: Path) -> None:
    """su needs a terminal, so that the payload goes through a file; it is gone afterwards."""
    text = """\
- hosts: all
  gather_facts: false
  tasks:
    - opslib.runbook.disk_usage: {paths: ["/"], fail: "100%"}
      become: true
      become_method: su
      become_user: nobody
      become_flags: "-s /bin/sh"
"""
    tmp_path.chmod(0o755)
    remote = {
        "ANSIBLE_REMOTE_TMP": f"{tmp_path}/remote",
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_SHELL_ALLOW_WORLD_READABLE_TEMP": "True",
    }
    done = ansible_playbook(tmp_path, text, "-vvv", environ=remote)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "% full" in done.stdout
    assert "PUT " in done.stdout
    assert not [path for path in Path(tmp_path, "remote").rglob("*") if path.is_file()]


def test_opslib_missing_for_ansible(tmp_path: Path) -> None:
    """The collection may be found by an Ansible whose Python has no opslib: it says so."""
    library = next(iter(environment.offer_collection(tmp_path)), "")
    broken = tmp_path / "broken" / "opslib"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('there is no opslib here')")
    text = "- hosts: all\n  gather_facts: false\n  tasks: [{opslib.runbook.disk_usage: {}}]\n"
    paths = os.pathsep.join(filter(None, [library, str(broken.parent)]))
    done = ansible_playbook(tmp_path, text, environ={"PYTHONPATH": paths})
    assert done.returncode == 2
    assert "opslib is not installed for the Python that runs Ansible: there is no opslib here" in done.stdout
