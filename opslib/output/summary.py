"""A report for people: what was found, what changed, what failed and why, the worst last, where the eye is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from opslib.output.alike import Shared, draw_together
from opslib.output.detail import STYLES, detail, intended, short_names
from opslib.output.diff import diff_lines
from opslib.output.facts import fact_lines
from opslib.output.lines import BLANK, Line, Style, line
from opslib.output.names import compact, listed
from opslib.output.text import duration, shorten, visible, visible_lines, width
from opslib.result import Change, HostResult, Report, Status, StepResult

__all__ = ["last_line", "summary"]

WIDEST = 24
INDENT = 2
MAX_TEXT = 4000
MAX_VARIANTS = 6
MAX_FACTS = 30
MAX_NAMES = 8
FEW_NAMES = 3
NO_STEP = ""
TAKEN_FOR_GRANTED = ("validate_argument_spec", "ansible.builtin.validate_argument_spec")

# A playbook's own reasons to skip a step, which hold on most runs: only the long form tells them.
_EXPECTED = ("there are no items to loop over", "the condition is false", "No items in the list")
_MEANING = {
    0: "all well",
    2: "some host failed",
    4: "some host was unreachable",
    130: "interrupted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Saying:
    """What one host says of one step. diff: hosts are put together only when theirs is the same; evidence: need not."""

    host: str
    step: str
    text: str
    diff: tuple[Line, ...] = ()
    evidence: tuple[Line, ...] = ()


def summary(report: Report, *, diff: bool = False, verbose: bool = False) -> list[Line]:
    """Return the summary of a run, without its last line.

    diff: show what changes change; verbose: first everything that is known of each host, and leave nothing out.
    """
    report = _with_short_names(report)
    sections: list[tuple[str, Style, Iterator[_Saying]]] = [
        ("Changed", "changed", _changes(report, planned=False, diff=diff)),
        ("Would change", "changed", _changes(report, planned=True, diff=diff)),
        ("Warnings", "warning", _warnings(report)),
        ("Not done", "failed", _not_done(report)),
        ("Unreachable", "unreachable", _unreachable(report)),
        ("Failed", "failed", _failures(report)),
    ]
    if not verbose:
        sections[:0] = [("Skipped", "bold", _skipped(report)), ("Found", "bold", _found(report))]
    out = list(detail(report)) if verbose else []
    for title, style, sayings in sections:
        body = _section(report, list(sayings), everything=verbose or style in ("failed", "unreachable"))
        if body:
            out += [line((title, style)), *body, BLANK]
    return out


def last_line(report: Report) -> Line:
    """Return the line that says it all: how many hosts ended how, how long it took, and what the exit code means."""
    code = report.exit_code
    count = len(report.hosts)
    pieces: list[str | tuple[str, Style]] = []
    if report.interrupted:
        pieces.append(("Interrupted. ", "failed"))
    if report.check:
        real = sum(step.changed and not step.planned(check=True) for _host, step in _steps(report))
        changed = f"{real} step{'s' * (real != 1)} changed something all the same, not being in check mode"
        pieces.append((f"Check, {changed if real else 'nothing was changed'}. ", "bold"))
    pieces.append((f"{count} host{'s' * (count != 1)}: ", "bold"))
    for number, (status, hosts) in enumerate(_by_status(report).items()):
        would = [host for host in hosts if status is Status.CHANGED and host.planned(check=report.check)]
        words = [(len(hosts) - len(would), status.value), (len(would), "would change")]
        told = ", ".join(f"{number} {word}" for number, word in words if number)
        pieces += [", " if number else "", (told, STYLES[status])]
    seconds = (report.ended - report.started).total_seconds()
    pieces.append((f" in {duration(seconds)} (exit code {code}: {_MEANING.get(code, 'unknown')})", "dim"))
    return line(*pieces)


def _by_status(report: Report) -> Mapping[Status, list[HostResult]]:
    found = {status: report.with_status(status) for status in Status}
    return {status: hosts for status, hosts in found.items() if hosts}


def _with_short_names(report: Report) -> Report:
    names = short_names(step.name for _host, step in _steps(report))
    hosts = {}
    for name, host in report.hosts.items():
        steps = tuple(replace(step, name=names[step.name]) for step in host.steps)
        hosts[name] = replace(host, steps=steps)
    return replace(report, hosts=hosts)


def _steps(report: Report) -> Iterator[tuple[str, StepResult]]:
    for host in report.hosts.values():
        for step in host.steps:
            yield host.name, step


def _skipped(report: Report) -> Iterator[_Saying]:
    for host, step in _steps(report):
        if step.status is Status.SKIPPED and not (step.reason or "").startswith(_EXPECTED):
            yield _Saying(host=host, step=step.name, text=step.reason or "skipped")


def _found(report: Report) -> Iterator[_Saying]:
    for host, step in _steps(report):
        if step.status is Status.OK and step.reason and step.task not in TAKEN_FOR_GRANTED:
            yield _Saying(host=host, step=step.name, text=step.reason)


def _changes(report: Report, *, planned: bool, diff: bool) -> Iterator[_Saying]:
    for host, step in _steps(report):
        if step.planned(check=report.check) is not planned:
            continue
        then = " (then the step failed)" if step.status is Status.FAILED else ""
        for change in step.changes:
            text = intended(change, check=planned)
            yield _Saying(host=host, step=step.name, text=text + then, diff=tuple(_diff(change)) if diff else ())
        if step.changed and not step.changes:
            cut_short = "perhaps something, before the step was cut short"
            text = cut_short if step.status is Status.FAILED else step.reason or "changed, it does not say what"
            yield _Saying(host=host, step=step.name, text=text)


def _diff(change: Change) -> Iterator[Line]:
    styles: Mapping[str, Style] = {"-": "removed", "+": "added", "@": "place"}
    for text in diff_lines(change):
        yield line((text, styles.get(text[:1], "plain")))


def _warnings(report: Report) -> Iterator[_Saying]:
    for warning in report.warnings:
        yield _Saying(host="", step=NO_STEP, text=warning)
    for host, step in _steps(report):
        for warning in step.warnings:
            yield _Saying(host=host, step=step.name, text=warning)
        if step.status is Status.FAILED and step.ignored:
            yield _Saying(host=host, step=step.name, text=f"failed, which was to be ignored: {step.error}")


def _not_done(report: Report) -> Iterator[_Saying]:
    """Yield hosts that did not fail but had no turn, or no further one: in a rolling run the most important to know."""
    for host in report.with_status(Status.OK, Status.CHANGED, Status.SKIPPED):
        if host.error:
            yield _Saying(host=host.name, step=NO_STEP, text=host.error)


def _unreachable(report: Report) -> Iterator[_Saying]:
    for host in report.with_status(Status.UNREACHABLE):
        yield _Saying(host=host.name, step=NO_STEP, text=host.error or host.failure or "it gave no reason")


def _failures(report: Report) -> Iterator[_Saying]:
    for host in report.hosts.values():
        explained = False
        for step in host.steps:
            if step.status is Status.FAILED and not step.ignored:
                explained = True
                why = step.error or "it gave no reason"
                yield _Saying(host=host.name, step=step.name, text=why, evidence=_evidence(step.data))
        if host.status is Status.FAILED and (host.error or not explained):
            yield _Saying(host=host.name, step=NO_STEP, text=host.error or "it gave no reason")


def _evidence(data: Mapping[str, Any]) -> tuple[Line, ...]:
    """Return what a failed step brought back, above all the end of a log."""
    return tuple(line((f"| {text}", "dim")) for text in fact_lines(data, most=MAX_FACTS, last=True))


def _section(report: Report, sayings: list[_Saying], *, everything: bool) -> list[Line]:
    """Lay out sayings in two columns: the step, and what hosts say of it."""
    steps: dict[str, list[_Saying]] = {}
    for saying in sayings:
        steps.setdefault(saying.step, []).append(saying)
    fitting = [width(visible(name)) for name in steps if width(visible(name)) <= WIDEST]
    column = INDENT + max(fitting, default=INDENT) + 2
    rows: list[Line] = []
    for name, said in steps.items():
        rows += _step(report, name, said, column if name else INDENT, everything=everything)
    return rows


def _step(report: Report, name: str, sayings: list[_Saying], column: int, *, everything: bool) -> Iterator[Line]:
    left = " " * INDENT + visible(name)
    if name and width(left) + 2 > column:
        yield line((left, "bold"))
        left = ""
    variants = draw_together((saying.host, shorten(saying.text, MAX_TEXT), saying.diff) for saying in sayings)
    shown = variants if everything or len(variants) <= MAX_VARIANTS else variants[: MAX_VARIANTS - 1]
    for variant in shown:
        for number, text in enumerate(visible_lines(variant.text)):
            who = _who(report, variant, everything=everything) if number == 0 else ""
            yield line((left, "bold"), " " * (column - width(left)), (who, "place"), text, hang=column)
            left = ""
        for row in _below(variant, sayings):
            yield Line(((" " * column, "plain"), *row.pieces), column + 2)
    if len(shown) < len(variants):
        told = {host for variant in shown for host in variant.hosts}
        more = {host for variant in variants[len(shown) :] for host in variant.hosts}
        left_out = len(variants) - len(shown)
        words = f"{left_out} more" if more <= told else f"{len(more)} more host{'s' * (len(more) != 1)} in other words"
        yield line(" " * column, (f"... and {words}; -v shows them", "dim"), hang=column)


def _who(report: Report, variant: Shared, *, everything: bool) -> str:
    """Name the hosts, unless it is all of many, or the run as a whole."""
    if variant.hosts == ("",) or (len(variant.hosts) == len(report.hosts) and not everything):
        return ""
    names = compact(variant.hosts)
    if everything or len(names) <= MAX_NAMES:
        return f"{', '.join(names)}: "
    return f"{len(variant.hosts)} hosts ({listed(variant.hosts, FEW_NAMES)}): "


def _below(variant: Shared, sayings: list[_Saying]) -> tuple[Line, ...]:
    if isinstance(variant.key, tuple) and variant.key:
        return variant.key
    first = next((s for s in sayings if s.host == variant.hosts[0] and s.evidence), None)
    if first is None:
        return ()
    source = (line((f"from {first.host}:", "dim")),) if len(variant.hosts) > 1 else ()
    return (*source, *first.evidence)
