"""Looking into a Firestore export: from its completion marker to the parts, and from them to the outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from opslib.cloud.gcp.arrival import CorruptError, fetch, read
from opslib.cloud.gcp.export_log import DamagedError, LogReader, Part, names_in, parts_in, records
from opslib.cloud.gcp.objects import Item, said
from opslib.cloud.gcp.storage import Storage
from opslib.cloud.libraries import load

__all__ = ["MARKER", "Findings", "follow", "found_marker", "read_all"]

MARKER = ".overall_export_metadata"
_MOST_META = 16 << 20  # bytes of a marker or of a part's metadata
_SLACK = timedelta(minutes=1)  # between the clocks of the service's servers


@dataclass(slots=True)
class Findings:
    """What is found, step by step. items: the folder's objects by name; outputs: those that the parts name."""

    folder: str
    items: dict[str, Item]
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    documents: int | None = None
    outputs: list[Item] = field(default_factory=list)


def found_marker(found: Findings) -> Item | None:
    """Return the completion marker, None without a single one, and see that it was written last."""
    inside = len(found.folder) + 1
    markers = [item for item in found.items.values() if item.name.endswith(MARKER) and "/" not in item.name[inside:]]
    if not found.items:
        found.problems.append("there is nothing in this folder")
    elif not markers:
        found.problems.append(f"it has no completion marker (*{MARKER}): the export is under way or has failed")
    elif len(markers) > 1:
        found.problems.append(f"it has {len(markers)} completion markers: more than one export was written here")
    if len(markers) != 1:
        return None
    late = [item for item in found.items.values() if item.created > markers[0].created + _SLACK]
    for item in late[:3]:
        found.problems.append(f"{said(item.name)} was written after the export was complete")
    return markers[0]


def follow(storage: Storage, marker: Item, found: Findings) -> None:
    """Follow the names from the marker to the parts, and from them to the outputs."""
    crc32c = load("google_crc32c", "gcp").value
    if not marker.size:
        found.problems.append("its completion marker is empty")
        return
    try:
        parts = parts_in(records(read(storage, marker, most=_MOST_META), crc32c))
    except (DamagedError, CorruptError) as error:
        found.problems.append(f"its completion marker is damaged: {error}")
        return
    counts = [part.documents for part in parts if part.documents is not None]
    found.documents = sum(counts) if len(counts) == len(parts) else None
    outside = _layout(found)
    if not parts:
        found.remarks.append("its marker names no part" + ("" if outside else ": the database was empty"))
    for part in parts:
        _follow_part(storage, part, found)
    named = {item.name for item in found.outputs}
    for name in sorted(outside - named) if parts else ():
        found.remarks.append(f"{said(name)} is named by no part")


def _layout(found: Findings) -> set[str]:
    """Return the outputs that are there, whoever names them."""
    return {name for name in found.items if name.rpartition("/")[2].startswith("output-")}


def _follow_part(storage: Storage, part: Part, found: Findings) -> None:
    name = f"{found.folder}/{part.name}"
    meta = found.items.get(name)
    if meta is None or not meta.size:
        found.problems.append(f"its part {said(part.name)} is {'missing' if meta is None else 'empty'}")
        return
    try:
        outputs = names_in(read(storage, meta, most=_MOST_META))
    except CorruptError as error:
        found.problems.append(str(error))
        return
    if not outputs and part.documents:
        found.remarks.append(f"its part {said(part.name)} names no output")
    total = 0
    for output in outputs:
        item = found.items.get(f"{name.rpartition('/')[0]}/{output}")
        if item is None or not item.size:
            found.problems.append(f"{output} of {said(part.name)} is {'missing' if item is None else 'empty'}")
        else:
            found.outputs.append(item)
            total += item.size
    if part.bytes is not None and total != part.bytes and not found.problems:
        found.remarks.append(f"the outputs of {said(part.name)} have {total} bytes; its marker tells {part.bytes}")


def read_all(storage: Storage, found: Findings, told: Callable[[str], object]) -> None:
    """Read everything once; what is wrong with one object does not keep the others from being read."""
    crc32c = load("google_crc32c", "gcp").value
    outputs = {item.name for item in found.outputs}
    count, done, total = 0, 0, sum(item.size for item in found.items.values())
    for item in found.items.values():
        log = LogReader(crc32c)
        take: Callable[[bytes], object] = log.write if item.name in outputs else len
        try:
            fetch(storage, item, take)
            if item.name in outputs:
                log.close()
        except CorruptError as error:
            found.problems.append(str(error))
        except DamagedError as error:
            found.problems.append(f"{item.shown} is damaged: {error}")
        count += log.count
        done += item.size
        told(f"read {done} of {total} bytes of gs://{item.bucket}/{said(found.folder)}")
    if found.documents is not None and count != found.documents and not found.problems:
        found.problems.append(f"its outputs hold {count} documents; its marker tells {found.documents}")
