"""The program that a payload runs on the target: a supervisor and the worker that does the steps.

The supervisor watches three things: the clock (of the run and of each step), the channel it was started through, and
the worker. When time is up or the channel is gone it kills every process of the run, and only then ends. The runtime,
and nothing else, knows check mode.

Protocol, on standard output, each line begun with the run's token so that noise from login scripts is no answer:
`TOKEN hello {...}`, `TOKEN start N`, `TOKEN part N {...}` (what a step says before its end, any number of times),
`TOKEN end N STATUS CHANGED {...}` (CHANGED is 0 or 1), `TOKEN beat` (every few seconds, so that silence means trouble),
`TOKEN bye {...}`.
"""

from __future__ import annotations

import os
import select
import sys
import time

from . import wire
from .command import SIGKILL
from .course import Course
from .params import ParamError
from .task import ACTION, CutShort, TaskError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Sequence

    from .plan import Change, Plan
    from .task import Task

OK, CHANGED, FAILED, SKIPPED = "ok", "changed", "failed", "skipped"
MAX_LINE = 8 << 20
SWEEPS = 40
BEAT = 5.0
LAST_WORDS = 2.0
MAX_TEXT = 1 << 20


def main(job: dict[str, Any], tasks: dict[str, type[Task]]) -> None:
    """Run a job until it ends, its time is up, or its channel is gone; never returns.

    job: `token`, `steps`, `check`, `deadline` (seconds from now, or None), `watch` (standard input stays open for as
    long as the controller wants the run to live), `changed` (steps of earlier jobs that changed something, with their
    groups). Of a step: `task`, `args`, `timeout`, `check`, and what Course looks at.
    """
    supervisor = _Supervisor(job, tasks)
    try:
        code = supervisor.run()
    except BaseException as error:  # whatever happened, nothing may stay behind
        supervisor.kill()
        supervisor.say("bye", {"error": "%s: %s" % (type(error).__name__, error)})
        code = 70
    os._exit(code)


def run_step(
    task_type: type[Task], args: dict[str, Any], check: bool, tell: Callable[[dict[str, Any]], object] | None = None
) -> dict[str, Any]:
    """Carry one task through probe, plan, apply, verify and the second plan; return its result.

    tell: takes what the task says on the way.
    """
    result: dict[str, Any] = {"status": FAILED, "reason": "", "changes": [], "warnings": [], "data": {}, "error": None}
    done: list[Change] = []
    applied = False
    task = None
    try:
        task = task_type(**args)
        if tell is not None:
            _listen(task, tell)
        plan = task.plan(task.probe())
        if plan.changes and not plan.failure and not check:
            for change in plan.changes:
                applied = True
                task.apply(change)
                done.append(change)
            task.verify(plan)
            again = task.plan(task.probe())
            left = [change.summary for change in again.changes if change.kind != ACTION]
            if left and not again.failure:
                raise TaskError("did not converge: after the changes it would still " + "; ".join(left))
            _take(result, again)
            result["reason"] = ""
        else:
            _take(result, plan)
            if not plan.failure:
                done = list(plan.changes)
        if not result["error"]:
            result["status"] = CHANGED if done else OK
    except TaskError as error:
        result["error"] = str(error) or "it failed and did not say why"
        result["data"] = dict(result["data"], **error.data)
    except ParamError as error:
        result["error"] = str(error)
    except CutShort:
        result["error"] = "cut short: its time was up or the run was stopped; what it had begun was put right"
    except (KeyboardInterrupt, SystemExit):
        raise
    except MemoryError:
        result["error"] = "the host has no memory left for this step"
    except Exception as error:
        result["error"] = explain(error)
        result["data"] = dict(result["data"], traceback=_traceback())
    result["changes"] = [_report(change) for change in done]
    result["changed"] = bool(done) or (applied and result["status"] == FAILED)
    if task is None:
        return result
    try:
        return wire.mask_result(result, task.secrets())
    except RecursionError:
        short = dict(result, changes=[], warnings=["the result is nested too deep to be sent"], data={})
        return wire.mask_result(short, task.secrets())


def explain(error: BaseException) -> str:
    """Return an unforeseen error in words: what the system says, or that this is a defect."""
    if isinstance(error, OSError) and error.strerror:
        where = " %s" % os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
        return "%s:%s (errno %s)" % (error.strerror, where, error.errno) if where else error.strerror
    return "internal error: %s: %s" % (type(error).__name__, error)


def _listen(task: Task, tell: Callable[[dict[str, Any]], object]) -> None:
    secrets = list(task.secrets())
    object.__setattr__(task, "tell", lambda message: tell(wire.mask(message, secrets)))


def _take(result: dict[str, Any], plan: Plan) -> None:
    result["reason"] = plan.reason
    result["warnings"] = list(plan.warnings)
    result["data"] = plan.data
    result["error"] = plan.failure or None


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


class _Worker:
    """Does the steps, one after the other, and tells the supervisor through a pipe."""

    def __init__(self, job: dict[str, Any], tasks: dict[str, type[Task]], pipe: int) -> None:
        self.job = job
        self.tasks = tasks
        self.pipe = pipe
        self.cut = False

    def run(self, first: int, course: Course) -> None:
        """Do the steps from `first` on, as far as the course of things allows."""
        for number in range(first, len(self.job["steps"])):
            step = self.job["steps"][number]
            if not course.comes_to(step):
                continue
            self.tell(b"start %d" % number)
            began = time.monotonic()
            check = step.get("check", self.job["check"])
            if self.tasks[step["task"]].cleanup_seconds:
                self._raise_when_cut_short()
            result = run_step(self.tasks[step["task"]], step["args"], check, _Teller(self, number))
            result["seconds"] = round(time.monotonic() - began, 4)
            course.take(step, failed=result["status"] == FAILED, changed=result["changed"])
            self.tell(_end(number, result))
            if self.cut:
                return

    def _raise_when_cut_short(self) -> None:
        """Let the supervisor's SIGTERM raise CutShort in the step, once: putting right is not disturbed again."""
        import signal

        def cut(_number: int, _frame: Any) -> None:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            self.cut = True
            raise CutShort

        signal.signal(signal.SIGTERM, cut)

    def tell(self, line: bytes) -> None:
        """Pass a line on to the supervisor."""
        data = line + b"\n"
        while data:
            data = data[os.write(self.pipe, data) :]


class _Teller:
    """Passes on what one step says."""

    def __init__(self, worker: _Worker, number: int) -> None:
        self.worker = worker
        self.number = number

    def __call__(self, message: dict[str, Any]) -> None:
        data = wire.dumps(message).encode("ascii")
        if len(data) > MAX_LINE:
            raise ValueError("a message has %d bytes; at most %d are sent" % (len(data), MAX_LINE))
        self.worker.tell(b"part %d " % self.number + data)


def _end(number: int, result: dict[str, Any]) -> bytes:
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


class _Supervisor:
    def __init__(self, job: dict[str, Any], tasks: dict[str, type[Task]]) -> None:
        self.job = job
        self.tasks = tasks
        self.token = job["token"]
        self.worker = 0
        self.course = Course(job["changed"])
        self.running: int | None = None
        self.begun = -1
        self.ends: float | None = None
        self.step_ends: float | None = None
        self.began = 0.0
        self.deaf = False  # nobody listens any more, but a step is still putting things right

    def run(self) -> int:
        os.environ["OPSLIB_RUN"] = self.token
        os.set_blocking(1, False)
        limit = self.job["deadline"]
        self.ends = None if limit is None else time.monotonic() + limit
        self.say("hello", {"python": list(sys.version_info[:3]), "pid": os.getpid()})
        first = 0
        while True:
            verdict = self._watch(self._fork(first))
            if verdict == "next":
                first, self.running = self.begun + 1, None
                continue
            self.say("bye", {"error": None if verdict == "done" else verdict})
            return 0 if verdict == "done" else 75

    def say(self, word: str, body: Any) -> None:
        self._write(("%s %s " % (self.token, word)).encode() + wire.dumps(body).encode("ascii") + b"\n")

    def kill(self) -> None:
        """Kill the worker, its descendants, and every process that carries this run's mark, until none is left."""
        if self.worker:
            family = _descendants(self.worker)  # some clear their environment, and the mark with it
            _signal(self.worker)
            for pid in family:
                _signal(pid)
            try:
                os.waitpid(self.worker, 0 if _mortal(self.worker) else os.WNOHANG)
            except OSError:
                pass
            self.worker = 0
        mark = b"OPSLIB_RUN=" + self.token.encode()
        for _sweep in range(SWEEPS):
            found = [pid for pid in _processes() if pid != os.getpid() and _carries(pid, mark)]
            for pid in found:
                _signal(pid)
            if not found:
                return
            time.sleep(0.01)

    def _fork(self, first: int) -> int:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                os.close(reader)
                null = os.open(os.devnull, os.O_RDWR)
                for fd in (0, 1, 2):
                    os.dup2(null, fd)
                _Worker(self.job, self.tasks, writer).run(first, self.course)
                code = 0
            finally:
                os._exit(code)
        os.close(writer)
        self.worker = pid
        return reader

    def _watch(self, reader: int) -> str:
        """Relay the worker's lines until it ends; return `done`, `next` (go on after a killed step) or the reason."""
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        poll.register(1, 0)
        if self.job["watch"]:
            poll.register(0, select.POLLIN)
        buffer = b""
        try:
            while True:
                left = self._left()
                if left is not None and left <= 0:
                    self._clean_up(reader, buffer)
                    return self._time_is_up()
                ready = poll.poll(int(min(left, BEAT) * 1000) + 1 if left is not None else int(BEAT * 1000))
                if not ready and self.job["watch"]:
                    self._write(self.token.encode() + b" beat\n")
                for fd, event in ready:
                    if fd == reader:
                        piece = os.read(reader, 1 << 16)
                        if not piece:
                            return self._ended()
                        *lines, buffer = (buffer + piece).split(b"\n")
                        for line in lines:
                            self._relay(line)
                    elif fd == 1 or event & ~select.POLLIN or not os.read(0, 4096):
                        self._clean_up(reader, buffer)
                        self.kill()
                        self._cut_short("interrupted: the run was stopped; its processes were killed")
                        return "the run was stopped"
        finally:
            os.close(reader)

    def _clean_up(self, reader: int, buffer: bytes) -> None:
        """Let the step that is running put right what it has begun, for as long as its task may."""
        seconds = 0.0
        if self.running is not None:
            seconds = self.tasks[self.job["steps"][self.running]["task"]].cleanup_seconds
        if not seconds:
            return
        ends = time.monotonic() + seconds
        self.deaf = True
        os.kill(self.worker, 15)
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        while self.running is not None and time.monotonic() < ends:
            if not poll.poll(int(min(ends - time.monotonic(), BEAT) * 1000) + 1):
                self._write(self.token.encode() + b" beat\n")
                continue
            piece = os.read(reader, 1 << 16)
            if not piece:
                break
            *lines, buffer = (buffer + piece).split(b"\n")
            for line in lines:
                if self.running is not None:
                    self._relay(line)
        self.deaf = False

    def _relay(self, line: bytes) -> None:
        word, number, status, changed, _result = (line + b"    ").split(b" ", 4)
        step = self.job["steps"][int(number)]
        if word == b"start":
            self.running = self.begun = int(number)
            self.began = time.monotonic()
            limit = step.get("timeout")
            self.step_ends = None if limit is None else self.began + limit
        elif word == b"end":
            self.running, self.step_ends = None, None
            self.course.take(step, failed=status == b"failed", changed=changed == b"1")
        self._write(self.token.encode() + b" " + line + b"\n")

    def _left(self) -> float | None:
        ends = [end for end in (self.ends, self.step_ends) if end is not None]
        return min(ends) - time.monotonic() if ends else None

    def _time_is_up(self) -> str:
        over = self.ends is not None and time.monotonic() >= self.ends
        self.kill()
        if over:
            self._cut_short("cut short: the time for this host was up; its processes were killed")
            return "the time for this host was up"
        limit = self.job["steps"][self.begun]["timeout"]
        self._cut_short("cut short after its timeout of %g seconds; its processes were killed" % limit)
        return "next"

    def _ended(self) -> str:
        """Collect the worker, which closed its pipe: it is done, or it died in the middle of a step."""
        _pid, status = os.waitpid(self.worker, 0)
        self.worker = 0
        if status == 0:
            return "done"
        how = "signal %d" % os.WTERMSIG(status) if os.WIFSIGNALED(status) else "code %d" % os.WEXITSTATUS(status)
        if self.running is None:
            return "the worker died (%s)" % how
        self.kill()
        self._cut_short("the step's process died (%s)%s" % (how, ", perhaps for want of memory" if status == 9 else ""))
        return "next"

    def _cut_short(self, error: str) -> None:
        if self.running is None:
            return
        result: dict[str, Any] = {"status": FAILED, "reason": "", "changes": [], "warnings": [], "data": {}}
        step = self.job["steps"][self.running]
        changed = not step.get("check", self.job["check"])  # perhaps: nobody knows how far it came
        result.update(error=error, changed=changed, seconds=round(time.monotonic() - self.began, 4))
        self.step_ends = None
        self.course.take(step, failed=True, changed=changed)
        self._write(self.token.encode() + b" " + _end(self.running, result) + b"\n")

    def _write(self, data: bytes) -> None:
        try:
            while data:
                try:
                    data = data[os.write(1, data) :]
                except BlockingIOError:
                    self._wait_for_reader()
        except OSError:
            if self.deaf:
                return
            self.kill()
            os._exit(75)

    def _wait_for_reader(self) -> None:
        """Wait for a controller that does not read; once the run's time is up, only until everything is killed."""
        if self.deaf:
            raise OSError
        poll = select.poll()
        poll.register(1, select.POLLOUT)
        left = None if self.ends is None else self.ends - time.monotonic()
        if left is None or left > 0:
            poll.poll(None if left is None else int(min(left, 3600) * 1000) + 1)
            return
        self.kill()
        if not poll.poll(int(LAST_WORDS * 1000)):
            raise OSError


def _processes() -> Sequence[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _descendants(pid: int) -> Sequence[int]:
    parents = {other: int(words[1]) for other in _processes() for words in [_stat(other)] if words}
    family = [pid]
    for member in family:
        family += [other for other, parent in parents.items() if parent == member and other not in family]
    return family[1:]


def _stat(pid: int) -> Sequence[bytes]:
    """Return what the kernel says of a process after its name: state, parent and more; empty when it is gone."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as stat:
            return stat.read().rpartition(b") ")[2].split()
    except OSError:
        return ()


def _carries(pid: int, mark: bytes) -> bool:
    try:
        with open("/proc/%d/environ" % pid, "rb") as environ:
            return mark in environ.read().split(b"\0")
    except OSError:
        return False


def _mortal(pid: int) -> bool:
    """Whether a killed process will end at once: not while it hangs in the kernel (a dead network mount)."""
    for _look in range(50):
        words = _stat(pid)
        if not words or words[0] in b"ZX":
            return True
        time.sleep(0.01)
    return False


def _signal(pid: int) -> None:
    try:
        os.kill(pid, SIGKILL)
    except OSError:
        pass
