"""Changes and plans."""

from __future__ import annotations

import pytest

from opslib.host.plan import ACTION, CREATE, KINDS, MODIFY, REMOVE, Change, Plan


@pytest.mark.parametrize("kind", [CREATE, MODIFY, REMOVE, ACTION])
def test_a_change_is_of_a_known_kind(kind):
    """The four kinds are taken."""
    change = Change(kind=kind, summary="do it")
    assert (change.before, change.after, change.sensitive, change.certain) == (None, None, False, True)
    assert kind in KINDS


@pytest.mark.parametrize("kind", ["", "Create", "delete", None, 1, b"create", ["create"]])
def test_a_change_of_another_kind_is_refused(kind):
    """A task with a misspelt kind fails at once, not in the report."""
    with pytest.raises(ValueError, match="is none of create, modify, remove, action"):
        Change(kind=kind, summary="do it")


def test_a_change_needs_kind_and_summary():
    """Neither has a default."""
    with pytest.raises(TypeError, match="summary"):
        Change(kind=CREATE)


def test_an_empty_plan_changes_nothing():
    """Each plan has facts of its own."""
    plan = Plan(reason="all is well")
    assert (tuple(plan.changes), plan.failure, tuple(plan.warnings), plan.data) == ((), "", (), {})
    assert Plan().data is not plan.data
