"""How often a task is done on a host, and what keeps it from being done: loops, conditions, errors known beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from opslib.engines import ansible_core as core
from opslib.engines.contexts import Context
from opslib.engines.foreign import clip, compact, plain_text
from opslib.engines.sheet import Sheet
from opslib.result import Status, StepResult

__all__ = ["HIDDEN", "Failures", "Round", "Rounds"]

HIDDEN: Final = "hidden: no_log is set"


@dataclass(frozen=True, slots=True)
class Round:
    """One time that a task is done: once, or for one `item` of its loop. extra: variables it has besides."""

    name: str
    item: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


class Failures:
    """Tasks that cannot be done as they are written, and whether any host gets through them."""

    def __init__(self) -> None:
        self._errors: dict[tuple[Any, ...], str] = {}
        self._passed: set[tuple[Any, ...]] = set()

    def note(self, sheet: Sheet, error: str | None) -> None:
        """Record how a task came out on one host."""
        key = (sheet.path, sheet.line, sheet.full_action)
        if error is None:
            self._passed.add(key)
        else:
            self._errors.setdefault(key, error)

    def first(self) -> str | None:
        """Return the first error of a task that no host gets through."""
        return next((error for key, error in self._errors.items() if key not in self._passed), None)


class Rounds:
    """Works out the rounds of tasks, for the host whose variables the engine has.

    failures: takes tasks that fail for reasons known beforehand; fatal: takes whether a failing task would end the
    play for all hosts.
    """

    def __init__(self, engine: core.Engine, failures: Failures) -> None:
        self.engine = engine
        self.failures = failures
        self.fatal: set[bool] = set()
        self._names: dict[int, str] = {}

    def name(self, sheet: Sheet) -> str:
        """Return a task's name; as in Ansible the first host's variables give it for all."""
        key = id(sheet.task)
        if key not in self._names:
            self._names[key] = clip(plain_text(core.display_name(sheet.task, self.engine)), 500)
        return self._names[key]

    def false_condition(self, sheet: Sheet) -> str | None:
        """Return the words for the first condition that does not hold, None when all do."""
        for condition in sheet.when:
            if not self.engine.evaluate_conditional(condition):
                return f"the condition is false: {clip(plain_text(str(core.plain(condition))), 300)}"
        return None

    def of(self, sheet: Sheet, context: Context) -> Iterator[Round | StepResult]:
        """Yield what a task does on a host: a round for each item, or the result that takes a round's place.

        The engine has the round's variables when it is yielded.
        """
        name = self.name(sheet)
        problem: Exception | None = None
        items: list[Any] | None = None
        if sheet.loops:
            try:
                items = core.loop_items(sheet.task, self.engine)
            except core.AnsibleUndefinedVariable as error:
                problem = error
            except core.AnsibleError as error:
                yield self.failure(sheet, context.name, Round(name=name), core.in_words(error))
                return
        if items is not None:
            if not items:
                yield self.skip(sheet, Round(name=name), "there are no items to loop over")
                return
            yield from self._over(sheet, context, items)
            return
        self.engine.available_variables = context.wider
        yield self._judged(sheet, context, Round(name=name), problem)

    def _over(self, sheet: Sheet, context: Context, items: list[Any]) -> Iterator[Round | StepResult]:
        name = self.name(sheet)
        control = sheet.task.loop_control
        loop_var, index_var = str(control.loop_var), control.index_var
        label = control.label or self.engine.variable_name_as_template(loop_var)
        for index, item in enumerate(items):
            extra: dict[str, Any] = {"ansible_loop_var": loop_var, loop_var: item}
            if index_var:
                extra.update({"ansible_index_var": index_var, str(index_var): index})
            if control.extended:
                extra["ansible_loop"] = _extended(items, index, bool(control.extended_allitems))
            self.engine.available_variables = context.variables | extra
            try:
                shown = compact(core.plain(self.engine.template(label)))
                problem: Exception | None = None
            except core.AnsibleError as error:
                shown, problem = str(index), error
            extra["_ansible_item_label"] = shown
            this = Round(name=f"{name} (item={shown})", item=True, extra=extra)
            self.engine.available_variables = context.wider | extra
            yield self._judged(sheet, context, this, problem)

    def _judged(self, sheet: Sheet, context: Context, this: Round, problem: Exception | None) -> Round | StepResult:
        """Return the round, or the result when its condition is false or it cannot go on."""
        try:
            false = self.false_condition(sheet)
            if false is not None:
                return self.skip(sheet, this, false)
            if problem is not None:
                raise problem
        except core.AnsibleError as error:
            return self.failure(sheet, context.name, this, core.in_words(error))
        return this

    def skip(self, sheet: Sheet, this: Round, reason: str) -> StepResult:
        """Return the result of a task that is not done."""
        return StepResult(name=this.name, task=sheet.shown_action, status=Status.SKIPPED, reason=reason)

    def failure(self, sheet: Sheet, host: str, this: Round, error: str) -> StepResult:
        """Return the result of a task that cannot be done as it is written."""
        ignored = no_log = False
        try:
            ignored = bool(sheet.keyword("ignore_errors", self.engine))
            no_log = bool(sheet.keyword("no_log", self.engine))
            fatal = bool(sheet.keyword("any_errors_fatal", self.engine))
        except core.AnsibleError:
            no_log, fatal = True, False
        if not ignored:
            self.fatal.add(fatal)
            hidden = HIDDEN if no_log else error
            self.failures.note(sheet, f"{sheet.subject()} on host {host}{sheet.where()}: {hidden}")
        return StepResult(
            name=this.name,
            task=sheet.shown_action,
            status=Status.FAILED,
            error=HIDDEN if no_log else error,
            ignored=ignored,
        )


def _extended(items: list[Any], index: int, with_all: bool) -> dict[str, Any]:
    """Return `ansible_loop`, as `TaskExecutor._run_loop` makes it."""
    count = len(items)
    found: dict[str, Any] = {
        "index": index + 1,
        "index0": index,
        "first": index == 0,
        "last": index + 1 == count,
        "length": count,
        "revindex": count - index,
        "revindex0": count - index - 1,
    }
    if with_all:
        found["allitems"] = items
    if index + 1 < count:
        found["nextitem"] = items[index + 1]
    if index > 0:
        found["previtem"] = items[index - 1]
    return found
