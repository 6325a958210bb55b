"""Watch a systemd unit until it is up, stays up, owns its port and answers over HTTP; or until it cannot be."""

from __future__ import annotations

import time

from opslib.host.record import Record
from opslib.host.system import listeners
from opslib.host.tasks.http_check import HttpCheck

from . import faults as unit_faults
from . import systemd
from .faults import DOWN, UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from opslib.host.system.listeners import Listening

    from .systemd import Unit

PAUSE = 0.3
INIT = 1


class Look(Record):
    """One look at a unit.

    restarts: automatic restarts when watching began; now: seconds of the monotonic clock; fault: why it is not up, or
    not as asked, in words that follow its name; listening, http: what was found of the port and the URL.
    """

    unit: Unit
    restarts: int
    now: float
    fault: str = ""
    listening: Listening | None = None
    http: dict[str, Any] | None = None

    def late(self) -> Look:
        """Return the look with a fault that says how long the unit had time to mend it."""
        waited = " (%.0f s after its start)" % (self.now - self.unit.started) if self.unit.started else ""
        return Look(**dict(self._values(), fault=self.fault + waited))


class Asked(Record):
    """What a unit must offer beside being active: a TCP port of its own, an HTTP answer."""

    port: int | None = None
    http: HttpCheck | None = None


def look(name: str) -> Look:
    """Look at a unit once, without judging it."""
    unit = systemd.show(name)
    return Look(unit=unit, restarts=unit.restarts, now=time.monotonic())


def watch(
    name: str, asked: Asked, *, settle: float, ends: float, restarts: int | None = None, first: Look | None = None
) -> Look:
    """Look until the unit has been up for `settle` seconds and is as asked; return the last look.

    first: a look just taken, to begin with.
    ends: when to give up, in seconds of the monotonic clock; there is always one look, and one attempt at the URL.
    restarts: the automatic restarts that do not count, None for as many as there are at the first look. A crash loop
    is watched until the end of `settle`: it may end at systemd's start limit, and the log tells more.
    """
    settled = (first.now if first else time.monotonic()) + settle
    crash = ""
    while True:
        seen, first = first or look(name), None
        unit, now = seen.unit, seen.now
        restarts = unit.restarts if restarts is None else min(restarts, unit.restarts)
        crash = unit_faults.ended(unit) or crash
        verdict = unit_faults.verdict(unit, restarts, crash)
        seen = Look(unit=unit, restarts=restarts, now=now, fault=verdict.words)
        if verdict.kind == UP and now >= settled:
            seen = offers(seen, asked, ends - now)
            if not seen.fault or (seen.listening is not None and seen.listening.taken):
                return seen
        if verdict.kind == DOWN:
            if unit.stopped or now >= settled:
                return seen
        elif now >= max(ends, settled):
            return seen.late()
        time.sleep(PAUSE)


def port_of(unit: Unit, port: int) -> Listening:
    """Return who listens on a port, and whether it is the unit: its processes, or systemd for a socket unit."""
    own = [INIT] if unit.listens_on(port) else listeners.group_members(unit.group)
    return listeners.listening(port, own)


def offers(seen: Look, asked: Asked, left: float) -> Look:
    """Return the look at an active unit with what is found of its port and its answer.

    left: the seconds that there are for an answer, at least one; its own timeout when there are none.
    """
    unit, fault, listening, http = seen.unit, "", None, None
    if unit.active != "active":
        return seen
    if asked.port is not None:
        listening = port_of(unit, asked.port)
        fault = "" if listening.own else "runs, but " + _port_fault(listening)
    if asked.http is not None and not fault:
        check = asked.http
        answer = check.attempt(min(check.timeout, max(left, 1)) if left > 0 else check.timeout)
        http, words = check.facts(answer), check.fault(answer)[1]
        fault = "runs, but %s: %s" % (check.url, words) if words else ""
    return Look(**dict(seen._values(), fault=fault, listening=listening, http=http))


def _port_fault(listening: Listening) -> str:
    if not listening.found:
        return "nothing listens on port %d" % listening.port
    if listening.hidden:
        return "whose port %d is cannot be seen; run this as root (become)" % listening.port
    return "port %d is held by %s" % (listening.port, listening.by)
