"""Every exception that opslib raises on purpose.

    OpslibError
    ├── UsageError                 what was asked cannot be done; nothing was touched (exit code 1)
    │   ├── ParamError             a task's parameter has a wrong value (also a ValueError)
    │   ├── InventoryError         an inventory or a host pattern is wrong, or no host matches
    │   ├── PlaybookError          a playbook, role or variable file is wrong
    │   └── MissingError           a program or library that is needed is not installed
    ├── UnreachableError           no connection to a host: name, network, host key, authentication
    ├── CarrierError               the connection broke, or the host answered what no payload answers
    ├── UnwrittenError             a report could not be written, when all else was over (exit code 74)
    ├── InterruptedRunError        the caller stopped the run; carries the partial report (exit code 130)
    └── RunFailedError             hosts failed or were unreachable; carries the report (exit code 2 or 4)

Foreign exceptions are turned into these at the edge, with the original as `__cause__`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from opslib.host.params import OpslibError, ParamError, UsageError

if TYPE_CHECKING:
    from opslib.result import Report

__all__ = [
    "CarrierError",
    "InterruptedRunError",
    "InventoryError",
    "MissingError",
    "OpslibError",
    "ParamError",
    "PlaybookError",
    "RunFailedError",
    "UnreachableError",
    "UnwrittenError",
    "UsageError",
]


class InventoryError(UsageError):
    """An inventory cannot be read, a pattern is wrong, or no host matches."""


class PlaybookError(UsageError):
    """A playbook, a role or a variable file is wrong."""


class MissingError(UsageError):
    """Something that has to be installed is not; the message says how to install it."""


class UnreachableError(OpslibError):
    """A host cannot be reached; the message says at which stage and what to do."""


class CarrierError(OpslibError):
    """A connection broke, or an answer was not of the protocol."""


class UnwrittenError(OpslibError):
    """A report could not be written, when all that it tells of was over; the message says where and why."""


class _ReportError(OpslibError):
    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report

    def __reduce__(self) -> tuple[type[Self], tuple[str, Report]]:  # else it does not come out of a pool of processes
        return type(self), (str(self), self.report)


class InterruptedRunError(_ReportError):
    """The run was stopped before its end; `report` holds what is known."""


class RunFailedError(_ReportError):
    """Some hosts failed or were unreachable; `report` holds everything."""
