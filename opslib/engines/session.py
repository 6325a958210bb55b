"""One host's share of a run: its steps, sent in as few payloads as their users allow, and what came of them."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

from opslib.carriers import controller, payload
from opslib.carriers.base import Channel, Connection, Deadline
from opslib.carriers.connections import Connections
from opslib.carriers.protocol import Answer, Bye, End, Message, Part, Source, Start
from opslib.engines.work import HostWork, KnownResult
from opslib.errors import CarrierError, UnreachableError, UsageError
from opslib.events import Event, HostEnded, HostStarted, StepEnded, StepStarted, StepTold
from opslib.host import wire
from opslib.host.course import Course
from opslib.host.task import Task
from opslib.result import HostResult, Status, StepResult
from opslib.step import Become, Step
from opslib.target import Target

__all__ = ["Session"]

SILENCE = 45.0
GRACE = 2.0
_TICK = 0.2
_HIDDEN = "hidden: no_log is set"
_TIME_IS_UP = "the time for this host was up"
_NOT_STARTED = "not started: the play had ended before its turn came"


class Session:
    """Works one host's items off, all at once with `run()` or part by part with `run(items)`.

    connections: where connections come from; check: change nothing; timeout: seconds for everything on this host,
    from the first `run` on; secrets: texts to mask; emit: takes events; cancel: set by whoever wants the run to end.
    """

    def __init__(
        self,
        work: HostWork,
        connections: Connections,
        *,
        check: bool,
        timeout: float | None,
        secrets: frozenset[str],
        emit: Callable[[Event], None],
        cancel: threading.Event,
    ) -> None:
        self.target = work.target
        self._items = work.items
        self._connections = connections
        self._check = check
        self._timeout = timeout
        self._secrets = secrets.union(work.target.all_secrets(), *map(_secrets, work.items))
        self._emit = emit
        self._cancel = cancel
        self._results: list[StepResult] = []
        self._course = Course()
        self._halted = False
        self._deadline: Deadline | None = None
        self._began = 0.0
        self._over: tuple[Status, str] | None = None
        self._sudo: Become | None = None

    @property
    def over(self) -> bool:
        """Whether this host takes no more steps: it failed, or could not be reached."""
        return self._over is not None or self._halted

    @property
    def unreachable(self) -> bool:
        """Whether this host could not be reached, or no more."""
        return self._over is not None and self._over[0] is Status.UNREACHABLE

    def parts(self) -> Iterator[set[type[Task]]]:
        """Yield the tasks of each payload that `run()` will send."""
        for seat, part in _by_seat(self._items, self.target):
            if seat.runs_on == "host":
                yield {type(item.task) for item in part if isinstance(item, Step)}

    def run(self, items: Sequence[Step | StepResult] | None = None) -> None:
        """Do some items, by default all. Never raises: what goes wrong becomes the host's result."""
        if self._deadline is None:
            self._deadline = Deadline.after(self._timeout)
            self._began = time.monotonic()
            self._emit(HostStarted(host=self.target.name))
        try:
            for seat, part in _by_seat(self._items if items is None else items, self.target):
                self._segment(part, seat)
        except UnreachableError as error:
            self._end(Status.UNREACHABLE, str(error))
        except (CarrierError, UsageError) as error:
            self._end(Status.FAILED, str(error))
        except TimeoutError:
            self._end(Status.FAILED, _TIME_IS_UP)
        except Exception as error:  # one bad host never harms the others
            self._end(Status.FAILED, f"internal error: {type(error).__name__}: {error}")

    def result(self, *, emit: bool = True) -> HostResult:
        """Return how the host ended."""
        seconds = round(time.monotonic() - self._began, 3) if self._deadline else 0.0
        status, error = self._over or (None, None)
        result = HostResult.of_steps(self.target.name, self._results, error=error, seconds=seconds)
        if self._deadline is None and self._items:
            status, result = Status.SKIPPED, dataclasses.replace(result, error=_NOT_STARTED)
        if status is not None:
            result = dataclasses.replace(result, status=status)
        if emit:
            self._emit(HostEnded(host=self.target.name, result=result))
        return result

    def _end(self, status: Status, error: str) -> None:
        if self._over is None:
            text = error.encode("utf-8", "backslashreplace").decode() or "it did not say why"
            self._over = (status, self._masked(text))

    def _masked(self, text: str) -> str:
        return str(wire.mask(text, self._secrets))

    def _add(self, result: StepResult) -> None:
        self._results.append(result)
        self._halted = self._halted or (result.status is Status.FAILED and not result.ignored)
        self._emit(StepEnded(host=self.target.name, result=result))

    def _segment(self, items: list[Step | StepResult], seat: _Seat) -> None:
        """Do consecutive items of one seat."""
        steps = [item for item in items if isinstance(item, Step) and self._course.goes_on(_conduct(item))]
        if self._cancel.is_set():
            self._end(Status.FAILED, "interrupted before its end")
        if self._over:
            return
        waiting = iter(items)
        if steps:
            with contextlib.closing(self._outcomes(steps, seat)) as outcomes:
                for number, outcome in outcomes:
                    self._known_before(steps[number], waiting)
                    self._take(steps[number], outcome)
        if not self._over:
            self._known_before(None, waiting)

    def _known_before(self, step: Step | None, waiting: Iterator[Step | StepResult]) -> None:
        """Add the results that are known beforehand, up to a step, of those that things have come to."""
        for item in waiting:
            if item is step:
                return
            if isinstance(item, StepResult) and self._course.comes_to(_conduct(item)):
                self._add(item.plain if isinstance(item, KnownResult) else item)

    def _take(self, step: Step, outcome: Mapping[str, Any]) -> None:
        failed = outcome.get("status") == Status.FAILED
        try:
            if outcome.get("status") not in (Status.OK, Status.CHANGED, Status.FAILED):
                raise ValueError("no status of a step")
            masked = wire.mask_result(dict(outcome), self._secrets)
            if step.no_log:
                masked.update(reason=_HIDDEN, changes=[], warnings=[], data={}, error=_HIDDEN if failed else None)
            masked.update(name=self._masked(step.title), task=step.task.name, ignored=failed and step.ignore_errors)
            own = None if step.check == self._check else step.check
            result = StepResult.from_dict({**masked, "check": own})
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            raise CarrierError(f"the host's answer to {step.title!r} makes no sense: {error}") from error
        self._course.take(_conduct(step), failed=failed, changed=result.changed)
        self._add(result)

    def _outcomes(self, steps: list[Step], seat: _Seat) -> Generator[tuple[int, Mapping[str, Any]]]:
        """Send steps to where they run and yield what comes of each, as it comes."""
        assert self._deadline is not None
        job = self._job(steps)
        self._sudo = None
        cleanup = max(step.task.cleanup_seconds for step in steps)
        if seat.runs_on == "controller":
            connection = controller.ControllerConnection(patience=cleanup)
            channel: Channel = connection.start(controller.command(), self._deadline)
        else:
            channel = self._start(seat.become, job.token)
        encode = controller.encode if seat.runs_on == "controller" else payload.encode
        running: int | None = None
        ended: list[int] = []
        answer = Answer(job.token, len(steps))
        try:
            if self._sudo is not None and self._sudo.password:
                self._log_in(channel, answer, self._sudo.password, job.token)
            self._send(channel, answer, encode(job))  # which nothing here holds on to: it is large
            for message in self._messages(channel, answer, GRACE + cleanup):
                if isinstance(message, Start):
                    if running is not None or message.number <= max(ended, default=-1):
                        raise CarrierError("the host's answer makes no sense: it began a step out of turn")
                    running = message.number
                    step = steps[running]
                    self._emit(StepStarted(host=self.target.name, step=self._masked(step.title), task=step.task.name))
                elif isinstance(message, Part):
                    if message.number != running:
                        raise CarrierError("the host's answer makes no sense: a step spoke out of turn")
                    self._pass_on(steps[message.number], message.message)
                elif isinstance(message, End):
                    if message.number != running:
                        raise CarrierError("the host's answer makes no sense: it ended a step that it had not begun")
                    running = None
                    ended.append(message.number)
                    yield message.number, message.result
                elif isinstance(message, Source):
                    self._send(channel, answer, payload.source(job))
                elif isinstance(message, Bye):
                    if message.error is not None:
                        self._end(Status.FAILED, message.error)
                    self._count(steps, ended)
                    return
        except TimeoutError:
            self._lost(steps, running, _TIME_IS_UP, Status.FAILED)
        except UnreachableError as error:
            self._lost(steps, running, str(error), Status.UNREACHABLE)
        finally:
            channel.close()

    def _pass_on(self, step: Step, said: Mapping[str, Any]) -> None:
        if not step.no_log:
            title, masked = self._masked(step.title), wire.mask(dict(said), self._secrets)
            self._emit(StepTold(host=self.target.name, step=title, task=step.task.name, message=masked))

    def _send(self, channel: Channel, answer: Answer, data: bytes) -> None:
        assert self._deadline is not None
        try:
            channel.send(data, self._deadline)
        except CarrierError as error:
            for _message in answer.feed(channel.receive(_TICK) or b""):
                pass
            raise UnreachableError(self._no_payload(channel, answer)) from error

    def _count(self, steps: list[Step], ended: list[int]) -> None:
        """See that the host did all it was to do, handlers apart: it alone knows which of them were notified."""
        for number, step in enumerate(steps):
            if number not in ended and step.handler_of is None and self._course.goes_on(_conduct(step)):
                self._end(Status.FAILED, f"the host ended without doing {step.title!r}")

    def _job(self, steps: list[Step]) -> payload.Job:
        assert self._deadline is not None
        rows = []
        for step in steps:
            row = {"task": step.task.name, "args": step.task.args(), "timeout": step.timeout, "check": step.check}
            row.update(_conduct(step))
            rows.append({key: value for key, value in row.items() if value is not None})
        return payload.Job(
            steps=rows,
            tasks=sorted({type(step.task) for step in steps}, key=lambda task: task.name),
            check=self._check,
            deadline=self._deadline.left,
            changed=self._course.changed(without=(step.id for step in steps)),
            token=payload.Job.new_token(),
        )

    def _start(self, become: Become | None, token: str) -> Channel:
        """Start the payload, on a new connection when the one held turns out to be stale."""
        assert self._deadline is not None
        connection, held = self._connections.get(self.target, self._deadline)
        try:
            return connection.start(self._argv(connection, become, token), self._deadline)
        except CarrierError as error:
            self._connections.drop(self.target)
            if not held:
                raise UnreachableError(str(error)) from error
        connection, _held = self._connections.get(self.target, self._deadline)
        try:
            return connection.start(self._argv(connection, become, token), self._deadline)
        except CarrierError as error:
            raise UnreachableError(str(error)) from error

    def _argv(self, connection: Connection, become: Become | None, token: str) -> list[str]:
        """Return what starts the payload: by sudo, unless whoever is logged in is the user to become, as in Ansible."""
        argv = payload.command(self.target.interpreter)
        self._sudo = None if become is None or become.user == connection.user else become
        if self._sudo is None:
            return argv
        way = ["-S", "-p", f"[{token}] "] if self._sudo.password else ["-n"]
        return [self._sudo.exe, *self._sudo.flags, *way, "-H", "-u", self._sudo.user, "--", *argv]

    def _log_in(self, channel: Channel, answer: Answer, password: str, token: str) -> None:
        """Answer sudo's question, once, and wait until Python runs: sudo takes whatever comes early for a password."""
        assert self._deadline is not None
        asked = 0
        ends = Deadline.after(SILENCE)
        while not answer.ready:
            piece = channel.receive(self._deadline.cap(0.05))
            for _message in answer.feed(piece or b""):
                pass
            prompts = channel.errors().count(f"[{token}]")
            if prompts > asked == 0:
                channel.send(password.encode() + b"\n", self._deadline)
                asked = prompts
            elif prompts > asked:
                raise CarrierError("sudo does not accept the become password")
            if piece == b"":
                raise UnreachableError(self._no_payload(channel, answer))
            if ends.left == 0:
                raise CarrierError(f"sudo neither asked for the password nor started Python in {SILENCE:g} seconds")
            self._check_patience()

    def _check_patience(self) -> None:
        assert self._deadline is not None
        if self._cancel.is_set():
            raise CarrierError("interrupted before its end")
        if self._deadline.left == 0:
            raise TimeoutError

    def _messages(self, channel: Channel, answer: Answer, grace: float) -> Iterator[Message]:
        """Yield messages until the payload says goodbye; ask it to stop when the run is cancelled.

        grace: seconds that it may take to end itself.
        """
        assert self._deadline is not None
        heard = time.monotonic()
        give_up: float | None = None if self._deadline.at is None else self._deadline.at + grace
        stopping = False
        while True:
            piece = channel.receive(_TICK)
            now = time.monotonic()
            if piece == b"":
                raise UnreachableError(self._no_payload(channel, answer))
            if piece:
                heard = now
                yield from answer.feed(piece)
            if self._cancel.is_set() and not stopping:
                stopping = True
                channel.end_input()
                give_up = min(now + grace, give_up or now + grace)
            if give_up is not None and now > give_up:
                if stopping:
                    raise CarrierError("interrupted; the host did not confirm that its processes were killed")
                raise TimeoutError
            if now - heard > SILENCE:
                raise UnreachableError(f"the host has been silent for {SILENCE:g} seconds; it is frozen or cut off")

    def _no_payload(self, channel: Channel, answer: Answer) -> str:
        """Say why a payload's output ended early."""
        code = channel.exit_code()
        said = "; ".join(filter(None, [self._masked(text)[-500:] for text in (channel.errors(), answer.explain())]))
        if code is None:
            return "the connection was lost" + (f" ({said})" if said else "")
        if "password is required" in said:
            raise CarrierError("sudo wants a password on this host; give ansible_become_password")
        why = f" ({said})" if said else ""
        if code == 127 and self._sudo is not None and self.target.interpreter not in said:
            raise CarrierError(
                f"{self._sudo.exe} was not found on the host; install it, or log in as {self._sudo.user}{why}"
            )
        if code == 127 or "command not found" in said:
            raise CarrierError(
                f"{self.target.interpreter} was not found on the host; set ansible_python_interpreter{why}"
            )
        raise CarrierError(
            f"the host did not run the payload to its end (exit code {code}): {said or 'it said nothing'}"
        )

    def _lost(self, steps: list[Step], running: int | None, why: str, status: Status) -> None:
        """Record a host that stopped answering, in the middle of a step or between two."""
        self._connections.drop(self.target)
        if running is not None:
            why = f"{why}, while {steps[running].title!r} was running: whether it was finished is not known"
        self._end(status, why)


def _conduct(item: Step | StepResult) -> dict[str, Any]:
    """Return what Course looks at."""
    if not isinstance(item, Step | KnownResult):
        return {}
    found: dict[str, Any] = {
        "group": item.position,
        "always": item.always or None,
        "notified": None if item.handler_of is None else list(item.handler_of),
    }
    if isinstance(item, Step):
        found.update(id=item.id, ignore_errors=item.ignore_errors or None)
    return found


def _secrets(item: Step | StepResult) -> Iterator[str]:
    """Yield the texts of a step that must never be shown."""
    if isinstance(item, Step):
        yield from item.task.secrets()
        if isinstance(item.become, Become) and item.become.password:
            yield item.become.password


@dataclasses.dataclass(frozen=True, slots=True)
class _Seat:
    """Where steps run, and as whom."""

    runs_on: str = "host"
    become: Become | None = None


def _by_seat(items: Sequence[Step | StepResult], target: Target) -> Iterator[tuple[_Seat, list[Step | StepResult]]]:
    """Cut items up into runs of the same place and user; a skipped one goes with those before it."""
    part: list[Step | StepResult] = []
    seat = _Seat()
    for item in items:
        if isinstance(item, Step):
            wanted = _seat(item, target)
            if wanted != seat and any(isinstance(other, Step) for other in part):
                yield seat, part
                part = []
            seat = wanted
        part.append(item)
    yield seat, part


def _seat(step: Step, target: Target) -> _Seat:
    here = step.task.runs_on == "controller"  # as the caller: what a host's user may become is of no interest there
    return _Seat("controller") if here else _Seat("host", _become(step, target))


def _become(step: Step, target: Target) -> Become | None:
    """Return as whom a step runs: its own word, or its host's; a password not given is the host's."""
    own = target.become
    if step.become is None or step.become is True:
        return own or (Become() if step.become else None)
    if step.become is False:
        return None
    if step.become.password is None and own is not None:
        return dataclasses.replace(step.become, password=own.password)
    return step.become
