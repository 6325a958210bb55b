"""Ten tasks in one run: as every kind of user, and under every Python that a target may have."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opslib import Become, Fleet, HostResult, Status, tasks
from opslib.host.task import Task
from opslib.lab import Lab, LabHost
from opslib.lab.pytest_plugin import LabFactory
from support import pythons
from support.apply import Apply, target_for
from support.looks import fingerprint
from support.units import website
from support.witness import Witnesses

VERSIONS = ("3.8", "3.13")
CHANGING = {"service", "log_retention", "logrotate"}


@pytest.fixture
def prepared(server: LabHost) -> Iterator[LabHost]:
    """A host with a web site to start, and logs to archive and rotate."""
    prepare(server)
    yield server
    server.reset()


@pytest.fixture(scope="module")
def python_lab(lab_factory: LabFactory) -> Lab:
    """A lab whose host has other Pythons."""
    found = [path for path in map(pythons.find, VERSIONS) if path]
    return lab_factory(1, binds=dict(map(home, found)))


def home(python: str) -> tuple[Path, str]:
    """Return the folder in which a Python is installed, and where hosts are to have it.

    That is the same path, where its libraries look for each other; what is part of this machine's system goes aside.
    """
    ask = [python, "-ISc", "import sys; print(sys.base_prefix)"]
    folder = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    return Path(folder), f"/opt{folder}" if folder in ("/usr", "/usr/local") else folder


def prepare(host: LabHost) -> None:
    unit = f"[Service]\nExecStart={website(host)} 8080\n[Install]\nWantedBy=multi-user.target\n"
    host.write("/etc/systemd/system/site.service", unit)
    host.write("/srv/logs/site.log", "new\n")
    host.write("/srv/logs/site.log.1", "old\n")
    host.write("/srv/times/app.log", time.strftime("%Y-%m-%d %H:%M:%S ERROR one\n", time.gmtime(time.time() - 60)))
    host.run(["touch", "-d", "40 days ago", "/srv/logs/site.log.1"])
    host.run(["systemctl", "daemon-reload"])


def everything() -> list[Task]:
    """Return all tasks, the ones that change something among them; the last three need the site."""
    site = "http://127.0.0.1:8080/health"
    return [
        tasks.disk_usage(),
        tasks.memory_usage(fail=0),
        tasks.log_size(paths=["/srv/logs"], fail="1G"),
        tasks.logrotate(config="site", paths=["/srv/logs/*.log"]),
        tasks.log_retention(root="/srv/logs", archive_to="/srv/archive", delete=True, keep_free=0),
        tasks.log_errors(paths=["/srv/times/app.log"], timezone="UTC", fail=1),
        tasks.service(unit="site", state="started", enabled=True, port=8080, http=site, settle=0.2),
        tasks.http_check(url=site, json={"status": "healthy"}),
        tasks.processes(unit="site", command="website", count=1),
        tasks.listening_ports(expected=["8080", "22"], owner={"8080": "site.service"}),
    ]


def changed(result: HostResult) -> set[str]:
    """Return the tasks that changed something, once it is sure that none failed."""
    assert result.failure is None
    assert len(result.steps) == 10
    return {step.task for step in result.steps if step.status is Status.CHANGED}


def be_witness(seen: Any) -> None:
    """Say of a host that all is as it was asked for, by means of its own."""
    assert seen.service("site").is_running
    assert seen.service("site").is_enabled
    assert seen.socket("tcp://0.0.0.0:8080").is_listening
    assert not seen.file("/srv/logs/site.log.1").exists
    assert seen.check_output("tar -xOzf /srv/archive/logs-*.tar.gz") == "old"
    assert seen.run("logrotate --debug --state /dev/null /etc/logrotate.d/site").rc == 0


@pytest.mark.parametrize("login", ["root", "ops", "pat"])
def test_every_login(prepared: LabHost, rehearse: Apply, apply: Apply, witness: Witnesses, login: str) -> None:
    # In check mode the site is not started, so it has no answer yet; the rest can be told.
    assert [step.status for step in rehearse(prepared, everything()[:7], login=login).steps].count(Status.CHANGED) == 3
    assert changed(apply(prepared, everything(), login=login)) == CHANGING
    be_witness(witness(prepared))
    assert changed(apply(prepared, everything(), login=login)) == set()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_python(python_lab: Lab, version: str) -> None:
    _, folder = home(pythons.need(version))
    (host,) = python_lab.hosts
    host.reset()
    prepare(host)
    before = fingerprint(host)
    interpreter = f"{folder}/bin/python{version}"
    with Fleet([target_for(python_lab, host, interpreter=interpreter)], timeout=120) as fleet:
        planned = fleet.run(everything()[:7], check=True).hosts[host.name]
        assert fingerprint(host) == before
        assert [step.status for step in planned.steps].count(Status.CHANGED) == 3
        assert changed(fleet.run(everything()).hosts[host.name]) == CHANGING
        witnesses = Witnesses(python_lab)
        try:
            be_witness(witnesses(host))
        finally:
            witnesses.close()
        assert changed(fleet.run(everything()).hosts[host.name]) == set()


def test_wrong_sudo_password_is_told_and_not_shown(lab: Lab, server: LabHost) -> None:
    for become in (Become(password="hush-hush"), Become()):
        with Fleet([target_for(lab, server, user="pat", become=become)], timeout=60) as fleet:
            result = fleet.run([tasks.memory_usage()]).hosts[server.name]
        assert result.status in (Status.FAILED, Status.UNREACHABLE)
        assert "password" in str(result.failure)
        assert "hush" not in str(result)
