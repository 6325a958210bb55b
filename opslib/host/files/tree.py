"""Walk a folder that others may write to at the same time, without ever being led out of it.

Everything goes through folder descriptors and O_NOFOLLOW, so what is looked at, and what is later removed, is what
lies under the opened root even while names are swapped for links. Names that are not UTF-8 come as lone surrogates,
which `os` functions take back unchanged. Sources: open(2), path_resolution(7), systemd's CHASE_SAFE.

    root = open_folder("/srv/app/logs")
    try:
        for entry in walk(root, problem=warnings.append):
            if stat.S_ISREG(entry.stat.st_mode): ...
    finally:
        os.close(root)

and later, to act on one of them: `folder = open_beneath(root, parent)`, `os.unlink(name, dir_fd=folder)`.
"""

from __future__ import annotations

import os
import stat

from opslib.host.words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Iterator

DEEPEST = 64
_LINKS = 40
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_GONE = (2, 40, 20)  # ENOENT, ELOOP, ENOTDIR: removed or swapped while we looked


class UnsafePath(OSError):
    """A link on the way belongs to a user who may not send us where it points."""


class Entry:
    """A directory entry. `folder` is the descriptor of the folder that holds it, open until the next entry is taken.

    path: relative to the walked root; name: its last part; stat: of the entry itself, links not followed;
    depth: 1 for entries of the root.
    """

    __slots__ = ("depth", "folder", "name", "path", "stat")

    def __init__(self, path: str, name: str, folder: int, status: os.stat_result, depth: int) -> None:
        self.path = path
        self.name = name
        self.folder = folder
        self.stat = status
        self.depth = depth


def walk(
    root: int,
    *,
    depth: int = DEEPEST,
    same_device: bool = True,
    enter: Callable[[Entry], bool] | None = None,
    problem: Callable[[str], object] | None = None,
) -> Iterator[Entry]:
    """Yield every entry below an open folder, a folder before what it holds, in no particular order.

    root: descriptor from `open_folder`, which stays the caller's; depth: levels looked at, 1 for the root's own
    entries; same_device: stay on the root's file system; enter: asked of each folder whether to look into it (after
    it was yielded); problem: told in words of everything that could not be looked into, its relative path first.
    Links are yielded, never followed; what vanishes meanwhile is left out. Memory does not grow with the entries.
    """
    device = os.fstat(root).st_dev if same_device else None
    return _Walker(min(depth, DEEPEST), device, enter, problem).entries(root, "", 1)


class _Walker:
    def __init__(
        self,
        deepest: int,
        device: int | None,
        enter: Callable[[Entry], bool] | None,
        problem: Callable[[str], object] | None,
    ) -> None:
        self.deepest = deepest
        self.device = device
        self.enter = enter
        self.problem = problem

    def entries(self, folder: int, prefix: str, level: int) -> Iterator[Entry]:
        try:
            names = os.scandir(folder)
        except OSError as error:
            self.tell(prefix or ".", error.strerror)
            return
        with names:
            while True:
                try:
                    item = next(names, None)
                except OSError as error:
                    self.tell(prefix or ".", error.strerror)
                    return
                if item is None:
                    return
                path = prefix + "/" + item.name if prefix else item.name
                try:
                    status = os.stat(item.name, dir_fd=folder, follow_symlinks=False)
                except OSError as error:
                    self.failed(path, error)
                    continue
                entry = Entry(path, item.name, folder, status, level)
                yield entry
                if stat.S_ISDIR(status.st_mode) and self.may_enter(entry):
                    yield from self.below(entry)

    def may_enter(self, entry: Entry) -> bool:
        if entry.depth >= self.deepest:
            if self.deepest == DEEPEST:
                self.tell(entry.path, "deeper than %d folders, not looked into" % DEEPEST)
            return False
        return self.enter is None or self.enter(entry)

    def below(self, entry: Entry) -> Iterator[Entry]:
        try:
            folder = os.open(entry.name, _FOLDER, dir_fd=entry.folder)
        except OSError as error:
            self.failed(entry.path, error)
            return
        try:
            if self.device is not None and os.fstat(folder).st_dev != self.device:
                self.tell(entry.path, "another file system, not looked into")
            else:
                yield from self.entries(folder, entry.path, entry.depth + 1)
        finally:
            os.close(folder)

    def failed(self, path: str, error: OSError) -> None:
        if error.errno not in _GONE:
            self.tell(path, error.strerror)

    def tell(self, path: str, words: str | None) -> None:
        if self.problem is not None:
            self.problem("%s: %s" % (printable(path), words))


def open_folder(path: str) -> int:
    """Open a folder by its absolute path and return the descriptor.

    A symbolic link on the way is followed only when it belongs to root, to us, or to the owner of what it points to,
    so that whoever owns a folder on the way cannot send us into a folder of someone else. Raises UnsafePath for such
    a link, else OSError.
    """
    return _open(path, os.O_RDONLY | os.O_DIRECTORY)


def open_file(path: str) -> int:
    """Open any kind of file by its absolute path, links followed as in `open_folder`, for `fstat` and `readlink` only.

    The descriptor reads and writes nothing (O_PATH), so a pipe or a device does no harm.
    """
    return _open(path, 0)


def open_beneath(root: int, path: str) -> int:
    """Open a folder by its path relative to an open folder, following no link; "" or "." is the root itself.

    Raises OSError; with errno ELOOP or ENOTDIR when a part of the path is, by now, a link or no folder.
    """
    folder = os.open(".", _FOLDER, dir_fd=root)
    for part in path.split("/"):
        if part in ("", "."):
            continue
        try:
            if part == "..":
                raise UnsafePath(1, "the path holds '..'", path)
            below = os.open(part, _FOLDER, dir_fd=folder)
        finally:
            os.close(folder)
        folder = below
    return folder


def _open(path: str, flags: int) -> int:
    """Walk a path part by part. On the stack of parts, a number marks where the target of a user's link ends."""
    here = os.open("/", _LOOK)
    todo: list[str | int] = list(_parts(path))
    links = 0
    try:
        while todo:
            part = todo.pop()
            if isinstance(part, int):
                owner = os.fstat(here).st_uid
                if owner != part:
                    words = "a symbolic link of user %d leads to what belongs to user %d" % (part, owner)
                    raise UnsafePath(1, words, path)
                continue
            there = _look(part, here)
            status = os.fstat(there)
            if not stat.S_ISLNK(status.st_mode):
                os.close(here)
                here = there
                continue
            try:
                target = os.readlink("", dir_fd=there)
            finally:
                os.close(there)
            links += 1
            if links > _LINKS:
                raise OSError(40, "Too many levels of symbolic links", path)
            if status.st_uid not in (0, os.geteuid()):
                todo.append(status.st_uid)
            if target.startswith("/"):
                os.close(here)
                here = os.open("/", _LOOK)
            todo.extend(_parts(target))
        if flags:
            return os.open(".", flags | os.O_CLOEXEC, dir_fd=here)
        return os.dup(here)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, path) from None
    finally:
        os.close(here)


def _look(name: str, folder: int) -> int:
    """Open whatever has this name; asking for a folder first has an automounter mount it."""
    try:
        return os.open(name, _LOOK | os.O_DIRECTORY, dir_fd=folder)
    except NotADirectoryError:
        return os.open(name, _LOOK, dir_fd=folder)


def _parts(path: str) -> Iterator[str]:
    return (part for part in reversed(path.split("/")) if part not in ("", "."))


def remove(folder: int, name: str) -> None:
    """Remove a file that may be missing."""
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass
