"""From one release to another, and back when the other does not work.

What is about to happen is written down first, so whoever comes after a run that was cut short knows what to put right.
"""

from __future__ import annotations

import os
import time

from opslib.host.postgres import env_file
from opslib.host.record import Record
from opslib.host.task import TaskError

from . import records
from .actor import who
from .ground import Ground
from .records import BUILDING, SWITCHING, Book, Pending
from .serving import Serving
from .venv import environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Sequence

MOST_ERROR = 600
_LINKER = ("LD_", "GLIBC_", "GCONV_", "LOCPATH", "NLSPATH", "MALLOC_")
GOOD, FAILED, CUT, FOUND = "good", "failed", "cut short", "found"


class Schema(Record):
    """How the database's schema follows the code.

    up, down: words of a command, run in the new release's folder; env_file: variables for them; timeout: seconds.
    """

    up: Sequence[str] = ()
    down: Sequence[str] = ()
    env_file: str | None = None
    timeout: float = 900


class Target(Record):
    """The release to go to. build: what it is built with, to tell one that can be used again; branch: for in_place."""

    id: str
    commit: str
    ref: str
    act: str
    build: Sequence[str] = ()
    branch: str = ""


class Transition:
    """One run's work on one application: it takes the lock, and gives it up at the end whatever happens."""

    def __init__(self, app: str, ground: Ground, serving: Serving, schema: Schema) -> None:
        self.app = app
        self.ground = ground
        self.book: Book = ground.book
        self.serving = serving
        self.schema = schema
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
            began=records.stamp(time.time()),
            who=who(),
            previous=before,
            previous_commit=served.commit,
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
                "at": records.stamp(now),
                "who": "",
                "serves": identity,
                "packages": packages,
            }
        )
        return identity

    def _mark(self, **values: Any) -> Pending:
        """Write down how far it came."""
        assert self.pending is not None
        self.pending = Pending(**dict(self.pending._values(), **values))
        self.book.begin(self.pending)
        return self.pending

    @property
    def at(self) -> Pending:
        """What is under way."""
        assert self.pending is not None
        return self.pending

    # --- the steps

    def fetch(self, repository: str, rewritten_from: str) -> None:
        """Bring the commit here. rewritten_from: a commit that must be in its history; empty for none."""
        git = self.ground.git
        git.make()
        git.fetch(repository)
        if not git.has(self.at.commit):
            words = "the remote repository has no commit %s on any branch or tag; was it pushed, or pushed over?"
            raise TaskError(words % self.at.commit[:12])
        if rewritten_from and git.has(rewritten_from) and not git.is_ancestor(rewritten_from, self.at.commit):
            raise TaskError(rewritten(self.at.ref, rewritten_from, self.at.commit))

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
        self._mark(migrated="begun")
        self._command(self.schema.up, self.at.id)
        self._mark(migrated="done")

    def switch(self, build: Sequence[str]) -> None:
        """Put the release in place."""
        self._mark(phase=SWITCHING, switched_at=records.stamp(time.time()))
        self.ground.switch(self.at)
        if self.ground.in_place:
            packages = self.ground.pip.locked(self.ground.venv_folder(""))
            self.ground.sync()
            self._complete(build, packages)

    def undo_schema(self) -> None:
        """Take the schema back before going back to an older release, with the code of the one that serves."""
        if self.at.previous:
            self._mark(migrated="begun", phase=SWITCHING)
            self._command(self.schema.down, self.at.previous)
            self._mark(migrated="done")

    def serve(self) -> None:
        """Have the release serve, see that it does, and write it down."""
        self.serving.begin()
        at = self.at
        packages = self.book.built(at.id).get("packages", [])
        self._write(GOOD, at.id, packages=packages)
        self.book.finish()
        self.pending = None

    def _write(self, outcome: str, serves: str, **more: Any) -> None:
        at = self.at
        row = {
            "app": self.app,
            "id": at.id,
            "commit": at.commit,
            "ref": at.ref,
            "act": at.act,
            "outcome": outcome,
            "at": records.stamp(time.time()),
            "began": at.began,
            "who": at.who,
            "previous": at.previous,
            "serves": serves,
            "switched": at.phase == SWITCHING,
            **({"switched_at": at.switched_at} if at.switched_at else {}),
            "migrated": at.migrated,
        }
        self.book.append(dict(row, **more))

    def _command(self, words: Sequence[str], identity: str) -> None:
        """Run a command of the schema in a release's folder, with its environment and that of the service."""
        venv, folder = self.ground.venv_folder(identity), self.ground.app_folder(identity)
        values = env_file.read(self.schema.env_file) if self.schema.env_file else {}
        # What the dynamic linker obeys would be obeyed before the change to the user, too.
        env = {name: value for name, value in values.items() if name and not name.startswith(_LINKER)}
        env.update(environment(venv))
        program = words[0]
        if "/" not in program:
            own = venv + "/bin/" + program
            program = own if os.access(own, os.X_OK) else program
        elif not program.startswith("/"):
            program = folder + "/" + program
        argv = [program, *words[1:]]
        self.ground.actor.run(
            argv, timeout=self.schema.timeout, env=env, cwd=folder, secrets=[each for each in values.values() if each]
        )

    # --- the way back

    def give_up(self, words: str) -> str:
        """Put back what was there before, after something failed; return what to say of it all."""
        at = self.pending
        if at is None:
            return words
        new = _title(at.ref, at.commit)
        back = self._back(verify=True)
        said = "%s of %s failed: %s; %s" % (at.act, new, words, "; ".join(back))
        self._ended(FAILED, words)
        return said

    def recover(self, pending: Pending) -> list[str]:
        """Put right what a run that was cut short has left; return what was done, in words."""
        self.pending = pending
        if any(row["id"] == pending.id and row.get("began") == pending.began for row in self.book.history()):
            self.book.finish()  # it had ended; only that was not written down any more
            self.pending = None
            return []
        words = self._back(verify=False)
        self._ended(CUT, "the run was cut short")
        return words

    def _ended(self, outcome: str, words: str) -> None:
        at = self.at
        try:
            self._write(outcome, at.previous, error=words[:MOST_ERROR])
        except OSError as error:
            self.notes.append("this could not be recorded: %s" % error.strerror)
        self.book.finish()
        self.pending = None

    def _back(self, verify: bool) -> list[str]:
        """Return to what was in place before; raises TaskError only where even that cannot be done."""
        at, words = self.at, []
        old = self._previous_title()
        if os.path.isdir(self.ground.git.folder):
            self.ground.git.unlock()
        if at.phase == BUILDING:
            words.append("%s still serves, nothing else was touched" % old if old else "nothing serves")
            if at.migrated:
                words = [words[0].partition(", ")[0], *self._schema_back(at)]
            self._cleared(self.ground.abandon)
            return words
        deploy = at.act == "deploy"
        words += self._schema_back(at) if deploy else []
        try:
            self.ground.restore(at)
        except (TaskError, OSError) as error:
            raise TaskError(
                "%s could not be put back: %s; run again, or mend it by hand" % (old or "the state before", error)
            ) from None
        words += [] if deploy else self._schema_back(at)
        if at.previous_commit or at.previous:
            words.append(self._serve_again(old, verify))
        else:
            self.serving.stop()
            words.append("there is no earlier release, so nothing serves")
        if deploy:
            self._cleared(lambda at: self.ground.discard(at.id))
        return words

    def _previous_title(self) -> str:
        at = self.at
        if not at.previous_commit:
            return ""
        ref = str(self.book.built(at.previous).get("ref", ""))
        return _title(ref, at.previous_commit)

    def _serve_again(self, old: str, verify: bool) -> str:
        serving = self.serving
        again = Serving(**dict(serving._values(), watch=0))
        try:
            again.begin()
        except TaskError as error:
            if verify:
                return "%s was put back, but it does not work either: %s" % (old, error)
            return "%s was put back, but it does not work: %s" % (old, error)
        return "%s serves again" % old

    def _schema_back(self, at: Pending) -> list[str]:
        if not at.migrated:
            return []
        if at.migrated == "begun":
            return ["the schema may have been changed in part"]
        deploy = at.act == "deploy"
        command, code = (self.schema.down, at.id) if deploy else (self.schema.up, at.previous)
        name = "migrate_down" if deploy else "migrate"
        if not command:
            return ["the schema stays as it is now: no %s was given" % name]
        try:
            self._mark(migrated="begun")
            self._command(command, code)
            self._mark(migrated="")
        except (TaskError, OSError) as error:
            return ["the schema could not be taken back: %s" % error]
        return ["the schema was taken back"]

    def _cleared(self, clear: Callable[[Pending], None]) -> None:
        """Remove what is no longer needed; what cannot be removed is noted, and does no harm."""
        try:
            clear(self.at)
        except (TaskError, OSError) as error:
            self.notes.append("what was built of %s could not be removed: %s" % (self.at.id, error))


def rewritten(ref: str, old: str, new: str) -> str:
    """Return what to say of a ref that no longer leads on from what was deployed of it."""
    words = (
        "%s was rewritten (a forced push, or a tag that moved): %s was deployed from it and is not in the history of %s"
    )
    return words % (ref, old[:12], new[:12]) + "; if that is meant, give allow_rewritten: true"


def _title(ref: str, commit: str) -> str:
    short = commit[:12]
    return short if not ref or ref == commit or commit.startswith(ref) else "%s (%s)" % (ref, short)


def title(row: dict[str, Any]) -> str:
    """Return a release as people call it: its ref and the beginning of its commit."""
    return _title(str(row.get("ref", "")), str(row.get("commit", "")))
