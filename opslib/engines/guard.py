"""Stand between a controller and the program it started, so that the program never outlives the controller.

Run as a script, by path: `python guard.py PARENT_PID FOLDER PROGRAM ARGUMENT...`. It starts the program in a session
of its own, without a terminal and without standard input, and ends with its exit code. When it gets SIGTERM, or when
the parent is gone (even by SIGKILL), it kills the program and everything that descends from it: what is below it in
the process table, and what carries the run's mark in its environment (Ansible's workers leave the process group).
Once the parent is gone it also removes FOLDER, and the file that the link `aside` in it names. The program gets the
environment that is told on a socket in FOLDER, so that it need not stand anywhere on the way; where there is none, the
guard's own. Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import time

MARK = "OPSLIB_RUNNER"
PID_FILE = "guard.pid"
ENVIRONMENT = "environment"
ASIDE = "aside"
KILLED = 75
_LOOK = 0.25
_SWEEPS = 50
_WAKE = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(parent: int, folder: str, command: list[str]) -> int:
    """Run a program under guard and return its exit code; 75 when it was killed."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _WAKE)
    child = os.fork()
    if child == 0:
        _start(folder, command)
    caught = _signals()
    _note(os.path.join(folder, PID_FILE), str(os.getpid()))
    while True:
        came = set(os.read(caught, 512)) if select.select([caught], [], [], _LOOK)[0] else set()
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        orphan = os.getppid() != parent
        if orphan or came - {signal.SIGCHLD}:
            kill_all(child, os.environ.get(MARK, ""))
            if orphan or (signal.SIGHUP in came and _orphaned(parent)):
                _remove(folder)
            return KILLED


def _signals() -> int:
    """Return the end of a pipe that tells the numbers of those signals that are to wake us.

    `signal.sigtimedwait` does not do: stopped and continued beyond its time, it returns a signal that never came.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in _WAKE:
        signal.signal(number, _nothing)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WAKE)
    return reader


def _nothing(_number: int, _frame: object) -> None:
    """Stand in for what the signal would do otherwise."""


def _orphaned(parent: int) -> bool:
    """Whether the parent is gone. The terminal that it held hangs up shortly before it is."""
    for _look in range(20):
        if os.getppid() != parent:
            return True
        time.sleep(0.05)
    return False


def _remove(folder: str) -> None:
    with contextlib.suppress(OSError):  # there is none, or Ansible has read it
        os.unlink(os.readlink(os.path.join(folder, ASIDE)))
    shutil.rmtree(folder, ignore_errors=True)


def kill_all(child: int, mark: str) -> None:
    """Kill a process, its descendants and all that carry the mark, until none is left."""
    wanted = f"{MARK}={mark}".encode() if mark else None
    doomed = {child}
    for _sweep in range(_SWEEPS):
        parents = _parents()
        before = None
        while before != len(doomed):
            before = len(doomed)
            doomed.update(pid for pid, parent in parents.items() if parent in doomed)
        found = {pid for pid in parents if pid != os.getpid() and (pid in doomed or _carries(pid, wanted))}
        doomed |= found
        stuck = True
        for pid in found:
            stuck = not _kill(pid) and stuck
        if stuck:  # nothing left, or nothing that we may kill
            return
        time.sleep(0.01)


def _start(folder: str, command: list[str]) -> None:
    code = 127
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        environ = _asked(folder)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WAKE)
        os.execve(command[0], command, environ)  # noqa: S606 - no shell is wanted
    except (OSError, ValueError) as error:
        os.write(2, f"cannot start {command[0]}: {getattr(error, 'strerror', error)}\n".encode())
    finally:
        os._exit(code)


def _asked(folder: str) -> dict[str, str]:
    """Return the environment that the parent offers. A socket's path is short (unix(7)); the folder's may not be."""
    if not os.path.exists(os.path.join(folder, ENVIRONMENT)):
        return dict(os.environ)
    place = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(f"/proc/self/fd/{place}/{ENVIRONMENT}")
        given: dict[str, str] = json.loads(b"".join(iter(lambda: line.recv(65536), b"")))
    os.close(place)
    return given


def _note(path: str, text: str) -> None:
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(text)
    os.rename(path + ".new", path)


def _parents() -> dict[int, int]:
    """Return every living process with its parent."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as stat:
                    state, parent = stat.read().rpartition(b") ")[2].split()[:2]
            except (OSError, ValueError):
                continue
            if state not in (b"Z", b"X"):
                found[int(name)] = int(parent)
    return found


def _carries(pid: int, mark: bytes | None) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as environ:
            return mark is not None and mark in environ.read().split(b"\0")
    except OSError:
        return False


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2], sys.argv[3:]))
