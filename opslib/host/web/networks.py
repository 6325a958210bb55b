"""Addresses and networks as parameters, and how networks lie to each other. Source: RFC 4632, RFC 4291."""

from __future__ import annotations

from opslib.host.params import ParamError, Text, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network
    from typing import Iterable, Sequence, Union

    Net = Union[IPv4Network, IPv6Network]

_WIDEST = {4: 8, 6: 16}


class Network(Text):
    """An IP address, or a network such as 203.0.113.0/24. Canonical: without the length where it is one address."""

    def __init__(self) -> None:
        super().__init__("IP address, or network such as 203.0.113.0/24")

    def check(self, value: str) -> str:
        import ipaddress

        try:
            if len(value) > 50 or "%" in value:
                raise ValueError
            net = ipaddress.ip_network(value)
        except ValueError:
            hint = ""
            try:
                hint = "; the network is %s" % ipaddress.ip_network(value, strict=False) if "%" not in value else ""
            except ValueError:
                pass
            raise ParamError("%s is no %s%s" % (shown(value), self.label, hint)) from None
        mapped = getattr(net.network_address, "ipv4_mapped", None)
        if mapped is not None and net.prefixlen >= 96:
            net = ipaddress.ip_network("%s/%d" % (mapped, net.prefixlen - 96))
        return text(net)


def net(value: str) -> Net:
    """Return an address or network as an object."""
    import ipaddress

    return ipaddress.ip_network(value, strict=False)


def text(net: Net) -> str:
    """Return a network as text, an address without its length."""
    return str(net.network_address) if net.prefixlen == net.max_prefixlen else str(net)


def within(one: Net, other: Net) -> bool:
    """Whether a network is another, or a part of it."""
    return one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]


def overlap(one: Net, other: Net) -> bool:
    """Whether two networks have an address in common."""
    return one.version == other.version and one.overlaps(other)


def outermost(values: Iterable[str]) -> list[str]:
    """Return networks without those that are part of another of them, in their order."""
    kept: list[Net] = []
    nets = [net(value) for value in values]
    for one in nets:
        if not any(one != other and within(one, other) for other in nets) and one not in kept:
            kept.append(one)
    return [text(one) for one in kept]


def not_to_be_blocked(value: str) -> str:
    """Return why a network must never be blocked as a source, or an empty string."""
    one = net(value)
    if one.prefixlen < _WIDEST[one.version]:
        return "is wider than /%d" % _WIDEST[one.version]
    if one.is_loopback or overlap(one, net("127.0.0.0/8" if one.version == 4 else "::1")):
        return "is this host itself (loopback)"
    if one.is_unspecified or one.is_multicast:
        return "is no address that anybody sends from"
    if one.version == 6 and overlap(one, net("fe80::/10")):
        return "is link-local: IPv6 does not work without it"
    return ""


def touched(value: str, others: Sequence[str]) -> list[str]:
    """Return which of some networks have addresses in common with one."""
    one = net(value)
    return [other for other in others if overlap(one, net(other))]
