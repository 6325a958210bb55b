"""Start a long-lived program inside a control group, so that all its children are born there."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from .cgroup import ControlGroup
from .errors import LabError

__all__ = ["launch"]


def launch(
    argv: Sequence[str], *, group: ControlGroup, log: Path, env: Mapping[str, str], orphan: bool = False
) -> subprocess.Popen[bytes]:
    """Start `argv` in `group`, in a session of its own, its output going to the file `log`.

    The program waits in flock(1) until it has been moved into the group: code between fork and exec, the usual
    place for that, is not safe in a program with threads.

    orphan: let init have the program as its child, so that it may outlive the caller; what is returned is then over.
    Raises LabError when the program cannot be started.
    """
    group.create()
    command = ["setsid", "--fork", *argv] if orphan else list(argv)
    log.unlink(missing_ok=True)
    # Opened twice: the program inherits `output`, and with that one it would inherit the lock too.
    with log.open("wb") as output, log.open("rb") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        try:
            process = subprocess.Popen(
                ["flock", "--no-fork", str(log), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,
                umask=0o022,
            )
        except OSError as error:
            raise LabError(f"cannot start {argv[0]}: {error.strerror}") from error
        try:
            group.add(process.pid)
        except BaseException:
            process.kill()
            process.wait()
            raise
    if orphan:
        process.wait()
    return process
