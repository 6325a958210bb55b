"""JUnit XML that any consumer can read, whatever hosts said."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from hypothesis import given, settings

from opslib.output.junit import to_junit
from opslib.result import HostResult, Report, Status
from support.reports import hostile, ordinary, report, reports, step

# What the schema of Jenkins' xunit plugin (junit-10.xsd) allows, and nothing that we have no use for.
ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "time", "tests", "failures", "errors", "skipped", "timestamp", "hostname"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "time", "classname"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"message"},
    "system-out": set(),
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "testcase": {"failure", "error", "skipped", "system-out"},
}


def parsed(made: Report) -> ET.Element:
    """Parse the XML as a consumer does: from bytes."""
    return ET.fromstring(to_junit(made).encode("utf-8"))


def check(root: ET.Element) -> None:
    """Check structure, attributes and counts."""
    for element in root.iter():
        assert set(element.attrib) <= ATTRIBUTES[element.tag]
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
        for text in (element.text or "", *element.attrib.values()):
            assert all(char.isprintable() or char in "\n\u00a0" or char.isspace() for char in text)
        if "time" in element.attrib:
            assert re.fullmatch(r"[0-9]+\.[0-9]{3}", element.attrib["time"])
    for suite in root:
        assert len({case.get("name") for case in suite.findall("testcase")}) == len(suite.findall("testcase")) > 0
        for key, path in (("tests", "testcase"), ("failures", "testcase/failure"), ("errors", "testcase/error")):
            assert int(suite.attrib[key]) == len(suite.findall(path))
    for key in ("tests", "failures", "errors"):
        assert int(root.attrib[key]) == sum(int(suite.attrib[key]) for suite in root)


def test_an_ordinary_report() -> None:
    root = parsed(ordinary())
    check(root)
    assert [suite.get("name") for suite in root][-2:] == ["db1", "db2"]
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("40", "1", "2")
    web7 = root[6]
    assert [case.get("name") for case in web7.findall("testcase")] == ["Disks have room", "nginx is running"]
    failure = web7.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "nginx.service does not stay up: 3 restarts in 10 s"
    assert failure.get("type") == "service"
    assert (failure.text or "").splitlines()[1:4] == [
        "look at its log, mend it, run again",
        "log: bind() failed, exit-code",
        "restarts: 3",
    ]
    error = root[10].find("testcase/error")
    assert error is not None
    assert error.get("type") == "unreachable"
    assert (error.get("message") or "").startswith("cannot connect to 10.0.0.1")


def test_a_failure_to_be_ignored_is_no_failure() -> None:
    ignored = step("may fail", Status.FAILED, error="it did", ignored=True)
    root = parsed(report(HostResult.of_steps("h", [ignored])))
    check(root)
    assert root.get("failures") == "0"
    skipped = root.find("testsuite/testcase/skipped")
    assert skipped is not None
    assert skipped.get("message") == "failed, which was to be ignored: it did"


def test_a_host_that_failed_without_a_failed_step_has_an_error() -> None:
    root = parsed(report(HostResult.of_steps("h", [step("fine")], error="interrupted before its end")))
    check(root)
    assert (root.get("tests"), root.get("errors")) == ("2", "1")


def test_a_host_that_failed_without_a_reason_has_an_error_too() -> None:
    root = parsed(report(HostResult(name="h", status=Status.FAILED, steps=(step("fine"),))))
    check(root)
    assert [error.get("message") for error in root.iter("error")] == ["the host gave no reason"]


def test_a_host_without_steps_has_a_case() -> None:
    for status in Status:
        check(parsed(report(HostResult(name="h", status=status))))


def test_steps_of_one_name_are_told_apart() -> None:
    root = parsed(report(HostResult.of_steps("h", [step("again"), step("again"), step("again")])))
    check(root)
    assert [case.get("name") for case in root[0].findall("testcase")] == ["again", "again (2)", "again (3)"]


def test_check_mode_says_would() -> None:
    texts = [element.text for element in parsed(ordinary(check=True)).iter("system-out")]
    assert "would change: restart nginx.service" in texts
    assert "may change: set vm.swappiness" in texts


def test_a_hostile_report() -> None:
    root = parsed(hostile())
    check(root)
    assert "\\x1b[2J" in (root[0].get("name") or "")


@settings(max_examples=50)
@given(reports())
def test_any_report(made: Report) -> None:
    check(parsed(made))
