"""A report as JUnit XML, for continuous integration: one test suite per host, one test case per step."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from opslib.output.facts import fact_lines
from opslib.output.text import shorten, visible, visible_lines
from opslib.result import HostResult, Report, Status, StepResult

__all__ = ["to_junit"]

MAX_MESSAGE = 300
MAX_BODY = 100_000
MAX_FACTS = 60
HOST = "host"


def to_junit(report: Report) -> str:
    """Return the report as JUnit XML.

    A failed step is a `failure`; what kept a host from being worked on (no connection, an interruption) is an
    `error`; skipped steps, and failures that the run was told to ignore, are `skipped`. What a step changed and
    warned of is its `system-out`. Characters that XML cannot hold, or that act on a terminal, are written as escapes.
    """
    root = ET.Element("testsuites")
    totals = dict.fromkeys(("tests", "failures", "errors"), 0)  # no `skipped` here: Jenkins' schema does not know it
    for host in report.hosts.values():
        suite, counts = _suite(report, host)
        root.append(suite)
        for key in totals:
            totals[key] += counts[key]
    root.set("name", visible(f"opslib {report.source}"))
    _count(root, totals, (report.ended - report.started).total_seconds())
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(report: Report, host: HostResult) -> tuple[ET.Element, dict[str, int]]:
    suite = ET.Element(
        "testsuite", name=visible(host.name), hostname=visible(host.name), timestamp=_stamp(report.started)
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(report, host):
        ET.SubElement(properties, "property", name=name, value=visible(value))
    seen: dict[str, int] = {}
    for case in _cases(report, host):
        name = case.get("name", "")
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            case.set("name", f"{name} ({seen[name]})")
        case.set("classname", visible(host.name))
        suite.append(case)
    counts = {
        "tests": len(suite.findall("testcase")),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
        "skipped": len(suite.findall("testcase/skipped")),
    }
    _count(suite, counts, host.seconds)
    return suite, counts


def _properties(report: Report, host: HostResult) -> Iterator[tuple[str, str]]:
    yield "run_id", report.run_id
    yield "source", report.source
    yield "engine", report.engine
    yield "check", str(report.check).lower()
    yield "status", host.status.value


def _cases(report: Report, host: HostResult) -> Iterator[ET.Element]:
    for step in host.steps:
        yield _step(step, check=report.check)
    bad = host.status in (Status.FAILED, Status.UNREACHABLE)
    explained = any(step.status is Status.FAILED and not step.ignored for step in host.steps)
    if host.error or (bad and not explained) or not host.steps:
        case = ET.Element("testcase", name=HOST, time="0.000")
        if bad or host.error:
            _verdict(case, "error", host.status.value, host.error or "the host gave no reason")
        elif host.status is Status.SKIPPED:
            _verdict(case, "skipped", "", "nothing was to be done on this host")
        yield case


def _step(step: StepResult, *, check: bool) -> ET.Element:
    case = ET.Element("testcase", name=visible(step.name) or "step", time=_seconds(step.seconds))
    if step.status is Status.FAILED and step.ignored:
        _verdict(case, "skipped", "", f"failed, which was to be ignored: {step.error}")
    elif step.status in (Status.FAILED, Status.UNREACHABLE):
        tag = "failure" if step.status is Status.FAILED else "error"
        _verdict(case, tag, step.task or step.status.value, step.error or "the step gave no reason", step.data)
    elif step.status is Status.SKIPPED:
        _verdict(case, "skipped", "", step.reason or "skipped")
    said = list(_remarks(step, check=step.planned(check=check)))
    if said:
        ET.SubElement(case, "system-out").text = _body("\n".join(said))
    return case


def _remarks(step: StepResult, *, check: bool) -> Iterator[str]:
    for change in step.changes:
        word = ("would change" if change.certain else "may change") if check else "changed"
        yield f"{word}: {change.summary}"
    for warning in step.warnings:
        yield f"warning: {warning}"
    if step.reason and step.status is not Status.SKIPPED:
        yield step.reason


def _verdict(case: ET.Element, tag: str, kind: str, text: str, data: Mapping[str, Any] = MappingProxyType({})) -> None:
    element = ET.SubElement(case, tag, message=shorten(visible(text.strip().split("\n")[0]), MAX_MESSAGE))
    if kind:
        element.set("type", visible(kind))
    if tag != "skipped":
        element.text = _body("\n".join([text, *fact_lines(data, most=MAX_FACTS, last=True)]))


def _body(text: str) -> str:
    return shorten("\n".join(visible_lines(text)), MAX_BODY)


def _count(element: ET.Element, counts: dict[str, int], seconds: float) -> None:
    for key, count in counts.items():
        element.set(key, str(count))
    element.set("time", _seconds(seconds))


def _seconds(seconds: float) -> str:
    return f"{min(seconds, 1e9) if seconds > 0 else 0:.3f}"


def _stamp(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
