"""Files on this machine that go to Cloud Storage or come from there. Names of objects are not trusted as paths."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from opslib.cloud.errors import MalformedError
from opslib.cloud.gcp.arrival import Checksum, CorruptError, fetch
from opslib.cloud.gcp.objects import Item, said
from opslib.cloud.gcp.storage import Storage
from opslib.host.files import tree
from opslib.host.task import TaskError

__all__ = ["checksum", "land", "opened", "relative"]

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PIECE = 1 << 20
_LONGEST = 255  # bytes of a file's name


def relative(prefix: str, name: str) -> str:
    """Return the path, relative to a folder, at which an object below a prefix belongs.

    Raises MalformedError for one that would lead elsewhere, or that no file can have.
    """
    path = name[len(prefix) :]
    parts = path.split("/")
    if (
        any(part in ("", ".", "..") or len(os.fsencode(part)) > _LONGEST for part in parts)
        or len(parts) > tree.DEEPEST
        or not path.isprintable()
    ):
        raise MalformedError(f"the object {said(name)!r} has a name that no file here can have")
    return path


@contextmanager
def opened(folder: int, path: str) -> Iterator[int | None]:
    """Give the descriptor of a file below a folder, None when there is none. Raises TaskError for what is no file."""
    parent, _slash, name = path.rpartition("/")
    try:
        below = tree.open_beneath(folder, parent)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise TaskError(f"{said(parent)} is no folder: {error.strerror}") from None
    try:
        try:
            fd = os.open(name, _READ, dir_fd=below)
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            raise TaskError(f"{said(path)} is no file that can be read: {error.strerror}") from None
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise TaskError(f"{said(path)} is no regular file")
            yield fd
        finally:
            os.close(fd)
    finally:
        os.close(below)


def checksum(file: int) -> tuple[int, Checksum]:
    """Return how many bytes a file has, and their checksum."""
    crc, at = Checksum(), 0
    while True:
        data = os.pread(file, _PIECE, at)
        if not data:
            return at, crc
        crc.update(data)
        at += len(data)


def land(
    storage: Storage,
    item: Item,
    folder: int,
    path: str,
    *,
    mode: int,
    replace: bool,
    told: Callable[[int], object] | None = None,
) -> None:
    """Download an object to a path below an open folder; the file appears whole and verified, or not at all.

    mode: permission bits of the file; replace: whether one that is there is replaced. Folders on the way are made,
    private. What arrives is kept in a private file beside; when the download is cut, the next one of the same version
    goes on from there. Raises TaskError when the path is taken meanwhile or another run is at it; what `fetch` raises.
    """
    below = _made(folder, path.split("/")[:-1])
    try:
        _land(storage, item, below, path.rpartition("/")[2], mode, replace, told)
    finally:
        os.close(below)


def _made(folder: int, parts: Sequence[str]) -> int:
    """Open a folder below another, making what is missing."""
    here = os.dup(folder)
    for part in parts:
        with suppress(FileExistsError):
            os.mkdir(part, 0o700, dir_fd=here)
        try:
            below = tree.open_beneath(here, part)
        except OSError as error:
            raise TaskError(f"{said(part)} is no folder: {error.strerror}") from None
        finally:
            os.close(here)
        here = below
    return here


def _land(
    storage: Storage,
    item: Item,
    folder: int,
    name: str,
    mode: int,
    replace: bool,
    told: Callable[[int], object] | None,
) -> None:
    mark = f".opslib-{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}-"
    part = f"{mark}{item.generation}.part"
    file = _part(folder, part, name)
    try:
        _fill(storage, item, file, told)
        os.fchmod(file, mode)
        os.fsync(file)
        if replace:
            os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            _link(folder, part, name)
        os.fsync(folder)
    except (CorruptError, OSError) as error:  # a part that is cut is kept, one that is wrong or has no room is not
        with suppress(FileNotFoundError):
            os.unlink(part, dir_fd=folder)
        if isinstance(error, OSError):
            raise TaskError(f"{said(name)} cannot be written: {error.strerror}") from error
        raise
    finally:
        os.close(file)
    for other in os.listdir(folder):
        if other.startswith(mark) and other.endswith(".part"):
            with suppress(OSError):
                os.unlink(other, dir_fd=folder)


def _link(folder: int, part: str, name: str) -> None:
    """Give a file its name unless that is taken."""
    try:
        os.link(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    except FileExistsError:
        raise TaskError(f"{said(name)} appeared meanwhile; it was left alone") from None
    os.unlink(part, dir_fd=folder)


def _part(folder: int, part: str, name: str) -> int:
    """Open the private file for what arrives, which may hold a beginning already; nobody else's is taken."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    for _try in range(2):
        file = os.open(part, flags | os.O_CREAT, 0o600, dir_fd=folder)
        status = os.fstat(file)
        ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid() and status.st_nlink == 1
        if ours and not status.st_mode & 0o077:
            break
        os.close(file)
        os.unlink(part, dir_fd=folder)
    else:
        raise TaskError(f"somebody else keeps writing {said(part)}")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise TaskError(f"another run is downloading {said(name)}") from None
    return file


def _fill(storage: Storage, item: Item, file: int, told: Callable[[int], object] | None) -> None:
    """Complete what has arrived. A beginning that turns out wrong is thrown away, and all is fetched once more."""
    if os.fstat(file).st_size > item.size:
        os.ftruncate(file, 0)
    count, crc = checksum(file)
    os.lseek(file, count, os.SEEK_SET)
    try:
        fetch(storage, item, lambda data: _write(file, data), begin=count, crc=crc, told=told)
    except CorruptError:
        if not count:
            raise
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        fetch(storage, item, lambda data: _write(file, data), told=told)


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
