"""Disposable, real systemd hosts on one machine, to rehearse roles and break things on.

    with Lab(hosts=3) as lab:
        lab.hosts[0].run(["systemctl", "is-system-running"])

Needs root on Linux; `requirements()` says what is missing. The hosts are containers of systemd-nspawn(1) with sshd,
each with its own network, disk and known host key. Each name below is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import LabError
    from .host import LabHost
    from .lab import Lab
    from .needs import requirements
    from .processes import HostProcess
    from .progress import Progress
    from .registry import LabInfo
    from .traffic import Endpoint

_HOMES = {
    "Endpoint": "traffic",
    "HostProcess": "processes",
    "Lab": "lab",
    "LabError": "errors",
    "LabHost": "host",
    "LabInfo": "registry",
    "Progress": "progress",
    "requirements": "needs",
}

__all__ = ["Endpoint", "HostProcess", "Lab", "LabError", "LabHost", "LabInfo", "Progress", "requirements"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
