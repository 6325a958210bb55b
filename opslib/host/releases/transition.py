"""From one release to another; `way_back` leads back when the other does not work.

What is about to happen is written down first, so whoever comes after a run that was cut short knows what to put right.
"""

from __future__ import annotations

import os
import time

from opslib.host.record import Record
from opslib.host.task import TaskError
from opslib.host.words import utc

from . import records
from .actor import who
from .git import rewritten
from .ground import Ground
from .records import FOUND, GOOD, SWITCHING, Book, Pending
from .schema import Schema
from .serving import Serving
from .unit_file import UnitFiles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence


class Target(Record):
    """The release to go to.

    build: what it is built with, to tell one that can be used again; branch: for in_place; tip: the newest commit of
    the ref, where an older one is asked for.
    """

    id: str
    commit: str
    ref: str
    act: str
    build: Sequence[str] = ()
    branch: str = ""
    tip: str = ""


class Transition:
    """One run's work on one application: it takes the lock, and gives it up at the end whatever happens."""

    def __init__(self, app: str, ground: Ground, serving: Serving, schema: Schema, unit_files: UnitFiles) -> None:
        self.app = app
        self.ground = ground
        self.book: Book = ground.book
        self.serving = serving
        self.schema = schema
        self.unit_files = unit_files
        self.pending: Pending | None = None
        self.notes: list[str] = []

    # --- the frame

    def enter(self, known: Sequence[dict[str, Any]]) -> None:
        """Take the lock. known: the history that the plan was made from; a longer one by now needs another plan."""
        self.book.lock()
        if self.book.history() != list(known):
            self.book.unlock()
            raise TaskError("another run has changed this application meanwhile; run again")

    def leave(self) -> None:
        """Give up the lock."""
        self.book.unlock()

    def begin(self, target: Target, history: Sequence[dict[str, Any]]) -> None:
        """Write down what is about to happen, and what is in place now."""
        self.ground.make_path()
        served = self.ground.served(history)
        before = served.id
        branch, venv = "", False
        if self.ground.in_place:
            venv = os.path.isdir(self.ground.venv_folder(""))
            branch = self.ground.git.branch() if served.commit else ""
            if served.commit and not served.id:
                before = self._adopt(served.commit, branch)
        self.pending = Pending(
            act=target.act,
            id=target.id,
            commit=target.commit,
            ref=target.ref,
            began=utc(time.time()),
            who=who(),
            previous=before,
            previous_commit=served.commit,
            previous_link=served.link,
            previous_branch=branch,
            branch=target.branch,
            venv=venv,
        )
        self.book.begin(self.pending)

    def _adopt(self, commit: str, branch: str) -> str:
        """Record what was checked out before anything of ours, so that there is a way back to it."""
        now = time.time()
        identity = records.identity(now, commit)
        packages = self.ground.pip.locked(self.ground.venv_folder(""))
        self.ground.git.pin(identity, commit)
        self.book.complete(identity, {"commit": commit, "ref": branch, "packages": packages})
        self.book.append(
            {
                "app": self.app,
                "id": identity,
                "commit": commit,
                "ref": branch,
                "act": "found",
                "outcome": FOUND,
                "at": utc(now),
                "who": "",
                "serves": identity,
                "packages": packages,
            }
        )
        return identity

    def mark(self, **values: Any) -> Pending:
        """Write down how far it came."""
        self.pending = Pending(**dict(self.at._values(), **values))
        self.book.begin(self.pending)
        return self.pending

    @property
    def at(self) -> Pending:
        """What is under way."""
        assert self.pending is not None
        return self.pending

    def over(self) -> None:
        """Write down that nothing is under way any more."""
        self.book.finish()
        self.pending = None

    # --- the steps

    def fetch(self, repository: str, target: Target, rewritten_from: str) -> None:
        """Bring the commit here. rewritten_from: a commit that must be in the ref's history; empty for none."""
        git, commit, tip = self.ground.git, target.commit, target.tip or target.commit
        git.make()
        git.fetch(repository)
        if not git.has(commit):
            words = "the remote repository has no commit %s on any branch or tag; was it pushed, or pushed over?"
            raise TaskError(words % commit[:12])
        if tip != commit and not git.is_ancestor(commit, tip):
            raise TaskError("commit %s is not in the history of %s" % (commit[:12], target.ref))
        if rewritten_from and git.has(rewritten_from) and not git.is_ancestor(rewritten_from, tip):
            raise TaskError(rewritten(target.ref, rewritten_from, tip))
        missing = git.incomplete(commit)
        if missing:
            raise TaskError("the release %s, so it would be deployed in part" % missing)
        self.unit_files.expect(commit)

    def build(self, build: Sequence[str]) -> None:
        """Make the release ready without touching what serves."""
        at = self.at
        packages = self.ground.build(at)
        if not self.ground.in_place:
            self._complete(build, packages)

    def _complete(self, build: Sequence[str], packages: Sequence[str]) -> None:
        facts = {"commit": self.at.commit, "ref": self.at.ref, "build": list(build), "packages": list(packages)}
        self.ground.git.pin(self.at.id, self.at.commit)
        self.book.complete(self.at.id, facts)

    def migrate(self) -> None:
        """Bring the schema up, with the new release's code."""
        self.mark(migrated="begun")
        self.schema.run(self.schema.up, self.ground, self.at.id)
        self.mark(migrated="done")

    def switch(self, build: Sequence[str]) -> None:
        """Put the release in place."""
        self.mark(phase=SWITCHING, switched_at=utc(time.time()))
        self.ground.switch(self.at)
        if self.ground.in_place:
            packages = self.ground.pip.locked(self.ground.venv_folder(""))
            self.ground.sync()
            self._complete(build, packages)

    def install_unit(self) -> None:
        """Install the unit file of the release; what was installed before is kept for the way back."""
        self.unit_files.keep(self.at.previous)
        self.unit_files.install(self.mark(unit_kept=True))

    def undo_schema(self) -> None:
        """Take the schema back before going back to an older release, with the code of the one that serves."""
        if self.at.previous:
            self.mark(migrated="begun", phase=SWITCHING)
            self.schema.run(self.schema.down, self.ground, self.at.previous)
            self.mark(migrated="done")

    def serve(self) -> None:
        """Have the release serve, see that it does, and write it down."""
        self.serving.begin()
        at = self.at
        self.write(GOOD, at.id, packages=self.book.built(at.id).get("packages", []))
        self.over()

    def write(self, outcome: str, serves: str, **more: Any) -> None:
        """Add to the history how it ended, and what serves now."""
        at = self.at
        row = {
            "app": self.app,
            "id": at.id,
            "commit": at.commit,
            "ref": at.ref,
            "act": at.act,
            "outcome": outcome,
            "at": utc(time.time()),
            "began": at.began,
            "who": at.who,
            "previous": at.previous,
            "serves": serves,
            "switched": at.phase == SWITCHING,
            **({"switched_at": at.switched_at} if at.switched_at else {}),
            "migrated": at.migrated,
        }
        self.book.append(dict(row, **more))
