"""Download objects of a bucket to files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from opslib.cloud.errors import MalformedError
from opslib.cloud.gcp.bucket_task import BucketTask, object_name, prefix_name
from opslib.cloud.gcp.disk import checksum, land, opened, relative
from opslib.cloud.gcp.objects import Item, said
from opslib.cloud.task import CREATE, MODIFY, Change, Plan, TaskError, param
from opslib.host.files import tree
from opslib.host.params import Boolean, Duration, Mode, Number, Path
from opslib.host.words import count, listed, size

__all__ = ["GcsDownload"]

_SAME, _MISSING, _OTHER = "same", "missing", "other"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An object, where it belongs below the folder, and what is there."""

    item: Item
    path: str
    there: str


@dataclass(frozen=True, slots=True)
class _State:
    wanted: Sequence[_Wanted]
    free: int
    warnings: Sequence[str]


class GcsDownload(BucketTask, name="gcs_download"):
    """Download an object to a file, or all objects below a prefix to a folder.

    Exactly the versions that were seen when looking are downloaded, and held against their checksums. A file appears
    whole or not at all: what arrives is kept in a private file beside it, and when the connection breaks or the run is
    cut short, this run or the next goes on from there. Files that are equal already are not downloaded; others are
    replaced only with `overwrite`. Nothing here is removed. Names of objects that no file below the folder can have
    (with `..`, control characters, parts that are too long) are refused before anything is written.

    data: `files`, `bytes`: all that belongs there; `path`. Errors: there is no such object; the disk is too full.
    """

    object: str | None = param(object_name(), "The object.", default=None, example="daily/dump.gz")
    prefix: str | None = param(
        prefix_name(), "How the objects' names begin, as a folder; give this or object.", default=None
    )
    path: str = param(
        Path(), "The file to write, or for a prefix the folder; the folder above it must exist.", example="/srv/dump.gz"
    )
    overwrite: bool = param(Boolean(), "Whether files with other content are replaced.", default=False)
    mode: str = param(Mode(), "Permission bits of the files.", default="0600")
    most: int = param(Number(1, 200000, whole=True), "Refuse to act when there are more objects.", default=10000)
    wait: float = param(Duration(low=0.01), "Seconds that everything together may take.", default="6h")

    def check(self) -> None:
        if (self.object is None) == (self.prefix is None):
            self.refuse("give either object or prefix")
        if self.path == "/":
            self.refuse("path / is no place for downloads")

    def look(self) -> _State:
        warnings = list(self.unproven)
        items = self._items()
        folder = self._open(make=False)
        try:
            wanted = [self._compared(item, path, folder) for item, path in items]
            disk = os.statvfs(folder if folder is not None else os.path.dirname(self.path))
        finally:
            if folder is not None:
                os.close(folder)
        return _State(wanted, disk.f_bavail * disk.f_frsize, warnings)

    def _items(self) -> list[tuple[Item, str]]:
        """Return the objects, each with its path below the folder."""
        if self.object is not None:
            item = self.storage.item(self.bucket, self.object)
            if item is None:
                raise TaskError(f"there is no object gs://{self.bucket}/{said(self.object)}")
            return [(item, os.path.basename(self.path))]
        prefix = self._folder
        found = self.storage.items(self.bucket, prefix, most=self.most)
        pairs = [(item, relative(prefix, item.name)) for item in found if not item.name.endswith("/")]
        files = {path for _item, path in pairs}
        for path in files:
            above = path.rpartition("/")[0]
            if above in files:
                raise MalformedError(f"gs://{self.bucket}/{said(prefix + above)} is an object and a folder of others")
        return pairs

    @property
    def _folder(self) -> str:
        """The prefix, with the slash that ends a folder's name."""
        prefix = self.prefix or ""
        return prefix if not prefix or prefix.endswith("/") else f"{prefix}/"

    def _open(self, *, make: bool) -> int | None:
        """Open the folder that the files' paths begin at; None for one that is not there yet."""
        above, name = os.path.split(self.path)
        if self.object is not None:
            return tree.open_folder(above)
        root = tree.open_folder(above)
        try:
            if make and not os.access(name, os.F_OK, dir_fd=root, follow_symlinks=False):
                os.mkdir(name, 0o700, dir_fd=root)
        finally:
            os.close(root)
        try:
            return tree.open_folder(self.path)
        except FileNotFoundError:
            return None

    def _compared(self, item: Item, path: str, folder: int | None) -> _Wanted:
        if folder is None:
            return _Wanted(item, path, _MISSING)
        with opened(folder, path) as file:
            if file is None:
                return _Wanted(item, path, _MISSING)
            same = os.fstat(file).st_size == item.size and str(checksum(file)[1]) == item.crc32c
            return _Wanted(item, path, _SAME if same else _OTHER)

    def compare(self, state: _State) -> Plan:
        due = [wanted for wanted in state.wanted if wanted.there != _SAME]
        data = {
            "files": len(state.wanted),
            "bytes": sum(wanted.item.size for wanted in state.wanted),
            "path": self.path,
        }
        others = [wanted.path for wanted in due if wanted.there == _OTHER]
        need = sum(wanted.item.size for wanted in due)
        if not state.wanted:
            return Plan(failure=f"there is no object below gs://{self.bucket}/{said(self._folder)}", data=data)
        if others and not self.overwrite:
            failure = (
                f"other content in {count(len(others), 'file')}: {listed(sorted(others), 3)}; overwrite replaces it"
            )
            return Plan(failure=failure, warnings=state.warnings, data=data)
        if need > state.free:
            failure = f"{self.path} needs {size(need)}, and the disk has {size(state.free)} free"
            return Plan(failure=failure, warnings=state.warnings, data=data)
        changes = [self._change(wanted) for wanted in due]
        reason = "" if changes else f"{self.path} has all of {count(len(state.wanted), 'object')} already"
        return Plan(changes=changes, reason=reason, warnings=state.warnings, data=data)

    def _change(self, wanted: _Wanted) -> Change:
        place = self.path if self.object is not None else f"{self.path}/{wanted.path}"
        return Change(
            kind=CREATE if wanted.there == _MISSING else MODIFY,
            summary=f"download {wanted.item.shown} ({size(wanted.item.size)}) to {place}",
            after=f"crc32c {wanted.item.crc32c}",
            detail=wanted,
        )

    def apply(self, change: Change) -> None:
        wanted: _Wanted = change.detail
        folder = self._open(make=True)
        assert folder is not None
        try:
            land(
                self.storage,
                wanted.item,
                folder,
                wanted.path,
                mode=int(self.mode, 8),
                replace=wanted.there == _OTHER,
                told=lambda done: self.say(f"{size(done)} of {size(wanted.item.size)} of {wanted.item.shown}"),
            )
        finally:
            os.close(folder)
