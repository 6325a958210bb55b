"""The folder that log archives are kept in.

An archive is called `logs-20250131-040500.tar.gz` (UTC), its index the same with `.index`. Both are written under names
that end in `.partial`, first the archive, then the index, and get their names in the same order. So an archive always
has an index, if only a partial one, and other partial files, left by runs that were cut short, count for nothing. An
index without an archive is kept: the archive was taken elsewhere.
"""

from __future__ import annotations

import os
import time

from opslib.host.files import tree
from opslib.host.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection, Sequence

INDEX, PARTIAL = ".index", ".partial"


class Store(Record):
    """What is known of the folder.

    identity: device and inode number, None when it is missing; archives: finished ones; indexes: names of indexes and
    of the archives they speak of, those of archives that are there last; leftovers: names and sizes; free_bytes: on
    its file system, or the one it would be made on; problem: why it cannot be used.
    """

    identity: tuple[int, int] | None = None
    archives: Sequence[str] = ()
    indexes: Sequence[tuple[str, str]] = ()
    leftovers: Sequence[tuple[str, int]] = ()
    free_bytes: int = 0
    problem: str = ""


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
        name = name[: -len(ending)] if name.endswith(ending) else name
    stamp = name[5:-7]
    digits = stamp[:8] + stamp[9:]
    known_ends = name.startswith("logs-") and name.endswith(".tar.gz")
    return known_ends and len(stamp) == 15 and stamp[8] == "-" and digits.isascii() and digits.isdigit()


def look(path: str) -> Store:
    """Look at the folder, or at the one it would be made in."""
    missing = False
    try:
        try:
            folder = tree.open_folder(path)
        except FileNotFoundError:
            missing = True
            folder = tree.open_folder(os.path.dirname(path))
    except OSError as error:
        return Store(problem="archive_to %s cannot be used: %s: %s" % (path, error.filename, error.strerror))
    try:
        space = os.fstatvfs(folder)
        free = space.f_bavail * space.f_frsize
        return Store(free_bytes=free) if missing else _look_into(folder, free)
    finally:
        os.close(folder)


def _look_into(folder: int, free: int) -> Store:
    status = os.fstat(folder)
    names = {name for name in os.listdir(folder) if is_ours(name)}
    archives = sorted(name for name in names if name.endswith(".tar.gz"))
    indexes = [(name, name[: -len(INDEX)]) for name in sorted(names) if name.endswith(INDEX)]
    unnamed = [(name + INDEX + PARTIAL, name) for name in archives if name + INDEX not in names]
    indexes += [(index, name) for index, name in unnamed if index in names]
    indexes.sort(key=lambda pair: (pair[1] in names, pair[1]))
    leftovers = []
    for name in sorted(names.difference(archives, [index for index, _name in indexes])):
        try:
            leftovers.append((name, os.stat(name, dir_fd=folder, follow_symlinks=False).st_blocks * 512))
        except FileNotFoundError:
            continue
    identity = status.st_dev, status.st_ino
    return Store(identity=identity, archives=archives, indexes=indexes, leftovers=leftovers, free_bytes=free)


def make(path: str) -> None:
    """Make the folder, for its owner only."""
    parent, name = os.path.split(path)
    folder = tree.open_folder(parent)
    try:
        os.mkdir(name, 0o700, dir_fd=folder)
        os.fsync(folder)
    finally:
        os.close(folder)
