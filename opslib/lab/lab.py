"""A lab: N disposable, real systemd hosts on this machine."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from . import image, inventory, network, provision, traffic
from .cgroup import ControlGroup
from .errors import LabError
from .host import SSH_PORT, LabHost
from .image import Image
from .needs import require
from .places import cache_folder
from .progress import Observer, Progress
from .registry import LabInfo, enrol, find, infos
from .spec import LabSpec, check_name
from .state import LabState
from .teardown import tear_down
from .traffic import Endpoint
from .watchdog import Watchdog

__all__ = ["Lab"]

_Hosts = list[LabHost]
_Infos = list[LabInfo]


class Lab(AbstractContextManager["Lab"]):
    """N disposable hosts: `with Lab(hosts=3) as lab: ...`. They are booted on entering and removed on leaving.

    hosts: how many, 1 to 250. name: of the lab; made up when None. packages: more Debian packages in the hosts.
    binds: paths of this machine that hosts see, as {path: target}; read-only unless the target ends in `:rw`.
    layers: folders (see LabHost.save_layer) whose contents lie over the image, the first one uppermost.
    disk: size of each host's writable layer (512M, 2G), in memory as it fills. suite: Debian release.
    network: private range to take a free /24 from. cache: folder of image tarballs, else `OPSLIB_LAB_CACHE`,
    else `~/.cache/opslib/lab`. boot_timeout: seconds per host. progress: called with each Progress of the start.

    Raises LabError when this machine cannot run a lab (see `requirements`), or a value is wrong.
    """

    def __init__(
        self,
        hosts: int = 3,
        *,
        name: str | None = None,
        packages: Sequence[str] = (),
        binds: Mapping[str | os.PathLike[str], str] | None = None,
        layers: Sequence[str | os.PathLike[str]] = (),
        disk: str = "512M",
        suite: str = "bookworm",
        network: str = "10.203.0.0/16",
        cache: Path | None = None,
        boot_timeout: float = 120,
        progress: Observer | None = None,
    ) -> None:
        self._spec = LabSpec.checked(
            hosts=hosts,
            packages=packages,
            binds=binds or {},
            layers=layers,
            disk=disk,
            suite=suite,
            network=network,
        )
        self._name = None if name is None else check_name(name)
        self._cache = cache_folder(cache)
        self._boot_timeout = boot_timeout
        self._progress = progress
        self._cancel = threading.Event()
        self._known_hosts_lock = threading.Lock()
        self._state: LabState | None = None
        self._watchdog: Watchdog | None = None
        self._hosts: _Hosts = []
        require()

    # --- life ---

    @classmethod
    def start(
        cls,
        hosts: int = 3,
        *,
        detached: bool = False,
        name: str | None = None,
        packages: Sequence[str] = (),
        binds: Mapping[str | os.PathLike[str], str] | None = None,
        layers: Sequence[str | os.PathLike[str]] = (),
        disk: str = "512M",
        suite: str = "bookworm",
        network: str = "10.203.0.0/16",
        cache: Path | None = None,
        boot_timeout: float = 120,
        progress: Observer | None = None,
    ) -> Lab:
        """Boot a lab that lives until `stop`, or until this process ends; when `detached`, beyond that.

        Parameters and errors are those of Lab.
        """
        lab = cls(
            hosts,
            name=name,
            packages=packages,
            binds=binds,
            layers=layers,
            disk=disk,
            suite=suite,
            network=network,
            cache=cache,
            boot_timeout=boot_timeout,
            progress=progress,
        )
        lab._start(keep=detached)
        return lab

    @classmethod
    def attach(cls, name: str) -> Lab:
        """Take up the running lab called `name`, which this or another process started. LabError when there is none."""
        state = find(check_name(name))
        lab = cls(state.spec.hosts, name=name)
        lab._take(state)
        return lab

    @classmethod
    def list(cls) -> _Infos:
        """List the labs on this machine, by name, also those whose owner died and that the next start will sweep."""
        return infos()

    def __enter__(self) -> Self:
        if self._state is None:
            self._start(keep=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Remove the hosts and everything that belongs to the lab. Nothing happens when that was done before.

        Raises LabError when something could not be removed.
        """
        state, self._state = self._state, None
        if state is None:
            return
        self._cancel.set()
        try:
            tear_down(state)
        except BaseException:
            self._state = state
            raise
        for host in self._hosts:
            host.collect()
        if self._watchdog is not None:
            self._watchdog.dismiss()
            self._watchdog = None

    def reset(self) -> None:
        """Reset all hosts (see LabHost.reset), several at a time."""
        self._each(LabHost.reset, "reset")

    # --- what there is ---

    @property
    def name(self) -> str:
        """Name of the lab, for `Lab.attach`."""
        return self._up.name

    @property
    def hosts(self) -> _Hosts:
        """The hosts, `lab1` first."""
        return [*self._hosts] if self._up else []

    @property
    def folder(self) -> Path:
        """Folder of the lab's files, readable by root alone."""
        return self._up.folder

    @property
    def address(self) -> str:
        """Address of this machine on the lab's network; hosts know it as `controller`."""
        return self._up.gateway

    @property
    def sudo_password(self) -> str:
        """The password that sudo asks user `pat` for."""
        return self._up.sudo_password

    @property
    def private_key(self) -> Path:
        """Private key with which root, ops, pat and nosudo log in."""
        return self._up.private_key

    @property
    def known_hosts(self) -> Path:
        """The hosts' keys, in OpenSSH's format."""
        return self._up.known_hosts

    @property
    def ssh_config(self) -> Path:
        """Configuration for OpenSSH: `ssh -F FILE lab1`."""
        return self._up.ssh_config

    @property
    def inventory(self) -> Path:
        """Ansible inventory: the group `lab`, user root."""
        return self._up.inventory

    def inventory_text(self, user: str = "root", hosts: Iterable[LabHost] | None = None) -> str:
        """Write an Ansible inventory for another user, or for some of the hosts."""
        return inventory.ansible_inventory(
            {host.name: host.address for host in (self.hosts if hosts is None else hosts)},
            user=user,
            private_key=self.private_key,
            known_hosts=self.known_hosts,
        )

    # --- bad network ---

    def silent_listener(self) -> AbstractContextManager[Endpoint]:
        """Context: an address and port that accept connections and never say a word."""
        return traffic.silent_listener(self.address)

    @contextmanager
    def slow_link(self, host: LabHost, delay_ms: float) -> Iterator[Endpoint]:
        """Context: an address and port that lead to the host's sshd, every byte `delay_ms` late in each direction.

        known_hosts has the host's key for it meanwhile.
        """
        with traffic.delaying_proxy(self.address, Endpoint(host.address, SSH_PORT), delay_ms) as end:
            line = inventory.known_hosts_line([f"[{end.address}]:{end.port}"], host.host_key)
            self._change_known_hosts(lambda text: text + line)
            try:
                yield end
            finally:
                self._change_known_hosts(lambda text: text.replace(line, ""))

    # --- the start, step by step ---

    @property
    def _up(self) -> LabState:
        if self._state is None:
            raise LabError("this lab is not started, or stopped: use it inside `with Lab(...) as lab:`")
        return self._state

    def _start(self, keep: bool) -> None:
        self._cancel.clear()
        base = Image(self._spec.suite, self._spec.packages)
        state = enrol(self._spec, self._name, base.key, keep)
        self._state = state
        try:
            self._watchdog = Watchdog(state.folder)
            network.create_bridge(state)
            group = ControlGroup(f"{state.control_group}/image")
            root = image.borrow(base, self._cache, state.folder / "build", group, self._say)
            self._say("preparing the hosts")
            provision.prepare(state, root)
            self._take(state)
            provision.write_files(state, self._hosts)
            provision.allow_inotify(state.spec.hosts)
            self._each(LabHost.boot, "up")
            if keep:
                state = self._state = state.without_owner()
                state.save()
                self._watchdog.dismiss()
                self._watchdog = None
        except BaseException as error:
            with suppress(LabError):  # the first error is the one to tell; the next start sweeps what is left
                self.stop()
            if isinstance(error, OSError):
                raise LabError(f"the lab cannot be made: {error}") from error
            raise

    def _take(self, state: LabState) -> None:
        self._state = state
        numbers = range(1, state.spec.hosts + 1)
        self._hosts = [LabHost(state, number, self._boot_timeout, self._cancel.is_set) for number in numbers]

    def _each(self, act: Callable[[LabHost], None], what: str) -> None:
        """Do `act` to all hosts, several at a time. The first failure makes the others give up, and is raised."""
        hosts = self.hosts
        with provision.pool() as pool:
            futures = {pool.submit(act, host): host for host in hosts}
            try:
                for done, future in enumerate(as_completed(futures), 1):
                    future.result()
                    self._say(f"{futures[future].name} {what}", done)
            except BaseException:
                self._cancel.set()
                pool.shutdown(wait=True, cancel_futures=True)
                self._cancel.clear()
                raise

    def _change_known_hosts(self, change: Callable[[str], str]) -> None:
        with self._known_hosts_lock, suppress(LabError):  # the lab may be stopped inside the context
            aside = self.known_hosts.with_suffix(".new")
            aside.write_text(change(self.known_hosts.read_text()))
            aside.rename(self.known_hosts)

    def _say(self, text: str, done: int = 0) -> None:
        if self._progress is not None:
            with suppress(Exception):  # whoever watches must not harm the lab
                self._progress(Progress(text, done, self._spec.hosts))
