"""Run a program of this machine to its end, with an argument list and never through a shell."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

from .errors import LabError

__all__ = ["PLAIN_ENVIRONMENT", "call", "complete", "tail"]

PLAIN_ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}
"""What programs get to see of the environment; the caller's own variables (keys, tokens) stay here."""


def tail(text: str, lines: int = 15) -> str:
    """Return the last `lines` lines of `text`, for error messages."""
    return "\n".join(text.strip().splitlines()[-lines:])


def complete(
    argv: Sequence[str],
    *,
    data: bytes | None = None,
    timeout: float | None = 60,
    env: Mapping[str, str] = PLAIN_ENVIRONMENT,
) -> subprocess.CompletedProcess[bytes]:
    """Run `argv` in a process group of its own and return its exit code and output, whatever the code.

    data: for its standard input, which is empty else.
    timeout: seconds; when it passes the whole process group is killed.
    Raises LabError when the program does not exist or does not end in time.
    """
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if data is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            start_new_session=True,
            umask=0o022,
        )
    except OSError as error:
        raise LabError(f"cannot start {argv[0]}: {error.strerror}") from error
    try:
        out, err = process.communicate(data, timeout)
    except BaseException as error:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        if not isinstance(error, subprocess.TimeoutExpired):
            process.communicate()
            raise
        # A grandchild in a session of its own may keep the pipes open for ever.
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=1)
        _close(process)
        raise LabError(f"{shlex.join(argv)}: no end after {timeout:g} seconds") from error
    return subprocess.CompletedProcess(list(argv), process.returncode, out, err)


def call(
    argv: Sequence[str],
    *,
    data: bytes | None = None,
    timeout: float | None = 60,
    env: Mapping[str, str] = PLAIN_ENVIRONMENT,
) -> bytes:
    """Run `argv` and return its standard output.

    Raises LabError, with the end of its standard error, when the exit code is not 0.
    """
    done = complete(argv, data=data, timeout=timeout, env=env)
    if done.returncode:
        said = tail((done.stderr or done.stdout).decode(errors="replace"))
        raise LabError(f"{shlex.join(argv)}: exit code {done.returncode}: {said}")
    return done.stdout


def _close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
