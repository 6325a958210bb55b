"""Archive and delete old logs."""

from __future__ import annotations

import os
import time

from opslib.host.files import tree
from opslib.host.files.locked import Locked
from opslib.host.logs import archive as log_archive
from opslib.host.logs import deletion as log_deletion
from opslib.host.logs import old as old_logs
from opslib.host.logs import store as log_store
from opslib.host.logs.old import OldLogs
from opslib.host.params import Boolean, Choice, Duration, Glob, ListOf, Number, Path, Size
from opslib.host.plan import CREATE, REMOVE, Change, Plan
from opslib.host.task import Task, TaskError, param
from opslib.host.words import listed, printable, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Mapping, Sequence

    from opslib.host.files.found import Found
    from opslib.host.logs.index import Member
    from opslib.host.logs.store import Store

MOST_LISTED = 20
NOT_ARCHIVED = "it changed or vanished meanwhile and was not archived"
_FORBIDDEN = ("/", "/proc", "/sys", "/dev")
_NOTHING = {"archive": None, "archive_bytes": 0, "files_archived": 0, "files_deleted": 0, "bytes_freed": 0}
_PACKED = (".gz", ".xz", ".bz2", ".zst", ".lz4", ".Z", ".zip", ".tgz")


class LogRetention(Task, name="log_retention"):
    """Archive and delete log files that are older than an age.

    Files below `root` whose name matches one of `patterns` and whose content was last modified more than `older_than`
    ago are written to one compressed tar file in `archive_to`, or deleted, or both, in this order: nothing is deleted
    before the archive is complete, on disk, read back, and found to hold the same list, sizes and contents. The
    archive is called `logs-YYYYMMDD-HHMMSS.tar.gz` (UTC, mode 0600); an index beside it tells later runs what is
    archived already, so nothing is archived twice, whether or not it is deleted. A run killed at any point leaves the
    originals, or a complete archive, or both; the next run removes what was left half-done and goes on.

    Only regular files are touched: links are neither followed nor removed, other file systems not entered, folders not
    removed. A file that a process has open for writing is left alone, and so is one that changed between being looked
    at and being acted on. Without root it cannot be seen whether other users' processes write to a file; then
    files of other users are left alone too (`open_files: touch` takes them), and for our own the kernel is asked.

    data: `matched_files`, `matched_bytes`, `oldest_age_seconds`: what is old enough now; `due_files`, `due_bytes`: what
    of it is to be acted on, `bytes_to_free` by deleting it (with other links, or open for reading, a file frees none);
    `kept_files` (by `min_keep`), `archived_files` (already), `links_skipped`; `open_files` (`path`, `by`) and `left`
    (`path`, `why`), at most 20 each. What this run did: `archive` (path or null), `archive_bytes`,
    `files_archived`, `files_deleted`, `bytes_freed`, all zero in check mode.

    Errors: `root` cannot be entered; more than `max_files` match; too little space for the archive (estimated with a
    quarter of each file that is not compressed yet, and watched while writing); a file cannot be read or deleted.
    Sources: open(2), fcntl(2) (Leases), proc_pid_fd(5), rename(2).
    """

    root: str = param(Path(), "Folder below which logs are looked for.", example="/srv/app/logs")
    older_than: float = param(
        Duration(low=60), "Age in seconds since its last modification from which a file is old.", default="30d"
    )
    patterns: list[str] = param(
        ListOf(Glob(), empty=False, longest=100),
        "Names of rotated logs; by default what logrotate and most loggers make of NAME.log.",
        default=["*.log.*", "*.log-*"],
    )
    archive_to: str = param(
        Path(), "Folder for the archives, made (mode 0700) when missing.", default=None, example="/srv/app/archive"
    )
    delete: bool = param(
        Boolean(), "Whether old files are deleted, once archived if archiving is asked.", default=False
    )
    recurse: bool = param(Boolean(), "Whether to look into folders below the root.", default=True)
    min_keep: int = param(
        Number(0, 1000000, whole=True),
        "How many of the newest matching files stay in each folder.",
        default=0,
        example=3,
    )
    open_files: str = param(
        Choice("skip", "touch"), "What to do with a file that a process may still write to.", default="skip"
    )
    max_files: int = param(
        Number(1, 5000000, whole=True), "Refuse to act when more files than this are old.", default=100000
    )
    keep_free: int = param(
        Size(), "Bytes that archiving must leave free on the file system of the archives.", default="256M"
    )

    _outcome: Any = None

    def check(self) -> None:
        if self.archive_to is None and not self.delete:
            self.refuse("give archive_to, or delete: true, or both; neither is asked")
        if self.root in _FORBIDDEN or self.root.startswith(("/proc/", "/sys/")):
            self.refuse("root %s is no folder of logs" % self.root)

    def probe(self) -> dict[str, Any]:
        outcome = self._outcome or {}
        now = outcome.get("now") or time.time()
        store = log_store.look(self.archive_to) if self.archive_to is not None else None
        archives = store.identity if store is not None else None
        root = self._open_root()
        try:
            found = old_logs.search(
                root,
                self.patterns,
                now - self.older_than,
                recurse=self.recurse,
                most=self.max_files,
                archives=archives,
            )
            if found.files and not found.more:
                old_logs.look_who_writes(found, root)
                if store is not None and store.indexes:
                    old_logs.look_up(found, self.archive_to, store.indexes)
        finally:
            os.close(root)
        return {"now": now, "outcome": outcome, "store": store, "found": found}

    def _open_root(self) -> int:
        try:
            return tree.open_folder(self.root)
        except OSError as error:
            raise TaskError("root %s cannot be entered: %s" % (self.root, error.strerror)) from None

    def plan(self, state: dict[str, Any]) -> Plan:
        found, store, outcome = state["found"], state["store"], state["outcome"]
        old, kept, left = self._choose(found, outcome.get("left", {}))
        new = [file for file in old if store is not None and not self._is_safe(file, found, store)]
        due = old if self.delete else new
        age = max((state["now"] - file.mtime / 1e9 for file in found.files), default=0)
        data: dict[str, Any] = {
            "matched_files": len(found.files) + found.more,
            "matched_bytes": sum(file.size for file in found.files) + found.more_bytes,
            "oldest_age_seconds": int(age),
            "due_files": len(due),
            "due_bytes": sum(file.size for file in due),
            "bytes_to_free": old_logs.freed_bytes(old, found.readers) if self.delete else 0,
            "kept_files": kept,
            "archived_files": len(found.members),
            "links_skipped": found.links,
            "open_files": [{"path": path, "by": by} for path, by in sorted(found.writers.items())[:MOST_LISTED]],
            "left": [{"path": path, "why": why} for path, why in sorted(left.items())[:MOST_LISTED]],
        }
        data.update({key: outcome.get(key, nothing) for key, nothing in _NOTHING.items()})
        warnings = list(_warnings(found, left, due if self.delete else []))
        failure = self._obstacle(found, store, new)
        if failure:
            return Plan(failure=failure, warnings=warnings, data=data)
        changes = list(self._changes(state, new, old if self.delete else [], found))
        return Plan(
            changes=changes, reason="" if changes else self._reason(found, kept, left), warnings=warnings, data=data
        )

    def _choose(self, found: OldLogs, left: dict[str, str]) -> tuple[list[Found], int, dict[str, str]]:
        """Return the files to act on, how many of the newest are kept, and the files left alone with the reason."""
        alone = dict(left)
        if self.open_files == "skip":
            alone.update({path: "open for writing by " + by for path, by in found.writers.items()})
            alone.update(dict.fromkeys(found.unsure, "of another user, who may write to it"))
        keep = old_logs.newest(found.files, found.young, self.min_keep) if self.min_keep else set()
        chosen = [file for file in found.files if file.path not in keep and file.path not in alone]
        return chosen, len(keep), {path: why for path, why in alone.items() if path not in keep}

    def _is_safe(self, file: Found, found: OldLogs, store: Store) -> bool:
        """Whether a file need not be archived: it is, and before deleting it the archive can be looked into."""
        member = found.members.get(file.path)
        return member is not None and (not self.delete or member.archive in store.archives)

    def _obstacle(self, found: OldLogs, store: Store | None, new: Sequence[Found]) -> str:
        if found.more:
            return "%d files below %s are old, more than max_files, %d: raise it, or narrow patterns" % (
                len(found.files) + found.more,
                self.root,
                self.max_files,
            )
        if store is None or not new:
            return ""
        if store.problem:
            return store.problem
        needed = sum(1536 + (file.size if file.path.endswith(_PACKED) else file.size // 4) for file in new)
        free = store.free_bytes + sum(length for _name, length in store.leftovers)
        if free >= needed + self.keep_free:
            return ""
        return "%s has %s free; archiving takes about %s, and %s must stay free (keep_free)" % (
            self.archive_to,
            size(free),
            size(needed),
            size(self.keep_free),
        )

    def _changes(
        self, state: dict[str, Any], new: Sequence[Found], doomed: Sequence[Found], found: OldLogs
    ) -> Iterator[Change]:
        store, now = state["store"], state["now"]
        detail: dict[str, Any] = {"now": now, "archived": {}, "members": {}, "readers": found.readers}
        if store is not None:
            detail["members"] = {path: each for path, each in found.members.items() if each.archive in store.archives}
            for name, _length in store.leftovers:
                summary = "remove %s/%s, left by a run that was cut short" % (self.archive_to, name)
                yield Change(kind=REMOVE, summary=summary, detail={"leftover": name})
        if new and store is not None:
            if store.identity is None:
                yield Change(kind=CREATE, summary="make folder %s" % self.archive_to, after="mode 0700", detail={})
            name = log_store.name_for(now, store.archives)
            summary = "archive %s below %s to %s/%s" % (old_logs.count(new), self.root, self.archive_to, name)
            yield Change(
                kind=CREATE, summary=summary, after=old_logs.table(new), detail=dict(detail, name=name, files=new)
            )
        if doomed:
            summary = "delete %s below %s" % (old_logs.count(doomed), self.root)
            if self.archive_to is not None:
                summary += ", once archived" if new else ", archived already"
            yield Change(kind=REMOVE, summary=summary, before=old_logs.table(doomed), detail=dict(detail, files=doomed))

    def _reason(self, found: OldLogs, kept: int, left: dict[str, str]) -> str:
        number = len(found.files)
        words = ["%d archived already" % len(found.members)] if found.members and not self.delete else []
        words += ["%d kept as the newest (min_keep)" % kept] if kept else []
        words += ["%d left alone" % len(left)] if left else []
        return "%s below %s %s older than %s and match%s %s%s" % (
            "%d file%s" % (number, "" if number == 1 else "s") if number else "no file",
            self.root,
            "is" if number < 2 else "are",
            _span(self.older_than),
            "es" if number < 2 else "",
            ", ".join(self.patterns),
            ": " + ", ".join(words) if words else "",
        )

    def apply(self, change: Change) -> None:
        detail = change.detail
        if not detail:
            log_store.make(self.archive_to)
        elif "leftover" in detail:
            with Locked(self.archive_to, "archiving to") as folder:
                tree.remove(folder, detail["leftover"])
        elif "name" in detail:
            self._archive(detail)
        else:
            self._delete(detail)

    def _note(self, detail: dict[str, Any], **what: Any) -> dict[str, Any]:
        """Keep what was done, for the second look at the host to tell; its time stands still, or files would age."""
        outcome = dict(self._outcome or {"left": {}}, now=detail["now"], **what)
        object.__setattr__(self, "_outcome", outcome)
        return outcome

    def _archive(self, detail: dict[str, Any]) -> None:
        root = self._open_root()
        try:
            with Locked(self.archive_to, "archiving to") as folder:
                done, length = log_archive.write(folder, detail["name"], root, detail["files"], self.keep_free)
        finally:
            os.close(root)
        detail["archived"].update(done)
        path = "%s/%s" % (self.archive_to, detail["name"]) if done else None
        outcome = self._note(detail, archive=path, archive_bytes=length, files_archived=len(done))
        for file in detail["files"]:
            if file.path not in done:
                outcome["left"][file.path] = NOT_ARCHIVED

    def _delete(self, detail: dict[str, Any]) -> None:
        outcome = self._note(detail)
        digests, files = {}, list(detail["files"])
        if self.archive_to is not None:
            safe = detail["archived"]
            digests = self._read_back([file for file in files if file.path not in safe], detail["members"])
            outcome["left"].update(
                {file.path: NOT_ARCHIVED for file in files if file.path not in safe and file.path not in digests}
            )
            files = [file for file in files if file.path in safe or file.path in digests]
        root = self._open_root()
        try:
            skip = self.open_files == "skip"
            done = log_deletion.delete(root, files, digests=digests, held=detail["readers"], skip_open=skip)
        finally:
            os.close(root)
        outcome["left"].update(done.left)
        self._note(detail, files_deleted=done.files, bytes_freed=done.freed_bytes)
        if done.failures:
            words = "%d of %d files could not be deleted: %s" % (len(done.failures), len(files), listed(done.failures))
            raise TaskError(words, files_deleted=done.files, bytes_freed=done.freed_bytes)

    def _read_back(self, files: Sequence[Found], members: Mapping[str, Member]) -> dict[str, str]:
        """Return the digests, by path, of what earlier archives really hold of files."""
        digests: dict[str, str] = {}
        with Locked(self.archive_to, "archiving to") as folder:
            for archive in sorted({members[file.path].archive for file in files if file.path in members}):
                mine = {file.path: members[file.path].name for file in files if file.path in members}
                mine = {path: name for path, name in mine.items() if members[path].archive == archive}
                held = log_archive.digests(folder, archive, set(mine.values()))
                digests.update({path: held[name] for path, name in mine.items() if name in held})
        return digests


def _warnings(found: OldLogs, left: Mapping[str, str], due: Sequence[Found]) -> Iterator[str]:
    for path, why in sorted(left.items())[:MOST_LISTED]:
        yield "%s is left alone: %s" % (printable(path), why)
    if len(left) > MOST_LISTED:
        yield "%d more files are left alone" % (len(left) - MOST_LISTED)
    for problem in found.problems:
        yield printable(problem)
    if found.problem_count > len(found.problems):
        yield "%d more folders or files could not be looked at" % (found.problem_count - len(found.problems))
    held = sum(1 for file in due if file.path in found.readers)
    if held:
        yield "%d of the files are open for reading; their space is free once they are closed" % held


def _span(seconds: float) -> str:
    """Return a time span in words."""
    for word, unit in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds % unit == 0:
            return "%d %s%s" % (seconds // unit, word, "" if seconds == unit else "s")
    return "%g seconds" % seconds
