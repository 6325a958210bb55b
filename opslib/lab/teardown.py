"""Take a lab down by what its state says, from any process and as often as one likes."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from . import image, machine, network, places
from .cgroup import ControlGroup
from .errors import LabError
from .places import locked, remove_tree
from .processes import PROC, inner_pid
from .state import LabState, existing, load

__all__ = ["sweep", "tear_down"]


def tear_down(state: LabState) -> None:
    """Kill the lab's hosts and remove its links, mounts and folder. Nothing happens when that was done before.

    Raises LabError when something could not be removed; then the state stays, for another try.
    """
    with locked(places.RUN / ".teardown.lock"):
        current = load(state.folder)
        if current is None or current.id != state.id:
            return
        _kill(state)
        network.remove_all(state)
        places.unmount_below(state.folder)
        image.give_back(state.image, state.id)
        remove_tree(state.folder)


def sweep() -> list[str]:
    """Tear down the labs whose owner died without doing so; returns their names."""
    swept = []
    for state in existing():
        if not state.alive():
            tear_down(state)
            swept.append(state.name)
    return swept


def _kill(state: LabState) -> None:
    _kill_strays(state)
    group = ControlGroup(state.control_group)
    for pid in group.leaders():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: machine.power_off(state, number, None), range(1, state.spec.hosts + 1)))
    group.kill()
    if not group.empty(10):
        raise LabError(f"processes of lab {state.name} do not die: {group.pids()}")
    group.remove()


def _kill_strays(state: LabState) -> None:
    """Kill programs of the lab that its owner, dying, had not yet moved into the lab's control group."""
    mark = f"opslib-{state.id}-".encode()
    inside = set(ControlGroup(state.control_group).pids())
    for entry in PROC.iterdir():
        if not entry.name.isdigit() or int(entry.name) in inside:
            continue
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if words[0] in (b"flock", b"setsid", b"systemd-nspawn") and any(mark in word for word in words):
                children = (entry / "task" / entry.name / "children").read_text().split()
                # As ever: the container first, which would survive systemd-nspawn.
                for pid in [*(int(child) for child in children if inner_pid(int(child)) == 1), int(entry.name)]:
                    os.kill(pid, signal.SIGKILL)
