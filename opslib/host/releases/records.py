"""What is known of an application's releases on this host, in a folder for its owner only.

`history.jsonl`: one line per deployment, rollback or attempt. `pending`: what a run is about to do; when there is no
run, what one that was cut short has left. `built/ID`: a release that is complete, with its locked packages. `units/ID`:
the unit file with which it served, once another replaces it. `lock`: held by the run at work, and free again when that
dies.
"""

from __future__ import annotations

import os
import time

from opslib.host import wire
from opslib.host.files import private, tree
from opslib.host.record import Record
from opslib.host.task import TaskError
from opslib.host.words import utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HISTORY, PENDING, BUILT, UNITS, LOCK = "history.jsonl", "pending", "built", "units", "lock"
MOST_BYTES = 8 << 20
MOST_LINES = 500
LOOKED_AT = 0.3  # seconds; a run that only looks whether the lock is free has it for a moment
_NO_RELEASE = "none"
BUILDING, SWITCHING = "build", "switch"
GOOD, FAILED, CUT, FOUND = "good", "failed", "cut short", "found"


class Pending(Record):
    """A transition that has begun: to which release, from which (empty: none), and how far it came.

    act: deploy or rollback; phase: `build` while nothing that serves is touched, `switch` from then on (switched_at);
    migrated: the schema was changed for it: "" no, "begun", "done"; unit_kept: the unit file may be another by now,
    and the one before is kept; previous_link: where the link led that was none of ours. For in_place, branch and
    previous_branch: what is to be checked out, and was; venv: there was an environment before.
    """

    act: str
    id: str
    commit: str
    ref: str
    began: str
    who: str
    phase: str = BUILDING
    switched_at: str = ""
    migrated: str = ""
    unit_kept: bool = False
    previous: str = ""
    previous_commit: str = ""
    previous_link: str = ""
    previous_branch: str = ""
    branch: str = ""
    venv: bool = False

    @property
    def replaces(self) -> bool:
        """Whether something was in place before."""
        return bool(self.previous or self.previous_commit or self.previous_link)


class Book:
    """The folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._lock = -1

    # --- reading

    def history(self) -> list[dict[str, Any]]:
        """Return what happened, oldest first; a line that was cut short is left out."""
        import json

        rows = []
        for line in self._read(HISTORY).splitlines():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict) and all(isinstance(row.get(key), str) for key in ("id", "commit", "outcome")):
                rows.append(row)
        return rows

    def pending(self) -> Pending | None:
        """Return what has begun and not ended."""
        import json

        text = self._read(PENDING)
        try:
            return Pending(**json.loads(text)) if text else None
        except (TypeError, ValueError) as error:
            words = "%s/%s cannot be understood (%s); look at the application, then remove the file"
            raise TaskError(words % (self.folder, PENDING, error)) from None

    def built(self, identity: str) -> dict[str, Any]:
        """Return what is known of a complete release: commit, build, packages; empty when it is not complete."""
        return self._object(BUILT + "/" + identity)

    def unit_kept(self, identity: str) -> dict[str, Any]:
        """Return the unit file that was kept of a release: unit, text (None: there was none), mode; empty: unknown."""
        return self._object(UNITS + "/" + (identity or _NO_RELEASE))

    def holder(self) -> str:
        """Return who holds the lock, in words; an empty string when nobody does. Reads only."""
        import fcntl

        try:
            lock = os.open(self.folder + "/" + LOCK, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return ""
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.read(lock, 200).decode("ascii", "replace").strip() or "another run"
        finally:
            os.close(lock)
        return ""

    def _read(self, name: str) -> str:
        try:
            file = os.open(self.folder + "/" + name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return ""
        try:
            size = os.fstat(file).st_size
            os.lseek(file, max(0, size - MOST_BYTES), 0)
            data = b""
            while len(data) < MOST_BYTES:
                piece = os.read(file, 1 << 20)
                if not piece:
                    break
                data += piece
            return data.decode("utf-8", "replace")
        finally:
            os.close(file)

    def _object(self, name: str) -> dict[str, Any]:
        import json

        try:
            row = json.loads(self._read(name) or "{}")
        except ValueError:
            row = {}
        return row if isinstance(row, dict) else {}

    # --- writing, by who holds the lock

    def lock(self) -> None:
        """Make the folder where needed, and take the lock. Raises TaskError when another run has it."""
        import fcntl

        for folder in (self.folder, self.folder + "/" + BUILT):
            os.makedirs(folder, 0o750, exist_ok=True)
        lock = os.open(self.folder + "/" + LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        ends = time.monotonic() + LOOKED_AT
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() < ends:
                    time.sleep(0.02)
                    continue
                os.close(lock)
                words = "%s is at work on this application; run again when it is done"
                raise TaskError(words % (self.holder() or "another run")) from None
        for folder in (self.folder, self.folder + "/" + BUILT, self.folder + "/" + UNITS):
            for name in os.listdir(folder) if os.path.isdir(folder) else ():
                if name.endswith(private.ASIDE):  # of a run that was killed
                    os.unlink(folder + "/" + name)
        os.ftruncate(lock, 0)
        os.write(lock, b"process %d (since %s)\n" % (os.getpid(), utc(time.time()).encode()))
        self._lock = lock

    def unlock(self) -> None:
        """Give the lock up."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def begin(self, pending: Pending) -> None:
        """Write down what is about to happen, before it does."""
        self._write(PENDING, wire.dumps(pending._values()))

    def finish(self) -> None:
        """Write down that nothing is pending any more."""
        self._remove(PENDING)

    def complete(self, identity: str, facts: dict[str, Any]) -> None:
        """Write down that a release is complete."""
        self._write(BUILT + "/" + identity, wire.dumps(facts))

    def forget(self, identity: str) -> None:
        """Take back that a release is complete."""
        self._remove(BUILT + "/" + identity)
        self._remove(UNITS + "/" + identity)

    def keep_unit(self, identity: str, facts: dict[str, Any]) -> None:
        """Keep the unit file with which a release served; identity: empty for before the first release."""
        os.makedirs(self.folder + "/" + UNITS, 0o750, exist_ok=True)
        self._write(UNITS + "/" + (identity or _NO_RELEASE), wire.dumps(facts))

    def append(self, row: dict[str, Any]) -> None:
        """Add to the history; the oldest lines go when there are too many."""
        text = self._read(HISTORY)
        lines = [line for line in text.split("\n") if line][-(MOST_LINES - 1) :]
        self._write(HISTORY, "\n".join([*lines, wire.dumps(row)]) + "\n")

    def _write(self, name: str, text: str) -> None:
        folder, last = self._place(name)
        try:
            private.replace(folder, last, text, 0o640)
        finally:
            os.close(folder)

    def _remove(self, name: str) -> None:
        try:
            folder, last = self._place(name)
        except FileNotFoundError:
            return
        try:
            tree.remove(folder, last)
            os.fsync(folder)
        finally:
            os.close(folder)

    def _place(self, name: str) -> tuple[int, str]:
        """Open the folder that a file lies in, and return it with the file's name there."""
        folder, last = os.path.split(self.folder + "/" + name)
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), last


def title(row: dict[str, Any]) -> str:
    """Return a release as people call it: its ref and the beginning of its commit."""
    ref, commit = str(row.get("ref", "")), str(row.get("commit", ""))
    short = commit[:12]
    return short if not ref or ref == commit or commit.startswith(ref) else "%s (%s)" % (ref, short)


def identity(now: float, commit: str) -> str:
    """Return the name of a new release."""
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime(now)) + commit[:12]


def is_identity(text: str) -> bool:
    """Return whether a text is the name of a release."""
    parts = text.split("-")
    return len(text) == 28 and len(parts) == 3 and all(c in "0123456789abcdef" for part in parts for c in part)
