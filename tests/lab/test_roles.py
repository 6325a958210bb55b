"""The roles and playbooks on real hosts, through both engines, verified by the roles' own suites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

import opslib
from opslib import Report, Status
from opslib.lab import Lab, LabHost
from opslib.verify import verify
from support import site
from support.looks import fingerprint
from support.witness import Witnesses

ENGINES = ("ssh", "ansible")


@pytest.fixture
def hosts(lab: Lab) -> Iterator[Sequence[LabHost]]:
    """Two hosts with an application."""
    hosts = lab.hosts[:2]
    for host in hosts:
        site.prepare(host)
    yield hosts
    for host in hosts:
        host.reset()


@pytest.fixture
def inventory(lab: Lab, hosts: Sequence[LabHost], tmp_path: Path) -> Path:
    return site.inventory(lab, tmp_path / "inventory.yml", hosts)


class Run(Protocol):
    """Runs a playbook of opslib on both hosts."""

    def __call__(self, playbook: str, *, check: bool = False, **extra_vars: Any) -> Report: ...


@pytest.fixture(params=ENGINES)
def run(request: pytest.FixtureRequest, inventory: Path) -> Run:
    def run_one(playbook: str, *, check: bool = False, **extra_vars: Any) -> Report:
        report = opslib.run_playbook(
            f"opslib.runbook.{playbook}", inventory, check=check, engine=request.param, extra_vars=extra_vars
        )
        assert report.engine == request.param
        return report

    return run_one


def statuses(report: Report) -> list[Status]:
    """Return how the hosts ended."""
    return [host.status for host in report.hosts.values()]


def looks(hosts: Sequence[LabHost]) -> list[Any]:
    return [fingerprint(host) for host in hosts]


def test_daily_and_weekly_change_nothing(hosts: Sequence[LabHost], inventory: Path, run: Run) -> None:
    before = looks(hosts)
    for playbook in ("daily", "weekly"):
        report = run(playbook)
        report.raise_for_failures()
        assert statuses(report) == [Status.OK, Status.OK]
    assert verify("maintenance:weekly", inventory) == 0
    tasks = [step.task for step in report.hosts["lab1"].steps if step.status is Status.OK]
    daily = ["service", "http_check", "disk_usage", "memory_usage", "checklist"]
    assert tasks[1:] == ["log_size", "os_packages", "login_audit", *daily]
    # Without root, as far as can be seen: what cannot be is told, and keeps no other check from being made.
    report = run("weekly", ansible_user="nosudo", ansible_become=False, maintenance_log_paths=["/srv/logs/*"])
    report.raise_for_failures()
    (audit,) = [step for step in report.hosts["lab1"].steps if step.task == "login_audit"]
    assert "who logged in is not known" in audit.warnings[0]
    assert [step.task for step in report.hosts["lab1"].steps if step.status is Status.OK] == tasks
    assert looks(hosts) == before


def test_daily_tells_of_a_broken_host(hosts: Sequence[LabHost], inventory: Path, run: Run) -> None:
    hosts[1].run(["systemctl", "kill", "--signal=KILL", "site"])
    report = run("daily")
    assert statuses(report) == [Status.OK, Status.FAILED]
    assert report.exit_code == 2
    assert "site.service failed: its process was killed by signal 9" in str(report.hosts["lab2"].failure)
    told: list[str] = []
    assert verify("maintenance:daily", inventory, on_output=told.append) == 2
    assert "E   AssertionError: site is failed (failed)" in told


def test_monthly(hosts: Sequence[LabHost], inventory: Path, run: Run, witness: Witnesses) -> None:
    before = looks(hosts)
    planned = run("monthly", check=True)
    planned.raise_for_failures()
    assert statuses(planned) == [Status.CHANGED, Status.CHANGED]
    assert looks(hosts) == before
    assert verify("maintenance:monthly", inventory) == 2
    done = run("monthly")
    done.raise_for_failures()
    assert statuses(done) == [Status.CHANGED, Status.CHANGED]
    assert verify("maintenance", inventory) == 0
    for host in hosts:
        assert not witness(host).file("/srv/logs/site.log.1").exists
        assert witness(host).check_output("tar -xOzf /var/backups/logs/logs-*.tar.gz") == "old"
        assert "rotate 7" in witness(host).file("/etc/logrotate.d/site").content_string
    again = run("monthly")
    again.raise_for_failures()
    assert statuses(again) == [Status.OK, Status.OK]


def pids(hosts: Sequence[LabHost]) -> list[str]:
    return [host.run(["systemctl", "show", "--value", "-p", "MainPID", "site"]).stdout for host in hosts]


def test_restart_service(hosts: Sequence[LabHost], inventory: Path, run: Run) -> None:
    before, running = looks(hosts), pids(hosts)
    planned = run("restart_service", check=True)
    planned.raise_for_failures()
    assert statuses(planned) == [Status.CHANGED, Status.CHANGED]
    assert looks(hosts) == before
    done = run("restart_service")
    done.raise_for_failures()
    assert statuses(done) == [Status.CHANGED, Status.CHANGED]
    assert not set(pids(hosts)) & set(running)
    assert verify("service", inventory) == 0


def test_restart_stops_at_the_first_host_that_fails(hosts: Sequence[LabHost], inventory: Path, run: Run) -> None:
    running = pids(hosts)
    unit = "[Service]\nExecStart=/bin/sh -c 'echo no settings; sleep 1; exit 5'\nRestart=always\nRestartSec=100ms\n"
    hosts[0].write("/etc/systemd/system/site.service", unit + "[Unit]\nStartLimitIntervalSec=0\n")
    report = run("restart_service", service_settle=3, service_start_timeout=20)
    assert statuses(report)[0] is Status.FAILED
    assert report.exit_code == 2
    assert "site.service is in a crash loop" in str(report.hosts["lab1"].failure)
    log = str(report.hosts["lab1"].steps[-1].data["log"])
    assert "no settings" in log
    assert "status=5" in log
    assert pids(hosts)[1] == running[1]
    told: list[str] = []
    assert verify("service:restart", inventory, limit="lab1", on_output=told.append) == 2
    assert any(line.startswith("E   AssertionError: systemd has restarted site.service") for line in told), told
    assert verify("service", inventory, limit="lab2") == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_role_with_its_entry_point(hosts: Sequence[LabHost], inventory: Path, engine: Any) -> None:
    report = opslib.run_playbook("service:status", inventory, engine=engine)
    report.raise_for_failures()
    assert statuses(report) == [Status.OK, Status.OK]
    hosts[0].run(["systemctl", "stop", "site"])
    report = opslib.run_playbook("service:status", inventory, engine=engine)
    assert "site.service is stopped" in str(report.hosts["lab1"].failure)


@pytest.mark.parametrize("engine", ENGINES)
def test_wrong_variable_is_refused_before_anything_is_touched(
    hosts: Sequence[LabHost], inventory: Path, engine: Any
) -> None:
    running = pids(hosts)
    report = opslib.run_playbook("service:restart", inventory, engine=engine, extra_vars={"service_port": "http"})
    assert statuses(report) == [Status.FAILED, Status.FAILED]
    assert "service_port" in str(report.hosts["lab1"].failure)
    assert pids(hosts) == running


@pytest.mark.parametrize("engine", ENGINES)
def test_handler_of_the_role(hosts: Sequence[LabHost], inventory: Path, tmp_path: Path, engine: Any) -> None:
    playbook = tmp_path / "rotate.yml"
    playbook.write_text(
        """
- hosts: all
  gather_facts: false
  roles:
    - {role: opslib.runbook.service, tags: [never]}
  tasks:
    - name: Logs are rotated
      opslib.runbook.logrotate:
        config: site
        paths: [/srv/logs/*.log]
      notify: Restart the service
"""
    )
    running = pids(hosts)
    opslib.run_playbook(playbook, inventory, engine=engine).raise_for_failures()
    restarted = pids(hosts)
    assert not set(restarted) & set(running)
    report = opslib.run_playbook(playbook, inventory, engine=engine)
    assert statuses(report) == [Status.OK, Status.OK]
    assert pids(hosts) == restarted
