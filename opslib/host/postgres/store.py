"""The folder that backups are kept in.

A backup of the database `app` is `app-20250131-040500.dump` (UTC) and, beside it, `app-20250131-040500.json`: its
manifest, which gets its name last, so that a dump without one counts for nothing. Both are written under names that
end in `.partial` first. `app-….proof` tells of the last proof. What was in a database before a restore is
`app-safety-….dump`. Whatever else lies in the folder is never touched.
"""

from __future__ import annotations

import os
import stat
import time

from opslib.host import ages
from opslib.host.files import private, tree
from opslib.host.record import Record
from opslib.host.task import TaskError
from opslib.host.words import utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Collection, Sequence

DUMP, MANIFEST, PROOF, PARTIAL = ".dump", ".json", ".proof", ".partial"
FORMAT = 1
_PLAIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_SAFETY = "-safety"
_LONGEST_MANIFEST = 16 << 20
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Backup(Record):
    """A backup: `name` without ending, its manifest and last proof, and in words what is wrong with it, if anything."""

    name: str
    manifest: dict[str, Any]
    proof: dict[str, Any] | None = None
    problem: str = ""

    @property
    def dump(self) -> str:
        """The file name of the dump."""
        return self.name + DUMP

    @property
    def taken(self) -> float:
        """When its snapshot was taken, in seconds since 1970."""
        return float(self.manifest["taken"])

    def misdated(self, now: float) -> str:
        """Return in words that it is dated in the future, as by a clock that was ahead; empty when it is not."""
        if not ages.ahead(self.taken, now):
            return ""
        return "%s: dated %s, in the future, so that nobody knows how old it is" % (self.name, utc(self.taken))


class Store(Record):
    """What is known of the folder; backups: those of one database, the newest first; leftovers: names of partial files.

    safety: backups that were made before restores, the newest first; problem: why the folder cannot be used.
    """

    exists: bool = False
    backups: Sequence[Backup] = ()
    safety: Sequence[Backup] = ()
    leftovers: Sequence[str] = ()
    free_bytes: int = 0
    problem: str = ""

    @property
    def good(self) -> list[Backup]:
        """The backups in which nothing wrong was found, the newest first."""
        return [backup for backup in self.backups if not backup.problem]


def stem(database: str) -> str:
    """Return a database's name as file names begin with it: other characters are written as %XX.

    So is the last one of a name that would be taken for that of a backup made before a restore.
    """
    raw = database.encode("utf-8", "surrogateescape")
    name = "".join(chr(byte) if chr(byte) in _PLAIN else "%%%02X" % byte for byte in raw)
    return name[:-1] + "%79" if name.endswith(_SAFETY) else name


def name_for(database: str, now: float, taken: Collection[str], safety: bool = False) -> str:
    """Return the name of a new backup: its time in UTC, or the next second whose name is free."""
    while True:
        name = stem(database) + (_SAFETY if safety else "") + time.strftime("-%Y%m%d-%H%M%S", time.gmtime(now))
        if name not in taken:
            return name
        now += 1


def is_ours(name: str, database: str) -> bool:
    """Whether a name, without its ending, is one that `name_for` gives to backups of a database."""
    first = stem(database) + (_SAFETY if is_safety(name) else "") + "-"
    stamp = name[len(first) :]
    digits = stamp[:8] + stamp[9:]
    return name.startswith(first) and len(stamp) == 15 and stamp[8] == "-" and digits.isascii() and digits.isdigit()


def is_safety(name: str) -> bool:
    """Whether the name of a backup is that of one made before a restore."""
    return name[:-15].endswith(_SAFETY + "-")


def look(path: str, database: str) -> Store:
    """Look at the folder, or at the one it would be made in."""
    missing = False
    try:
        try:
            folder = tree.open_folder(path)
        except FileNotFoundError:
            missing = True
            folder = tree.open_folder(os.path.dirname(path))
    except OSError as error:
        return Store(problem="folder %s cannot be used: %s: %s" % (path, error.filename, error.strerror))
    try:
        space = os.fstatvfs(folder)
        free = space.f_bavail * space.f_frsize
        if missing:
            return Store(free_bytes=free)
        names = [name for name in os.listdir(folder) if is_ours(name.partition(".")[0], database)]
        ends = (DUMP + PARTIAL, MANIFEST + PARTIAL, PROOF + PARTIAL)
        known = set(names)
        begun = [n[: -len(MANIFEST + PARTIAL)] for n in names if n.endswith(MANIFEST + PARTIAL)]
        begun = [name for name in begun if name + MANIFEST not in known]
        unnamed = [name + ending for name in begun for ending in (DUMP, PROOF) if name + ending in known]
        leftovers = [name for name in names if name.endswith(ends) and name.count(".") == 2] + unnamed
        stems = sorted((name[: -len(MANIFEST)] for name in names if name.endswith(MANIFEST)), reverse=True)
        found = [backup for backup in (read(folder, each, database) for each in stems) if backup is not None]
        found.sort(key=lambda backup: (backup.taken, backup.name), reverse=True)
        return Store(
            exists=True,
            backups=[backup for backup in found if not is_safety(backup.name)],
            safety=[backup for backup in found if is_safety(backup.name)],
            leftovers=sorted(leftovers),
            free_bytes=free,
        )
    finally:
        os.close(folder)


def read(folder: int, name: str, database: str) -> Backup | None:
    """Return a backup by its name, None when its manifest is none of ours or of another database."""
    manifest = _json(folder, name + MANIFEST)
    if not _is_manifest(manifest, name) or (database and manifest["database"] != database):
        return None
    problem = ""
    try:
        status = os.stat(name + DUMP, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        problem = "its dump cannot be looked at: %s" % error.strerror
    else:
        if not stat.S_ISREG(status.st_mode):
            problem = "its dump is no regular file"
        elif status.st_size != manifest["bytes"]:
            problem = "its dump has %d bytes instead of %d" % (status.st_size, manifest["bytes"])
    proof = _json(folder, name + PROOF)
    if not isinstance(proof, dict) or proof.get("sha256") != manifest["sha256"] or not _is_time(proof.get("proven")):
        proof = None
    return Backup(name=name, manifest=manifest, proof=proof, problem=problem)


def open_dump(folder: int, backup: Backup) -> int:
    """Open the dump of a backup for reading."""
    try:
        return os.open(backup.dump, _READ, dir_fd=folder)
    except OSError as error:
        raise TaskError("%s cannot be read: %s" % (backup.dump, error.strerror)) from None


def checksum(file: int) -> str:
    """Return the SHA-256 of an open file from its beginning."""
    import hashlib

    os.lseek(file, 0, os.SEEK_SET)
    total = hashlib.sha256()
    while True:
        piece = os.read(file, 1 << 20)
        if not piece:
            return total.hexdigest()
        total.update(piece)


def new_file(folder: int, name: str) -> int:
    """Make a file for its owner only, empty, and open it for writing."""
    tree.remove(folder, name)
    return os.open(name, _WRITE | os.O_EXCL, 0o600, dir_fd=folder)


def write_json(folder: int, name: str, content: dict[str, Any]) -> None:
    """Write a file aside, see it to the disk, then give it its name."""
    write_aside(folder, name, content)
    os.rename(name + PARTIAL, name, src_dir_fd=folder, dst_dir_fd=folder)
    os.fsync(folder)


def write_aside(folder: int, name: str, content: dict[str, Any]) -> None:
    """Write what a file is to hold under its name with `.partial`, and see it to the disk."""
    import json

    tree.remove(folder, name + PARTIAL)
    private.write(folder, name + PARTIAL, json.dumps(content, indent=1, sort_keys=True) + "\n", 0o600)


def read_json(folder: int, name: str) -> dict[str, Any] | None:
    """Return what a file of ours holds, None when it is missing or spoilt."""
    found = _json(folder, name)
    return found if isinstance(found, dict) else None


def discard(folder: int, backup: Backup) -> None:
    """Remove a backup, its manifest first: without it the dump counts for nothing, and the next run removes it."""
    name = backup.name
    try:
        os.rename(name + MANIFEST, name + MANIFEST + PARTIAL, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    except FileNotFoundError:
        pass
    for ending in (PROOF, DUMP, MANIFEST + PARTIAL):
        tree.remove(folder, name + ending)
    os.fsync(folder)


def make(path: str) -> None:
    """Make the folder, for its owner only."""
    parent, name = os.path.split(path)
    folder = _opened(parent)
    try:
        os.mkdir(name, 0o700, dir_fd=folder)
        os.fsync(folder)
    except FileExistsError:
        pass
    finally:
        os.close(folder)


def _opened(path: str) -> int:
    try:
        return tree.open_folder(path)
    except OSError as error:
        raise TaskError("folder %s cannot be entered: %s" % (path, error.strerror)) from None


def _json(folder: int, name: str) -> Any:
    import json

    try:
        file = os.open(name, _READ, dir_fd=folder)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        data = b""
        while len(data) <= _LONGEST_MANIFEST:
            piece = os.read(file, 1 << 20)
            if not piece:
                return json.loads(data.decode("ascii"))
            data += piece
    except (OSError, ValueError, RecursionError):
        return None
    finally:
        os.close(file)
    return None


def _is_manifest(found: Any, name: str) -> bool:
    if not isinstance(found, dict) or found.get("opslib_backup") != FORMAT or found.get("name") != name:
        return False
    tables = found.get("tables")
    counted = isinstance(tables, dict) and all(type(rows) is int for rows in tables.values())
    texts = all(isinstance(found.get(key), str) for key in ("database", "sha256", "encoding", "collate", "ctype"))
    return counted and texts and type(found.get("bytes")) is int and _is_time(found.get("taken"))


def _is_time(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e11
