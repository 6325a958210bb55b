"""A stand-in for the library: it emits the events of a run and returns its report, touching no host.

As a script it is the `opslib` program on such a library: `python fake_library.py HOSTS SECONDS_PER_STEP ARGUMENT...`.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from opslib.cli.library import EngineName, EntryPoint, Library, Pace, Place, PlayOverview, Role, Selection, Variable
from opslib.cli.main import main
from opslib.engines.collection import InstalledPlaybook
from opslib.events import HostEnded, HostStarted, OnEvent, RunEnded, RunStarted, StepEnded, StepStarted
from opslib.result import Change, HostResult, Report, Status, StepResult
from opslib.step import Step

STEPS = ("Disks have room", "nginx is running", "Logs are rotated")


def ordinary(host: str, name: str) -> StepResult:
    """What most hosts answer: fine, changed, fine."""
    if name == STEPS[1]:
        change = Change(kind="action", summary="restart nginx.service")
        return StepResult(name=name, task="service", status=Status.CHANGED, changed=True, changes=(change,))
    return StepResult(name=name, task="disk_usage", status=Status.OK, reason=f"{name}: all is well")


@dataclass
class FakeLibrary(Library):
    """A library whose hosts answer what `answer(host, step)` says, after `seconds` each."""

    hosts: Sequence[str] = ("web1", "web2", "web3")
    answer: Callable[[str, str], StepResult] = ordinary
    unreachable: Sequence[str] = ()
    seconds: float = 0.0
    error: Exception | None = None
    stubborn: bool = False
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def run_playbook(
        self, target: str, place: Place, pace: Pace, selection: Selection, on_event: OnEvent, cancel: threading.Event
    ) -> Report:
        self.calls.append((target, place, pace, selection))
        return self._run(target, list(STEPS), pace, on_event, cancel)

    def run_step(
        self,
        step: Step,
        place: Place,
        pace: Pace,
        on_event: OnEvent,
        cancel: threading.Event,
        engine: EngineName = "auto",
    ) -> Report:
        self.calls.append((step, place, pace))
        return self._run(step.title, [step.title], pace, on_event, cancel)

    def host_names(self, place: Place) -> Sequence[str]:
        self.calls.append((place,))
        return self.hosts

    def plays(self, target: str, place: Place, pace: Pace, selection: Selection, *, steps: bool) -> list[PlayOverview]:
        rows = [(STEPS[0], "disk_usage", self.hosts), (STEPS[1], "service", self.hosts[:1])]
        return [
            PlayOverview(name="Weekly", where="weekly.yml:2", hosts=self.hosts, steps=rows if steps else ()),
            PlayOverview(name="Rest", where="weekly.yml:9", hosts=self.hosts[1:], obstacle="it registers a result"),
        ]

    def roles(self) -> Sequence[Role]:
        unit = Variable(name="service_unit", help="The unit.", required=True)
        kinds = Variable(name="service_kinds", type="list of str", help="Of what.", choices=["a", "b"])
        return [
            Role(name="maintenance", entry_points={"weekly": EntryPoint(summary="Once a week")}),
            Role(name="service", entry_points={"restart": EntryPoint(summary="Restart it", variables=[unit, kinds])}),
        ]

    def playbooks(self) -> Sequence[InstalledPlaybook]:
        weekly = InstalledPlaybook(
            name="opslib.runbook.weekly",
            summary="Upkeep",
            description="One host after the other.",
            examples=("opslib run opslib.runbook.weekly -i production",),
            roles=("maintenance:weekly",),
        )
        return [weekly, InstalledPlaybook(name="opslib.runbook.bare", summary="")]

    def verify(self, role: str, place: Place, junit: str | None, on_output: Callable[[str], object]) -> int:
        self.calls.append((role, place, junit))
        on_output("1 failed \x1b[31mred")
        return 2

    def _run(self, source: str, steps: list[str], pace: Pace, on_event: OnEvent, cancel: threading.Event) -> Report:
        if self.error is not None:
            raise self.error
        started = datetime.now(UTC)
        lock = threading.Lock()

        def emit(event: Any) -> None:
            with lock:
                on_event(event)

        emit(RunStarted(run_id="r", source=source, check=pace.check, hosts=tuple(self.hosts)))

        def work(host: str) -> HostResult:
            emit(HostStarted(host=host))
            done: list[StepResult] = []
            error = None
            if host in self.unreachable:
                result = HostResult(name=host, status=Status.UNREACHABLE, error="no route to host")
                emit(HostEnded(host=host, result=result))
                return result
            for name in steps:
                if cancel.is_set():
                    error = "interrupted before its end"
                    break
                answer = self.answer(host, name)
                emit(StepStarted(host=host, step=name, task=answer.task))
                if self.stubborn:
                    time.sleep(self.seconds)
                else:
                    cancel.wait(self.seconds)
                done.append(answer)
                emit(StepEnded(host=host, result=answer))
                if answer.status is Status.FAILED and not answer.ignored:
                    break
            result = HostResult.of_steps(host, done, error=error, seconds=self.seconds * len(done))
            emit(HostEnded(host=host, result=result))
            return result

        with ThreadPoolExecutor(pace.forks) as pool:
            results = list(pool.map(work, self.hosts))
        report = Report(
            run_id="r",
            source=source,
            engine="ssh",
            check=pace.check,
            started=started,
            ended=datetime.now(UTC),
            hosts={result.name: result for result in results},
            interrupted=cancel.is_set(),
        )
        emit(RunEnded(report=report))
        return report


def sometimes_bad(host: str, name: str) -> StepResult:
    """Like `ordinary`, but some of many hosts fail, and there are characters that not every encoding has."""
    if name == STEPS[1] and host.endswith(("7", "97")) and len(host) > 4:
        return StepResult(
            name=name, task="service", status=Status.FAILED, error="nginx.service: it did not \x1b[2Jstart"
        )
    if name == STEPS[0]:
        return StepResult(name=name, task="disk_usage", status=Status.OK, reason="日本 has room")
    return ordinary(host, name)


if __name__ == "__main__":
    count, pause, *words = sys.argv[1:]
    fake = FakeLibrary(
        hosts=[f"web{number}" for number in range(1, int(count) + 1)],
        seconds=float(pause),
        answer=sometimes_bad,
        stubborn="stubborn" in words,
    )
    sys.exit(main(words, fake))
