"""Restart a unit that runs with other values than its environment file holds by now."""

from __future__ import annotations

from opslib.host.files import env_file
from opslib.host.params import Duration, ListOf, Path
from opslib.host.plan import MODIFY, Change, Plan
from opslib.host.postgres.settings import EnvKey
from opslib.host.system import processes
from opslib.host.task import Task, TaskError, param
from opslib.host.units import systemd
from opslib.host.worker import FAILED, run_step

from .service import Asking, Check, Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

_LONGEST = 4 << 20


class StaleCredentials(Asking, Task, name="stale_credentials"):
    """Restart a unit when the environment file holds other values than its running process was started with.

    A process reads its environment once, when it starts: credentials that were renewed in the file reach it with a
    restart only, and a restart for any other reason would help nothing. The values of `keys` in the file, read as
    systemd reads it, are compared with the environment of the unit's main process; neither is ever shown. After a
    restart the unit is watched as the task `service` does, and must have the file's values. A program that wrote its
    title over its environment (setproctitle, as gunicorn and Celery do) is not restarted: what it runs with is unknown.

    data: `unit`, `main_pid`, `known` (whether its environment is), `stale` (names of the variables that differ),
    `compared` (names).

    Errors: the unit does not run, the file cannot be read or lacks a variable, the process's environment may not be
    read (take root), the unit does not come up, or has other values even then: its unit file names another file.
    Sources: systemd.exec(5), proc_pid_environ(5).
    """

    unit: str = param(systemd.UnitName(), "Unit whose credentials may be stale.", example="app")
    env_file: str = param(Path(), "Environment file of the unit.", example="/etc/app.env")
    keys: list[str] | None = param(
        ListOf(EnvKey(), empty=False, longest=200),
        "Variables to compare; by default all that the file holds.",
        default=None,
        example=["DATABASE_URL"],
    )
    settle: float = param(Duration(), "Seconds that the unit must stay up after a restart.", default=3, example="10s")
    start_timeout: float = param(Duration(low=0.1), "Seconds within which the unit must be up.", default=90)
    http: dict[str, Any] | None = param(
        Check(),
        "URL that must answer 200 after a restart, or a mapping of the parameters of http_check.",
        default=None,
        example="http://127.0.0.1:8000/health/db",
    )

    def probe(self) -> dict[str, Any]:
        wanted = env_file.read(self.env_file)
        keys = list(wanted) if self.keys is None else self.keys
        missing = [key for key in keys if key not in wanted]
        if missing:
            raise TaskError("%s holds no %s" % (self.env_file, missing[0]))
        unit = systemd.show(self.unit)
        if not unit.main_pid:
            return {"unit": unit, "pid": 0, "known": False, "stale": [], "keys": keys}
        environ = processes.read(unit.main_pid, "environ", _LONGEST)
        if not environ:
            words = "the environment of process %d of %s cannot be read; run this as root (become)"
            raise TaskError(words % (unit.main_pid, self.unit))
        have = processes.variables(environ)
        stale = [] if have is None else differing(have, {key: wanted[key] for key in keys})
        return {"unit": unit, "pid": unit.main_pid, "known": have is not None, "stale": stale, "keys": keys}

    def plan(self, state: dict[str, Any]) -> Plan:
        unit, stale = state["unit"], state["stale"]
        data = {key: state[key] for key in ("known", "stale")}
        data.update(unit=self.unit, main_pid=state["pid"], compared=state["keys"])
        if not state["pid"]:
            words = "%s has no running process (%s): it reads %s when it starts"
            return Plan(failure=words % (unit.label, unit.words, self.env_file), data=data)
        if not state["known"]:
            reason = "what %s runs with is not known: it wrote something else, such as its title, over its environment"
            warning = "%s; restart it if what %s holds was renewed since it started"
            return Plan(
                reason=reason % unit.label, warnings=[warning % (reason % unit.label, self.env_file)], data=data
            )
        if not stale:
            return Plan(reason="%s runs with what %s holds" % (unit.label, self.env_file), data=data)
        words = "restart %s, which runs with another %s than %s holds"
        summary = words % (unit.name, ", ".join(stale), self.env_file)
        hidden = {"before": "values of %d variables" % len(stale), "after": "values of the file", "sensitive": True}
        return Plan(changes=[Change(kind=MODIFY, summary=summary, **hidden)], data=data)

    def apply(self, change: Change) -> None:
        settings = {"unit": self.unit, "state": "restarted", "reset_failed": True, "http": self.http}
        settings.update(settle=self.settle, start_timeout=self.start_timeout)
        result = run_step(Service, settings, False)
        if result["status"] == FAILED:
            raise TaskError(result["error"], log=result["data"].get("log", []))

    def verify(self, plan: Plan) -> None:
        state = self.probe()
        if not state["pid"]:
            raise TaskError("%s was restarted, and has no running process any more" % self.unit)
        if state["stale"]:
            words = "%s was restarted, and still runs with another %s than %s holds: its unit file sets it elsewhere"
            raise TaskError(words % (self.unit, ", ".join(state["stale"]), self.env_file))


def differing(have: dict[bytes, bytes], wanted: dict[str, str]) -> Sequence[str]:
    """Return the names of variables that a process lacks or has other values of."""
    return [
        key
        for key, value in wanted.items()
        if have.get(key.encode("utf-8", "surrogateescape")) != value.encode("utf-8", "surrogateescape")
    ]
