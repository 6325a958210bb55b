"""Commands and options as this program wants them of click: help in sections, with examples, and near misses named."""

# ruff: noqa: ARG002 - the signatures are click's

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

__all__ = ["Command", "Group", "command", "option"]

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
OTHER = "Other"


class Option(click.Option):
    """An option that stands in a section of the help."""

    def __init__(self, *args: Any, section: str = OTHER, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section


class Command(click.Command):
    """A command whose help shows options in sections and ends in examples: pairs of a command line and its meaning."""

    def __init__(self, *args: Any, examples: Sequence[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, section by section, in the order in which sections first appear."""
        sections: dict[str, list[tuple[str, str]]] = {}
        own = [each for each in self.get_params(ctx) if isinstance(each, click.Option)]
        for each in sorted(own, key=lambda each: getattr(each, "section", OTHER) == OTHER):
            record = each.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(each, "section", OTHER), []).append(record)
        for title, records in sections.items():
            with formatter.section(click.style("Options" if len(sections) == 1 else title, bold=True)):
                formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        write_examples(formatter, self.examples)


class Group(click.Group):
    """A group of commands that are loaded when they are needed, and that names near misses.

    homes: per command its one line and `module:name`.
    """

    def __init__(
        self,
        *args: Any,
        homes: Mapping[str, tuple[str, str]],
        examples: Sequence[tuple[str, str]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.homes = homes
        self.examples = examples

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands, in the order in which they were given."""
        return list(self.homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None when there is none of this name."""
        if cmd_name not in self.homes:
            return None
        module, _, name = self.homes[cmd_name][1].partition(":")
        found = getattr(importlib.import_module(module), name)
        if not isinstance(found, click.Command):
            raise TypeError(f"{module}:{name} is no command")
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names."""
        name = args[0]
        if name not in self.homes and not name.startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(name, self.homes, n=2)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(self.homes)}"
            ctx.fail(f"there is no command {ascii(name)[:80]}; {hint}")
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, then the options."""
        self.format_commands(ctx, formatter)
        records = [record for each in self.get_params(ctx) if (record := each.get_help_record(ctx)) is not None]
        with formatter.section(click.style("Options", bold=True)):
            formatter.write_dl(records)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command's name and its one line."""
        with formatter.section(click.style("Commands", bold=True)):
            formatter.write_dl([(name, text) for name, (text, _home) in self.homes.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        write_examples(formatter, self.examples)


def write_examples(formatter: click.HelpFormatter, examples: Sequence[tuple[str, str]]) -> None:
    """Write examples as they stand: a command line must stay one line to be copied."""
    if examples:
        formatter.write(f"\n{click.style('Examples', bold=True)}:\n")
    for text, meaning in examples:
        formatter.write(f"  {text}\n      {meaning}\n")


def command(
    name: str, *, examples: Sequence[tuple[str, str]] = (), **settings: Any
) -> Callable[[Callable[..., int]], Command]:
    """Make a function that returns an exit code a command; its docstring is the help."""
    return click.command(name, cls=Command, examples=examples, context_settings=CONTEXT, **settings)


def option(*names: str, section: str = OTHER, **settings: Any) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a command an option, in a section of its help."""
    return click.option(*names, cls=Option, section=section, **settings)
