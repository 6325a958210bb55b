"""Turn one play into steps: what every host of a batch is to do, in the order in which Ansible would do it.

Goes through the play as Ansible's linear strategy does, task by task and for each task host by host, but only reckons.
A looped task becomes one step for each item, named `NAME (item=LABEL)`, all with the same position; a condition that
is false, a role's arguments and the actions `assert`, `debug` and `fail` become results that are known beforehand.
After such a result has failed, its host gets no further items, as Ansible would give it none.
"""

# ruff: noqa: SLF001 - ansible-core has no public way to what is needed here

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from opslib import tasks
from opslib.connection import NotCarriedError
from opslib.engines import ansible_core as core
from opslib.engines import known, obstacles
from opslib.engines.contexts import Context, Contexts, check_connection
from opslib.engines.handlers import Flush, Handlers, Pending
from opslib.engines.obstacles import NeedsAnsibleError, Watch
from opslib.engines.rounds import HIDDEN, Failures, Round, Rounds
from opslib.engines.sheet import Sheet
from opslib.engines.work import KnownResult
from opslib.errors import InventoryError, PlaybookError
from opslib.host.params import ParamError as HostParamError
from opslib.host.task import Task
from opslib.result import Status, StepResult
from opslib.step import Step

__all__ = ["Compiler", "HostItems"]


@dataclass(slots=True)
class HostItems:
    """What has been reckoned for one host so far.

    base: its variables in the play; dead: a result known beforehand has failed, so that only handlers that run
    `always` can follow; ran, completed: roles of which a task has run, and that have come to their end.
    """

    host: Any
    base: Mapping[str, Any]
    items: list[Step | StepResult] = field(default_factory=list)
    ids: Iterator[int] = field(default_factory=itertools.count)
    dead: bool = False
    pending: Pending = field(default_factory=Pending)
    ran: set[int] = field(default_factory=set)
    completed: set[int] = field(default_factory=set)

    @property
    def name(self) -> str:
        """The host's name."""
        return str(self.host.name)


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
        self.watch = watch
        self.check = check
        self.defaults = defaults
        self.secrets = secrets
        self.engine = core.Engine(loader=loader, watch=watch)
        self.contexts = Contexts(play, loader, variables, [str(host.name) for host in hosts], all_names)
        self.rounds = Rounds(self.engine, failures)
        self.handlers = Handlers(play, self.contexts, self.engine)
        self.connection = (play.connection, play.port, play.remote_user)
        self.hosts = [HostItems(host, self.contexts.base(host)) for host in hosts]
        self._sheets: dict[int, Sheet] = {}
        self._made: dict[int, Task] = {}
        self._position = 0
        self._forced = False

    @property
    def fatal(self) -> set[bool]:
        """Whether a failing task would end the play for all hosts, of every task that can fail."""
        return self.rounds.fatal

    @property
    def position(self) -> int:
        """The number of the task that is being reckoned, as its steps have it."""
        return self._position

    def run(self, blocks: Sequence[Any]) -> None:
        """Reckon the blocks for all hosts. Raises NeedsAnsibleError, PlaybookError, InventoryError, AnsibleError."""
        self._blocks(blocks, self.hosts)
        if self._forced and (True in self.fatal or self.play.max_fail_percentage is not None):
            raise NeedsAnsibleError(
                "has handlers that run after a failure (force_handlers), and failures that end it for other hosts "
                "(any_errors_fatal, max_fail_percentage)"
            )

    # Going through the play

    def _blocks(self, blocks: Sequence[Any], hosts: Sequence[HostItems]) -> None:
        for task in obstacles.tasks_in(blocks):
            self._task(task, hosts)

    def _task(self, task: Any, hosts: Sequence[HostItems]) -> None:
        sheet = self._sheet(task)
        with obstacles.told_of(sheet.subject(), sheet.where()), core.TaskContext(task):
            self._one(sheet, hosts)
        if len(self.hosts) > 1 and any(each.items for each in hosts):
            self.watch.losses = "task"

    def _sheet(self, task: Any) -> Sheet:
        if id(task) not in self._sheets:
            problem = obstacles.of_task(task)
            if problem:
                raise NeedsAnsibleError(problem)
            self._sheets[id(task)] = Sheet(task)
        return self._sheets[id(task)]

    def _one(self, sheet: Sheet, hosts: Sequence[HostItems]) -> None:
        task = sheet.task
        if sheet.action == "meta":
            self._meta(sheet, hosts)
            return
        if (task.connection, task.port, task.remote_user) != self.connection:
            raise NeedsAnsibleError("has its own connection, port or remote_user")
        hosts = [each for each in hosts if not each.dead and not self._has_run(task, each)]
        self._position += 1
        if sheet.action in obstacles.FLOW:
            self._include(sheet, hosts)
            return
        for each in hosts:
            self._step(sheet, each)

    # Roles that run once

    def _role(self, task: Any) -> int:
        return id(self.play._get_cached_role(task._role))

    def _has_run(self, task: Any, each: HostItems) -> bool:
        once = task._role is not None and task._role._metadata.allow_duplicates is False
        return once and self._role(task) in each.completed

    def _role_ran(self, task: Any, each: HostItems) -> None:
        if task._role is not None:
            each.ran.add(self._role(task))

    # Meta tasks and includes

    def _meta(self, sheet: Sheet, hosts: Sequence[HostItems]) -> None:
        act = sheet.task.args.get("_raw_params")
        if act == "role_complete":
            for each in hosts:
                each.completed.update({self._role(sheet.task)} & each.ran)
        elif act == "flush_handlers":
            self._position += 1
            self._flush([each for each in hosts if self._flushes(sheet, each)])

    def _flushes(self, sheet: Sheet, each: HostItems) -> bool:
        """Whether a host's handlers are to run now: not after a failure, unless they are forced."""
        if each.dead:
            return bool(self.play.force_handlers) and bool(sheet.task.implicit)
        if not sheet.when or self._has_run(sheet.task, each):
            return not sheet.when
        self.engine.available_variables = self.contexts.of(each.host, sheet.task).variables
        false = self.rounds.false_condition(sheet)
        if false is not None:
            self._add(each, self.rounds.skip(sheet, Round(name=self.rounds.name(sheet)), false))
        return false is None

    def _include(self, sheet: Sheet, hosts: Sequence[HostItems]) -> None:
        """Take up the tasks of an included file or role, for those hosts that include it."""
        results = []
        for each in hosts:
            context = self._enter(sheet, each)
            copied = sheet.task.copy(exclude_parent=True)
            copied._parent = sheet.task._parent
            answers = []
            for outcome in self.rounds.of(sheet, context):
                answer = outcome if isinstance(outcome, StepResult) else self._answer(sheet, each, outcome)
                if isinstance(answer, StepResult):
                    self._add(each, answer)
                    each.dead = each.dead or answer.status is Status.FAILED
                else:
                    answers.append(answer)
            if answers and not each.dead:
                self._role_ran(sheet.task, each)
                if not sheet.loops:
                    copied.args = {**answers[0]["include_args"]}
                    if "include" in answers[0]:
                        copied.args["_raw_params"] = answers[0]["include"]
                results.append((each.host, copied, {"results": answers} if sheet.loops else answers[0]))
        by_name = {each.name: each for each in hosts}
        with core.reading(PlaybookError, f"{sheet.subject()}{sheet.where()}"):
            files = core.included(results, self.play, self.loader, self.variables)
        found = []
        for include in files:
            including = [by_name[str(host.name)] for host in include._hosts]
            found.append((self._take_up(sheet, include, including), including))
        for blocks, including in found:
            self._blocks(blocks, including)

    def _answer(self, sheet: Sheet, each: HostItems, this: Round) -> dict[str, Any] | StepResult:
        """Return what a worker would answer to an include."""
        try:
            args = core.task_args(sheet.task, sheet.full_action, self.engine, free_form=True)
        except core.AnsibleError as error:
            return self.rounds.failure(sheet, each.name, this, core.in_words(error))
        answer = {**this.extra, "include_args": args}
        if sheet.action == "include_tasks":
            answer["include"] = args.pop("_raw_params", None)
        return answer

    def _take_up(self, sheet: Sheet, include: Any, hosts: Sequence[HostItems]) -> list[Any]:
        """Return what an include has brought. A file or role that is not there is a failure of its hosts."""
        try:
            blocks = []
            for block in core.included_blocks(include, self.play, self.loader, self.variables):
                seen = self.variables.get_vars(play=self.play, task=block.get_first_parent_include())
                blocks.append(block.filter_tagged_tasks(seen))
        except core.AnsibleParserError as error:
            raise PlaybookError(f"{sheet.subject()}{sheet.where()}: {core.in_words(error)}") from error
        except core.AnsibleError as error:
            for each in hosts:
                this = Round(name=str(core.plain(sheet.task.get_name())))
                failure = self.rounds.failure(sheet, each.name, this, core.in_words(error))
                self._add(each, replace(failure, ignored=False))
                each.dead = True
            return []
        except RecursionError as error:
            raise PlaybookError(f"{sheet.subject()}{sheet.where()}: it includes itself without end") from error
        self.rounds.failures.note(sheet, None)
        self.handlers.refresh()
        return blocks

    # One task on one host

    def _add(self, each: HostItems, result: StepResult) -> None:
        """Add a result that is known beforehand, in the place of the task that the play has come to."""
        each.items.append(KnownResult.of(result, self._position))

    def _enter(self, sheet: Sheet, each: HostItems) -> Context:
        context = self.contexts.of(each.host, sheet.task)
        self.engine.available_variables = context.variables
        check_connection(each.base, context)
        return context

    def _step(self, sheet: Sheet, each: HostItems) -> None:
        context = self._enter(sheet, each)
        steps: list[Step] = []
        failed = False
        notify: dict[str, None] = {}
        for outcome in self.rounds.of(sheet, context):
            item = outcome if isinstance(outcome, StepResult) else self._item(sheet, each, context, outcome)
            if isinstance(item, Step):
                each.items.append(item)
                steps.append(item)
                notify.update(dict.fromkeys(map(str, core.plain(sheet.keyword("notify", self.engine) or []))))
            else:
                self._add(each, item)
                failed = failed or item.status is Status.FAILED
                each.dead = each.dead or (item.status is Status.FAILED and not item.ignored)
            if isinstance(item, Step) or item.status is not Status.SKIPPED:
                self._role_ran(sheet.task, each)
        if notify and not failed:  # a loop of which an item fails notifies nobody
            self.handlers.check(notify, sheet)
            each.pending.add(notify, [step.id for step in steps])

    def _item(self, sheet: Sheet, each: HostItems, context: Context, this: Round) -> Step | StepResult:
        """Return the step of a round, or its result when that is known beforehand."""
        try:
            item = self._make(sheet, each, context, this) if sheet.ours else self._known(sheet, this)
        except core.AnsibleError as error:
            return self.rounds.failure(sheet, each.name, this, core.in_words(error))
        except NotCarriedError as problem:
            raise NeedsAnsibleError(f"cannot be carried: {problem}") from None
        except (HostParamError, InventoryError) as error:
            return self.rounds.failure(sheet, each.name, this, str(error))
        self.rounds.failures.note(sheet, None)
        return item

    def _make(self, sheet: Sheet, each: HostItems, context: Context, this: Round) -> Step:
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
            name=f"{self.rounds.name(sheet)} (item=?)" if no_log and this.item else this.name,
            become=become if become is not None else False,
            timeout=float(timeout) if timeout else None,
            ignore_errors=ignore_errors,
            no_log=no_log,
            check=check if check != self.check else None,
            id=next(each.ids),
            position=self._position,
        )

    def _host_task(self, sheet: Sheet) -> Task:
        key = id(sheet.task)
        if key in self._made:
            return self._made[key]
        args = core.plain(core.task_args(sheet.task, sheet.full_action, self.engine), self.secrets)
        odd = next((name for name in args if not isinstance(name, str)), None)
        if odd is not None:
            raise HostParamError(f"{sheet.action}: {odd!r} is no name of a parameter")
        made = tasks.get(sheet.action)(**args)
        if sheet.args_fixed:
            self._made[key] = made
        return made

    def _known(self, sheet: Sheet, this: Round) -> StepResult:
        """Return the result of an action that does nothing on the host."""
        status, text = known.outcome(sheet, self.engine)
        failed = status is Status.FAILED
        ignored = failed and bool(sheet.keyword("ignore_errors", self.engine))
        if failed and not ignored:
            self.fatal.add(bool(sheet.keyword("any_errors_fatal", self.engine)))
        text = HIDDEN if sheet.keyword("no_log", self.engine) else text
        return StepResult(
            name=this.name,
            task=sheet.shown_action,
            status=status,
            reason="" if failed else text,
            error=text if failed else None,
            ignored=ignored,
        )

    # Handlers

    def _flush(self, hosts: Sequence[HostItems]) -> None:
        """Let notified handlers follow, in the order of their definition."""
        due = {each.name: self.handlers.due(each.pending) for each in hosts}
        for handler in self.handlers.all():
            notified = [each for each in hosts if due[each.name].is_notified(handler)]
            if not notified:
                continue
            place = obstacles.where(*core.origin(handler.get_ds()))
            with obstacles.told_of(f"handler {obstacles.task_name(handler)!r}", place), core.TaskContext(handler):
                sheet = self._sheet(handler)
                if not sheet.ours:
                    raise NeedsAnsibleError(f"runs {sheet.full_action} as a handler")
                self._position += 1
                for each in notified:
                    self._handler(sheet, each, due[each.name])
        for each in hosts:
            each.pending = due[each.name].left()

    def _handler(self, sheet: Sheet, each: HostItems, flush: Flush) -> None:
        """Add a handler's steps, to be done if it is notified; what is known of it counts only then, too."""
        ids = flush.take(sheet.task)
        before = len(each.items), each.dead
        each.pending, each.dead = Pending(), False
        self._step(sheet, each)
        if each.dead:
            raise NeedsAnsibleError("would fail if it were notified")
        flush.more(each.pending)
        always = bool(self.play.force_handlers)
        for number, item in enumerate(each.items[before[0] :], before[0]):
            assert isinstance(item, Step | KnownResult)
            each.items[number] = replace(item, handler_of=ids, always=always)
            self._forced = self._forced or always
        each.dead = before[1]
