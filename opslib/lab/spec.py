"""What is asked of a lab, checked before anything is touched."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from .errors import LabError

__all__ = ["MAX_HOSTS", "Bind", "LabSpec", "check_name"]

MAX_HOSTS = 250
"""A lab has a /24 network: 254 addresses, of which the machine itself takes one."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_DISK = re.compile(r"([1-9][0-9]{0,5})([MG])")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_SMALLEST_DISK = 32


@dataclass(frozen=True, slots=True)
class Bind:
    """A path of this machine that hosts see at `target`; they may write there only when `writable`."""

    source: str
    target: str
    writable: bool


@dataclass(frozen=True, slots=True)
class LabSpec:
    """A lab to boot.

    hosts: how many, from 1 to 250.
    packages: Debian packages on top of the image's own.
    layers: folders whose contents lie over the image, the first one uppermost.
    disk: size of the writable layer of each host, in tmpfs terms (512M, 2G).
    suite: Debian release.
    network: private range in which the lab takes a free /24.
    """

    hosts: int
    packages: tuple[str, ...]
    binds: tuple[Bind, ...]
    disk: str
    suite: str
    network: str
    layers: tuple[str, ...] = ()

    @classmethod
    def checked(
        cls,
        *,
        hosts: int,
        packages: Sequence[str],
        binds: Mapping[str | os.PathLike[str], str],
        disk: str,
        suite: str,
        network: str,
        layers: Sequence[str | os.PathLike[str]] = (),
    ) -> LabSpec:
        """Return the specification, or LabError with the value that is wrong."""
        if isinstance(hosts, bool) or not isinstance(hosts, int) or not 1 <= hosts <= MAX_HOSTS:
            raise LabError(f"hosts={hosts!r}: give a number from 1 to {MAX_HOSTS}")
        if isinstance(packages, str):
            raise LabError(f"packages={packages!r}: give a list of names")
        for package in packages:
            _match(_PACKAGE, package, "packages", "a Debian package name")
        _match(re.compile("[a-z]+"), suite, "suite", "a Debian release name such as bookworm")
        size = _match(_DISK, disk, "disk", "a size such as 512M or 2G")
        if int(size[1]) * (1024 if size[2] == "G" else 1) < _SMALLEST_DISK:
            raise LabError(f"disk={disk!r}: a host does not boot on less than {_SMALLEST_DISK}M")
        _check_network(network)
        return cls(
            hosts=hosts,
            packages=tuple(sorted(set(packages))),
            binds=tuple(_bind(source, target) for source, target in binds.items()),
            disk=disk,
            suite=suite,
            network=network,
            layers=tuple(_layer(folder) for folder in layers),
        )


def check_name(name: str) -> str:
    """Return `name` when it can be the name of a lab; LabError when not (it becomes a folder's name)."""
    _match(_NAME, name, "name", "up to 32 of a-z, 0-9 and '-', beginning with a letter or digit")
    return name


def _match(pattern: re.Pattern[str], value: object, what: str, wanted: str) -> re.Match[str]:
    found = pattern.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise LabError(f"{what}={value!r}: give {wanted}")
    return found


def _layer(folder: str | os.PathLike[str]) -> str:
    path = Path(folder)
    if not path.is_absolute() or not path.is_dir() or any(sign in str(path) for sign in ",:\\\n"):
        raise LabError(f"layers: {str(path)!r}: give an existing folder by its absolute path, without , : or backslash")
    return str(path)


def _check_network(network: str) -> None:
    try:
        parsed = IPv4Network(network)
    except ValueError as error:
        raise LabError(f"network={network!r}: {error}") from error
    if not parsed.is_private or parsed.is_loopback or parsed.is_link_local or parsed.prefixlen > 24:
        raise LabError(f"network={network!r}: give a private IPv4 range of at least a /24, such as 10.203.0.0/16")


def _bind(source: str | os.PathLike[str], target: str) -> Bind:
    path, (inside, _, mode) = Path(source), target.partition(":")
    where = f"binds: {str(source)!r} -> {target!r}"
    if _UNPRINTABLE.search(f"{path}{target}"):
        raise LabError(f"{where}: control characters are not allowed in paths")
    if mode not in ("", "rw", "ro"):
        raise LabError(f"{where}: after the colon only ro (default) or rw can stand")
    if not path.is_absolute() or not path.exists():
        raise LabError(f"{where}: {path} is no existing absolute path of this machine")
    parts = Path(inside).parts
    if not inside.startswith("/") or len(parts) < 2 or ".." in parts:
        raise LabError(f"{where}: the target must be an absolute path below / without '..'")
    return Bind(str(path), inside, mode == "rw")
