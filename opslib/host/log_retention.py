"""Archive and delete old logs."""

from __future__ import annotations

import os
import time

from . import log_archive, log_deletion, log_index, old_logs, tree
from .old_logs import OldLogs
from .params import Boolean, Choice, Duration, Glob, ListOf, Number, Path, Size
from .plan import CREATE, REMOVE, Change, Plan
from .task import Task, TaskError, param
from .words import listed, printable, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Mapping, Sequence

    from .found_files import Found
    from .log_index import Member

MOST_SHOWN = 50
MOST_LISTED = 20
NOT_ARCHIVED = "it changed meanwhile and was not archived"
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

    data: `matched_files`, `matched_bytes`, `oldest_seconds`: what is old enough now; `due_files`, `due_bytes`: what of
    it is to be acted on, `bytes_to_free` by deleting it (a file with other links, or open for reading, frees nothing);
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
        if self.root == "/" or "/" + self.root.split("/")[1] in _FORBIDDEN:
            self.refuse("root %s is no folder of logs" % self.root)

    def probe(self) -> dict[str, Any]:
        outcome = self._outcome or {}
        state: dict[str, Any] = {"now": outcome.get("now") or time.time(), "outcome": outcome, "store": None}
        identity = None
        if self.archive_to is not None:
            state["store"], identity = _look_at_store(self.archive_to)
        root = self._open_root()
        try:
            before = state["now"] - self.older_than
            found = old_logs.search(
                root, self.patterns, before, recurse=self.recurse, most=self.max_files, archives=identity
            )
            if found.files and not found.more:
                old_logs.look_who_writes(found, root)
                if identity is not None and state["store"]["contents"].indexed:
                    with _Folder(self.archive_to) as folder:
                        old_logs.look_up(found, folder, state["store"]["contents"].indexed)
        finally:
            os.close(root)
        return dict(state, found=found)

    def _open_root(self) -> int:
        try:
            return tree.open_folder(self.root)
        except OSError as error:
            raise TaskError("root %s cannot be entered: %s" % (self.root, error.strerror)) from None

    def plan(self, state: dict[str, Any]) -> Plan:
        found, store, outcome = state["found"], state["store"], state["outcome"]
        old, kept, left = self._choose(found, outcome.get("left", {}))
        new = [file for file in old if self.archive_to is not None and file.path not in found.members]
        due = old if self.delete else new
        age = max((state["now"] - file.mtime / 1e9 for file in found.files), default=0)
        data: dict[str, Any] = {
            "matched_files": len(found.files) + found.more,
            "matched_bytes": sum(file.size for file in found.files) + found.more_bytes,
            "oldest_seconds": int(age),
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
            alone.update({path: "of another user, who may write to it" for path in found.unsure})
        keep = old_logs.newest(found.files, found.young, self.min_keep) if self.min_keep else set()
        chosen = [file for file in found.files if file.path not in keep and file.path not in alone]
        return chosen, len(keep), {path: why for path, why in alone.items() if path not in keep}

    def _obstacle(self, found: OldLogs, store: dict[str, Any] | None, new: Sequence[Found]) -> str:
        if found.more:
            return "%d files below %s are old, more than max_files, %d: raise it, or narrow patterns" % (
                len(found.files) + found.more,
                self.root,
                self.max_files,
            )
        if store is None or not new:
            return ""
        if store["problem"]:
            return str(store["problem"])
        needed = sum(1536 + (file.size if file.path.endswith(_PACKED) else file.size // 4) for file in new)
        free = store["free_bytes"] + sum(length for _name, length in store["contents"].leftovers)
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
        detail: dict[str, Any] = {"now": now, "archived": {}, "members": found.members, "readers": found.readers}
        if store is not None:
            for name, _length in store["contents"].leftovers:
                summary = "remove %s/%s, left by a run that was cut short" % (self.archive_to, name)
                yield Change(kind=REMOVE, summary=summary, detail={"leftover": name})
        if new and store is not None:
            if store["missing"]:
                yield Change(kind=CREATE, summary="make folder %s" % self.archive_to, after="mode 0700", detail={})
            name = log_index.name_for(now, store["contents"].archives)
            summary = "archive %s below %s to %s/%s" % (_count(new), self.root, self.archive_to, name)
            yield Change(kind=CREATE, summary=summary, after=_table(new), detail=dict(detail, name=name, files=new))
        if doomed:
            summary = "delete %s below %s" % (_count(doomed), self.root)
            if self.archive_to is not None:
                summary += ", once archived" if new else ", archived already"
            yield Change(kind=REMOVE, summary=summary, before=_table(doomed), detail=dict(detail, files=doomed))

    def _reason(self, found: OldLogs, kept: int, left: dict[str, str]) -> str:
        what = "older than %s matching %s below %s" % (_span(self.older_than), ", ".join(self.patterns), self.root)
        if not found.files:
            return "no file is " + what
        words = ["%d archived already" % len(found.members)] if found.members and not self.delete else []
        words += ["%d kept as the newest (min_keep)" % kept] if kept else []
        words += ["%d left alone" % len(left)] if left else []
        return "%d files are %s: %s" % (len(found.files), what, ", ".join(words))

    def apply(self, change: Change) -> None:
        detail = change.detail
        if not detail:
            _make_folder(self.archive_to)
        elif "leftover" in detail:
            with _Folder(self.archive_to) as folder:
                log_archive.remove(folder, detail["leftover"])
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
            with _Folder(self.archive_to) as folder:
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
        with _Folder(self.archive_to) as folder:
            for archive in sorted({members[file.path].archive for file in files if file.path in members}):
                mine = {file.path: members[file.path].name for file in files if file.path in members}
                mine = {path: name for path, name in mine.items() if members[path].archive == archive}
                held = log_archive.digests(folder, archive, set(mine.values()))
                digests.update({path: held[name] for path, name in mine.items() if name in held})
        return digests


class _Folder:
    """The archive folder, open and locked against other runs for as long as the `with` block lasts."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> int:
        import fcntl

        self.fd = tree.open_folder(self.path)
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self.fd)
            raise TaskError("another run is archiving to %s just now; run again when it is done" % self.path) from None
        except OSError:
            pass  # this file system locks no folders
        return self.fd

    def __exit__(self, *_error: object) -> None:
        os.close(self.fd)


def _look_at_store(path: str) -> tuple[dict[str, Any], tuple[int, int] | None]:
    """Return what is to be known of the archive folder, and its device and inode number."""
    store: dict[str, Any] = {"missing": False, "contents": log_index.Contents(), "problem": "", "free_bytes": 0}
    identity = None
    try:
        try:
            folder = tree.open_folder(path)
        except FileNotFoundError:
            store["missing"] = True
            folder = tree.open_folder(os.path.dirname(path))
    except OSError as error:
        store["problem"] = "archive_to %s cannot be used: %s: %s" % (path, error.filename, error.strerror)
        return store, None
    try:
        space = os.fstatvfs(folder)
        store["free_bytes"] = space.f_bavail * space.f_frsize
        if not store["missing"]:
            store["contents"] = log_index.contents(folder)
            identity = old_logs.identity(folder)
    finally:
        os.close(folder)
    return store, identity


def _make_folder(path: str) -> None:
    parent, name = os.path.split(path)
    folder = tree.open_folder(parent)
    try:
        os.mkdir(name, 0o700, dir_fd=folder)
        os.fsync(folder)
    finally:
        os.close(folder)


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


def _count(files: Sequence[Found]) -> str:
    total = size(sum(file.size for file in files))
    return "%d file%s (%s)" % (len(files), "" if len(files) == 1 else "s", total)


def _table(files: Sequence[Found]) -> str:
    """Return one line for each of the first files, and one for the rest."""
    lines = []
    for file in files[:MOST_SHOWN]:
        day = time.strftime("%Y-%m-%d", time.gmtime(file.mtime // 10**9))
        lines.append("%s  %10s  %s" % (day, size(file.size), printable(file.path)))
    if len(files) > MOST_SHOWN:
        rest = files[MOST_SHOWN:]
        folders = len({file.folder for file in rest})
        lines.append("and %s more in %d folder%s" % (_count(rest), folders, "" if folders == 1 else "s"))
    return "\n".join(lines)


def _span(seconds: float) -> str:
    """Return a time span in words."""
    for word, unit in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds % unit == 0:
            return "%d %s%s" % (seconds // unit, word, "" if seconds == unit else "s")
    return "%g seconds" % seconds
