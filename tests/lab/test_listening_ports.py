"""The task `listening_ports` on a real host: it sees what `ss` sees, and whose each port is."""

from __future__ import annotations

import pytest

from opslib import Fleet, Status, Step, tasks
from opslib.lab import Lab, LabHost
from support.apply import Apply
from support.hosts import eventually, target
from support.units import Units, website
from support.witness import Witnesses

UDP = "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('0.0.0.0', 5353)); time.sleep(900)"


@pytest.fixture
def sites(server: LabHost, units: Units, witness: Witnesses) -> None:
    """A site on all addresses, one on loopback, and something on UDP."""
    program = website(server)
    for name, lines in {
        "open": ("User=ops", f"ExecStart={program} 8080"),
        "inner": ("ExecStart=/usr/bin/python3 -m http.server --bind 127.0.0.1 8081",),
        "six": ("ExecStart=/usr/bin/python3 -m http.server --bind :: 8082",),
        "datagrams": (f'ExecStart=/usr/bin/python3 -c "{UDP}"',),
    }.items():
        units.control("start", units.add(name, *lines))
    look = "ss -Hlntu | grep -c -E ':(8080|8081|8082|5353) '"
    assert eventually(lambda: witness(server).run(look).stdout.strip() == "4")


def rows_of_ss(seen: object) -> set[tuple[str, str, int]]:
    """Return protocol, address and port of everything that `ss` lists."""
    found = set()
    for line in seen.check_output("ss -Hlntu").splitlines():  # type: ignore[attr-defined]
        protocol, _state, _received, _sent, local = line.split()[:5]
        address, _colon, port = local.rpartition(":")
        address = address.partition("%")[0].strip("[]")
        found.add((protocol, {"*": "::"}.get(address, address), int(port)))
    return found


@pytest.mark.usefixtures("sites")
def test_it_sees_what_ss_sees(server: LabHost, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    task = tasks.listening_ports(udp=True)
    assert rehearse(server, task).status is Status.OK
    (step,) = apply(server, task).steps
    assert (step.status, step.changed) == (Status.OK, False)
    found = {(row["protocol"], row["address"], row["port"]): row for row in step.data["listening"]}
    assert set(found) == rows_of_ss(witness(server))
    site = found["tcp", "0.0.0.0", 8080]
    assert (site["user"], site["unit"], site["loopback"]) == ("ops", "open.service", False)
    process = witness(server).process.get(pid=site["pids"][0])
    assert (process.user, process.comm) == ("ops", site["program"])
    assert found["tcp", "127.0.0.1", 8081]["loopback"] is True
    assert found["udp", "0.0.0.0", 5353]["unit"] == "datagrams.service"
    for protocol, address, port in found:
        assert witness(server).socket(f"{protocol}://{address}:{port}").is_listening


ASKED: list[tuple[dict[str, object], str | None]] = [
    ({"expected": ["22", "8080", "8081/tcp", "8082", "5353/udp"]}, None),
    ({"expected": ["8083"]}, "nothing listens on port 8083/tcp"),
    ({"expected": ["8080/udp"]}, "nothing listens on port 8080/udp"),
    ({"only": ["22", "8080", "8082"]}, None),
    ({"only": ["22", "8082"]}, "open beyond what is allowed: 0.0.0.0:8080/tcp"),
    ({"only": ["22", "8080", "8082"], "udp": True}, "0.0.0.0:5353/udp"),
    ({"owner": {"8080": "open", "8081": "root", "5353/udp": "python3"}}, None),
    ({"owner": {"8080": "nginx.service"}}, "open.service) should belong to nginx.service"),
    ({"owner": {"8080": "root"}}, "should belong to root"),
    ({"owner": {"9999": "root"}}, None),
]


@pytest.mark.usefixtures("sites")
def test_expectations(server: LabHost, apply: Apply) -> None:
    asked = [tasks.listening_ports(**each) for each, _words in ASKED]
    steps = apply(server, [Step(task=task, ignore_errors=True) for task in asked]).steps
    for step, (each, words) in zip(steps, ASKED, strict=True):
        assert step.status is (Status.OK if words is None else Status.FAILED), (each, step.error)
        assert words is None or words in str(step.error), each


def test_a_port_held_by_another_unit_is_named(server: LabHost, units: Units, apply: Apply, witness: Witnesses) -> None:
    """The service cannot start, since something else sits on its port."""
    program = website(server)
    units.control("start", units.add("squatter", f"ExecStart={program} 8090"))
    assert eventually(lambda: witness(server).socket("tcp://0.0.0.0:8090").is_listening)
    units.control("start", units.add("app", f"ExecStart={program} 8090"), check=False)
    assert eventually(lambda: witness(server).run("systemctl is-failed app").rc == 0)
    (step,) = apply(server, tasks.listening_ports(expected=["8090"], owner={"8090": "app.service"})).steps
    assert step.status is Status.FAILED
    pid = int(units.show("squatter.service", "MainPID"))
    assert f"0.0.0.0:8090/tcp (python3, pid {pid}, squatter.service) should belong to app.service" in str(step.error)
    assert step.data["wrong_owner"]
    units.control("stop", "squatter")
    units.control("restart", "app")
    assert eventually(lambda: witness(server).socket("tcp://0.0.0.0:8090").is_listening)
    assert apply(server, tasks.listening_ports(owner={"8090": "app"})).status is Status.OK


@pytest.mark.usefixtures("sites")
def test_without_root_owners_are_unknown_and_that_is_said(lab: Lab, server: LabHost) -> None:
    with Fleet([target(lab, server, user="nosudo")]) as fleet:
        (step,) = fleet.run([tasks.listening_ports(owner={"8080": "open"})]).hosts[server.name].steps
    assert step.status is Status.FAILED
    assert "user ops) should belong to open; who that is takes root to see" in str(step.error)
    assert step.data["unknown_owners"] > 0
    assert any("run as root to see them" in warning for warning in step.warnings)
