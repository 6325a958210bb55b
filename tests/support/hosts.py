"""What tests on lab hosts have in common: targets, a fleet, and what is left behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from opslib import Target
from opslib.lab import Lab, LabHost

MARK = "OPSLIB_RUN"


def target(lab: Lab, host: LabHost, **changes: Any) -> Target:
    """Return how to get to a lab host: as root by key, but for the changes."""
    settings: dict[str, Any] = {
        "name": host.name,
        "address": host.address,
        "user": "root",
        "identity_files": [str(lab.private_key)],
        "known_hosts": [str(lab.known_hosts)],
        "interpreter": "/usr/bin/python3",
    }
    return Target(**{**settings, **changes})


def left_behind(host: LabHost) -> list[str]:
    """Return the processes on a host that a run of ours started: by mark, or by what the payload's Python looks like."""
    return [
        " ".join(process.command)
        for process in host.pids()
        if MARK in process.environ or "opslib-payload" in " ".join(process.command)
    ]


def eventually(true: Callable[[], bool], seconds: float = 15) -> bool:
    """Wait until something is true; return whether it became so in time."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if true():
            return True
        time.sleep(0.05)
    return true()
