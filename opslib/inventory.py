"""Inventories: which hosts there are, and how to get to them. Read by ansible-core, so they mean what Ansible means."""

from __future__ import annotations

import contextlib
import difflib
import functools
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from opslib.connection import BECOME_VARS, CONNECTION_VARS, check_name, target_from_vars
from opslib.errors import InventoryError
from opslib.host import wire
from opslib.host.params import shown
from opslib.target import Target

if TYPE_CHECKING:
    from opslib.engines import ansible_core

__all__ = ["Inventory"]

_SECRETS_VAR = "opslib_secrets"
_OF_ALL_HOSTS = frozenset(
    [
        "ansible_current_hosts",
        "ansible_play_batch",
        "ansible_play_hosts",
        "ansible_play_hosts_all",
        "groups",
        "hostvars",
        "play_hosts",
        "vars",
    ]
)


class Inventory:
    """The hosts and groups of one or more inventory sources, with their variables. Make one with `Inventory.load`.

    sources: where they came from, absolute; vault_password_files: as given; warnings: what Ansible remarks on them;
    manager, vault, extra_vars: ansible-core's side of it, for the engines.
    """

    def __init__(
        self,
        core: Any,
        loader: ansible_core.Loader,
        manager: ansible_core.Sources,
        *,
        sources: Sequence[str],
        vault_password_files: Sequence[str],
        vault: Sequence[tuple[str, Any]],
        extra_vars: Mapping[str, Any],
        warnings: dict[str, None],
    ) -> None:
        self._core: Any = core
        self._loader = loader
        self.manager = manager
        self.vault = tuple(vault)
        self.extra_vars = extra_vars
        self._warnings = warnings
        self._known: dict[str, str | None] = {}
        self._targets: dict[str, Target] = {}
        self.sources = tuple(sources)
        self.vault_password_files = tuple(vault_password_files)
        self._variables = core.Variables(loader, manager, extra_vars, {"ansible_inventory_sources": list(sources)})

    @classmethod
    def load(
        cls,
        source: str | Path | Sequence[str | Path],
        *,
        vault_password_files: Sequence[str | Path] = (),
        vault_password: str | Callable[[], str] | None = None,
        extra_vars: Mapping[str, Any] | Sequence[str] | None = None,
    ) -> Self:
        """Read inventory files, folders, scripts or plugin configurations, with their group_vars and host_vars.

        source: one or several; text with a comma that names no file is a list of hosts, as for Ansible;
        vault_password_files: files or programs, also as `label@path`; vault_password: the password, or a function
        that gives it; extra_vars: variables that win over all others, also as `K=V` or `@FILE`.

        Raises InventoryError for a source that is missing, cannot be read or parsed, or holds no host, and for a host
        whose name could be taken for an option.
        """
        paths = _paths(source)
        files = [_text(path, "vault password file") for path in vault_password_files]
        from opslib.engines import ansible_core as core

        warnings: dict[str, None] = {}
        loader = core.Loader(())
        with core.active(warnings):
            vault = core.vault_secrets(files, vault_password, loader)
        with core.active(warnings, vault=vault), core.reading(InventoryError, f"inventory {', '.join(paths)}"):
            extra = core.parse_extra_vars(loader, extra_vars or {})
            manager = core.Sources(loader, paths)
        if manager.unread:
            raise InventoryError(_unread(manager.unread[0], warnings))
        if not manager.hosts:
            raise InventoryError(f"inventory {', '.join(paths)} holds no host")
        for name in manager.hosts:
            check_name(name)
        return cls(
            core,
            loader,
            manager,
            sources=paths,
            vault_password_files=files,
            vault=vault,
            extra_vars=extra,
            warnings=warnings,
        )

    def __repr__(self) -> str:
        return f"Inventory({', '.join(self.sources)}: {len(self.hosts)} hosts)"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names of all hosts, in the order of the sources."""
        return tuple(str(name) for name in self.manager.hosts)

    @property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """The names of the hosts of every group, `all` and `ungrouped` included."""
        groups = self.manager.get_groups_dict()
        return MappingProxyType({str(name): tuple(str(host) for host in hosts) for name, hosts in groups.items()})

    @property
    def warnings(self) -> tuple[str, ...]:
        """What Ansible remarks on the inventory or a pattern."""
        return tuple(self._warnings)

    @property
    def secrets(self) -> frozenset[str]:
        """Texts that came out of encrypted files so far; never to be shown."""
        return frozenset(self._loader.secrets) | {text for text in self._known.values() if text}

    def names(self, pattern: str = "all", limit: str | None = None) -> tuple[str, ...]:
        """Return the names of the hosts that an Ansible pattern (`web:!canary`) matches, cut down by `limit`.

        Raises InventoryError when the pattern makes no sense or no host matches.
        """
        _check_pattern(pattern)
        with self.limited(limit), self.active(), self._core.reading(InventoryError, f"host pattern {shown(pattern)}"):
            found = tuple(str(host.name) for host in self.manager.get_hosts(pattern))
        if not found:
            raise InventoryError(self.no_host(pattern, limit))
        return found

    def select(self, pattern: str = "all", limit: str | None = None) -> tuple[Target, ...]:
        """Return the targets that an Ansible pattern (`web:!canary`) matches; raises as `names` and `target` do."""
        return tuple(self.target(name) for name in self.names(pattern, limit))

    def target(self, name: str) -> Target:
        """Return how to get to a host.

        Raises InventoryError when there is no such host, or when its variables ask for something impossible.
        """
        if name not in self._targets:
            host = self._host(name)
            with self.active(), self._core.reading(InventoryError, f"host {name}"):
                raw = self._variables.get_vars(host=host)
                engine = self._core.Engine(loader=self._loader, variables=raw)
                self._targets[name] = self.make_target(name, raw, engine)
        return self._targets[name]

    def variables(self, name: str) -> dict[str, Any]:
        """Return a host's variables as plain data, templates worked out where that is possible, secrets in clear."""
        host = self._host(name)
        with self.active(), self._core.reading(InventoryError, f"host {name}"):
            raw = self._variables.get_vars(host=host, include_hostvars=False)
            engine = self._core.Engine(loader=self._loader, variables=raw)
            return {str(key): self._plain(engine, value) for key, value in raw.items()}

    def _plain(self, engine: Any, value: Any) -> Any:
        try:
            return self._core.plain(engine.template(value))
        except self._core.AnsibleError:
            try:
                return self._core.plain(value)
            except self._core.AnsibleError:
                return None

    # What follows is for the engines.

    @contextlib.contextmanager
    def active(self, **options: Any) -> Iterator[None]:
        """Set ansible-core's globals for work on this inventory."""
        with self._core.active(self._warnings, vault=self.vault, **options):
            yield

    @contextlib.contextmanager
    def limited(self, limit: str | None) -> Iterator[None]:
        """Leave all hosts out that do not match `limit`."""
        if limit is not None:
            _check_pattern(limit)
        try:
            with self.active(), self._core.reading(InventoryError, f"limit {shown(limit)}"):
                self.manager.subset(limit)
                if limit is not None:
                    self.manager.get_hosts()
            yield
        finally:
            self.manager.subset(None)

    def make_target(
        self, name: str, raw: Mapping[str, Any], engine: Any, defaults: Mapping[str, Any] | None = None
    ) -> Target:
        """Return the target that a host's variables describe; to be called while `active`."""
        secrets = set(self.marked_secrets(name, raw, engine))
        values: dict[str, Any] = {}
        try:
            for key in (*CONNECTION_VARS, *BECOME_VARS):
                if key in raw:
                    with contextlib.suppress(self._core.AnsibleValueOmittedError):
                        values[key] = self._core.plain(engine.template(raw[key]), secrets)
                    if "pass" in key and values.get(key):
                        secrets.add(str(values[key]))
            return target_from_vars(name, values, defaults={**self.defaults, **(defaults or {})}, secrets=secrets)
        except self._core.AnsibleError as error:
            text = f"host {name}: {key}: {self._core.in_words(error)}"
            raise InventoryError(wire.mask(text, secrets)) from error
        except InventoryError as error:
            raise type(error)(wire.mask(str(error), secrets)) from None

    def secrets_of(self, name: str, raw: Mapping[str, Any], engine: Any) -> set[str]:
        """Return a host's texts that must never be shown, passwords of connections of any kind included."""
        secrets = set(self.marked_secrets(name, raw, engine))
        for key in (*CONNECTION_VARS, *BECOME_VARS):
            if "pass" in key and raw.get(key):
                secrets.update(_texts(self._plain(engine, raw[key])))
        return secrets

    def marked_secrets(self, name: str, raw: Mapping[str, Any], engine: Any) -> Iterator[str]:
        """Yield a host's texts that came out of a vault, and the values of the variables `opslib_secrets` lists."""
        yield from self._loader.secrets
        yield from self._core.encrypted({key: raw[key] for key in raw if key not in _OF_ALL_HOSTS}, self._known)
        if _SECRETS_VAR not in raw:
            return
        listed = self._core.plain(engine.template(raw[_SECRETS_VAR]))
        listed = [listed] if isinstance(listed, str) else listed
        if not isinstance(listed, list) or not all(isinstance(key, str) for key in listed):
            raise InventoryError(f"host {name}: {_SECRETS_VAR}: a list of names of variables is wanted")
        for key in listed:
            if key in raw:
                yield from _texts(self._plain(engine, raw[key]))

    @functools.cached_property
    def defaults(self) -> dict[str, Any]:
        """Return what `ansible.cfg` and the environment say of connections; it counts where no variable is set."""
        settings = {
            "remote_user": "DEFAULT_REMOTE_USER",
            "port": "DEFAULT_REMOTE_PORT",
            "private_key_file": "DEFAULT_PRIVATE_KEY_FILE",
            "connection": "DEFAULT_TRANSPORT",
            "become": "DEFAULT_BECOME",
            "become_method": "DEFAULT_BECOME_METHOD",
            "become_user": "DEFAULT_BECOME_USER",
            "become_exe": "DEFAULT_BECOME_EXE",
            "become_flags": "DEFAULT_BECOME_FLAGS",
            "interpreter": "INTERPRETER_PYTHON",
        }
        found = {key: self._core.configured(name) for key, name in settings.items()}
        return {key: value for key, value in found.items() if value is not None}

    def _host(self, name: str) -> Any:
        with self.active():
            host = self.manager.get_host(name) if isinstance(name, str) and name else None
        if host is None:
            raise InventoryError(self.no_host(str(name), None))
        return host

    def no_host(self, pattern: str, limit: str | None = None) -> str:
        """Return the words for a pattern that no host matches."""
        names = [*self.hosts, *self.groups]
        words = re.split(r"[,:&!]+", pattern if limit is None else f"{pattern},{limit}")
        near: dict[str, None] = {}
        for word in words:
            if word not in ("", *names):
                near.update(dict.fromkeys(difflib.get_close_matches(word, names, n=2, cutoff=0.5)))
        asked = shown(pattern) + (f" with limit {shown(limit)}" if limit is not None else "")
        some = ", ".join([name for name in self.groups if name not in ("all", "ungrouped")][:5] or self.hosts[:5])
        hint = f"did you mean {' or '.join(list(near)[:3])}?" if near else f"there are {some}"
        return f"no host matches {asked} in {', '.join(self.sources)}; {hint}"


def _paths(source: str | Path | Sequence[str | Path]) -> list[str]:
    given: list[Any] = list(source) if isinstance(source, list | tuple) else [source]
    if not given:
        raise InventoryError("no inventory was given")
    return [_path(item) for item in given]


def _path(item: str | Path) -> str:
    text = _text(item, "inventory")
    path = Path(os.path.abspath(os.path.expanduser(text)))
    try:
        there = path.exists()
    except OSError:
        there = False
    if not there and isinstance(item, str) and "," in text:
        for name in filter(None, (part.strip() for part in text.split(","))):
            check_name(name)
        return text
    if not there:
        raise InventoryError(f"there is no inventory {shown(text)}; give a file, a folder or a list of hosts (a,b)")
    if not os.access(path, os.R_OK):
        raise InventoryError(f"inventory {shown(text)} cannot be read by this user")
    if os.path.expandvars(path) != str(path) or "," in str(path):
        raise InventoryError(f"inventory {shown(text)}: Ansible cannot open a path that holds a variable or a comma")
    if not (path.is_file() or path.is_dir()):
        raise InventoryError(f"inventory {shown(text)} is neither a file nor a folder")
    return str(path)


def _text(item: object, what: str) -> str:
    if not isinstance(item, str | os.PathLike):
        raise InventoryError(f"{what} {shown(item)} is no path")
    text = os.fspath(item)
    if not isinstance(text, str) or not text.strip() or not text.isprintable():
        raise InventoryError(f"{what} {shown(text)} is no path: it is empty or holds control characters")
    return text


def _check_pattern(pattern: object) -> None:
    if not isinstance(pattern, str) or not pattern.strip() or not pattern.isprintable() or len(pattern) > 65536:
        raise InventoryError(f"host pattern {shown(pattern)} is empty, too long, or holds control characters")


def _unread(source: str, warnings: Mapping[str, None]) -> str:
    """Say why a source could not be parsed, in the words of the plugin that it was most likely meant for."""
    if Path(source).is_dir():
        return f"inventory folder {source} holds no inventory file"
    kind = "yaml" if source.endswith((".yml", ".yaml", ".json")) else "ini"
    said = [text.split(" plugin: ", 1) for text in warnings if text.startswith("Failed to parse inventory with")]
    fitting = [why for head, *rest in said for why in rest if head.endswith(f"'{kind}'")]
    reasons = fitting or [why for _head, *rest in said for why in rest]
    if not reasons:
        return f"inventory {source} cannot be parsed: no inventory plugin of Ansible takes it"
    return f"inventory {source} cannot be parsed: {reasons[-1]}"


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, bool) and str(value):
        yield str(value)
