"""A play before its first step: as ansible-core has it, its hosts in batches, and whether it needs Ansible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from opslib.engines import ansible_core as core
from opslib.engines import obstacles
from opslib.engines.obstacles import NeedsAnsibleError
from opslib.engines.work import HostWork, Policy
from opslib.errors import PlaybookError
from opslib.host.params import shown

__all__ = ["Prepared", "of_play", "place_of", "prepare"]

_LINEAR = ("linear", "ansible.builtin.linear", "ansible.legacy.linear")


@dataclass(slots=True)
class Prepared:
    """A play on its way: as ansible-core has it, and what is known of it."""

    play: Any
    blocks: list[Any]
    hosts: tuple[str, ...]
    batches: list[list[Any]]
    gathers: bool
    obstacle: str | None = None
    reads_facts: bool = False
    carries_state: bool = False
    for_real: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    work: dict[str, HostWork] = field(default_factory=dict)


def prepare(play: Any, manager: Any, loader: core.Loader, variables: core.Variables) -> Prepared:
    """Do with a play what `PlaybookExecutor.run` and `TaskQueueManager.run` do before the first task.

    manager: ansible-core's of the inventory.
    """
    manager.remove_restriction()
    engine = core.Engine(loader=loader, variables=variables.get_vars(play=play))
    prompts = play.vars_prompt
    play.post_validate(engine)
    batches = _batches(manager, play)
    seen = variables.get_vars(play=play)
    ready = play.copy()
    ready.post_validate(core.Engine(loader=loader, variables=seen))
    ready.handlers = ready.compile_roles_handlers() + ready.handlers
    blocks = [block.filter_tagged_tasks(seen) for block in ready.compile()]
    blocks = [block for block in blocks if block.has_tasks()]
    each = Prepared(
        play=ready,
        blocks=blocks,
        hosts=tuple(str(host.name) for batch in batches for host in batch),
        batches=batches,
        gathers=_gathers(ready),
    )
    try:
        _scan_play(ready, prompts)
        _scan(blocks)
    except NeedsAnsibleError as problem:
        each.obstacle = of_play(ready, problem)
    tasks = [task for block in blocks for task in block.get_tasks()]
    each.carries_state = any(obstacles.carries_state(task) for task in tasks)
    each.for_real = tuple(f"{obstacles.task_name(task)!r}{place_of(task)}" for task in tasks if not _checks(task))
    return each


def place_of(thing: Any) -> str:
    """Return where a play, block or task is written, for the end of a message."""
    return obstacles.where(*core.origin(thing.get_ds()))


def of_play(play: Any, problem: NeedsAnsibleError) -> str:
    """Return why a play needs Ansible, with its name when the problem names nothing in it."""
    text = str(problem)
    if text.startswith(("task ", "block ", "handler ", "host ", "play ")):
        return text
    return f"play {str(core.plain(play.get_name()))!r} {text}{place_of(play)}"


def _batches(manager: Any, play: Any) -> list[list[Any]]:
    """Cut a play's hosts up, as `PlaybookExecutor._get_serialized_batches` does."""
    left = manager.get_hosts(play.hosts, order=play.order)
    total = len(left)
    sizes = list(play.serial) or [-1]
    found: list[list[Any]] = []
    while left:
        given = sizes[min(len(found), len(sizes) - 1)]
        try:
            size = core.pct_to_int(given, total)
        except (TypeError, ValueError):
            raise PlaybookError(
                f"play {play.get_name()!r}{place_of(play)}: serial: {shown(given)} is no number and no percentage"
            ) from None
        if size <= 0:
            size = len(left)
        found.append(left[:size])
        left = left[size:]
    return found


def _checks(task: Any) -> bool:
    """Whether a task may run in check mode: not when it says `check_mode: false`, in whatever words."""
    said = core.plain(task.check_mode)
    return said is None or str(said).strip().lower() not in ("false", "no", "off", "0", "n", "f")


def _gathers(play: Any) -> bool:
    """Whether Ansible would gather facts, as `PlayIterator` decides."""
    if core.C.DEFAULT_GATHERING == "explicit":
        return bool(play.gather_facts)
    return play.gather_facts is None or bool(play.gather_facts)


def _scan_play(play: Any, prompts: Any) -> None:
    """Raise NeedsAnsibleError for keywords of a play that need Ansible."""
    if prompts:
        raise NeedsAnsibleError("asks questions (vars_prompt)")
    if play.strategy not in _LINEAR:
        raise NeedsAnsibleError(f"has the strategy {play.strategy}")


def _scan(blocks: Sequence[Any]) -> None:
    """Raise NeedsAnsibleError for the first construct that needs Ansible, before any template is worked out."""
    for task in obstacles.tasks_in(blocks):
        problem = obstacles.of_task(task)
        if problem:
            raise NeedsAnsibleError(f"task {obstacles.task_name(task)!r} {problem}{place_of(task)}")
