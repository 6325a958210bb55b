"""Every step of every host: how it ended, why, and what it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from opslib.output.facts import fact_lines
from opslib.output.lines import BLANK, Line, Style, line
from opslib.output.text import duration, visible_lines
from opslib.result import Change, HostResult, Report, Status, StepResult

__all__ = ["STYLES", "detail", "intended", "short_names", "step_line"]

STYLES: Mapping[Status, Style] = {
    Status.OK: "ok",
    Status.CHANGED: "changed",
    Status.FAILED: "failed",
    Status.UNREACHABLE: "unreachable",
    Status.SKIPPED: "skipped",
}
WORD = 12
BELOW = 4 + WORD
MAX_FACTS = 60
_OF_ROLE = " : "


def short_names(names: Iterable[str]) -> Mapping[str, str]:
    """Return what to call steps that Ansible calls `ROLE : NAME`: just the name, where that is the name of one only."""
    known = dict.fromkeys(names)
    short = {name: name.partition(_OF_ROLE)[2] or name for name in known}
    count = Counter(short.values())
    return {name: text if count[text] == 1 else name for name, text in short.items()}


def detail(report: Report) -> Iterator[Line]:
    """Yield all that is known of each host, in the order of the inventory."""
    names = short_names(step.name for host in report.hosts.values() for step in host.steps)
    for host in report.hosts.values():
        yield _host(host, report)
        for step in host.steps:
            yield from _step(replace(step, name=names[step.name]), check=report.check)
        yield BLANK


def step_line(step: StepResult, *, check: bool, indent: int = 2) -> Line:
    """Return a step's status, name, task and time on one line."""
    word = "would" if step.planned(check=check) and step.status is Status.CHANGED else step.status.value
    word = "ignored" if step.ignored and step.status is Status.FAILED else word
    task = f"  {step.task}" if step.task and step.task != step.name else ""
    spent = f"  {duration(step.seconds)}" if step.seconds >= 0.05 else ""
    status = (f"{word:<{WORD}}", STYLES[step.status])
    return line(" " * indent, status, (step.name, "bold"), (task + spent, "dim"), hang=indent + WORD)


def intended(change: Change, *, check: bool) -> str:
    """Return a change's summary; in check mode with a word where the outcome cannot be foreseen."""
    return change.summary if change.certain or not check else f"perhaps: {change.summary}"


def _host(host: HostResult, report: Report) -> Line:
    would = host.status is Status.CHANGED and host.planned(check=report.check)
    word = "would change" if would else host.status.value
    pieces: list[str | tuple[str, Style]] = [
        (host.name, "place"),
        ": ",
        (word, STYLES[host.status]),
        (f"  {duration(host.seconds)}", "dim"),
    ]
    if host.error:
        pieces.append(f"  {' '.join(host.error.split())}")
    return line(*pieces, hang=4)


def _step(step: StepResult, *, check: bool) -> Iterator[Line]:
    pad = " " * BELOW
    yield step_line(step, check=check, indent=4)
    said: list[tuple[str, Style]] = []
    if step.error:
        said.append((step.error, "failed"))
    if step.reason:
        said.append((step.reason, "plain"))
    said += [(intended(change, check=step.planned(check=check)), "changed") for change in step.changes]
    said += [(f"warning: {warning}", "warning") for warning in step.warnings]
    for text, style in said:
        for row in visible_lines(text):
            yield line(pad, (row, style), hang=BELOW)
    for row in fact_lines(step.data, most=MAX_FACTS):
        yield line(pad, (row, "dim"), hang=BELOW + 2)
