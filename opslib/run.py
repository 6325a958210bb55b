"""Run a playbook or a role: which play goes to which engine, in which order, and what stops the rest."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from opslib.engines import excerpt
from opslib.engines.batch import BatchEngine
from opslib.engines.emitter import Emitter
from opslib.engines.playlog import NOT_STARTED
from opslib.engines.work import Compiled, HostWork, Play
from opslib.errors import UsageError
from opslib.events import OnEvent, RunEnded, RunStarted
from opslib.fleet import check_limits, check_modes, check_watchers, new_run_id, now
from opslib.host.params import shown
from opslib.result import HostResult, Report, Status
from opslib.step import Step

if TYPE_CHECKING:
    from opslib.inventory import Inventory

__all__ = ["EngineChoice", "run_playbook"]

_ALWAYS = ("validate_argument_spec", "ansible.builtin.validate_argument_spec")  # roles bring it, whatever the tags

EngineChoice = Literal["auto", "ssh", "ansible"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a playbook is to be run; see `run_playbook`."""

    limit: str | None
    tags: Sequence[str]
    skip_tags: Sequence[str]
    extra_vars: Mapping[str, Any]
    check: bool
    diff: bool
    forks: int
    timeout: float | None
    verbosity: int


def run_playbook(
    playbook: str | Path,
    inventory: Inventory | str | Path | Sequence[str | Path],
    *,
    limit: str | None = None,
    tags: Sequence[str] = (),
    skip_tags: Sequence[str] = (),
    extra_vars: Mapping[str, Any] | None = None,
    check: bool = False,
    diff: bool = False,
    engine: EngineChoice = "auto",
    forks: int = 50,
    timeout: float | None = None,
    vault_password_files: Sequence[str | Path] = (),
    verbosity: int = 0,
    on_event: OnEvent | None = None,
    cancel: threading.Event | None = None,
) -> Report:
    """Run a playbook, or a role as `ROLE[:ENTRY]`, and return the report; hosts that fail do not make it raise.

    inventory: loaded, or where to load it from; limit, tags, skip_tags, extra_vars, check, diff, forks: as for
    ansible-playbook; engine: `ssh` (one round trip per host; raises PlaybookError where a play needs more),
    `ansible` (everything through ansible-runner), or `auto` (each play by the ssh engine if it can); timeout: seconds
    per host for everything (plays under ansible-runner have what is left to the host that has spent the most, for all
    hosts together, since they wait for each other); verbosity: of ansible-playbook; on_event: is told what happens;
    cancel: set it to end the run: the hosts' processes are killed and the report is partial.

    Raises UsageError (InventoryError, PlaybookError, ParamError) before anything is touched.
    """
    check_limits(forks, timeout)
    check_modes(check=check, diff=diff)
    check_watchers(on_event, cancel)
    if isinstance(verbosity, bool) or not isinstance(verbosity, int):
        raise UsageError(f"verbosity is {shown(verbosity)}; give a whole number")
    if not isinstance(extra_vars or {}, Mapping):
        raise UsageError(f"extra_vars is {shown(extra_vars)}; give names with values")
    if engine not in ("auto", "ssh", "ansible"):
        raise UsageError(f"engine {engine!r} is none of auto, ssh, ansible")
    from opslib.engines import playbook as compiler
    from opslib.inventory import Inventory

    if not isinstance(inventory, Inventory):
        inventory = Inventory.load(inventory, vault_password_files=vault_password_files, extra_vars=extra_vars)
    options = Options(
        limit=limit,
        tags=_listed(tags),
        skip_tags=_listed(skip_tags),
        extra_vars=dict(extra_vars or {}),
        check=check,
        diff=diff,
        forks=forks,
        timeout=timeout,
        verbosity=verbosity,
    )
    with compiler.load(
        playbook,
        inventory,
        limit=limit,
        tags=options.tags,
        skip_tags=options.skip_tags,
        extra_vars=options.extra_vars,
        check=check,
        diff=diff,
    ) as compiled:
        return _Run(str(playbook), inventory, compiled, options, engine, Emitter(on_event), cancel).run()


def _listed(tags: Sequence[str] | None) -> tuple[str, ...]:
    """Return tags as a tuple; a text is one list of them, with commas, and no list of letters."""
    if tags is None or isinstance(tags, str):
        return (tags,) if tags else ()
    try:
        return tuple(tags)
    except TypeError:
        raise UsageError(f"tags are {shown(tags)}; give a list of texts") from None


class _Run:
    """One run of a compiled playbook."""

    def __init__(
        self,
        source: str,
        inventory: Inventory,
        compiled: Compiled,
        options: Options,
        engine: EngineChoice,
        emit: Emitter,
        cancel: threading.Event | None,
    ) -> None:
        self.source = source
        self.inventory = inventory
        self.compiled = compiled
        self.options = options
        self.emit = emit
        self.cancel = cancel or threading.Event()
        self.notices: list[str] = []
        self.parts = self._whole_or(_parts(compiled.plays, engine))
        self.results: dict[str, HostResult] = {}
        self.ended: set[str] = set()
        self.spent: dict[str, float] = {}
        self.engines: dict[str, None] = {}
        self.done: set[tuple[int, str]] = set()

    def _whole_or(self, parts: list[tuple[str, list[Play]]]) -> list[tuple[str, list[Play]]]:
        """Return the parts, or the whole playbook for ansible-runner where its plays cannot be cut out of it."""
        for number, (name, plays) in enumerate(parts):
            if name == "ansible" and len(plays) < len(self.compiled.plays):
                reason = excerpt.obstacle(self.compiled.path, plays) or (self._untellable() if number else None)
                if reason:
                    self.notices.append(f"the whole playbook goes to ansible-runner, because {reason}")
                    return [("ansible", list(self.compiled.plays))]
        return parts

    def _untellable(self) -> str | None:
        """Say why Ansible cannot be told of hosts that were lost before: it is by a task with the tag `always`."""
        from opslib.engines.ansible_core import C

        skipped = {*C.TAGS_SKIP, *(tag.strip() for word in self.options.skip_tags for tag in word.split(","))}
        tag = next((tag for tag in ("always", "tagged") if tag in skipped), None)
        return tag and f"the tag {tag} is skipped, and with it what tells Ansible of hosts that fail in other plays"

    def run(self) -> Report:
        """Run all parts and return the report."""
        work = self._prepare()
        names = tuple(dict.fromkeys(name for play in self.compiled.plays for name in play.hosts))
        started = now()
        run_id = new_run_id(started)
        self.emit(RunStarted(run_id=run_id, source=self.source, check=self.options.check, hosts=names))
        for warning in self.inventory.warnings:
            self.emit.warn(warning)
        self._say_why()
        self._warn_of_nothing(work)
        with contextlib.closing(BatchEngine(forks=self.options.forks, emit=self.emit, cancel=self.cancel)) as batch:
            for name, plays in self.parts:
                if self.cancel.is_set():
                    break
                self.engines[name] = None
                going_on = self._ansible(plays) if name == "ansible" else self._ssh(batch, plays[0], work)
                if not going_on:
                    break
        self._mark_unfinished()
        report = Report(
            run_id=run_id,
            source=self.source,
            engine="+".join(self.engines) or "ssh",
            check=self.options.check,
            started=started,
            ended=now(),
            hosts={name: self.results[name] for name in dict.fromkeys((*names, *self.results))},  # a play may add some
            warnings=self.emit.warnings,
            interrupted=self.cancel.is_set(),
        )
        self.emit(RunEnded(report=report))
        return dataclasses.replace(report, warnings=self.emit.warnings)

    def _prepare(self) -> dict[int, dict[str, HostWork]]:
        """Compile every play that the ssh engine will run, for all its hosts, before anything is touched."""
        work: dict[int, dict[str, HostWork]] = {}
        for name, plays in self.parts:
            for play in plays:
                if name == "ssh":
                    work[play.index] = {item.target.name: item for item in self.compiled.work(play, play.hosts)}
        return work

    def _say_why(self) -> None:
        """Tell what sent a play to ansible-runner, and which tasks will not keep to check mode."""
        for play in self.compiled.plays if self.options.check else ():
            for task in play.for_real:
                told = f"task {task}, runs for real, though this is a check: it has check_mode: false"
                self.emit.say(told)
                self.emit.warn(told)
        for notice in self.notices:
            self.emit.say(notice)
        for name, plays in self.parts:
            for play in plays:
                if name == "ansible" and play.obstacle:
                    self.emit.say(f"play {play.name!r} goes to ansible-runner, because {play.obstacle}")

    def _warn_of_nothing(self, work: Mapping[int, Mapping[str, HostWork]]) -> None:
        """Warn when the tags that were given leave nothing to do: a tag may be misspelt."""
        tags = [f"--tags {','.join(self.options.tags)}"] if self.options.tags else []
        tags += [f"--skip-tags {','.join(self.options.skip_tags)}"] if self.options.skip_tags else []
        known = all(name == "ssh" for name, _plays in self.parts)
        items = (item for hosts in work.values() for host in hosts.values() for item in host.items)
        if tags and known and not any(isinstance(item, Step) or item.task not in _ALWAYS for item in items):
            self.emit.warn(f"nothing was to be done: no step is left by {' '.join(tags)}")

    def _ssh(self, batch: BatchEngine, play: Play, work: dict[int, dict[str, HostWork]]) -> bool:
        """Run one play; return whether the playbook goes on."""
        goes_on = True
        for names in play.batches:
            alive = [name for name in names if not self._lost(name)]
            if not alive:
                continue
            if self.cancel.is_set():
                return False
            ended: set[str] = set()
            results = batch.run(
                [self._in_time(work[play.index][name]) for name in alive],
                check=self.options.check,
                policy=play.policy,
                size=len(names),
                ended=ended,
                secrets=self.compiled.secrets,
            )
            self._take(results)
            self._spend({name: result.seconds for name, result in results.items()})
            self.ended |= ended
            self.done.update((play.index, name) for name in results)
            failed = ended.union(name for name, result in results.items() if result.status is Status.FAILED)
            unreachable = [name for name, result in results.items() if result.status is Status.UNREACHABLE]
            if len(failed) + len(unreachable) == len(names):  # one that is both counts twice, as in Ansible
                return False
            goes_on = goes_on and not play.policy.too_many(len(failed), len(names))
        return goes_on

    def _in_time(self, work: HostWork) -> HostWork:
        """Return a host's work with what is left of its time."""
        return dataclasses.replace(work, timeout=self._left([work.target.name]))

    def _left(self, names: Sequence[str]) -> float | None:
        """Return the seconds that are left to all of some hosts, None for no limit."""
        spent = max((self.spent.get(name, 0.0) for name in names), default=0.0)
        return None if self.options.timeout is None else max(0.001, self.options.timeout - spent)

    def _spend(self, seconds: Mapping[str, float]) -> None:
        for name, more in seconds.items():
            self.spent[name] = self.spent.get(name, 0.0) + more

    def _ansible(self, plays: Sequence[Play]) -> bool:
        """Run plays under ansible-runner, in one invocation; return whether the playbook goes on."""
        from opslib.engines import runner

        names = [name for play in plays for name in play.hosts if not self._lost(name)]
        began = time.monotonic()
        outcome = runner.run_plays(
            plays,
            playbook=self.compiled.path,
            whole=len(plays) == len(self.compiled.plays),
            inventory=self.inventory,
            options=dataclasses.replace(self.options, timeout=self._left(names)),
            lost=frozenset(name for name in self.results if self._lost(name)),
            hidden=self.compiled.hidden,
            emit=self.emit,
            cancel=self.cancel,
        )
        self._take(outcome.hosts)
        self._spend(dict.fromkeys(outcome.hosts, time.monotonic() - began))
        for warning in outcome.warnings:
            self.emit.warn(warning)
        self.done.update((play.index, name) for play in plays for name in outcome.hosts)
        return outcome.completed

    def _mark_unfinished(self) -> None:
        """Say of every host that some play was still to come for that the run ended before."""
        late = Status.FAILED if self.cancel.is_set() else Status.SKIPPED
        for play in self.compiled.plays:
            for name in play.hosts:
                if (play.index, name) in self.done or self._bad(name):
                    continue
                result = self.results.get(name) or HostResult(name=name, status=late)
                status = late if late is Status.FAILED else result.status
                self.results[name] = dataclasses.replace(result, status=status, error=NOT_STARTED)

    def _lost(self, name: str) -> bool:
        """Whether a host takes no further part."""
        return self._bad(name) or name in self.ended

    def _bad(self, name: str) -> bool:
        return name in self.results and self.results[name].status in (Status.FAILED, Status.UNREACHABLE)

    def _take(self, results: Mapping[str, HostResult]) -> None:
        for name, result in results.items():
            before = self.results.get(name)
            self.results[name] = result if before is None else _joined(before, result)


def _joined(before: HostResult, after: HostResult) -> HostResult:
    """Return one result for what a host did in two plays."""
    joined = HostResult.of_steps(
        before.name, (*before.steps, *after.steps), error=after.error, seconds=round(before.seconds + after.seconds, 3)
    )
    return dataclasses.replace(joined, status=after.status) if after.status is Status.UNREACHABLE else joined


def _parts(plays: Sequence[Play], engine: EngineChoice) -> list[tuple[str, list[Play]]]:
    """Cut a playbook up by engine: each play of the ssh engine alone, those of ansible-runner together.

    A play that teaches later ones something (facts, registered results) takes all that follow with it.
    """
    if engine == "ansible":
        return [("ansible", list(plays))] if plays else []
    parts: list[tuple[str, list[Play]]] = []
    learned = False
    for play in plays:
        if engine == "ssh" and play.obstacle:
            raise UsageError(f"the ssh engine cannot run this play: {play.obstacle}; use --engine auto or ansible")
        if play.obstacle or learned:
            learned = learned or play.carries_state
            if parts and parts[-1][0] == "ansible":
                parts[-1][1].append(play)
            else:
                parts.append(("ansible", [play]))
        else:
            parts.append(("ssh", [play]))
    return parts
