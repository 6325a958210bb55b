"""What the emulator's own export and import leave out: named databases, and the state of an earlier time.

It exports and imports default databases only, as they are. For the rest, documents are copied through a project that is
nobody's; the times at which they were made are lost on that way.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping

from services.firestore import FirestoreEmulator

__all__ = ["count", "export_files", "import_files"]

_SCRATCH = ("opslib-scratch", "(default)")
_EVERYTHING = {"from": [{"allDescendants": True}]}


def count(emulator: FirestoreEmulator, project: str, database: str) -> int:
    """Return the number of all documents of a database."""
    query = {"structuredQuery": _EVERYTHING, "aggregations": [{"alias": "n", "count": {}}]}
    path = f"/v1/projects/{project}/databases/{database}/documents:runAggregationQuery"
    found = json.loads(emulator.request("POST", path, {"structuredAggregationQuery": query}))
    return int(found[0]["result"]["aggregateFields"]["n"]["integerValue"])


def export_files(
    emulator: FirestoreEmulator, project: str, database: str, name: str, moment: str | None
) -> tuple[dict[str, bytes], int]:
    """Return the files of an export by their paths in its folder, and the number of its documents."""
    place = (project, database)
    if moment is not None or database != "(default)":
        _clear(emulator)
        _copy(emulator, place, _SCRATCH, moment)
        place = _SCRATCH
    folder = emulator.folder / uuid.uuid4().hex
    folder.mkdir()
    try:
        emulator.export(*place, folder, name)
        files = {str(file.relative_to(folder / name)): file for file in (folder / name).rglob("*") if file.is_file()}
        return {path: file.read_bytes() for path, file in sorted(files.items())}, count(emulator, *place)
    finally:
        shutil.rmtree(folder)


def import_files(
    emulator: FirestoreEmulator, project: str, database: str, name: str, files: Mapping[str, bytes]
) -> int:
    """Read the files of an export into a database, and return how many documents they hold. Raises Refused."""
    folder = emulator.folder / uuid.uuid4().hex
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    marker = folder / f"{name}.overall_export_metadata"
    try:
        _clear(emulator)
        emulator.import_(*_SCRATCH, marker)
        documents = count(emulator, *_SCRATCH)
        if database == "(default)":
            emulator.import_(project, database, marker)
        else:
            _copy(emulator, _SCRATCH, (project, database), None)
        return documents
    finally:
        shutil.rmtree(folder)


def _clear(emulator: FirestoreEmulator) -> None:
    emulator.use(*_SCRATCH)
    emulator.request("DELETE", f"/emulator/v1/projects/{_SCRATCH[0]}/databases/{_SCRATCH[1]}/documents")


def _copy(emulator: FirestoreEmulator, here: tuple[str, str], there: tuple[str, str], moment: str | None) -> None:
    source, target = (f"projects/{project}/databases/{database}" for project, database in (here, there))
    query = {"structuredQuery": _EVERYTHING} | ({"readTime": moment} if moment else {})
    rows = json.loads(emulator.request("POST", f"/v1/{source}/documents:runQuery", query))
    documents = [row["document"] for row in rows if "document" in row]
    writes = [
        {"update": {"name": each["name"].replace(source, target, 1), "fields": each.get("fields", {})}}
        for each in documents
    ]
    emulator.request("POST", f"/v1/{target}/documents:commit", {"writes": writes})
