"""The task `memory_usage` on a real host: its numbers agree with `free`, `uptime` and `ps`."""

from __future__ import annotations

import pytest

from opslib import Status, tasks
from opslib.lab import LabHost
from support.apply import Apply
from support.units import Units
from support.witness import Witnesses


def test_numbers_are_those_of_free(server: LabHost, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    task = tasks.memory_usage(fail=0)
    assert rehearse(server, task).status is Status.OK
    (step,) = apply(server, task).steps
    rows = {line.split()[0]: line.split()[1:] for line in witness(server).check_output("free -b").splitlines()[1:]}
    total = int(rows["Mem:"][0])
    assert step.data["machine_total_bytes"] == total
    assert step.data["machine_available_bytes"] == pytest.approx(int(rows["Mem:"][5]), abs=total * 0.1)
    assert step.data["swap_total_bytes"] == int(rows["Swap:"][0])
    assert step.data["processors"] == int(witness(server).check_output("nproc --all"))
    assert f"{step.data['available_percent']:g}%" in step.reason


def test_largest_process_is_named(server: LabHost, units: Units, apply: Apply, witness: Witnesses) -> None:
    program = "import time; x = bytearray(200_000_000); print(len(x), flush=True); time.sleep(900)"
    unit = units.add("glutton", f"ExecStart=/usr/bin/python3 -c '{program}' --password=hush")
    units.control("start", unit)
    pid = int(units.show(unit, "MainPID"))
    for _ in range(100):
        if witness(server).process.get(pid=pid).rss > 190_000:
            break
    (step,) = apply(server, tasks.memory_usage(fail=0)).steps
    first = step.data["processes"][0]
    assert first["pid"] == pid
    assert first["rss_bytes"] == pytest.approx(int(witness(server).process.get(pid=pid).rss) * 1024, rel=0.05)
    assert first["user"] == "root"
    assert "hush" not in str(step)


def test_too_little_fails(server: LabHost, apply: Apply) -> None:
    (step,) = apply(server, tasks.memory_usage(warn="100%", fail="99.9%")).steps
    assert step.status is Status.FAILED
    assert "(fail: below 99.9%)" in str(step.error)
    (step,) = apply(server, tasks.memory_usage(warn="100%", fail=0)).steps
    assert step.status is Status.OK
    assert any("(warn: below 100%)" in warning for warning in step.warnings)
    (step,) = apply(server, tasks.memory_usage(fail=0, load_fail=0)).steps
    assert "the load is" in str(step.error)
