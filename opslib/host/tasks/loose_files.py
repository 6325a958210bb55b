"""Find files that others can write to, and secrets that others can read."""

from __future__ import annotations

import os
import stat

from opslib.host.files import globs, tree
from opslib.host.params import Boolean, Glob, ListOf, Number, Path, Text
from opslib.host.plan import Plan
from opslib.host.task import Task, param
from opslib.host.words import count, listed, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FOLDERS = ["/etc", "/usr/local", "/opt", "/srv", "/root", "/home", "/var/www", "/var/spool/cron"]
_SECRETS = [
    ".env",
    "*.env",
    ".env.*",
    "*.key",
    "*.pfx",
    "*.p12",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    ".pgpass",
]


class LooseFiles(Task, name="loose_files"):
    """Find files and folders that anybody on the host can write to, and secrets that anybody can read.

    Folders that nobody but their owner and group can enter hide what is in them. A folder with the sticky bit (/tmp)
    is as it should be. What counts as a secret goes by its name. Links are not followed, and other file systems below
    a folder are not entered. Nothing is changed.

    data: `writable` and `readable_secrets` (at most `top` each): `path`, `mode`, `kind` (file, folder, other), `uid`;
    `writable_count`, `readable_secrets_count`, `looked_at`, `complete` (false when there were more than `most` files).

    Errors: none; folders that cannot be entered are told, as are missing ones, but for those of the default. Source:
    inode(7).
    """

    folders: list[str] = param(
        ListOf(Path(), empty=False, longest=100), "Folders to look into.", default=_FOLDERS, example=["/etc", "/srv"]
    )
    ignore: list[str] = param(
        ListOf(Text("pattern of paths"), longest=200),
        "Patterns of paths that are left out.",
        default=[],
        example=["/srv/x/*"],
    )
    secrets_named: list[str] = param(
        ListOf(Glob(), longest=100), "Names of files that others must not read.", default=_SECRETS, example=["*.env"]
    )
    strict: bool = param(Boolean(), "Whether what is found is a failure; otherwise it is a warning.", default=False)
    most: int = param(Number(1, 10000000, whole=True), "How many files to look at, at most.", default=1000000)
    top: int = param(Number(1, 1000, whole=True), "How many of each list to show.", default=50)

    def check(self) -> None:
        for pattern in self.ignore:
            if not pattern.startswith("/"):
                self.refuse("ignore: %s does not begin with '/', so it matches no path" % printable(pattern))

    def probe(self) -> dict[str, Any]:
        state: dict[str, Any] = {"writable": [], "readable": [], "counts": [0, 0], "looked": 0, "problems": []}
        for folder in self.folders:
            try:
                root = tree.open_folder(folder)
            except OSError as error:
                if error.errno != 2 or folder not in _FOLDERS:  # not every host has all of those
                    state["problems"].append("%s cannot be entered: %s" % (folder, error.strerror))
                continue
            try:
                self._walk(root, folder, state)
            finally:
                os.close(root)
        return state

    def _walk(self, root: int, folder: str, state: dict[str, Any]) -> None:
        if not _open_to_others(folder):
            return
        self._judge(folder, folder, os.fstat(root), state)
        told = state["problems"]
        problem = lambda text: told.append("%s/%s" % (folder, text)) if len(told) < 50 else None  # noqa: E731
        for entry in tree.walk(root, enter=lambda entry: bool(entry.stat.st_mode & 0o001), problem=problem):
            if state["looked"] >= self.most:
                return
            state["looked"] += 1
            self._judge("%s/%s" % (folder.rstrip("/"), entry.path), entry.name, entry.stat, state)

    def _judge(self, path: str, name: str, status: os.stat_result, state: dict[str, Any]) -> None:
        mode = status.st_mode
        if stat.S_ISLNK(mode):
            return
        loose = mode & 0o002 and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX) and not stat.S_ISSOCK(mode)
        secret = stat.S_ISREG(mode) and mode & 0o004 and any(globs.matches(name, each) for each in self.secrets_named)
        if (not loose and not secret) or any(globs.matches(path, each) for each in self.ignore):
            return
        for number, kind in enumerate(("writable", "readable")):
            if (loose, secret)[number]:
                state["counts"][number] += 1
                if len(state[kind]) < self.top:
                    state[kind].append(_row(path, status))

    def plan(self, state: dict[str, Any]) -> Plan:
        writable, readable = state["counts"]
        told = []
        if writable:
            rows = listed(["%s (%s)" % (row["path"], row["mode"]) for row in state["writable"]], 5)
            told.append("anybody can write to %s (folders count too): %s" % (count(writable, "file"), rows))
        if readable:
            rows = listed(["%s (%s)" % (row["path"], row["mode"]) for row in state["readable"]], 5)
            told.append("anybody can read %s: %s" % (count(readable, "secret"), rows))
        complete = state["looked"] < self.most
        problems = [printable(text) for text in state["problems"][:20]]
        if not complete:
            problems.append("there are more than %d files; the rest was not looked at" % self.most)
        return Plan(
            reason="%s, none of them loose" % count(state["looked"], "file") if not told else "; ".join(told),
            failure="; ".join(told) if self.strict else "",
            warnings=[*([] if self.strict else told), *problems],
            data={
                "writable": state["writable"],
                "writable_count": writable,
                "readable_secrets": state["readable"],
                "readable_secrets_count": readable,
                "looked_at": state["looked"],
                "complete": complete,
            },
        )


def _open_to_others(folder: str) -> bool:
    """Whether anybody can get into a folder: it and all above it let others pass."""
    path = folder
    while True:
        if not os.stat(path).st_mode & 0o001:
            return False
        if path == "/":
            return True
        path = os.path.dirname(path)


def _row(path: str, status: os.stat_result) -> dict[str, Any]:
    mode = status.st_mode
    kind = "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other"
    return {"path": printable(path), "mode": "%04o" % stat.S_IMODE(mode), "kind": kind, "uid": status.st_uid}
