"""Bring a systemd unit into a state, and watch that it stays there."""

from __future__ import annotations

import time

from opslib.host.command import run
from opslib.host.params import Boolean, Choice, Duration, Kind, Number, ParamError, Port
from opslib.host.plan import Change, Plan
from opslib.host.record import Record
from opslib.host.task import Task, TaskError, param
from opslib.host.units import faults as unit_faults
from opslib.host.units import journal, systemd
from opslib.host.units import plan as unit_plan
from opslib.host.units import watch as unit_watch
from opslib.host.units.plan import STARTS, Wanted
from opslib.host.units.watch import Asked, Look
from opslib.host.words import printable

from .http_check import HttpCheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

    from opslib.host.units.systemd import Unit

RELOAD_LIMIT = 90
MOST_TRIGGERS = 5
QUICK = 1
LEAST_LOG = 10


class Check(Kind):
    """What `http_check` takes: a URL, or a mapping of its parameters. Canonical: a mapping."""

    label = "URL, or mapping of the parameters of http_check"

    def __call__(self, value: Any) -> dict[str, Any]:
        if isinstance(value, str):
            value = {"url": value}
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise ParamError("give a URL, or a mapping of the parameters of http_check")
        if value.get("wait"):
            raise ParamError("wait is not for here: start_timeout says how long to wait")
        return HttpCheck(**value).args()


class Asking:
    """Joins a task that asks web pages by mappings as Check makes them: their secrets are the task's."""

    http: dict[str, Any] | None

    def checks(self) -> Sequence[dict[str, Any]]:
        """Return the mappings."""
        return [self.http] if self.http else []

    def secrets(self) -> Iterator[str]:
        """Yield the secrets of the HTTP checks."""
        for check in self.checks():
            yield from HttpCheck(**check).secrets()


class Seen(Record):
    """What was seen of a unit: the last look, active units that may start it again, and the end of its log."""

    look: Look
    triggers: Sequence[str] = ()
    log: Sequence[str] = ()


class Service(Asking, Task, name="service"):
    """Start, stop, restart, reload, enable or mask a systemd unit, and make sure that it really works afterwards.

    `systemctl restart` returns before a program is ready and says nothing of a crash loop. After a start, restart or
    reload this task watches for `settle` seconds: the unit must stay active, without any automatic restart, until
    `port` is owned by one of its own processes and `http` answers as it should; `start_timeout` bounds all of it.
    A oneshot service that does not remain is a job: `started` runs it, each time anew, until it has ended well.

    Without `state`, `enabled`, `masked` and `reset_failed` it is a pure check: it reports the unit, and fails when the
    unit is missing, failed, in a crash loop, or not as `port` and `http` say. With `state: started` a unit that is
    active but loops, or lacks its port or answer, is a failure too. `restarted` and `reloaded` are done each time,
    save that a stopped unit is started. A unit file that changed on disk is read anew (daemon-reload) before that.

    data: `unit`, `id` (differs for an alias), `load_state`, `active_state`, `sub_state`, `enabled_state`, `type`,
    `result`, `restarts` (automatic ones), `main_pid`, `exit_status`, `active_seconds` (null when it is not active),
    `file_changed` (on disk since it was loaded); with `port`: `port` (`number`, `own`, `holders` with `pid`, `program`,
    `unit`); with `http`: `http` as http_check's data; on failure `log`: the unit's last journal lines, those of its
    last run where known.

    Errors: no such unit, a bad unit file, a masked unit, a start limit that was hit (`reset_failed` clears it), a
    program that fails, loops or does not answer, a unit that cannot reload or be enabled, missing permission.
    Sources: systemctl(1), systemd.unit(5), systemd.service(5), org.freedesktop.systemd1(5), proc(5).
    """

    unit: str = param(systemd.UnitName(), "Unit to act on; without a suffix it is a .service.", example="nginx")
    state: str | None = param(
        Choice("started", "stopped", "restarted", "reloaded"),
        "What the unit should be; restarted and reloaded act each time.",
        default=None,
        example="restarted",
    )
    enabled: bool | None = param(Boolean(), "Whether the unit starts at boot.", default=None, example=True)
    masked: bool | None = param(
        Boolean(), "Whether the unit is masked, so that nothing can start it.", default=None, example=False
    )
    reset_failed: bool = param(
        Boolean(),
        "Clear a failed or crash-looping unit first, which lifts a start limit that it hit or is about to hit.",
        default=False,
        example=True,
    )
    settle: float = param(
        Duration(),
        "Seconds to watch after a start, restart or reload before it counts as good.",
        default=3,
        example="10s",
    )
    start_timeout: float = param(
        Duration(low=0.1),
        "Seconds within which the unit must be active, own its port and answer over HTTP; also the limit of a stop.",
        default=90,
        example="2m",
    )
    port: int | None = param(
        Port(), "TCP port that one of the unit's own processes must listen on.", default=None, example=8000
    )
    http: dict[str, Any] | None = param(
        Check(),
        "URL that must answer 200, or a mapping of the parameters of http_check.",
        default=None,
        example={"url": "http://127.0.0.1:8000/health", "json": {"status": "healthy"}},
    )
    log_lines: int = param(
        Number(0, 500, whole=True), "How many lines of the unit's journal a failure carries.", default=20, example=50
    )

    def check(self) -> None:
        if self.masked and self.state not in (None, "stopped"):
            self.refuse("masked: true and state: %s contradict each other: a masked unit cannot start" % self.state)
        if self.masked and self.enabled:
            self.refuse("masked: true and enabled: true contradict each other: a masked unit cannot be enabled")
        if (self.port or self.http) and (self.masked or self.state == "stopped"):
            self.refuse("port and http are for a unit that runs, not for one that is to be stopped or masked")
        if self.port and not self.unit.endswith((".service", ".socket")):
            self.refuse("port is for services and sockets; %s is neither" % self.unit)

    def wanted(self) -> Wanted:
        """Return what is wanted of the unit."""
        return Wanted(
            state=self.state,
            enabled=self.enabled,
            masked=self.masked,
            reset_failed=self.reset_failed,
            port=self.port,
            http=self.http is not None,
        )

    def asked(self) -> Asked:
        """Return what the unit must offer beside being active."""
        return Asked(port=self.port, http=HttpCheck(**self.http) if self.http else None)

    def probe(self) -> Seen:
        look, judge = unit_watch.look(self.unit), self.wanted().judge
        unit = look.unit
        if unit.stopped:
            if self.port:
                listening = unit_watch.port_of(unit, self.port)
                look = Look(unit=unit, restarts=unit.restarts, now=look.now, listening=listening)
        elif not judge:
            look = unit_watch.offers(look, self.asked(), left=QUICK)
        elif not unit.is_job or unit.active != "activating":
            settle = self.settle if unit_plan.recently_restarted(unit, look.now) else 0
            began = unit.active_since if unit.active == "active" else look.now
            ends = began + self.start_timeout
            look = unit_watch.watch(
                self.unit, self.asked(), settle=settle, ends=ends, restarts=unit.restarts, first=look
            )
        unit = look.unit
        if self.state == "stopped":
            triggers = unit.triggered_by[:MOST_TRIGGERS]
            return Seen(look=look, triggers=[name for name in triggers if systemd.show(name).active == "active"])
        bad = unit.load in ("bad-setting", "error") or unit.active == "failed" or unit.restarting
        return Seen(look=look, log=self._log(unit) if bad or (judge and look.fault) else [])

    def plan(self, state: Seen) -> Plan:
        look, wanted = state.look, self.wanted()
        data = unit_plan.facts(look)
        warnings = unit_plan.warnings(look, wanted, state.triggers)
        failure = unit_plan.obstacle(look, wanted, state.log)
        if failure:
            data["log"] = self._shown(state.log)
            return Plan(failure="%s %s" % (look.unit.label, failure), warnings=warnings, data=data)
        changes = unit_plan.changes(look.unit, wanted)
        reason = "" if changes else unit_plan.reason(look, wanted)
        return Plan(changes=changes, reason=reason, warnings=warnings, data=data)

    def apply(self, change: Change) -> None:
        verb = change.detail
        if verb == "daemon-reload":
            run(("systemctl", "--no-ask-password", verb), timeout=RELOAD_LIMIT)
            return
        self._control(verb)
        if verb == "unmask" and systemd.show(self.unit).masked:  # until the next boot, in /run
            self._control(verb, "--runtime")

    def _control(self, verb: str, *options: str) -> None:
        slow = verb in (*STARTS, "stop")
        argv = ("systemctl", "--no-ask-password", verb, *options, "--", self.unit)
        try:
            done = run(argv, timeout=self.start_timeout if slow else RELOAD_LIMIT, ok=None)
        except TaskError as error:
            if not slow:
                raise
            unit = systemd.show(self.unit)
            words = "is still %s %g s after systemctl %s; see its log, or give a longer start_timeout"
            raise self._failed(unit, words % (unit.words, self.start_timeout, verb)) from error
        if done.code:
            unit = systemd.show(self.unit)
            lines = [line.partition(" See ")[0] for line in done.err.splitlines() if not line.startswith("See ")]
            words = "stays %s; systemctl %s said: %s" % (unit.words, verb, printable("; ".join(lines[:3])))
            if "ccess denied" in done.err or "authentication" in done.err:
                raise self._failed(unit, words + "; run this as root (become)")
            if verb not in STARTS:
                raise self._failed(unit, words)
            crashed = unit.active == "failed" or unit.restarting
            raise self._not_up(unit, unit_faults.verdict(unit, unit.restarts).words if crashed else words)

    def verify(self, plan: Plan) -> None:
        verbs = [change.detail for change in plan.changes if change.detail in STARTS]
        if not verbs:
            return
        first = unit_watch.look(self.unit)
        began = first.now if verbs == ["reload"] else first.unit.started or first.now
        # A start sets systemd's count of restarts back, but not when it comes amid a crash loop, which may also have
        # gone round once more since the unit was looked at.
        before = plan.data["restarts"]
        calm = plan.data["active_state"] in ("active", "inactive")
        look = unit_watch.watch(
            self.unit,
            self.asked(),
            settle=0 if first.unit.is_job else self.settle,
            ends=began + self.start_timeout,
            restarts=before if verbs == ["reload"] or (calm and not before) else None,
        )
        skipped = look.unit.is_job and look.unit.active == "inactive" and unit_faults.unmet(self._log(look.unit))
        if look.fault or skipped:
            raise self._not_up(look.unit, look.fault, unit_plan.facts(look))

    def _not_up(self, unit: Unit, words: str, data: dict[str, Any] | None = None) -> TaskError:
        """Return the failure of a unit that did not come up, for the reason that the log gives or else this one."""
        log = self._log(unit)
        if unit_faults.limited(unit, log):
            words = unit_faults.limit_words(unit)
        elif unit.active == "inactive" and unit_faults.unmet(log):
            words = "was not started: a condition in its unit file is not met (see its log)"
        return self._failed(unit, words, data, log)

    def _failed(
        self, unit: Unit, words: str, data: dict[str, Any] | None = None, log: Sequence[str] | None = None
    ) -> TaskError:
        log = self._log(unit) if log is None else log
        facts = data or unit_plan.facts(Look(unit=unit, restarts=unit.restarts, now=time.monotonic()))
        return TaskError("%s %s" % (unit.label, words), **dict(facts, log=self._shown(log)))

    def _log(self, unit: Unit) -> list[str]:
        """Return the unit's last lines, those of earlier runs too when it was restarted; never too few to judge it."""
        return journal.tail(unit, max(self.log_lines, LEAST_LOG), whole=unit.restarts > 0)

    def _shown(self, log: Sequence[str]) -> list[str]:
        return list(log[-self.log_lines :]) if self.log_lines else []
