"""Inventories, and variables in Ansible's order of precedence."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.inventory.manager import InventoryManager
from ansible.parsing.splitter import parse_kv
from ansible.release import __version__ as ansible_version
from ansible.utils.vars import combine_vars
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from opslib.engines.ansible_core.loader import Loader
from opslib.engines.ansible_core.state import forget_files
from opslib.engines.ansible_core.values import trusted
from opslib.errors import UsageError

__all__ = ["Sources", "Variables", "parse_extra_vars"]


class Sources(InventoryManager):  # type: ignore[misc]
    """Parses inventory sources; remembers those that no plugin could read."""

    def __init__(self, loader: Loader, sources: Sequence[str]) -> None:
        self.unread: list[str] = []
        super().__init__(loader=loader, sources=list(sources), parse=True, cache=True)

    def parse_source(self, source: str, cache: bool = False) -> bool:
        """Parse one source, or all files of a folder."""
        done = bool(super().parse_source(source, cache=cache))
        if not done:
            self.unread.append(source)
        elif source in self.unread:
            self.unread.remove(source)
        return done


class Variables(VariableManager):  # type: ignore[misc]
    """Ansible's variables, with extra variables of our own choosing; a host's own are worked out once."""

    def __init__(
        self, loader: Loader, sources: Sources, extra_vars: Mapping[str, Any], options: Mapping[str, Any]
    ) -> None:
        forget_files()
        super().__init__(loader=loader, inventory=sources)
        self._extra_vars = dict(extra_vars)
        self._options_vars = {"ansible_version": _version_facts(), **options}
        self._own: dict[str, dict[str, Any]] = {}
        HostVars(inventory=sources, variable_manager=self, loader=loader)

    def get_vars(self, *args: Any, **options: Any) -> Any:
        """Return variables in Ansible's order of precedence."""
        if args or set(options) != {"host", "include_hostvars"} or options["include_hostvars"]:
            return super().get_vars(*args, **options)
        host = options["host"]
        if host.name not in self._own:
            self._own[host.name] = super().get_vars(host=host, include_hostvars=False)
        return self._own[host.name].copy()


def _version_facts() -> dict[str, Any]:
    major, minor, revision = (int(found) for found in re.findall(r"\d+", ansible_version)[:3])
    return {
        "full": ansible_version,
        "string": ansible_version,
        "major": major,
        "minor": minor,
        "revision": revision,
    }


def parse_extra_vars(loader: Loader, given: Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
    """Return extra variables given as a mapping, or as `-e` takes them: `k=v ...`, `@file`, YAML or JSON.

    The rules are those of `ansible.utils.vars.load_extra_vars`, which keeps the first answer for ever.
    """
    found: dict[str, Any] = {}
    for part in [given] if isinstance(given, Mapping) else given:
        if isinstance(part, Mapping):
            data = _tagged(dict(part))
        elif not isinstance(part, str) or not part.strip() or "\0" in part:
            raise UsageError(f"extra variables: {ascii(part)[:80]} is neither a mapping nor text as K=V or @FILE")
        elif part.startswith("@"):
            data = loader.load_from_file(os.path.abspath(part[1:]), trusted_as_template=True)
        elif part[0] in "/.":
            raise UsageError(f"extra variables: put @ before the name of a file: @{part}")
        elif part[0] in "[{":
            data = loader.load(trusted(part, "extra variables"))
        else:
            data = parse_kv(trusted(part, "extra variables"))
            if "_raw_params" in data:
                raise UsageError(
                    f"extra variables: {ascii(part)[:80]} is not of the form K=V (with blanks: 'K=\"V W\"')"
                )
        if not isinstance(data, Mapping):
            raise UsageError(f"extra variables: {ascii(part)[:80]} holds no mapping of names to values")
        for name in data:
            if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                raise UsageError(f"extra variables: {ascii(name)[:80]} is no name of a variable")
        found = combine_vars(found, data)
    return found


def _tagged(value: Any) -> Any:
    if isinstance(value, str):
        return trusted(value, "extra variables")
    if isinstance(value, Mapping):
        return {str(key): _tagged(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tagged(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, os.PathLike):
        return trusted(os.fspath(value), "extra variables")
    raise UsageError(f"extra variables: {ascii(value)[:80]} is no text, number, list or mapping")
