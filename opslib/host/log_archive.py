"""Archives of old logs: one compressed tar file per run, which counts only once it has been read back and compared.

Beside `logs-20250131-040500.tar.gz` (UTC) stands `logs-20250131-040500.tar.gz.index`: for each member the SHA-256 of
its content, the inode number, size and modification time (nanoseconds) of the file it was, and its name. By inode, size
and time a later run knows what is archived already, even where logrotate has renamed it since. The archive gets its name
last; until then it, and its index, are leftovers that the next run removes.
"""

from __future__ import annotations

import os
import time

from .found_files import Gone, open_found
from .record import Record
from .task import TaskError
from .words import printable, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from .found_files import Found, Key

INDEX, PARTIAL = ".index", ".partial"
MAGIC = b"opslib-log-index 1\n"
_BLOCK = 1 << 18
_WATCH = 16 << 20
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Member(Record):
    """A file in an archive: the archive's name, the member's, and the SHA-256 of its content in hexadecimal."""

    archive: str
    name: str
    digest: str


class Contents(Record):
    """What is in an archive folder: finished archives, those with an index, leftovers of killed runs with their sizes."""

    archives: Sequence[str] = ()
    indexed: Sequence[str] = ()
    leftovers: Sequence[tuple[str, int]] = ()


def name_for(now: float, taken: Collection[str]) -> str:
    """Return the name of a new archive: its time in UTC, or the next second whose name is free."""
    while True:
        name = time.strftime("logs-%Y%m%d-%H%M%S.tar.gz", time.gmtime(now))
        if name not in taken:
            return name
        now += 1


def is_ours(name: str) -> bool:
    """Return whether this is the name of an archive, an index or a leftover of one."""
    for ending in (PARTIAL, INDEX):
        if name.endswith(ending):
            name = name[: -len(ending)]
    stamp = name[5:-7]
    digits = stamp[:8] + stamp[9:]
    known_ends = name.startswith("logs-") and name.endswith(".tar.gz")
    return known_ends and len(stamp) == 15 and stamp[8] == "-" and digits.isascii() and digits.isdigit()


def contents(folder: int) -> Contents:
    """Look into an archive folder."""
    names = {name for name in os.listdir(folder) if is_ours(name)}
    archives = sorted(name for name in names if name.endswith(".tar.gz"))
    indexed = [name for name in archives if name + INDEX in names]
    sizes = []
    for name in sorted(names.difference(archives, [name + INDEX for name in indexed])):
        try:
            sizes.append((name, os.stat(name, dir_fd=folder, follow_symlinks=False).st_blocks * 512))
        except FileNotFoundError:
            continue
    return Contents(archives=archives, indexed=indexed, leftovers=sizes)


def known(folder: int, indexed: Sequence[str], keys: Collection[Key]) -> dict[Key, Member]:
    """Return which of the files are in archives already, by their indexes; the newest archive wins.

    Only our own indexes, and root's, are believed.
    """
    found: dict[Key, Member] = {}
    for archive in indexed:
        try:
            fd = os.open(archive + INDEX, _READ, dir_fd=folder)
        except OSError:
            continue
        with os.fdopen(fd, "rb") as lines:
            if os.fstat(fd).st_uid in (0, os.geteuid()) and lines.readline(100) == MAGIC:
                found.update(item for item in entries(lines, archive) if item[0] in keys)
    return found


def entries(lines: Iterable[bytes], archive: str) -> Iterator[tuple[Key, Member]]:
    """Yield what an index lists. Lines that make no sense are passed over."""
    for line in lines:
        words = line.decode("utf-8", "surrogateescape").rstrip("\n").split(" ", 4)
        if len(words) != 5 or len(words[0]) != 64:
            continue
        try:
            key = int(words[1]), int(words[2]), int(words[3])
        except ValueError:
            continue
        name = "\\".join(part.replace("\\n", "\n") for part in words[4].split("\\\\"))
        yield key, Member(archive=archive, name=name, digest=words[0])


def entry(file: Found, digest: str) -> bytes:
    """Return a file's line of the index."""
    name = member_name(file.path).replace("\\", "\\\\").replace("\n", "\\n")
    line = "%s %d %d %d %s\n" % ((digest,) + file.key + (name,))
    return line.encode("utf-8", "surrogateescape")


def member_name(path: str) -> str:
    """Return a path as a member is called: its bytes read as UTF-8, whatever the host's encoding of file names."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def write(folder: int, name: str, root: int, files: Sequence[Found], keep_free: int) -> tuple[dict[str, str], int]:
    """Write, read back, compare and name an archive of files below a root; none is written when no file is left.

    folder: descriptor of the archive folder; keep_free: bytes that must stay free there. Returns the digest of each
    file that is now safely archived (by path; what changed or vanished since it was found is not) and the archive's
    size in bytes. Raises TaskError, with nothing left behind, when the archive cannot be completed.
    """
    partial, index = name + PARTIAL, name + INDEX
    try:
        if name in os.listdir(folder):
            raise TaskError("there is an archive %s already; run again" % name)
        fd = os.open(partial, _NEW, 0o600, dir_fd=folder)
        try:
            digests = _fill(fd, root, files, lambda: _watch(folder, keep_free))
            os.fsync(fd)
            length = os.fstat(fd).st_size
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            _compare(fd, [file for file in files if file.path in digests], digests)
        finally:
            os.close(fd)
        if not digests:
            os.unlink(partial, dir_fd=folder)
            return {}, 0
        _write_index(folder, index, [entry(file, digests[file.path]) for file in files if file.path in digests])
        os.rename(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
        return digests, length
    except BaseException as error:
        for left in (partial, index, index + PARTIAL):
            remove(folder, left)
        if isinstance(error, OSError):
            raise TaskError("the archive %s cannot be written: %s" % (name, error.strerror or error)) from None
        raise


def remove(folder: int, name: str) -> None:
    """Remove a file that may be missing."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass


def digests(folder: int, archive: str, names: Collection[str]) -> dict[str, str]:
    """Read an archive and return the digests of some of its members. Raises TaskError when it cannot be read."""
    try:
        fd = os.open(archive, _READ, dir_fd=folder)
    except OSError as error:
        raise TaskError("the archive %s cannot be read: %s" % (archive, error.strerror)) from None
    try:
        return {name: digest for name, _size, digest in _members(fd) if name in names}
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
                    info = tarfile.TarInfo(member_name(file.path))
                    info.size, info.mtime, info.mode = file.size, file.mtime // 10**9, status.st_mode & 0o7777
                    info.uid, info.gid = status.st_uid, status.st_gid
                    reader = _Reader(source, file, watch)
                    tar.addfile(info, reader)  # type: ignore[arg-type]
                    if not file.same(os.fstat(source)):
                        raise TaskError("%s changed while it was archived; run again" % printable(file.path))
                    done[file.path] = reader.sum.hexdigest()
                finally:
                    os.close(source)
                tar.members = []  # of which it would keep one for each file
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


def _members(fd: int) -> Iterator[tuple[str, int, str]]:
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
                    tar.members = []
            while packed.read(_BLOCK):
                pass
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise TaskError("the archive cannot be read back: %s" % printable(str(error))) from None


def _compare(fd: int, files: Sequence[Found], digests: Mapping[str, str]) -> None:
    """Read a whole archive back and compare its list, sizes and contents with what went in."""
    os.lseek(fd, 0, os.SEEK_SET)
    wanted = {member_name(file.path): (file.size, digests[file.path]) for file in files}
    for name, length, digest in _members(fd):
        if wanted.pop(name, None) != (length, digest):
            raise TaskError("the archive does not hold what went in: %s differs" % printable(name))
    if wanted:
        raise TaskError("the archive does not hold what went in: %s is missing" % printable(sorted(wanted)[0]))


def _write_index(folder: int, name: str, lines: Sequence[bytes]) -> None:
    fd = os.open(name + PARTIAL, _NEW, 0o600, dir_fd=folder)
    with os.fdopen(fd, "wb") as index:
        index.write(MAGIC)
        index.writelines(lines)
        index.flush()
        os.fsync(fd)
    os.rename(name + PARTIAL, name, src_dir_fd=folder, dst_dir_fd=folder)
