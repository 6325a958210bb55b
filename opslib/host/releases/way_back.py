"""The way back to the release before, when the new one does not work, or a run was cut short."""

from __future__ import annotations

import os

from opslib.host.task import TaskError
from opslib.host.words import printable, size

from .records import BUILDING, CUT, FAILED, FOUND, GOOD, title
from .serving import Serving

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

    from .records import Pending
    from .transition import Transition

_MOST_ERROR = 600
_LITTLE = 64 << 20  # bytes of free space, with which a failure is likely for want of more


def give_up(run: Transition, words: str) -> str:
    """Put back what was there before, after something failed; return what to say of it all."""
    at = run.pending
    if at is None:
        return words
    new = title({"ref": at.ref, "commit": at.commit})
    words += _want_of_room(run.ground.path)
    back = _WayBack(run).go(verify=True)
    said = "%s of %s failed: %s; %s" % (at.act, new, words, "; ".join(back))
    _ended(run, FAILED, words)
    return said


def _want_of_room(path: str) -> str:
    """Return in words that hardly any space is left: not every program says that this is what it failed for."""
    try:
        space = os.statvfs(path)
    except OSError:
        return ""
    free = space.f_bavail * space.f_frsize
    full = free < _LITTLE or (space.f_files and not space.f_favail)
    return " (%s has %s and %d inodes free)" % (path, size(free), space.f_favail) if full else ""


def recover(run: Transition, pending: Pending) -> list[str]:
    """Put right what a run that was cut short has left; return what was done, in words."""
    run.pending = pending
    if any(row["id"] == pending.id and row.get("began") == pending.began for row in run.book.history()):
        run.over()  # it had ended; only that was not written down any more
        return []
    words = _WayBack(run).go(verify=False)
    _ended(run, CUT, "the run was cut short")
    return words


def _ended(run: Transition, outcome: str, words: str) -> None:
    try:
        run.write(outcome, run.at.previous, error=words[:_MOST_ERROR])
    except OSError as error:
        run.notes.append("this could not be recorded: %s" % error.strerror)
    run.over()


class _WayBack:
    """One return, of a transition that is under way."""

    def __init__(self, run: Transition) -> None:
        self.run = run

    def go(self, verify: bool) -> list[str]:
        """Return to what was in place before; raises TaskError only where even that cannot be done."""
        run = self.run
        at, ground = run.at, run.ground
        words: list[str] = []
        old = self._previous_title()
        if os.path.isdir(ground.git.folder):
            ground.git.unlock()
        if at.phase == BUILDING:
            words.append("%s still serves, nothing else was touched" % old if old else "nothing serves")
            if at.migrated:
                words = [words[0].partition(", ")[0], *self._schema()]
            if not self._was_kept():
                self._cleared(ground.abandon)
            return words
        deploy = at.act == "deploy"
        words += self._schema() if deploy else []
        try:
            ground.restore(at)
            if at.replaces:
                run.unit_files.restore(at)
        except (TaskError, OSError) as error:
            raise TaskError(
                "%s could not be put back: %s; run again, or mend it by hand" % (old or "the state before", error)
            ) from None
        words += [] if deploy else self._schema()
        if at.replaces:
            words.append(self._serve_again(old, verify))
        else:
            run.serving.stop()
            run.unit_files.restore(at)
            words.append("there is no earlier release, so nothing serves")
        if deploy and not self._was_kept():
            self._cleared(lambda at: ground.discard(at.id))
        return words

    def _was_kept(self) -> bool:
        """Whether an earlier run built what was to be deployed, so that it stays as it was before this one."""
        at = self.run.at
        known = (row["id"] for row in self.run.book.history() if row["outcome"] in (GOOD, FOUND))
        return at.act == "deploy" and at.id in known

    def _previous_title(self) -> str:
        at = self.run.at
        if not at.previous_commit:
            return printable(at.previous_link)
        return title({"ref": self.run.book.built(at.previous).get("ref", ""), "commit": at.previous_commit})

    def _serve_again(self, old: str, verify: bool) -> str:
        again = Serving(**dict(self.run.serving._values(), watch=0))
        try:
            again.begin()
        except TaskError as error:
            if verify:
                return "%s was put back, but it does not work either: %s" % (old, error)
            return "%s was put back, but it does not work: %s" % (old, error)
        return "%s serves again" % old

    def _schema(self) -> list[str]:
        run = self.run
        at, schema = run.at, run.schema
        if not at.migrated:
            return []
        if at.migrated == "begun":
            return ["the schema may have been changed in part"]
        deploy = at.act == "deploy"
        command, code = (schema.down, at.id) if deploy else (schema.up, at.previous)
        name = "migrate_down" if deploy else "migrate"
        if not command:
            return ["the schema stays as it is now: no %s was given" % name]
        try:
            run.mark(migrated="begun")
            schema.run(command, run.ground, code)
            run.mark(migrated="")
        except (TaskError, OSError) as error:
            return ["the schema could not be taken back: %s" % error]
        return ["the schema was taken back"]

    def _cleared(self, clear: Callable[[Pending], None]) -> None:
        """Remove what is no longer needed; what cannot be removed is noted, and does no harm."""
        at = self.run.at
        try:
            clear(at)
        except (TaskError, OSError) as error:
            self.run.notes.append("what was built of %s could not be removed: %s" % (at.id, error))
