"""`opslib runbook`: what of the runbooks is automated, and what is wrong with them."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from opslib.cli.click_parts import CONTEXT, Group, command, option
from opslib.cli.screen import Screen, written
from opslib.errors import UsageError
from opslib.output.lines import BLANK, Line, Style, line

if TYPE_CHECKING:
    from opslib.runbook_map import RunbookMap, Section

__all__ = ["lint_files", "runbook", "show_map"]

EXAMPLES = (
    ("opslib runbook map", "Every section, with what does it, what is missing, and what stays a person's."),
    ("opslib runbook map --missing", "Only what is not automated yet."),
    ("opslib runbook map --json | jq '.[].sections[] | select(.state == \"human\")'", "For a program."),
)
LINT_EXAMPLES = (
    ("opslib runbook lint docs/runbook.md", "Whether its review is overdue, and where facts are missing."),
    ("opslib runbook lint docs/*.md || echo stale", "For a nightly job."),
)
COMMANDS = {
    "map": ("Print every section with what does it.", "opslib.cli.runbook:show_map"),
    "lint": ("Check when runbooks were to be reviewed, and for gaps.", "opslib.cli.runbook:lint_files"),
}
NOT_AS_IT_SHOULD_BE = 2
STYLES: Mapping[str, Style] = {"done": "ok", "partly": "changed", "missing": "failed", "human": "skipped"}
WIDTH = 60


@click.group("runbook", cls=Group, homes=COMMANDS, examples=EXAMPLES, context_settings=CONTEXT)
def runbook() -> None:
    """See what of the runbooks is automated, and what is wrong with them."""


@command("map", examples=EXAMPLES)
@option("--missing", is_flag=True, help="Only sections of which something is not automated yet.")
@option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_map(*, missing: bool, as_json: bool) -> int:
    """Print every section of the runbooks with the role and entry point that does it.

    States: done; partly, when something is missing; missing; human, for what must stay a person's.
    """
    from opslib.runbook_map import runbook_maps

    maps = runbook_maps()
    screen = Screen(sys.stdout)
    if as_json:
        rows = [
            {
                "name": each.name,
                "title": each.title,
                "sections": [section.to_dict() for section in each.sections if _wanted(section, missing=missing)],
            }
            for each in maps
        ]
        screen.write(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return written(screen)
    for number, each in enumerate(maps):
        if number:
            screen.print(BLANK)
        screen.print(*_lines(each, missing=missing))
    return written(screen)


@command("lint", examples=LINT_EXAMPLES)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
def lint_files(*, files: tuple[str, ...]) -> int:
    """Say of runbooks in Markdown when their review is overdue, and where placeholders stand for facts.

    Ends with 2 when there is something to say.
    """
    from opslib.runbook_lint import lint

    today = dt.datetime.now(tz=dt.UTC).date()
    screen = Screen(sys.stdout)
    found = 0
    for name in files:
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise UsageError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}") from None
        for fault in lint(text, today):
            found += 1
            screen.print(line(f"{name}:{fault.line}: " if fault.line else f"{name}: ", fault.words))
    return written(screen) or (NOT_AS_IT_SHOULD_BE if found else 0)


def _wanted(section: Section, *, missing: bool) -> bool:
    return not missing or section.state.value in ("missing", "partly")


def _lines(each: RunbookMap, *, missing: bool) -> Iterator[Line]:
    from opslib.runbook_map import State

    counts = ", ".join(f"{each.count(state)} {state.value}" for state in State)
    yield line((each.title, "bold"), (f"  {counts}", "dim"))
    for section in each.sections:
        if _wanted(section, missing=missing):
            indent = "  " * len(section.heading)
            name = indent + section.heading[-1]
            yield line(
                f"{name:<{WIDTH}}",
                (f"{section.state.value:<9}", STYLES[section.state.value]),
                "; ".join(_words(section)),
                hang=WIDTH + 9,
            )


def _words(section: Section) -> Iterator[str]:
    by = [*section.roles, *(f"task {name}" for name in section.tasks), *section.commands]
    if by:
        yield ", ".join(by)
    if section.missing:
        yield f"missing: {section.missing}"
    if section.human:
        yield f"human: {section.human}"
