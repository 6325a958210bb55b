"""`opslib run`: a playbook or a role, on hosts."""

from __future__ import annotations

import sys
from typing import Any

import click

from opslib.cli.click_parts import command, option
from opslib.cli.complete import complete_target
from opslib.cli.library import Library, Pace, Place, PlayOverview, Selection
from opslib.cli.options import HOW, library_of, pace_of, place_of, place_options, presentation_of, run_options, words
from opslib.output.lines import Line, line
from opslib.output.names import compact, listed

__all__ = ["run"]

EXAMPLES = (
    (
        "opslib run playbooks/weekly.yml -i inventories/production --check --diff",
        "Rehearse the weekly maintenance: show what would change, and how.",
    ),
    ("opslib run maintenance:weekly -i inventories/production -l 'web:!canary'", "Run a role's entry point."),
    (
        "opslib run service:restart -i lab.yml -b -e service_unit=nginx --junit out.xml",
        "Work as root; give a variable; keep a report.",
    ),
    ("opslib run playbooks/daily.yml -i web1,web2, --json - | jq .hosts", "Hand the report to another program."),
)


@command("run", examples=EXAMPLES)
@click.argument("target", metavar="PLAYBOOK|ROLE[:ENTRY]", shell_complete=complete_target)
@place_options
@option("-t", "--tags", multiple=True, metavar="TAGS", section=HOW, help="Only what has one of these tags.")
@option("--skip-tags", multiple=True, metavar="TAGS", section=HOW, help="Nothing that has one of these tags.")
@option(
    "--engine",
    type=click.Choice(["auto", "ssh", "ansible"]),
    default="auto",
    show_default=True,
    section=HOW,
    help="ssh: one round trip per host; ansible: all through ansible-runner; auto: each play by ssh if it can.",
)
@option("--list-hosts", is_flag=True, section=HOW, help="List the hosts of each play, and do nothing.")
@option("--list-steps", is_flag=True, section=HOW, help="List each play's steps and their hosts, and do nothing.")
@run_options
@click.pass_context
def run(context: click.Context, /, target: str, **values: Any) -> int:
    """Run a playbook, or a role's entry point, on the hosts of an inventory.

    The summary goes to standard output, progress and remarks to standard error. The exit code is 0 when all is well,
    1 when something was wrong with what was asked and nothing was touched, 2 when some host failed, 4 when some host
    was unreachable and none failed, 74 when all is well but a report could not be written, 130 after an interruption.
    """
    from opslib.cli.rows import Heading
    from opslib.cli.session import carry_out

    library = library_of(context)
    place, pace = place_of(values), pace_of(values)
    how = presentation_of(values)
    selection = Selection(
        engine=values["engine"],
        tags=words(values["tags"]),
        skip_tags=words(values["skip_tags"]),
        verbosity=int(how.verbose),
    )
    if values["list_hosts"] or values["list_steps"]:
        return _list(library, target, place, pace, selection, steps=values["list_steps"])
    return carry_out(
        lambda on_event, cancel: library.run_playbook(target, place, pace, selection, on_event, cancel),
        Heading(what=target, engine=selection.engine),
        how,
    )


def _list(library: Library, target: str, place: Place, pace: Pace, selection: Selection, *, steps: bool) -> int:
    from opslib.cli.screen import Screen, written

    screen = Screen(sys.stdout)
    for play in library.plays(target, place, pace, selection, steps=steps):
        count = len(play.hosts)
        screen.print(line((play.name, "bold"), f"  {count} host{'s' * (count != 1)}", (f"  {play.where}", "dim")))
        screen.print(*(_steps(play) if steps else (line(f"  {name}") for name in compact(play.hosts))))
    return written(screen)


def _steps(play: PlayOverview) -> list[Line]:
    if play.obstacle:
        return [line(f"  goes to ansible-runner, because {play.obstacle}; its steps are not known beforehand", hang=2)]
    rows = []
    for title, task, hosts in play.steps:
        where = f"  on {listed(hosts)}" if len(hosts) < len(play.hosts) else ""
        rows.append(line(f"  {title}", (f"  {task}" if task != title else "", "dim"), (where, "place"), hang=4))
    return rows
