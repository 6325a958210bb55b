"""A folder for one run, that nobody else can enter and that never reaches a disk where that can be had."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["private_folder", "write"]

_ROOM = 64 << 20


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that only we can enter, on a file system in memory if there is one, and remove it in the end."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    bases = [base for base in (runtime, "/dev/shm") if _usable(base)]  # noqa: S108 - mkdtemp makes the name
    folder = Path(tempfile.mkdtemp(prefix="opslib-", dir=bases[0] if bases else None))
    try:
        (folder / "tmp").mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _usable(base: str) -> bool:
    """Whether a folder is ours alone, or shared in the way of /tmp, and has room."""
    try:
        found = Path(base).stat()
        room = os.statvfs(base)
    except OSError:
        return False
    private = found.st_uid == os.getuid() and not found.st_mode & 0o077
    shared = bool(found.st_mode & stat.S_ISVTX)
    return stat.S_ISDIR(found.st_mode) and (private or shared) and room.f_bavail * room.f_frsize > _ROOM


def write(path: Path, text: str) -> Path:
    """Write a new file that only we can read, and return its path."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path
