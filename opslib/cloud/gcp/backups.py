"""Backups in Cloud Storage: found by the time at which they were complete, never by their names, and proven.

A Firestore export is a folder; its completion marker `NAME.overall_export_metadata` is written last, and names the
parts, each of which names its outputs. Without the marker the export has failed or is under way.
Source: https://cloud.google.com/firestore/docs/manage-data/export-import.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from opslib.cloud.gcp.export_proof import MARKER, Findings, follow, found_marker, read_all
from opslib.cloud.gcp.objects import Item, said
from opslib.cloud.gcp.storage import Storage

__all__ = ["MARKER", "Backup", "Proof", "folders", "prove", "prove_items", "single_objects"]


@dataclass(frozen=True, slots=True)
class Backup:
    """What a listing tells of a backup: a folder with an export, or a single object.

    name: of the folder (no slash at its end) or of the object; items: its objects; finished: when it was complete, None
    for an export without a marker.
    """

    bucket: str
    name: str
    items: Sequence[Item]
    finished: datetime | None

    @property
    def shown(self) -> str:
        """Its address, on one printable line."""
        return f"gs://{self.bucket}/{said(self.name)}"

    @property
    def bytes(self) -> int:
        """The size of all its objects."""
        return sum(item.size for item in self.items)

    @property
    def newest(self) -> datetime:
        """When the last of its objects was written."""
        return max(item.created for item in self.items)


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found of one export.

    problems: why it must not be relied on, in words, empty for a good one (then `complete` is True); remarks: what is
    odd about it and no problem. finished: when its marker was written, None without one. documents: how many it holds
    by its marker, None when that does not tell. items: its objects, with sizes and checksums. verified: whether every
    byte was read and compared with its checksum.
    """

    bucket: str
    folder: str
    problems: Sequence[str]
    remarks: Sequence[str]
    finished: datetime | None
    documents: int | None
    items: Sequence[Item]
    verified: bool

    @property
    def complete(self) -> bool:
        """Whether it can be restored from, as far as was looked."""
        return not self.problems

    @property
    def url(self) -> str:
        """Its address, as an import takes it."""
        return f"gs://{self.bucket}/{self.folder}"

    @property
    def bytes(self) -> int:
        """The size of all its objects."""
        return sum(item.size for item in self.items)


def folders(bucket: str, prefix: str, items: Iterable[Item]) -> list[Backup]:
    """Return the exports among the objects below a prefix, the newest complete one first, then those without a marker.

    An export is a folder that holds a marker; what lies in no such folder is taken together by the first part of the
    names after the prefix. Objects outside any folder belong to no export.
    """
    items = list(items)
    ends = {item.name.rpartition("/")[0]: item for item in items if item.name.endswith(MARKER) and "/" in item.name}
    groups: dict[str, list[Item]] = {}
    for item in items:
        name = _folder(item.name, prefix, ends)
        if name:
            groups.setdefault(name, []).append(item)
    found = [
        Backup(bucket, name, group, ends[name].created if name in ends else None) for name, group in groups.items()
    ]
    return sorted(found, key=_age_order, reverse=True)


def single_objects(bucket: str, items: Iterable[Item]) -> list[Backup]:
    """Return the backups of which each is one object (a dump), the newest first; objects appear only when complete."""
    found = [Backup(bucket, item.name, [item], item.created) for item in items if not item.name.endswith("/")]
    return sorted(found, key=_age_order, reverse=True)


def prove(
    storage: Storage,
    bucket: str,
    folder: str,
    *,
    verify: bool = False,
    told: Callable[[str], object] | None = None,
) -> Proof:
    """Prove that a folder holds a whole Firestore export, and return what was found.

    bucket: without gs://; folder: the export's, as given to `gcloud firestore export` without the bucket; verify: read
    every byte (this costs what a download costs) and hold it against the object's checksum, and the records of the
    outputs against theirs and against the number of documents; told: takes a line of progress, now and then.

    Proven are: there is one marker, it is no older than any other object, it is undamaged, each part that it names is
    there, each output that a part names is there, and nothing but the marker of an empty export is empty. A folder that
    does not hold this is no error: the proof's `problems` say what is wrong. Raises what reading raises: RefusedError,
    ExpiredError, MalformedError, and the last transient error when time is up.
    """
    folder = folder.rstrip("/")
    return prove_items(storage, bucket, folder, storage.items(bucket, f"{folder}/"), verify=verify, told=told)


def prove_items(
    storage: Storage,
    bucket: str,
    folder: str,
    items: Sequence[Item],
    *,
    verify: bool = False,
    told: Callable[[str], object] | None = None,
) -> Proof:
    """Prove an export whose objects have been listed already; see `prove`."""
    found = Findings(folder, {item.name: item for item in items})
    marker = found_marker(found)
    if marker is not None:
        follow(storage, marker, found)
        if verify:
            read_all(storage, found, told or (lambda _line: None))
    return Proof(
        bucket=bucket,
        folder=folder,
        problems=found.problems,
        remarks=found.remarks,
        finished=marker.created if marker is not None else None,
        documents=found.documents,
        items=items,
        verified=verify and marker is not None and not found.problems,
    )


def _age_order(backup: Backup) -> tuple[bool, datetime, str]:
    return backup.finished is not None, backup.finished or backup.newest, backup.name


def _folder(name: str, prefix: str, ends: dict[str, Item]) -> str:
    """Return the name of the export that an object belongs to, "" for none."""
    place = name.rpartition("/")[0]
    while place and len(place) >= len(prefix.rstrip("/")):
        if place in ends:
            return place
        place = place.rpartition("/")[0]
    first, slash, _rest = name[len(prefix) :].partition("/")
    return prefix + first if slash and (prefix + first).strip("/") else ""
