"""What ssh(1) must be told so that it gets to targets the way our own carrier does.

For each target there is a `Host` block under its inventory name. What the user's own configuration says of the target's
address is asked of `ssh -G` and copied, since blocks of that file match addresses, not inventory names.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from opslib.errors import InventoryError
from opslib.target import Target

__all__ = ["askpass", "configuration"]

_CHECKING = {"strict": "yes", "accept-new": "accept-new", "off": "no"}
_COPIED = frozenset(
    [
        "addressfamily",
        "bindaddress",
        "certificatefile",
        "ciphers",
        "forwardagent",
        "globalknownhostsfile",
        "gssapiauthentication",
        "hostkeyalgorithms",
        "hostkeyalias",
        "hostname",
        "identitiesonly",
        "identityagent",
        "identityfile",
        "kexalgorithms",
        "macs",
        "port",
        "preferredauthentications",
        "proxycommand",
        "proxyjump",
        "pubkeyacceptedalgorithms",
        "user",
        "userknownhostsfile",
    ]
)
_ASKPASS = r"""#!/bin/sh
# Answers ssh's question for one host's password; the passwords are in the environment.
exec "$OPSLIB_PYTHON" -ISc '
import json, os, re, sys
asked = re.match(r"\(?([^@\s]+@\S+?)(?:\)|.s password:)", sys.argv[1])
print(json.loads(os.environ["OPSLIB_PASSWORDS"]).get(asked[1] if asked else "", ""))
' "$1"
"""


def configuration(targets: Sequence[Target], folder: Path) -> str:
    """Return a configuration for `ssh -F` that leads to targets by their names; connections are shared for a while.

    folder: private, for sockets and for host keys that are accepted. Raises InventoryError for a target that ssh cannot
    be told of.
    """
    blocks = [_block(target, folder) for target in targets if target.carrier == "ssh"]
    blocks += [_hop_block(hop, target, folder) for target in targets for hop in _hops(target)]
    shared = ["Host *", "  LogLevel ERROR", "  ControlMaster auto", "  ControlPersist 5"]
    shared.append(f'  ControlPath {_quoted(folder)[:-1]}/%C"')
    configs = dict.fromkeys(target.ssh_config or "~/.ssh/config" for target in targets)
    shared += [f"  Include {_quoted(path)}" for path in configs]  # for gateways
    return "\n".join("\n".join(lines) for lines in [*blocks, shared]) + "\n"


def askpass(targets: Sequence[Target], folder: Path) -> dict[str, str]:
    """Return the environment through which ssh learns passwords: neither an argument nor a file holds them.

    folder: private, for the program that answers ssh.
    """
    known = _passwords(targets)
    if not known:
        return {}
    script = folder / "askpass"
    script.touch(mode=0o700)
    script.write_text(_ASKPASS, encoding="utf-8")
    return {
        "SSH_ASKPASS": str(script),
        "SSH_ASKPASS_REQUIRE": "force",
        "OPSLIB_PASSWORDS": json.dumps(known),
        "OPSLIB_PYTHON": sys.executable,
    }


def _passwords(targets: Sequence[Target]) -> dict[str, str]:
    """Return passwords by what ssh calls a host when it asks: USER@HOST."""
    found = {}
    for target in targets:
        if target.password:
            known = dict(_known_to_ssh(target))
            found[f"{target.user or known['user']}@{known.get('hostkeyalias') or known['hostname']}"] = target.password
    return found


def _block(target: Target, folder: Path) -> list[str]:
    if not target.name.isascii() or not all(char.isalnum() or char in "._-" for char in target.name):
        raise InventoryError(f"{target.name!r}: a host's name may hold letters, digits, '.', '_' and '-' only here")
    rows = [
        *_own(target, folder),
        ("port", target.port),
        ("user", target.user),
        ("proxyjump", target.gateway),
        ("batchmode", None if target.password else "yes"),
        ("numberofpasswordprompts", 1),
    ]
    given = {key for key, value in rows if value}
    if target.gateway:
        given |= {"proxycommand"}
    rows += [(key, value) for key, value in _known_to_ssh(target) if key not in given or key == "identityfile"]
    return [f"Host {target.name}", *(f"  {key} {value}" for key, value in rows if value)]


def _hop_block(hop: str, target: Target, folder: Path) -> list[str]:
    return [f"Host {hop}", *(f"  {key} {value}" for key, value in _own(target, folder) if value)]


def _own(target: Target, folder: Path) -> list[tuple[str, object]]:
    """Return what holds for a target and for the gateways that lead to it: keys, and which host keys are trusted."""
    rows: list[tuple[str, object]] = [("identityfile", _quoted(path)) for path in target.identity_files]
    rows.append(("stricthostkeychecking", _CHECKING[target.host_keys]))
    if target.host_keys == "off":
        return [*rows, ("userknownhostsfile", os.devnull), ("globalknownhostsfile", os.devnull)]
    files = list(target.known_hosts)
    if target.host_keys == "accept-new":  # ssh writes to the first; what is accepted is accepted for this run
        files = [str(folder / "known_hosts"), *(files or ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"])]
    if files:
        rows.append(("userknownhostsfile", " ".join(map(_quoted, files))))
    if target.known_hosts:
        rows.append(("globalknownhostsfile", os.devnull))
    return rows


def _hops(target: Target) -> Iterator[str]:
    for hop in (target.gateway or "").split(","):
        name = hop.strip().rpartition("@")[2]
        name = name[1:].partition("]")[0] if name.startswith("[") else name.rpartition(":")[0] or name
        if name and name.lower() != "none":
            yield name


def _known_to_ssh(target: Target) -> Iterable[tuple[str, str]]:
    """Yield what the user's configuration says of a target's address."""
    config = ["-F", os.path.expanduser(target.ssh_config)] if target.ssh_config else []
    command = ["ssh", *config, "-G", "--", target.address or target.name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise InventoryError(f"{target.name}: ssh has no use for its address: {done.stderr.strip()}")
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        if key in _COPIED and value and value != "none":
            yield key, value


def _quoted(path: str | Path) -> str:
    text = os.path.expanduser(path)
    if not text.isprintable() or '"' in text:
        raise InventoryError(f"{text!r}: ssh's configuration cannot hold such a path")
    return '"' + text.replace("%", "%%") + '"'
