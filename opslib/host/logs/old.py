"""The old logs below a folder: which there are, and what is to be known of each before it is touched."""

from __future__ import annotations

import os
import stat

from opslib.host.files import tree
from opslib.host.files.found import Found, Gone, open_found
from opslib.host.words import date, printable, size

from . import index as log_index
from . import store as log_store
from . import writers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Collection, Mapping, Sequence

    from .index import Member

MOST_PROBLEMS = 20
MOST_SHOWN = 50
UNSEEN = "a process that cannot be seen"


class OldLogs:
    """What a search found.

    files: old regular files whose name matches, at most so many as asked, by path; more, more_bytes: those beyond;
    young: number of matching files that are not old, by folder; links: number of matching symbolic links; problems:
    what could not be looked into, at most 20 of problem_count; writers: who has a file open for writing, by path;
    readers: paths of files open for reading only; unsure: paths of files that nobody can tell this of; members: what
    is archived already, by path.
    """

    def __init__(self) -> None:
        self.files: list[Found] = []
        self.more = self.more_bytes = 0
        self.young: dict[str, int] = {}
        self.links = 0
        self.problems: list[str] = []
        self.problem_count = 0
        self.writers: dict[str, str] = {}
        self.readers: set[str] = set()
        self.unsure: set[str] = set()
        self.members: dict[str, Member] = {}

    def note(self, problem: str) -> None:
        """Keep a problem."""
        self.problem_count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)


def search(
    root: int,
    patterns: Sequence[str],
    before: float,
    *,
    recurse: bool = True,
    most: int = 100000,
    archives: tuple[int, int] | None = None,
) -> OldLogs:
    """Look below an open folder for files last modified before a time (seconds since the epoch).

    archives: device and inode number of the folder of archives, in which archives are not looked at.
    """
    matches = matcher(patterns)
    limit = int(before * 1e9)
    found = OldLogs()
    for entry in tree.walk(root, depth=tree.DEEPEST if recurse else 1, problem=found.note):
        if not matches(entry.name):
            continue
        status = entry.stat
        if stat.S_ISLNK(status.st_mode):
            found.links += 1
        elif stat.S_ISREG(status.st_mode):
            if archives is not None and log_store.is_ours(entry.name) and _identity(entry.folder) == archives:
                continue
            if status.st_mtime_ns > limit:
                folder = entry.path.rpartition("/")[0]
                found.young[folder] = found.young.get(folder, 0) + 1
            elif len(found.files) < most:
                found.files.append(Found(entry.path, status))
            else:
                found.more += 1
                found.more_bytes += status.st_size
    found.files.sort(key=lambda file: file.path)
    return found


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a function that tells whether a name matches one of the patterns, as fnmatch.fnmatchcase does.

    Patterns with no other sign than `*` are matched without `re`, whose import costs a target more than the search.
    """
    if any(sign in pattern for pattern in patterns for sign in "?["):
        import fnmatch
        import re

        match = re.compile("|".join(fnmatch.translate(pattern) for pattern in patterns)).match
        return lambda name: match(name) is not None
    split = [pattern.split("*") for pattern in patterns]
    return lambda name: any(_fits(name, parts) for parts in split)


def _fits(name: str, parts: Sequence[str]) -> bool:
    if len(parts) == 1:
        return name == parts[0]
    at, end = len(parts[0]), len(name) - len(parts[-1])
    if at > end or not name.startswith(parts[0]) or not name.endswith(parts[-1]):
        return False
    for part in parts[1:-1]:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def look_who_writes(found: OldLogs, root: int) -> None:
    """Find out who has the files open. Where other users' processes cannot be seen, ask for our own files' leases."""
    files = found.files
    names = None if any(file.links > 1 for file in files) else {os.path.basename(file.path) for file in files}
    scan = writers.scan({(file.device, file.inode) for file in files}, names)
    for file in files:
        inode = file.device, file.inode
        if inode in scan.writers:
            found.writers[file.path] = scan.writers[inode]
        elif inode in scan.readers:
            found.readers.add(file.path)
        if not scan.blind or file.path in found.writers:
            continue
        if file.uid != os.geteuid():
            found.unsure.add(file.path)
        else:
            _ask(found, root, file)


def look_up(found: OldLogs, path: str, indexes: Sequence[tuple[str, str]]) -> None:
    """Find out which of the files are archived already, by the indexes in a folder."""
    folder = tree.open_folder(path)
    try:
        members = log_index.known(folder, indexes, {file.key for file in found.files})
    finally:
        os.close(folder)
    found.members.update({file.path: members[file.key] for file in found.files if file.key in members})


def _ask(found: OldLogs, root: int, file: Found) -> None:
    try:
        fd, folder = open_found(root, file)
    except (Gone, OSError):
        return
    try:
        answer = writers.lease(fd)
        if answer == writers.WRITTEN:
            found.writers[file.path] = UNSEEN
    finally:
        os.close(fd)
        os.close(folder)


def _identity(folder: int) -> tuple[int, int]:
    status = os.fstat(folder)
    return status.st_dev, status.st_ino


def newest(files: Sequence[Found], young: Mapping[str, int], count: int) -> set[str]:
    """Return the paths of those old files that are among the newest so many matching ones of their folder."""
    folders: dict[str, list[Found]] = {}
    for file in files:
        folders.setdefault(file.folder, []).append(file)
    kept: set[str] = set()
    for folder, inside in folders.items():
        room = max(count - young.get(folder, 0), 0)
        inside.sort(key=lambda file: (-file.mtime, file.path))
        kept.update(file.path for file in inside[:room])
    return kept


def freed_bytes(files: Sequence[Found], held: Collection[str]) -> int:
    """Return what deleting files frees at once: not those that have other links, or that a process has open."""
    links: dict[tuple[int, int], int] = {}
    total = 0
    for file in files:
        inode = file.device, file.inode
        links[inode] = links.get(inode, 0) + 1
        if links[inode] == file.links and file.path not in held:
            total += file.blocks
    return total


def count(files: Sequence[Found]) -> str:
    """Return how many files there are, and how large, in words."""
    total = size(sum(file.size for file in files))
    return "%d file%s (%s)" % (len(files), "" if len(files) == 1 else "s", total)


def table(files: Sequence[Found]) -> str:
    """Return one line for each of the first files, and one for the rest."""
    lines = []
    for file in files[:MOST_SHOWN]:
        day = date(file.mtime // 10**9)
        lines.append("%s  %10s  %s" % (day, size(file.size), printable(file.path)))
    if len(files) > MOST_SHOWN:
        rest = files[MOST_SHOWN:]
        folders = len({file.folder for file in rest})
        lines.append("and %s more in %d folder%s" % (count(rest), folders, "" if folders == 1 else "s"))
    return "\n".join(lines)
