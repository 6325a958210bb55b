"""Reports to render: an ordinary one with everything in it, and hostile ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from opslib.result import Change, HostResult, Report, Status, StepResult

BEGAN = datetime(2026, 3, 1, 2, 3, 4, 567000, tzinfo=UTC)
HOSTILE = "\x1b[2J\x1b]0;pwned\x07\r[bold red]x[/] \u202etxt \udcff ]]> <&\"' \x00 \ufffe"


def step(name: str, status: Status = Status.OK, **values: Any) -> StepResult:
    """A step's result."""
    values.setdefault("task", "service")
    values.setdefault("changed", status is Status.CHANGED)
    return StepResult(name=name, status=status, **values)


def report(*hosts: HostResult, check: bool = False, **values: Any) -> Report:
    """A report of 12.3 seconds."""
    values.setdefault("source", "playbooks/weekly.yml")
    return Report(
        run_id="20260301T020304Z-00000000",
        engine="ssh",
        check=check,
        started=BEGAN,
        ended=BEGAN + timedelta(seconds=12.3),
        hosts={host.name: host for host in hosts},
        **values,
    )


def ordinary(*, check: bool = False) -> Report:
    """Twelve hosts and every outcome."""
    hosts: list[HostResult] = []
    for number in range(1, 11):
        name = f"web{number}"
        disk = step("Disks have room", task="disk_usage", reason=f"/ is {40 + number}% full", data={"used_percent": 40})
        if number == 3:
            disk = step("Disks have room", task="disk_usage", reason="/ is 86% full", warnings=("/ is 86% full",))
        restart = Change(kind="action", summary="restart nginx.service")
        service = step("nginx is running", Status.CHANGED, changes=(restart,))
        if number == 7:
            service = step(
                "nginx is running",
                Status.FAILED,
                changed=True,
                changes=(restart,),
                error="nginx.service does not stay up: 3 restarts in 10 s\nlook at its log, mend it, run again",
                data={"log": ["bind() failed", "exit-code"], "restarts": 3},
            )
        swap = Change(kind="modify", summary="set vm.swappiness", before=60, after=10, certain=number % 2 == 0)
        rest = step("Swappiness is low", Status.CHANGED, task="sysctl", changes=(swap,))
        skip = step("Old logs are archived", Status.SKIPPED, task="log_retention", reason="nothing to loop over")
        steps = [disk, service] if number == 7 else [disk, service, rest, skip]
        hosts.append(HostResult.of_steps(name, steps, seconds=2.25))
    for number in (1, 2):
        error = f"cannot connect to 10.0.0.{number} port 22: timed out; is the host up?"
        hosts.append(HostResult(name=f"db{number}", status=Status.UNREACHABLE, error=error, seconds=30.0))
    return report(*hosts, check=check, warnings=("play 2 goes to ansible-runner, because it registers a result",))


def hostile() -> Report:
    """A host that answers with everything a terminal or XML could choke on."""
    change = Change(kind="modify", summary=HOSTILE, before=HOSTILE, after={HOSTILE: [HOSTILE]})
    failed = step(
        HOSTILE,
        Status.FAILED,
        task=HOSTILE,
        reason=HOSTILE,
        changes=(change,),
        warnings=(HOSTILE,),
        error=HOSTILE,
        data={HOSTILE: HOSTILE, "log": [HOSTILE]},
    )
    fine = step(HOSTILE, reason=HOSTILE, data={"deep": {HOSTILE: [{HOSTILE: HOSTILE}]}})
    return report(
        HostResult.of_steps(HOSTILE, [fine, failed], error=HOSTILE, seconds=float("nan")),
        HostResult(name="b" + HOSTILE, status=Status.UNREACHABLE, error=HOSTILE),
        source=HOSTILE,
        warnings=(HOSTILE,),
    )


_texts = st.text(st.characters(exclude_categories=()), max_size=30)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
_changes = st.builds(
    Change,
    kind=st.sampled_from(["create", "modify", "remove", "action"]),
    summary=_texts,
    before=_values,
    after=_values,
    certain=st.booleans(),
)
_steps = st.builds(
    StepResult,
    name=_texts,
    task=_texts,
    status=st.sampled_from(Status),
    changed=st.booleans(),
    reason=_texts,
    changes=st.lists(_changes, max_size=2).map(tuple),
    warnings=st.lists(_texts, max_size=2).map(tuple),
    data=st.dictionaries(_texts, _values, max_size=3),
    error=st.none() | _texts,
    seconds=st.floats(0, 1e6),
    ignored=st.booleans(),
)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Any report."""
    names: Sequence[str] = draw(st.lists(_texts.filter(bool), unique=True, max_size=4))
    hosts = [
        HostResult(
            name=name,
            status=draw(st.sampled_from(Status)),
            steps=tuple(draw(st.lists(_steps, max_size=3))),
            error=draw(st.none() | _texts),
            seconds=draw(st.floats(0, 1e6)),
        )
        for name in names
    ]
    return report(*hosts, check=draw(st.booleans()), source=draw(_texts), interrupted=draw(st.booleans()))
