"""The strategy `in_place`: one checkout and one virtual environment, changed where they are.

The environment of the release before is kept beside it, as VENV@ID: first a copy, whole before anything is changed.
Files of a release change one after the other while the old one still runs; `releases` has no such moment.
"""

from __future__ import annotations

import errno
import os

from opslib.host.files import tree
from opslib.host.task import TaskError
from opslib.host.words import listed, printable

from .git import Git
from .ground import ASIDE, Ground, Served
from .records import Pending, is_identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

BRANCH = "deployed"
_BROKEN = ".broken"
_PARTIAL = ".partial"


class Checkout(Ground):
    """One release at a time."""

    @property
    def in_place(self) -> bool:
        return True

    @property
    def git(self) -> Git:
        return Git(actor=self.actor, folder=self.path + "/.git", work=self.path, timeout=self.timeout)

    def problem(self) -> str:
        if not os.path.isdir(self.path + "/.git"):
            empty = not os.path.isdir(self.path) or not os.listdir(self.path)
            return "" if empty else "%s is no checkout, and not empty" % self.path
        if not self.git.commit_of("HEAD"):
            return ""
        dirty = self.git.dirty()
        if dirty:
            words = "the checkout %s has local changes (%s); commit and push them, or take them back"
            return words % (self.path, listed(dirty))
        local = self.git.local_commits()
        if local:
            return "the checkout %s has %d commits that are nowhere else; push them, or take them back" % (
                self.path,
                local,
            )
        return ""

    def served(self, history: Sequence[dict[str, Any]]) -> Served:
        if not os.path.isdir(self.path + "/.git"):
            return Served()
        commit = self.git.commit_of("HEAD")
        serving = [row for row in history if row.get("serves")]
        name = str(serving[-1]["serves"]) if serving else ""
        known = [row for row in history if row["id"] == name and row["commit"] == commit]
        if commit and name and not known:
            return Served(commit=commit, problem="commit %s was checked out by someone else" % commit[:12])
        return Served(id=name if known else "", commit=commit)

    def kept(self) -> set[str]:
        folder, venv = os.path.split(self.venv_folder(""))
        try:
            names = os.listdir(folder)
        except FileNotFoundError:
            return set()
        names = [name[len(venv) + 1 :] for name in names if name.startswith(venv + ASIDE)]
        return {name for name in names if is_identity(name)}

    def code(self, identity: str) -> str:
        return self.path

    def _aside(self, identity: str) -> str:
        return self.venv_folder("") + ASIDE + identity

    def build(self, pending: Pending) -> Sequence[str]:
        """Only keep the environment that is there; the rest changes what serves."""
        if pending.previous_commit:
            added = self.git.added(pending.previous_commit, pending.commit)
            in_the_way = [printable(name) for name in added if os.path.lexists(self.path + "/" + name)]
            if in_the_way:
                words = "files lie in the way that the release has and git does not know here (%s); move them away"
                raise TaskError(words % listed(in_the_way))
        venv, aside = self.venv_folder(""), self._aside(pending.previous)
        if pending.venv:
            self.actor.run(("rm", "-rf", "--", aside, aside + _PARTIAL), timeout=self.timeout)
            self.actor.run(("cp", "-a", "--reflink=auto", "--", venv, aside + _PARTIAL), timeout=self.timeout)
            self.sync()
            self._rename(aside + _PARTIAL, aside)
        return ()

    def switch(self, pending: Pending) -> None:
        venv, ready = self.venv_folder(""), self._aside(pending.id)
        self._check_out(pending.branch or BRANCH, pending.commit)
        if pending.act == "rollback":
            if os.path.isdir(ready):
                self._put(ready)
                return
            packages = self.book.built(pending.id).get("packages")
            if not isinstance(packages, list) or not os.path.isdir(venv):
                raise TaskError("the packages of release %s are not known; deploy its commit instead" % pending.id)
            self.pip.make(venv)
            self.pip.install_locked(venv, [str(package) for package in packages], self.app_folder(""))
            return
        self.install("")

    def _put(self, ready: str) -> None:
        """Put an environment that was kept in the place of the one that is there, of which a copy is kept."""
        venv = self.venv_folder("")
        self.actor.run(("rm", "-rf", "--", venv + _BROKEN), timeout=self.timeout)
        if os.path.isdir(venv):
            try:
                self._rename(venv, venv + _BROKEN)
            except OSError as error:
                if error.errno != errno.EXDEV:  # a folder of a lower layer, on overlayfs
                    raise
                self.actor.run(("rm", "-rf", "--", venv), timeout=self.timeout)
        self._rename(ready, venv)
        self.actor.run(("rm", "-rf", "--", venv + _BROKEN), timeout=self.timeout)

    def _check_out(self, branch: str, commit: str, force: bool = False) -> None:
        words = ("--force",) if force else ()
        self.git.call("checkout", "--quiet", *words, "--no-track", "-B", branch, commit, "--")

    def restore(self, pending: Pending) -> None:
        venv, aside = self.venv_folder(""), self._aside(pending.previous)
        if pending.previous_commit:
            # Once to the end, so that git knows all files that it may have written; `build` saw that no other is one.
            self.git.call("checkout", "--quiet", "--force", "--detach", pending.commit, "--")
            self._check_out(pending.previous_branch or BRANCH, pending.previous_commit, force=True)
        if pending.venv and os.path.isdir(aside):
            self._put(aside)
        elif not pending.venv:
            self.actor.remove(venv)
        self.actor.run(("rm", "-rf", "--", venv + _BROKEN), timeout=self.timeout)

    def _rename(self, old: str, new: str) -> None:
        folder = tree.open_folder(os.path.dirname(old))
        try:
            os.rename(os.path.basename(old), os.path.basename(new), src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        finally:
            os.close(folder)

    def abandon(self, pending: Pending) -> None:
        self.discard(pending.previous)

    def discard(self, identity: str) -> None:
        self.actor.run(
            ("rm", "-rf", "--", self._aside(identity), self._aside(identity) + _PARTIAL), timeout=self.timeout
        )
