"""The locks of dpkg and apt: who holds one, and waiting for it.

Sources: fcntl(2), and apt's DPkg::Lock::Timeout.
"""

from __future__ import annotations

import os
import time

from opslib.host.system import processes
from opslib.host.task import TaskError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Sequence

FILES = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/var/lib/apt/lists/lock")
_PAUSE = 0.2


def holder(paths: Sequence[str] = FILES) -> dict[str, Any] | None:
    """Return who holds one of the locks: `file`, `pid` and `program`; None when all are free."""
    for path in paths:
        pid = _holding(path)
        if pid:
            return {"file": path, "pid": pid, "program": processes.commands([pid]).get(pid, "") or "unknown"}
    return None


def words(found: dict[str, Any]) -> str:
    """Return a holder in words."""
    return "%s is held by %s (pid %d)" % (found["file"], found["program"], found["pid"])


def wait(seconds: float, tell: Callable[[str], object], paths: Sequence[str] = FILES) -> float:
    """Wait until the locks are free; return the seconds left. Raises TaskError that names the holder."""
    ends = time.monotonic() + seconds
    told = 0
    while True:
        found = holder(paths)
        left = ends - time.monotonic()
        if found is None:
            return max(left, 0)
        if left <= 0:
            message = "%s, and was for %g seconds; wait for it, or give a longer lock_timeout"
            raise TaskError(message % (words(found), seconds), lock=found)
        if found["pid"] != told:
            tell("waiting: " + words(found))
            told = found["pid"]
        time.sleep(min(_PAUSE, left))


def _holding(path: str) -> int:
    """Return the process that holds a write lock on a file; 0 for none, and for one that we may not ask about."""
    import fcntl
    import struct

    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return 0
    try:
        # struct flock: l_type, l_whence, l_start, l_len, l_pid, and room to spare for other layouts
        asked = struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0) + bytes(16)
        answer = fcntl.fcntl(fd, fcntl.F_GETLK, asked)
        kind, _whence, _start, _length, pid = struct.unpack_from("hhqqi", answer)
        return int(pid) if kind != fcntl.F_UNLCK and pid > 0 else 0
    except OSError:
        return 0
    finally:
        os.close(fd)
