"""Cloud tasks in tests: run as the runtime runs them, in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from opslib import Fleet, StepResult, Target, tasks
from opslib.carriers.local import LocalChannel
from opslib.host.worker import run_step
from support.processes import wait_until

AWS = {"account": "123456789012", "region": "us-east-1", "wait": 60, "poll": 0.005}


@dataclass(frozen=True, slots=True)
class Ran:
    """How a task ended; told: what it said on the way."""

    status: str
    changed: bool
    error: str | None
    reason: str
    changes: list[dict[str, Any]]
    warnings: list[str]
    data: dict[str, Any]
    told: list[dict[str, Any]] = field(default_factory=list)

    @property
    def summaries(self) -> list[str]:
        return [change["summary"] for change in self.changes]


def run(name: str, args: dict[str, Any], *, check: bool = False) -> Ran:
    """Run a task by its name."""
    told: list[dict[str, Any]] = []
    result = run_step(tasks.get(name), args, check, told.append)
    return Ran(**{key: result[key] for key in Ran.__slots__ if key != "told"}, told=told)


def timeouts(monkeypatch: Any) -> list[float]:
    """Return a list that takes the longest timeout of each request that is sent by requests."""
    seen: list[float] = []
    send = requests.Session.send

    def watched(session: requests.Session, request: Any, **more: Any) -> Any:
        given = more["timeout"]
        seen.append(max(given) if isinstance(given, tuple) else given)
        return send(session, request, **more)

    monkeypatch.setattr(requests.Session, "send", watched)
    return seen


def stopped(monkeypatch: Any, task: Any, arrange: Callable[[Callable[[Any], None]], object]) -> StepResult:
    """Run a task in a process of its own, stop the run at a moment, and return what is reported of the step.

    arrange: is given what must be called at that moment, such as by a fake that is to answer; when it returns, the
    process has been told.
    """
    reached, told, stop = threading.Event(), threading.Event(), threading.Event()
    end_input = LocalChannel.end_input

    def ended(channel: LocalChannel) -> None:
        if reached.is_set() and not told.is_set():
            [worker] = Path(f"/proc/{channel._process.pid}/task/{channel._process.pid}/children").read_text().split()
            before = _wakings(worker)  # it waits for the answer
            end_input(channel)
            wait_until(lambda: _wakings(worker) != before, 120)
            told.set()
        else:
            end_input(channel)

    monkeypatch.setattr(LocalChannel, "end_input", ended)

    def moment(_body: Any) -> None:
        reached.set()
        told.wait(250)

    arrange(moment)
    threading.Thread(target=lambda: (reached.wait(250), stop.set()), daemon=True).start()
    with Fleet([Target(name="controller", carrier="local")], cancel=stop) as fleet:
        [step] = fleet.run([task]).hosts["controller"].steps
    assert told.is_set(), "the moment never came"
    return step


def _wakings(pid: str) -> list[str]:
    """Return how often a process was put to sleep: while that stays as it is, it has not been woken."""
    try:
        return [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "ctxt_switches" in line]
    except OSError:
        return []
