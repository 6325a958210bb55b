"""`opslib list`: what there is to run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence

import click

from opslib.cli.click_parts import command, option
from opslib.cli.library import Role
from opslib.cli.options import library_of
from opslib.cli.screen import Screen, written
from opslib.host.task import Task
from opslib.output.lines import BLANK, Line, line

__all__ = ["listing", "summary_of"]

EXAMPLES = (
    ("opslib list", "Roles with their entry points, and tasks."),
    ("opslib list --json | jq -r '.tasks | keys[]'", "The same for a program."),
)


@command("list", examples=EXAMPLES)
@option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def listing(context: click.Context, *, as_json: bool) -> int:
    """List the roles with their entry points, and the tasks, with one line each."""
    import opslib

    roles = library_of(context).roles()
    kinds = {name: opslib.tasks.get(name) for name in opslib.tasks.names()}
    tasks = {name: summary_of(kind) for name, kind in kinds.items()}
    screen = Screen(sys.stdout)
    if as_json:
        entries = {role.name: {name: point.summary for name, point in role.entry_points.items()} for role in roles}
        screen.write(json.dumps({"roles": entries, "tasks": tasks}, indent=2) + "\n")
    else:
        cloud = {name: tasks[name] for name, kind in kinds.items() if kind.runs_on == "controller"}
        screen.print(*_lines(roles, {name: tasks[name] for name in tasks if name not in cloud}, cloud))
    return written(screen)


def summary_of(task_type: type[Task]) -> str:
    """Return a task's one line."""
    return (task_type.__doc__ or "").strip().split("\n")[0]


def _lines(roles: Sequence[Role], tasks: Mapping[str, str], cloud: Mapping[str, str]) -> Iterator[Line]:
    entries = {f"{role.name}:{name}": point.summary for role in roles for name, point in role.entry_points.items()}
    column = max((len(name) for name in (*entries, *tasks, *cloud)), default=0) + 4
    if entries:
        yield line(("Roles", "bold"), ("  opslib run ROLE:ENTRY -i INVENTORY", "dim"))
        yield from _rows(entries, column)
        yield BLANK
    yield line(("Tasks on hosts", "bold"), ("  opslib task NAME [K=V ...] -i INVENTORY", "dim"))
    yield from _rows(tasks, column)
    if cloud:
        yield BLANK
        yield line(("Tasks on cloud services", "bold"), ("  opslib task NAME [K=V ...]", "dim"))
        yield from _rows(cloud, column)


def _rows(entries: Mapping[str, str], column: int) -> Iterator[Line]:
    for name, text in entries.items():
        yield line(f"  {name:<{column - 2}}", text, hang=column)
