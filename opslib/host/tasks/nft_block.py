"""Block addresses with nftables, for a time, without locking oneself out."""

from __future__ import annotations

from opslib.host.evidence.spans import ago
from opslib.host.params import Choice, Duration, ListOf
from opslib.host.plan import CREATE, MODIFY, REMOVE, Change, Plan
from opslib.host.system import firewall, sessions
from opslib.host.system.firewall import Block, Table
from opslib.host.task import Task, param
from opslib.host.web import networks
from opslib.host.web.networks import Network, net
from opslib.host.words import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

_SHOWN = 500
_SOON = 60  # seconds by which nobody cares whether a block ends earlier
_LONGEST = 10 * 365 * 86400


class NftBlock(Task, name="nft_block"):
    """Drop all packets from addresses or networks, for a time, and let them in again.

    Works in a table of its own, `inet opslib`, so that no other rule is touched. Blocked are new and established
    connections, to this host and through it. An address that is blocked already stays as it is, also as part of a
    blocked network; a network takes the place of the addresses in it that were blocked before, and is refused when it
    would let them in again sooner. After `expires` the
    kernel lets it in again by itself. Nothing survives a reboot, a flush of all rules included: run it again then.

    Refused, before anything is changed, is every address or network that holds an address from where somebody is
    logged in over ssh just now (the operator), an address of this host, one of `never`, loopback, multicast,
    link-local IPv6, and networks wider than /8 (IPv6: /16).

    data: `blocked` (`address`, `expires_seconds`, null for ever), at most 500, `blocked_count`; `packets`, how many
    were dropped so far; `operators`, from where people are logged in over ssh.

    Errors: nft is not installed, no root, a kernel without nftables. Sources: nft(8), RFC 4632.
    """

    addresses: list[str] = param(
        ListOf(Network(), empty=False),
        "Addresses and networks.",
        example=["203.0.113.7", "198.51.100.0/24", "2001:db8::/48"],
    )
    state: str = param(Choice("blocked", "open"), "Whether they are to be blocked, or let in again.", default="blocked")
    expires: float = param(
        Duration(), "Seconds after which a block ends by itself; 0 for never.", default="1d", example="12h"
    )
    never: list[str] = param(
        ListOf(Network()), "Addresses and networks that must never be blocked.", default=[], example=["10.0.0.0/8"]
    )

    def check(self) -> None:
        if self.expires > _LONGEST:
            self.refuse("expires %g s is longer than ten years; give 0 for a block without an end" % self.expires)
        if self.state != "blocked":
            return
        for one in self.addresses:
            words = networks.not_to_be_blocked(one)
            if words:
                self.refuse("%s %s; it is not blocked" % (one, words))
            forbidden = networks.touched(one, self.never)
            if forbidden:
                self.refuse(
                    "%s has addresses in common with %s, which must never be blocked (never)" % (one, forbidden[0])
                )

    def probe(self) -> dict[str, Any]:
        return {
            "table": firewall.read(),
            "operators": sorted(sessions.ssh_peers()),
            "own": sorted(sessions.own_addresses()),
        }

    def plan(self, state: dict[str, Any]) -> Plan:
        table: Table = state["table"]
        data = {
            "blocked": [{"address": one.net, "expires_seconds": one.expires} for one in table.blocks[:_SHOWN]],
            "blocked_count": len(table.blocks),
            "packets": table.packets,
            "operators": state["operators"],
        }
        if self.state == "open":
            return self._open(table, data)
        for one in self.addresses:
            for kind, words in (
                ("operators", "somebody is logged in from %s over ssh"),
                ("own", "%s is this host's own"),
            ):
                hit = networks.touched(one, state[kind])
                if hit:
                    return Plan(failure="%s would lock out: %s; nothing was blocked" % (one, words % hit[0]), data=data)
        return self._block(table, data)

    def _block(self, table: Table, data: dict[str, Any]) -> Plan:
        changes = []
        if not table.complete:
            summary = "make the table %s %s with its sets and rules" % (firewall.FAMILY, firewall.TABLE)
            changes.append(Change(kind=CREATE, summary=summary, detail=firewall.structure()))
        span = "for " + ago(self.expires) if self.expires else "for ever"
        already = []
        for one in networks.outermost(self.addresses):
            wanted = net(one)
            around = [block for block in table.blocks if networks.within(wanted, net(block.net))]
            if any(block.expires is None or self.expires for block in around):
                already.append(one)
                continue
            parts = [block for block in table.blocks if networks.within(net(block.net), wanted)]
            longer = [
                part for part in parts if self.expires and (part.expires is None or part.expires > self.expires + _SOON)
            ]
            if longer:
                left = "for ever" if longer[0].expires is None else "for another " + ago(longer[0].expires)
                words = "%s in %s is blocked %s; block all of it as long, or let that in first; nothing was blocked"
                return Plan(failure=words % (longer[0].net, one, left), data=data)
            inside = [part.net for part in parts]
            if around and not inside:  # part of a network whose block ends, and this one's is to have no end
                words = "%s is part of %s, whose block ends in %s; block that one without an end"
                return Plan(failure=words % (one, around[0].net, ago(around[0].expires or 0)), data=data)
            kind, before = (MODIFY, ", ".join(inside)) if inside else (CREATE, None)
            text = firewall.block(wanted.version, one, self.expires, inside)
            changes.append(
                Change(kind=kind, summary="block %s %s" % (one, span), before=before, after=one, detail=text)
            )
        reason = "%s blocked already" % _are(already) if not changes else ""
        return Plan(changes=changes, reason=reason, data=data)

    def _open(self, table: Table, data: dict[str, Any]) -> Plan:
        changes = []
        for one in networks.outermost(self.addresses):
            wanted = net(one)
            inside = [block for block in table.blocks if networks.within(net(block.net), wanted)]
            around = [
                block.net for block in table.blocks if block not in inside and networks.within(wanted, net(block.net))
            ]
            if around:
                words = "%s is part of %s, which is blocked as a whole; let that in, and block the rest of it"
                return Plan(failure=words % (one, around[0]), data=data)
            changes += [self._opening(block) for block in inside]
        reason = "" if changes else "%s not blocked" % _are(self.addresses)
        return Plan(changes=changes, reason=reason, data=data)

    def _opening(self, block: Block) -> Change:
        text = firewall.unblock(net(block.net).version, block.net)
        return Change(kind=REMOVE, summary="let %s in again" % block.net, before=block.net, detail=text)

    def apply(self, change: Change) -> None:
        firewall.carry_out(change.detail)


def _are(addresses: Sequence[str]) -> str:
    most = listed(list(addresses), 3)
    return "%s is" % most if len(addresses) == 1 else "%s (%s) are" % ("%d addresses" % len(addresses), most)
