"""Bring a systemd unit into a state, and watch that it stays there."""

from __future__ import annotations

import time

from . import listeners, systemd, wire
from .command import run
from .http_check import HttpCheck
from .params import Boolean, Choice, Duration, Kind, Number, ParamError, Port
from .plan import ACTION, MODIFY, Change, Plan
from .record import Record
from .service_words import END_STATES, advice, obstacle, start_limit, warnings
from .task import Task, TaskError, param

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

    from .listeners import Listening
    from .systemd import Unit

PAUSE = 0.3
RECENT = 60
MOST_TRIGGERS = 5
_STARTS = ("start", "restart", "reload")


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


class Seen(Record):
    """What was seen of a unit.

    restarts: automatic restarts when looking began; fault: what is wrong though it should be up, in words that follow
    its name; listening, http: what was found of the port and the URL asked for; triggers: active units that may start
    it; now: seconds of the monotonic clock.
    """

    unit: Unit
    restarts: int = 0
    fault: str = ""
    listening: Listening | None = None
    http: dict[str, Any] | None = None
    triggers: Sequence[str] = ()
    log: Sequence[str] = ()
    now: float = 0.0


class Service(Task, name="service"):
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
        Boolean(), "Clear a failed unit first, which lifts a start limit that it hit.", default=False, example=True
    )
    settle: float = param(
        Duration(), "Seconds to watch after a start, restart or reload before it counts as good.", default=3, example="10s"
    )
    start_timeout: float = param(
        Duration(low=0.1),
        "Seconds within which the unit must be active, with its port and its HTTP answer; also how long a stop may take.",
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

    def secrets(self) -> Iterator[str]:
        """Yield the secrets of the HTTP check."""
        if self.http:
            yield from HttpCheck(**self.http).secrets()

    def __repr__(self) -> str:
        secrets = list(self.secrets())
        return str(wire.mask(super().__repr__(), secrets + [repr(secret)[1:-1] for secret in secrets]))

    @property
    def reports(self) -> bool:
        """Whether nothing is to be done but to look."""
        return self.state is None and self.enabled is None and self.masked is None and not self.reset_failed

    @property
    def must_run(self) -> bool:
        """Whether the unit, if it is not stopped, is to be judged as it is found."""
        return self.state == "started" or self.reports or (self.state is None and bool(self.port or self.http))

    def probe(self) -> Seen:
        unit = systemd.show(self.unit)
        now = time.monotonic()
        seen = Seen(unit=unit, restarts=unit.restarts, now=now)
        if self.must_run and not unit.stopped and not (unit.is_job and unit.active == "activating"):
            shaky = unit.restarts and now - unit.active_since < RECENT
            since = unit.active_since if unit.active == "active" else now
            seen = self._watch(unit.restarts, self.settle if shaky else 0, since + self.start_timeout)
        elif self.port and unit.stopped:
            seen = seen.but(listening=self._listening(unit))
        if self.state == "stopped":
            triggers = [name for name in unit.triggered_by[:MOST_TRIGGERS] if systemd.show(name).active == "active"]
            return seen.but(triggers=triggers)
        return seen.but(log=self._log(seen)) if seen.fault or seen.unit.troubled else seen
