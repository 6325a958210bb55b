"""What the bases of tasks leave to them, every task does."""

from __future__ import annotations

import pytest

from opslib import tasks
from opslib.cloud.task import CloudTask
from opslib.host.task import Task

LEFT = {CloudTask: ("scope", "identify", "look", "compare"), Task: ("probe", "plan")}


@pytest.mark.parametrize("name", tasks.names())
def test_nothing_is_left_undone(name: str) -> None:
    kind = tasks.get(name)
    base = CloudTask if issubclass(kind, CloudTask) else Task
    assert [each for each in LEFT[base] if getattr(kind, each) is getattr(base, each)] == []
