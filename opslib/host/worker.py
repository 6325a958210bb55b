"""What does the steps, one after the other. It, and nothing else, knows check mode."""

from __future__ import annotations

import functools
import os
import time

from . import wire
from .params import ParamError
from .task import ACTION, CutShort, TaskError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from .course import Course
    from .plan import Change, Plan
    from .task import Task

OK, CHANGED, FAILED = "ok", "changed", "failed"
MAX_LINE = 8 << 20
MAX_TEXT = 1 << 20


class Stop:
    """The supervisor's SIGTERM. It raises CutShort in the step, once; while it is held, it is only noted."""

    def __init__(self) -> None:
        self.came = False
        self.held = True

    def __call__(self, _number: int, _frame: Any) -> None:
        again, self.came = self.came, True
        if not (again or self.held):
            raise CutShort

    def listen(self) -> None:
        """Be what the signal calls."""
        import signal

        signal.signal(signal.SIGTERM, self)

    def heed(self) -> None:
        """Let it raise from here on, and at once if it came while it was held."""
        self.held = False
        if self.came:
            raise CutShort


def run_step(
    task_type: type[Task],
    args: dict[str, Any],
    check: bool,
    tell: Callable[[dict[str, Any]], object] | None = None,
    stop: Stop | None = None,
    begins: Callable[[], object] | None = None,
) -> dict[str, Any]:
    """Carry one task through probe, plan, apply, clean-up, verify and the second plan; return its result.

    tell: takes what the task says on the way; stop: what may cut it short; begins: called before anything is changed.
    """
    result: dict[str, Any] = {"status": FAILED, "reason": "", "changes": [], "warnings": [], "data": {}, "error": None}
    done: list[Change] = []
    notes: list[str] = []
    applied = False
    task = None
    stop = stop or Stop()
    try:
        try:
            stop.heed()
            task = task_type(**args)
            if tell is not None:
                _listen(task, tell)
            plan = task.plan(task.probe())
            if plan.changes and not plan.failure and not check:
                if begins is not None:
                    begins()
                applied = True
                _apply(task, plan, done, notes, stop)
                _take(result, _proven(task, plan))
                result["reason"] = ""
            else:
                _take(result, plan)
                if not plan.failure:
                    done = list(plan.changes)
        finally:
            stop.held = True
        if not result["error"]:
            result["status"] = CHANGED if done else OK
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        result["error"] = _words(error)
        if isinstance(error, TaskError):
            result["data"] = dict(result["data"], **error.data)
        elif not isinstance(error, (ParamError, CutShort, MemoryError)):
            result["data"] = dict(result["data"], traceback=_traceback())
    if result["error"] and notes:
        result["error"] = "%s; %s" % (result["error"], "; ".join(notes))
    result["changes"] = [_report(change) for change in done]
    result["changed"] = bool(done) or (applied and result["status"] == FAILED)
    if task is None:
        return result
    try:
        return wire.mask_result(result, task.secrets())
    except RecursionError:
        short = dict(result, changes=[], warnings=["the result is nested too deep to be sent"], data={})
        return wire.mask_result(short, task.secrets())


def _apply(task: Task, plan: Plan, done: list[Change], notes: list[str], stop: Stop) -> None:
    """Apply the changes, then let the task clean up, whatever came of them, and with no stop coming between.

    done: takes the changes that were applied; notes: what came of cleaning up.
    """
    try:
        try:
            for change in plan.changes:
                task.apply(change)
                done.append(change)
        finally:
            stop.held = True
    except BaseException:
        try:
            notes += filter(None, [task.clean_up()])
        except Exception as error:
            notes.append("and " + _words(error))
        raise
    notes += filter(None, [task.clean_up()])
    stop.heed()


def _proven(task: Task, plan: Plan) -> Plan:
    """Watch the task prove itself, and return the second plan. Raises TaskError when that would change more."""
    task.verify(plan)
    again = task.plan(task.probe())
    left = [change.summary for change in again.changes if change.kind != ACTION]
    if left and not again.failure:
        raise TaskError("did not converge: after the changes it would still " + "; ".join(left))
    return again


def _words(error: BaseException) -> str:
    if isinstance(error, CutShort):
        return "cut short: its time was up or the run was stopped"
    if isinstance(error, MemoryError):
        return "the host has no memory left for this step"
    if isinstance(error, (TaskError, ParamError)):
        return str(error) or "it failed and did not say why"
    return explain(error)


def explain(error: BaseException) -> str:
    """Return an unforeseen error in words: what the system says, or that this is a defect."""
    if isinstance(error, OSError) and error.strerror:
        where = " %s" % os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
        return "%s:%s (errno %s)" % (error.strerror, where, error.errno) if where else error.strerror
    return "internal error: %s: %s" % (type(error).__name__, error)


def _listen(task: Task, tell: Callable[[dict[str, Any]], object]) -> None:
    secrets = list(task.secrets())

    def told(message: dict[str, Any]) -> None:
        try:
            tell(wire.mask(message, secrets))
        except OSError:  # the supervisor was killed: what has nothing to put right ends here
            if not task.cleanup_seconds:
                raise

    object.__setattr__(task, "tell", told)


def _take(result: dict[str, Any], plan: Plan) -> None:
    result["reason"] = plan.reason
    result["warnings"] = list(plan.warnings)
    result["data"] = plan.data
    result["error"] = plan.failure or plan.finding or None


def _report(change: Change) -> dict[str, Any]:
    hide = change.sensitive
    return {
        "kind": change.kind,
        "summary": change.summary,
        "before": "(hidden)" if hide and change.before is not None else change.before,
        "after": "(hidden)" if hide and change.after is not None else change.after,
        "certain": change.certain,
    }


def _traceback() -> list[str]:
    import traceback

    return traceback.format_exc().splitlines()[-12:]


class Worker:
    """Does the steps of a job, and tells the supervisor through a pipe."""

    def __init__(self, job: dict[str, Any], tasks: dict[str, type[Task]], pipe: int) -> None:
        self.job = job
        self.tasks = tasks
        self.pipe = pipe
        self.stop = Stop()

    def run(self, first: int, course: Course) -> None:
        """Do the steps from `first` on, as far as the course of things allows."""
        for number in range(first, len(self.job["steps"])):
            step = self.job["steps"][number]
            if not course.comes_to(step):
                continue
            self.tell(b"start %d" % number)
            began = time.monotonic()
            check = step.get("check", self.job["check"])
            task_type = self.tasks[step["task"]]
            if task_type.cleanup_seconds:
                self.stop.listen()
            begins = functools.partial(self.tell, b"apply %d" % number)
            result = run_step(task_type, step["args"], check, _Teller(self, number), self.stop, begins)
            result["seconds"] = round(time.monotonic() - began, 4)
            course.take(step, failed=result["status"] == FAILED, changed=result["changed"])
            self.tell(end(number, result))
            if self.stop.came:
                return

    def tell(self, line: bytes) -> None:
        """Pass a line on to the supervisor."""
        data = line + b"\n"
        while data:
            data = data[os.write(self.pipe, data) :]


class _Teller:
    """Passes on what one step says."""

    def __init__(self, worker: Worker, number: int) -> None:
        self.worker = worker
        self.number = number

    def __call__(self, message: dict[str, Any]) -> None:
        data = wire.dumps(message).encode("ascii")
        if len(data) > MAX_LINE:
            raise ValueError("a message has %d bytes; at most %d are sent" % (len(data), MAX_LINE))
        self.worker.tell(b"part %d " % self.number + data)


def end(number: int, result: dict[str, Any]) -> bytes:
    """Return the line that tells how a step ended."""
    return b"end %d %s %d " % (number, result["status"].encode(), result["changed"]) + _encode(result)


def _encode(result: dict[str, Any]) -> bytes:
    try:
        data = wire.dumps(result).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        data = b""
        problem = "the result cannot be represented in JSON: %s" % error
    else:
        problem = "the result has %d bytes; at most %d are sent" % (len(data), MAX_LINE)
    if data and len(data) < MAX_LINE:
        return data
    short = dict(result, changes=[], warnings=[problem], data={})
    short["reason"] = str(result["reason"])[:MAX_TEXT]
    short["error"] = None if result["error"] is None else str(result["error"])[:MAX_TEXT]
    return wire.dumps(short).encode("ascii")
