"""Processes of this machine and of the hosts, as the kernel shows them (proc(5), pid_namespaces(7))."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["HostProcess", "Owner", "bounding_set", "in_namespace_of", "inner_pid", "zombie"]

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that cannot be mistaken for a later one with the same number.

    start: clock ticks since boot at which it started (field 22 of /proc/PID/stat).
    boot: the kernel's boot id.
    """

    pid: int
    start: int
    boot: str

    @classmethod
    def current(cls) -> Owner:
        """Return the calling process."""
        return cls(os.getpid(), _start(os.getpid()) or 0, boot_id())

    def alive(self) -> bool:
        """Whether that very process still runs."""
        return self.boot == boot_id() and _start(self.pid) == self.start and not zombie(self.pid)


@dataclass(frozen=True, slots=True)
class HostProcess:
    """One process of a host.

    pid: its number inside the host.
    outer_pid: its number on this machine.
    command: its argument list; empty for a zombie.
    environ: its environment as it was at the start.
    """

    pid: int
    outer_pid: int
    command: tuple[str, ...]
    environ: Mapping[str, str]


def boot_id() -> str:
    """Return the id that the kernel gave itself when it booted."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def inner_pid(pid: int) -> int | None:
    """Return the number of process `pid` in its innermost PID namespace, or None when it is gone."""
    for line in _read(pid, "status").splitlines():
        if line.startswith(b"NSpid:"):
            return int(line.split()[-1])
    return None


def bounding_set(pid: int) -> str:
    """Tell what process `pid` may at most (capabilities(7)), as setpriv(1) takes it; nothing when it is gone."""
    for line in _read(pid, "status").splitlines():
        if line.startswith(b"CapBnd:"):
            bits = int(line.split()[1], 16)
            return ",".join(["-all", *(f"+cap_{bit}" for bit in range(bits.bit_length()) if bits >> bit & 1)])
    return "-all"


def in_namespace_of(leader: int) -> list[HostProcess]:
    """All processes that share the PID namespace of `leader`, by inner number."""
    wanted = _namespace(leader)
    found = []
    for entry in PROC.iterdir():
        if wanted is None or not entry.name.isdigit() or _namespace(int(entry.name)) != wanted:
            continue
        pid = int(entry.name)
        inner = inner_pid(pid)
        if inner is not None:
            command = tuple(_texts(_read(pid, "cmdline")))
            pairs = (text.partition("=") for text in _texts(_read(pid, "environ")))
            found.append(HostProcess(inner, pid, command, {name: value for name, _, value in pairs}))
    return sorted(found, key=lambda process: process.pid)


def zombie(pid: int) -> bool:
    """Whether process `pid` is dead and only waits to be collected by its parent."""
    return _stat(pid)[:1] == [b"Z"]


def _start(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[19]) if fields else None


def _stat(pid: int) -> list[bytes]:
    """Return the fields of /proc/PID/stat from the third (state) on: the second may hold blanks and brackets."""
    return _read(pid, "stat").rpartition(b")")[2].split()


def _namespace(pid: int) -> str | None:
    try:
        return str((PROC / str(pid) / "ns/pid").readlink())
    except OSError:
        return None


def _read(pid: int, name: str) -> bytes:
    try:
        return (PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""


def _texts(raw: bytes) -> list[str]:
    return [part.decode(errors="surrogateescape") for part in raw.split(b"\0")[:-1]]
