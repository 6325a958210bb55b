"""Disposable, real systemd hosts on one machine, to rehearse roles and break things on.

    with Lab(hosts=3) as lab:
        lab.hosts[0].run(["systemctl", "is-system-running"])

Needs root on Linux; `requirements()` says what is missing. Containers of systemd-nspawn(1) with sshd, each with its
own network, disk and known host key.
"""

from __future__ import annotations

from .errors import LabError
from .host import LabHost
from .lab import Lab
from .processes import HostProcess
from .progress import Progress
from .registry import LabInfo
from .requirements import requirements
from .traffic import Endpoint

__all__ = ["Endpoint", "HostProcess", "Lab", "LabError", "LabHost", "LabInfo", "Progress", "requirements"]
