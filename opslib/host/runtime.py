"""The program that a payload runs on the target: a supervisor, and the worker that it forks to do the steps.

The supervisor watches three things: the clock (of the run and of each step), the channel it was started through, and
the worker. When time is up or the channel is gone it kills every process of the run, and only then ends.

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
from .worker import FAILED, Worker, end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from .task import Task

SWEEPS = 40
BEAT = 5.0
LAST_WORDS = 2.0


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


class _Supervisor:
    def __init__(self, job: dict[str, Any], tasks: dict[str, type[Task]]) -> None:
        self.job = job
        self.tasks = tasks
        self.token = job["token"]
        self.worker = 0
        self.course = Course(job["changed"])
        self.running: int | None = None
        self.begun = -1
        self.applies = False  # the step that is running has begun to change something
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
                Worker(self.job, self.tasks, writer).run(first, self.course)
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
        if word == b"apply":
            self.applies = True
            return
        step = self.job["steps"][int(number)]
        if word == b"start":
            self.applies = False
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
        changed = self.applies  # perhaps: nobody knows how far it came
        result.update(error=error, changed=changed, seconds=round(time.monotonic() - self.began, 4))
        self.step_ends = None
        self.course.take(step, failed=True, changed=changed)
        self._write(self.token.encode() + b" " + end(self.running, result) + b"\n")

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
