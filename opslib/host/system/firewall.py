"""The table of nftables in which addresses are blocked: its text, what is in it, and how it is changed.

A table of its own (`inet opslib`) is never in the way of other rules, and other tools never take it away. Its chain
sees packets before connection tracking and address translation, so what containers publish is covered too, and what
comes over connections that are established already. Sources: nft(8), libnftables-json(5).
"""

from __future__ import annotations

from opslib.host.command import run
from opslib.host.record import Record
from opslib.host.task import TaskError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

FAMILY, TABLE, CHAIN = "inet", "opslib", "blocked"
SETS = {4: "blocked4", 6: "blocked6"}
_TYPES = {4: ("ipv4_addr", "ip"), 6: ("ipv6_addr", "ip6")}
_LIMIT = 30


class Block(Record):
    """A network whose packets are dropped. expires: seconds that are left, None for ever."""

    net: str
    expires: float | None = None


class Table(Record):
    """What there is: whether sets, chain and rules are complete, the blocks, and how many packets were dropped."""

    complete: bool = False
    blocks: Sequence[Block] = ()
    packets: int = 0


def read() -> Table:
    """Return the table as it is; an empty one when there is none. Raises TaskError."""
    done = run(("nft", "-j", "list", "table", FAMILY, TABLE), timeout=_LIMIT, ok=None, max_output=64 << 20)
    if done.code:
        if "No such file or directory" in done.err:
            return Table()
        words = done.err.strip()[-300:] or "it said nothing"
        raise TaskError("nft cannot list the table %s %s: %s (this takes root)" % (FAMILY, TABLE, words))
    return parse(done.out)


def parse(text: str) -> Table:
    """Return the table that nft listed as JSON."""
    import json

    try:
        rows = [row for row in json.loads(text)["nftables"] if isinstance(row, dict)]
    except (ValueError, KeyError, TypeError) as error:
        raise TaskError("nft listed what is no JSON of a table: %s" % error) from None
    blocks: list[Block] = []
    sets: set[str] = set()
    rules: set[str] = set()
    chains, packets = False, 0
    for row in rows:
        one = row.get("set", {})
        if one.get("name") in SETS.values():
            sets.add(one["name"])
            for element in one.get("elem", ()):
                blocks += _blocks(element)
        chains = chains or (row.get("chain", {}).get("name") == CHAIN and row["chain"].get("hook") == "prerouting")
        if row.get("rule", {}).get("chain") == CHAIN:
            words = json.dumps(row["rule"].get("expr", ""))
            rules.update(name for name in SETS.values() if '"@%s"' % name in words and '"drop"' in words)
            packets += sum(int(part["counter"].get("packets", 0)) for part in row["rule"]["expr"] if "counter" in part)
    complete = chains and len(sets) == len(rules) == len(SETS)
    return Table(complete=complete, blocks=blocks, packets=packets)


def _blocks(element: Any) -> Iterator[Block]:
    expires = None
    if isinstance(element, dict) and "elem" in element:
        expires = element["elem"].get("expires")
        element = element["elem"].get("val")
    if isinstance(element, str):
        yield Block(net=element, expires=expires)
    elif isinstance(element, dict) and "prefix" in element:
        yield Block(net="%(addr)s/%(len)d" % element["prefix"], expires=expires)
    elif isinstance(element, dict) and "range" in element:
        import ipaddress

        first, last = (ipaddress.ip_address(end) for end in element["range"])
        for net in ipaddress.summarize_address_range(first, last):
            yield Block(net=str(net), expires=expires)


def structure() -> str:
    """Return the commands that make table, sets, chain and rules, whatever of them is there already."""
    lines = ["add table %s %s" % (FAMILY, TABLE)]
    for version, name in SETS.items():
        kind = "{ type %s; flags interval, timeout; }" % _TYPES[version][0]
        lines.append("add set %s %s %s %s" % (FAMILY, TABLE, name, kind))
    kind = "{ type filter hook prerouting priority -300; policy accept; }"
    lines.append("add chain %s %s %s %s" % (FAMILY, TABLE, CHAIN, kind))
    lines.append("flush chain %s %s %s" % (FAMILY, TABLE, CHAIN))
    for version, name in SETS.items():
        rule = "%s saddr @%s counter drop" % (_TYPES[version][1], name)
        lines.append("add rule %s %s %s %s" % (FAMILY, TABLE, CHAIN, rule))
    return "\n".join(lines) + "\n"


def block(version: int, net: str, seconds: float, instead: Sequence[str] = ()) -> str:
    """Return the commands that block a network for some seconds (0: for ever), in place of others that it holds."""
    timeout = " timeout %ds" % max(int(seconds + 0.5), 1) if seconds else ""
    add = "add element %s %s %s { %s%s }\n" % (FAMILY, TABLE, SETS[version], net, timeout)
    return "".join(unblock(version, other) for other in instead) + add


def unblock(version: int, net: str) -> str:
    """Return the command that lets a network in again."""
    return "delete element %s %s %s { %s }\n" % (FAMILY, TABLE, SETS[version], net)


def carry_out(commands: str) -> None:
    """Have nft carry out commands, all or none of them. Raises TaskError."""
    run(("nft", "-f", "-"), stdin=commands.encode("ascii"), timeout=_LIMIT)
