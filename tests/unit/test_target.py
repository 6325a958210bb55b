"""Targets: a host as a carrier sees it."""

from __future__ import annotations

import dataclasses

import pytest

from opslib.step import Become
from opslib.target import Target


def test_a_name_is_enough():
    """Everything else is left to ssh's configuration; keys are checked."""
    target = Target(name="web1")
    assert (target.carrier, target.address, target.port, target.user, target.gateway) == ("ssh", None, None, None, None)
    assert (target.host_keys, target.interpreter, target.become) == ("strict", "python3", None)
    assert list(target.all_secrets()) == []


def test_a_target_knows_its_secrets_and_shows_none():
    """The login's, sudo's, and those of its variables."""
    target = Target(
        name="web1", password="login!", become=Become(password="sudo!"), secrets=frozenset(["variable!", "other!"])
    )
    assert sorted(target.all_secrets()) == ["login!", "other!", "sudo!", "variable!"]
    assert "!" not in repr(target)


def test_targets_are_frozen_and_compared_by_value():
    """Connections are kept per target."""
    target = Target(name="web1", identity_files=("a",))
    assert target == Target(name="web1", identity_files=("a",))
    assert target != dataclasses.replace(target, port=22)
    with pytest.raises(dataclasses.FrozenInstanceError):
        target.name = "web2"  # type: ignore[misc]
