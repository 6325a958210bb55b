"""Run a program on the target: no shell, bounded output, bounded time, nothing left behind.

Written on `os` and `select` because importing `subprocess` costs a target 17 ms, twice a bare interpreter's start.
"""

from __future__ import annotations

import os
import select
import time

from .record import Record
from .task import TaskError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping, Sequence

MAX_OUTPUT = 4 << 20
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SIGKILL = 9
_IGNORED_BY_PYTHON = (13, 25)  # SIGPIPE and SIGXFSZ: a program that inherits that runs on after its reader has gone


class Completed(Record):
    """A program that has ended: its exit code (negative: the signal that killed it) and output as text.

    Bytes that are not UTF-8 come as lone surrogates, so paths survive the round trip through `os.fsencode`.
    """

    argv: Sequence[str]
    code: int
    out: str
    err: str
    cut: bool = False


def which(program: str) -> str:
    """Return the absolute path of a program in the system's usual folders, or an empty string."""
    if "/" in program:
        return program if os.access(program, os.X_OK) else ""
    for folder in PATH.split(":"):
        path = folder + "/" + program
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return ""


def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float = 60,
    env: Mapping[str, str] | None = None,
    cwd: str = "/",
    ok: Sequence[int] | None = (0,),
    max_output: int = MAX_OUTPUT,
) -> Completed:
    """Run a program and return how it ended.

    argv: program (looked up in the system's usual folders) and arguments; timeout: seconds; env: added to a small
    fixed environment in the C locale; ok: the exit codes that are no error, None for any; max_output: bytes kept of
    each stream, the rest is read and dropped. Raises TaskError when the program is missing, takes too long (its whole
    process group is killed) or ends with another code; the error carries the end of its output.
    """
    path = which(argv[0])
    if not path:
        raise TaskError("%s is not installed on this host" % argv[0])
    environ = _environment(env)
    ends = time.monotonic() + timeout
    pid, to_child, out, err = _start(path, argv, environ, cwd)
    try:
        streams, cut = _converse(to_child, stdin, (out, err), ends, max_output)
        code = _wait(pid, ends) if streams is not None else None
        if code is None or streams is None:
            raise TaskError("%s did not end within %g seconds" % (argv[0], timeout))
    except BaseException:
        kill_group(pid)
        raise
    done = Completed(argv=tuple(argv), code=code, out=_text(streams[0]), err=_text(streams[1]), cut=cut)
    if ok is not None and code not in ok:
        said = (done.err.strip() or done.out.strip())[-2000:]
        raise TaskError("%s failed with exit code %d: %s" % (" ".join(argv[:3]), code, said or "it said nothing"))
    return done


class Running(Record):
    """A program that runs. out, err: descriptors of its output, to be read; `stop` ends it and closes both."""

    pid: int
    out: int
    err: int

    def stop(self) -> int | None:
        """Kill it with its process group, if it runs; return its exit code, None where it was killed."""
        done, status = os.waitpid(self.pid, os.WNOHANG)
        if not done:
            kill_group(self.pid)
        os.close(self.out)
        os.close(self.err)
        return os.WEXITSTATUS(status) if done and os.WIFEXITED(status) else None


def start(argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Running:
    """Start a program that goes on by itself, without input; the caller reads what it says, and stops it.

    argv, env: as `run` takes them. Raises TaskError when the program is missing.
    """
    path = which(argv[0])
    if not path:
        raise TaskError("%s is not installed on this host" % argv[0])
    pid, to_child, out, err = _start(path, argv, _environment(env), "/")
    os.close(to_child)
    return Running(pid=pid, out=out, err=err)


def _environment(env: Mapping[str, str] | None) -> dict[str, str]:
    environ = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": os.environ.get("HOME", "/")}
    if "OPSLIB_RUN" in os.environ:
        environ["OPSLIB_RUN"] = os.environ["OPSLIB_RUN"]
    environ.update(env or {})
    return environ


def kill_group(pid: int) -> None:
    """Kill a child and its process group, and collect it."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, SIGKILL)
        except OSError:
            pass
    try:
        os.waitpid(pid, 0)
    except OSError:
        pass


def _start(path: str, argv: Sequence[str], env: dict[str, str], cwd: str) -> tuple[int, int, int, int]:
    """Start a program; return its process id and our ends of its standard input, output and error."""
    pipes = [os.pipe() for _ in range(3)]
    (child_in, to_child), (out, child_out), (err, child_err) = pipes
    try:
        pid = _spawn(path, argv, env, cwd, (child_in, child_out, child_err))
    except BaseException as error:
        for fd in (to_child, out, err):
            os.close(fd)
        if isinstance(error, (OSError, ValueError)):
            raise TaskError("cannot start %s: %s" % (path, error)) from None
        raise
    finally:
        for fd in (child_in, child_out, child_err):
            os.close(fd)
    return pid, to_child, out, err


def _spawn(path: str, argv: Sequence[str], env: dict[str, str], cwd: str, ends: Sequence[int]) -> int:
    """Start a program with these files as its standard streams, and no other open file; return its process id.

    posix_spawn(3) does not copy this process's memory as fork(2) does: 1 ms less for each program.
    """
    actions: list[tuple[int, ...]] = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(ends)]
    for name in os.listdir("/proc/self/fd"):
        try:
            if int(name) > 2 and os.get_inheritable(int(name)):
                actions.append((os.POSIX_SPAWN_CLOSE, int(name)))
        except OSError:  # the one that listed the folder
            continue
    words = [os.fsencode(word) for word in argv]
    here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.chdir(cwd)
        return os.posix_spawn(path, words, env, file_actions=actions, setsid=True, setsigdef=_IGNORED_BY_PYTHON)
    finally:
        os.fchdir(here)
        os.close(here)


def _converse(
    to_child: int, stdin: bytes, outputs: tuple[int, int], deadline: float, limit: int
) -> tuple[list[bytearray] | None, bool]:
    """Feed and read a program until it closes its output; None in place of the streams when time ran out."""
    poll = select.poll()
    kept = {fd: bytearray() for fd in outputs}
    opened = set(outputs)
    cut = False
    os.set_blocking(to_child, False)
    if stdin:
        poll.register(to_child, select.POLLOUT)
        opened.add(to_child)
    else:
        os.close(to_child)
    for fd in outputs:
        poll.register(fd, select.POLLIN)
    try:
        while opened:
            left = deadline - time.monotonic()
            if left <= 0:
                return None, cut
            for fd, _event in poll.poll(int(min(left, 3600) * 1000) + 1):
                if fd == to_child:
                    try:
                        stdin = stdin[os.write(fd, stdin[:65536]) :]
                    except BlockingIOError:
                        continue
                    except OSError:
                        stdin = b""
                    if stdin:
                        continue
                else:
                    piece = os.read(fd, 65536)
                    room = limit - len(kept[fd])
                    cut = cut or len(piece) > room
                    kept[fd] += piece[: max(room, 0)]
                    if piece:
                        continue
                poll.unregister(fd)
                os.close(fd)
                opened.discard(fd)
        return [kept[fd] for fd in outputs], cut
    finally:
        for fd in opened:
            os.close(fd)


def _wait(pid: int, deadline: float) -> int | None:
    pause = 0.0005
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
        if time.monotonic() > deadline:
            return None
        time.sleep(pause)
        pause = min(pause * 2, 0.05)


def _text(data: bytearray) -> str:
    return data.decode("utf-8", "surrogateescape")
