"""The task `writes` on a real host: everything that writes is stopped, stays so, and comes back exactly as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from opslib import Status, StepResult, tasks
from opslib.lab import LabHost
from support.apply import Apply
from support.hosts import eventually
from support.units import Units
from support.witness import Witnesses

RECORD = "/var/lib/opslib/writes/data_loss.json"
SLEEPER = "ExecStart=/bin/sleep infinity"


def only(result) -> StepResult:
    """Return the one step of a host's result."""
    assert result.error is None, result.error
    (step,) = result.steps
    return step


def running(host: LabHost, *units: str) -> list[str]:
    text = host.run(["systemctl", "is-active", "--", *units], check=False).stdout
    return [unit for unit, state in zip(units, text.split(), strict=True) if state == "active"]


@pytest.fixture
def writers(server: LabHost, units: Units) -> Iterator[Units]:
    """A service, its scheduler, a job with a timer, and a service that does not run."""
    units.add("shop", SLEEPER, install=True)
    units.add("shop-scheduler", SLEEPER, "Restart=always", unit="BindsTo=shop.service")
    units.add("nightly", "Type=oneshot", "ExecStart=/bin/true")
    units.add("idle", SLEEPER)
    server.write("/etc/systemd/system/nightly.timer", "[Timer]\nOnActiveSec=1h\n[Install]\nWantedBy=timers.target\n")
    units.control("daemon-reload")
    units.control("enable", "shop")
    units.control("start", "shop", "shop-scheduler", "nightly.timer")
    yield units
    server.run(["sh", "-c", f"rm -rf {RECORD} /etc/systemd/system/*.d/zz-opslib-writes-*"])
    units.control("stop", "nightly.timer", check=False)
    server.run(["rm", "-f", "/etc/systemd/system/nightly.timer"])


NAMES = ("shop.service", "shop-scheduler.service", "nightly.timer", "idle.service")
STOP = {"state": "stopped", "units": ["shop-scheduler", "nightly", "shop", "idle"], "settle": 0.3}


def test_stop_and_resume(server: LabHost, writers: Units, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    task = tasks.writes(**STOP)
    planned = only(rehearse(server, task))
    assert planned.status is Status.CHANGED
    assert len(running(server, *NAMES)) == 3
    step = only(apply(server, task))
    assert step.status is Status.CHANGED, step.error
    seen = witness(server)
    assert running(server, *NAMES) == []
    assert (seen.file(RECORD).mode, seen.file("/var/lib/opslib/writes").mode) == (0o600, 0o700)
    assert [row["unit"] for row in step.data["units"] if row["was_active"]] == [
        "shop-scheduler.service",
        "nightly.timer",
        "shop.service",
    ]
    again = only(apply(server, task))
    assert (again.status, again.data) == (Status.OK, step.data)
    # Nothing starts them: not a person, not a timer, not another unit, not a boot.
    for unit in NAMES:
        writers.control("start", unit, check=False)
    assert running(server, *NAMES) == []
    resume = tasks.writes(state="resumed", settle=0.3)
    assert only(rehearse(server, resume)).status is Status.CHANGED
    done = only(apply(server, resume))
    assert done.status is Status.CHANGED, done.error
    assert running(server, *NAMES) == list(NAMES[:3])
    assert not seen.file(RECORD).exists
    assert seen.check_output("ls /etc/systemd/system | grep -c '[.]d$' || true") == "0"
    assert only(apply(server, resume)).reason == "nothing is stopped under the name data_loss"


def test_a_boot_does_not_undo_it(server: LabHost, writers: Units, apply: Apply) -> None:
    assert only(apply(server, tasks.writes(**STOP))).status is Status.CHANGED
    server.kill()
    server.boot()
    assert eventually(lambda: "running" in server.run(["systemctl", "is-system-running"], check=False).stdout)
    assert running(server, *NAMES) == []
    assert only(apply(server, tasks.writes(state="resumed", settle=0.3))).status is Status.CHANGED
    assert running(server, *NAMES) == list(NAMES[:3])


def test_more_units_join_the_record(server: LabHost, writers: Units, apply: Apply) -> None:
    assert only(apply(server, tasks.writes(state="stopped", units=["shop-scheduler"]))).status is Status.CHANGED
    step = only(apply(server, tasks.writes(state="stopped", units=["shop", "shop-scheduler"])))
    assert [(row["unit"], row["was_active"]) for row in step.data["units"]] == [
        ("shop-scheduler.service", True),
        ("shop.service", True),
    ]
    assert only(apply(server, tasks.writes(state="resumed", settle=0.3))).status is Status.CHANGED
    assert running(server, *NAMES) == list(NAMES[:3])


def test_a_run_cut_short_is_taken_up(server: LabHost, writers: Units, apply: Apply) -> None:
    """Only the record was written, or only the drop-ins: the next run in either direction puts it right."""
    rows = [{"unit": "shop.service", "was_active": True, "why": "asked"}]
    server.write(RECORD, json.dumps({"name": "data_loss", "since": 1.8e9, "units": rows}), 0o600)
    text = f"[Unit]\nConditionPathExists=!{RECORD}\n"
    server.write("/etc/systemd/system/shop.service.d/zz-opslib-writes-data_loss.conf", text)  # not as ours, not loaded
    step = only(apply(server, tasks.writes(**STOP)))
    assert step.status is Status.CHANGED, step.error
    assert running(server, *NAMES) == []
    assert only(apply(server, tasks.writes(state="resumed", settle=0.3))).status is Status.CHANGED
    assert running(server, *NAMES) == list(NAMES[:3])


def test_a_unit_that_does_not_come_back(server: LabHost, writers: Units, apply: Apply) -> None:
    assert only(apply(server, tasks.writes(**STOP))).status is Status.CHANGED
    text = server.read("/etc/systemd/system/shop.service")
    server.write("/etc/systemd/system/shop.service", text.replace("/bin/sleep infinity", "/bin/false"))
    step = only(apply(server, tasks.writes(state="resumed", settle=1)))
    assert step.status is Status.FAILED
    assert "shop.service failed" in str(step.error)
    assert server.run(["test", "-e", RECORD], check=False).returncode == 0
    server.write("/etc/systemd/system/shop.service", text)
    assert only(apply(server, tasks.writes(state="resumed", settle=0.3))).status is Status.CHANGED
    assert running(server, *NAMES) == list(NAMES[:3])


def test_unknown_units_and_damaged_records(server: LabHost, writers: Units, rehearse: Apply, apply: Apply) -> None:
    task = tasks.writes(state="stopped", units=["shop", "nowhere"])
    for result in (rehearse(server, task), apply(server, task)):
        assert only(result).error == "nowhere.service does not exist on this host; nothing was stopped"
    assert "shop.service" in running(server, *NAMES)
    server.write(RECORD, "{nonsense", 0o600)
    assert "is damaged" in str(only(apply(server, tasks.writes(state="resumed"))).error)
