"""What is known of a lab that exists, kept in its folder so that any process can find it and tear it down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from . import places
from .errors import LabError
from .processes import Owner, boot_id
from .spec import Bind, LabSpec

__all__ = ["LabState", "existing", "load"]

_FILE = "state.json"
_SCHEMA = 1


class _ForeignStateError(LabError):
    """A state file that this version of opslib did not write."""


@dataclass(frozen=True, slots=True)
class LabState:
    """A lab that exists.

    name: its folder's name; `id`: six hexadecimal digits that its links, namespaces and control groups bear.
    subnet: its /24; the machine has the first address, the hosts follow.
    keep: whether it shall outlive its maker.
    owner: the process that it dies with; None for a lab to keep, once it is complete.
    boot: boot id of the kernel it was made under.
    created: seconds since the epoch.
    """

    name: str
    id: str
    spec: LabSpec
    subnet: str
    image: str
    sudo_password: str = field(repr=False)
    keep: bool
    owner: Owner | None
    boot: str
    created: float
    folder: Path

    @property
    def bridge(self) -> str:
        """The network link that the hosts' links are ports of."""
        return f"ol{self.id}"

    @property
    def gateway(self) -> str:
        """The address of this machine on the lab's network."""
        return self._address(1)

    @property
    def control_group(self) -> str:
        """Name of the control group that holds one group per host."""
        return f"opslib-lab-{self.id}"

    @property
    def private_key(self) -> Path:
        """The key with which all users log in."""
        return self.folder / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The hosts' public keys."""
        return self.folder / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        """For `ssh -F`."""
        return self.folder / "ssh_config"

    @property
    def inventory(self) -> Path:
        """For `ansible-playbook -i`."""
        return self.folder / "inventory.yml"

    def host_name(self, number: int) -> str:
        """`lab1` for number 1."""
        return f"lab{number}"

    def address(self, number: int) -> str:
        """Address of the host with this number, counted from 1."""
        return self._address(number + 1)

    def namespace(self, number: int) -> str:
        """Name of a host's network namespace, and of its container."""
        return f"opslib-{self.id}-{number}"

    def link(self, number: int) -> str:
        """Name the machine's end of a host's network link (at most 15 characters, see netdevice(7))."""
        return f"{self.bridge}-{number}"

    def alive(self) -> bool:
        """Whether the lab may stay: it is to keep, or its owner still runs; and no reboot since."""
        return self.boot == boot_id() and (self.owner is None or self.owner.alive())

    def without_owner(self) -> LabState:
        """Return the same lab, no longer bound to a process."""
        return replace(self, owner=None)

    def save(self) -> None:
        """Write it aside, readable by its owner alone, and switch."""
        values = asdict(self)
        del values["folder"]
        aside = self.folder / f".{_FILE}"
        aside.unlink(missing_ok=True)
        aside.touch(0o600)
        aside.write_text(json.dumps({"schema": _SCHEMA, **values}, indent=1))
        aside.rename(self.folder / _FILE)

    def _address(self, offset: int) -> str:
        return str(IPv4Address(int(IPv4Network(self.subnet).network_address) + offset))


def load(folder: Path) -> LabState | None:
    """Read the state kept in a lab's folder; None when there is none.

    Raises LabError when the file is not ours or of another version.
    """
    try:
        values = json.loads((folder / _FILE).read_text())
        if values.pop("schema") != _SCHEMA:
            raise _ForeignStateError(f"{folder / _FILE}: written by another version of opslib; remove that lab with it")
        spec = values.pop("spec")
        owner = values.pop("owner")
        return LabState(
            **values,
            folder=folder,
            owner=owner and Owner(**owner),
            spec=LabSpec(
                **{
                    **spec,
                    "packages": tuple(spec["packages"]),
                    "binds": tuple(Bind(**bind) for bind in spec["binds"]),
                    "layers": tuple(spec.get("layers", ())),
                }
            ),
        )
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise LabError(f"{folder}: a lab is root's; run this as root or with sudo") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _ForeignStateError(
            f"{folder / _FILE}: not a lab's state ({error}); remove the folder when no lab uses it"
        ) from error


def existing(run: Path | None = None) -> Iterator[LabState]:
    """All labs that have a state on this machine, in order of their names; unreadable ones are passed over."""
    root = places.RUN if run is None else run
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if not folder.name.startswith("."):
            try:
                state = load(folder)
            except _ForeignStateError:
                continue
            if state is not None:
                yield state
