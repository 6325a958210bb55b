"""A configuration file in the folder that logrotate reads: looked at and replaced without following a link."""

from __future__ import annotations

import os
import stat

from opslib.host.files import private

from .rotate_text import ASIDE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MODE = 0o644
MAX_FILE = 1 << 20


def owner() -> tuple[int, int]:
    """Return the owner and group of a configuration: root's, who alone is heeded by root's logrotate."""
    return os.geteuid(), 0 if os.geteuid() == 0 else os.getegid()


def read(folder: int, name: str) -> dict[str, Any] | None:
    """Return `text` and `access` (mode, owner, group) of a file, or what is `odd` about it; None when there is none."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in (40, 6):  # ELOOP: a link; ENXIO: a socket
            raise
        return {"odd": "a symbolic link" if error.errno == 40 else "a socket"}
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE:
            return {"odd": "no regular file" if not stat.S_ISREG(status.st_mode) else "larger than 1 MiB"}
        text = os.read(fd, MAX_FILE).decode("utf-8", "surrogateescape")
        return {"odd": "", "text": text, "access": (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)}
    finally:
        os.close(fd)


def put(folder: int, name: str, suffix: str, text: str) -> None:
    """Write a file aside, then put it in place."""
    private.write(folder, name + ASIDE, text, MODE, owner())
    os.rename(name + ASIDE, name + suffix, src_dir_fd=folder, dst_dir_fd=folder)
