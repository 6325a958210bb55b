"""Bundles of evidence: compressed tar files in a folder of their own, for root alone, the oldest removed.

A bundle is called `evidence-20250131-040500.tar.gz` (UTC); `latest.tar.gz` is a link to the newest. It is written under
a name that ends in `.partial`, made durable and then named, so that a bundle is complete or not there. Sources:
rename(2), fsync(2), open(2).
"""

from __future__ import annotations

import os
import stat
import time

from opslib.host.files import tree
from opslib.host.task import TaskError
from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection, Sequence, Tuple

    Section = Tuple[str, bytes]

LATEST = "latest.tar.gz"
_ENDING, _PARTIAL = ".tar.gz", ".partial"
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def name_for(now: float, taken: Collection[str]) -> str:
    """Return the name of a new bundle: its time in UTC, or the next second whose name is free."""
    while True:
        name = time.strftime("evidence-%Y%m%d-%H%M%S" + _ENDING, time.gmtime(now))
        if name not in taken:
            return name
        now += 1


def is_ours(name: str) -> bool:
    """Whether this is the name of a bundle."""
    stamp = name[len("evidence-") : -len(_ENDING)]
    digits = stamp[:8] + stamp[9:]
    framed = name.startswith("evidence-") and name.endswith(_ENDING) and len(stamp) == 15 and stamp[8] == "-"
    return framed and digits.isascii() and digits.isdigit()


def names(path: str) -> tuple[list[str], str]:
    """Return the bundles in a folder, oldest first, and why it cannot be used, if so."""
    try:
        folder = tree.open_folder(path)
    except FileNotFoundError:
        return [], ""
    except OSError as error:
        return [], "%s cannot be used: %s" % (path, error.strerror)
    try:
        return sorted(name for name in os.listdir(folder) if is_ours(name)), _unsafe(folder, path)
    finally:
        os.close(folder)


def write(path: str, name: str, sections: Sequence[Section], now: float) -> int:
    """Write a bundle and return its size in bytes; nothing is left of one that cannot be completed.

    path: the folder, made for its owner alone when missing. Raises TaskError.
    """
    try:
        folder = _open(path)
    except OSError as error:
        raise TaskError("the folder %s cannot be used: %s" % (path, error.strerror)) from None
    partial = name + _PARTIAL
    try:
        words = _unsafe(folder, path) or _locked(folder, path)
        if words:
            raise TaskError(words)
        _sweep(folder)
        try:
            size = _fill(folder, partial, name[: -len(_ENDING)], sections, now)
            os.rename(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
            _link(folder, name)
            os.fsync(folder)
        except BaseException as error:
            tree.remove(folder, partial)
            if isinstance(error, OSError):
                raise TaskError("the bundle %s/%s cannot be written: %s" % (path, name, error.strerror)) from None
            raise
        return size
    finally:
        os.close(folder)


def prune(path: str, keep: int, newest: str) -> list[str]:
    """Remove the oldest bundles beyond so many, and return their names.

    newest: the one that was just written, whatever the names of others say of their time.
    """
    folder = tree.open_folder(path)
    try:
        others = sorted(name for name in os.listdir(folder) if is_ours(name) and name != newest)
        old = others[: max(len(others) - keep + 1, 0)]
        for name in old:
            tree.remove(folder, name)
        return old
    finally:
        os.close(folder)


def _locked(folder: int, path: str) -> str:
    """Lock the folder for as long as it is open, or return why that cannot be."""
    import fcntl

    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "another run is writing to %s just now; run again when it is done" % path
    except OSError:
        pass  # this file system locks no folders
    return ""


def _open(path: str, mode: int = 0o700) -> int:
    try:
        return tree.open_folder(path)
    except FileNotFoundError:
        pass
    parent, name = os.path.split(path)
    above = _open(parent, 0o755)
    try:
        try:
            os.mkdir(name, mode, dir_fd=above)
            os.fsync(above)
        except FileExistsError:
            pass
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=above)
    finally:
        os.close(above)


def _unsafe(folder: int, path: str) -> str:
    status = os.fstat(folder)
    if status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077:
        return ""
    words = "the folder %s belongs to user %d and has mode %04o; evidence goes to a folder of our own, mode 0700"
    return words % (path, status.st_uid, stat.S_IMODE(status.st_mode))


def _fill(folder: int, partial: str, top: str, sections: Sequence[Section], now: float) -> int:
    import gzip
    import io
    import tarfile

    fd = os.open(partial, _NEW, 0o600, dir_fd=folder)
    try:
        with os.fdopen(fd, "wb", closefd=False) as raw, gzip.GzipFile("", "wb", 6, raw) as packed:
            with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
                for name, data in sections:
                    info = tarfile.TarInfo("%s/%s" % (top, name))
                    info.size, info.mode, info.mtime = len(data), 0o600, int(now)
                    tar.addfile(info, io.BytesIO(data))
        os.fsync(fd)
        return os.fstat(fd).st_size
    finally:
        os.close(fd)


def _link(folder: int, name: str) -> None:
    aside = LATEST + _PARTIAL
    tree.remove(folder, aside)
    os.symlink(name, aside, dir_fd=folder)
    os.rename(aside, LATEST, src_dir_fd=folder, dst_dir_fd=folder)


def _sweep(folder: int) -> None:
    """Remove what runs that were cut short left behind."""
    for name in os.listdir(folder):
        if name.endswith(_PARTIAL) and (is_ours(name[: -len(_PARTIAL)]) or name == LATEST + _PARTIAL):
            tree.remove(folder, name)


def member_name(path: str, taken: Collection[str]) -> str:
    """Return the name under which a file goes into a bundle: its path, printable, flat, and free."""
    flat = "".join(c if c.isalnum() or c in "._-@" else "_" for c in printable(path).strip("/"))[-120:] or "file"
    name, number = flat, 1
    while name in taken:
        number += 1
        name = "%s-%d" % (flat, number)
    return name
