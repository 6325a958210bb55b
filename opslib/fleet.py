"""A fleet: hosts with connections that stay open between runs."""

from __future__ import annotations

import dataclasses
import secrets
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, get_args

from opslib.carriers import controller, payload
from opslib.engines.batch import BatchEngine
from opslib.engines.emitter import Emitter
from opslib.engines.work import HostWork
from opslib.errors import InventoryError, UsageError
from opslib.events import OnEvent, RunEnded, RunStarted
from opslib.host.params import shown
from opslib.host.task import Task
from opslib.result import Report
from opslib.step import Become, Step
from opslib.target import HostKeyPolicy, Target

__all__ = ["Fleet", "check_limits", "check_modes", "check_watchers", "new_run_id", "now"]

MAX_FORKS = 1000


def now() -> datetime:
    """Return the present time in whole milliseconds, as a report writes it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def new_run_id(moment: datetime) -> str:
    """Return an id that sorts by time and is never used twice."""
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def check_limits(forks: object, timeout: object) -> None:
    """Refuse numbers that make no sense. Raises UsageError."""
    if isinstance(forks, bool) or not isinstance(forks, int) or not 1 <= forks <= MAX_FORKS:
        raise UsageError(f"forks {shown(forks)} is no whole number from 1 to {MAX_FORKS}")
    if timeout is not None and (
        isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < 1e7
    ):
        raise UsageError(f"timeout {shown(timeout)} is no number of seconds above 0")


def check_modes(**modes: object) -> None:
    """Refuse what is neither True nor False, such as the text "false". Raises UsageError."""
    for name, mode in modes.items():
        if not isinstance(mode, bool):
            raise UsageError(f"{name} is {shown(mode)}; give True or False")


def check_watchers(on_event: object, cancel: object) -> None:
    """Refuse what cannot be told of events, or asked whether to stop. Raises UsageError."""
    if on_event is not None and not callable(on_event):
        raise UsageError(f"on_event is {shown(on_event)}; give a function that takes an event")
    if cancel is not None and not callable(getattr(cancel, "is_set", None)):
        raise UsageError(f"cancel is {shown(cancel)}; give a threading.Event")


def _all(items: Any, kinds: type | tuple[type, ...], words: str) -> tuple[Any, ...]:
    """Return items as a tuple when each is of one of the kinds. Raises UsageError."""
    try:
        given = tuple(items)
    except TypeError:
        raise UsageError(f"{shown(items)} is no list; give a list, each item {words}") from None
    wrong = [item for item in given if not isinstance(item, kinds)]
    if wrong:
        raise UsageError(f"{shown(wrong[0])} is not {words}")
    return given


def _check_steps(steps: Sequence[Step]) -> None:
    """Refuse what would only be found out on the hosts. Raises UsageError."""
    for step in steps:
        if not isinstance(step.task, Task):
            raise UsageError(f"a step's task is {shown(step.task)}; make one with opslib.tasks")
        check_limits(1, step.timeout)
        _check_circumstances(step)
        for number in _all(step.handler_of or (), int, "the number of a step"):
            if number not in range(len(steps)):
                raise UsageError(f"{step.title!r} is a handler of step {number}; there are steps 0 to {len(steps) - 1}")
    tasks = {type(step.task) for step in steps}
    payload.encode(payload.Job(steps=(), tasks=[task for task in tasks if task.runs_on == "host"]))
    controller.encode(payload.Job(steps=(), tasks=[task for task in tasks if task.runs_on == "controller"]))


def _check_circumstances(step: Step) -> None:
    if not isinstance(step.name, str):
        raise UsageError(f"a step's name is {shown(step.name)}; give a text")
    if not (step.become is None or isinstance(step.become, bool | Become)):
        raise UsageError(f"{step.title!r}: become is {shown(step.become)}; give opslib.Become(user=...), or False")
    check_modes(ignore_errors=step.ignore_errors, no_log=step.no_log, always=step.always)
    if step.check is not None:
        check_modes(check=step.check)


def _check_target(target: Target) -> None:
    """Refuse what the types of a target leave out, where it was made by hand. Raises InventoryError."""
    for name, choices in (("carrier", ("ssh", "local")), ("host_keys", get_args(HostKeyPolicy))):
        value = getattr(target, name)
        if value not in choices:
            raise InventoryError(f"{target.name}: {name} {shown(value)} is none of {', '.join(choices)}")
    port, become, address = target.port, target.become, target.address
    if port is not None and (isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536):
        raise InventoryError(f"{target.name}: port {shown(port)} is no number from 1 to 65535")
    if become is not None and not isinstance(become, Become):
        raise InventoryError(f"{target.name}: become is {shown(become)}; give opslib.Become(user=...)")
    if address is not None and (not isinstance(address, str) or address.startswith("-")):
        raise InventoryError(f"{target.name}: {shown(address)} is no address of a host")


class Fleet:
    """Runs tasks on hosts.

    targets: from `Inventory.select`, or made by hand; forks: hosts worked on at once; timeout: seconds per host and
    run, for name look-up, connecting, logging in and work; on_event: is told what happens, one event at a time;
    cancel: set it (from another thread) to end a run: the hosts' processes are killed and the report is partial.

    Not thread-safe: one run at a time. Use it in a `with` statement, or call `close`.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        *,
        forks: int = 50,
        timeout: float | None = None,
        on_event: OnEvent | None = None,
        cancel: threading.Event | None = None,
    ) -> None:
        check_limits(forks, timeout)
        self._targets = _all(targets, Target, "a target; get them from Inventory.select, or make them")
        if not self._targets:
            raise InventoryError("the fleet has no host; select at least one")
        check_watchers(on_event, cancel)
        names = [target.name for target in self._targets]
        if not all(isinstance(name, str) and name for name in names):
            raise InventoryError("a host of the fleet has no name")
        twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
        if twice:
            raise InventoryError(f"the fleet has more than one host named {min(twice)!r}")
        for target in self._targets:
            _check_target(target)
        self._timeout = timeout
        self._on_event = on_event
        self._engine = BatchEngine(forks=forks, cancel=cancel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def targets(self) -> tuple[Target, ...]:
        """The hosts, in order."""
        return self._targets

    def run(
        self, steps: Sequence[Task | Step], *, check: bool = False, timeout: float | None = None, name: str = ""
    ) -> Report:
        """Run steps on every host, in order, and return the report; it does not raise for hosts that fail.

        steps: tasks, or `Step`s where one needs become, a timeout or a name; check: say what would change, change
        nothing; timeout: in place of the fleet's; name: the report's source. Raises UsageError for a wrong argument.
        """
        check_limits(1, timeout)
        check_modes(check=check)
        given = _all(steps, (Task, Step), "a task or a step; make one with opslib.tasks")
        if not given:
            raise UsageError("give run() a list of at least one task or step")
        rows = [step if isinstance(step, Step) else Step(task=step) for step in given]
        rows = [dataclasses.replace(step, id=number, position=number) for number, step in enumerate(rows)]
        _check_steps(rows)
        started = now()
        run_id = new_run_id(started)
        source = name or ", ".join(dict.fromkeys(step.title for step in rows))
        emit = self._engine.emit = Emitter(self._on_event)
        emit(
            RunStarted(run_id=run_id, source=source, check=check, hosts=tuple(target.name for target in self._targets))
        )
        hosts = self._engine.run(
            [HostWork(target=target, items=rows) for target in self._targets],
            check=check,
            timeout=timeout if timeout is not None else self._timeout,
        )
        report = Report(
            run_id=run_id,
            source=source,
            engine="ssh",
            check=check,
            started=started,
            ended=now(),
            hosts=hosts,
            warnings=emit.warnings,
            interrupted=self._engine.cancel.is_set(),
        )
        emit(RunEnded(report=report))
        return report if report.warnings == emit.warnings else dataclasses.replace(report, warnings=emit.warnings)

    def close(self) -> None:
        """Close all connections."""
        self._engine.close()
