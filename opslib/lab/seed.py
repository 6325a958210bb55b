"""Layers between the image and a host's own: what makes the lab's hosts differ from the image and from each other.

They are read-only lower layers of the overlay, so that a reset gives the same host again, with the same keys.
"""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

from .command import call
from .customise import USERS
from .state import LabState

__all__ = ["host_seed", "keypair", "lab_seed"]

_HASH = r'use strict; my ($p, $s) = split /\n/, do { local $/; <STDIN> }; print crypt($p, "\$6\$$s\$");'


def keypair(path: Path, comment: str) -> str:
    """Make an ed25519 key pair at `path` and return the public part as `ssh-ed25519 AAAA…`."""
    call(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def lab_seed(state: LabState, image: Path, public_key: str) -> None:
    """Write the layer that all hosts of the lab share: authorised keys, the password of `pat`, names of the hosts."""
    seed = state.folder / "seed"
    for home in ("root", *(f"home/{user}" for user in USERS)):
        owner = (image / home).stat()
        folder = _folder_like(image, seed, home)
        ssh = folder / ".ssh"
        ssh.mkdir(mode=0o700)
        keys = ssh / "authorized_keys"
        _write(keys, f"{public_key} opslib-lab\n", 0o600)
        for path in (ssh, keys):
            shutil.chown(path, owner.st_uid, owner.st_gid)
    _write_shadow(state, image, seed)
    hosts = ["127.0.0.1 localhost", f"{state.gateway} controller"]
    hosts += [f"{state.address(number)} {state.host_name(number)}" for number in range(1, state.spec.hosts + 1)]
    _write(seed / "etc/hosts", "\n".join([*hosts, ""]))


def host_seed(state: LabState, number: int, image: Path) -> str:
    """Write the layer of one host: name, machine id, host key. Returns the public host key."""
    seed = host_folder(state, number) / "seed"
    ssh = _folder_like(image, seed, "etc/ssh")
    _write(seed / "etc/hostname", f"{state.host_name(number)}\n")
    _write(seed / "etc/machine-id", f"{uuid.uuid4().hex}\n", 0o444)
    return keypair(ssh / "ssh_host_ed25519_key", f"root@{state.host_name(number)}")


def host_folder(state: LabState, number: int) -> Path:
    """Return the folder of one host within the lab's."""
    return state.folder / state.host_name(number)


def _write_shadow(state: LabState, image: Path, seed: Path) -> None:
    # The image's own perl, which every Debian has: crypt left Python's library in 3.13.
    salt = uuid.uuid4().hex[:16]
    hashed = call(
        ["chroot", str(image), "perl", "-e", _HASH], data=f"{state.sudo_password}\n{salt}\n".encode()
    ).decode()
    original = image / "etc/shadow"
    _folder_like(image, seed, "etc")
    shadow = seed / "etc/shadow"
    lines = original.read_text().splitlines()
    shadow.touch(0o600)
    shadow.write_text(
        "".join(f"{line.replace(':*:', f':{hashed}:', 1) if line.startswith('pat:') else line}\n" for line in lines)
    )
    shutil.chown(shadow, original.stat().st_uid, original.stat().st_gid)
    shutil.copymode(original, shadow)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.write_text(text)
    path.chmod(mode)  # whatever our umask


def _folder_like(image: Path, seed: Path, name: str) -> Path:
    """Make the folder `name` in the layer, it and its parents owned and permitted as in the image."""
    source, target = image, seed
    for part in ("", *Path(name).parts):
        source, target = source / part, target / part
        if not target.exists():
            target.mkdir(parents=True)
            shutil.chown(target, source.stat().st_uid, source.stat().st_gid)
            shutil.copymode(source, target)
    return target
