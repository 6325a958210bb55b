"""Stop everything that writes, in a way that can be undone exactly."""

from __future__ import annotations

import time

from opslib.host.command import run
from opslib.host.params import Choice, Duration, ListOf, Name
from opslib.host.plan import CREATE, MODIFY, REMOVE, Change, Plan
from opslib.host.task import Task, TaskError, param
from opslib.host.units import faults as unit_faults
from opslib.host.units import hold, journal, systemd
from opslib.host.units import watch as unit_watch
from opslib.host.units.hold import Book, Held
from opslib.host.units.systemd import UnitName
from opslib.host.units.watch import Asked
from opslib.host.words import count, utc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from opslib.host.units.systemd import Unit

STOPPED, RESUMED = "stopped", "resumed"


class Writes(Task, name="writes"):
    """Stop the units that write (schedulers, services), so that nothing starts them, and later undo exactly that.

    `stopped` records which of the `units` run, makes sure that nothing can start them (by hand, by a timer or socket,
    by another unit, or at boot: a drop-in in /etc/systemd/system sees to it), and stops them in their order, timers
    and sockets that would start them first. `resumed` needs no units: it takes the drop-ins away, starts what had run
    in the opposite order, watches each for `settle` seconds, and only then forgets the record. What did not run
    before stays stopped. A run that is cut short is taken up by the next one in either direction.

    The record is /var/lib/opslib/writes/RECORD.json. Units stopped under several names are held by each of them.

    data: `record`, `stopped` (whether a record exists), `since` (UTC, null without one), `units`, in their order:
    `unit`, `was_active`, `active_state`, `held` (nothing can start it), `why` (asked, or the unit that it would start).

    Errors: a unit does not exist, cannot be stopped by hand, is no longer there or fails when it is resumed (the
    record is kept then); the record is damaged. Sources: systemctl(1), systemd.unit(5).
    """

    state: str = param(Choice(STOPPED, RESUMED), "Whether writes are to be stopped or to go on.", example=STOPPED)
    units: list[str] = param(
        ListOf(UnitName(), longest=200),
        "Units to stop, in this order; for `resumed` those of the record.",
        default=[],
        example=["app-scheduler", "app"],
    )
    record: str = param(Name("name of a record"), "Name of the record.", default="data_loss")
    stop_timeout: float = param(Duration(low=1), "Seconds that a unit may take to stop.", default=90)
    settle: float = param(Duration(), "Seconds that a resumed unit must stay up.", default=3)
    start_timeout: float = param(Duration(low=0.1), "Seconds within which a resumed unit must be up.", default=90)

    def check(self) -> None:
        if self.state == STOPPED and not self.units:
            self.refuse("units is empty; name what writes: schedulers, services, timers")
        if len(self.record) > 100:
            self.refuse("record has %d characters; at most 100 are taken" % len(self.record))

    def probe(self) -> dict[str, Any]:
        try:
            book = hold.read(self.record)
        except hold.BrokenBook as error:
            path = Book(name=self.record).path
            raise TaskError("the record %s is damaged (%s); mend it or move it away" % (path, error)) from None
        shown = {}
        for name in [*self.units, *(one.unit for one in book.units if book)] if book else self.units:
            unit = shown[name] = systemd.show(name)
            for trigger in unit.triggered_by if self.state == STOPPED else ():
                if trigger not in shown:
                    shown[trigger] = systemd.show(trigger)
        held = {unit.id for unit in shown.values() if hold.holds(self.record, unit.id)}
        return {"now": time.time(), "book": book, "shown": shown, "held": held}

    def plan(self, state: dict[str, Any]) -> Plan:
        book: Book | None = state["book"]
        wanted = self._wanted(state) if self.state == STOPPED else (book or Book(name=self.record))
        data = _facts(wanted if self.state == STOPPED else book, state, self.record)
        shown: dict[str, Unit] = state["shown"]
        lost = [unit.name for unit in shown.values() if unit.load == "not-found" and unit.stopped]
        if self.state == STOPPED:
            if lost:
                words = "%s does not exist on this host; nothing was stopped" % ", ".join(lost)
                return Plan(failure=words, data=data)
            bad = [unit.label for unit in shown.values() if not unit.stopped and not unit.can_stop]
            if bad:
                words = "%s cannot be stopped by hand (RefuseManualStop=); nothing was stopped" % ", ".join(bad)
                return Plan(failure=words, data=data)
            return self._stop(wanted, state, data)
        return self._resume(book, state, data, lost)

    def _wanted(self, state: dict[str, Any]) -> Book:
        """Return the record as it should be: what it holds already, and what is to be stopped beside."""
        book, shown = state["book"], state["shown"]
        rows = list(book.units) if book else []
        known = {one.unit for one in rows}
        for name in self.units:
            unit = shown[name]
            for trigger in unit.triggered_by:
                other = shown[trigger]
                if other.id not in known and not other.stopped:
                    known.add(other.id)
                    rows.append(Held(unit=other.id, was_active=True, why=unit.id))
            if unit.id not in known:
                known.add(unit.id)
                rows.append(Held(unit=unit.id, was_active=not unit.stopped))
        return Book(name=self.record, since=book.since if book else state["now"], units=rows)

    def _stop(self, wanted: Book, state: dict[str, Any], data: dict[str, Any]) -> Plan:
        book, units = state["book"], _by_name(state["shown"])
        changes = []
        if book is None or len(book.units) < len(wanted.units):
            new = [one.unit for one in wanted.units if book is None or one not in book.units]
            summary = "record what is stopped: " + ", ".join(new)
            changes.append(Change(kind=CREATE if book is None else MODIFY, summary=summary, detail=("record", wanted)))
        free = [one.unit for one in wanted.units if one.unit not in state["held"] or units[one.unit].reload_needed]
        if free:
            summary = "keep from being started: " + ", ".join(free)
            changes.append(Change(kind=CREATE, summary=summary, detail=("hold", free)))
        for one in wanted.units:
            unit = units[one.unit]
            if not unit.stopped:
                summary = "stop " + unit.id
                changes.append(
                    Change(kind=MODIFY, summary=summary, before=unit.words, after="stopped", detail=("stop", unit.id))
                )
        reason = "" if changes else "%s stopped already since %s" % (_are(len(wanted.units)), data["since"])
        return Plan(changes=changes, reason=reason, data=data)

    def _resume(self, book: Book | None, state: dict[str, Any], data: dict[str, Any], lost: Sequence[str]) -> Plan:
        if book is None:
            return Plan(reason="nothing is stopped under the name %s" % self.record, data=data)
        units = _by_name(state["shown"])
        changes = []
        held = [one.unit for one in book.units if one.unit in state["held"] or units[one.unit].reload_needed]
        if held:
            changes.append(
                Change(kind=REMOVE, summary="let be started again: " + ", ".join(held), detail=("release", held))
            )
        # The condition names the record: while it exists nothing that is held can start, and it has to stay until all
        # is up. So it is the drop-ins that go first, and the record that goes last.
        for one in reversed(book.units):
            unit = units[one.unit]
            if one.was_active and unit.stopped and unit.name not in lost:
                changes.append(
                    Change(
                        kind=MODIFY,
                        summary="start " + unit.id,
                        before=unit.words,
                        after="active",
                        detail=("start", unit.id),
                    )
                )
        gone = [one.unit for one in book.units if one.was_active and one.unit in lost]
        if gone:
            words = "%s ran before, but %s not exist any more; the record of what was stopped is kept"
            finding = words % (", ".join(gone), "does" if len(gone) == 1 else "do")
            return Plan(changes=changes, finding=finding, data=data)
        changes.append(Change(kind=REMOVE, summary="forget what was stopped", detail=("forget", book)))
        return Plan(changes=changes, data=data)

    def apply(self, change: Change) -> None:
        verb, what = change.detail
        if verb == "record":
            hold.write(what)
        elif verb == "hold":
            hold.hold(self.record, what)
        elif verb == "release":
            hold.release(self.record, what)
        elif verb == "forget":
            hold.forget(what)
        else:
            self._control(verb, what)

    def _control(self, verb: str, name: str) -> None:
        limit = self.stop_timeout if verb == "stop" else self.start_timeout
        done = run(("systemctl", "--no-ask-password", verb, "--", name), timeout=limit, ok=None)
        unit = systemd.show(name)
        if verb == "stop":
            if not unit.stopped:
                words = "%s is still %s; systemctl stop said: %s"
                raise TaskError(words % (name, unit.words, done.err.strip()[-300:] or "nothing"))
            return
        if unit.is_job and not done.code:
            return
        ends = time.monotonic() + self.start_timeout
        look = unit_watch.watch(name, Asked(), settle=self.settle, ends=ends)
        if look.fault:
            log = journal.tail(look.unit, 20)
            words = look.fault
            if unit_faults.unmet(log):
                words = "was not started: a condition in its unit file is not met; is it stopped under another name?"
            raise TaskError("%s %s; the record of what was stopped is kept" % (name, words), log=log)


def _by_name(shown: dict[str, Unit]) -> dict[str, Unit]:
    """Return units by the names they were asked for, and by their own."""
    return {**shown, **{unit.id: unit for unit in shown.values()}}


def _are(number: int) -> str:
    return "%s %s" % (count(number, "unit"), "is" if number == 1 else "are")


def _facts(book: Book | None, state: dict[str, Any], name: str) -> dict[str, Any]:
    units = _by_name(state["shown"])
    since = state["book"].since if state["book"] else None
    rows = [
        {
            "unit": one.unit,
            "was_active": one.was_active,
            "active_state": units[one.unit].active if one.unit in units else "unknown",
            "held": one.unit in state["held"],
            "why": one.why,
        }
        for one in (book.units if book else ())
    ]
    return {
        "record": name,
        "stopped": state["book"] is not None,
        "since": None if since is None else utc(since),
        "units": rows,
    }
