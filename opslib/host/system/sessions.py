"""From where people are logged in over ssh, and which addresses are this host's own.

Sources: proc_pid_net(5), sshd(8) (SSH_CONNECTION), the kernel's fib_trie, proc_pid_environ(5).
"""

from __future__ import annotations

import os
import sys

from . import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable

_ESTABLISHED = "01"
_DEEPEST = 64


def ssh_peers() -> set[str]:
    """Return the addresses that established connections to sshd come from, and the one that we were started from."""
    import ipaddress

    found = peers(_sshd_sockets())
    for pid in _ancestors():
        for entry in processes.read(pid, "environ", 1 << 18).split(b"\0"):
            if entry.startswith((b"SSH_CONNECTION=", b"SSH_CLIENT=")):
                found.add(entry.partition(b"=")[2].split(b" ")[0].decode("ascii", "replace"))
    good = set()
    for address in found:
        try:
            one = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            continue
        good.add(str(getattr(one, "ipv4_mapped", None) or one))
    return good


def peers(inodes: set[str], tables: Iterable[tuple[str, Iterable[str]]] | None = None) -> set[str]:
    """Return the other ends of established TCP connections whose sockets have these inodes."""
    found = set()
    for name, lines in tables if tables is not None else _tables():
        for line in lines:
            fields = line.split(None, 10)
            if len(fields) > 9 and fields[3] == _ESTABLISHED and fields[9] in inodes:
                found.add(address(fields[2].partition(":")[0], name == "tcp6"))
    return found


def address(digits: str, six: bool) -> str:
    """Return an address as /proc/net/tcp writes it (32-bit words in the machine's byte order) in the usual form."""
    import socket

    raw = bytes.fromhex(digits)
    if sys.byteorder == "little":
        raw = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    return socket.inet_ntop(socket.AF_INET6 if six else socket.AF_INET, raw)


def own_addresses() -> set[str]:
    """Return the addresses of this host."""
    import socket

    found = set()
    before = ""
    for line in _read("/proc/net/fib_trie").splitlines():
        words = line.split()
        if words[:3] == ["/32", "host", "LOCAL"]:
            found.add(before)
        elif len(words) > 1 and words[0] in ("|--", "+--"):
            before = words[1].partition("/")[0]
    for line in _read("/proc/net/if_inet6").splitlines():
        found.add(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line.split()[0])))
    return found


def _sshd_sockets() -> set[str]:
    inodes = set()
    for pid in processes.pids():
        if not processes.read(pid, "comm", 64).startswith(b"sshd"):
            continue
        folder = "/proc/%d/fd" % pid
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            try:
                target = os.readlink(folder + "/" + name)
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    return inodes


def _ancestors() -> list[int]:
    found: list[int] = []
    pid = os.getpid()
    while pid > 1 and len(found) < _DEEPEST:
        found.append(pid)
        fields = processes.read(pid, "stat", 4096).rpartition(b") ")[2].split()
        pid = int(fields[1]) if len(fields) > 1 else 0
    return found


def _tables() -> list[tuple[str, list[str]]]:
    return [(name, _read("/proc/net/" + name).splitlines()) for name in ("tcp", "tcp6")]


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(8 << 20)
    except OSError:
        return ""
