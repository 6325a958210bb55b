"""A small text file: looked at without following a link, written aside with its final mode and owner, then renamed."""

from __future__ import annotations

import os
import stat

from opslib.host.task import TaskError
from opslib.host.words import printable

from . import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_FILE = 1 << 20
ASIDE = ".opslib-new"


def read(folder: int, name: str) -> dict[str, Any] | None:
    """Return a file's `text` (bad bytes as lone surrogates), `mode`, owner and time, or what is `odd` about it."""
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
        if not stat.S_ISREG(status.st_mode):
            return {"odd": "no regular file"}
        data = b""
        while len(data) <= MAX_FILE:
            piece = os.read(fd, 1 << 16)
            if not piece:
                break
            data += piece
    finally:
        os.close(fd)
    if len(data) > MAX_FILE or b"\0" in data:
        return {"odd": "larger than 1 MiB" if len(data) > MAX_FILE else "no text: it holds NUL"}
    return {
        "odd": "",
        "text": data.decode("utf-8", "surrogateescape"),
        "mode": stat.S_IMODE(status.st_mode),
        "uid": status.st_uid,
        "gid": status.st_gid,
        "modified": status.st_mtime,
    }


def replace(folder: int, name: str, text: str, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Put a file in place of what has that name, in one step, and see it to the disk. Raises OSError."""
    tree.remove(folder, name + ASIDE)
    write(folder, name + ASIDE, text, mode, owner)
    os.rename(name + ASIDE, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


def write(folder: int, name: str, text: str, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Write a new file; at no time can anybody read it who shall not. owner: user and group; None: whose run it is."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        data = text.encode("utf-8", "surrogateescape")
        while data:
            data = data[os.write(fd, data) :]
        if owner is not None:
            os.fchown(fd, *owner)
        os.fchmod(fd, mode)
        os.fsync(fd)
    except BaseException:
        tree.remove(folder, name)
        raise
    finally:
        os.close(fd)


def exists(folder: int, name: str) -> bool:
    """Whether there is anything of that name."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def number(name: str | None, kind: str) -> int | None:
    """Return the number of a user or group; TaskError when there is none of that name."""
    if name is None:
        return None
    if name.isdigit():
        return int(name)
    try:
        if kind == "user":
            import pwd

            return pwd.getpwnam(name).pw_uid
        import grp

        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise TaskError("this host has no %s called %s" % (kind, printable(name))) from None
