"""Addresses are blocked as asked, each once, and never one's own."""

from __future__ import annotations

import ipaddress
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.params import ParamError
from opslib.host.system import firewall, sessions
from opslib.host.system.firewall import Block, Table
from opslib.host.tasks.nft_block import NftBlock

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]
BAD_NETS = [[], 5, {"a": 1}, ["10.0.0.1/8"], ["1.2.3"], ["1.2.3.4/33"], ["fe80::1%eth0"], [5.5], [""], ["x"] * 1001]
BAD_NETS += [[text] for text in HOSTILE]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("addresses", BAD_NETS),
        ("state", ["shut", [], 5, *HOSTILE]),
        ("expires", ["soon", -1, [], True, *HOSTILE]),
        ("never", [one for one in BAD_NETS if one]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^nft_block: %s: " % name):
            NftBlock(**dict({"addresses": ["203.0.113.7"]}, **{name: value}))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"addresses": ["0.0.0.0/0"]}, "0.0.0.0/0 is wider than /8"),
        ({"addresses": ["::/0"]}, "::/0 is wider than /16"),
        ({"addresses": ["127.0.0.1"]}, "loopback"),
        ({"addresses": ["::1"]}, "loopback"),
        ({"addresses": ["224.0.0.1"]}, "no address that anybody"),
        ({"addresses": ["fe80::1"]}, "link-local"),
        ({"addresses": ["::ffff:127.0.0.1"]}, "loopback"),
        (
            {"addresses": ["10.1.0.0/16"], "never": ["10.1.2.3"]},
            "10.1.0.0/16 has addresses in common with 10.1.2.3, which must never be",
        ),
        (
            {"addresses": ["10.1.2.3"], "never": ["10.0.0.0/8"]},
            "10.1.2.3 has addresses in common with 10.0.0.0/8, which must never be",
        ),
        ({"addresses": ["10.1.2.3"], "expires": "600w"}, "longer than ten years"),
    ],
)
def test_what_must_not_be_blocked(args, words):
    with pytest.raises(ParamError, match=words):
        NftBlock(**args)


def test_a_network_with_host_bits_tells_the_network():
    with pytest.raises(ParamError, match=r"the network is 10\.0\.0\.0/8"):
        NftBlock(addresses=["10.0.0.1/8"])


# As `nft -j list table inet opslib` printed it (nftables 1.0.6, Debian 12)
LISTED = """{"nftables": [{"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}},
{"table": {"family": "inet", "name": "opslib", "handle": 1}},
{"chain": {"family": "inet", "table": "opslib", "name": "blocked", "handle": 3, "type": "filter", "hook": "prerouting",
"prio": -300, "policy": "accept"}},
{"set": {"family": "inet", "name": "blocked4", "table": "opslib", "type": "ipv4_addr", "handle": 1, "flags": ["interval",
"timeout"], "elem": [{"elem": {"val": "10.1.2.3", "timeout": 3600, "expires": 3599}}, {"prefix": {"addr": "10.8.0.0",
"len": 16}}, {"elem": {"val": {"prefix": {"addr": "10.9.0.0", "len": 16}}, "timeout": 7200, "expires": 7199}},
{"range": ["10.20.0.1", "10.20.0.2"]}]}},
{"set": {"family": "inet", "name": "blocked6", "table": "opslib", "type": "ipv6_addr", "handle": 2, "flags": ["interval",
"timeout"]}},
{"rule": {"family": "inet", "table": "opslib", "chain": "blocked", "handle": 4, "expr": [{"match": {"op": "==", "left":
{"payload": {"protocol": "ip", "field": "saddr"}}, "right": "@blocked4"}}, {"counter": {"packets": 7, "bytes": 84}},
{"drop": null}]}},
{"rule": {"family": "inet", "table": "opslib", "chain": "blocked", "handle": 5, "expr": [{"match": {"op": "==", "left":
{"payload": {"protocol": "ip6", "field": "saddr"}}, "right": "@blocked6"}}, {"counter": {"packets": 0, "bytes": 0}},
{"drop": null}]}}]}"""


def test_table():
    table = firewall.parse(LISTED)
    assert (table.complete, table.packets) == (True, 7)
    assert [(one.net, one.expires) for one in table.blocks] == [
        ("10.1.2.3", 3599),
        ("10.8.0.0/16", None),
        ("10.9.0.0/16", 7199),
        ("10.20.0.1/32", None),
        ("10.20.0.2/32", None),
    ]
    rows = json.loads(LISTED)
    rows["nftables"] = [row for row in rows["nftables"] if "rule" not in row]
    assert firewall.parse(json.dumps(rows)).complete is False


def plan(addresses, blocks=(), operators=(), own=(), **args):
    rows = [Block(net=net, expires=expires) for net, expires in blocks]
    state = {"table": Table(complete=True, blocks=rows), "operators": list(operators), "own": list(own)}
    return NftBlock(addresses=addresses, **args).plan(state)


def test_operators_and_own_addresses():
    assert (
        "would lock out: somebody is logged in from 10.0.0.5" in plan(["10.0.0.0/24"], operators=["10.0.0.5"]).failure
    )
    assert "this host's own" in plan(["10.0.0.9"], own=["10.0.0.9"]).failure
    assert plan(["10.0.0.9"], operators=["10.0.0.5", "fd00::5"], own=["10.0.0.8"]).failure == ""


def commands(found):
    assert not found.failure, found.failure
    return [change.detail for change in found.changes]


def test_what_is_blocked_already():
    assert plan(["10.1.2.3"], [("10.1.0.0/16", 5)]).reason == "10.1.2.3 is blocked already"
    assert plan(["10.1.2.3"], [("10.1.2.3", None)], expires=0).changes == []
    (text,) = commands(plan(["10.1.2.3"], [("10.1.2.3", 5)], expires=0))
    assert text.splitlines() == [
        "delete element inet opslib blocked4 { 10.1.2.3 }",
        "add element inet opslib blocked4 { 10.1.2.3 }",
    ]
    (text,) = commands(plan(["10.1.0.0/16"], [("10.1.2.3", 5), ("10.2.0.1", 9)], expires="1h"))
    assert text.splitlines() == [
        "delete element inet opslib blocked4 { 10.1.2.3 }",
        "add element inet opslib blocked4 { 10.1.0.0/16 timeout 3600s }",
    ]
    assert "block that one without an end" in plan(["10.1.2.3"], [("10.1.0.0/16", 5)], expires=0).failure


def test_a_network_ends_no_longer_block_in_it():
    found = plan(["10.1.0.0/16"], [("10.1.2.3", None)], expires="1h")
    assert found.changes == ()
    assert found.failure.startswith("10.1.2.3 in 10.1.0.0/16 is blocked for ever;")
    assert "blocked for another 2 hours" in plan(["10.1.0.0/16"], [("10.1.2.3", 7200)], expires="1h").failure
    assert len(plan(["10.1.0.0/16"], [("10.1.2.3", None)], expires=0).changes) == 1


def test_letting_in():
    (text,) = commands(plan(["10.1.0.0/16"], [("10.1.2.3", 5), ("10.2.0.1", 9)], state="open"))
    assert text == "delete element inet opslib blocked4 { 10.1.2.3 }\n"
    assert plan(["10.1.2.3"], state="open").reason == "10.1.2.3 is not blocked"
    assert "is part of 10.1.0.0/16" in plan(["10.1.2.3"], [("10.1.0.0/16", 5)], state="open").failure


nets = st.builds(
    lambda a, b, bits: str(ipaddress.ip_network("10.%d.%d.0/%d" % (a, b, bits), strict=False)),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(14, 32),
)


def apply(blocks, found):
    """Carry the commands out as the kernel would: overlapping elements are refused, the same one is left as it is."""
    for text in commands(found):
        for line in text.splitlines():
            net = ipaddress.ip_network(line.split("{ ")[1].split()[0])
            if line.startswith("delete"):
                blocks.remove(net)
            elif net not in blocks:
                assert not any(net.overlaps(other) for other in blocks)
                blocks.append(net)
    return blocks


@given(st.lists(nets, min_size=1, max_size=8), st.lists(nets, min_size=1, max_size=8))
def test_everything_asked_is_blocked_once_and_stays(first, second):
    blocks = []
    for wanted in (first, second):
        rows = [(str(net), 100.0) for net in blocks]
        blocks = apply(blocks, plan(wanted, rows))
        for one in wanted:
            assert any(ipaddress.ip_network(one).subnet_of(net) for net in blocks)
        assert plan(wanted, [(str(net), 100.0) for net in blocks]).changes == []


# Who is logged in

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4569292 1 00000000e968e01e 100
   1: 0200CB0A:0016 0100CB0A:D2F0 01 00000000:00000000 02:000A7B5C 00000000     0        0 4570001 4 00000000e968e01f 20
   2: 0200CB0A:0050 0900CB0A:D2F0 01 00000000:00000000 02:000A7B5C 00000000     0        0 4570002 4 00000000e968e01f 20
"""


@pytest.mark.skipif(__import__("sys").byteorder != "little", reason="captured on a little-endian machine")
def test_peers():
    assert sessions.peers({"4569292", "4570001"}, [("tcp", TCP.splitlines())]) == {"10.203.0.1"}
    assert sessions.address("00000000000000000000000001000000", True) == "::1"
    assert sessions.address("0000000000000000FFFF00000100CB0A", True) == "::ffff:10.203.0.1"


def test_this_host_has_addresses():
    assert "127.0.0.1" in sessions.own_addresses()
