"""`opslib show`: all about one task, role or playbook."""

from __future__ import annotations

import difflib
import json
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from opslib.cli.click_parts import command
from opslib.cli.complete import complete_name
from opslib.cli.library import EntryPoint, Library, Role, Variable
from opslib.cli.options import library_of
from opslib.cli.screen import Screen, written
from opslib.errors import UsageError
from opslib.output.lines import BLANK, Line, Style, line

if TYPE_CHECKING:
    from opslib.engines.collection import InstalledPlaybook
    from opslib.reference import TaskReference

__all__ = ["show"]

EXAMPLES = (
    ("opslib show disk_usage", "The parameters of a task, what its result holds, and examples."),
    ("opslib show maintenance:weekly", "The variables of a role's entry point."),
    ("opslib show opslib.runbook.weekly", "What a playbook runs, and how it is called."),
)
INDENT = 2


@command("show", examples=EXAMPLES)
@click.argument("name", metavar="TASK|ROLE[:ENTRY]|PLAYBOOK", shell_complete=complete_name)
@click.pass_context
def show(context: click.Context, name: str) -> int:
    """Explain a task: its parameters, what its result holds, examples. Or a role, its entry points and variables.

    Or a playbook: the entry points that it runs.
    """
    import opslib
    from opslib.reference import of_task

    library = library_of(context)
    pages: list[Iterable[Line]] = []
    if name in opslib.tasks.names():
        pages.append(_task(of_task(opslib.tasks.get(name))))
    role_name, _, entry = name.partition(":")
    role = next((role for role in library.roles() if role.name == role_name), None)
    if role is not None:
        pages.append(_role(role, entry))
    pages += [_playbook(playbook) for playbook in library.playbooks() if playbook.name == name]
    if not pages:
        raise UsageError(_nothing(name, library))
    screen = Screen(sys.stdout)
    for number, page in enumerate(pages):
        screen.print(*([BLANK] if number else []), *page)
    return written(screen)


def _nothing(name: str, library: Library) -> str:
    import opslib

    known = [*opslib.tasks.names(), *(playbook.name for playbook in library.playbooks())]
    for role in library.roles():
        known += [role.name, *(f"{role.name}:{entry}" for entry in role.entry_points)]
    near = [each for each in known if each.endswith((f".{name}", f":{name}"))][:3]
    near = near or difflib.get_close_matches(name, dict.fromkeys(known), n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "`opslib list` names all there are"
    return f"no task, no role and no playbook is called {ascii(name)[:80]}; {hint}"


def _task(task: TaskReference) -> Iterator[Line]:
    yield line((task.name, "bold"), ("  task", "dim"))
    yield from _paragraphs([task.summary, *task.paragraphs])
    yield BLANK
    yield line(("Parameters", "bold"))
    if not task.parameters:
        yield line("  none")
    for each in task.parameters:
        kind = " | ".join(each.choices) if each.choices and each.elements is None else each.label
        yield from _parameter(
            each.name, kind, each.help, default=each.default, required=each.required, example=each.example
        )
    if task.data:
        yield BLANK
        yield line(("Result data", "bold"))
        yield from _paragraphs([task.data])
    yield BLANK
    yield line(("Examples", "bold"))
    words = [_assignment(name, value) for name, value in task.example.items()]
    where = ["-i INVENTORY"] if task.runs_on == "host" else []
    yield line(f"  {' '.join(['opslib task', task.name, *words, *where])}", hang=6)
    yield line(("  or in a playbook:", "dim"))
    yield line(f"    opslib.runbook.{task.name}:" + ("" if task.example else " {}"))
    for name, value in task.example.items():
        yield line(f"      {name}: {_json(value)}", hang=8)


def _role(role: Role, entry: str) -> Iterator[Line]:
    entries = (
        role.entry_points if not entry else {entry: role.entry_points[entry]} if entry in role.entry_points else {}
    )
    if not entries:
        near = difflib.get_close_matches(entry, role.entry_points, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(role.entry_points) or 'none'}"
        raise UsageError(f"role {role.name} has no entry point {ascii(entry)[:80]}; {hint}")
    for number, (name, point) in enumerate(entries.items()):
        if number:
            yield BLANK
        yield from _entry(role.name, name, point)


def _entry(role: str, name: str, point: EntryPoint) -> Iterator[Line]:
    yield line((f"{role}:{name}", "bold"), ("  role", "dim"))
    yield from _paragraphs([point.summary, *point.paragraphs])
    yield BLANK
    yield line(("Variables", "bold"))
    if not point.variables:
        yield line("  none")
    for each in point.variables:
        yield from _variable(each, INDENT)
    yield BLANK
    yield line(("Example", "bold"))
    needed = [f"-e {each.name}=..." for each in point.variables if each.required]
    yield line(f"  {' '.join(['opslib run', f'{role}:{name}', '-i INVENTORY', *needed, '--check'])}", hang=6)


def _playbook(playbook: InstalledPlaybook) -> Iterator[Line]:
    yield line((playbook.name, "bold"), ("  playbook", "dim"))
    yield from _paragraphs(filter(None, [playbook.summary, playbook.description]))
    if playbook.roles:
        yield BLANK
        yield line(("Runs", "bold"), ("  opslib show ROLE:ENTRY tells the variables", "dim"))
        for role in playbook.roles:
            yield line(f"  {role}")
    yield BLANK
    yield line(("Examples", "bold"))
    for example in playbook.examples or [f"opslib run {playbook.name} -i INVENTORY --check"]:
        yield line(f"  {example}", hang=6)


def _variable(each: Variable, indent: int) -> Iterator[Line]:
    kind = " | ".join(each.choices) or each.type
    if each.choices and each.type.startswith("list"):
        kind = f"list of {kind}"
    yield from _parameter(
        each.name, kind, each.help, default=each.default, required=each.required, example=None, indent=indent
    )
    for inner in each.inner:
        yield from _variable(inner, indent + 4)


def _parameter(
    name: str, kind: str, text: str, *, default: Any, required: bool, example: Any, indent: int = INDENT
) -> Iterator[Line]:
    pad = " " * (indent + 4)
    state: tuple[str, Style] = ("required", "changed") if required else (f"default {_json(default)}", "plain")
    pieces: list[str | tuple[str, Style]] = [" " * indent, (name, "bold"), (f"  {kind}", "dim")]
    if default is not None or required:
        pieces += [", ", state]
    yield line(*pieces, hang=indent + 4)
    yield line(pad, text, hang=indent + 4)
    if example is not None:
        yield line(pad, (f"example: {_json(example)}", "dim"), hang=indent + 4)


def _paragraphs(texts: Iterable[str]) -> Iterator[Line]:
    for number, text in enumerate(texts):
        if number:
            yield BLANK
        yield line(" " * INDENT, text, hang=INDENT)


def _assignment(name: str, value: Any) -> str:
    """Return a parameter as a word of a command line, quoted for a shell where it must be."""
    if isinstance(value, list) and value and all(isinstance(item, str) and "," not in item for item in value):
        return shlex.quote(f"{name}={','.join(value)}")
    if isinstance(value, Mapping | list):
        return shlex.quote(f"{name}:={json.dumps(value)}")
    return shlex.quote(f"{name}={_json(value)}")


def _json(value: Any) -> str:
    """Return a value as YAML would take it: text bare, all else as JSON."""
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
