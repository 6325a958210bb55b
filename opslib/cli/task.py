"""`opslib task`: one task, on hosts."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from opslib.cli.click_parts import command, option
from opslib.cli.complete import complete_assignment, complete_task
from opslib.cli.library import EngineName
from opslib.cli.options import HOW, library_of, pace_of, place_of, place_options, presentation_of, run_options
from opslib.cli.values import task_from_words
from opslib.errors import UsageError
from opslib.host.task import Task

__all__ = ["task"]

EXAMPLES = (
    ("opslib task disk_usage -i inventories/production", "Look at the disks of all hosts; nothing is changed by that."),
    (
        "opslib task service unit=nginx state=restarted -i inventories/production -l web1 --become",
        "Restart a service as root and watch it come up.",
    ),
    ("opslib task disk_usage paths=/,/var fail=90% -i web1,web2,", "A list is given with commas."),
    (
        "opslib task provider_status",
        "Ask the status pages of the providers; what works on no host needs no inventory.",
    ),
    (
        'opslib task http_check url=http://localhost:8080/health \'json:={"status": "ok"}\' -i web1,',
        "NAME:=JSON gives a mapping, a list or a number; NAME=@FILE and NAME:=@FILE take it from a file.",
    ),
)


@command("task", examples=EXAMPLES)
@click.argument("name", shell_complete=complete_task)
@click.argument("parameters", metavar="[K=V]...", nargs=-1, shell_complete=complete_assignment)
@functools.partial(place_options, required=False)
@option(
    "--engine",
    type=click.Choice(["auto", "ssh", "ansible"]),
    default="auto",
    section=HOW,
    help="auto, ssh: one round trip per host; ansible: through ansible-runner, by Ansible's own connections.",
)
@option("--list-hosts", is_flag=True, section=HOW, help="List the hosts, and do nothing.")
@run_options
@click.pass_context
def task(context: click.Context, /, name: str, parameters: tuple[str, ...], **values: Any) -> int:
    """Run one task on the hosts of an inventory, with parameters as K=V.

    A task on a cloud service runs here, and needs no inventory. `opslib list` names the tasks, `opslib show NAME` their
    parameters. Exit codes are those of `opslib run`.
    """
    import opslib
    from opslib.cli.rows import Heading
    from opslib.cli.screen import Screen, written
    from opslib.cli.session import carry_out

    library = library_of(context)
    place, pace = place_of(values), pace_of(values)
    engine: EngineName = "ansible" if values["engine"] == "ansible" else "ssh"
    kind = opslib.tasks.get(name)
    if not place.inventory and kind.runs_on == "host":
        raise UsageError(f"{name} works on hosts: give their inventory with -i")
    if not place.inventory and engine == "ansible":
        raise UsageError("--engine ansible: give an inventory with -i; without one there is no play to run")
    if values["list_hosts"]:
        screen = Screen(sys.stdout)
        screen.print(*library.host_names(place))
        return written(screen)
    unit = task_from_words(kind, parameters)
    step = opslib.Step(task=unit)
    return carry_out(
        lambda on_event, cancel: library.run_step(step, place, pace, on_event, cancel, engine),
        Heading(what=described(unit, parameters), engine=engine),
        presentation_of(values),
    )


def described(unit: Task, parameters: tuple[str, ...]) -> str:
    """Return a task with the parameters that were given, as they were given; a value that holds a secret is masked."""
    secrets = [secret for secret in unit.secrets() if secret]
    parts = [unit.name]
    for parameter in parameters:
        name = parameter.partition("=")[0]
        value = getattr(unit, name.removesuffix(":"))
        hide = any(secret in text for text in _texts(value) for secret in secrets)
        parts.append(f"{name}=***" if hide else parameter)
    return " ".join(parts)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from (str(key), *_texts(item))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    else:
        yield str(value)
