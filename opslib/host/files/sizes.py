"""Add up the sizes of files below paths, each file once, in bounded memory."""

from __future__ import annotations

import os
import stat

from opslib.host.task import TaskError
from opslib.host.words import printable

from . import globs, tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from .tree import Entry

KEPT = 500
MOST_PROBLEMS = 100
MOST_FOLDERS = 1000
MOST_SEEN = 300_000
SPARSE_FROM = 1 << 20
FILE, SOME, WHOLE = "file", "some", "whole"


class Sizes:
    """What lies below some paths: totals, the largest files, files with holes, and what could not be looked at.

    missing: paths that must be there and are not, in words; problems: what could not be looked at, in words, at most
    100 of `problem_count`; roots: (kind, folder, name or pattern) of all that was looked at; uncertain: so many files
    that some may have been counted twice.
    """

    def __init__(self, patterns: Sequence[str], recurse: bool) -> None:
        self.patterns = patterns
        self.recurse = recurse
        self.files = self.size_bytes = self.disk_bytes = self.links = self.problem_count = 0
        self.largest = Largest("disk_bytes")
        self.sparse = Largest("size_bytes")
        self.missing: list[str] = []
        self.problems: list[str] = []
        self.devices: set[int] = set()
        self.roots: list[tuple[str, str, str]] = []
        self.uncertain = False
        self._some: list[tuple[str, str, str]] = []
        self._whole: list[str] = []
        self._matched: set[str] = set()
        self._seen: set[tuple[int, int]] = set()
        self._folders: set[tuple[int, int]] = set()

    def add(self, paths: Sequence[str]) -> None:
        """Look at files, folders and patterns such as /srv/app/logs/*; files before the folders that may hold them."""
        for path in paths:
            if not self._look(path):
                if not is_pattern(path):
                    self.missing.append("%s does not exist" % printable(path))
                else:
                    self._expand(path)
        alone = len(self._some) + len(self._whole) + len(self.roots) == 1
        for folder, pattern, given in self._some:
            if self._folder(folder, pattern, not alone):
                self._matched.add(given)
        for folder in self._whole:
            self._folder(folder, "", False)
        for path in paths:
            if any(path == given for _folder, _pattern, given in self._some) and path not in self._matched:
                self._problem("%s matches nothing" % printable(path))

    def _look(self, path: str) -> bool:
        """Count a file, note a folder; return whether anything is there."""
        try:
            file = tree.open_file(path)
        except OSError as error:
            if error.errno != 2:
                self.missing.append("%s cannot be looked at: %s" % (printable(path), error.strerror))
            return error.errno != 2
        try:
            status = os.fstat(file)
            if stat.S_ISREG(status.st_mode):
                target = os.readlink("/proc/self/fd/%d" % file)
                self.devices.add(status.st_dev)
                self.roots.append((FILE, target, ""))
                self._count(target, status, True)
            elif stat.S_ISDIR(status.st_mode):
                self._whole.append(path)
            else:
                self.missing.append("%s is no file and no folder" % printable(path))
        finally:
            os.close(file)
        return True

    def _expand(self, path: str) -> None:
        """Find the folders that a pattern speaks of; its last part is left to `_folder`."""
        parts = path.split("/")[1:]
        fixed = next(number for number, part in enumerate(parts) if is_pattern(part))
        base = "/" + "/".join(parts[:fixed])
        try:
            os.close(tree.open_folder(base))
        except OSError as error:
            words = "does not exist" if error.errno == 2 else "cannot be looked at: %s" % error.strerror
            self.missing.append("%s: %s %s" % (printable(path), printable(base), words))
            return
        folders = [base.rstrip("/")]
        for part in parts[fixed:-1]:
            if is_pattern(part):
                folders = [folder + "/" + name for folder in folders for name in self._names(folder or "/", part)]
            else:
                folders = [folder + "/" + part for folder in folders]
            if len(folders) > MOST_FOLDERS:
                raise TaskError("%s matches more than %d folders; name fewer" % (printable(path), MOST_FOLDERS))
        if is_pattern(parts[-1]):
            self._some += [(folder or "/", parts[-1], path) for folder in folders]
        if not folders or not (is_pattern(parts[-1]) or any(self._look(f + "/" + parts[-1]) for f in folders)):
            self._problem("%s matches nothing" % printable(path))

    def _names(self, folder: str, pattern: str) -> list[str]:
        """Return the names of folders in a folder that fit a pattern; links among them, which may lead to one."""
        names: list[str] = []
        try:
            file = tree.open_folder(folder)
        except OSError as error:
            self._failed(folder, error)
            return names
        try:
            with os.scandir(file) as entries:
                for entry in entries:
                    if matches(entry.name, pattern) and not entry.is_file(follow_symlinks=False):
                        names.append(entry.name)
                        if len(names) > MOST_FOLDERS:
                            break
        finally:
            os.close(file)
        return sorted(names)

    def _folder(self, path: str, pattern: str, listed: bool) -> bool:
        """Count what lies in a folder. `listed`: its files may be met again. Return whether a name fits the pattern."""
        matched = False
        try:
            root = tree.open_folder(path)
        except OSError as error:
            self._failed(path, error)
            return matched
        try:
            status = os.fstat(root)
            if not pattern and not self._new_folder(status):
                return matched
            self.devices.add(status.st_dev)
            self.roots.append((SOME if pattern else WHOLE, os.readlink("/proc/self/fd/%d" % root), pattern))
            prefix = path.rstrip("/") + "/"

            def enter(entry: Entry) -> bool:
                if entry.depth == 1 and pattern and not matches(entry.name, pattern):
                    return False
                return self._new_folder(entry.stat)

            for entry in tree.walk(
                root,
                depth=tree.DEEPEST if self.recurse else 1,
                enter=enter,
                problem=lambda words: self._problem(printable(prefix) + words),
            ):
                named = bool(pattern) and entry.depth == 1
                if named and not matches(entry.name, pattern):
                    continue
                matched = matched or named
                if stat.S_ISLNK(entry.stat.st_mode):
                    self.links += 1
                elif stat.S_ISREG(entry.stat.st_mode) and (named or self._wanted(entry.name)):
                    self._count(prefix + entry.path, entry.stat, listed)
        finally:
            os.close(root)
        return matched

    def _wanted(self, name: str) -> bool:
        return not self.patterns or any(matches(name, pattern, hidden=True) for pattern in self.patterns)

    def _new_folder(self, status: os.stat_result) -> bool:
        key = (status.st_dev, status.st_ino)
        if key in self._folders:
            return False
        if len(self._folders) < MOST_SEEN:
            self._folders.add(key)
        return True

    def _count(self, path: str, status: os.stat_result, listed: bool) -> None:
        key = (status.st_dev, status.st_ino)
        if self._seen and key in self._seen:
            return
        if listed or status.st_nlink > 1:
            if len(self._seen) < MOST_SEEN:
                self._seen.add(key)
            else:
                self.uncertain = True
        disk = status.st_blocks * 512
        self.files += 1
        self.size_bytes += status.st_size
        self.disk_bytes += disk
        file = {"path": path, "size_bytes": status.st_size, "disk_bytes": disk, "modified": status.st_mtime}
        self.largest.add(file)
        if status.st_size >= SPARSE_FROM and disk * 2 < status.st_size:
            self.sparse.add(file)

    def _failed(self, path: str, error: OSError) -> None:
        if error.errno not in (2, 20):
            self._problem("%s: %s" % (printable(path), error.strerror))

    def _problem(self, words: str) -> None:
        self.problem_count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(words)


class Largest:
    """The largest of many files, by one of their numbers, in the memory of a few."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._files: list[dict[str, Any]] = []
        self._least = -1

    def add(self, file: dict[str, Any]) -> None:
        """Keep a file if it is large enough."""
        if file[self.key] < self._least:
            return
        self._files.append(file)
        if len(self._files) > 4 * KEPT:
            self._least = self.sorted()[-1][self.key]

    def sorted(self) -> list[dict[str, Any]]:
        """Return the files kept, at most 500, the largest first."""
        self._files.sort(key=lambda file: (-file[self.key], file["path"]))
        del self._files[KEPT:]
        return self._files


def is_pattern(text: str) -> bool:
    """Whether a path or a part of one holds a sign that patterns give a meaning to."""
    return any(sign in text for sign in "*?[")


def matches(name: str, pattern: str, hidden: bool = False) -> bool:
    """Whether a file's name fits a pattern; as in a shell, a leading dot must be asked for unless `hidden`."""
    if name.startswith(".") and not hidden and not pattern.startswith("."):
        return False
    return globs.matches(name, pattern)


def beneath(path: str, roots: Sequence[tuple[str, str, str]], recurse: bool) -> bool:
    """Whether a path, of a file that may be gone by now, lies where `Sizes` looked."""
    for kind, root, pattern in roots:
        if kind == FILE:
            if path == root:
                return True
            continue
        prefix = root.rstrip("/") + "/"
        if not path.startswith(prefix):
            continue
        first, deeper, _rest = path[len(prefix) :].partition("/")
        if (recurse or not deeper) and (kind == WHOLE or matches(first, pattern)):
            return True
    return False
