"""Archives of old logs: compressed tar files that count only once they have been read back and compared.

An archive is written under another name, made durable, read back from the disk, compared with what went in (the list
of its members, their sizes and contents), listed in its index, and only then given its name.
"""

from __future__ import annotations

import os

from opslib.host.files.found import Gone, open_found
from opslib.host.files.tree import remove
from opslib.host.task import TaskError
from opslib.host.words import printable, size

from . import index as log_index
from .store import INDEX, PARTIAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Collection, Iterator, Mapping, Sequence

    from opslib.host.files.found import Found

_BLOCK = 1 << 18
_WATCH = 16 << 20
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def write(folder: int, name: str, root: int, files: Sequence[Found], keep_free: int) -> tuple[dict[str, str], int]:
    """Write, read back, compare and name an archive of files below a root; none is written when no file is left.

    folder: descriptor of the archive folder; keep_free: bytes that must stay free there. Returns the digest of each
    file that is now safely archived (by path; what changed or vanished since it was found is not) and the archive's
    size in bytes. Raises TaskError, with nothing left behind, when the archive cannot be completed.
    """
    partial, index = name + PARTIAL, name + INDEX + PARTIAL
    try:
        if name in os.listdir(folder):
            raise TaskError("there is an archive %s already; run again" % name)
        fd = os.open(partial, _NEW, 0o600, dir_fd=folder)
        try:
            done = _fill(fd, root, files, lambda: _watch(folder, keep_free))
            kept = [file for file in files if file.path in done]
            if not kept:
                os.unlink(partial, dir_fd=folder)
                return {}, 0
            os.fsync(fd)
            length = os.fstat(fd).st_size
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            _compare(fd, name, kept, done)
        finally:
            os.close(fd)
        log_index.write(folder, index, (log_index.entry(file, done[file.path]) for file in kept))
        os.fsync(folder)
        os.rename(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException as error:
        remove(folder, partial)
        remove(folder, index)
        if isinstance(error, OSError):
            raise TaskError("the archive %s cannot be written: %s" % (name, error.strerror or error)) from None
        raise
    os.rename(index, name + INDEX, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)
    return done, length


def digests(folder: int, archive: str, names: Collection[str]) -> dict[str, str]:
    """Read an archive and return the digests of some of its members. Raises TaskError when it cannot be read."""
    try:
        fd = os.open(archive, _READ, dir_fd=folder)
    except OSError as error:
        raise TaskError("the archive %s cannot be read: %s" % (archive, error.strerror)) from None
    try:
        return {name: digest for name, _size, digest in _members(fd, archive) if name in names}
    except TaskError as error:
        raise TaskError("%s; to have its files archived anew, remove it and its index" % error) from None
    finally:
        os.close(fd)


def _fill(fd: int, root: int, files: Sequence[Found], watch: Callable[[], None]) -> dict[str, str]:
    import gzip
    import tarfile

    done: dict[str, str] = {}
    options: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "copybufsize": _BLOCK}
    with os.fdopen(fd, "wb", closefd=False) as raw, gzip.GzipFile("", "wb", 6, raw) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT, **options) as tar:
            for file in files:
                try:
                    source, parent = open_found(root, file)
                except Gone:
                    continue
                except OSError as error:
                    raise TaskError("%s cannot be read: %s" % (printable(file.path), error.strerror)) from None
                os.close(parent)
                try:
                    status = os.fstat(source)
                    info = tarfile.TarInfo(log_index.member_name(file.path))
                    info.size, info.mtime, info.mode = file.size, file.mtime // 10**9, status.st_mode & 0o7777
                    info.uid, info.gid = status.st_uid, status.st_gid
                    reader = _Reader(source, file, watch)
                    tar.addfile(info, reader)  # type: ignore[arg-type]
                    if not file.same(os.fstat(source)):
                        raise TaskError("%s changed while it was archived; run again" % printable(file.path))
                    done[file.path] = reader.sum.hexdigest()
                finally:
                    os.close(source)
                tar.members = []  # type: ignore[attr-defined] # it would keep one for each file
    return done


class _Reader:
    """A file that is being archived: sums up what is read, and has the free space looked at now and then."""

    def __init__(self, fd: int, file: Found, watch: Callable[[], None]) -> None:
        import hashlib

        self.fd = fd
        self.file = file
        self.watch = watch
        self.sum = hashlib.sha256()
        self.since = 0

    def read(self, count: int) -> bytes:
        """Return so many bytes."""
        data = b""
        while len(data) < count:
            try:
                piece = os.read(self.fd, count - len(data))
            except OSError as error:
                raise TaskError("%s cannot be read: %s" % (printable(self.file.path), error.strerror)) from None
            if not piece:
                raise TaskError("%s became shorter while it was archived; run again" % printable(self.file.path))
            data += piece
        self.sum.update(data)
        self.since += count
        if self.since >= _WATCH:
            self.since = 0
            self.watch()
        return data


def _watch(folder: int, keep_free: int) -> None:
    space = os.fstatvfs(folder)
    if space.f_bavail * space.f_frsize < keep_free:
        raise TaskError("archiving was stopped: less than %s (keep_free) was left free there" % size(keep_free))


def _members(fd: int, archive: str) -> Iterator[tuple[str, int, str]]:
    """Yield name, size and digest of each member, to the end, where the checksum of the whole is compared."""
    import gzip
    import hashlib
    import tarfile
    import zlib

    try:
        with os.fdopen(os.dup(fd), "rb") as raw, gzip.GzipFile("", "rb", fileobj=raw) as packed:
            with tarfile.open(fileobj=packed, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
                while True:
                    info = tar.next()
                    if info is None:
                        break
                    total = hashlib.sha256()
                    content = tar.extractfile(info)
                    while content is not None:
                        data = content.read(_BLOCK)
                        if not data:
                            break
                        total.update(data)
                    yield info.name, info.size, total.hexdigest()
                    tar.members = []  # type: ignore[attr-defined]
            while packed.read(_BLOCK):
                pass
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise TaskError("the archive %s cannot be read back: %s" % (archive, printable(str(error)))) from None


def _compare(fd: int, archive: str, files: Sequence[Found], done: Mapping[str, str]) -> None:
    """Read a whole archive back and compare its list, sizes and contents with what went in."""
    os.lseek(fd, 0, os.SEEK_SET)
    wanted = {log_index.member_name(file.path): (file.size, done[file.path]) for file in files}
    for name, length, digest in _members(fd, archive):
        if wanted.pop(name, None) != (length, digest):
            raise TaskError("the archive %s does not hold what went in: %s differs" % (archive, printable(name)))
    if wanted:
        raise TaskError("the archive %s does not hold what went in: %s is missing" % (archive, printable(min(wanted))))
