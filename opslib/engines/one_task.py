"""A playbook that does one task, for an engine that takes nothing less."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from opslib.engines.private_folder import private_folder, write
from opslib.host.task import Task

__all__ = ["playbook_of"]

_VARIABLE = "opslib_parameters"
_OPENING = re.compile(r"\{(?=[{%#])")


@contextlib.contextmanager
def playbook_of(task: Task) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Make a playbook that does a task on all hosts, and the extra variables with its parameters; no file has those."""
    args = task.args()
    call = {f"opslib.runbook.{task.name}": {name: f"{{{{ {_VARIABLE}[{name!r}] }}}}" for name in args}}
    play = {"name": task.name, "hosts": "all", "gather_facts": False, "tasks": [{"name": task.name, **call}]}
    with private_folder() as folder:
        yield write(folder / "task.yml", yaml.safe_dump([play])), {_VARIABLE: _literal(args)}


def _literal(value: Any) -> Any:
    """Return a value that Ansible's templates leave as it is: what opens one is itself what a template says."""
    if isinstance(value, str):
        return _OPENING.sub("{{ '{' }}", value)
    if isinstance(value, Mapping):
        return {key: _literal(item) for key, item in value.items()}
    return [_literal(item) for item in value] if isinstance(value, list | tuple) else value
