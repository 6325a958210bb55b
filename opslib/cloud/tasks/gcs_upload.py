"""Upload files to a bucket."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from opslib.cloud.gcp.bucket_task import BucketTask, object_name, prefix_name
from opslib.cloud.gcp.departure import GRAIN, Parcel, send
from opslib.cloud.gcp.disk import checksum, opened
from opslib.cloud.gcp.objects import Item, said
from opslib.cloud.task import CREATE, MODIFY, Change, Plan, TaskError, param
from opslib.host.files import tree
from opslib.host.params import Boolean, Duration, Number, Path, Size
from opslib.host.words import count, listed, printable, size

__all__ = ["GcsUpload"]


@dataclass(frozen=True, slots=True)
class _File:
    """A file by its path below the folder, the object that it belongs to, and the one that is there."""

    path: str
    name: str
    size: int
    crc32c: str
    there: Item | None


@dataclass(frozen=True, slots=True)
class _State:
    files: Sequence[_File]
    warnings: Sequence[str]


class GcsUpload(BucketTask, name="gcs_upload"):
    """Upload a file to an object, or all files below a folder to objects below a prefix.

    A file is sent in parts; when the connection breaks, the part that did not arrive is sent again. The service is told
    the checksum first and makes an object only of exactly that content; a file that changes meanwhile fails the step.
    Objects that are equal already are not sent; others are replaced only with `overwrite`, and only while they are the
    version that was seen. A run that was cut short has made whole objects or none. Nothing is removed. Only regular
    files are sent; links are not followed.

    data: `files`, `bytes`: all that belongs there; `url`.
    """

    path: str = param(Path(), "The file, or for a prefix the folder.", example="/srv/app/dump.gz")
    object: str | None = param(object_name(), "The object to make of a file.", default=None, example="manual/dump.gz")
    prefix: str | None = param(
        prefix_name(), "How the objects' names begin, as a folder; give this or object.", default=None
    )
    overwrite: bool = param(Boolean(), "Whether objects with other content are replaced.", default=False)
    part: int = param(Size(), "Bytes of one request, a multiple of 256K.", default="8M")
    most: int = param(Number(1, 200000, whole=True), "Refuse to act when there are more files.", default=10000)
    wait: float = param(Duration(low=0.01), "Seconds that everything together may take.", default="6h")

    def check(self) -> None:
        if (self.object is None) == (self.prefix is None):
            self.refuse("give either object or prefix")
        if self.part % GRAIN or not self.part or self.part > 256 << 20:
            self.refuse(f"part {self.part} is no multiple of 256K up to 256M")

    def look(self) -> _State:
        self.prove_bucket()
        warnings: list[str] = []
        files = self._single() if self.object is not None else self._several(warnings)
        return _State(files, warnings)

    def _single(self) -> list[_File]:
        assert self.object is not None
        there = self.storage.item(self.bucket, self.object)
        folder = self._open()
        try:
            return [self._read(folder, os.path.basename(self.path), self.object, there)]
        finally:
            os.close(folder)

    def _several(self, warnings: list[str]) -> list[_File]:
        prefix = self.prefix or ""
        prefix = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
        there = {item.name: item for item in self.storage.items(self.bucket, prefix)}
        folder = self._open()
        try:
            paths = self._paths(folder, warnings)
            return [self._read(folder, path, prefix + path, there.get(prefix + path)) for path in paths]
        finally:
            os.close(folder)

    def _open(self) -> int:
        """Open the folder that the files' paths begin at."""
        path = self.path if self.object is None else os.path.dirname(self.path)
        try:
            return tree.open_folder(path)
        except OSError as error:
            raise TaskError(f"{path} cannot be entered: {error.strerror}") from None

    def _paths(self, folder: int, warnings: list[str]) -> list[str]:
        found = []
        for entry in tree.walk(folder, problem=warnings.append):
            if stat.S_ISDIR(entry.stat.st_mode):
                continue
            if not stat.S_ISREG(entry.stat.st_mode) or not entry.path.isprintable():
                warnings.append(f"{printable(entry.path)} is left out: it is no regular file with a plain name")
            else:
                found.append(entry.path)
            if len(found) > self.most:
                raise TaskError(f"{self.path} has more files than most, {self.most}")
        return sorted(found)

    def _read(self, folder: int, path: str, name: str, there: Item | None) -> _File:
        with opened(folder, path) as file:
            if file is None:
                raise TaskError(f"there is no file {self.path}" if self.object else f"{said(path)} is gone")
            length, crc = checksum(file)
            return _File(path, name, length, str(crc), there)

    def compare(self, state: _State) -> Plan:
        prefix = self.prefix if self.object is None else self.object
        data = {
            "files": len(state.files),
            "bytes": sum(file.size for file in state.files),
            "url": f"gs://{self.bucket}/{prefix}",
        }
        due = [file for file in state.files if file.there is None or not _equal(file, file.there)]
        others = [said(file.name) for file in due if file.there is not None]
        if not state.files:
            return Plan(failure=f"there is no file below {self.path}", warnings=state.warnings, data=data)
        if others and not self.overwrite:
            failure = f"other content in {count(len(others), 'object')}: {listed(others, 3)}; overwrite replaces it"
            return Plan(failure=failure, warnings=state.warnings, data=data)
        changes = [self._change(file) for file in due]
        reason = "" if changes else f"gs://{self.bucket}/{prefix} has all of {count(len(state.files), 'file')} already"
        return Plan(changes=changes, reason=reason, warnings=state.warnings, data=data)

    def _change(self, file: _File) -> Change:
        return Change(
            kind=CREATE if file.there is None else MODIFY,
            summary=f"upload {said(file.path)} ({size(file.size)}) to gs://{self.bucket}/{said(file.name)}",
            before=None if file.there is None else f"crc32c {file.there.crc32c}",
            after=f"crc32c {file.crc32c}",
            detail=file,
        )

    def apply(self, change: Change) -> None:
        file: _File = change.detail
        folder = self._open()
        try:
            with opened(folder, file.path) as source:
                if source is None:
                    raise TaskError(f"{said(file.path)} is gone")
                generation = 0 if file.there is None else file.there.generation
                parcel = Parcel(self.bucket, file.name, source, file.size, file.crc32c, generation)
                told = f"of {size(file.size)} sent to {parcel.shown}"
                send(self.storage, parcel, part=self.part, told=lambda done: self.say(f"{size(done)} {told}"))
        finally:
            os.close(folder)


def _equal(file: _File, item: Item) -> bool:
    return (file.size, file.crc32c) == (item.size, item.crc32c)
