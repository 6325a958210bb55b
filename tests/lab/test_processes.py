"""The task `processes` on a real host: it counts what `pgrep` and systemd count, and never itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import opslib
from opslib import Become, Fleet, Status, Step, tasks
from opslib.lab import Lab, LabHost
from support.apply import Apply, target_for
from support.hosts import eventually
from support.units import Units
from support.witness import Witnesses

WORKERS = "ExecStart=/bin/bash -c 'for n in 1 2 3; do sleep 70770 & done; wait'"


@pytest.fixture
def workers(server: LabHost, units: Units, witness: Witnesses) -> str:
    """A unit of a shell and three workers, run by another user."""
    unit = units.add("workers", "User=ops", WORKERS)
    units.control("start", unit)
    assert eventually(lambda: witness(server).run("pgrep -c -f '^sleep 70770$'").stdout.strip() == "3")
    return unit


def test_it_counts_what_pgrep_counts(
    server: LabHost, workers: str, rehearse: Apply, apply: Apply, witness: Witnesses
) -> None:
    task = tasks.processes(command="^sleep 70770$", count=3)
    assert rehearse(server, task).status is Status.OK
    (step,) = apply(server, task).steps
    assert (step.status, step.changed, step.data["count"]) == (Status.OK, False, 3)
    seen = {int(pid) for pid in witness(server).check_output("pgrep -f '^sleep 70770$'").split()}
    assert {row["pid"] for row in step.data["processes"]} == seen
    for row in step.data["processes"]:
        process = witness(server).process.get(pid=row["pid"])
        assert (row["user"], row["unit"], row["command"]) == (process.user, "workers.service", "sleep")
        assert row["rss_bytes"] == pytest.approx(int(process.rss) * 1024, rel=0.2)
        assert abs(row["age_seconds"] - int(witness(server).check_output("ps -o etimes= -p %s", str(row["pid"])))) < 5


def test_by_unit_and_by_user(server: LabHost, workers: str, apply: Apply, witness: Witnesses) -> None:
    group = witness(server).check_output("ps -o unit=,pid= -e | sed -n 's/^workers.service//p'")
    (by_unit, by_user, both) = apply(
        server,
        [
            tasks.processes(unit="workers"),
            tasks.processes(user="ops", top=1000),
            tasks.processes(user="root", unit="workers", most=0),
        ],
    ).steps
    assert {row["pid"] for row in by_unit.data["processes"]} == set(map(int, group.split()))
    assert {row["pid"] for row in by_unit.data["processes"]} <= {row["pid"] for row in by_user.data["processes"]}
    assert {row["user"] for row in by_user.data["processes"]} == {"ops"}
    assert both.data["count"] == 0


WRONG: list[tuple[dict[str, object], str]] = [
    ({"count": 4}, "3 processes run with ^sleep 70770$ in the command line, expected exactly 4"),
    ({"least": 9}, "expected at least 9"),
    ({"most": 2}, "expected at most 2"),
    ({"unit": "ssh"}, "no process runs with ^sleep 70770$ in the command line in ssh.service, expected at least 1"),
]


@pytest.mark.usefixtures("workers")
def test_other_counts_fail(server: LabHost, apply: Apply) -> None:
    asked = [tasks.processes(**{"command": "^sleep 70770$", **limits}) for limits, _words in WRONG]
    steps = apply(server, [Step(task=task, ignore_errors=True) for task in asked]).steps
    for step, (_limits, words) in zip(steps, WRONG, strict=True):
        assert step.status is Status.FAILED
        assert words in str(step.error)


def test_it_never_counts_itself_nor_what_carries_it(
    lab: Lab, server: LabHost, witness: Witnesses, tmp_path: Path
) -> None:
    """Not the payload, not sudo, not Ansible's Python; the expression stands in none of their arguments either."""
    assert witness(server).run("pgrep -f opslib-payload").rc == 1
    task = tasks.processes(command="opslib-payload|processes|70771|python3", most=0)
    for login in ("root", "ops", "pat"):
        with Fleet([target_for(lab, server, login)]) as fleet:
            (step,) = fleet.run([task]).hosts[server.name].steps
        assert (step.status, step.error) == (Status.OK, None)
    with Fleet([target_for(lab, server, "ops")]) as fleet:
        (step,) = fleet.run([Step(task=task, become=Become(user="nosudo"))]).hosts[server.name].steps
    assert step.data["count"] == 0, step.data
    hosts, play = tmp_path / "hosts.yml", tmp_path / "play.yml"
    hosts.write_text(lab.inventory_text(user="ops", hosts=[server]))
    args = {"command": "opslib-payload|processes|70771|python3|AnsiballZ|ansible", "most": 0}
    task = {"name": "Count", "opslib.runbook.processes": args}
    play.write_text(
        json.dumps([{"name": "All", "hosts": "all", "gather_facts": False, "become": True, "tasks": [task]}])
    )
    report = opslib.run_playbook(play, hosts, engine="ansible")
    (step,) = report.hosts[server.name].steps
    assert (step.status, step.error, step.data["count"]) == (Status.OK, None, 0)


def test_a_zombie_is_no_running_process(server: LabHost, units: Units, apply: Apply, witness: Witnesses) -> None:
    program = "import os, time; os.fork() or os._exit(0); time.sleep(900)"
    unit = units.add("graveyard", f"ExecStart=/usr/bin/python3 -c '{program}'")
    units.control("start", unit)
    assert eventually(lambda: witness(server).run("ps -eo stat= | grep -q ^Z").rc == 0)
    (step,) = apply(server, tasks.processes(unit="graveyard", count=1)).steps
    assert (step.status, step.data["count"], step.data["zombies"]) == (Status.OK, 1, 1)
    assert any("1 zombie" in warning and "not reaped by" in warning for warning in step.warnings)


def test_a_crashed_service_is_missed(server: LabHost, workers: str, units: Units, apply: Apply) -> None:
    task = tasks.processes(unit="workers", least=4)
    assert apply(server, task).status is Status.OK
    units.control("kill", "--signal=KILL", workers)
    assert eventually(lambda: units.show(workers, "ActiveState") == "failed")
    assert "no process runs in workers.service, expected at least 4" in str(apply(server, task).steps[0].error)


def test_arguments_are_not_shown(server: LabHost, units: Units, apply: Apply) -> None:
    unit = units.add("secretive", "ExecStart=/usr/bin/python3 -c 'import time; time.sleep(900)' --password=hush-hush")
    units.control("start", unit)
    (step,) = apply(server, tasks.processes(unit="secretive")).steps
    assert step.data["count"] == 1
    assert "hush" not in str(step)
