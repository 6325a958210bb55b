"""Load a playbook, and say of each play what the ssh engine makes of it.

What the ssh engine understands of Ansible, and what it leaves to ansible-runner, is in `obstacles`; what comes before a
play's first step is in `prepared`, and how it becomes steps in `compile`. Variables, inventories, vaults, templates,
tags and the order of things are ansible-core's own. Lookups and templates are worked out when the playbook is loaded,
before anything is touched; those that look at what earlier steps may have changed send their play to ansible-runner.
"""

# ruff: noqa: SLF001 - ansible-core has no public way to what is needed here

from __future__ import annotations

import contextlib
import difflib
import functools
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from opslib import tasks
from opslib.connection import NotCarriedError
from opslib.engines import ansible_core as core
from opslib.engines.compile import Compiler, HostItems
from opslib.engines.earlier import Earlier
from opslib.engines.learned import Learned
from opslib.engines.obstacles import NeedsAnsibleError, Watch
from opslib.engines.prepared import Prepared, of_play, place_of, prepare
from opslib.engines.roles import find_source, role_folder
from opslib.engines.rounds import Failures
from opslib.engines.work import Compiled, HostWork, Play, Policy
from opslib.errors import InventoryError, PlaybookError, UsageError
from opslib.host.params import shown
from opslib.inventory import Inventory
from opslib.target import Target

__all__ = ["load", "role_folder"]


@contextlib.contextmanager
def load(
    source: str | Path,
    inventory: Inventory,
    *,
    limit: str | None = None,
    tags: Sequence[str] = (),
    skip_tags: Sequence[str] = (),
    extra_vars: Mapping[str, Any] | Sequence[str] | None = None,
    check: bool = False,
    diff: bool = False,
) -> Iterator[Compiled]:
    """Load a playbook (a file, or `namespace.collection.playbook`) or a role (`ROLE[:ENTRY]`) for an inventory.

    The other arguments are those of ansible-playbook. A role's playbook is a temporary file that lives as long as the
    `with` statement.

    Raises PlaybookError for what is wrong with the playbook, a task's parameter included when no host could get
    through that task, and InventoryError when no play has a host or a host's connection makes no sense.
    """
    options = {
        "check": check,
        "diff": diff,
        "skip_tags": (*core.C.TAGS_SKIP, *_tags(skip_tags)),
        "subset": limit,
        "tags": (*core.C.TAGS_RUN, *_tags(tags)) or ("all",),
    }
    with tempfile.TemporaryDirectory(prefix="opslib-") as aside:
        folder = Path.cwd()
        with inventory.active(folder=str(folder)):
            path = Path(find_source(source, Path(aside)))
        if path.parent != Path(aside):
            folder = path.parent
        with inventory.limited(limit), inventory.active(options=options, folder=str(folder)):
            compiled = _Loading(str(path), inventory, options, extra_vars or {}).run()
        yield compiled


def _tags(given: Sequence[str]) -> list[str]:
    words = [given] if isinstance(given, str) else given
    for word in words:
        if not isinstance(word, str):
            raise UsageError(f"tag {shown(word)} is no text")
    return [tag.strip() for word in words for tag in word.split(",") if tag.strip()]


class _Loading:
    """Loads one playbook."""

    def __init__(
        self,
        path: str,
        inventory: Inventory,
        options: Mapping[str, Any],
        extra_vars: Mapping[str, Any] | Sequence[str],
    ) -> None:
        self.path = path
        self.inventory = inventory
        self.check = bool(options["check"])
        self.limit: str | None = options["subset"]
        self.loader = core.Loader(inventory.vault)
        with core.reading(PlaybookError, "extra variables"):
            extra = core.combine_vars(inventory.extra_vars, core.parse_extra_vars(self.loader, extra_vars))
        names = {
            "check": "check_mode",
            "diff": "diff_mode",
            "skip_tags": "skip_tags",
            "subset": "limit",
            "tags": "run_tags",
        }
        facts = {f"ansible_{names[key]}": value for key, value in options.items() if value is not None}
        facts["ansible_inventory_sources"] = list(inventory.sources)
        facts.update(ansible_forks=core.C.DEFAULT_FORKS, ansible_verbosity=0)
        self.variables = core.Variables(self.loader, inventory.manager, extra, facts)
        self.learned = Learned(inventory, self.loader, self.variables)

    def run(self) -> Compiled:
        """Load and reckon all plays. What goes wrong is told without secrets."""
        try:
            return self._run()
        except (PlaybookError, InventoryError) as error:
            text = str(error)
            better = self.learned.mask(_about_tasks(text))
            if better != text:
                raise type(error)(better) from None
            raise

    def _run(self) -> Compiled:
        with core.reading(PlaybookError, f"playbook {self.path}"):
            core.enter_folder(self.path)
            playbook = core.Playbook.load(self.path, variable_manager=self.variables, loader=self.loader)
            plays = playbook.get_plays()
        prepared: list[Prepared] = []
        for play in plays:
            self.loader.set_basedir(play._included_path or playbook._basedir)
            with core.reading(PlaybookError, f"play {play.get_name()!r}{place_of(play)}"):
                prepared.append(prepare(play, self.inventory.manager, self.loader, self.variables))
            self._reckon(prepared)
        self._share_facts(prepared)
        for each in prepared:
            if each.obstacle is not None:
                self.learned.of_play(each)
        if not any(each.hosts for each in prepared):
            patterns = ", ".join(dict.fromkeys(str(name) for each in prepared for name in core.plain(each.play.hosts)))
            raise InventoryError(self.inventory.no_host(patterns, self.limit))
        return self._compiled(prepared)

    def _reckon(self, prepared: list[Prepared]) -> None:
        """Reckon the newest play's steps, unless it or an earlier one stands against it."""
        each, earlier = prepared[-1], prepared[:-1]
        teacher = next((other for other in earlier if other.carries_state), None)
        if each.obstacle is None and teacher is not None:
            each.obstacle = f"play {each.play.get_name()!r} may use what play {teacher.play.get_name()!r} learns"
        if each.obstacle is not None or not each.hosts:
            return
        facts = each.gathers or any(other.gathers for other in earlier)
        try:
            self._steps(each, facts, earlier)
        except NeedsAnsibleError as problem:
            each.reads_facts = "reads the fact" in str(problem)
            each.obstacle = of_play(each.play, problem)
            each.work.clear()

    def _steps(self, each: Prepared, facts: bool, earlier: Sequence[Prepared]) -> None:
        later = any(other.hosts for other in earlier)
        manager = self.inventory.manager
        failures = Failures()
        fatal: set[bool] = set()
        try:
            for number, batch in enumerate(each.batches):
                manager.restrict_to_hosts(batch)
                losses = "task" if later and len(each.hosts) > 1 else "batch" if number else ""
                watch = Watch(facts=facts, losses=losses)
                with core.reading(PlaybookError, f"play {each.play.get_name()!r}{place_of(each.play)}"):
                    compiler = Compiler(
                        each.play,
                        loader=self.loader,
                        variables=self.variables,
                        hosts=batch,
                        all_names=[
                            str(host.name) for host in manager.get_hosts(each.play.hosts, ignore_restrictions=True)
                        ],
                        watch=watch,
                        check=self.check,
                        defaults=self.inventory.defaults,
                        failures=failures,
                        secrets=self.learned.texts,
                    )
                    watch.steps = Earlier(
                        foreign=any(other.obstacle is not None and other.hosts for other in earlier),
                        works=[work for other in (*earlier, each) for work in other.work.values()],
                        compiler=compiler,
                        target=functools.partial(self._target, compiler),
                    )
                    compiler.run(each.blocks)
                    self._targets(each, compiler)
                fatal |= compiler.fatal
        except NotCarriedError as problem:
            raise NeedsAnsibleError(str(problem)) from None
        finally:
            manager.remove_restriction()
        if len(fatal) > 1:
            raise NeedsAnsibleError("makes errors fatal for all hosts in some of its tasks only (any_errors_fatal)")
        first = failures.first()
        if first is not None:
            raise PlaybookError(first)
        limit = each.play.max_fail_percentage
        each.policy = Policy(
            any_errors_fatal=True in fatal, max_fail_percentage=None if limit is None else float(limit)
        )

    def _targets(self, each: Prepared, compiler: Compiler) -> None:
        for host in compiler.hosts:
            target = self._target(compiler, host)
            self.learned.texts.update(target.all_secrets())
            each.work[host.name] = HostWork(target=target, items=host.items)

    def _target(self, compiler: Compiler, host: HostItems) -> Target:
        connection, port, user = compiler.connection
        given = {"connection": connection, "port": port, "remote_user": user}
        engine = core.Engine(loader=self.loader, variables=host.base)
        keywords = {key: core.plain(engine.template(value)) for key, value in given.items() if value is not None}
        return self.inventory.make_target(host.name, host.base, engine, keywords)

    @staticmethod
    def _share_facts(prepared: list[Prepared]) -> None:
        """Keep a play that gathers facts together with a later one that may read them without gathering its own."""
        for number, each in enumerate(prepared):
            if each.gathers or not (each.reads_facts or each.obstacle):
                continue
            for earlier in prepared[:number]:
                if earlier.gathers and set(earlier.hosts) & set(each.hosts):
                    earlier.carries_state = True
                    earlier.obstacle = earlier.obstacle or (
                        f"play {earlier.play.get_name()!r} gathers facts that play {each.play.get_name()!r} may read"
                    )

    def _compiled(self, prepared: list[Prepared]) -> Compiled:
        plays = []
        for index, each in enumerate(prepared):
            path, line = core.origin(each.play.get_ds())
            plays.append(
                Play(
                    index=index,
                    name=str(core.plain(each.play.get_name())),
                    source=Path(path or self.path),
                    line=line,
                    hosts=each.hosts,
                    batches=tuple(tuple(str(host.name) for host in batch) for batch in each.batches),
                    policy=each.policy,
                    obstacle=each.obstacle,
                    carries_state=each.carries_state,
                    for_real=each.for_real,
                )
            )

        def work(play: Play, names: Sequence[str]) -> Sequence[HostWork]:
            if play.obstacle is not None:
                raise UsageError(f"play {play.name!r} has no steps: {play.obstacle}")
            return [rows[play.index][name] for name in names]

        rows = [self.learned.masked(each.work) for each in prepared]
        return Compiled(path=Path(self.path), plays=tuple(plays), work=work, hidden=self.learned.hidden())


def _about_tasks(text: str) -> str:
    """Say of a task of ours that Ansible does not find whether it is misspelt or not installed."""
    found = re.search(r"couldn't resolve module/action '(?:opslib\.runbook\.)(\w*)'", text)
    if found is None:
        return text
    name = found[1]
    if name in tasks.names():
        hint = "the collection opslib.runbook is not where Ansible looks for it; opslib's wheel brings it"
    else:
        near = difflib.get_close_matches(name, tasks.names(), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(tasks.names())}"
    place = re.search(r" \(/[^()]*:\d+\)$", text)
    head = text[: found.start()]
    return f"{head}there is no task opslib.runbook.{name}; {hint}{place[0] if place else ''}"
