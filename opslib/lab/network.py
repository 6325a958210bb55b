"""The lab's network: a bridge on this machine, and per host a namespace with one link to it (ip(8), veth(4))."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path

from .command import call
from .errors import LabError
from .state import LabState

__all__ = ["attach", "create_bridge", "detach", "remove_all", "set_link", "taken_networks", "unused_subnet"]

_LINKS = Path("/sys/class/net")
_NAMESPACES = Path("/run/netns")


def unused_subnet(range_: str, taken: Iterable[IPv4Network]) -> IPv4Network:
    """Choose the first /24 of `range_` that overlaps with none of `taken`.

    Raises LabError when there is none.
    """
    occupied = list(taken)
    for subnet in IPv4Network(range_).subnets(new_prefix=24):
        if not any(subnet.overlaps(other) for other in occupied):
            return subnet
    raise LabError(f"no free /24 network in {range_}: stop another lab, or give another private range as network=")


def taken_networks() -> list[IPv4Network]:
    """Networks that this machine has an address in or a route to; default routes don't count."""
    found = []
    for entry in json.loads(call(["ip", "-json", "-4", "route", "show", "table", "all"]) or b"[]"):
        with suppress(ValueError, KeyError):  # "default" and such
            network = IPv4Network(entry["dst"], strict=False)
            if network.prefixlen > 1:
                found.append(network)
    return found


def create_bridge(state: LabState) -> None:
    """Make the lab's bridge and give this machine its address there."""
    # Its own hardware address: otherwise it takes that of a port and changes when ports come and go.
    _batch(
        f"link add {state.bridge} address {_mac(state, 0)} type bridge stp_state 0 forward_delay 0",
        f"address add {state.gateway}/24 dev {state.bridge}",
        f"link set {state.bridge} up",
    )


def attach(state: LabState, number: int) -> None:
    """Give a host a fresh network: namespace, link, address and a default route to this machine.

    The hardware address is always the same one, so neighbours need not learn a new one after a reboot.
    """
    detach(state, number)
    namespace, link, address = state.namespace(number), state.link(number), state.address(number)
    _batch(
        f"netns add {namespace}",
        f"link add {link} type veth peer name eth0 address {_mac(state, number)} netns {namespace}",
        f"link set {link} master {state.bridge} up",
    )
    _batch(
        "link set lo up",
        f"address add {address}/24 broadcast + dev eth0",
        "link set eth0 up",
        f"route add default via {state.gateway}",
        namespace=namespace,
    )


def detach(state: LabState, number: int) -> None:
    """Take a host's network away; nothing happens when it has none."""
    # The link is deleted by name: a namespace goes away late, whenever the last reference to it does.
    if (_LINKS / state.link(number)).exists():
        call(["ip", "link", "delete", state.link(number)])
    if (_NAMESPACES / state.namespace(number)).exists():
        call(["ip", "netns", "delete", state.namespace(number)])


def set_link(state: LabState, number: int, up: bool) -> None:
    """Plug or unplug a host's network cable, at the end of this machine."""
    call(["ip", "link", "set", state.link(number), "up" if up else "down"])


def remove_all(state: LabState) -> None:
    """Remove every link and network namespace of the lab, found by name.

    Raises LabError when one is left.
    """
    links = [f"link delete {path.name}" for path in _LINKS.glob(f"{state.bridge}-*")]
    bridge = [f"link delete {state.bridge}"] if (_LINKS / state.bridge).exists() else []
    namespaces = [f"netns delete {path.name}" for path in _NAMESPACES.glob(f"opslib-{state.id}-*")]
    failure: LabError | None = None
    try:
        _batch(*links, *bridge, *namespaces, force=True)
    except LabError as error:
        failure = error
    if any(_LINKS.glob(f"{state.bridge}*")) or any(_NAMESPACES.glob(f"opslib-{state.id}-*")):
        raise LabError(f"network links of lab {state.name} are left") from failure


def _mac(state: LabState, number: int) -> str:
    """Make a locally administered hardware address (IEEE 802) of the lab's id and the host's number."""
    digits = state.id
    return f"02:0b:{digits[0:2]}:{digits[2:4]}:{digits[4:6]}:{number:02x}"


def _batch(*lines: str, namespace: str | None = None, force: bool = False) -> None:
    if lines:
        options = ["-netns", namespace] if namespace else []
        options += ["-force"] if force else []
        call(["ip", *options, "-batch", "-"], data="".join(f"{line}\n" for line in lines).encode())
