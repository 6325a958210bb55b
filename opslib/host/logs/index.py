"""The indexes of log archives, which tell what is archived already.

An index lists for each member of an archive the SHA-256 of its content, the inode number, size and modification time
(nanoseconds) of the file it was, and its name. By inode, size and time a later run knows what is archived already,
even where logrotate has renamed it since.
"""

from __future__ import annotations

import os

from opslib.host.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection, Iterable, Iterator, Sequence

    from opslib.host.files.found import Found, Key

MAGIC = b"opslib-log-index 1\n"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Member(Record):
    """A file in an archive: the archive's name, the member's, and the SHA-256 of its content in hexadecimal."""

    archive: str
    name: str
    digest: str


def known(folder: int, indexes: Sequence[tuple[str, str]], keys: Collection[Key]) -> dict[Key, Member]:
    """Return which of the files are archived already, by the indexes; where several list a file, the last of them.

    Only our own indexes, and root's, are believed.
    """
    found: dict[Key, Member] = {}
    for index, archive in indexes:
        try:
            fd = os.open(index, _READ, dir_fd=folder)
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


def write(folder: int, name: str, lines: Iterable[bytes]) -> None:
    """Write an index and make it durable."""
    fd = os.open(name, _NEW, 0o600, dir_fd=folder)
    with os.fdopen(fd, "wb") as index:
        index.write(MAGIC)
        index.writelines(lines)
        index.flush()
        os.fsync(fd)
