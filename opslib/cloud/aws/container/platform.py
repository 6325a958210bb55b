"""What both platforms have in common: being busy, beginning something once, and following it to its end."""

from __future__ import annotations

import abc
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from opslib.cloud.aws.task import AwsTask
from opslib.cloud.errors import ExpiredError, RefusedError, TimeIsUpError, UnknownOutcomeError
from opslib.host.task import TaskError
from opslib.host.words import printable

from .environment import Edits
from .state import Operation, Phase, Scaling, ServiceState, Size, Status

__all__ = ["LOOKS", "Platform", "Wanted"]

_RECENT = 20
_FAR = 200
LOOKS = 8  # until what was asked for must be seen; with growing pauses: two minutes at the usual pace
_SILENCE = 20.0  # seconds


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an update changes; all else of the service stays as it is at that moment."""

    image: str = ""
    size: Size | None = None
    edits: Edits | None = None
    scaling: Scaling | None = None

    def holds(self, state: ServiceState) -> bool:
        """Whether a service is so."""
        environment = (dict(state.variables), dict(state.secrets))
        return (
            self.image in ("", state.image)
            and self.size in (None, state.size)
            and (self.edits is None or self.edits.of(state) == environment)
            and (self.scaling is None or self.scaling.is_like(state.scaling))
        )


class Platform(abc.ABC):
    """One service on one platform, through a task's clients, patience and voice.

    Success is read from the operation, never from the service: a deployment that failed leaves a service that runs.
    """

    label: ClassVar[str]
    kind: ClassVar[str]
    update_kind: ClassVar[str]

    def __init__(self, task: AwsTask, name: str) -> None:
        self.task = task
        self.name = name

    # --- what each platform knows

    @abc.abstractmethod
    def describe(self) -> ServiceState:
        """Read how the service is. Raises TaskError when there is none."""

    @abc.abstractmethod
    def operations(self) -> Iterator[Operation]:
        """Yield what happened to the service, the newest first, as far as it is asked for."""

    @abc.abstractmethod
    def tags(self, state: ServiceState) -> Mapping[str, str]:
        """Read the service's tags."""

    @abc.abstractmethod
    def scaling(self, state: ServiceState) -> Scaling:
        """Read all of how the service is scaled."""

    @abc.abstractmethod
    def is_busy(self, error: RefusedError) -> bool:
        """Whether a refusal only means that something else is under way."""

    @abc.abstractmethod
    def send_update(self, state: ServiceState, wanted: Wanted) -> str:
        """Ask for an update, once, and return the key of the operation. May raise UnknownOutcomeError."""

    @abc.abstractmethod
    def send_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        """Set tags. May raise UnknownOutcomeError."""

    # --- what is done with it

    def update(self, what: str, wanted: Wanted, still: Callable[[ServiceState], None]) -> None:
        """Change a service, follow the operation, and see the change in the service's description.

        what: for people; still: raises TaskError if the service is no longer what the change was planned for.
        """
        self.carry_out(what, lambda state: self.send_update(state, wanted), still, self.update_kind, wanted.holds)

    def carry_out(
        self,
        what: str,
        send: Callable[[ServiceState], str],
        still: Callable[[ServiceState], None],
        kind: str,
        done: Callable[[ServiceState], bool],
        *,
        again: bool = False,
    ) -> None:
        """Have something done, follow the operation, and see it in the service's description.

        kind: of the operation; done: whether a service shows it. Where somebody else was quicker, nothing is sent.
        again: as of `begin`.
        """
        key = self.begin(what, send, still, kind, done, again=again)
        if key:
            self.follow(what, key)
            self.settle(what, done)

    def idle(self) -> ServiceState:
        """Wait until nothing is under way, and return how the service is then."""
        busy: Operation | None = None

        def look() -> tuple[ServiceState, Operation | None]:
            nonlocal busy
            state = self.describe()
            newest = next(iter(self.operations()), None)
            busy = newest if newest is not None and newest.phase is Phase.UNDER_WAY else None
            return state, busy

        def seen(found: tuple[ServiceState, Operation | None]) -> None:
            if found[1] is not None:
                self.task.say(f"{self.name} is busy: {found[1].words}", operation=found[1].id)

        doing = f"{self.label}: waiting for {self.name} to be free"
        try:
            found = self.task.patience.until(
                look, lambda each: each[1] is None and each[0].status is not Status.BUSY, doing=doing, seen=seen
            )
        except TimeIsUpError as error:
            raise TimeIsUpError(f"{error} ({busy.words})" if busy else str(error)) from error
        return found[0]

    def begin(
        self,
        what: str,
        send: Callable[[ServiceState], str],
        still: Callable[[ServiceState], None],
        kind: str = "",
        done: Callable[[ServiceState], bool] | None = None,
        *,
        again: bool = False,
    ) -> str:
        """Have something begun, once nothing else is under way, and return the key of its operation.

        Returns an empty string when the service is so already. It is sent again only after a refusal. When the answer
        is lost, an operation of that kind (any, if it is empty) is looked for; again: what is asked for is a state and
        no step, so that it is sent again when none has begun.
        """
        last: UnknownOutcomeError | None = None
        try:
            for _turn in self.task.patience.pauses(f"{self.label}: {what}"):
                state = self.idle()
                if done is not None and done(state):
                    return ""
                still(state)
                known = frozenset(each.id for each in itertools.islice(self.operations(), _RECENT))
                try:
                    return send(state)
                except RefusedError as error:
                    if not self.is_busy(error):
                        raise
                    self.task.say(f"{self.name} became busy; waiting once more")
                except UnknownOutcomeError as error:
                    self.task.say(f"{what}: the answer was lost; looking what came of it")
                    key = self.find_out(what, known, error, kind, done)
                    if key:
                        return key
                    if not again:
                        raise TaskError(
                            f"{what}: the answer was lost, and there is no sign that it took effect: no operation "
                            f"began; it was not sent again ({error})"
                        ) from error
                    last = error
                    self.task.say(f"{what}: it did not take effect; asking once more")
        except TimeIsUpError as error:
            if last is None or str(last) in str(error):
                raise
            raise TimeIsUpError(f"{error} ({last})") from error
        raise AssertionError

    def follow(self, what: str, key: str) -> None:
        """Wait for the end of an operation. Raises TaskError unless it is a good one."""
        began = told = time.monotonic()
        before: Operation | None = None

        def look() -> Operation | None:
            nonlocal told, before
            found = next((each for each in itertools.islice(self.operations(), _FAR) if each.key == key), None)
            now = time.monotonic()
            if found != before or now - told > _SILENCE:
                words = found.words if found else "its operation is not to be seen yet"
                self.task.say(f"{what}: {words} ({now - began:.0f} s)", operation=key)
                told, before = now, found
            return found

        try:
            end = self.task.patience.until(
                look,
                lambda found: found is not None and found.phase is not Phase.UNDER_WAY,
                doing=f"{self.label}: {what}: following operation {key}",
            )
        except ExpiredError as error:
            words = f"{what}: operation {key} is under way and no longer watched: {error}; then run this again"
            raise ExpiredError(words, code=error.code, status=error.status, operation=key) from error
        if end is not None and end.phase is not Phase.SUCCEEDED:
            raise TaskError(f"{what} failed: {_ending(end, self.label)}", operation=end.shown())

    def settle(self, what: str, wanted: Callable[[ServiceState], bool]) -> ServiceState:
        """Return the service once its description shows what was done; a platform may take a moment for it."""
        doing = f"{self.label}: {what}: waiting for {self.name} to show it"
        for looks, _turn in enumerate(self.task.patience.pauses(doing)):
            state = self.describe()
            if wanted(state):
                return state
            if looks == LOOKS:
                break
        raise TaskError(
            f"{what}: the operation succeeded, but {self.name} does not show it; somebody else may have changed it "
            "since: look, and run this again"
        )

    def record(self, state: ServiceState, tags: Mapping[str, str]) -> None:
        """Set tags on the service, and see them there when the answer is lost."""
        what = f"{self.label}: recording on {self.name}"
        try:
            self.send_tags(state.arn, tags)
        except UnknownOutcomeError as error:
            for looks, _turn in enumerate(self.task.patience.pauses(what)):
                if tags.items() <= self.tags(state).items():
                    return
                if looks == LOOKS:
                    break
            raise TaskError(f"{what}: the answer was lost, and it was not done ({error}); run this again") from error

    def find_out(
        self,
        what: str,
        known: frozenset[str],
        error: UnknownOutcomeError,
        kind: str,
        done: Callable[[ServiceState], bool] | None,
    ) -> str:
        """Return the key of the operation that began when an answer was lost, "" when none did.

        known: those that were there before.
        """
        del done  # an operation is what counts, where every change has one
        for looks, _turn in enumerate(self.task.patience.pauses(f"{what}: looking what came of it ({error})")):
            later = itertools.takewhile(lambda each: each.id not in known, self.operations())
            fresh = [each for each in later if kind in ("", each.kind)]
            if fresh:
                return fresh[-1].key  # the first that began afterwards
            if looks == LOOKS:
                break
        return ""


def _ending(end: Operation, label: str) -> str:
    reason = f": {printable(end.reason)[:500]}" if end.reason else ""
    words = f"operation {end.id} ended {end.word}{reason}"
    if end.phase is Phase.ROLLED_BACK:
        return f"{label} rolled it back by itself, and what was there before serves ({words})"
    if end.phase is Phase.ROLLBACK_FAILED:
        return f"{label} tried to roll it back, and that failed, too: look at the service now ({words})"
    return words
