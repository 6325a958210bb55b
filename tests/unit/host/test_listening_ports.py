"""Listening sockets are listed as netstat does, and judged."""

from __future__ import annotations

import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.params import ParamError
from opslib.host.tasks.listening_ports import ListeningPorts, merged, parse_address, parse_table
from opslib.host.worker import run_step

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]
BAD_PORTS = [["0"], ["65536"], ["80/sctp"], ["80/"], ["/tcp"], ["tcp"], ["-1"], [[]], 5, {"a": 1}, ["80"] * 1001]
BAD_PORTS += [[text] for text in HOSTILE]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("expected", BAD_PORTS),
        ("only", BAD_PORTS),
        ("owner", [5, "x", [], {5: "x"}, {"80": ""}, {"80": "a\nb"}, {"80": "a\0b"}, {"80": []}, {"": "x"}]),
        ("udp", ["maybe", 2, [], *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^listening_ports: %s: " % name):
            ListeningPorts(**{name: value})


@pytest.mark.parametrize("key", ["0", "x", "80/sctp", "a\nb", *[text for text in HOSTILE if text]])
def test_owners_of_what_is_no_port_are_refused(key):
    with pytest.raises(ParamError, match=r"^listening_ports: owner: "):
        ListeningPorts(owner={key: "nginx"})


def test_two_owners_of_one_port_are_refused():
    with pytest.raises(ParamError, match=r"^listening_ports: owner: port 80/tcp belongs to 'a' and to 'b'$"):
        ListeningPorts(owner={"80": "a", "80/tcp": "b"})


def test_parameters_stay_the_same_when_checked_again():
    task = ListeningPorts(expected="22, 0053/udp", only=[443, "80/tcp"], owner={"22": "sshd"})
    assert (task.expected, task.only) == (["22/tcp", "53/udp"], ["443/tcp", "80/tcp"])
    assert ListeningPorts(**task.args()) == task


# What the kernel says (captured on Debian 12)

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 587 1 00000000db2e14f1 100 0
   1: 0100007F:8F2D 0100007F:EC92 06 00000000:00000000 03:00000842 00000000     0        0 0 3 00000000254b9c50
   2: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 90210 1 00000000db2e14f1 100
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 16202 1
   1: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 101 0 16203 1
"""
UDP = """\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  303: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 17041 2 00000000fc10a1ac 0
  404: 0F02000A:0044 0202000A:0043 01 00000000:00000000 00:00000000 00000000   100        0 17042 2 00000000fc10a1ac 0
"""
little = pytest.mark.skipif(__import__("sys").byteorder != "little", reason="captured on a little-endian machine")


def short(text, protocol):
    rows = parse_table(text.splitlines(), protocol)
    return [(row["address"], row["port"], row["loopback"], row["uid"], row["inodes"]) for row in rows]


@little
def test_tables():
    assert short(TCP, "tcp") == [
        ("0.0.0.0", 2024, False, 0, ["587"]),
        ("127.0.0.1", 5432, True, 106, ["90210"]),
    ]
    assert short(TCP6, "tcp") == [("::", 22, False, 0, ["16202"]), ("::1", 53, True, 101, ["16203"])]
    assert short(UDP, "udp") == [("127.0.0.53", 53, True, 101, ["17041"])]
    assert short("", "tcp") == []


@pytest.mark.parametrize(
    ("text", "order", "address"),
    [
        ("0100007F", "little", "127.0.0.1"),
        ("7F000001", "big", "127.0.0.1"),
        ("0000000000000000FFFF00000100007F", "little", "::ffff:127.0.0.1"),
        ("B80D0120000000000000000001000000", "little", "2001:db8::1"),
        ("20010DB8000000000000000000000001", "big", "2001:db8::1"),
    ],
)
def test_addresses(text, order, address):
    assert parse_address(text, order) == address


def test_sockets_of_one_port_are_one():
    rows = [listening(80, inodes=["1"]), listening(22, inodes=["3"]), listening(80, inodes=["2"])]
    assert [(row["port"], row["inodes"]) for row in merged(rows)] == [(22, ["3"]), (80, ["1", "2"])]


# The plan


def listening(port, address="0.0.0.0", protocol="tcp", pids=(7,), program="nginx", unit="nginx.service", **more):
    return dict(
        {
            "protocol": protocol, "address": address, "port": port, "loopback": address.startswith("127."),
            "user": "root", "pids": list(pids), "program": program, "unit": unit,
        },
        **more
    )  # fmt: skip


def plan(rows, hidden=False, **args):
    return ListeningPorts(**args).plan({"listening": rows, "hidden": hidden})


def test_expected_ports():
    found = plan([listening(80)], expected=["80", "443", "80/udp"])
    assert found.data["missing"] == ["443/tcp", "80/udp"]
    assert found.failure == "nothing listens on port 443/tcp; nothing listens on port 80/udp"
    assert plan([listening(80, "127.0.0.1")], expected=["80"]).failure == ""


def test_only_these_may_be_open():
    rows = [listening(22), listening(80), listening(5432, "127.0.0.1"), listening(53, protocol="udp")]
    found = plan(rows, only=["22"], expected=["80"])
    assert found.data["unwanted"] == ["53/udp"]
    assert found.failure == "open beyond what is allowed: 0.0.0.0:53/udp (nginx, pid 7, nginx.service)"
    assert plan(rows, only=[]).data["unwanted"] == ["22/tcp", "80/tcp", "53/udp"]
    assert plan(rows).failure == ""


@pytest.mark.parametrize("owner", ["nginx.service", "nginx", "root"])
def test_an_owner_is_a_unit_program_or_user(owner):
    assert plan([listening(80)], owner={"80": owner}).failure == ""


def test_other_owners_fail():
    rows = [listening(80, program="x", unit="")]
    assert plan(rows, owner={"80": "nginx", "81": "y"}).failure == "0.0.0.0:80/tcp (x, pid 7) should belong to nginx"
    rows = [listening(80, pids=(), program="", unit="")]
    found = plan(rows, hidden=True, owner={"80": "nginx"})
    assert found.failure == ("0.0.0.0:80/tcp (user root) should belong to nginx; who that is takes root to see")
    assert found.warnings == ["the processes behind 1 socket of other users are unknown (run as root to see them)"]
    assert plan(rows, hidden=False).warnings == []


def test_a_list_is_cut():
    found = plan([listening(port) for port in range(1, 601)])
    assert (len(found.data["listening"]), found.data["left_out"]) == (500, 100)
    assert found.reason.endswith("and 590 more")


ports = st.lists(st.integers(1, 30), max_size=8, unique=True)


@given(ports, ports, ports)
def test_the_verdict_is_set_arithmetic(open_ports, expected, only):
    rows = [listening(port) for port in sorted(open_ports)]
    args = {"expected": ["%d" % port for port in expected], "only": ["%d" % port for port in only]}
    found = plan(rows, **args)
    good = set(expected) <= set(open_ports) <= set(expected) | set(only)
    assert bool(found.failure) is not good
    assert not found.changes
    assert found == plan(rows, **args)


# Real sockets


def test_a_real_socket_is_found_with_its_process():
    with socket.socket() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        other.bind(("127.0.0.1", 0))
        tcp, udp = server.getsockname()[1], other.getsockname()[1]
        args = {"expected": ["%d" % tcp, "%d/udp" % udp]}
        for check in (True, False, False):
            result = run_step(ListeningPorts, args, check)
            assert (result["status"], result["changed"], result["changes"]) == ("ok", False, []), result
        rows = {(row["protocol"], row["port"]): row for row in result["data"]["listening"]}
        for key in (("tcp", tcp), ("udp", udp)):
            row = rows[key]
            assert row["pids"] == [os.getpid()]
            assert (row["address"], row["loopback"]) == ("127.0.0.1", True)
            with open("/proc/self/comm") as comm:
                assert row["program"] == comm.read().rstrip("\n")
        assert ("udp", udp) not in {
            (row["protocol"], row["port"]) for row in run_step(ListeningPorts, {}, True)["data"]["listening"]
        }
    gone = run_step(ListeningPorts, {"expected": [str(tcp)]}, True)
    assert gone["error"] == "nothing listens on port %d/tcp" % tcp
