"""The strategy `releases`: a folder per release, each with an environment of its own, and a link to the one in place.

PATH/repository.git     a mirror of the remote repository
PATH/releases/ID/       code and virtual environment, never changed once complete
PATH/current            a link to releases/ID, replaced in one step (rename(2))
"""

from __future__ import annotations

import os

from opslib.host.files import tree
from opslib.host.words import printable

from .git import Git
from .ground import Ground, Served
from .records import Pending, is_identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

LINK, FOLDER, MIRROR = "current", "releases", "repository.git"
_NEW = ".current.new"


class Folders(Ground):
    """Releases side by side."""

    @property
    def git(self) -> Git:
        return Git(actor=self.actor, folder=self.path + "/" + MIRROR, timeout=self.timeout)

    def problem(self) -> str:
        link = self.path + "/" + LINK
        if os.path.lexists(link) and not os.path.islink(link):
            return "%s is no link; move it away, this strategy puts a link there" % link
        if os.path.exists(self.path + "/.git"):
            return "%s is a checkout; give strategy: in_place, or another path" % self.path
        return ""

    def served(self, history: Sequence[dict[str, Any]]) -> Served:
        try:
            target = os.readlink(self.path + "/" + LINK)
        except OSError:
            return Served()
        folder, _slash, name = target.rpartition("/")
        ours = folder in (FOLDER, self.path + "/" + FOLDER) and is_identity(name)
        if not ours or not os.path.isdir(self.code(name)):
            words = "%s/%s leads to %s, which is %s"
            what = "not there any more" if ours else "no release"
            return Served(link=target, problem=words % (self.path, LINK, printable(target)[:80], what))
        commit = str(self.book.built(name).get("commit", ""))
        return Served(id=name, commit=commit, problem="" if commit else "release %s has no record" % name)

    def kept(self) -> set[str]:
        try:
            return {name for name in os.listdir(self.path + "/" + FOLDER) if is_identity(name)}
        except FileNotFoundError:
            return set()

    def code(self, identity: str) -> str:
        return "%s/%s/%s" % (self.path, FOLDER, identity)

    def build(self, pending: Pending) -> Sequence[str]:
        folder = self.code(pending.id)
        self.actor.remove(folder)
        self.actor.make(folder)
        files = Git(actor=self.actor, folder=self.git.folder, work=folder, timeout=self.timeout)
        files.call("read-tree", "--reset", "-u", pending.commit, index=self._index(pending.id))
        self.actor.run(("rm", "-f", "--", self._index(pending.id)), timeout=60)
        self.install(pending.id)
        packages = self.pip.locked(self.venv_folder(pending.id))
        self.sync()
        return packages

    def switch(self, pending: Pending) -> None:
        self._link("%s/%s" % (FOLDER, pending.id))

    def restore(self, pending: Pending) -> None:
        self._link("%s/%s" % (FOLDER, pending.previous) if pending.previous else pending.previous_link)

    def _link(self, target: str) -> None:
        """Have the link lead somewhere; remove it, when the target is empty."""
        folder = tree.open_folder(self.path)
        try:
            for name in (_NEW,) if target else (_NEW, LINK):
                try:
                    os.unlink(name, dir_fd=folder)
                except FileNotFoundError:
                    pass
            if target:
                os.symlink(target, _NEW, dir_fd=folder)
                os.rename(_NEW, LINK, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        finally:
            os.close(folder)

    def abandon(self, pending: Pending) -> None:
        if pending.act == "deploy":
            self.discard(pending.id)

    def _index(self, identity: str) -> str:
        return "%s/%s/index-%s" % (self.path, MIRROR, identity)

    def discard(self, identity: str) -> None:
        self.book.forget(identity)
        index = self._index(identity)
        self.actor.run(("rm", "-rf", "--", self.code(identity), index, index + ".lock"), timeout=self.timeout)
        if os.path.isdir(self.git.folder):
            self.git.unpin(identity)
