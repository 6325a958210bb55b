"""What engines work on: hosts with their steps, and plays as plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Self

from opslib.engines.hidden import Hidden
from opslib.result import StepResult
from opslib.step import Step
from opslib.target import Target

__all__ = ["Compiled", "HostWork", "KnownResult", "Play", "Policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownResult(StepResult):
    """A result that is known before anything is sent, in the place of a step: of one that is skipped, as a rule.

    position, handler_of, always: as a step has them; they decide whether things come to it.
    """

    position: int | None = None
    handler_of: Sequence[int] | None = None
    always: bool = False

    @classmethod
    def of(cls, result: StepResult, position: int) -> Self:
        """Return a result in the place of a step of the task at this position of the play."""
        return cls(**{each.name: getattr(result, each.name) for each in fields(StepResult)}, position=position)

    @property
    def plain(self) -> StepResult:
        """The result as a report has it."""
        return StepResult(**{each.name: getattr(self, each.name) for each in fields(StepResult)})


@dataclass(frozen=True, slots=True, kw_only=True)
class HostWork:
    """One host and what is to happen there, in order; a `StepResult` stands for a step whose outcome is known.

    timeout: seconds this host may still take, in place of the run's.
    """

    target: Target
    items: Sequence[Step | StepResult]
    timeout: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When hosts share a fate.

    any_errors_fatal: one failed host ends the play for all; max_fail_percentage: the play ends when more than this
    share of a batch's hosts has failed. Either makes steps go one at a time over all hosts.
    """

    any_errors_fatal: bool = False
    max_fail_percentage: float | None = None

    @property
    def lockstep(self) -> bool:
        """Whether all hosts must finish a step before any begins the next."""
        return self.any_errors_fatal or self.max_fail_percentage is not None

    def too_many(self, failed: int, size: int) -> bool:
        """Whether more of a batch's hosts have failed than may; those lost before it began are of its size."""
        return self.max_fail_percentage is not None and failed / size > self.max_fail_percentage / 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """One play of a playbook.

    source, line: where it stands; hosts: those it targets, in order; batches: the same, cut up by `serial`;
    obstacle: the construct that the ssh engine does not carry, in words, or None; carries_state: later plays may
    depend on what this one learns (facts, registered results), so they cannot be run apart from it; for_real: its tasks
    that say that they are not to run in check mode, with where they stand.
    """

    index: int
    name: str
    source: Path
    line: int
    hosts: tuple[str, ...]
    batches: tuple[tuple[str, ...], ...]
    policy: Policy = field(default_factory=Policy)
    obstacle: str | None = None
    carries_state: bool = False
    for_real: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A playbook, loaded: where it stands, its plays, and `work(play, host_names)`, which gives each host its items.

    hidden: what must not be shown.
    """

    path: Path
    plays: Sequence[Play]
    work: Callable[[Play, Sequence[str]], Sequence[HostWork]]
    hidden: Hidden = field(default_factory=Hidden)

    @property
    def secrets(self) -> frozenset[str]:
        """Texts to mask, those included that have been learnt since."""
        return frozenset(self.hidden)
