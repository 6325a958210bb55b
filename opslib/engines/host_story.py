"""What happens on one host under ansible-playbook: its tasks, one after the other, as step results."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from opslib.engines import foreign
from opslib.engines.foreign import clip, plain_text
from opslib.events import Event, StepEnded, StepStarted
from opslib.host import wire
from opslib.result import Status, StepResult

__all__ = ["HostStory", "TaskEvent"]

MAX_STEPS = 20000
_CHANGED = re.compile(r"^changed: \[", re.MULTILINE)
_ITEMS = {
    "runner_item_on_ok": Status.OK,
    "runner_item_on_failed": Status.FAILED,
    "runner_item_on_skipped": Status.SKIPPED,
}
_ENDS = {
    "runner_on_ok": Status.OK,
    "runner_on_failed": Status.FAILED,
    "runner_on_skipped": Status.SKIPPED,
    "runner_on_unreachable": Status.UNREACHABLE,
    "runner_on_async_failed": Status.FAILED,
}
_INCLUDES = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "ansible.builtin.", "ansible.legacy.")
    for name in ("include_tasks", "include_role", "import_tasks", "import_role", "include")
)
_OF_INCLUDES = frozenset(kind for kind, status in (_ITEMS | _ENDS).items() if status is not Status.OK)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent:
    """An event of ansible-runner that is about a task on a host.

    task: tells tasks apart; place: where it is written, as `FILE:LINE`; answer: what the module returned; changed: what
    Ansible printed of it, for answers that do not tell; seconds: since the task's start, for all items of a loop
    together.
    """

    kind: str
    task: str
    place: str
    title: str
    action: str
    answer: Mapping[str, Any]
    changed: bool
    seconds: float
    ignored: bool

    @classmethod
    def of(cls, kind: str, data: Mapping[str, Any], stdout: str) -> Self:
        """Return the event with this data, whatever it is."""
        action = str(data.get("resolved_action") or data.get("task_action") or "")
        answer, duration = data.get("res"), data.get("duration")
        role = data.get("resolved_role") or data.get("role")
        title = f"{role} : {data.get('task') or action}" if role else str(data.get("task") or action)
        return cls(
            kind=kind,
            task=str(data.get("task_uuid")),
            place=str(data.get("task_path")),
            title=clip(plain_text(title), 500),
            action=action,
            answer=answer if isinstance(answer, Mapping) else {},
            changed=_CHANGED.search(plain_text(stdout)) is not None,
            seconds=max(0.0, float(duration)) if isinstance(duration, int | float) else 0.0,  # the clock may be set
            ignored=bool(data.get("ignore_errors")),
        )

    @property
    def includes_variables(self) -> bool:
        """Whether it tells how variables were read from files."""
        return self.action.rpartition(".")[2] == "include_vars" and self.kind in _ITEMS | _ENDS

    @property
    def answers(self) -> Iterator[Mapping[str, Any]]:
        """What the module returned, for all items of a loop."""
        results = self.answer.get("results")
        for answer in (self.answer, *(results if isinstance(results, list) else ())):
            if isinstance(answer, Mapping):
                yield answer

    @property
    def counts(self) -> bool:
        """Whether it is about a step: an include is one only when it is skipped or fails."""
        if self.action in _INCLUDES:
            return self.kind in _OF_INCLUDES
        return self.kind == "runner_on_start" or self.kind in _ITEMS or self.kind in _ENDS


@dataclass(frozen=True, slots=True)
class _Done:
    """A step, with the task that it belongs to: the items of a loop share one."""

    task: str
    step: StepResult


class HostStory:
    """Takes a host's events with `tell`. running: the task begun last; unreachable: why the host was, if it was."""

    def __init__(self, name: str, secrets: Iterable[str]) -> None:
        self.name = name
        self.running: str | None = None
        self.unreachable = ""
        self.seconds = 0.0
        self._secrets = secrets
        self._done: list[_Done] = []
        self._items: list[StepResult] = []
        self._loop: str | None = None

    @property
    def lies_low(self) -> bool:
        """Whether the last that was heard is that the host cannot be reached."""
        return bool(self._done) and self._done[-1].step.status is Status.UNREACHABLE

    def tell(self, event: TaskEvent) -> Iterator[Event]:
        """Take an event and yield what it means."""
        if event.kind == "runner_on_start":
            self.running = event.title
            step = wire.mask(event.title, self._secrets)
            yield StepStarted(host=self.name, step=step, task=foreign.task_name(event.action))
        elif event.kind in _ITEMS:
            yield from self._item(event, _ITEMS[event.kind])
        elif event.kind in _ENDS:
            self.running = None
            self.seconds += event.seconds
            yield from self._end(event, _ENDS[event.kind])

    def steps(self, *, lost: bool, failures: int | None) -> tuple[StepResult, ...]:
        """Return the steps in the end; failures that a `rescue` or `ignore_unreachable` caught are marked ignored.

        lost: the host could not be reached in the end; failures: how many failed tasks counted as the host's failure,
        None when all did. A host goes on after a failure that was caught, so those that counted are the last ones.
        """
        done = [*self._done, *(_Done(self._loop or "", step) for step in self._items)]
        if lost:
            return tuple(each.step for each in done if each.step.status is not Status.UNREACHABLE)
        failed = dict.fromkeys(
            each.task for each in reversed(done) if each.step.status is Status.FAILED and not each.step.ignored
        )
        caught = set() if failures is None else set(list(failed)[failures:])
        return tuple(_settled(each.step, caught=each.task in caught) for each in done)

    def _item(self, event: TaskEvent, status: Status) -> Iterator[Event]:
        """Take one turn of a loop; from the first failure on they are kept back until it is known to be ignored."""
        self._loop = event.task
        if event.answer.get("unreachable"):
            self.unreachable = self.unreachable or str(event.answer.get("msg") or "")
            return
        label = event.answer.get("_ansible_item_label", event.answer.get("item", "?"))
        step = self._result(event, status, name=f"{event.title} (item={foreign.compact(label)})")
        if step.status is Status.FAILED or self._items:
            self._items.append(step)
        else:
            yield from self._add(event, step)

    def _end(self, event: TaskEvent, status: Status) -> Iterator[Event]:
        looped = self._loop == event.task
        kept, self._items, self._loop = self._items, [], None
        for step in kept:
            failed = step.status is Status.FAILED
            yield from self._add(event, dataclasses.replace(step, ignored=failed and event.ignored))
        if status is Status.UNREACHABLE:
            words = self.unreachable if looped and self.unreachable else str(event.answer.get("msg") or "")
            self.unreachable = foreign.error_words(words) or "unreachable"
            told = dataclasses.replace(event, answer={"msg": self.unreachable})
            step = self._result(told, Status.FAILED, seconds=event.seconds)
            self._done.append(_Done(event.task, dataclasses.replace(step, status=Status.UNREACHABLE, ignored=False)))
        elif not looped or (status is Status.FAILED and not any(step.status is Status.FAILED for step in kept)):
            yield from self._add(event, self._result(event, status, seconds=event.seconds))

    def _result(self, event: TaskEvent, status: Status, *, name: str = "", seconds: float = 0.0) -> StepResult:
        return foreign.step_result(
            name or event.title,
            event.action,
            status,
            event.answer,
            seconds=seconds,
            changed=event.changed,
            ignored=status is Status.FAILED and event.ignored,
            secrets=self._secrets,
        )

    def _add(self, event: TaskEvent, step: StepResult) -> Iterator[Event]:
        if len(self._done) < MAX_STEPS:
            self._done.append(_Done(event.task, step))
        yield StepEnded(host=self.name, result=step)


def _settled(step: StepResult, *, caught: bool) -> StepResult:
    if step.status is Status.UNREACHABLE:  # and yet the host was told to go on
        return dataclasses.replace(step, status=Status.FAILED, ignored=True)
    if caught and step.status is Status.FAILED:
        return dataclasses.replace(step, ignored=True)
    return step
