"""Where an application's code lies: what both strategies have in common."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod

from opslib.host.command import run
from opslib.host.record import Record
from opslib.host.task import TaskError

from .actor import Actor
from .git import Git
from .records import Book, Pending
from .venv import Pip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Collection, Sequence

ASIDE = "@"


class Served(Record):
    """The release that is in place: its name, empty when it is not one of ours, and its commit; problem: why unsure.

    link: where the link leads that is none of ours, empty when there is none.
    """

    id: str = ""
    commit: str = ""
    link: str = ""
    problem: str = ""


class Ground(Record, ABC):
    """The folder of an application. subfolder: where it lies in the repository; requirements, venv: relative to that.

    missing_ok: whether the requirements file may be missing.
    """

    path: str
    actor: Actor
    book: Book
    pip: Pip
    subfolder: str = ""
    requirements: str = "requirements.txt"
    missing_ok: bool = True
    venv: str = "venv"
    timeout: float = 900

    # What the strategies do. in_place: whether code that serves is changed where it is.

    @property
    def in_place(self) -> bool:
        """Whether what serves is itself changed, rather than replaced."""
        return False

    @property
    @abstractmethod
    def git(self) -> Git:
        """The repository that lies on this host."""

    @abstractmethod
    def served(self, history: Sequence[dict[str, Any]]) -> Served:
        """Return what is in place now. Reads only."""

    @abstractmethod
    def problem(self) -> str:
        """Return why nothing can be deployed here, in words; an empty string when it can. Reads only."""

    @abstractmethod
    def kept(self) -> set[str]:
        """Return the releases that could be switched to without building anything. Reads only."""

    @abstractmethod
    def code(self, identity: str) -> str:
        """Return the folder of a release's code."""

    @abstractmethod
    def build(self, pending: Pending) -> Sequence[str]:
        """Make a release ready, and return its locked packages."""

    @abstractmethod
    def switch(self, pending: Pending) -> None:
        """Put a release that is ready in place, at once."""

    @abstractmethod
    def restore(self, pending: Pending) -> None:
        """Put in place what was there before; whatever was done of it already, this does the rest."""

    @abstractmethod
    def abandon(self, pending: Pending) -> None:
        """Remove what was made ready for a transition that will not be."""

    @abstractmethod
    def discard(self, identity: str) -> None:
        """Remove a release with all that belongs to it; it must not be in place."""

    def prune(self, keep: Collection[str]) -> None:
        """Discard all releases but these."""
        for one in sorted(self.kept() - set(keep)):
            self.discard(one)

    # What they share.

    def app_folder(self, identity: str) -> str:
        """Return the folder in which a release's application lies."""
        return self.code(identity) + ("/" + self.subfolder if self.subfolder else "")

    def venv_folder(self, identity: str) -> str:
        """Return the virtual environment of a release."""
        return self.app_folder(identity) + "/" + self.venv

    def install(self, identity: str) -> None:
        """Bring a release's environment up to its requirements. Raises TaskError."""
        folder = self.app_folder(identity)
        if not os.path.isdir(folder):
            raise TaskError("the release has no folder %s" % (self.subfolder or folder))
        if not os.path.exists(self.venv_folder(identity) + "/bin/python"):
            self.pip.make(self.venv_folder(identity))
        if os.path.exists(folder + "/" + self.requirements):
            self.pip.install(self.venv_folder(identity), folder + "/" + self.requirements, folder)
        elif not self.missing_ok:
            raise TaskError("the release has no %s" % (self.requirements,))

    def make_path(self) -> None:
        """Make the application's folder, its user's own, where it is missing."""
        if not os.path.isdir(self.path):
            who = ("-o", "%d" % self.actor.uid, "-g", "%d" % self.actor.gid)
            run(("install", "-d", *who, "-m", "0755", "--", self.path))

    def sync(self) -> None:
        """Have written on the disk what is in memory, before anything relies on it."""
        self.actor.run(("sync", "-f", "--", self.path), timeout=self.timeout)
