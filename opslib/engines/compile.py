"""Turn one play into steps: what every host of a batch is to do, in the order in which Ansible would do it.

Goes through the play as Ansible's linear strategy does, task by task and for each task host by host, but only reckons.
A looped task becomes one step for each item, named `NAME (item=LABEL)`, all with the same position; a condition that
is false, a role's arguments and the actions `assert`, `debug` and `fail` become results that are known beforehand.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from opslib import tasks
from opslib.engines import ansible_core as core
from opslib.engines import known, obstacles
from opslib.engines.contexts import Context, Contexts, check_connection
from opslib.engines.handlers import Handlers, Pending
from opslib.engines.obstacles import NeedsAnsibleError, Watch
from opslib.engines.sheet import Sheet
from opslib.errors import InventoryError, ParamError, PlaybookError
from opslib.host.params import ParamError as HostParamError
from opslib.host.task import Task
from opslib.result import Status, StepResult
from opslib.step import Step

__all__ = ["Compiler", "Failures", "HostItems"]

HIDDEN: Final = "hidden: no_log is set"
_LABEL_LENGTH: Final = 200


@dataclass(slots=True)
class HostItems:
    """What has been reckoned for one host so far.

    dead: a result known beforehand has failed, so that only handlers that run `always` can follow; ran, completed:
    roles of which a task has run, and that have come to their end.
    """

    host: Any
    base: Mapping[str, Any]
    items: list[Step | StepResult] = field(default_factory=list)
    ids: Iterator[int] = field(default_factory=itertools.count)
    dead: bool = False
    pending: Pending = field(default_factory=Pending)
    ran: set[int] = field(default_factory=set)
    completed: set[int] = field(default_factory=set)


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


class Compiler:
    """Reckons one batch of one play.

    play: prepared by ansible-core, with its handlers; watch: sees every template; check: the run's check mode;
    defaults: of `ansible.cfg`, for connections; failures: takes tasks that fail for reasons known beforehand; secrets:
    takes texts that came out of a vault.
    """

    def __init__(
        self,
        play: Any,
        *,
        loader: core.Loader,
        variables: core.Variables,
        hosts: Sequence[Any],
        all_names: Sequence[str],
        watch: Watch,
        check: bool,
        defaults: Mapping[str, Any],
        failures: Failures,
        secrets: set[str],
    ) -> None:
        self.play = play
        self.loader = loader
        self.variables = variables
        self.check = check
        self.defaults = defaults
        self.failures = failures
        self.secrets = secrets
        self.engine = core.Engine(loader=loader, watch=watch)
        self.watch = watch
        self.contexts = Contexts(play, loader, variables, [str(host.name) for host in hosts], all_names)
        self.handlers = Handlers(play, self.contexts, self.engine)
        self.connection = (play.connection, play.port, play.remote_user)
        self.hosts = [HostItems(host, self.contexts.base(host)) for host in hosts]
        self.fatal: set[bool] = set()
        self._sheets: dict[int, Sheet] = {}
        self._made: dict[int, Task] = {}
        self._names: dict[int, str] = {}
        self._position = 0

    def run(self, blocks: Sequence[Any]) -> list[HostItems]:
        """Reckon the blocks for all hosts. Raises NeedsAnsibleError, PlaybookError, InventoryError."""
        self._blocks(blocks, self.hosts)
        if len(self.fatal) > 1:
            raise NeedsAnsibleError("makes errors fatal for all hosts in some of its tasks only (any_errors_fatal)")
        return self.hosts

    # Going through blocks

    def _blocks(self, blocks: Sequence[Any], hosts: Sequence[HostItems]) -> None:
        for block in blocks:
            problem = obstacles.of_block(block)
            if problem:
                path, line = core.origin(block.get_ds())
                raise NeedsAnsibleError(f"block {block.name or ''!r} {problem}{obstacles.where(path, line)}")
            for entry in (*block.block, *block.always):
                if isinstance(entry, core.Block):
                    self._blocks([entry], hosts)
                else:
                    self._task(entry, hosts)

    def _task(self, task: Any, hosts: Sequence[HostItems]) -> None:
        sheet = self._sheet(task)
        try:
            with core.TaskContext(task):
                self._one(sheet, hosts)
        except NeedsAnsibleError as problem:
            text = str(problem)
            known_place = text.startswith(("task ", "block ", "handler "))
            raise NeedsAnsibleError(text if known_place else f"{sheet.subject()} {text}{sheet.where()}") from None
        if any(each.items for each in hosts) and len(self.hosts) > 1:
            self.watch.losses = "task"

    def _sheet(self, task: Any) -> Sheet:
        if id(task) not in self._sheets:
            problem = obstacles.of_task(task)
            sheet = Sheet(task)
            if problem:
                raise NeedsAnsibleError(f"{sheet.subject()} {problem}{sheet.where()}")
            self._sheets[id(task)] = sheet
        return self._sheets[id(task)]

    def _one(self, sheet: Sheet, hosts: Sequence[HostItems]) -> None:
        task = sheet.task
        if sheet.action == "meta":
            self._meta(sheet, hosts)
            return
        hosts = [each for each in hosts if not each.dead and not self._has_run(task, each)]
        if (task.connection, task.port, task.remote_user) != self.connection:
            raise NeedsAnsibleError("has its own connection, port or remote_user")
        position = self._next_position()
        if sheet.action in obstacles.FLOW:
            self._include(sheet, hosts)
            return
        for each in hosts:
            self._step(sheet, each, position)

    def _next_position(self) -> int:
        self._position += 1
        return self._position

    # Roles that run once

    def _cached_role(self, role: Any) -> Any:
        return self.play._get_cached_role(role)

    def _has_run(self, task: Any, each: HostItems) -> bool:
        role = task._role
        if role is None or role._metadata.allow_duplicates is not False:
            return False
        return id(self._cached_role(role)) in each.completed

    # Meta tasks and includes

    def _meta(self, sheet: Sheet, hosts: Sequence[HostItems]) -> None:
        act = sheet.task.args.get("_raw_params")
        if act == "role_complete" and sheet.task.implicit:
            role = id(self._cached_role(sheet.task._role))
            for each in hosts:
                if role in each.ran:
                    each.completed.add(role)
        elif act == "flush_handlers":
            self._flush([each for each in hosts if self._flushes(sheet, each)])

    def _flushes(self, sheet: Sheet, each: HostItems) -> bool:
        if each.dead:
            return bool(self.play.force_handlers) and sheet.task.implicit
        if not sheet.when or self._has_run(sheet.task, each):
            return not sheet.when
        self.engine.available_variables = self.contexts.of(each.host, sheet.task).variables
        try:
            false = self._false_condition(sheet)
            if false is not None:
                each.items.append(self._skip(sheet, Round(name=self._name(sheet)), f"the condition is false: {false}"))
            return false is None
        except core.AnsibleError as error:
            raise PlaybookError(f"{sheet.subject()}{sheet.where()}: {core.in_words(error)}") from error

    def _include(self, sheet: Sheet, hosts: Sequence[HostItems]) -> None:
        """Take up the tasks of an included file or role, for those hosts that include it."""
        results = []
        for each in hosts:
            context = self._enter(sheet, each)
            answers: list[dict[str, Any]] = []
            failed = False
            copied = sheet.task.copy(exclude_parent=True)
            copied._parent = sheet.task._parent
            for outcome in self._rounds(sheet, each, context):
                if isinstance(outcome, StepResult):
                    each.items.append(outcome)
                    failed = failed or outcome.status is Status.FAILED
                    continue
                try:
                    args = core.task_args(sheet.task, sheet.full_action, self.engine, free_form=True)
                except core.AnsibleError as error:
                    each.items.append(self._failure(sheet, each, outcome, core.in_words(error)))
                    failed = True
                    continue
                if not sheet.loops:
                    copied.args = args.copy()
                answer = {"include_args": args, **outcome.extra}
                if sheet.action == "include_tasks":
                    answer["include"] = args.pop("_raw_params", None)
                answers.append(answer)
                self.failures.note(sheet, None)
                self._role_ran(sheet.task, each)
            if failed:
                self._die(sheet, each)
            elif answers:
                data: dict[str, Any] = {"results": answers} if sheet.loops else answers[0]
                results.append((each.host, copied, data))
        by_host = {each.host.name: each for each in hosts}
        with core.reading(PlaybookError, f"{sheet.subject()}{sheet.where()}"):
            files = core.included(results, self.play, self.loader, self.variables)
        for include in files:
            with core.reading(PlaybookError, f"{sheet.subject()}{sheet.where()}"):
                blocks = self._included_blocks(include)
            self._blocks(blocks, [by_host[host.name] for host in include._hosts])

    def _included_blocks(self, include: Any) -> list[Any]:
        blocks = []
        for block in core.included_blocks(include, self.play, self.loader, self.variables):
            seen = self.variables.get_vars(play=self.play, task=block.get_first_parent_include())
            blocks.append(block.filter_tagged_tasks(seen))
        self.handlers.refresh()
        return blocks

    # One task on one host

    def _enter(self, sheet: Sheet, each: HostItems) -> Context:
        context = self.contexts.of(each.host, sheet.task)
        self.engine.available_variables = context.variables
        check_connection(each.base, context)
        return context

    def _name(self, sheet: Sheet) -> str:
        """Return a task's name; as in Ansible the first host's variables give it for all."""
        key = id(sheet.task)
        if key not in self._names:
            self._names[key] = core.display_name(sheet.task, self.engine)
        return self._names[key]

    def _false_condition(self, sheet: Sheet) -> str | None:
        """Return the first condition that does not hold, None when all do."""
        for condition in sheet.when:
            if not self.engine.evaluate_conditional(condition):
                return str(core.plain(condition)) if not isinstance(condition, bool) else "false"
        return None

    def _rounds(self, sheet: Sheet, each: HostItems, context: Context) -> Iterator[Round | StepResult]:
        """Yield what a task does on a host: a round for each item, or the result that takes a round's place.

        The engine has the round's variables when it is yielded.
        """
        name = self._name(sheet)
        problem: Exception | None = None
        items: list[Any] | None = None
        if sheet.loops:
            try:
                items = core.loop_items(sheet.task, self.engine)
            except core.AnsibleUndefinedVariable as error:
                problem = error
            except core.AnsibleError as error:
                yield self._failure(sheet, each, Round(name=name), core.in_words(error))
                return
        if items is not None:
            if not items:
                yield self._skip(sheet, Round(name=name), "there are no items to loop over")
                return
            yield from self._over(sheet, each, context, items)
            return
        self.engine.available_variables = context.wider
        yield self._judged(sheet, each, Round(name=name), problem)

    def _over(self, sheet: Sheet, each: HostItems, context: Context, items: list[Any]) -> Iterator[Round | StepResult]:
        name = self._name(sheet)
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
                shown = str(core.plain(self.engine.template(label)))[:_LABEL_LENGTH]
                problem: Exception | None = None
            except core.AnsibleError as error:
                shown, problem = str(index), error
            extra["_ansible_item_label"] = shown
            this = Round(name=f"{name} (item={shown})", number=index + 1, extra=extra)
            self.engine.available_variables = context.wider | extra
            yield self._judged(sheet, each, this, problem)

    def _judged(self, sheet: Sheet, each: HostItems, this: Round, problem: Exception | None) -> Round | StepResult:
        """Return the round, or the result when its condition is false or it cannot go on."""
        try:
            false = self._false_condition(sheet)
            if false is not None:
                return self._skip(sheet, this, f"the condition is false: {false}")
            if problem is not None:
                raise problem
        except core.AnsibleError as error:
            return self._failure(sheet, each, this, core.in_words(error))
        return this

    def _step(self, sheet: Sheet, each: HostItems, position: int) -> None:
        context = self._enter(sheet, each)
        steps: list[Step] = []
        notify: dict[str, None] = {}
        failed = done = False
        for outcome in self._rounds(sheet, each, context):
            item = outcome if isinstance(outcome, StepResult) else self._item(sheet, each, context, outcome, position)
            each.items.append(item)
            if isinstance(item, Step):
                steps.append(item)
                notify.update(dict.fromkeys(self._notify(sheet)))
            done = done or not (isinstance(item, StepResult) and item.status is Status.SKIPPED)
            failed = failed or (
                isinstance(item, StepResult) and item.status is Status.FAILED and not item.ignored
            )
        if notify:
            self.handlers.check(notify, sheet)
            each.pending.add(notify, [step.id for step in steps])
        if done:
            self._role_ran(sheet.task, each)
        if failed:
            self._die(sheet, each)

    def _item(self, sheet: Sheet, each: HostItems, context: Context, this: Round, position: int) -> Step | StepResult:
        """Return the step of a round, or its result when that is known beforehand."""
        try:
            if not sheet.ours:
                return self._known(sheet, this)
            step = self._make(sheet, each, context, this, position)
        except core.AnsibleError as error:
            return self._failure(sheet, each, this, core.in_words(error))
        except (HostParamError, InventoryError) as error:
            return self._failure(sheet, each, this, str(error))
        self.failures.note(sheet, None)
        return step

    def _make(self, sheet: Sheet, each: HostItems, context: Context, this: Round, position: int) -> Step:
        become = self.contexts.become(
            context, sheet.become(self.engine), self.defaults, self.engine, looped=sheet.loops
        )
        if become is not None and become.password:
            self.secrets.add(become.password)
        ignore_errors = bool(sheet.keyword("ignore_errors", self.engine))
        check = bool(sheet.keyword("check_mode", self.engine))
        timeout = sheet.keyword("timeout", self.engine)
        no_log = bool(sheet.keyword("no_log", self.engine))
        if not ignore_errors:
            self.fatal.add(bool(sheet.keyword("any_errors_fatal", self.engine)))
        return Step(
            task=self._host_task(sheet),
            name=this.name if not (no_log and this.number) else f"{self._name(sheet)} (item {this.number})",
            become=become if become is not None else False,
            timeout=float(timeout) if timeout else None,
            ignore_errors=ignore_errors,
            no_log=no_log,
            check=check if check != self.check else None,
            id=next(each.ids),
            position=position,
        )

    def _host_task(self, sheet: Sheet) -> Task:
        key = id(sheet.task)
        if key in self._made:
            return self._made[key]
        args = core.plain(core.task_args(sheet.task, sheet.full_action, self.engine), self.secrets)
        made = tasks.get(sheet.action)(**args)
        if sheet.args_fixed:
            self._made[key] = made
        return made

    def _notify(self, sheet: Sheet) -> list[str]:
        return [str(core.plain(name)) for name in sheet.keyword("notify", self.engine) or ()]

    def _known(self, sheet: Sheet, this: Round) -> StepResult:
        """Return the result of an action that does nothing on the host."""
        status, text = known.outcome(sheet, self.engine)
        failed = status is Status.FAILED
        ignored = failed and bool(sheet.keyword("ignore_errors", self.engine))
        if failed and not ignored:
            self.fatal.add(bool(sheet.keyword("any_errors_fatal", self.engine)))
        text = HIDDEN if text and sheet.keyword("no_log", self.engine) else text
        return StepResult(
            name=this.name,
            task=sheet.action,
            status=status,
            reason="" if failed else text,
            error=text if failed else None,
            ignored=ignored,
        )

    def _skip(self, sheet: Sheet, this: Round, reason: str) -> StepResult:
        return StepResult(name=this.name, task=sheet.action, status=Status.SKIPPED, reason=reason)

    def _failure(self, sheet: Sheet, each: HostItems, this: Round, error: str) -> StepResult:
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
            self.failures.note(sheet, f"{sheet.subject()} on host {each.host.name}{sheet.where()}: {hidden}")
        return StepResult(
            name=this.name,
            task=sheet.action,
            status=Status.FAILED,
            error=HIDDEN if no_log else error,
            ignored=ignored,
        )

    def _role_ran(self, task: Any, each: HostItems) -> None:
        if task._role is not None:
            each.ran.add(id(self._cached_role(task._role)))

    def _die(self, sheet: Sheet, each: HostItems) -> None:
        each.dead = True

    # Handlers

    def _flush(self, hosts: Sequence[HostItems]) -> None:
        """Let notified handlers follow, in the order of their definition."""
        due = {id(each): self.handlers.due(each.pending) for each in hosts}
        for handler in self.handlers.all():
            notified = [each for each in hosts if due[id(each)].is_notified(handler)]
            if not notified:
                continue
            try:
                with core.TaskContext(handler):
                    self._handler(handler, notified, due)
            except NeedsAnsibleError as problem:
                text = str(problem)
                raise NeedsAnsibleError(text.replace("task ", "handler ", 1)) from None
        for each in hosts:
            each.pending = due[id(each)].left()

    def _handler(self, handler: Any, hosts: Sequence[HostItems], due: Mapping[int, Any]) -> None:
        sheet = self._sheet(handler)
        if not sheet.ours:
            raise NeedsAnsibleError(f"{sheet.subject()} runs {sheet.full_action} as a handler{sheet.where()}")
        position = self._next_position()
        for each in hosts:
            flush = due[id(each)]
            ids = flush.take(handler)
            mark = len(each.items)
            pending, each.pending = each.pending, Pending()
            was_dead, each.dead = each.dead, False
            self._step(sheet, each, position)
            made = each.items[mark:]
            if each.dead:
                raise NeedsAnsibleError(f"{sheet.subject()} would fail if it were notified{sheet.where()}")
            each.dead = was_dead
            flush.more(each.pending, handler)
            each.pending = pending
            each.items[mark:] = [_as_handler(item, ids, bool(self.play.force_handlers)) for item in made
                                 if isinstance(item, Step)]


@dataclass(frozen=True, slots=True)
class Round:
    """One time that a task is done: once, or for one item of its loop. number: of the item, from 1."""

    name: str
    number: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)


def _as_handler(step: Step, ids: Sequence[int], always: bool) -> Step:
    import dataclasses

    return dataclasses.replace(step, handler_of=tuple(ids), always=always)


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
