"""How many hosts our playbooks work on at once, and what comes before what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opslib import Inventory, Step
from opslib.engines import playbook

ROOT = Path(__file__).parents[2]
HOSTS = ",".join(f"web{number}" for number in range(1, 9)) + ","
NEEDED: dict[str, Any] = {"incident_unit": "site", "emergency_units": [{"unit": "site"}]}


def loaded(source: str, **variables: Any) -> Any:
    """Return the compiled playbook for eight hosts."""
    return playbook.load(source, Inventory.load(HOSTS, extra_vars={**NEEDED, **variables}))


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("monthly", [1] * 8),
        ("quarterly", [1] * 8),
        ("not_responding", [1] * 8),
        ("memory_leak", [2] * 4),
        ("outage", [8]),
        ("breach", [8]),
    ],
)
def test_hosts_at_once(name: str, sizes: list[int]) -> None:
    path = str(ROOT / "playbooks" / f"{name}.yml")
    with loaded(path) as compiled:
        assert [len(batch) for batch in compiled.plays[0].batches] == sizes
    with loaded(path, **{f"{name}_serial": 3}) as compiled:
        assert [len(batch) for batch in compiled.plays[0].batches] == [3, 3, 2]


@pytest.mark.parametrize(
    ("source", "variables", "lacking"),
    [
        ("emergency:outage", {}, "missing required arguments: emergency_units"),
        ("emergency:outage", {"emergency_units": []}, "give emergency_units"),
        ("scheduler:providers", {}, "give scheduler_providers"),
        ("scheduler:providers", {"scheduler_providers": [{"url": "x", "statuss": 1}]}, "no parameter statuss"),
        ("emergency:outage", {**NEEDED, "emergency_dependencies": ["x", {"url": "x", "wait": 1}]}, "parameter wait"),
        ("health:others", {"health_others": [{"url": "http://x", "contain": "x"}]}, "no parameter contain"),
        ("opslib.runbook.backup", {}, "give firestore_project or database_name"),
        ("opslib.runbook.restore_drill", {}, "give firestore_sandbox or database_name"),
        ("opslib.runbook.scale", {}, "give container_cpu"),
    ],
)
def test_what_would_check_or_do_nothing_fails(source: str, variables: dict[str, Any], lacking: str) -> None:
    with playbook.load(source, Inventory.load("web1,", extra_vars=variables)) as compiled:
        (work,) = compiled.work(compiled.plays[0], ["web1"])
        assert any(lacking in str(getattr(item, "error", "")) for item in work.items)


def test_what_was_upgraded_is_restarted_before_a_check_can_fail() -> None:
    venvs = [{"venv": "/srv/venv", "upgrade": True, "unit": "site"}]
    with loaded("opslib.runbook.monthly", maintenance_venvs=venvs, monthly_serial="100%") as compiled:
        work = compiled.work(compiled.plays[0], ["web1"])
        steps = [item.task.name for item in work[0].items if isinstance(item, Step)]
    assert steps.index("python_packages") < steps.index("service") < steps.index("login_audit")


def test_hosts_that_share_a_secret_go_on_sharing_it_after_a_breach() -> None:
    """Known before anything is done: the first step fails, unless all values are given or hosts share nothing."""
    rotated = {"path": "/etc/site/env", "rotate": ["TOKEN", "KEY"], "set": {"KEY": "given"}}
    other = {"path": "/etc/other/env", "set": {"TOKEN": "given"}}

    def first(*secrets: Any, **variables: Any) -> Any:
        with loaded("opslib.runbook.breach", emergency_secrets=secrets, **variables) as compiled:
            return compiled.work(compiled.plays[0], ["web1"])[0].items[1]

    words = "each of 8 hosts would get a value of its own for TOKEN; give the value"
    assert words in str(first(rotated, other).error)
    assert "given" not in str(first(rotated, other))
    assert first(rotated, other, emergency_rotate_apart=True).error is None
    assert first({**rotated, "set": {"TOKEN": "a", "KEY": "b"}}).error is None
