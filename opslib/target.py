"""A host as a carrier sees it: where it is, and how to get in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from opslib.step import Become

__all__ = ["HostKeyPolicy", "Target"]

HostKeyPolicy = Literal["strict", "accept-new", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One host to work on.

    name: its name in the inventory; carrier: `ssh` or `local`; address, port, user, identity_files: as in ssh(1),
    None or empty means what `~/.ssh/config` and ssh's defaults say; password: of the user; gateway: a ProxyJump
    specification (`[user@]host[:port]`, several separated by commas), "none" for no gateway whatever the
    configuration says; ssh_config: another configuration file; known_hosts: files in place of the usual two;
    host_keys: `strict` refuses unknown and changed keys, `accept-new` takes unknown ones for this run, `off` takes
    any; interpreter: Python on the target; become: default for steps that do not say; secrets: texts never shown.
    """

    name: str
    carrier: Literal["ssh", "local"] = "ssh"
    address: str | None = None
    port: int | None = None
    user: str | None = None
    identity_files: Sequence[str] = ()
    password: str | None = field(default=None, repr=False)
    gateway: str | None = None
    ssh_config: str | None = None
    known_hosts: Sequence[str] = ()
    host_keys: HostKeyPolicy = "strict"
    interpreter: str = "python3"
    become: Become | None = None
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    def all_secrets(self) -> Iterator[str]:
        """Yield every text that belongs to this host and must never be shown."""
        yield from self.secrets
        yield from (text for text in (self.password, self.become.password if self.become else None) if text)
