"""Variables of hosts, fetched once for all tasks that see the same ones."""

# ruff: noqa: SLF001 - ansible-core has no public way to what is needed here

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opslib.connection import BECOME_VARS, CONNECTION_VARS, become_from_vars
from opslib.engines import ansible_core as core
from opslib.engines.obstacles import NeedsAnsibleError
from opslib.step import Become

__all__ = ["Context", "Contexts", "check_connection"]


class Context:
    """What a host's variables are for some tasks.

    variables: as loops see them; wider: as conditions and parameters see them, with what Ansible adds about the
    connection.
    """

    def __init__(self, host: Any, variables: dict[str, Any], wider: dict[str, Any]) -> None:
        self.host = host
        self.variables = variables
        self.wider = wider
        self.name = str(host.name)
        self.becomes: dict[tuple[Any, ...], Become | None] = {}


class Contexts:
    """The variables of one play's hosts.

    names: the batch; all_names: all hosts of the play; keep: objects whose ids are in use as keys.
    """

    def __init__(
        self, play: Any, loader: core.Loader, variables: core.Variables, names: Sequence[str], all_names: Sequence[str]
    ) -> None:
        self.play = play
        self._loader = loader
        self._variables = variables
        self._names = list(names)
        self._all_names = list(all_names)
        self._known: dict[tuple[str, tuple[Any, ...]], Context] = {}
        self._keys: dict[int, tuple[Any, ...]] = {}
        self._keep: list[Any] = []
        self._bases: dict[str, dict[str, Any]] = {}
        self._defaults: dict[tuple[Any, ...], dict[str, Any]] = {}

    def of(self, host: Any, task: Any) -> Context:
        """Return the context of a host for a task."""
        key = (str(host.name), self._key(task))
        if key not in self._known:
            self._known[key] = self._make(host, task)
        context = self._known[key]
        path = task.get_search_path()
        basedir = self._loader.get_basedir()
        if basedir not in path:
            path.append(basedir)
        context.variables["ansible_search_path"] = context.wider["ansible_search_path"] = path
        return context

    def base(self, host: Any) -> dict[str, Any]:
        """Return a host's variables as the play has them, outside of any role."""
        if host.name not in self._bases:
            self._bases[host.name] = self.fetch(host)
        return self._bases[host.name]

    def fetch(self, host: Any, task: Any = None) -> dict[str, Any]:
        """Return a host's variables for a task, or for none in particular."""
        found: dict[str, Any] = self._variables.get_vars(
            play=self.play, host=host, task=task, _hosts=self._names, _hosts_all=self._all_names
        )
        found["ansible_current_hosts"] = list(self._names)
        found["ansible_failed_hosts"] = []
        return found

    def _make(self, host: Any, task: Any) -> Context:
        if core.C.PLAYBOOK_VARS_ROOT == "top" and self._key(task)[:4] == (id(None), (), (), ()):
            variables = {**self.base(host), "environment": task.environment}
        else:
            variables = self.fetch(host, task)
        connection = (task.connection, task.port, task.remote_user)
        if connection not in self._defaults:
            self._defaults[connection] = core.connection_defaults(self.play, task)
        return Context(host, variables, variables | core.connection_facts(self._defaults[connection], host, variables))

    def _key(self, task: Any) -> tuple[Any, ...]:
        """Return what a task's variables depend on: its role, the roles that pulled that one in, and its parents."""
        if id(task) not in self._keys:
            role = task._role
            chain = tuple(task.get_dep_chain() or ())
            own = task.get_vars()
            params = task.get_include_params()
            connection = (task.connection, task.port, task.remote_user)
            self._keep.extend((task, role, chain, own, params, connection))
            self._keys[id(task)] = (id(role), tuple(map(id, chain)), _ids(own), _ids(params), connection)
        return self._keys[id(task)]

    def become(
        self,
        context: Context,
        keywords: Mapping[str, Any],
        defaults: Mapping[str, Any],
        engine: core.Engine,
        *,
        looped: bool,
    ) -> Become | None:
        """Return as whom a task runs on a host: as its variables say, or else its keywords, or else the defaults.

        looped: variables may name the item of a loop, so that what is known from another item does not count.
        """
        raw = {name: engine.available_variables[name] for name in BECOME_VARS if name in engine.available_variables}
        key = (*sorted(keywords.items()), *sorted((name, id(value)) for name, value in raw.items()))
        if looped and core.is_template(raw):
            context.becomes.clear()
        if key not in context.becomes:
            self._keep.append(raw)
            values: dict[str, Any] = {}
            for name, value in raw.items():
                try:
                    values[name] = core.plain(engine.template(value))
                except core.AnsibleValueOmittedError:
                    continue
            context.becomes[key] = become_from_vars(context.host.name, values, defaults={**defaults, **keywords})
        return context.becomes[key]


def check_connection(base: Mapping[str, Any], context: Context) -> None:
    """Raise NeedsAnsibleError when a task's own variables change how its host is reached."""
    for name in CONNECTION_VARS:
        if context.variables.get(name) != base.get(name):
            raise NeedsAnsibleError(f"changes how its host is reached ({name})")


def _ids(values: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a key for variables: by identity, since they may not be hashable; texts that are made anew by content."""
    return tuple(
        sorted(
            (name, tuple(map(str, value)) if name.startswith("ansible_parent_role") else id(value))
            for name, value in values.items()
        )
    )
