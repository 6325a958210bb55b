"""Make one backup: a dump and the numbers of rows from one snapshot, a checksum of what is on the disk, a manifest."""

from __future__ import annotations

import os
import time

from opslib.host.files import tree
from opslib.host.task import TaskError

from . import catalog, store
from .programs import Programs
from .session import Session
from .store import DUMP, FORMAT, MANIFEST, PARTIAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .settings import Settings

# A session that waits for pg_dump, within a transaction, must not be ended for that.
_PATIENT = "SET idle_in_transaction_session_timeout = 0", "SET statement_timeout = 0", "SET row_security = off"


def make(
    settings: Settings, folder: int, *, now: float, timeout: float, keep_free: int, safety: bool = False
) -> dict[str, Any]:
    """Back up a database to an open folder and return the manifest. Nothing is left of a backup that fails.

    safety: whether it is made before a restore, and so no candidate for the next; timeout: seconds for all of it;
    keep_free: bytes that must stay free.
    """
    deadline = time.monotonic() + timeout
    programs = Programs(settings, deadline)
    version = programs.version("pg_dump")
    taken = {file.partition(".")[0] for file in os.listdir(folder)}
    name = store.name_for(settings.database, now, taken, safety)
    try:
        with Session(settings) as session:
            manifest = _facts(session, settings)
            for statement in _PATIENT:
                session.rows(statement)
            session.rows("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            snapshot = session.value("SELECT pg_export_snapshot()")
            manifest["tables"] = catalog.count_rows(session, max(deadline - time.monotonic(), 0.1))
            file = store.new_file(folder, name + DUMP + PARTIAL)
            try:
                programs.dump(snapshot or "", file, keep_free)
                os.fsync(file)
            finally:
                os.close(file)
        manifest.update(_read_back(programs, folder, name + DUMP + PARTIAL))
        seconds = round(timeout - (deadline - time.monotonic()), 3)
        manifest.update(opslib_backup=FORMAT, name=name, taken=now, pg_dump_version=version, seconds=seconds)
        store.write_aside(folder, name + MANIFEST, manifest)
        for ending in (DUMP, MANIFEST):
            os.rename(name + ending + PARTIAL, name + ending, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
    except BaseException as error:
        named = (DUMP,) if name + MANIFEST not in os.listdir(folder) else ()
        for ending in (DUMP + PARTIAL, *named, MANIFEST + PARTIAL):
            tree.remove(folder, name + ending)
        if isinstance(error, OSError):
            raise TaskError("the backup cannot be written: %s" % error.strerror) from None
        raise
    return manifest


def _facts(session: Session, settings: Settings) -> dict[str, Any]:
    found = catalog.database(session, settings.database)
    if found is None:
        raise TaskError("the server does not tell what database %s is made of" % settings.database)
    facts = {key: found[key] for key in ("owner", "encoding", "collate", "ctype", "provider", "locale", "size_bytes")}
    server = session.parameters.get("server_version", "")
    facts.update(database=settings.database, server="%s:%d" % (settings.host, settings.port), server_version=server)
    return facts


def _read_back(programs: Programs, folder: int, name: str) -> dict[str, Any]:
    """Return the size and checksum of a dump as it is on the disk, once pg_restore can tell what is in it."""
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        programs.contents(file)
        return {"bytes": os.fstat(file).st_size, "sha256": store.checksum(file)}
    finally:
        os.close(file)
