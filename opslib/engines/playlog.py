"""Follow a run of ansible-playbook by the events of ansible-runner, and say in the end how every host came out."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from opslib.engines.foreign import UNKNOWN, clip, plain_text
from opslib.engines.hidden import Hidden
from opslib.engines.host_story import HostStory, TaskEvent
from opslib.engines.work import Play
from opslib.events import Event, HostEnded, HostStarted
from opslib.host import wire
from opslib.result import HostResult, Status, StepResult

__all__ = ["NOT_STARTED", "PlayLog"]

NOT_STARTED = "not started: the run had ended before its turn came"
MAX_WARNINGS = 50
_LINES = 60
_OF_ROLES = ("handlers", "tasks")
_SAID = ("error", "verbose")
_WARNED = ("warning", "system_warning")


class PlayLog:
    """Takes events one by one with `feed`, and gives the hosts' results with `finish`.

    plays: those that the run consists of, in order; start_mark: the name of a play before them, of which nothing is
    told; end_mark: the name of a play that begins only when all others are over; hidden: what to mask; more is learnt
    as roles and `include_vars` come up, and what cannot be learnt has all results after it hidden.
    """

    def __init__(
        self, plays: Sequence[Play], *, start_mark: str = "", end_mark: str = "", hidden: Hidden | None = None
    ) -> None:
        self.start_mark = start_mark
        self.end_mark = end_mark
        self._plays = list(plays)
        self._secrets = hidden or Hidden()
        self._hushed = False
        self._hosts: dict[str, HostStory] = {}
        self._aside: bool | None = None
        self._starts: list[str] = []
        self._batches: Counter[str] = Counter()
        self._hostless: set[int] = set()
        self._stats: Mapping[str, Any] | None = None
        self._words: list[str] = []
        self._warnings: dict[str, None] = {}
        self._ended = False
        self._stopped = False

    @property
    def started(self) -> bool:
        """Whether any play began, so that hosts may have been touched."""
        return self._aside is not None

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
        kind = str(event.get("event"))
        stdout = str(event.get("stdout") or "")
        data = event.get("event_data")
        if not isinstance(data, Mapping):
            data = {}
        if kind in _SAID:
            self._hear(stdout)
        elif kind in _WARNED:
            self._warn(stdout)
        elif kind == "playbook_on_play_start":
            self._play(str(data.get("uuid")), str(data.get("name")))
        elif kind == "playbook_on_no_hosts_matched" and not self._ended and not self._aside:
            self._hostless.add(len(self._starts) - 1)
        elif kind == "playbook_on_no_hosts_remaining":
            self._stopped = True
        elif kind == "playbook_on_stats":
            self._stats = data
        elif isinstance(data.get("host"), str) and not self._aside:
            yield from self._task(data["host"], self._look_at(TaskEvent.of(kind, data, stdout)))

    def finish(self, *, code: int | None, cut: str | None = None) -> Iterator[Event]:
        """Yield how each host ended, those that the plays target first.

        code: exit code of ansible-playbook; cut: why the run was ended from outside, if it was.
        """
        expected = dict.fromkeys(name for play in self._plays for name in play.hosts)
        for name in (*expected, *(name for name in self._hosts if name not in expected)):
            yield HostEnded(host=name, result=self._result(name, code, cut))

    def _look_at(self, event: TaskEvent) -> TaskEvent:
        """Learn what is encrypted in the files that an event tells of; hide the event when that is not known."""
        if self._hushed:
            return dataclasses.replace(event, title=event.action, answer={"censored": UNKNOWN})
        for role in [each.parent for each in Path(event.place).parents if each.name in _OF_ROLES]:
            self._secrets.learn(role / "defaults")
            self._secrets.learn(role / "vars")
        if event.includes_variables and event.place not in self._secrets.places:
            for answer in event.answers:
                self._hushed = self._hushed or "censored" in answer
                for file in answer.get("ansible_included_var_files") or ():
                    self._secrets.learn(Path(str(file)))
        if self._hushed:
            words = (
                "has read an encrypted file that could not be told beforehand, so that all results after it are hidden"
            )
            self._warnings[f"{event.place}: include_vars {words}; read it by vars_files"] = None
        return event

    def _hear(self, text: str) -> None:
        if self._hushed:
            return
        self._words += [line[:1000] for line in plain_text(text).splitlines() if line.strip()]
        del self._words[:-_LINES]

    def _warn(self, text: str) -> None:
        words = " ".join(plain_text(text).split()).removeprefix("[WARNING]: ")
        if words and not self._hushed and len(self._warnings) < MAX_WARNINGS:
            self._warnings[clip(words, 1000)] = None

    def _play(self, uuid: str, name: str) -> None:
        self._aside = bool(self.start_mark) and name == self.start_mark
        if self._aside:
            return
        if self.end_mark and name == self.end_mark:
            self._ended = True
            return
        base = uuid.partition("_")[0]
        if base not in self._starts:
            self._starts.append(base)
            self._stopped = False
        self._batches[base] += 1

    def _task(self, name: str, event: TaskEvent) -> Iterator[Event]:
        if not event.counts:
            return
        if name not in self._hosts:
            self._hosts[name] = HostStory(name, self._secrets)
            yield HostStarted(host=name)
        yield from self._hosts[name].tell(event)

    def _result(self, name: str, code: int | None, cut: str | None) -> HostResult:
        story = self._hosts.get(name) or HostStory(name, self._secrets)
        over = self._stats is not None
        lost = bool(self._count("dark", name)) if over else story.lies_low
        steps = story.steps(lost=lost, failures=self._count("failures", name) if over else None)
        seconds = round(story.seconds, 3)
        if lost:
            words = wire.mask(story.unreachable, self._secrets) or "unreachable"
            return HostResult(name=name, status=Status.UNREACHABLE, steps=steps, error=words, seconds=seconds)
        why = self._why(name, story, steps, code=code, cut=cut)
        if why == NOT_STARTED:
            result = HostResult.of_steps(name, steps, seconds=seconds)
            return dataclasses.replace(result, status=result.status if steps else Status.SKIPPED, error=why)
        return HostResult.of_steps(name, steps, error=why, seconds=seconds)

    def _why(
        self, name: str, story: HostStory, steps: Sequence[StepResult], *, code: int | None, cut: str | None
    ) -> str | None:
        """Say what went wrong with a host that none of its steps tells; None when nothing did."""
        if any(step.status is Status.FAILED and not step.ignored for step in steps):
            return None
        for place, play in enumerate(self._plays):
            if place in self._hostless and name in play.hosts:
                return (
                    f"play {play.name!r} was not run: ansible-playbook reads the inventory again, and found no host "
                    "for it there"
                )
        if self._stats is None:
            if not self._unfinished(name):
                return None
            doing = f", while {story.running!r} was running" if story.running else ""
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
