"""Records of what was installed in a virtual environment: files beside it, `VENV.freeze-YYYYMMDD-HHMMSS.txt` (UTC)."""

from __future__ import annotations

import os
import time

from opslib.host.task import TaskError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .pip import Venv

MARK = ".freeze-"


def records(venv: str) -> list[str]:
    """Return the paths of the records of an environment, the newest first."""
    folder, name = os.path.split(venv)
    try:
        found = [entry for entry in os.listdir(folder or "/") if entry.startswith(name + MARK)]
    except OSError:
        return []
    return [os.path.join(folder, entry) for entry in sorted(found, reverse=True) if entry.endswith(".txt")]


def read(path: str) -> str:
    """Return what a record says. Raises TaskError when it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise TaskError("the record %s cannot be read: %s" % (path, error.strerror)) from None
    with open(fd, encoding="utf-8", errors="replace") as file:
        return file.read(1 << 20)


def write(venv: Venv, text: str) -> str:
    """Write down what is installed, for the environment's owner only, and return the file's path."""
    path = "%s%s%s.txt" % (venv.path, MARK, time.strftime("%Y%m%d-%H%M%S", time.gmtime()))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o600)
    except FileExistsError:
        raise TaskError("%s exists already; wait a second and run this again" % path) from None
    with open(fd, "w", encoding="utf-8") as file:
        if os.geteuid() == 0:
            os.fchown(fd, venv.uid, venv.gid)
        file.write(text)
        file.flush()
        os.fsync(fd)
    return path


def keep(venv: str, number: int) -> None:
    """Remove all records of an environment but so many, the newest."""
    for old in records(venv)[number:]:
        os.unlink(old)
