"""Add up the sizes of files below paths, each file once, in bounded memory."""

from __future__ import annotations

import os
import stat

from . import tree
from .task import TaskError
from .words import printable

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
        *parts, last = path.split("/")[1:]
        folders = [""]
        sure = True
        for part in [*parts, last]:
            wild = is_pattern(part)
            if wild and sure:
                sure = False
                try:
                    os.close(tree.open_folder(folders[0] or "/"))
                except OSError as error:
                    words = "does not exist" if error.errno == 2 else "cannot be looked at: %s" % error.strerror
                    self.missing.append("%s: %s %s" % (printable(path), printable(folders[0]), words))
                    return
            if part is last and part == parts[-1:]:
                break
        folders = [""]
        for part in parts:
            if is_pattern(part):
                folders = [folder + "/" + name for folder in folders for name in self._names(folder or "/", part)]
            else:
                folders = [folder + "/" + part for folder in folders]
            if len(folders) > MOST_FOLDERS:
                raise TaskError("%s matches more than %d folders; name fewer" % (printable(path), MOST_FOLDERS))
