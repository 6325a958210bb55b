"""A small file that tasks keep on a host between runs, read with bounds and replaced in one step."""

from __future__ import annotations

import os
import stat

from opslib.host.files import private, tree
from opslib.host.task import TaskError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LONGEST = 4 << 20


def read(path: str) -> str | None:
    """Return a file's text; None when there is none. Raises TaskError for one that cannot be taken."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TaskError("%s cannot be read: %s" % (path, error.strerror)) from None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LONGEST:
            raise TaskError("%s is no regular file, or larger than 4 MiB" % path)
        data = b""
        while len(data) <= LONGEST:
            piece = os.read(fd, 1 << 16)
            if not piece:
                break
            data += piece
    finally:
        os.close(fd)
    return data.decode("utf-8", "replace")


def rows(path: str) -> list[dict[str, Any]]:
    """Return a file's lines, each a JSON object; what is none is left out."""
    import json

    found = []
    for line in (read(path) or "").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            found.append(row)
    return found


def write(path: str, text: str, mode: int = 0o644) -> None:
    """Replace a file, and make its folder where that is missing. Raises OSError."""
    folder, name = os.path.split(path)
    os.makedirs(folder, 0o755, exist_ok=True)
    place = tree.open_folder(folder)
    try:
        private.replace(place, name, text, mode)
    finally:
        os.close(place)


def folder() -> str:
    """Return where such files are kept by default: root's for all, anybody else's in the home folder."""
    if os.geteuid() == 0:
        return "/var/lib/opslib"
    return os.path.join(os.path.expanduser("~"), ".local/state/opslib")
