"""What testinfra is told of a host."""

from __future__ import annotations

from pathlib import Path

import pytest

from opslib.errors import InventoryError
from opslib.step import Become
from opslib.target import Target
from opslib.verify import _hostspec


def test_who_is_that_user_already_needs_no_sudo() -> None:
    """Nor the password, which testinfra could not give."""
    become = Become(user="app", password="hush-hush")
    assert "sudo" not in _hostspec(Target(name="web1", user="app", become=become), Path("config"))
    with pytest.raises(InventoryError, match="web1: testinfra cannot give sudo a password"):
        _hostspec(Target(name="web1", user="ops", become=become), Path("config"))
    assert "sudo_user=app" in _hostspec(Target(name="web1", user="ops", become=Become(user="app")), Path("config"))
