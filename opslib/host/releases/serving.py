"""Have a unit serve what is in place: restart it, see that it works, and watch it for a while."""

from __future__ import annotations

import time

from opslib.host.record import Record
from opslib.host.task import TaskError
from opslib.host.tasks.http_check import HttpCheck
from opslib.host.tasks.service import Service
from opslib.host.units import journal, systemd
from opslib.host.units import watch as unit_watch
from opslib.host.units.watch import Asked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PACE = 1.0
TWICE = 2


class Serving(Record):
    """What is to work once a release is in place.

    unit: restarted, None for none; port, http: as the task `service` takes them; settle, start_timeout: its seconds;
    watch: seconds to go on looking after that.
    """

    unit: str | None = None
    port: int | None = None
    http: dict[str, Any] | None = None
    settle: float = 3
    start_timeout: float = 90
    watch: float = 0

    def problem(self, *, brought: bool = False) -> str:
        """Return why the unit cannot be restarted whatever is in place, in words; or an empty string. Reads only.

        brought: the release brings the unit file along, so it may still be missing.
        """
        if self.unit is None:
            return ""
        unit = systemd.show(self.unit)
        if unit.load == "not-found" and not brought:
            return "%s does not exist on this host; install its unit file first" % unit.label
        if unit.masked:
            return "%s is masked, so it could not be restarted; unmask it first" % unit.label
        return ""

    def down(self) -> str:
        """Return in words how the unit is when it does not run; an empty string when it does. Reads only."""
        if self.unit is None:
            return ""
        unit = systemd.show(self.unit)
        return "" if unit.active == "active" or unit.load == "not-found" else "%s is %s" % (unit.label, unit.words)

    def begin(self) -> None:
        """Restart the unit and see it through its start; then watch. Raises TaskError, with the log in its data."""
        if self.unit is None:
            if self.http is not None:
                self._ask(wait=self.start_timeout)
            self._watch_answer()
            return
        wanted: dict[str, Any] = {
            "unit": self.unit,
            "start_timeout": self.start_timeout,
            "state": "restarted",
            "reset_failed": True,
            "settle": self.settle,
            "port": self.port,
            "http": self.http,
        }
        task = Service(**wanted)
        _carry_out(task)
        if self.watch:
            self._watch_unit(task)

    def stop(self) -> None:
        """Stop the unit."""
        if self.unit is not None:
            wanted: dict[str, Any] = {"unit": self.unit, "state": "stopped", "start_timeout": self.start_timeout}
            _carry_out(Service(**wanted))

    def _watch_unit(self, task: Service) -> None:
        ends, asked = time.monotonic() + self.watch, task.asked()
        first = unit_watch.look(task.unit)
        bad = 0
        while True:
            left = ends - time.monotonic()
            seen = unit_watch.watch(task.unit, Asked(), settle=0, ends=0, restarts=first.unit.restarts)
            fault = seen.fault
            if not fault and (self.port is not None or asked.http is not None):
                seen = unit_watch.offers(seen, asked, asked.http.timeout if asked.http else 1)
                bad = bad + 1 if seen.fault else 0
                fault = seen.fault if bad == TWICE or (seen.fault and left <= 0) else ""
            if fault:
                log = journal.tail(seen.unit, task.log_lines, whole=True)
                raise TaskError("%s %s" % (seen.unit.label, fault), log=log)
            if left <= 0:
                return
            time.sleep(min(PACE, left))

    def _watch_answer(self) -> None:
        ends = time.monotonic() + self.watch
        while self.http is not None and time.monotonic() < ends:
            time.sleep(min(PACE, max(ends - time.monotonic(), 0)))
            self._ask(wait=PACE)

    def _ask(self, wait: float) -> None:
        task = HttpCheck(**dict(self.http or {}, wait=wait))
        plan = task.plan(task.probe())
        if plan.failure:
            raise TaskError(plan.failure)


def _carry_out(task: Service) -> None:
    plan = task.plan(task.probe())
    if plan.failure:
        raise TaskError(plan.failure, log=plan.data.get("log", []))
    for change in plan.changes:
        task.apply(change)
    task.verify(plan)
