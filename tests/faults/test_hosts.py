"""Hosts, links and controllers that fail in the middle: every host ends in one state, and nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from opslib import Fleet, Report, Status
from opslib.events import Event, StepStarted
from opslib.lab import Lab, LabHost
from support.hosts import eventually, left_behind, target
from support.probes import Mishap, Note


@pytest.fixture
def host(lab: Lab, lab_host: LabHost) -> LabHost:
    """A host that may be broken; it is reset afterwards."""
    return lab_host


def run_meanwhile(fleet: Fleet, steps: list, mishap) -> Report:  # type: ignore[no-untyped-def, type-arg]
    """Run steps, and let the mishap happen as soon as the first host has begun one."""
    reports: list[Report] = []
    thread = threading.Thread(target=lambda: reports.append(fleet.run(steps)))
    thread.start()
    assert fleet_began.wait(20)
    mishap()
    thread.join(60)
    assert reports, "the run did not end"
    return reports[0]


fleet_began = threading.Event()


@pytest.fixture(autouse=True)
def _began() -> None:
    fleet_began.clear()


def told(event: Event) -> None:
    """Notice the first step."""
    if isinstance(event, StepStarted):
        fleet_began.set()


def test_lost_connection_makes_the_host_unreachable_and_leaves_nothing(lab: Lab, host: LabHost) -> None:
    with Fleet([target(lab, host)], on_event=told) as fleet:
        report = run_meanwhile(fleet, [Note(path="/tmp/before"), Mishap(how="spawn")], host.kill_sshd)
    result = report.hosts[host.name]
    assert result.status is Status.UNREACHABLE
    assert "lost" in (result.error or "")
    assert [step.name for step in result.steps] == ["note"]
    assert report.exit_code == 4
    assert eventually(lambda: left_behind(host) == []), left_behind(host)


def test_frozen_host_costs_its_timeout_and_no_more(lab: Lab, host: LabHost) -> None:
    began = time.monotonic()
    with Fleet([target(lab, host)], on_event=told, timeout=4) as fleet:
        report = run_meanwhile(fleet, [Mishap(how="hang")], host.freeze)
    assert time.monotonic() - began < 30
    result = report.hosts[host.name]
    assert result.status is Status.FAILED
    assert "time for this host was up" in (result.error or "")
    host.thaw()
    assert eventually(lambda: left_behind(host) == []), left_behind(host)


def test_cut_link_costs_its_timeout_and_leaves_nothing(lab: Lab, host: LabHost) -> None:
    with Fleet([target(lab, host)], on_event=told, timeout=4) as fleet:
        report = run_meanwhile(fleet, [Mishap(how="spawn")], host.cut)
    assert report.hosts[host.name].status is Status.FAILED
    assert eventually(lambda: left_behind(host) == []), left_behind(host)
    host.mend()


def test_listener_that_never_speaks_is_unreachable(lab: Lab) -> None:
    with lab.silent_listener() as (address, port):
        silent = target(lab, lab.hosts[0], name="silent", address=address, port=port)
        with Fleet([silent, target(lab, lab.hosts[1])], timeout=3) as fleet:
            report = fleet.run([Note(path="/tmp/n")])
    assert report.hosts["silent"].status is Status.UNREACHABLE
    assert "did not answer in time" in (report.hosts["silent"].error or "")
    assert report.hosts[lab.hosts[1].name].status in (Status.OK, Status.CHANGED)
    assert report.exit_code == 4


def test_changed_host_key_is_refused(lab: Lab, host: LabHost) -> None:
    host.rekey()
    with Fleet([target(lab, host)]) as fleet:
        report = fleet.run([Note(path="/tmp/rekeyed")])
    assert report.hosts[host.name].status is Status.UNREACHABLE
    assert "CHANGED" in (report.hosts[host.name].error or "")
    assert host.run(["test", "-e", "/tmp/rekeyed"], check=False).returncode == 1


def test_unknown_host_key_is_refused_unless_told_by_name(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "none").touch()
    host = lab.hosts[1]
    outcomes = {}
    for policy in ("strict", "accept-new", "off"):
        with Fleet([target(lab, host, known_hosts=[str(tmp_path / "none")], host_keys=policy)]) as fleet:
            outcomes[policy] = fleet.run([Note(path="/tmp/n")]).hosts[host.name]
    assert outcomes["strict"].status is Status.UNREACHABLE
    assert "is not known" in (outcomes["strict"].error or "")
    assert outcomes["accept-new"].status in (Status.OK, Status.CHANGED)
    assert outcomes["off"].status is Status.OK


def test_full_disk_fails_in_words_and_leaves_the_file_as_it_was(lab: Lab, host: LabHost) -> None:
    from opslib import tasks

    kept = tasks.logrotate(config="kept", paths=["/var/log/kept/*.log"], rotate=7)
    with Fleet([target(lab, host)]) as fleet:
        assert fleet.run([kept]).exit_code == 0
        before = host.read("/etc/logrotate.d/kept")
        host.fill_disk()
        report = fleet.run([tasks.logrotate(config="kept", paths=["/var/log/kept/*.log"], rotate=9)])
        host.free_disk()
    result = report.hosts[host.name]
    assert result.status is Status.FAILED
    assert "No space left" in (result.failure or "")
    assert host.read("/etc/logrotate.d/kept") == before


def test_cancelled_run_kills_what_it_started(lab: Lab, host: LabHost) -> None:
    cancel = threading.Event()
    others = [target(lab, other) for other in lab.hosts[1:]]
    with Fleet([target(lab, host), *others], on_event=told, cancel=cancel, forks=1) as fleet:
        report = run_meanwhile(fleet, [Mishap(how="spawn")], cancel.set)
    assert report.interrupted
    assert report.exit_code == 130
    assert report.hosts[host.name].status is Status.FAILED
    assert "processes were killed" in (report.hosts[host.name].failure or "")
    assert all(report.hosts[other.name].status is Status.FAILED for other in others)
    assert eventually(lambda: left_behind(host) == []), left_behind(host)


def test_killed_controller_leaves_nothing(lab: Lab, host: LabHost, tmp_path: Path) -> None:
    script = tmp_path / "controller.py"
    script.write_text(
        "import json, sys\n"
        "from opslib import Fleet, Target\n"
        "from support.probes import Mishap\n"
        "def told(event): print(type(event).__name__, flush=True)\n"
        "with Fleet([Target(**json.loads(sys.argv[1]))], on_event=told) as fleet: fleet.run([Mishap(how='spawn')])\n"
    )
    settings = {"name": "h", "address": host.address, "user": "root", "interpreter": "/usr/bin/python3"}
    settings |= {"identity_files": [str(lab.private_key)], "known_hosts": [str(lab.known_hosts)]}
    tests = str(Path(__file__).parent.parent)
    controller = subprocess.Popen(
        [sys.executable, str(script), json.dumps(settings)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert controller.stdout
    try:
        assert any(line.startswith("StepStarted") for line in controller.stdout)
        assert eventually(lambda: any("sleep" in line for line in left_behind(host)))
    finally:
        controller.send_signal(signal.SIGKILL)
        controller.communicate()
    assert eventually(lambda: left_behind(host) == []), left_behind(host)


def test_raising_callback_harms_nothing(lab: Lab) -> None:
    def raise_always(event: Event) -> None:
        raise ValueError(f"no patience for {type(event).__name__}")

    with Fleet([target(lab, host) for host in lab.hosts], on_event=raise_always) as fleet:
        report = fleet.run([Note(path="/tmp/n")])
    assert report.exit_code == 0
    assert any("no patience" in warning for warning in report.warnings)


def test_stale_connection_is_opened_anew(lab: Lab, host: LabHost) -> None:
    with Fleet([target(lab, host)]) as fleet:
        assert fleet.run([Note(path="/tmp/n")]).exit_code == 0
        host.kill_sshd()
        host.start_sshd()
        assert fleet.run([Note(path="/tmp/n")]).exit_code == 0
