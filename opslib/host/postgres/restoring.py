"""Restore a backup so that the old data serves until the new is complete and verified, and services come back anyway.

A file `DATABASE.restoring` beside the backups says, while it goes on, which units were stopped and which databases are
aside, so that the next run can put right what a killed one left. `DATABASE.restored` says which backup a database was
made from, and by its number in pg_database that it still is that database.
"""

from __future__ import annotations

import os
import time

from opslib.host.files import tree
from opslib.host.files.locked import Locked
from opslib.host.record import Record
from opslib.host.task import TaskError
from opslib.host.tasks.service import Service
from opslib.host.units import systemd
from opslib.host.words import listed, printable
from opslib.host.worker import FAILED, run_step

from . import backup as database_backup
from . import catalog, databases, programs, store
from .session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from .settings import Settings
    from .store import Backup

RESTORING, RESTORED = ".restoring", ".restored"
_IN_PLACE = ("--clean", "--if-exists", "--single-transaction")


class Work(Record):
    """What a restore needs to know. units: in the order in which they are stopped; started in the opposite one."""

    settings: Settings
    maintenance: Settings
    folder: str
    backup: Backup
    units: Sequence[str]
    in_place: bool
    safety: bool
    keep_old: bool
    superuser: bool
    timeout: float
    keep_free: int
    settle: float
    start_timeout: float


def restore(work: Work) -> dict[str, Any]:
    """Restore; return `safety_backup`, `old_database` and `seconds`. Units are started again whatever happens."""
    began = time.time()
    stamp = time.strftime("%Y%m%d_%H%M%S", time.gmtime(began))
    database = work.settings.database
    note = {
        "units": list(work.units),
        "scratch": databases.aside(database, "restore_" + stamp),
        "old": None if work.in_place else databases.aside(database, "before_" + stamp),
        "keep_old": work.keep_old,
    }
    record = store.stem(database) + RESTORING
    with Locked(work.folder) as folder:
        store.write_json(folder, record, note)
        try:
            for unit in work.units:
                control(unit, "stopped", work)
            done = _replace(work, folder, note)
        except databases.Undecided as error:  # the note stays: the next run finds out, and puts it right
            failed = _start(work)
            words = "%s; the next run finds out and puts it right"
            error.args = ("; ".join([words % error, *([failed] if failed else [])]),)
            raise
        except BaseException as error:
            clean, words = _clean_up(work, note, error)
            if clean:
                tree.remove(folder, record)
            if isinstance(error, OSError):  # which words itself by its number
                raise TaskError(words) from error
            if isinstance(error, Exception):
                error.args = (words,)
            raise
        wrong = _start(work)
        if wrong:  # the note stays, so that the next run starts them, and what was before stays, too
            words = "database %s is restored, but %s; what it held before is in database %s"
            store.write_json(folder, record, dict(note, keep_old=True))
            raise TaskError(words % (database, wrong, done["old_database"] or done["safety_backup"]), **done)
        if done["old_database"] and not work.keep_old:
            _forget(work, done["old_database"])
            done["old_database"] = None
        tree.remove(folder, record)
        return dict(done, seconds=round(time.time() - began, 3))


def _forget(work: Work, old: str) -> None:
    try:
        with Session(work.maintenance) as session:
            databases.drop(session, old)
    except TaskError as error:  # the note stays
        words = "database %s is restored, but what it held before is left in database %s, which the next run drops: %s"
        raise TaskError(words % (printable(work.settings.database), printable(old), error)) from None


def put_right(work: Work, note: dict[str, Any], goes_on: bool) -> None:
    """Bring a host back to order after a restore that was killed: units started, databases aside dropped.

    goes_on: whether a restore follows, which starts the other units of the note, and puts a note in its place.
    """
    with Locked(work.folder) as folder:
        for unit in reversed(work.units):
            # One that crashes and is started by systemd again and again is to begin anew.
            control(unit, "restarted" if systemd.show(unit).restarting else "started", work)
        with Session(work.maintenance) as session:
            scratch, old = note.get("scratch"), note.get("old")
            if isinstance(scratch, str):
                databases.drop(session, scratch)
            there = catalog.database(session, work.settings.database) is not None
            if isinstance(old, str) and there and not note.get("keep_old"):
                databases.drop(session, old)
        if not goes_on:
            tree.remove(folder, store.stem(work.settings.database) + RESTORING)


def control(unit: str, state: str, work: Work) -> None:
    """Start or stop a unit and see that it did. Raises TaskError."""
    settings = {"unit": unit, "state": state, "settle": work.settle, "start_timeout": work.start_timeout}
    result = run_step(Service, dict(settings, reset_failed=state != "stopped"), False)
    if result["status"] == FAILED:
        raise TaskError(result["error"], log=result["data"].get("log", []))


def _replace(work: Work, folder: int, note: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + work.timeout
    tools = programs.Programs(work.settings, deadline)
    database = work.settings.database
    done: dict[str, Any] = {"safety_backup": None, "old_database": None}
    file = store.open_dump(folder, work.backup)
    try:
        if store.checksum(file) != work.backup.manifest["sha256"]:
            words = "backup %s is broken: its dump has another checksum than its manifest says"
            raise TaskError(words % work.backup.name)
        with Session(work.maintenance) as session:
            before = catalog.database(session, database)
        if work.safety and before is not None:
            safe = database_backup.make(
                work.settings, folder, now=time.time(), timeout=work.timeout, keep_free=work.keep_free, safety=True
            )
            done["safety_backup"] = "%s/%s.dump" % (work.folder, safe["name"])
        options = [] if work.superuser else ["--no-owner"]
        if work.in_place:
            contents = programs.without_extensions(tools.contents(file))
            with Session(work.settings) as session:
                note["tables"] = catalog.identities(session)
            # It stays the same database, of which the note would go on saying that it is made from another backup.
            tree.remove(folder, store.stem(database) + RESTORED)
            os.fsync(folder)
            tools.restore(file, database, [*options, *_IN_PLACE], contents)
            note["replaced"] = True
            _verify(work, database, deadline, whole=False)
        else:
            _beside(work, tools, file, note, options)
            done["old_database"] = note["old"] if before is not None else None
            databases.replace(work.maintenance, database, note["scratch"], done["old_database"])
    finally:
        os.close(file)
    _remember(work, folder)
    return done


def _beside(work: Work, tools: programs.Programs, file: int, note: dict[str, Any], options: list[str]) -> None:
    """Restore into a new database that has all that the old one has beside its content."""
    database, scratch = work.settings.database, note["scratch"]
    with Session(work.maintenance) as session:
        before = catalog.database(session, database)
        owner = (before or work.backup.manifest).get("owner") if work.superuser or before else None
        databases.create(session, scratch, before or work.backup.manifest, owner)
        if before is not None:
            databases.copy_properties(session, database, scratch)
    tools.restore(file, scratch, options)
    with Session(work.settings.to(scratch)) as session:
        session.rows("ANALYZE", timeout=max(tools.deadline - time.monotonic(), 0.1))
    _verify(work, scratch, tools.deadline, whole=True)


def _verify(work: Work, database: str, deadline: float, whole: bool) -> None:
    wanted = work.backup.manifest["tables"]
    with Session(work.settings.to(database)) as session:
        left = max(deadline - time.monotonic(), 0.1)
        found = catalog.count_rows(session, left, None if whole else wanted)
    wrong = catalog.differences(wanted, found)
    if wrong:
        words = "backup %s restores to something else than was backed up: %s"
        raise TaskError(words % (work.backup.name, listed([printable(each) for each in wrong])))


def _remember(work: Work, folder: int) -> None:
    """Note what the database was made from. Without the note a later run restores once more, which does no harm."""
    try:
        with Session(work.maintenance) as session:
            found = catalog.database(session, work.settings.database) or {}
        record = {"sha256": work.backup.manifest["sha256"], "backup": work.backup.name, "oid": found.get("oid")}
        store.write_json(folder, store.stem(work.settings.database) + RESTORED, dict(record, restored=time.time()))
    except (OSError, TaskError):
        pass


def _start(work: Work) -> str:
    """Start the units; return in words what did not start."""
    wrong = []
    for unit in reversed(work.units):
        try:
            control(unit, "started", work)
        except TaskError as error:
            wrong.append(str(error))
    return listed(wrong)


def _clean_up(work: Work, note: dict[str, Any], error: BaseException) -> tuple[bool, str]:
    """After a failure: the old data goes on serving.

    Returns whether nothing is left for the next run to put right, and the error's words with what went wrong here.
    """
    wrong: list[str] = []
    if not work.in_place:
        try:
            with Session(work.maintenance) as session:
                databases.drop(session, note["scratch"])
        except TaskError as trouble:
            wrong.append("database %s is left: %s" % (note["scratch"], trouble))
    failed = _start(work)
    if failed:
        wrong.append(failed)
    if not isinstance(error, Exception):
        return not wrong, ""
    why = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    words = "%s; %s" % (why, _state(work, note))
    if work.units and not failed:
        words += ", and %s %s again" % (", ".join(work.units), "runs" if len(work.units) == 1 else "run")
    return not wrong, "; ".join([words, *wrong])


def _state(work: Work, note: dict[str, Any]) -> str:
    """Return in words what a database is after a failure; a connection may have been lost at COMMIT."""
    replaced = note.get("replaced", False)
    if "tables" in note and not replaced:
        until = time.monotonic() + work.settings.timeout
        try:
            with Session(work.settings) as session:
                while catalog.others_of_ours(session):
                    if time.monotonic() > until:
                        raise TaskError("a connection to it has not ended")
                    time.sleep(0.05)
                replaced = catalog.identities(session) != note["tables"]
        except TaskError as trouble:
            return "whether the database is as it was before is not known: %s" % trouble
    return "the database is %s" % ("restored in place all the same" if replaced else "as it was before")
