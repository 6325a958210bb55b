"""Watch how much space logs take, and find the files that grow."""

from __future__ import annotations

import time

from opslib.host.files import open_files, sizes
from opslib.host.params import Boolean, Duration, Glob, ListOf, Number, Path, Size
from opslib.host.plan import Plan
from opslib.host.system import processes
from opslib.host.task import Task, param
from opslib.host.words import count, listed, printable, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LIMIT = 50


class LogSize(Task, name="log_size"):
    """Check how much space log files take, list the largest, and point out files that are growing or hold space unseen.

    What counts is the space taken on the disk (holes and compression saved), each file once however many hard links
    it has, with what deleted files still take because a process holds them open. Symbolic links are not followed, but
    a path given here that is itself a link is resolved once. Other file systems mounted below a path are not entered.
    A path that does not exist is a failure, a pattern that matches nothing a warning.

    A single look knows no history, so a file is called suspect for what can be seen now: it takes at least `suspect`
    and was written to within `active` ("active") or takes more than half of the whole ("dominant"); or it has large
    holes, or is compressed by the file system ("sparse": a log emptied while its writer did not append looks so).
    Nothing is ever changed.

    data: `files`, `size_bytes` (apparent) and `disk_bytes` of all files found, `deleted_disk_bytes`, `total_bytes`
    (on the disk, deleted files included), `links` (not followed), `largest` (at most `top`; `left_out` says how many
    files more) each with `path`, `size_bytes`, `disk_bytes`, `age_seconds` since it was written; `suspects` the same
    with `signs`; `deleted` files, at most 50, with `path`, `size_bytes`, `disk_bytes`, `pids` and `command`;
    `missing` paths in words.

    Errors: a pattern that matches more than 1000 folders. Sources: stat(2), du(1), proc_pid_fd(5).
    """

    paths: list[str] = param(
        ListOf(Path(), empty=False),
        "Files, folders and patterns, absolute.",
        default=["/var/log"],
        example=["/srv/app/logs/*", "/var/log"],
    )
    recurse: bool = param(Boolean(), "Look into folders below as well.", default=True)
    patterns: list[str] = param(
        ListOf(Glob()),
        "Count only files in folders whose names fit one of these patterns; all when none is given.",
        default=[],
        example=["*.log", "*.log.*"],
    )
    warn: int = param(Size(), "Warn when all together take more than this many bytes.", default=None, example="2G")
    fail: int = param(Size(), "Fail when all together take more than this many bytes.", default=None, example="10G")
    file_warn: int = param(
        Size(), "Warn of each file that takes more than this many bytes.", default=None, example="1G"
    )
    file_fail: int = param(Size(), "Fail when a file takes more than this many bytes.", default=None, example="5G")
    suspect: int = param(Size(), "Bytes from which a file that grows is worth a remark.", default="100M")
    active: float = param(Duration(), "A file written to within this many seconds is growing.", default="10m")
    open_files: bool = param(Boolean(), "Look for deleted files that processes still hold open.", default=True)
    top: int = param(Number(0, sizes.KEPT, whole=True), "How many of the largest files to list.", default=20)

    def check(self) -> None:
        for word in ("", "file_"):
            warn, fail = getattr(self, word + "warn"), getattr(self, word + "fail")
            if warn is not None and fail is not None and warn >= fail:
                self.refuse("%swarn %s must be below %sfail %s" % (word, size(warn), word, size(fail)))

    def probe(self) -> dict[str, Any]:
        found = sizes.Sizes(self.patterns, self.recurse)
        found.add(self.paths)
        deleted: list[dict[str, Any]] = []
        remark = ""
        if self.open_files and found.roots:
            deleted, remark = open_files.deleted(
                lambda path: sizes.beneath(path, found.roots, self.recurse), found.devices
            )
        commands = processes.commands([file["pids"][0] for file in deleted[:_LIMIT]])
        problems = found.problems + ([remark] if remark else [])
        if found.problem_count > len(found.problems):
            problems.append("%d more could not be looked at" % (found.problem_count - len(found.problems)))
        if found.uncertain:
            problems.append("so many files have several links that some may have been counted twice")
        return {
            "now": time.time(),
            "files": found.files,
            "size_bytes": found.size_bytes,
            "disk_bytes": found.disk_bytes,
            "links": found.links,
            "largest": found.largest.sorted(),
            "sparse": found.sparse.sorted()[:_LIMIT],
            "deleted": [dict(file, command=commands[file["pids"][0]]) for file in deleted[:_LIMIT]],
            "deleted_disk_bytes": sum(file["disk_bytes"] for file in deleted),
            "deleted_files": len(deleted),
            "missing": found.missing,
            "problems": problems,
        }

    def plan(self, state: dict[str, Any]) -> Plan:
        total = state["disk_bytes"] + state["deleted_disk_bytes"]
        suspects = self._suspects(state)
        failures = list(state["missing"])
        warnings = list(state["problems"])
        words = _held(state, total)
        if self.fail is not None and total > self.fail:
            failures.append("%s (fail: %s)" % (words, size(self.fail)))
        elif self.warn is not None and total > self.warn:
            warnings.append("%s (warn: %s)" % (words, size(self.warn)))
        severe, mild = [], []
        for file in state["largest"]:
            said = "%s takes %s" % (printable(file["path"]), size(file["disk_bytes"]))
            if self.file_fail is not None and file["disk_bytes"] > self.file_fail:
                severe.append("%s (file_fail: %s)" % (said, size(self.file_fail)))
            elif self.file_warn is not None and file["disk_bytes"] > self.file_warn:
                mild.append("%s (file_warn: %s)" % (said, size(self.file_warn)))
        if severe:
            failures.append(listed(severe))
        if mild:
            warnings.append(listed(mild, 20))
        for file in suspects:
            warnings.append(_suspicion(file))
        if state["deleted_disk_bytes"]:
            warnings.append(_deleted(state))
        return Plan(
            reason=words,
            failure="; ".join(failures),
            warnings=warnings,
            data={
                "files": state["files"],
                "size_bytes": state["size_bytes"],
                "disk_bytes": state["disk_bytes"],
                "deleted_disk_bytes": state["deleted_disk_bytes"],
                "total_bytes": total,
                "links": state["links"],
                "largest": [_shown(file, state["now"]) for file in state["largest"][: self.top]],
                "left_out": max(state["files"] - min(len(state["largest"]), self.top), 0),
                "suspects": suspects,
                "deleted": state["deleted"],
                "missing": state["missing"],
            },
        )

    def _suspects(self, state: dict[str, Any]) -> list[dict[str, Any]]:
        """Return at most 50 files that look as if they grow or hide something, with the signs of it."""
        found: dict[str, dict[str, Any]] = {}
        for file in state["largest"]:
            signs = []
            if file["disk_bytes"] >= self.suspect:
                if state["now"] - file["modified"] <= self.active:
                    signs.append("active")
                if state["files"] > 1 and file["disk_bytes"] * 2 > state["disk_bytes"]:
                    signs.append("dominant")
            if signs:
                found[file["path"]] = dict(_shown(file, state["now"]), signs=signs)
        for file in state["sparse"]:
            if file["size_bytes"] >= self.suspect:
                known = found.setdefault(file["path"], dict(_shown(file, state["now"]), signs=[]))
                known["signs"].append("sparse")
        return sorted(found.values(), key=lambda file: (-file["disk_bytes"], file["path"]))[:_LIMIT]


def _shown(file: dict[str, Any], now: float) -> dict[str, Any]:
    return {
        "path": file["path"],
        "size_bytes": file["size_bytes"],
        "disk_bytes": file["disk_bytes"],
        "age_seconds": max(int(now - file["modified"]), 0),
    }


def _held(state: dict[str, Any], total: int) -> str:
    words = "%s take %s" % (count(state["files"], "file"), size(total))
    if state["deleted_disk_bytes"]:
        words += " (%s of it deleted but open)" % size(state["deleted_disk_bytes"])
    if state["largest"]:
        first = state["largest"][0]
        words += ", the largest is %s with %s" % (printable(first["path"]), size(first["disk_bytes"]))
    return words


def _suspicion(file: dict[str, Any]) -> str:
    words = {
        "active": "was written %s ago" % count(file["age_seconds"], "second"),
        "dominant": "takes more than half of the whole",
        "sparse": "has holes or is compressed (its size is %s)" % size(file["size_bytes"]),
    }
    said = " and ".join(words[sign] for sign in file["signs"])
    return "%s takes %s and %s" % (printable(file["path"]), size(file["disk_bytes"]), said)


def _deleted(state: dict[str, Any]) -> str:
    holders = ["%s (pid %d)" % (file["command"], file["pids"][0]) for file in state["deleted"]]
    return "%s are taken by %s still open; have them reopened or restart: %s" % (
        size(state["deleted_disk_bytes"]),
        count(state["deleted_files"], "deleted file"),
        listed(list(dict.fromkeys(holders))),
    )
