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


@pytest.mark.parametrize("name", [name for name in tasks.names() if "http" in tasks.get(name).parameters()])
def test_no_task_shows_what_it_sends_with_a_check(name: str) -> None:
    given = {
        "service": "api",
        "env_file": "/etc/app.env",
        "account": "123456789012",
        "region": "eu-west-1",
        "unit": "app",
        "image": "app:1",
    }
    given |= {"repository": "https://example.org/app.git", "ref": "v1", "app": "app", "path": "/srv/app"}
    http = {"url": "https://example.org/", "request_headers": {"Authorization": "Bearer canary-77"}}
    kind = tasks.get(name)
    required = {key: given[key] for key, each in kind.parameters().items() if key in given and each.required}
    assert "canary" not in repr(kind(**required, http=http))
