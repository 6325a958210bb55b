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
    ("opslib list", "Playbooks, roles with their entry points, and tasks."),
    ("opslib list --json | jq -r '.tasks | keys[]'", "The same for a program."),
)


@command("list", examples=EXAMPLES)
@option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def listing(context: click.Context, *, as_json: bool) -> int:
    """List the playbooks, the roles with their entry points, and the tasks, with one line each."""
    import opslib

    roles = library_of(context).roles()
    playbooks = {playbook.name: playbook.summary for playbook in library_of(context).playbooks()}
    kinds = {name: opslib.tasks.get(name) for name in opslib.tasks.names()}
    tasks = {name: summary_of(kind) for name, kind in kinds.items()}
    screen = Screen(sys.stdout)
    if as_json:
        entries = {role.name: {name: point.summary for name, point in role.entry_points.items()} for role in roles}
        screen.write(json.dumps({"playbooks": playbooks, "roles": entries, "tasks": tasks}, indent=2) + "\n")
    else:
        cloud = {name: tasks[name] for name, kind in kinds.items() if kind.runs_on == "controller"}
        hosts = {name: tasks[name] for name in tasks if name not in cloud}
        screen.print(*_lines(playbooks, roles, hosts, cloud))
    return written(screen)


def summary_of(task_type: type[Task]) -> str:
    """Return a task's one line."""
    return (task_type.__doc__ or "").strip().split("\n")[0]


def _lines(
    playbooks: Mapping[str, str], roles: Sequence[Role], hosts: Mapping[str, str], cloud: Mapping[str, str]
) -> Iterator[Line]:
    entries = {f"{role.name}:{name}": point.summary for role in roles for name, point in role.entry_points.items()}
    parts = [
        ("Playbooks", "opslib run NAME -i INVENTORY", playbooks),
        ("Roles", "opslib run ROLE:ENTRY -i INVENTORY", entries),
        ("Tasks on hosts", "opslib task NAME [K=V ...] -i INVENTORY", hosts),
        ("Tasks on cloud services", "opslib task NAME [K=V ...]", cloud),
    ]
    parts = [part for part in parts if part[2]]
    column = max((len(name) for _title, _how, rows in parts for name in rows), default=0) + 4
    for number, (title, how, rows) in enumerate(parts):
        if number:
            yield BLANK
        yield line((title, "bold"), (f"  {how}", "dim"))
        for name, text in rows.items():
            yield line(f"  {name:<{column - 2}}", text, hang=column)
