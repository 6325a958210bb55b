"""Delete old logs, each only while it is what was found and nobody can write to it."""

from __future__ import annotations

import os

from opslib.host.files.found import Gone, open_found
from opslib.host.words import printable

from . import writers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection, Mapping, Sequence

    from opslib.host.files.found import Found

_BLOCK = 1 << 18


class Deletion:
    """What came of it: number of files deleted, bytes freed by that, files left alone with the reason, failures."""

    def __init__(self) -> None:
        self.files = 0
        self.freed_bytes = 0
        self.left: dict[str, str] = {}
        self.failures: list[str] = []


def delete(
    root: int, files: Sequence[Found], *, digests: Mapping[str, str], held: Collection[str], skip_open: bool
) -> Deletion:
    """Delete files below an open folder.

    digests: SHA-256 that the content of a file must have; a file that is not named here need not be compared; held:
    paths of files that others have open, so that deleting frees nothing yet; skip_open: leave alone what is open for
    writing.
    """
    done = Deletion()
    scan: writers.Scan | None = None
    for file in files:
        try:
            fd, folder = open_found(root, file)
        except (Gone, OSError) as error:
            _note(done, file, error)
            continue
        try:
            if file.path in digests and digest(fd) != digests[file.path]:
                raise Gone("is not what is archived of it")
            if skip_open:
                answer = writers.lease(fd)
                if answer == writers.UNKNOWN and scan is None:
                    scan = writers.scan({(each.device, each.inode) for each in files}, None)
                if answer == writers.WRITTEN or (scan is not None and (file.device, file.inode) in scan.writers):
                    raise Gone("open for writing")
            status = os.fstat(fd)
            name = file.path.rpartition("/")[2]
            if not file.same(status) or not file.same(os.stat(name, dir_fd=folder, follow_symlinks=False)):
                raise Gone("changed meanwhile")
            os.unlink(name, dir_fd=folder)
            done.files += 1
            if status.st_nlink == 1 and file.path not in held:
                done.freed_bytes += file.blocks
        except (Gone, OSError) as error:
            _note(done, file, error)
        finally:
            os.close(fd)
            os.close(folder)
    return done


def digest(fd: int) -> str:
    """Return the SHA-256 of an open file's content in hexadecimal."""
    import hashlib

    total = hashlib.sha256()
    while True:
        data = os.read(fd, _BLOCK)
        if not data:
            return total.hexdigest()
        total.update(data)


def _note(done: Deletion, file: Found, error: Exception) -> None:
    """Keep why a file was not deleted. One that is gone needs no deleting."""
    if isinstance(error, FileNotFoundError) or str(error) == "gone meanwhile":
        return
    if isinstance(error, Gone):
        done.left[file.path] = str(error)
    else:
        done.failures.append("%s: %s" % (printable(file.path), getattr(error, "strerror", None) or error))
