"""What Ansible derives from the way to a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible import constants as C  # noqa: N812 - so ansible-core calls it everywhere
from ansible.playbook.play_context import PlayContext

__all__ = ["connection_defaults", "connection_facts"]


def connection_defaults(play: Any, task: Any) -> dict[str, Any]:
    """Return what Ansible knows of a task's connection when a host's variables say nothing."""
    found = PlayContext(play).set_task_and_variable_override(task=task, variables={}, templar=None)
    values = {name: getattr(found, name, None) for name in C.MAGIC_VARIABLE_MAPPING if "become" not in name}
    return {name: value for name, value in values.items() if value is not None}


def connection_facts(defaults: Mapping[str, Any], host: Any, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables that Ansible derives from a connection (`ansible_host`, `ansible_port`, ...).

    As `PlayContext.update_vars`, which takes a thousand times longer to get there.
    """
    found: dict[str, Any] = {}
    for setting, names in C.MAGIC_VARIABLE_MAPPING.items():
        if "become" in setting:
            continue
        given = next((variables[name] for name in names if name in variables), defaults.get(setting))
        if setting == "remote_addr" and not given:
            given = host.address
        if given is not None:
            found.update((name, given) for name in names if name not in variables)
    return found
