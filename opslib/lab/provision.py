"""What a lab gets before its hosts boot: keys, layers, disks, and the files by which its hosts are found."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import disk, seed
from .host import LabHost
from .inventory import ansible_inventory, known_hosts_line, ssh_config
from .state import LabState

__all__ = ["allow_inotify", "pool", "prepare", "write_files"]

_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_WANTED = 8192
_INOTIFY_FROM_HOSTS = 15


def pool() -> ThreadPoolExecutor:
    """Threads for work on several hosts at a time, bounded by what this machine has."""
    return ThreadPoolExecutor(max(4, 2 * (os.cpu_count() or 1)), thread_name_prefix="lab")


def prepare(state: LabState, image: Path) -> None:
    """Make the lab's key pair, and per host its layers and its empty disk over the unpacked image."""
    seed.lab_seed(state, image, seed.keypair(state.private_key, "opslib-lab"))

    def prepare_host(number: int) -> None:
        seed.host_seed(state, number, image)
        disk.provide(state, number, image)

    with pool() as threads:
        list(threads.map(prepare_host, range(1, state.spec.hosts + 1)))


def write_files(state: LabState, hosts: Sequence[LabHost]) -> None:
    """Write known_hosts, the OpenSSH configuration and the Ansible inventory of the lab."""
    addresses = {host.name: host.address for host in hosts}
    lines = [known_hosts_line([host.address, host.name], host.host_key) for host in hosts]
    state.known_hosts.write_text("".join(lines))
    for path, text in ((state.ssh_config, ssh_config), (state.inventory, ansible_inventory)):
        path.write_text(text(addresses, user="root", private_key=state.private_key, known_hosts=state.known_hosts))


def allow_inotify(hosts: int) -> None:
    """Raise the kernel's limit of inotify instances per user (128), which many hosts of one machine exceed."""
    if hosts > _INOTIFY_FROM_HOSTS and int(_INOTIFY.read_text()) < _INOTIFY_WANTED:
        _INOTIFY.write_text(f"{_INOTIFY_WANTED}\n")
