"""Files that were found earlier, and whether each is still what it was.

Between looking at a file and acting on it, others may rename, replace or go on writing it. So it is opened anew below
the root, following no link, and compared by inode number, size and times before anything is done to it.
"""

from __future__ import annotations

import os

from . import tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    Key = tuple[int, int, int]

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Gone(Exception):
    """A file is not what it was any more; the message says in which way."""


class Found:
    """A file as it was found: path relative to the root, and what tells whether it is still the same."""

    __slots__ = ("blocks", "ctime", "device", "inode", "links", "mtime", "path", "size", "uid")

    def __init__(self, path: str, status: os.stat_result) -> None:
        self.path = path
        self.device = status.st_dev
        self.inode = status.st_ino
        self.size = status.st_size
        self.mtime = status.st_mtime_ns
        self.ctime = status.st_ctime_ns
        self.links = status.st_nlink
        self.blocks = status.st_blocks * 512
        self.uid = status.st_uid

    @property
    def key(self) -> Key:
        """By what an index knows it."""
        return self.inode, self.size, self.mtime

    @property
    def folder(self) -> str:
        """The folder that holds it, relative to the root."""
        return self.path.rpartition("/")[0]

    def same(self, status: os.stat_result) -> bool:
        """Whether this is the file that was found, unchanged. The links of a file change its ctime, nothing else."""
        return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns) == (
            self.device,
            self.inode,
            self.size,
            self.mtime,
        ) and (self.links > 1 or status.st_ctime_ns == self.ctime)


def open_found(root: int, file: Found) -> tuple[int, int]:
    """Open a file that was found, and its folder; return both descriptors. Raises Gone when it is another by now."""
    try:
        folder = tree.open_beneath(root, file.folder)
    except OSError as error:
        raise _why(error) from None
    fd = -1
    try:
        fd = os.open(file.path.rpartition("/")[2], _READ, dir_fd=folder)
        if not file.same(os.fstat(fd)):
            raise Gone("changed meanwhile")
    except BaseException as error:
        os.close(folder)
        if fd >= 0:
            os.close(fd)
        if isinstance(error, OSError):
            raise _why(error) from None
        raise
    return fd, folder


def _why(error: OSError) -> Exception:
    """Return Gone for what happens when a name is removed or swapped meanwhile, else the error itself."""
    if error.errno == 2:
        return Gone("gone meanwhile")
    return Gone("changed meanwhile") if error.errno in (6, 20, 40) else error
