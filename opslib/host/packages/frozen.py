"""Records of what was installed in a virtual environment: files beside it, `VENV.freeze-YYYYMMDD-HHMMSS.txt` (UTC)."""

from __future__ import annotations

import os
import time

from opslib.host.files import private, tree
from opslib.host.task import TaskError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .pip import Venv

MARK = ".freeze-"
_LONGEST = 1 << 20


def records(venv: str) -> list[str]:
    """Return the paths of the records of an environment, the newest first."""
    folder, name = os.path.split(venv)
    try:
        found = [entry for entry in os.listdir(folder or "/") if entry.startswith(name + MARK)]
    except OSError:
        return []
    return [os.path.join(folder, entry) for entry in sorted(found, reverse=True) if entry.endswith(".txt")]


def read(path: str) -> str:
    """Return what a record says. Raises TaskError when it cannot be read, or is not whole."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise TaskError("the record %s cannot be read: %s" % (path, error.strerror)) from None
    with open(fd, encoding="utf-8", errors="replace") as file:
        text = file.read(_LONGEST + 1)
    if not text.endswith("\n") or len(text) > _LONGEST:
        raise TaskError("the record %s is cut short, or no record: what it lost would be uninstalled" % path)
    return text


def write(venv: Venv, text: str) -> str:
    """Write down what is installed, for the environment's owner only, and return the file's path."""
    path = "%s%s%s.txt" % (venv.path, MARK, time.strftime("%Y%m%d-%H%M%S", time.gmtime()))
    if os.path.lexists(path):
        raise TaskError("%s exists already; wait a second and run this again" % path)
    folder = tree.open_folder(os.path.dirname(path))
    try:
        owner = (venv.uid, venv.gid) if os.geteuid() == 0 else None
        private.replace(folder, os.path.basename(path), text, 0o600, owner)
    except OSError as error:
        raise TaskError("the record %s cannot be written: %s" % (path, error.strerror)) from None
    finally:
        os.close(folder)
    return path


def keep(venv: str, number: int, newest: str) -> None:
    """Remove all records of an environment but so many; newest: one that stays, whatever others say of their time."""
    others = [path for path in records(venv) if path != newest]
    for old in others[max(number - 1, 0) :]:
        os.unlink(old)
