"""`opslib logs`: what logs and units say, on many hosts at once, and what CloudWatch holds."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from opslib.cli.click_parts import CONTEXT, Group, command, option
from opslib.cli.options import (
    HOW,
    RESULTS,
    WHERE,
    color_option,
    library_of,
    place_of,
    place_options,
    variables_option,
    vault_option,
)
from opslib.cli.screen import Screen, written
from opslib.errors import UsageError
from opslib.events import Event, HostEnded, Notice, RunStarted
from opslib.output.detail import STYLES
from opslib.output.lines import line
from opslib.result import Report, Status

if TYPE_CHECKING:
    from opslib.cli.library import Place
    from opslib.live_logs import CloudWatch, LogQuery
    from opslib.log_entry import LogEntry
    from opslib.output.log_lines import LogStyle

__all__ = ["errors", "follow", "logs", "search", "tail"]

Function = Callable[..., int]
WHAT, CLOUDWATCH = "What", "CloudWatch, in place of hosts"
LEVELS = ("ERROR", "CRITICAL", "FATAL")
TIMEOUT = 30.0
INTERRUPTED = 130
EXAMPLES = (
    ("opslib logs tail /srv/app/logs/app.log -i inventories/production -n 20", "The newest 20 entries of each host."),
    ("opslib logs follow /srv/app/logs/app.log -i inventories/production --level ERROR", "Errors, as they come."),
    ("opslib logs follow --unit nginx -i inventories/production --for 10m", "A unit's journal, for ten minutes."),
    ("opslib logs errors '/var/log/nginx/*.log' -i inventories/production --since 2h", "Errors of the last two hours."),
    (
        "opslib logs search /srv/app/logs/app.log -i inventories/production --field user_id=42 --pretty",
        "What concerned one user, JSON laid out.",
    ),
    ("opslib logs tail /srv/app/logs/app.log -i web1, --json | jq .text", "Hand entries to another program."),
    (
        "opslib logs errors --cloudwatch spendsense-api --account 123456789012 --region us-east-1",
        "Errors of an App Runner service, or of any log group.",
    ),
)
COMMANDS = {
    "tail": ("Show the newest entries, in the order of time.", "opslib.cli.logs:tail"),
    "follow": ("Show entries as they come, through rotation.", "opslib.cli.logs:follow"),
    "errors": ("Show the errors of the last hour.", "opslib.cli.logs:errors"),
    "search": ("Search a time window, rotated and compressed files too.", "opslib.cli.logs:search"),
}


@click.group("logs", cls=Group, homes=COMMANDS, examples=EXAMPLES, context_settings=CONTEXT)
def logs() -> None:
    """Read what log files and systemd units say, on many hosts at once, or what CloudWatch holds.

    Hosts do the filtering, so that only what is wanted travels.
    Entries go to standard output, remarks and hosts that fail to standard error. Exit codes are those of `opslib run`.
    """


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
            option("-b", "--become", is_flag=True, section=WHERE, help="Read as root, by sudo."),
            option("--become-user", metavar="USER", section=WHERE, help="Read as this user, by sudo."),
            option(
                "-K", "--ask-become-pass", is_flag=True, section=WHERE, help="Ask for the password that sudo wants."
            ),
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


@command("tail", examples=(EXAMPLES[0], EXAMPLES[5]))
@what_options
@lines_option(20)
@window_options(None)
@pace_options
@click.pass_context
def tail(context: click.Context, /, **values: Any) -> int:
    """Show the newest entries of log files and units, those of all hosts merged in the order of time."""
    return _read(context, values, search=False)


@command("errors", examples=(EXAMPLES[3],))
@what_options
@lines_option(1000)
@window_options("1h")
@pace_options
@click.pass_context
def errors(context: click.Context, /, **values: Any) -> int:
    """Show the errors of the last hour: entries of the levels ERROR, CRITICAL and FATAL, and what is worse.

    `opslib task log_errors` counts them and finds what they have in common.
    """
    values["levels"] = values["levels"] or LEVELS
    return _read(context, values, search=True)


@command("search", examples=(EXAMPLES[4],))
@what_options
@lines_option(1000)
@window_options("24h")
@pace_options
@click.pass_context
def search(context: click.Context, /, **values: Any) -> int:
    """Show the entries of a time window, from rotated and compressed files too."""
    return _read(context, values, search=True)


@command("follow", examples=EXAMPLES[1:3])
@what_options
@lines_option(10)
@option("--for", "lasting", metavar="SPAN", section=HOW, help="End by itself after this time, such as 10m.")
@click.pass_context
def follow(context: click.Context, /, **values: Any) -> int:
    """Show the newest entries, and then every entry as it comes, until Ctrl-C.

    Goes on when a log is rotated, whether it is renamed or truncated, and waits for files that are not there yet.
    Nothing stays on the hosts.
    """
    library, lasting = library_of(context), values.pop("lasting")
    show = _Show(values)
    place, query = _place(values), _query(values)

    def work() -> Report:
        return library.follow_logs(query, place, lasting, show.entry, show.event, show.cancel)

    return show.carry_out(work)


def _read(context: click.Context, values: dict[str, Any], *, search: bool) -> int:
    library, forks, timeout = library_of(context), values.pop("forks"), values.pop("timeout")
    show = _Show(values)
    place, query = _place(values), _query(values)

    def work() -> Report:
        reading = library.read_logs(query, place, search, forks, timeout, show.event, show.cancel)
        for entry in reading.entries:
            show.entry(entry)
        return reading.report

    return show.carry_out(work)


def _place(values: dict[str, Any]) -> Place | CloudWatch:
    """Take where to read out of a command's values: hosts, or log groups of CloudWatch."""
    aws = {name: values.pop(name) for name in ("groups", "account", "region", "profile", "part", "pattern")}
    place = place_of(values)
    if not aws["groups"]:
        stray = [name for name in aws if aws[name] and name != "groups"]
        if stray:
            raise UsageError(f"--{stray[0]} is of CloudWatch: give --cloudwatch NAME, too")
        if not place.inventory:
            raise UsageError("say where: -i INVENTORY, or --cloudwatch NAME with --account and --region")
        return place
    if place.inventory or place.limit or place.extra_vars or values["paths"] or values["units"] or values["timezone"]:
        raise UsageError("--cloudwatch reads no hosts: leave out PATH, -u, -i, -l, -e, sudo and --timezone")
    if not aws["account"] or not aws["region"]:
        raise UsageError("--cloudwatch needs --account and --region: where the log groups are")
    from opslib.live_logs import CloudWatch

    return CloudWatch(**{name: value for name, value in aws.items() if value})


def _query(values: dict[str, Any]) -> LogQuery:
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


class _Show:
    """Shows entries and remarks, and sees that Ctrl-C and a reader that goes away end the work."""

    def __init__(self, values: dict[str, Any]) -> None:
        from opslib.cli.interruption import Interruption

        color, self._json, pretty = values.pop("color"), values.pop("as_json"), values.pop("pretty")
        if self._json and pretty:
            raise UsageError("--json and --pretty exclude each other")
        self._out, self._err = Screen(sys.stdout, color), Screen(sys.stderr, color)
        self._pretty = pretty
        self._sources = len(values["paths"]) + len(values["units"]) > 1 or any(
            sign in path for path in values["paths"] for sign in "*?["
        )
        self._interruption = Interruption(
            lambda: self._err.print(line(("stopping; press Ctrl-C again to leave at once", "bold"))), lambda: None
        )
        self.cancel = self._interruption.cancel
        self._style: LogStyle | None = None
        self._width = max(map(len, values["groups"]), default=0)

    def carry_out(self, work: Callable[[], Report]) -> int:
        """Do the work and return the exit code."""
        with self._interruption:
            report = work()
        for warning in report.warnings:
            self._err.print(line((f"warning: {warning}", "warning")))
        unwritten = written(self._out)
        if unwritten and report.exit_code in (0, INTERRUPTED):  # by us, because nothing could be shown any more
            return unwritten
        if self._out.gone and not self._out.problem and report.interrupted:  # nobody reads any more: no failure
            return 0
        return report.exit_code

    def event(self, event: Event) -> None:
        """Say what is worth it."""
        match event:
            case RunStarted():
                self._width = max([self._width, *map(len, event.hosts)])
            case Notice():
                self._err.print(line((event.text, "dim")))
            case HostEnded():
                self._ended(event)
            case _:
                pass

    def entry(self, entry: LogEntry) -> None:
        """Show an entry."""
        from opslib.output.log_lines import LogStyle, entry_lines

        if self._style is None:
            self._style = LogStyle(width=self._width, sources=self._sources, pretty=self._pretty)
        if self._json:
            self._out.write(json.dumps(entry.to_dict()) + "\n")
        else:
            self._out.print(*entry_lines(entry, self._style))
        if self._out.gone:
            self.cancel.set()

    def _ended(self, event: HostEnded) -> None:
        host = event.result
        if host.status in (Status.FAILED, Status.UNREACHABLE) and not self.cancel.is_set():
            why = host.steps[-1].error if host.steps and host.steps[-1].error else host.error
            self._err.print(line((f"{host.name}: ", "place"), (host.status.value, STYLES[host.status]), f": {why}"))
        for step in host.steps:
            for warning in step.warnings:
                self._err.print(line((f"{host.name}: warning: {warning}", "warning")))
