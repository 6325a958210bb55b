"""Results: how states add up, and that nothing is lost on the way to JSON and back."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.errors import InterruptedRunError, RunFailedError
from opslib.result import SCHEMA_VERSION, Change, HostResult, Report, Status, StepResult

OK, CHANGED, FAILED, UNREACHABLE, SKIPPED = Status


def step(status, *, changed=False, ignored=False, error=None, name="a step"):
    """Return a step's result."""
    return StepResult(name=name, task="note", status=status, changed=changed, ignored=ignored, error=error)


def report(*states, interrupted=False, **more):
    """Return a report of hosts in these states."""
    hosts = {
        f"web{number}": HostResult(name=f"web{number}", status=status, error=f"error {number}")
        for number, status in enumerate(states)
    }
    now = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    values = {"run_id": "r", "source": "s", "engine": "ssh", "check": False, "started": now, "ended": now, **more}
    return Report(hosts=hosts, interrupted=interrupted, **values)


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([], 0),
        ([OK], 0),
        ([CHANGED], 0),
        ([SKIPPED], 0),
        ([OK, CHANGED, SKIPPED], 0),
        ([FAILED], 2),
        ([UNREACHABLE], 4),
        ([OK, UNREACHABLE], 4),
        ([UNREACHABLE, FAILED], 2),
        ([FAILED, UNREACHABLE, OK], 2),
    ],
)
def test_exit_codes(states, code):
    """2 beats 4 beats 0; an interrupted run is 130 whatever its hosts did."""
    assert report(*states).exit_code == code
    assert report(*states, interrupted=True).exit_code == 130


DONE, DID, BAD, LEFT = step(OK), step(CHANGED, changed=True), step(FAILED), step(SKIPPED)
IGNORED = step(FAILED, ignored=True)
IGNORED_CHANGE = step(FAILED, ignored=True, changed=True)


@pytest.mark.parametrize(
    ("steps", "error", "status"),
    [
        ([], None, OK),
        ([DONE], None, OK),
        ([DONE, LEFT], None, OK),
        ([LEFT], None, SKIPPED),
        ([LEFT, LEFT], None, SKIPPED),
        ([DID], None, CHANGED),
        ([LEFT, DID, DONE], None, CHANGED),
        ([BAD], None, FAILED),
        ([DID, BAD], None, FAILED),
        ([IGNORED], None, OK),
        ([IGNORED, LEFT], None, OK),
        ([IGNORED_CHANGE], None, CHANGED),
        ([IGNORED, BAD], None, FAILED),
        ([DONE], "lost", FAILED),
        ([], "lost", FAILED),
        ([LEFT], "lost", FAILED),
    ],
)
def test_a_hosts_status_follows_from_its_steps(steps, error, status):
    """One failure is enough, an ignored one is none; skipped only when everything was."""
    result = HostResult.of_steps("web1", iter(steps), error=error, seconds=1.5)
    assert (result.status, result.steps, result.error, result.seconds) == (status, tuple(steps), error, 1.5)


def test_what_went_wrong_on_a_host():
    """The first failed step that counts, else the host's own error, else nothing."""
    bad = [step(FAILED, ignored=True, error="no"), step(FAILED, error="one", name="x"), step(FAILED, error="two")]
    assert HostResult.of_steps("web1", bad, error="lost").failure == "x: one"
    assert HostResult.of_steps("web1", bad[:1], error="lost").failure == "lost"
    assert HostResult.of_steps("web1", bad[:1]).failure is None


def test_raising_for_failures():
    """Nothing when all is well; else an error with the report, and the first three hosts in words."""
    report(OK, CHANGED, SKIPPED).raise_for_failures()
    for bad in (report(OK, FAILED), report(UNREACHABLE)):
        with pytest.raises(RunFailedError) as caught:
            bad.raise_for_failures()
        assert caught.value.report is bad
    with pytest.raises(RunFailedError) as caught:
        report(*[FAILED] * 3, UNREACHABLE, OK).raise_for_failures()
    assert str(caught.value) == (
        "4 of 5 hosts did not succeed: web0: error 0; web1: error 1; web2: error 2; and 1 more"
    )


@pytest.mark.parametrize("states", [[OK], [FAILED], [UNREACHABLE], []])
def test_raising_for_an_interruption(states):
    """A run that was stopped is no success, whatever its hosts did."""
    stopped = report(*states, interrupted=True)
    with pytest.raises(InterruptedRunError) as caught:
        stopped.raise_for_failures()
    assert caught.value.report is stopped


def test_hosts_by_status():
    """In the order of the inventory."""
    found = report(OK, FAILED, OK, UNREACHABLE).with_status(FAILED, UNREACHABLE)
    assert [host.name for host in found] == ["web1", "web3"]


def test_whether_anything_changed():
    """On any host, also where something failed later."""
    assert not report(OK).changed
    one = report(FAILED)
    hosts = {"web1": HostResult.of_steps("web1", [DID, BAD])}
    assert Report(**{**{key: getattr(one, key) for key in one.__dataclass_fields__}, "hosts": hosts}).changed


TEXT = st.text() | st.text(st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF), max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda items: st.lists(items, max_size=3) | st.dictionaries(TEXT, items, max_size=3),
    max_leaves=6,
)
CHANGES = st.builds(
    Change,
    kind=st.sampled_from(["create", "modify", "remove", "action"]),
    summary=TEXT,
    before=JSON,
    after=JSON,
    certain=st.booleans(),
)
SECONDS = st.floats(0, 1e6)
STEPS = st.builds(
    StepResult,
    name=TEXT,
    task=TEXT,
    status=st.sampled_from(Status),
    changed=st.booleans(),
    reason=TEXT,
    changes=st.lists(CHANGES, max_size=2).map(tuple),
    warnings=st.lists(TEXT, max_size=2).map(tuple),
    data=st.dictionaries(TEXT, JSON, max_size=3),
    error=st.none() | TEXT,
    seconds=SECONDS,
    ignored=st.booleans(),
)
HOSTS = st.builds(
    HostResult,
    name=st.text(),
    status=st.sampled_from(Status),
    steps=st.lists(STEPS, max_size=2).map(tuple),
    error=st.none() | st.text(),
    seconds=SECONDS,
)
TIMES = st.datetimes(
    datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))])
)
REPORTS = st.builds(
    Report,
    run_id=st.text(),
    source=st.text(),
    engine=st.sampled_from(["ssh", "ansible", "ssh+ansible"]),
    check=st.booleans(),
    started=TIMES,
    ended=TIMES,
    hosts=st.lists(HOSTS, max_size=3).map(lambda hosts: {host.name: host for host in hosts}),
    warnings=st.lists(st.text(), max_size=2).map(tuple),
    interrupted=st.booleans(),
)


@given(given_report=REPORTS)
def test_a_report_survives_json(given_report):
    """What is read back says the same, is the same when read again, and can be printed and written anywhere."""
    written = given_report.to_dict()
    read = Report.from_dict(json.loads(json.dumps(written)))
    again = Report.from_dict(json.loads(json.dumps(read.to_dict(), allow_nan=False)))
    assert again == read
    assert read.to_dict() == again.to_dict()
    json.dumps(read.to_dict(), ensure_ascii=False).encode()
    assert (read.run_id, read.exit_code, list(read.hosts)) == (
        given_report.run_id,
        given_report.exit_code,
        list(given_report.hosts),
    )
    assert abs(read.started - given_report.started) < timedelta(milliseconds=1)
    for name, host in given_report.hosts.items():
        assert read.hosts[name].status is host.status
        assert [step.status for step in read.hosts[name].steps] == [step.status for step in host.steps]
        assert [len(step.changes) for step in read.hosts[name].steps] == [len(step.changes) for step in host.steps]


@given(result=STEPS)
def test_a_clean_step_comes_back_unchanged(result):
    """Once cleaned, reading and writing change nothing at all."""
    clean = StepResult.from_dict(result.to_dict())
    assert StepResult.from_dict(clean.to_dict()) == clean
    assert StepResult.from_dict(json.loads(json.dumps(clean.to_dict(), allow_nan=False))) == clean


def test_the_written_form():
    """Exactly the keys that scripts rely on."""
    written = report(OK, warnings=("careful",)).to_dict()
    assert written["schema"] == SCHEMA_VERSION == 1
    assert set(written) == {
        "schema",
        "run_id",
        "source",
        "engine",
        "check",
        "started",
        "ended",
        "exit_code",
        "interrupted",
        "warnings",
        "hosts",
    }
    assert written["started"] == "2026-01-02T03:04:05.678Z"
    assert set(written["hosts"]["web0"]) == {"status", "error", "seconds", "steps"}
    one = step(OK).to_dict()
    assert {"name", "task", "status", "changed", "reason", "changes", "warnings", "data", "error", "seconds"} <= set(
        one
    )
    assert set(Change(kind="create", summary="x").to_dict()) == {"kind", "summary", "before", "after", "certain"}


@pytest.mark.parametrize("schema", [None, 0, 2, "1", 1.5, []])
def test_another_schema_is_refused(schema):
    """A report of another version is not guessed at."""
    with pytest.raises(ValueError, match=r"report schema .* is not 1"):
        Report.from_dict({**report(OK).to_dict(), "schema": schema})


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"name": "x"},
        {"name": "x", "task": "y"},
        {"name": "x", "task": "y", "status": "fine"},
        {"name": 5, "task": "y", "status": "ok"},
        {"name": "x", "task": "y", "status": "ok", "data": [1]},
        {"name": "x", "task": "y", "status": "ok", "changes": [{}]},
        {"name": "x", "task": "y", "status": "ok", "changes": 5},
        {"name": "x", "task": "y", "status": "ok", "changes": ["x"]},
        {"name": "x", "task": "y", "status": "ok", "warnings": [None]},
        {"name": "x", "task": "y", "status": "ok", "reason": 5},
        {"name": "x", "task": "y", "status": "ok", "error": 5},
        {"name": "x", "task": "y", "status": "ok", "seconds": "soon"},
    ],
)
def test_steps_of_a_wrong_shape_are_refused(data):
    """With one of three exceptions, never another."""
    with pytest.raises((ValueError, TypeError, KeyError)):
        StepResult.from_dict(data)


def test_bytes_that_were_no_text_are_shown_as_such():
    """A lone surrogate becomes the byte that it stands for; numbers that JSON lacks become null."""
    data = {
        "name": "caf\udce9",
        "task": "t",
        "status": "ok",
        "reason": "\udcff",
        "data": {"\udc80": [float("nan"), float("inf"), "\udc81"]},
        "seconds": float("nan"),
    }
    result = StepResult.from_dict(data)
    assert (result.name, result.reason, result.data) == ("caf\\xe9", "\\xff", {"\\x80": [None, None, "\\x81"]})
    assert result.seconds == 0.0


def test_results_have_no_truth_value_of_their_own():
    """`if report` would mean anything or nothing; all are frozen."""
    for thing in (report(FAILED), HostResult(name="x", status=FAILED), DONE, Change(kind="create", summary="x")):
        assert "__bool__" not in dir(thing)
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, dataclasses.fields(thing)[0].name, "other")
        assert not hasattr(thing, "__dict__")
