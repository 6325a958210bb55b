"""Single lines that tell of a run: what is about to happen, how a step ended, how a host ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from opslib.events import RunStarted, StepTold
from opslib.output.detail import STYLES, short_names, step_line
from opslib.output.lines import Line, Style, line
from opslib.output.names import listed
from opslib.output.text import duration, shorten
from opslib.result import HostResult, Status, StepResult

__all__ = ["Heading", "heading_line", "host_line", "progress_lines", "short_name", "step_row"]

MAX_REASON = 300
MAX_HOSTS_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What is to be done, in words, and by which engine."""

    what: str
    engine: str


def heading_line(heading: Heading, event: RunStarted) -> Line:
    """Return the line that says, before anything happens, what will be done, where, and whether for real."""
    count = len(event.hosts)
    verb, how = ("Checking", "nothing will be changed") if event.check else ("Running", "for real")
    hosts = f"on {count} host{'s' * (count != 1)} ({listed(event.hosts, MAX_HOSTS_NAMED)})"
    style: Style = "ok" if event.check else "changed"
    return line((verb, "bold"), f" {heading.what} {hosts}, engine {heading.engine}: ", (how, style))


def host_line(host: HostResult, *, check: bool, place: str = "") -> Line:
    """Return how a host ended, in one line."""
    word = "would change" if host.status is Status.CHANGED and host.planned(check=check) else host.status.value
    pieces: list[str | tuple[str, Style]] = [(place, "dim"), (host.name, "place"), ": ", (word, STYLES[host.status])]
    if host.failure and host.status in (Status.FAILED, Status.UNREACHABLE):
        pieces.append(f": {shorten(' '.join(host.failure.split()), MAX_REASON)}")
    elif host.status is Status.CHANGED:
        planned = host.planned(check=check)
        told = [step for step in host.steps if step.planned(check=check) is planned]
        pieces.append(f": {shorten(_changed(told), MAX_REASON)}")
    warnings = sum(len(step.warnings) for step in host.steps)
    if warnings:
        pieces.append((f" ({warnings} warning{'s' * (warnings > 1)})", "warning"))
    pieces.append((f"  {duration(host.seconds)}", "dim"))
    return line(*pieces, hang=4)


def step_row(host: str, step: StepResult, *, check: bool) -> Line:
    """Return how a step ended on a host, in one line."""
    said = step.error or step.reason or _changed([step])
    row = step_line(replace(step, name=short_name(step.name)), check=check, indent=0)
    more = line(f": {shorten(' '.join(said.split()), MAX_REASON)}") if said else line("")
    return Line((*line((host, "place"), ": ").pieces, *row.pieces, *more.pieces), hang=4)


def progress_lines(event: StepTold) -> Sequence[Line]:
    """Return how far a long step says it is, in one line; none when it says something else."""
    text = event.message.get("progress")
    if not isinstance(text, str):
        return ()
    return (line((event.host, "place"), (f": {shorten(' '.join(text.split()), MAX_REASON)}", "dim"), hang=4),)


def short_name(name: str) -> str:
    """Return a step's name without the role that Ansible puts before it."""
    return short_names([name])[name]


def _changed(steps: Sequence[StepResult]) -> str:
    summaries = [change.summary for step in steps for change in step.changes]
    return "; ".join(summaries) or ", ".join(step.name for step in steps if step.changed)
