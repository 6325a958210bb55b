"""Files and roles that tasks include while a play runs."""

# ruff: noqa: SLF001 - much of ansible-core is private

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.executor.task_result import _RawTaskResult
from ansible.playbook.helpers import load_list_of_blocks
from ansible.playbook.included_file import IncludedFile

from opslib.engines.ansible_core.loader import Loader
from opslib.engines.ansible_core.variables import Variables

__all__ = ["included", "included_blocks"]


def included(
    results: Sequence[tuple[Any, Any, dict[str, Any]]], play: Any, loader: Loader, variables: Variables
) -> list[Any]:
    """Return the files and roles that an include asks for on several hosts, each with its hosts.

    results: host, task with its keywords templated, and what a worker would have answered.
    """
    raw = [_RawTaskResult(host=host, task=task, return_data=data, task_fields={}) for host, task, data in results]
    found: list[Any] = IncludedFile.process_include_results(
        raw, iterator=_Iterator(play), loader=loader, variable_manager=variables
    )
    return found


class _Iterator:
    """As much of a `PlayIterator` as includes need."""

    def __init__(self, play: Any) -> None:
        self._play = play


def included_blocks(include: Any, play: Any, loader: Loader, variables: Variables) -> list[Any]:
    """Load what an include asks for, as the linear strategy does."""
    copied = include._task.copy(exclude_parent=True)
    copied._parent = include._task._parent
    copied.vars = copied.vars | include._vars
    if include._is_role:
        blocks: list[Any] = copied.get_block_list(play=play, variable_manager=variables, loader=loader)[0]
        return blocks
    data = loader.load_from_file(include._filename, trusted_as_template=True)
    if data is None:
        return []
    if not isinstance(data, list):
        raise AnsibleParserError("included task files must contain a list of tasks", obj=data)
    blocks = load_list_of_blocks(
        data,
        play=play,
        parent_block=copied.build_parent_block(),
        role=include._task._role,
        use_handlers=False,
        loader=loader,
        variable_manager=variables,
    )
    return list(blocks)
