"""A task with the circumstances it is to run under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opslib.host.task import Task

__all__ = ["Become", "Step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Become:
    """Run as another user by sudo.

    user: whom to become; password: of the connecting user, None when sudo asks for none; exe, flags: which sudo.
    """

    user: str = "root"
    password: str | None = None
    exe: str = "sudo"
    flags: Sequence[str] = ()

    def __repr__(self) -> str:
        return f"Become(user={self.user!r}, password={'***' if self.password else None})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a run.

    task: what to do; name: what people see, by default the task's name; become: as whom, None for the host's own
    setting; timeout: seconds for this step; ignore_errors: go on after a failure; no_log: keep parameters, changes,
    data and errors out of every output; check: overrides the run's check mode; handler_of: ids of steps; the step
    runs only if one of them changed something; always: runs even after a failure; id: unique within a host's work;
    position: which task of the play it is, the same for all hosts; steps that share one are items of a loop, all of
    which run even when one of them fails.
    """

    task: Task
    name: str = ""
    become: Become | bool | None = None
    timeout: float | None = None
    ignore_errors: bool = False
    no_log: bool = False
    check: bool | None = None
    handler_of: Sequence[int] | None = None
    always: bool = False
    id: int = -1
    position: int | None = None

    @property
    def title(self) -> str:
        """The name that people see."""
        return self.name or self.task.name
