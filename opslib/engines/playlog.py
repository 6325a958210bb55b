"""Follow a run of ansible-playbook by the events of ansible-runner, and say in the end how every host came out."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from opslib.engines import foreign
from opslib.engines.foreign import clip, plain_text
from opslib.engines.work import Play
from opslib.events import Event, HostEnded, HostStarted, StepEnded, StepStarted
from opslib.host import wire
from opslib.result import HostResult, Status, StepResult

__all__ = ["PlayLog"]

NOT_STARTED = "not started: the run had ended before its turn came"
MAX_STEPS = 20000
_ITEMS = {
    "runner_item_on_ok": Status.OK,
    "runner_item_on_failed": Status.FAILED,
    "runner_item_on_skipped": Status.SKIPPED,
}
_ENDS = {
    "runner_on_ok": Status.OK,
    "runner_on_failed": Status.FAILED,
    "runner_on_skipped": Status.SKIPPED,
    "runner_on_unreachable": Status.UNREACHABLE,
    "runner_on_async_failed": Status.FAILED,
}
_INCLUDES = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "ansible.builtin.", "ansible.legacy.")
    for name in ("include_tasks", "include_role", "import_tasks", "import_role", "include")
)
_CHANGED = re.compile(r"^changed: \[", re.MULTILINE)
_SAID = ("error", "verbose")
_WARNED = ("warning", "system_warning")


@dataclasses.dataclass(frozen=True, slots=True)
class _Done:
    """A step, with the task that it belongs to: the items of a loop share one."""

    task: str
    step: StepResult


class _Host:
    """What is known of one host."""

    def __init__(self) -> None:
        self.done: list[_Done] = []
        self.items: list[StepResult] = []
        self.loop: str | None = None
        self.unreachable = ""
        self.running: str | None = None
        self.seconds = 0.0


class PlayLog:
    """Takes events one by one with `feed`, and gives the hosts' results with `finish`.

    plays: those that the run consists of, in order; end_mark: the name of a play that begins only when all others
    are over; secrets: texts to mask.
    """

    def __init__(self, plays: Sequence[Play], *, end_mark: str = "", secrets: Iterable[str] = ()) -> None:
        self._plays = list(plays)
        self.end_mark = end_mark
        self._secrets = frozenset(secrets)
        self._hosts: dict[str, _Host] = {}
        self._starts: list[str] = []
        self._batches: Counter[str] = Counter()
        self._stats: Mapping[str, Any] | None = None
        self._words: list[str] = []
        self._warnings: dict[str, None] = {}
        self._ended = False
        self._stopped = False

    @property
    def started(self) -> bool:
        """Whether any play began, so that hosts may have been touched."""
        return bool(self._starts)

    @property
    def completed(self) -> bool:
        """Whether the run went through all its plays, so that what comes after them may run."""
        if self.end_mark:
            return self._ended
        return self._stats is not None and not self._stopped and len(self._starts) >= len(self._plays)

    @property
    def words(self) -> str:
        """What Ansible said outside of tasks, the last of it: an error in the playbook, a traceback."""
        return wire.mask(clip("\n".join(self._words).strip()), self._secrets) or "it said nothing"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What Ansible warned of."""
        return tuple(wire.mask(list(self._warnings), self._secrets))

    def feed(self, event: Mapping[str, Any]) -> Iterator[Event]:
        """Take an event of ansible-runner and yield what it means."""
        kind = event.get("event")
        data = event.get("event_data")
        if not isinstance(data, Mapping):
            data = {}
        if kind in _SAID:
            self._hear(str(event.get("stdout") or ""))
        elif kind in _WARNED:
            self._warn(str(event.get("stdout") or ""))
        elif kind == "playbook_on_play_start":
            self._play(str(data.get("uuid")), str(data.get("name")))
        elif kind == "playbook_on_no_hosts_remaining":
            self._stopped = True
        elif kind == "playbook_on_stats":
            self._stats = data
        elif isinstance(data.get("host"), str):
            yield from self._task(str(kind), data["host"], data, str(event.get("stdout") or ""))

    def finish(self, *, code: int | None, cut: str | None = None) -> Iterator[Event]:
        """Yield how each host ended, those that the plays target first.

        code: exit code of ansible-playbook; cut: why the run was ended from outside, if it was.
        """
        expected = dict.fromkeys(name for play in self._plays for name in play.hosts)
        for name in (*expected, *(name for name in self._hosts if name not in expected)):
            yield HostEnded(host=name, result=self._result(name, code, cut))

    def _hear(self, text: str) -> None:
        for line in plain_text(text).splitlines():
            if line.strip():
                self._words.append(line[:1000])
        del self._words[:-60]

    def _warn(self, text: str) -> None:
        words = " ".join(plain_text(text).split()).removeprefix("[WARNING]: ")
        if words and len(self._warnings) < 50:
            self._warnings[clip(words, 1000)] = None

    def _play(self, uuid: str, name: str) -> None:
        if self.end_mark and name == self.end_mark:
            self._ended = True
            return
        base = uuid.partition("_")[0]
        if base not in self._starts:
            self._starts.append(base)
            self._stopped = False
        self._batches[base] += 1

    def _task(self, kind: str, name: str, data: Mapping[str, Any], stdout: str) -> Iterator[Event]:
        action = str(data.get("resolved_action") or data.get("task_action") or "")
        title = clip(plain_text(str(data.get("task") or action)), 500)
        if action in _INCLUDES and kind not in ("runner_on_failed", "runner_on_unreachable"):
            return
        if name not in self._hosts:
            self._hosts[name] = _Host()
            yield HostStarted(host=name)
        host = self._hosts[name]
        if kind == "runner_on_start":
            host.running = title
            title = wire.mask(title, self._secrets)
            yield StepStarted(host=name, step=title, task=foreign.task_name(action))
        elif kind in _ITEMS:
            yield from self._item(name, host, _ITEMS[kind], title, action, data, stdout)
        elif kind in _ENDS:
            host.running = None
            host.seconds += _seconds(data)
            yield from self._end(name, host, _ENDS[kind], title, action, data, stdout)

    def _item(
        self, name: str, host: _Host, status: Status, title: str, action: str, data: Mapping[str, Any], stdout: str
    ) -> Iterator[Event]:
        """Take one turn of a loop; from the first failure on they are kept back until it is known to be ignored."""
        answer = _answer(data)
        host.loop = str(data.get("task_uuid"))
        if answer.get("unreachable"):
            host.unreachable = host.unreachable or str(answer.get("msg") or "")
            return
        label = answer.get("_ansible_item_label", answer.get("item", "?"))
        step = foreign.step_result(
            f"{title} (item={foreign.compact(label)})",
            action,
            status,
            answer,
            changed=_changed(stdout),
            secrets=self._secrets,
        )
        if step.status is Status.FAILED or host.items:
            host.items.append(step)
        else:
            yield from self._add(name, host, host.loop, step)

    def _end(
        self, name: str, host: _Host, status: Status, title: str, action: str, data: Mapping[str, Any], stdout: str
    ) -> Iterator[Event]:
        answer = _answer(data)
        task = str(data.get("task_uuid"))
        looped = host.loop == task
        kept, host.items, host.loop = host.items, [], None
        ignored = bool(data.get("ignore_errors"))
        for step in kept:
            failed = step.status is Status.FAILED
            yield from self._add(name, host, task, dataclasses.replace(step, ignored=failed and ignored))
        if status is Status.UNREACHABLE:
            words = host.unreachable if looped and host.unreachable else str(answer.get("msg") or "")
            host.unreachable = foreign.error_words(words) or "unreachable"
            step = foreign.step_result(title, action, Status.FAILED, {"msg": host.unreachable}, secrets=self._secrets)
            host.done.append(_Done(task, dataclasses.replace(step, status=Status.UNREACHABLE)))
        elif not looped or (status is Status.FAILED and not any(step.status is Status.FAILED for step in kept)):
            step = foreign.step_result(
                title,
                action,
                status,
                answer,
                seconds=_seconds(data),
                changed=_changed(stdout),
                ignored=status is Status.FAILED and ignored,
                secrets=self._secrets,
            )
            yield from self._add(name, host, task, step)

    @staticmethod
    def _add(name: str, host: _Host, task: str, step: StepResult) -> Iterator[Event]:
        if len(host.done) < MAX_STEPS:
            host.done.append(_Done(task, step))
        yield StepEnded(host=name, result=step)

    def _result(self, name: str, code: int | None, cut: str | None) -> HostResult:
        host = self._hosts.get(name) or _Host()
        host.done += [_Done(host.loop or "", step) for step in host.items]
        lost = bool(self._count("dark", name)) if self._stats is not None else _lies_low(host)
        steps = self._settled(name, host, lost)
        seconds = round(host.seconds, 3)
        if lost:
            words = wire.mask(host.unreachable, self._secrets) or "unreachable"
            return HostResult(name=name, status=Status.UNREACHABLE, steps=steps, error=words, seconds=seconds)
        why = self._why(name, host, steps, code, cut)
        if why == NOT_STARTED:
            result = HostResult.of_steps(name, steps, seconds=seconds)
            return dataclasses.replace(result, status=result.status if steps else Status.SKIPPED, error=why)
        return HostResult.of_steps(name, steps, error=why, seconds=seconds)

    def _settled(self, name: str, host: _Host, lost: bool) -> tuple[StepResult, ...]:
        """Return a host's steps; those whose failure a `rescue` or `ignore_unreachable` caught are marked ignored."""
        if lost:
            return tuple(done.step for done in host.done if done.step.status is not Status.UNREACHABLE)
        fatal = self._count("failures", name) if self._stats is not None else len(host.done)
        failed = dict.fromkeys(
            done.task for done in reversed(host.done) if done.step.status is Status.FAILED and not done.step.ignored
        )
        caught = set(list(failed)[fatal:])
        return tuple(_caught(done.step) if done.task in caught else _heard(done.step) for done in host.done)

    def _why(
        self, name: str, host: _Host, steps: Sequence[StepResult], code: int | None, cut: str | None
    ) -> str | None:
        """Say what went wrong with a host that none of its steps tells; None when nothing did."""
        if any(step.status is Status.FAILED and not step.ignored for step in steps):
            return None
        if self._stats is None:
            if not self._unfinished(name):
                return None
            doing = f", while {host.running!r} was running" if host.running else ""
            early = f"ansible-playbook ended early (exit code {code}): {self.words}"
            return wire.mask(cut + doing, self._secrets) if cut else early
        if self._count("failures", name):
            return "a task failed, but Ansible did not tell which"
        if code and not any(self._stats.get(kind) for kind in ("failures", "dark")):
            return f"ansible-playbook ended with exit code {code}, though no host failed: {self.words}"
        if code and not (name in self._hosts and self._reached(name)):
            return NOT_STARTED
        return None

    def _reached(self, name: str) -> bool:
        """Whether every play and batch that holds a host has begun."""
        return all(
            name not in names or self._begun(place, number)
            for place, play in enumerate(self._plays)
            for number, names in enumerate(play.batches)
        )

    def _begun(self, place: int, batch: int) -> bool:
        if place >= len(self._starts):
            return False
        return self._over(place) or self._batches[self._starts[place]] > batch

    def _unfinished(self, name: str) -> bool:
        return any(name in play.hosts and not self._over(place) for place, play in enumerate(self._plays))

    def _over(self, place: int) -> bool:
        """Whether a play is known to have ended, because another has begun since."""
        return len(self._starts) > place + 1 or self._ended

    def _count(self, kind: str, name: str) -> int:
        counts = self._stats.get(kind) if self._stats is not None else None
        number = counts.get(name, 0) if isinstance(counts, Mapping) else 0
        return number if isinstance(number, int) else 0


def _lies_low(host: _Host) -> bool:
    return bool(host.done) and host.done[-1].step.status is Status.UNREACHABLE


def _heard(step: StepResult) -> StepResult:
    """Return a step for a report; an unreachable host that was told to go on has failed that step."""
    if step.status is Status.UNREACHABLE:
        return dataclasses.replace(step, status=Status.FAILED, ignored=True)
    return step


def _caught(step: StepResult) -> StepResult:
    step = _heard(step)
    return dataclasses.replace(step, ignored=True) if step.status is Status.FAILED else step


def _answer(data: Mapping[str, Any]) -> Mapping[str, Any]:
    answer = data.get("res")
    return answer if isinstance(answer, Mapping) else {}


def _changed(stdout: str) -> bool:
    return _CHANGED.search(plain_text(stdout)) is not None


def _seconds(data: Mapping[str, Any]) -> float:
    duration = data.get("duration")
    return max(0.0, float(duration)) if isinstance(duration, int | float) else 0.0  # by a clock that may be set
