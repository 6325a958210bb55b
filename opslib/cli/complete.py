"""What a shell may offer for an argument that is being typed. Never raises: a broken role must not break a shell."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from opslib.cli.options import library_of

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["complete_assignment", "complete_name", "complete_role", "complete_target", "complete_task"]

_SIGNS = "=:"


def complete_task(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Offer tasks."""
    return _matching(_tasks(), typed)


def complete_role(context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Offer roles with their entry points."""
    return _matching(_roles(context), typed)


def complete_name(context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Offer tasks, roles with their entry points, and playbooks."""
    return _matching([*_tasks(), *_roles(context), *_playbooks(context)], typed)


def complete_target(context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Offer roles with their entry points and playbooks by name, or else files."""
    from click.shell_completion import CompletionItem

    return _matching([*_roles(context), *_playbooks(context)], typed) or [CompletionItem(typed, type="file")]


def complete_assignment(context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Offer the names of a task's parameters that were not given yet, and the words that a parameter takes."""
    import opslib

    try:
        known = opslib.tasks.get(context.params.get("name") or "").parameters()
    except opslib.errors.UsageError:
        return []
    name, sign, _value = typed.partition("=")
    if sign:
        kind = known[name].kind if name in known else None
        choices = kind.choices or (("true", "false") if kind.ansible == "bool" else ()) if kind else ()
        return _matching(((f"{name}={choice}", "") for choice in choices), typed)
    given = {word.partition("=")[0].rstrip(_SIGNS) for word in context.params.get("parameters") or ()}
    return _matching(((f"{key}=", spec.help) for key, spec in known.items() if key not in given), typed)


def _tasks() -> Iterator[tuple[str, str]]:
    import opslib
    from opslib.cli.listing import summary_of

    for name in opslib.tasks.names():
        with contextlib.suppress(Exception):
            yield name, summary_of(opslib.tasks.get(name))


def _roles(context: click.Context) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(Exception):
        for role in library_of(context).roles():
            for entry, point in role.entry_points.items():
                yield f"{role.name}:{entry}", point.summary


def _playbooks(context: click.Context) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(Exception):
        for playbook in library_of(context).playbooks():
            yield playbook.name, playbook.summary


def _matching(offers: Iterable[tuple[str, str]], typed: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(value, help=text or None) for value, text in offers if value.startswith(typed)]
