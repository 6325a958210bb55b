"""`opslib logs`: what logs and units say, on many hosts at once, and what CloudWatch holds."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from opslib.cli.click_parts import CONTEXT, Group, command, option
from opslib.cli.log_options import lines_option, pace_options, place, query, what_options, window_options
from opslib.cli.options import HOW, library_of
from opslib.cli.screen import Screen, written
from opslib.errors import UsageError
from opslib.events import Event, HostEnded, Notice, RunStarted
from opslib.output.detail import STYLES
from opslib.output.lines import line
from opslib.result import Report, Status

if TYPE_CHECKING:
    from opslib.log_entry import LogEntry
    from opslib.output.log_lines import LogStyle

__all__ = ["errors", "follow", "logs", "search", "tail"]

LEVELS = ("ERROR", "CRITICAL", "FATAL")
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
    where, what = place(values), query(values)

    def work() -> Report:
        return library.follow_logs(what, where, lasting, show.entry, show.event, show.cancel)

    return show.carry_out(work)


def _read(context: click.Context, values: dict[str, Any], *, search: bool) -> int:
    library, forks, timeout = library_of(context), values.pop("forks"), values.pop("timeout")
    show = _Show(values)
    where, what = place(values), query(values)

    def work() -> Report:
        reading = library.read_logs(what, where, search, forks, timeout, show.event, show.cancel)
        for entry in reading.entries:
            show.entry(entry)
        return reading.report

    return show.carry_out(work)


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
