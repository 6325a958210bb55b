"""`opslib verify`: see whether hosts are as a role promises."""

from __future__ import annotations

import signal
import sys
from typing import Any

import click

from opslib.cli.click_parts import command, option
from opslib.cli.complete import complete_role
from opslib.cli.options import (
    RESULTS,
    become_options,
    library_of,
    place_of,
    place_options,
    variables_option,
    vault_option,
)
from opslib.cli.screen import Screen
from opslib.result_file import ResultFile

__all__ = ["verify"]

EXAMPLES = (
    ("opslib verify service:restart -i inventories/production -l web", "Look at hosts with testinfra; change nothing."),
    ("opslib verify maintenance -i lab.yml --junit verify.xml", "Verify all entry points, and keep a report."),
)


@command("verify", examples=EXAMPLES)
@click.argument("role", metavar="ROLE[:ENTRY]", shell_complete=complete_role)
@place_options
@variables_option
@vault_option
@become_options
@option("--junit", metavar="FILE", section=RESULTS, type=click.Path(), help="Write the results as JUnit XML.")
@click.pass_context
def verify(context: click.Context, /, role: str, **values: Any) -> int:
    """Run a role's testinfra suite against hosts: it states what must be true, and looks with eyes of its own.

    The suite of an entry point brings those of the entry points that it builds on: weekly those of daily. The exit code
    is 0 when all is as promised, 2 when it is not (also when a host does not answer), 1 when nothing could be verified.
    """
    junit = values.pop("junit")
    if junit is not None:
        ResultFile(junit, "--junit")
    screen = Screen(sys.stdout)
    # pytest is a child that must not outlive us: SIGTERM is to unwind as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return library_of(context).verify(role, place_of(values), junit, screen.print)
