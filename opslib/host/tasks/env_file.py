"""Set, remove and rotate the variables of a systemd environment file."""

from __future__ import annotations

import os
import time

from opslib.host import ages
from opslib.host.files import env_text, private, tree
from opslib.host.files.env_params import MOST_KEYS, PrivateMode, Values, Variable, is_name
from opslib.host.params import USER, Boolean, Duration, ListOf, Number, Path
from opslib.host.plan import ACTION, CREATE, MODIFY, REMOVE, Change, Plan
from opslib.host.task import Task, TaskError, param
from opslib.host.units import systemd
from opslib.host.upkeep import rotated
from opslib.host.words import utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PREVIOUS = "_PREVIOUS"
_ROTATED, _EXPIRES = "rotated ", "expires "


class EnvFile(Task, name="env_file"):
    """Set, remove and rotate variables of a systemd EnvironmentFile, and leave every other line as it is.

    Values are quoted so that systemd, and a shell that sources the file, read exactly what was given: blanks, quotes,
    `$`, backslashes, `#`, line ends and any script. The file is written aside with its final mode and owner and put
    in place in one step; comments and order stay; new variables come last. A file that systemd would read otherwise
    than it looks (an open quote, text that is not UTF-8) is refused. Values are shown nowhere, not even in a diff.

    `rotate` gives variables new random values that never leave the host; those of several hosts differ. Without
    `rotate_after` that is done each time, else when a comment line of the task's own above the variable says that the
    last rotation is that long ago; one dated in the future, as a clock that was ahead leaves, says nothing. A name that
    stands in `set`, too, gets that value instead, if it has another: so hosts share one. With `keep_previous` the value
    before stays as NAME_PREVIOUS, and a later run with the same `rotate` removes it after that time.

    Whoever may write the file may write such comment lines. With `trust_remarks: false` none is believed: a variable
    counts as rotated only when the record that is kept beside it (rotated.json in /var/lib/opslib; of a user who is not
    root, in the home folder) says so of the very value that it has, and a NAME_PREVIOUS goes at the latest when
    `keep_previous` after that is over, at once without it.

    With `units` the step is changed, too, when one of them has run since before the file was last written, or has
    failed, so that a handler makes up for a restart that an earlier run did not come to, or that went wrong. The task
    itself restarts nothing.

    data: `path`, `exists`, `variables` (names in the file, at most 500), `previous` (names that rotation left),
    `modified_seconds` (since its last modification), `stale_units` (those that run with older values, or failed).

    Errors: no such folder, a file that is a link or no regular file, that changed while the task worked, or may not
    be written. Sources: systemd.exec(5), environ(7).
    """

    path: str = param(Path(), "The environment file.", example="/etc/dashboard/env")
    set: dict[str, str] = param(
        Values(), "Variables with the values they must have.", default={}, example={"LOG_LEVEL": "info"}
    )
    unset: list[str] = param(ListOf(Variable()), "Variables that must not be there.", default=[], example=["DEBUG"])
    rotate: list[str] = param(
        ListOf(Variable(), longest=100), "Variables that get a new random value.", default=[], example=["JWT_SECRET"]
    )
    rotate_after: float | None = param(
        Duration(low=1), "Rotate only what was not rotated for so many seconds.", default=None, example="30d"
    )
    rotate_bytes: int = param(
        Number(16, 512, whole=True), "Random bytes in a new value, which is written in URL-safe base64.", default=32
    )
    keep_previous: float | None = param(
        Duration(low=1),
        "Seconds for which the value before a rotation stays as NAME_PREVIOUS.",
        default=None,
        example="1d",
    )
    trust_remarks: bool = param(
        Boolean(),
        "Whether the file itself is believed when variables in it were rotated; not after a break-in.",
        default=True,
    )
    create: bool = param(Boolean(), "Whether a missing file is made; otherwise it is an error.", default=True)
    mode: str = param(PrivateMode(), "Permission bits of the file.", default="0600", example="0640")
    owner: str | None = param(
        USER, "Owner of the file; without it the one it has, or who runs this.", default=None, example="dashboard"
    )
    group: str | None = param(USER, "Group of the file; without it the one it has.", default=None, example="dashboard")
    units: list[str] = param(
        ListOf(systemd.UnitName(), longest=20),
        "Units that read the file when they start.",
        default=[],
        example=["dashboard"],
    )

    _warned: Any = ()  # of what is right again once the file is written

    def check(self) -> None:
        for one, other in (("set", "unset"), ("unset", "rotate")):
            both = [key for key in getattr(self, one) if key in getattr(self, other)]
            if both:
                self.refuse("%s stands in both %s and %s" % (both[0], one, other))
        if not self.rotate and (self.rotate_after is not None or self.keep_previous is not None):
            self.refuse("rotate_after and keep_previous are for what rotate names, and it names nothing")
        if self.keep_previous is not None or not self.trust_remarks:
            kept = [key + PREVIOUS for key in self.rotate]
            taken = [key for key in kept if key in self.set or key in self.unset or key in self.rotate]
            if taken:
                self.refuse(
                    "%s is where rotation keeps the value before; it cannot be set, unset or rotated" % taken[0]
                )
        if self.path.endswith(private.ASIDE):
            self.refuse("names that end in %s are the task's own" % private.ASIDE)

    def probe(self) -> dict[str, Any]:
        state: dict[str, Any] = {"file": None, "problem": "", "left": False, "now": time.time(), "stale": {}}
        state["record"] = None if self.trust_remarks or not self.rotate else rotated.read(self.path)
        try:
            folder = self._folder()
        except OSError as error:
            state["problem"] = "the folder of %s cannot be entered: %s" % (self.path, error.strerror)
            return state
        try:
            state["file"] = private.read(folder, os.path.basename(self.path))
            state["left"] = private.exists(folder, os.path.basename(self.path) + private.ASIDE)
        except OSError as error:
            state["problem"] = "%s cannot be read: %s" % (self.path, error.strerror)
        finally:
            os.close(folder)
        state["ids"] = (private.number(self.owner, "user"), private.number(self.group, "group"))
        state["me"] = (os.geteuid(), os.getegid())
        state["fresh"] = {key: _random(self.rotate_bytes) for key in self.rotate}
        if self.units and state["file"]:
            behind = {unit: _behind(unit, self.path, state["file"]["modified"]) for unit in self.units}
            state["stale"] = {unit: why for unit, why in behind.items() if why}
        return state

    def _folder(self) -> int:
        return tree.open_folder(os.path.dirname(self.path))

    def plan(self, state: dict[str, Any]) -> Plan:
        file = state["file"]
        if state["problem"] or (file and file["odd"]):
            return Plan(failure=state["problem"] or "%s is %s; give the file itself" % (self.path, file["odd"]))
        text = file["text"] if file else ""
        pieces = env_text.parse(text)
        flaw = env_text.flaw(pieces)
        if flaw:
            return Plan(failure="%s: %s" % (self.path, flaw))
        now = env_text.values(pieces)
        names = [key for key in now if is_name(key)]
        data: dict[str, Any] = {
            "path": self.path,
            "exists": file is not None,
            "variables": names[:MOST_KEYS],
            "previous": [note[0] for note in map(env_text.note_of, pieces) if note and note[1].startswith(_EXPIRES)],
            "modified_seconds": max(int(state["now"] - file["modified"]), 0) if file else None,
            "stale_units": list(state["stale"]),
        }
        warnings = [
            "line %d gives no variable: systemd ignores it" % piece.line
            for piece in pieces
            if piece.kind == env_text.JUNK or (piece.kind == env_text.ASSIGNMENT and not is_name(piece.key))
        ][:20]
        if file is None and not self.create:
            return Plan(failure="%s does not exist, and create is false" % self.path, data=data)
        edits = _Edits(now, state["record"])
        for key, value in self.set.items():
            if key not in self.rotate:
                edits.put(key, value)
        for key in self.unset:
            edits.put(key, None)
        notes = {note[0]: note[1] for note in map(env_text.note_of, pieces) if note}
        for key in self.rotate:
            self._rotate(key, now.get(key), notes, state, edits)
        warnings += [*self._warned, *edits.warnings]
        changes = self._changes(file, state, edits, text)
        if not changes:
            words = "have %s restarted: %s"
            changes = [Change(kind=ACTION, summary=words % (unit, why)) for unit, why in state["stale"].items()]
        reason = "" if changes else "%s is as it should be" % self.path
        return Plan(changes=changes, reason=reason, warnings=warnings, data=data)

    def _rotate(self, key: str, value: str | None, notes: dict[str, str], state: dict[str, Any], edits: _Edits) -> None:
        now, previous = state["now"], key + PREVIOUS
        given = self.set.get(key)
        last = self._last(key, value, notes, edits)
        if last is not None and given is None and ages.ahead(last, now):
            words = "%s is said to have been rotated on %s, in the future: that is not believed"
            edits.warnings.append(words % (key, utc(last)))
            last = None
        over = value is None or self.rotate_after is None or last is None or now - last >= self.rotate_after
        if over if given is None else value != given:
            kind = ACTION if value is not None and self.rotate_after is None and given is None else ""
            words = "rotate" if value is not None else "make up" if given is None else "set"
            new = state["fresh"][key] if given is None else given
            edits.put(key, new, words=words, kind=kind)
            edits.notes[key] = _ROTATED + utc(now)
            edits.entries[key] = rotated.entry(now, new if given is None else None)
            if value is not None and self.keep_previous is not None:
                edits.put(previous, value, words="keep the value before as", kind=kind)
                edits.notes[previous] = _EXPIRES + utc(now + self.keep_previous)
                return
        ends = [_when(notes.get(previous, ""), _EXPIRES)]
        if edits.record is not None:
            ends.append(0 if last is None or self.keep_previous is None else last + self.keep_previous)
        if any(end is not None and now >= end for end in ends):
            edits.put(previous, None)
            edits.notes[previous] = None

    def _last(self, key: str, value: str | None, notes: dict[str, str], edits: _Edits) -> float | None:
        if edits.record is None:
            return _when(notes.get(key, ""), _ROTATED)
        return rotated.when(edits.record, key, value, given=value == self.set.get(key))

    def _changes(self, file: dict[str, Any] | None, state: dict[str, Any], edits: _Edits, text: str) -> list[Change]:
        """Return the changes to the file, which the first of them carries out together."""
        mode = int(self.mode, 8)
        default = (file["uid"], file["gid"]) if file else state["me"]
        owner = tuple(default[n] if wanted is None else wanted for n, wanted in enumerate(state["ids"]))
        planned: list[tuple[str, str, Any, Any, bool]] = []
        if file is None:
            planned.append((CREATE, "make %s" % self.path, None, "mode %s" % self.mode, False))
        elif file["mode"] != mode:
            before = "mode %04o" % file["mode"]
            planned.append((MODIFY, "change the mode of %s" % self.path, before, "mode %s" % self.mode, False))
        if file is not None and owner != (file["uid"], file["gid"]):
            before, after = "%d:%d" % (file["uid"], file["gid"]), "%d:%d" % owner
            planned.append((MODIFY, "change the owner of %s" % self.path, before, after, False))
        for kind, words, before, after in edits.rows:
            planned.append((kind, "%s in %s" % (words, self.path), before, after, True))
        if not planned and state["left"]:
            planned.append(
                (REMOVE, "remove %s, left by a run that was cut short" % (self.path + private.ASIDE), None, None, False)
            )
        detail = {
            "text": env_text.edit(text, edits.wanted, edits.notes),
            "before": None if file is None else text,
            "mode": mode,
            "owner": owner,
            "entries": edits.entries,
            "warnings": edits.warnings,
        }
        return [
            Change(
                kind=kind, summary=words, before=before, after=after, sensitive=secret, detail=detail if not n else None
            )
            for n, (kind, words, before, after, secret) in enumerate(planned)
        ]

    def apply(self, change: Change) -> None:
        detail = change.detail
        if detail is None:
            return
        if detail["entries"] and not self.trust_remarks:
            rotated.add(
                self.path, detail["entries"]
            )  # first: of a value that does not get into the file it says nothing
        object.__setattr__(self, "_warned", detail["warnings"])
        name = os.path.basename(self.path)
        aside = name + private.ASIDE
        folder = self._folder()
        try:
            tree.remove(folder, aside)
            if change.kind == REMOVE and detail["text"] == detail["before"]:
                return
            private.write(folder, aside, detail["text"], detail["mode"], detail["owner"])
            file = private.read(folder, name)
            if (file["text"] if file and not file["odd"] else None) != detail["before"]:
                tree.remove(folder, aside)
                raise TaskError("%s was changed by someone else meanwhile; run this again" % self.path)
            os.rename(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        finally:
            os.close(folder)


class _Edits:
    """What is to be changed in a file: variables with values or None, remarks, and rows for the report.

    record: what is known of rotations outside of the file, None where the file is believed; entries: to be added to it.
    """

    def __init__(self, now: dict[str, str], record: dict[str, Any] | None) -> None:
        self.now = now
        self.record = record
        self.entries: dict[str, Any] = {}
        self.warnings: list[str] = []
        self.wanted: dict[str, str | None] = {}
        self.notes: dict[str, str | None] = {}
        self.rows: list[tuple[str, str, Any, Any]] = []

    def put(self, key: str, value: str | None, words: str = "", kind: str = "") -> None:
        """Give a variable a value, or take it away."""
        before = self.now.get(key)
        if before == value:
            return
        self.wanted[key] = value
        kind = kind or (CREATE if before is None else REMOVE if value is None else MODIFY)
        self.rows.append((kind, "%s %s" % (words or ("remove" if value is None else "set"), key), before, value))


def _random(count: int) -> str:
    from binascii import b2a_base64

    return b2a_base64(os.urandom(count), newline=False).decode("ascii").rstrip("=").replace("+", "-").replace("/", "_")


def _behind(unit: str, path: str, modified: float) -> str:
    """Return why a unit needs a restart to have what a file holds, modified at this time of the wall clock."""
    shown = systemd.show(unit)
    if shown.active == "failed" or shown.restarting:
        return "it has failed"
    if not shown.stopped and shown.started > 0 and time.time() - (time.monotonic() - shown.started) < modified:
        return "it has run since before %s was written" % path
    return ""


def _when(remark: str, word: str) -> float | None:
    """Return the time in a remark that begins with this word; None when there is none."""
    if not remark.startswith(word):
        return None
    from calendar import timegm

    text = remark[len(word) :].strip()
    digits = [text[0:4], text[5:7], text[8:10], text[11:13], text[14:16], text[17:19]]
    if len(text) != 20 or not all(part.isdigit() for part in digits):
        return None
    try:
        return float(timegm(tuple(map(int, digits)) + (0, 0, 0)))
    except ValueError:
        return None
