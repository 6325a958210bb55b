"""Options that several commands share, and what they add up to."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import click

from opslib.cli.click_parts import option
from opslib.cli.library import Library, Pace, Place
from opslib.cli.presentation import Presentation

__all__ = ["library_of", "pace_of", "place_of", "place_options", "presentation_of", "run_options"]

Function = Callable[..., int]
WHERE, HOW, RESULTS = "Where", "How", "Results"


def place_options(function: Function, *, required: bool = True) -> Function:
    """Add the options that say which hosts. required: an inventory must be given."""
    for add in reversed(
        (
            option(
                "-i",
                "--inventory",
                "inventory",
                multiple=True,
                required=required,
                metavar="INVENTORY",
                section=WHERE,
                type=click.Path(),
                help="Ansible inventory: file, folder, script, or host names with a comma (web1,). Repeatable.",
            ),
            option(
                "-l", "--limit", metavar="PATTERN", section=WHERE, help="Only hosts that match, such as 'web:!canary'."
            ),
        )
    ):
        function = add(function)
    return function


def variables_option(function: Function) -> Function:
    """Add variables."""
    return option(
        "-e",
        "--extra-vars",
        "extra_vars",
        multiple=True,
        metavar="K=V|@FILE",
        section=WHERE,
        help="Variables that win over all others: K=V, a JSON object, or @FILE (YAML or JSON). Repeatable.",
    )(function)


def vault_option(function: Function) -> Function:
    """Add what opens encrypted variables."""
    return option(
        "--vault-password-file",
        "vault_password_files",
        multiple=True,
        metavar="[LABEL@]FILE",
        section=WHERE,
        type=click.Path(),
        help="File or program that gives an Ansible Vault password. Repeatable.",
    )(function)


def become_options(function: Function) -> Function:
    """Add as whom to work."""
    for add in reversed(
        (
            option("-b", "--become", is_flag=True, section=WHERE, help="Work as root, by sudo, in every step."),
            option("--become-user", metavar="USER", section=WHERE, help="Work as this user, by sudo, in every step."),
            option(
                "-K", "--ask-become-pass", is_flag=True, section=WHERE, help="Ask for the password that sudo wants."
            ),
        )
    ):
        function = add(function)
    return function


def run_options(function: Function) -> Function:
    """Add the options of everything that runs on hosts."""
    for add in reversed(
        (
            variables_option,
            vault_option,
            become_options,
            option("-C", "--check", is_flag=True, section=HOW, help="Say what would change; change nothing."),
            option("-D", "--diff", is_flag=True, section=HOW, help="Show what changes change, line by line."),
            option(
                "-f",
                "--forks",
                type=int,
                default=50,
                show_default=True,
                metavar="N",
                section=HOW,
                help="Hosts worked on at once.",
            ),
            option(
                "--timeout",
                type=float,
                metavar="SECONDS",
                section=HOW,
                help="Time for each host: look-up, connecting, logging in and work. Then its processes are killed. "
                "Plays under ansible-runner have it once, for all their hosts together.",
            ),
            option(
                "--json",
                "json",
                metavar="FILE|-",
                section=RESULTS,
                type=click.Path(),
                help="Write the report as JSON; with - to standard output, which then holds nothing else.",
            ),
            option(
                "--junit", metavar="FILE", section=RESULTS, type=click.Path(), help="Write the report as JUnit XML."
            ),
            option("-v", "--verbose", is_flag=True, section=RESULTS, help="Show every step, its reason and its data."),
            color_option,
        )
    ):
        function = add(function)
    return function


def color_option(function: Function) -> Function:
    """Add whether to colour."""
    return option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        section=RESULTS,
        help="Colours: auto means on a terminal, unless NO_COLOR is set.",
    )(function)


def place_of(values: dict[str, Any]) -> Place:
    """Take the options of a place out of a command's values; asks for the sudo password where that was wanted.

    As whom to work goes into variables, so that what the inventory says of sudo holds too.
    """
    extra = list(values.pop("extra_vars", ()))
    user = values.pop("become_user", None)
    if values.pop("become", False) or user is not None:
        extra.append(json.dumps({"ansible_become": True} | ({} if user is None else {"ansible_become_user": user})))
    if values.pop("ask_become_pass", False):
        password = click.prompt("sudo password", hide_input=True, err=True)
        extra.append(json.dumps({"ansible_become_password": password}))
    return Place(
        inventory=values.pop("inventory"),
        limit=values.pop("limit"),
        extra_vars=tuple(extra),
        vault_password_files=values.pop("vault_password_files", ()),
    )


def pace_of(values: dict[str, Any]) -> Pace:
    """Take the options of a pace out of a command's values."""
    return Pace(
        forks=values.pop("forks"), timeout=values.pop("timeout"), check=values.pop("check"), diff=values["diff"]
    )


def presentation_of(values: dict[str, Any]) -> Presentation:
    """Take the options of a presentation out of a command's values."""
    return Presentation(
        json=values.pop("json"),
        junit=values.pop("junit"),
        diff=values.pop("diff"),
        verbose=values.pop("verbose"),
        color=values.pop("color"),
    )


def words(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the words of texts that hold several, separated by commas."""
    return tuple(word.strip() for text in texts for word in text.split(",") if word.strip())


def library_of(context: click.Context) -> Library:
    """Return the library that the commands are to use."""
    found = context.find_object(Library)
    return found if found is not None else Library()
