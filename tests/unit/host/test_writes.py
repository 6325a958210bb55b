"""What is stopped is planned, recorded and resumed in the right order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.params import ParamError
from opslib.host.tasks.writes import Writes
from opslib.host.units import hold
from opslib.host.units.hold import Book, Held
from opslib.host.units.systemd import Unit

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("state", ["started", [], 5, True, *HOSTILE]),
        ("units", [5, {"a": 1}, ["-x"], ["a b"], ["a@"], ["../x"], ["a\nb"], ["a\0b"], ["x"] * 201]),
        ("record", [[], "a b", *HOSTILE]),
        ("stop_timeout", ["soon", 0, -1, [], True, *HOSTILE]),
        ("settle", ["soon", -1, [], True, *HOSTILE]),
        ("start_timeout", ["soon", 0, -1, [], True, *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^writes: %s: " % name):
            Writes(**dict({"state": "stopped", "units": ["app"]}, **{name: value}))


def test_contradictions_are_refused():
    with pytest.raises(ParamError, match="units is empty"):
        Writes(state="stopped")
    with pytest.raises(ParamError, match="record has 200 characters"):
        Writes(state="resumed", record="x" * 200)


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{", '{"units": 5, "since": 1}', '{"units": [1], "since": 1}', "[" * 9000]
)
def test_damaged_records(text):
    with pytest.raises(hold.BrokenBook):
        hold.parse("x", text)


names = st.sampled_from(["a.service", "b.service", "c.timer", "d.socket"])


@given(st.lists(st.tuples(names, st.booleans()), unique_by=lambda row: row[0]), st.floats(0, 2e9))
def test_records_are_read_as_written(rows, since):
    book = Book(name="x", since=since, units=[Held(unit=unit, was_active=active) for unit, active in rows])
    assert hold.parse("x", book.text()) == book


def state(running, book=None, held=(), shown=("a.service", "b.service", "c.timer", "d.socket")):
    units = {
        name: Unit(name=name, id=name, load="loaded", active="active" if name in running else "inactive")
        for name in shown
    }
    return {"now": 5.0, "book": book, "shown": units, "held": set(held)}


active = st.sets(names)


@given(running=active, units=st.lists(names, min_size=1, unique=True))
def test_stop_then_resume_is_what_was(running, units):
    plan = Writes(state="stopped", units=units).plan(state(running))
    assert not plan.failure
    assert [change.detail[0] for change in plan.changes][:2] == ["record", "hold"]
    book = plan.changes[0].detail[1]
    stopped = [change.detail[1] for change in plan.changes if change.detail[0] == "stop"]
    assert stopped == [unit for unit in units if unit in running]
    left = running - set(units)
    assert Writes(state="stopped", units=units).plan(state(left, book, units)).changes == []
    back = Writes(state="resumed").plan(state(left, book, units))
    started = [change.detail[1] for change in back.changes if change.detail[0] == "start"]
    assert started == stopped[::-1]
    assert [back.changes[0].detail[0], back.changes[-1].detail[0]] == ["release", "forget"]
    assert left | set(started) == running


def test_a_unit_that_is_gone_keeps_the_record():
    book = Book(name="data_loss", since=1.0, units=[Held(unit="gone.service", was_active=True)])
    shown = {"gone.service": Unit(name="gone.service", id="gone.service")}
    found = Writes(state="resumed").plan({"now": 1, "book": book, "held": set(), "shown": shown})
    assert (
        found.finding == "gone.service ran before, but does not exist any more; the record of what was stopped is kept"
    )
    assert list(found.changes) == []


def test_a_unit_that_has_become_another_s_alias_is_known_by_its_old_name():
    book = Book(name="data_loss", since=1.0, units=[Held(unit="a.service", was_active=True)])
    shown = {"a.service": Unit(name="a.service", id="b.service", load="loaded", active="inactive")}
    found = Writes(state="resumed").plan({"now": 1, "book": book, "held": set(), "shown": shown})
    assert [change.summary for change in found.changes] == ["start b.service", "forget what was stopped"]
