"""What this machine must have before a lab can be booted on it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from . import cgroup
from .command import PLAIN_ENVIRONMENT
from .errors import LabError

__all__ = ["missing", "require", "requirements"]

TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "flock": "util-linux",
    "setsid": "util-linux",
    "setpriv": "util-linux",
    "mount": "mount",
    "ssh-keygen": "openssh-client",
    "tar": "tar",
    "zstd": "zstd",
}
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21


def requirements() -> list[str]:
    """Find what is missing on this machine to boot a lab, as sentences; empty when nothing is."""
    return missing(
        euid=os.geteuid(),
        capabilities=_capabilities(Path("/proc/self/status").read_text()),
        has_tool=lambda name: shutil.which(name, path=PLAIN_ENVIRONMENT["PATH"]) is not None,
        has_keyring=KEYRING.exists(),
        has_overlay=_has_overlay(),
        has_namespaces=all(Path("/proc/self/ns", name).exists() for name in ("net", "pid", "mnt", "uts", "ipc")),
        has_cgroups=bool(cgroup.hierarchies()),
    )


def require() -> None:
    """Raise LabError with all that is missing."""
    if sentences := requirements():
        raise LabError(" ".join(sentences))


def missing(
    *,
    euid: int,
    capabilities: int,
    has_tool: Callable[[str], bool],
    has_keyring: bool,
    has_overlay: bool,
    has_namespaces: bool,
    has_cgroups: bool,
) -> list[str]:
    """Write the sentences for a machine that is as described."""
    sentences = []
    if euid != 0:
        sentences.append("A lab needs root: run this as root or with sudo.")
    elif not all(capabilities >> bit & 1 for bit in (CAP_NET_ADMIN, CAP_SYS_ADMIN)):
        sentences.append(
            "This root may not mount or make network links (CAP_SYS_ADMIN, CAP_NET_ADMIN): "
            "run outside the container, or in a privileged one."
        )
    absent = [name for name in TOOLS if not has_tool(name)]
    packages = sorted({TOOLS[name] for name in absent} | (set() if has_keyring else {"debian-archive-keyring"}))
    if packages:
        what = ", ".join([*absent, *([] if has_keyring else ["Debian's archive keys"])])
        sentences.append(f"Not installed: {what}. Run `apt-get install {' '.join(packages)}`.")
    if not has_overlay:
        sentences.append("The kernel has no overlay file system: run `modprobe overlay` or use another kernel.")
    if not has_namespaces:
        sentences.append("The kernel has no network, PID or mount namespaces: use another kernel.")
    if not has_cgroups:
        sentences.append("No cgroup2 file system is mounted: run `mount -t cgroup2 cgroup2 /sys/fs/cgroup`.")
    return sentences


def _capabilities(status: str) -> int:
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def _has_overlay() -> bool:
    if "\toverlay\n" in Path("/proc/filesystems").read_text():
        return True
    release = os.uname().release
    return any(Path("/lib/modules", release).rglob("overlay.ko*"))
