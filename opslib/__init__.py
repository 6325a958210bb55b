"""opslib: operations runbooks as code.

    import opslib
    from opslib import tasks

    inventory = opslib.Inventory.load("inventories/production")
    with opslib.Fleet(inventory.select("web")) as fleet:
        report = fleet.run([tasks.disk_usage(fail="90%")], check=True)
    report.raise_for_failures()

Importing opslib loads nothing heavy; each name below is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opslib import errors, events, tasks
    from opslib.fleet import Fleet
    from opslib.inventory import Inventory
    from opslib.live_logs import CloudWatch, LogQuery, LogReading, follow_logs, read_logs
    from opslib.log_entry import LogEntry
    from opslib.result import Change, HostResult, Report, Status, StepResult
    from opslib.run import run_playbook
    from opslib.step import Become, Step
    from opslib.target import Target

__version__ = "0.1.0"

_HOMES = {
    "Become": "step",
    "Change": "result",
    "CloudWatch": "live_logs",
    "Fleet": "fleet",
    "HostResult": "result",
    "Inventory": "inventory",
    "LogEntry": "log_entry",
    "LogQuery": "live_logs",
    "LogReading": "live_logs",
    "Report": "result",
    "Status": "result",
    "Step": "step",
    "StepResult": "result",
    "Target": "target",
    "follow_logs": "live_logs",
    "read_logs": "live_logs",
    "run_playbook": "run",
}
_MODULES = ("errors", "events", "tasks")

__all__ = [
    "Become",
    "Change",
    "CloudWatch",
    "Fleet",
    "HostResult",
    "Inventory",
    "LogEntry",
    "LogQuery",
    "LogReading",
    "Report",
    "Status",
    "Step",
    "StepResult",
    "Target",
    "errors",
    "events",
    "follow_logs",
    "read_logs",
    "run_playbook",
    "tasks",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"opslib.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"opslib.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'opslib' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
