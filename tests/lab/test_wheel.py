"""The built wheel in an empty environment, used from an empty folder: nothing needs to be configured."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from opslib import tasks
from opslib.lab import Lab, LabHost
from support import site

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = """
- name: Logs are rotated, and the site is restarted where that changed something
  hosts: all
  become: true
  gather_facts: true
  handlers:
    - name: Restart the site
      opslib.runbook.service:
        unit: site
        state: restarted
        settle: 0.5
  tasks:
    - name: A line of my own is in place
      ansible.builtin.copy:
        dest: /etc/site.conf
        content: "{{ ansible_facts['distribution'] }}\\n"
        mode: "0644"
      notify: Restart the site
    - name: The site runs
      opslib.runbook.service:
        unit: site
        state: started
        enabled: true
      register: site
    - name: What the task found can be used
      ansible.builtin.assert:
        that: site.data.active_state == "active"
    - name: The monthly maintenance is done
      ansible.builtin.import_role:
        name: opslib.runbook.maintenance
        tasks_from: monthly
"""


class Environment:
    """A virtual environment with nothing but the wheel and what it needs, and an empty folder to work in."""

    def __init__(self, folder: Path) -> None:
        self.wheel = next((folder / "dist").glob("*.whl"))
        self.bin = folder / "venv" / "bin"
        self.work = folder / "work"
        self.work.mkdir()

    def run(self, program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in the empty folder, with an environment as bare as cron's."""
        return subprocess.run(
            [str(self.bin / program), *map(str, arguments)],
            cwd=self.work,
            env={"HOME": str(self.work), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel, built from this checkout and installed."""
    folder = tmp_path_factory.mktemp("installed")
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def call(*argv: object) -> None:
        done = subprocess.run(list(map(str, argv)), env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    call(sys.executable, "-m", "venv", folder / "venv")
    pip = folder / "venv" / "bin" / "pip"
    call(pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", folder / "dist", ROOT)
    call(pip, "install", "--quiet", *(folder / "dist").glob("*.whl"))
    return Environment(folder)


@pytest.fixture
def hosts(lab: Lab) -> Iterator[Sequence[LabHost]]:
    hosts = lab.hosts[:2]
    for host in hosts:
        site.prepare(host)
    yield hosts
    for host in hosts:
        host.reset()


@pytest.fixture
def inventory(lab: Lab, hosts: Sequence[LabHost], tmp_path: Path) -> Path:
    return site.inventory(lab, tmp_path / "inventory.yml", hosts)


def good(done: subprocess.CompletedProcess[str]) -> str:
    """Return the output of a program that ended well."""
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_is_in_the_wheel(installed: Environment) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"opslib", "ansible_collections"}
    collection = "ansible_collections/opslib/runbook"
    wanted = ["playbooks/weekly.yml", "roles/service/meta/argument_specs.yml", "roles/service/tests/test_restart.py"]
    assert {f"{collection}/{name}" for name in wanted} | {"opslib/py.typed"} <= set(names)
    assert [name for name in names if name.endswith(".pyc") or "/." in name] == []
    assert good(installed.run("pip", "check")).strip() == "No broken requirements found."


def test_list_and_documentation(installed: Environment) -> None:
    listed = good(installed.run("opslib", "list"))
    for word in ("maintenance:weekly", "service:restart", "log_retention"):
        assert word in listed
    names = [f"opslib.runbook.{task}" for task in tasks.names()]
    assert good(installed.run("ansible-doc", *names)).count("OPTIONS") == len(names)
    shown = good(installed.run("ansible-doc", "--type", "role", "opslib.runbook.service"))
    assert "Restart a service and watch it prove itself" in shown
    assert "service_reset_failed" in shown


def test_playbook_of_the_collection(installed: Environment, inventory: Path) -> None:
    for engine in ("auto", "ansible"):
        done = installed.run("opslib", "run", "opslib.runbook.weekly", "-i", inventory, "--engine", engine)
        assert "2 hosts: 2 ok" in good(done)
    recap = good(installed.run("ansible-playbook", "opslib.runbook.weekly", "-i", inventory))
    assert recap.count("failed=0") == 2
    assert recap.count("changed=0") == 2
    assert "Health endpoints answer" in recap
    good(installed.run("opslib", "verify", "maintenance:weekly", "-i", inventory))


def main_pid(host: LabHost) -> str:
    return host.run(["systemctl", "show", "-p", "MainPID", "site"]).stdout


def test_playbook_of_the_user(installed: Environment, hosts: Sequence[LabHost], inventory: Path) -> None:
    """Tasks and roles of ours beside Ansible's own, by stock ansible-playbook."""
    playbook = installed.work / "mine.yml"
    playbook.write_text(PLAYBOOK)
    before = main_pid(hosts[0])
    done = installed.run("ansible-playbook", playbook, "-i", inventory)
    good(done)
    assert "unsafe" not in done.stderr
    assert hosts[0].read("/etc/site.conf") == "Debian\n"
    assert hosts[0].run(["systemctl", "is-enabled", "site"]).stdout == "enabled\n"
    assert main_pid(hosts[0]) != before
    good(installed.run("opslib", "verify", "maintenance", "-i", inventory))
    before = main_pid(hosts[0])
    assert good(installed.run("ansible-playbook", playbook, "-i", inventory)).count("changed=0") == 2
    assert main_pid(hosts[0]) == before


def test_playbook_of_the_user_through_opslib(installed: Environment, hosts: Sequence[LabHost], inventory: Path) -> None:
    playbook = installed.work / "mine.yml"
    playbook.write_text(PLAYBOOK)
    before = main_pid(hosts[0])
    done = installed.run("opslib", "run", playbook, "-i", inventory, "--check")
    assert "2 hosts: 2 would change" in good(done)
    assert "goes to ansible-runner, because" in done.stderr
    assert hosts[0].run(["ls", "/etc/logrotate.d/site", "/etc/site.conf"], check=False).stdout == ""
    assert main_pid(hosts[0]) == before
    assert "2 hosts: 2 changed" in good(installed.run("opslib", "run", playbook, "-i", inventory))
    assert hosts[1].read("/etc/site.conf") == "Debian\n"
    assert main_pid(hosts[0]) != before
