"""The folder of log archives, and the indexes that tell what is archived already.

Beside `logs-20250131-040500.tar.gz` (UTC) stands `logs-20250131-040500.tar.gz.index`: for each member the SHA-256 of
its content, the inode number, size and modification time (nanoseconds) of the file it was, and its name. By inode,
size and time a later run knows what is archived already, even where logrotate has renamed it since. The archive gets
its name last; until then it, and its index, are leftovers that the next run removes.
"""

from __future__ import annotations

import os
import time

from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection, Iterable, Iterator, Sequence

    from .found_files import Found, Key

INDEX, PARTIAL = ".index", ".partial"
MAGIC = b"opslib-log-index 1\n"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
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


def write(folder: int, name: str, lines: Sequence[bytes]) -> None:
    """Write an index aside, make it durable and give it its name."""
    fd = os.open(name + PARTIAL, _NEW, 0o600, dir_fd=folder)
    with os.fdopen(fd, "wb") as index:
        index.write(MAGIC)
        index.writelines(lines)
        index.flush()
        os.fsync(fd)
    os.rename(name + PARTIAL, name, src_dir_fd=folder, dst_dir_fd=folder)
