"""The host tasks by name: `tasks.disk_usage(paths=["/"], fail="90%")`.

Each is loaded when it is first asked for, so that importing this module costs nothing.
"""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Any

from opslib.errors import UsageError
from opslib.host.task import Task

if TYPE_CHECKING:
    from opslib.host.tasks.disk_usage import DiskUsage as disk_usage
    from opslib.host.tasks.http_check import HttpCheck as http_check
    from opslib.host.tasks.listening_ports import ListeningPorts as listening_ports
    from opslib.host.tasks.log_errors import LogErrors as log_errors
    from opslib.host.tasks.log_retention import LogRetention as log_retention
    from opslib.host.tasks.log_size import LogSize as log_size
    from opslib.host.tasks.logrotate import Logrotate as logrotate
    from opslib.host.tasks.memory_usage import MemoryUsage as memory_usage
    from opslib.host.tasks.processes import Processes as processes
    from opslib.host.tasks.service import Service as service

__all__ = [
    "disk_usage",
    "get",
    "http_check",
    "listening_ports",
    "log_errors",
    "log_retention",
    "log_size",
    "logrotate",
    "memory_usage",
    "names",
    "processes",
    "service",
]

_MODULES = {
    "disk_usage": "opslib.host.tasks.disk_usage",
    "http_check": "opslib.host.tasks.http_check",
    "listening_ports": "opslib.host.tasks.listening_ports",
    "log_errors": "opslib.host.tasks.log_errors",
    "log_retention": "opslib.host.tasks.log_retention",
    "log_size": "opslib.host.tasks.log_size",
    "logrotate": "opslib.host.tasks.logrotate",
    "memory_usage": "opslib.host.tasks.memory_usage",
    "processes": "opslib.host.tasks.processes",
    "service": "opslib.host.tasks.service",
}


def names() -> tuple[str, ...]:
    """Return the names of all tasks, sorted."""
    return tuple(sorted(_MODULES))


def get(name: str) -> type[Task]:
    """Return the class of the task with this name; UsageError when there is none."""
    if name not in _MODULES:
        near = difflib.get_close_matches(str(name), _MODULES, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names())}"
        raise UsageError(f"no task is called {ascii(name)[:80]}; {hint}")
    module = importlib.import_module(_MODULES[name])
    for item in vars(module).values():
        if isinstance(item, type) and issubclass(item, Task) and item.name == name:
            return item
    raise UsageError(f"{_MODULES[name]} defines no task called {name}")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return get(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
