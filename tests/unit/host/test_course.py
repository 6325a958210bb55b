"""Which steps are done after what others came to."""

from __future__ import annotations

import pytest

from opslib.host.course import Course

FIRST = {"id": 0, "group": 0}


def course(*ends, changed=()):
    """Return the course of things after steps have ended, each told as (step, status)."""
    found = Course(changed)
    for step, status in ends:
        found.take(step, failed=status == "failed", changed=status == "changed")
    return found


@pytest.mark.parametrize(
    ("failed", "step", "goes_on"),
    [
        ({}, {}, False),
        ({"group": 1}, {}, False),
        ({"group": 1}, {"group": 2}, False),
        ({"group": 1}, {"group": 1}, True),
        ({"ignore_errors": True}, {}, True),
        ({}, {"always": True}, True),
        ({"always": True}, {"always": True}, False),
        ({"always": True, "group": 1}, {"always": True, "group": 1}, True),
    ],
)
def test_what_a_failure_stops(failed, step, goes_on):
    """Whatever comes after it, but for its own loop and for steps that run always."""
    assert course(({"id": 0, **failed}, "failed")).goes_on(step) is goes_on
    assert course(({"id": 0, **failed}, "failed")).comes_to(step) is goes_on
    assert course(({"id": 0, **failed}, "changed")).goes_on(step)


def test_a_handler_waits_for_a_change():
    """One of those that it was told of."""
    handler = {"notified": [0, 7]}
    assert not course((FIRST, "ok"), ({"id": 1}, "changed")).comes_to(handler)
    assert course((FIRST, "changed")).comes_to(handler)
    assert course(changed=[(7, None)]).comes_to(handler)
    assert not course((FIRST, "changed")).comes_to({"notified": []})


def test_an_item_that_fails_takes_back_what_its_loop_has_changed():
    """Before and after it, here and in earlier jobs; other steps' changes stay."""
    item = {"id": 1, "group": 5, "ignore_errors": True}
    found = course(
        (FIRST, "changed"), (item, "failed"), ({"id": 2, "group": 5}, "changed"), changed=[(7, 5), (8, None)]
    )
    assert found.changed() == [(0, 0), (8, None)]
    assert found.changed(without=[8]) == [(0, 0)]
    assert not found.comes_to({"notified": [1, 2, 7]})
