"""The table of tasks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from opslib import tasks
from opslib.errors import UsageError
from opslib.host.task import Task


@pytest.mark.parametrize("name", tasks.names())
def test_every_task_is_found_under_its_name(name: str) -> None:
    found = tasks.get(name)
    assert issubclass(found, Task)
    assert found.name == name
    assert getattr(tasks, name) is found
    assert name in dir(tasks)


def test_what_is_exported_is_what_there_is() -> None:
    assert set(tasks.__all__) == {*tasks.names(), "get", "names"}


@pytest.mark.parametrize(
    ("name", "hint"), [("servce", "did you mean service"), ("x\n", "there are .*disk_usage"), ("", "there")]
)
def test_an_unknown_name_is_told_with_what_there_is(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint) as caught:
        tasks.get(name)
    assert "\n" not in str(caught.value)


def test_an_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        tasks.nosuch  # noqa: B018


def test_importing_loads_no_task() -> None:
    program = (
        "import sys; from opslib import tasks; print([m for m in sys.modules if m.startswith('opslib.host.disk')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
