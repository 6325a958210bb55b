"""The controller carrier: tasks that run here, such as those of the cloud, in a process of their own.

They speak the protocol of hosts' payloads and die by the same rules: with their deadline, or with their channel.
Nothing is shipped: the process is the same Python with the same import path.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from opslib.carriers.base import Deadline
from opslib.carriers.local import LocalChannel
from opslib.carriers.payload import Job, module_of
from opslib.errors import UnreachableError

__all__ = ["ControllerConnection", "carry_out", "command", "encode", "short_path"]

_PROGRAM = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from opslib.cloud.worker import main; main()"
MARK = "OPSLIB_RUNNER"  # of what dies with ansible-playbook


def command() -> list[str]:
    """Return the argument vector that starts the process: it holds no parameter of any task."""
    return [sys.executable, "-P", "-c", _PROGRAM, json.dumps([os.path.abspath(path) for path in sys.path])]


def encode(job: Job, *, apart: bool = False) -> bytes:
    """Return what the process reads from standard input.

    apart: leave the caller's family of processes, so that it can still put things right when that is killed. Raises
    UsageError for a task that is defined in a script.
    """
    body: dict[str, Any] = {
        "tasks": {task.name: [module_of(task), task.__name__] for task in job.tasks},
        "apart": apart,
        "job": {
            "token": job.token,
            "steps": [dict(step) for step in job.steps],
            "check": job.check,
            "deadline": job.deadline,
            "watch": job.watch,
            "changed": list(job.changed),
        },
    }
    data = json.dumps(body).encode()
    return b"%d\n%s" % (len(data), data)


def carry_out(job: Job, hear: Callable[[bytes], object] | None = None) -> tuple[int, str, str]:
    """Run a job and return the exit code, standard output and standard error of its process.

    hear: is given the output in pieces, as it comes.
    """
    lasting = any(task.cleanup_seconds for task in job.tasks)
    own = {name: value for name, value in os.environ.items() if not (lasting and name == MARK)}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command(), stdin=pipe, stdout=pipe, stderr=pipe, cwd="/", env=own, start_new_session=lasting
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        try:
            process.stdin.write(encode(job, apart=lasting))
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it says why on standard error
        out = bytearray()
        while piece := os.read(process.stdout.fileno(), 1 << 16):  # the channel stays open until it has ended
            out += piece
            if hear is not None:
                hear(piece)
        err = process.stderr.read()
        code = process.wait()
    return code, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "replace")


@contextlib.contextmanager
def short_path(path: str) -> Iterator[str]:
    """Give a path a name short enough for a socket, whose address has 108 bytes at most (unix(7))."""
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{os.path.basename(path)}"
    finally:
        os.close(folder)


class ControllerConnection:
    """The machine that opslib runs on, as the caller.

    patience: seconds that a process may take to end itself, beyond the usual.
    """

    alive = True

    def __init__(self, patience: float = 0.0) -> None:
        self._patience = patience

    def start(self, argv: Sequence[str], deadline: Deadline) -> LocalChannel:  # noqa: ARG002 - starting never waits
        """Start a program; see `Connection.start`."""
        try:
            return LocalChannel(argv, patience=self._patience)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise UnreachableError(f"cannot start {ascii(argv[0])[1:-1]}: {why}") from error

    def close(self) -> None:
        """Nothing to close."""
