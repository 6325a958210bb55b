"""Which labs exist on this machine, and the entry of a new one among them."""

from __future__ import annotations

import secrets
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Network

from . import network, places
from .errors import LabError
from .places import locked
from .processes import Owner, boot_id
from .spec import LabSpec
from .state import LabState, existing, load
from .teardown import sweep

__all__ = ["LabInfo", "enrol", "find", "infos"]


@dataclass(frozen=True, slots=True)
class LabInfo:
    """What `Lab.list` says of a lab.

    hosts: how many. network: its /24. created: seconds since the epoch. detached: whether it outlives its maker.
    alive: False when its owner died, or the machine rebooted, and nobody has tidied up yet.
    """

    name: str
    hosts: int
    network: str
    created: float
    detached: bool
    alive: bool


def infos() -> list[LabInfo]:
    """All labs on this machine, by name."""
    return [
        LabInfo(state.name, state.spec.hosts, state.subnet, state.created, state.keep, state.alive())
        for state in existing()
    ]


def find(name: str) -> LabState:
    """Find the lab of this name, or LabError naming those there are."""
    state = load(places.RUN / name)
    if state is None or not state.alive():
        names = ", ".join(info.name for info in infos() if info.alive) or "none"
        raise LabError(f"no lab called {name!r} runs on this machine; running: {names}")
    return state


def enrol(spec: LabSpec, name: str | None, image_key: str, keep: bool) -> LabState:
    """Sweep dead labs, then choose what the new lab needs for itself (name, id, network) and write that down.

    Raises LabError when the name is in use or no network is free.
    """
    places.RUN.mkdir(mode=0o755, parents=True, exist_ok=True)
    with locked(places.RUN / ".lock"):
        with suppress(LabError):  # a corpse that cannot be buried keeps its links, and so its network
            sweep()
        others = list(existing())
        taken = network.taken_networks() + [IPv4Network(other.subnet) for other in others]
        id_ = next(token for token in iter(lambda: secrets.token_hex(3), None) if token not in {o.id for o in others})
        name = f"lab-{id_}" if name is None else name
        folder = places.RUN / name
        if folder.exists():
            raise LabError(f"a lab called {name!r} exists: stop it, or choose another name")
        state = LabState(
            name=name,
            id=id_,
            spec=spec,
            subnet=str(network.unused_subnet(spec.network, taken)),
            image=image_key,
            sudo_password=secrets.token_urlsafe(12),
            keep=keep,
            owner=Owner.current(),
            boot=boot_id(),
            created=time.time(),
            folder=folder,
        )
        # Written aside, so that a folder without a state is never seen.
        aside = folder.with_name(f".{name}.new")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700)
        replace(state, folder=aside).save()
        aside.rename(folder)
        return state
