"""Steps: a task and its circumstances."""

from __future__ import annotations

import dataclasses

import pytest

from opslib.step import Become, Step
from support.probes import Mishap


def test_a_step_is_called_what_it_is_named_or_its_task():
    """People see one or the other."""
    assert Step(task=Mishap(how="fine")).title == "mishap"
    assert Step(task=Mishap(how="fine"), name="try it").title == "try it"


def test_a_step_shows_no_secret():
    """Neither the task's nor sudo's."""
    step = Step(task=Mishap(how="fine", secret="hunter2"), become=Become(password="hunter3"))
    assert "hunter" not in repr(step)
    assert repr(step.become) == "Become(user='root', password=***)"
    assert repr(Become(user="app")) == "Become(user='app', password=None)"


def test_steps_are_frozen():
    """One step is given to many hosts."""
    step = Step(task=Mishap(how="fine"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        step.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        Step(Mishap(how="fine"))  # type: ignore[misc]


def test_users_are_compared_with_all_they_are():
    """Another password is another way to become someone."""
    assert Become(password="a") == Become(password="a")
    assert Become(password="a") != Become(password="b")
    assert Become() != Become(user="app")
