"""The options of `opslib logs`: what to read, and where."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from opslib.cli.click_parts import option
from opslib.cli.options import (
    HOW,
    RESULTS,
    become_options,
    color_option,
    place_of,
    place_options,
    variables_option,
    vault_option,
)
from opslib.errors import UsageError

if TYPE_CHECKING:
    from opslib.cli.library import Place
    from opslib.live_logs import CloudWatch, LogQuery

__all__ = ["lines_option", "pace_options", "place", "query", "what_options", "window_options"]

Function = Callable[..., int]
WHAT, CLOUDWATCH = "What", "CloudWatch, in place of hosts"
TIMEOUT = 30.0


def what_options(function: Function) -> Function:
    """Add the options that say what to read, and where."""
    for add in reversed(
        (
            click.argument("paths", metavar="[PATH]...", nargs=-1),
            option(
                "-u",
                "--unit",
                "units",
                multiple=True,
                metavar="UNIT",
                section=WHAT,
                help="Journal of a unit. Repeatable.",
            ),
            option(
                "-L",
                "--level",
                "levels",
                multiple=True,
                metavar="LEVEL",
                section=WHAT,
                help="Only entries of this level. Repeatable.",
            ),
            option("-m", "--match", metavar="REGEX", section=WHAT, help="Only entries in which this is found."),
            option(
                "--field",
                "fields",
                multiple=True,
                metavar="NAME=VALUE",
                section=WHAT,
                help="Only JSON entries with this member, by name or dotted path. Repeatable.",
            ),
            option("--timezone", metavar="ZONE", section=WHAT, help="Zone of times that name none; else the host's."),
            option(
                "--longest",
                type=int,
                default=4096,
                show_default=True,
                metavar="N",
                section=WHAT,
                help="Characters shown of an entry.",
            ),
            option(
                "--unmasked", is_flag=True, section=WHAT, help="Show what looks like a password, token or key as it is."
            ),
            cloudwatch_options,
            functools.partial(place_options, required=False),
            variables_option,
            vault_option,
            become_options,
            option("--json", "as_json", is_flag=True, section=RESULTS, help="Print entries as JSON, one per line."),
            option("--pretty", is_flag=True, section=RESULTS, help="Lay JSON entries out over several lines."),
            color_option,
        )
    ):
        function = add(function)
    return function


def cloudwatch_options(function: Function) -> Function:
    """Add the options that say which log groups."""
    for add in reversed(
        (
            option(
                "--cloudwatch",
                "groups",
                multiple=True,
                metavar="NAME|ARN",
                section=CLOUDWATCH,
                help="Log group, or App Runner service whose logs are wanted. Repeatable.",
            ),
            option("--account", metavar="NUMBER", section=CLOUDWATCH, help="AWS account; any other is refused."),
            option("--region", metavar="REGION", section=CLOUDWATCH, help="AWS region, such as us-east-1."),
            option("--profile", metavar="NAME", section=CLOUDWATCH, help="Profile of the AWS configuration files."),
            option(
                "--part",
                type=click.Choice(["application", "service"]),
                section=CLOUDWATCH,
                help="Of a service: what its program writes (default), or what App Runner says of deployments.",
            ),
            option(
                "--pattern", metavar="PATTERN", section=CLOUDWATCH, help="Filter pattern of CloudWatch: less is read."
            ),
        )
    ):
        function = add(function)
    return function


def lines_option(default: int) -> Callable[[Function], Function]:
    """Add how many entries."""
    return option(
        "-n",
        "--lines",
        type=int,
        default=default,
        show_default=True,
        metavar="N",
        section=WHAT,
        help="At most so many entries of each host or group, the newest.",
    )


def window_options(since: str | None) -> Callable[[Function], Function]:
    """Add the time window."""

    def add(function: Function) -> Function:
        function = option(
            "--until", default="0", metavar="SPAN", section=WHAT, help="Nothing younger than this, such as 5m."
        )(function)
        return option(
            "--since",
            default=since,
            show_default=since is not None,
            metavar="SPAN",
            section=WHAT,
            help="Nothing older than this, such as 90m, 2h or 7d.",
        )(function)

    return add


def pace_options(function: Function) -> Function:
    """Add how many hosts at once, and for how long."""
    function = option(
        "--timeout",
        type=float,
        default=TIMEOUT,
        show_default=True,
        metavar="SECONDS",
        section=HOW,
        help="Time for each host: connecting, logging in and reading.",
    )(function)
    return option(
        "-f", "--forks", type=int, default=50, show_default=True, metavar="N", section=HOW, help="Hosts at once."
    )(function)


def place(values: dict[str, Any]) -> Place | CloudWatch:
    """Take where to read out of a command's values: hosts, or log groups of CloudWatch."""
    aws = {name: values.pop(name) for name in ("groups", "account", "region", "profile", "part", "pattern")}
    found = place_of(values)
    if not aws["groups"]:
        stray = [name for name in aws if aws[name] and name != "groups"]
        if stray:
            raise UsageError(f"--{stray[0]} is of CloudWatch: give --cloudwatch NAME, too")
        if not found.inventory:
            raise UsageError("say where: -i INVENTORY, or --cloudwatch NAME with --account and --region")
        return found
    if found.inventory or found.limit or found.extra_vars or values["paths"] or values["units"] or values["timezone"]:
        raise UsageError("--cloudwatch reads no hosts: leave out PATH, -u, -i, -l, -e, sudo and --timezone")
    if not aws["account"] or not aws["region"]:
        raise UsageError("--cloudwatch needs --account and --region: where the log groups are")
    from opslib.live_logs import CloudWatch

    return CloudWatch(**{name: value for name, value in aws.items() if value})


def query(values: dict[str, Any]) -> LogQuery:
    """Take what to read out of a command's values."""
    from opslib.live_logs import LogQuery

    return LogQuery(
        paths=values["paths"],
        units=values["units"],
        lines=values["lines"],
        since=values.get("since"),
        until=values.get("until", 0),
        levels=values["levels"],
        match=values["match"],
        fields=_fields(values["fields"]),
        timezone=values["timezone"],
        longest=values["longest"],
        masked=not values["unmasked"],
    )


def _fields(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not name or not sign:
            raise UsageError(f"--field {ascii(text)[:80]} is no NAME=VALUE")
        found[name] = value
    return found
