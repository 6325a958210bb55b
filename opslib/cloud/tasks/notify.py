"""Tell people and programs what has happened."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from opslib.cloud.channels import Channel, Channels, load_file, parse, secrets_of, select
from opslib.cloud.notifications import LEVELS, Delivery, notify, ready
from opslib.cloud.task import ACTION, Change, CloudTask, Plan, TaskError, param
from opslib.host.params import Choice, Duration, ListOf, Name, Path, Text
from opslib.host.words import listed

__all__ = ["Notify"]


@dataclass(frozen=True, slots=True)
class _Seen:
    usable: list[tuple[str, str]]
    troubles: list[tuple[str, str]]


class Notify(CloudTask, name="notify"):
    """Tell channels something: Slack, mail, PagerDuty, webhooks, and whatever else apprise knows.

    The channels are one mapping, in the inventory or in a TOML file; each has a URL, and labels by which some are
    chosen. `${NAME}` in a URL, or in place of one, stands for a variable of the environment; other secrets come from a
    vault. No part of a URL is ever shown. In check mode it is said who would be told.

    A channel that fails, or cannot be used, never fails the step: it is a warning, and stands in the data.

    data: `channels` (names, with the service), `deliveries`, each with `channel`, `service`, `delivered`, `trouble`,
    `seconds`. Source: https://github.com/caronc/apprise/wiki
    """

    title: str = param(Text("title"), "What it is about, in one line.", example="Deployment of the dashboard")
    body: str = param(
        Text("text", lines=True, empty=True),
        "What there is to say.",
        default="",
        example="Version 1.4.2 is in production.",
    )
    level: str = param(Choice(*LEVELS), "How it is meant.", default="info")
    channels: dict[str, Any] = param(
        Channels(),
        "The channels by name: a URL, or a mapping of `url` and `labels`.",
        default={},
        example={"ops": {"url": "slack://${SLACK_TOKEN}/#ops", "labels": ["oncall"]}},
    )
    file: str | None = param(
        Path(),
        "TOML file on the controller with tables [channels.NAME], instead.",
        default=None,
        example="/etc/opslib.toml",
    )
    to: list[str] = param(
        ListOf(Name("channel or label"), longest=100),
        "Names or labels of the channels to tell; all of them if empty.",
        default=[],
    )
    timeout: float = param(Duration(low=0.05), "Seconds after which a channel is given up.", default=15)

    def check(self) -> None:
        if bool(self.channels) is bool(self.file):
            self.refuse("give the channels either as channels or in a file")
        if self.channels:
            self._refuse_unknown(parse(self.channels))

    def _refuse_unknown(self, known: tuple[Channel, ...]) -> None:
        names = {each.name for each in known} | {label for each in known for label in each.labels}
        unknown = [name for name in self.to if name not in names]
        if unknown:
            self.refuse(f"no channel is called or labelled {unknown[0]}; there are {listed(sorted(names), 20)}")

    def secrets(self) -> Iterator[str]:
        """Yield the addresses of the channels, their parts, and what the environment adds to them."""
        with contextlib.suppress(TaskError):
            yield from secrets_of(self._known())

    def _known(self) -> tuple[Channel, ...]:
        return load_file(self.file) if self.file else parse(self.channels)

    def scope(self) -> dict[str, str]:
        return {"to": ", ".join(self.to) or "all channels"}

    def identify(self) -> None:
        """Whether a channel accepts its credentials shows only when it is told something."""

    def look(self) -> _Seen:
        known = self._known()
        if self.file:
            self._refuse_unknown(known)
        usable, troubles = [], []
        for each in select(known, self.to):
            made, trouble = ready(each)
            if trouble:
                troubles.append((each.name, trouble))
            else:
                usable.append((each.name, str(made.service_name)))
        return _Seen(usable, troubles)

    @functools.cached_property
    def _deliveries(self) -> list[Delivery]:
        """What became of what this task has sent."""
        return []

    def compare(self, state: _Seen) -> Plan:
        done = self._deliveries
        warnings = [f"{name} cannot be told: {trouble}" for name, trouble in state.troubles]
        warnings += [f"{each.channel} was not told: {each.trouble}" for each in done if not each.delivered]
        data = {"channels": dict(state.usable), "deliveries": [each.to_dict() for each in done]}
        if not state.usable:
            return Plan(reason="there is nobody to tell", warnings=warnings, data=data)
        people = listed([f"{name} ({service})" for name, service in state.usable], 20)
        return Plan(changes=[Change(kind=ACTION, summary=f"tell {people}")], warnings=warnings, data=data)

    def apply(self, change: Change) -> None:  # noqa: ARG002 - there is one
        known = select(self._known(), self.to)
        usable = [each for each in known if not ready(each)[1]]
        timeout = self.patience.cap(self.timeout)
        done = notify(usable, title=self.title, body=self.body or self.title, level=self.level, timeout=timeout)
        self._deliveries.extend(done)
        for each in done:
            self.say(f"{each.channel}: {'told' if each.delivered else each.trouble}")
