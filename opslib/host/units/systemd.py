"""systemd units: what `systemctl show` and the journal say of one.

Sources: systemctl(1), org.freedesktop.systemd1(5), systemd.unit(5), systemd.service(5), journalctl(1).
"""

from __future__ import annotations

import os

from opslib.host.command import run
from opslib.host.params import Name, ParamError, shown
from opslib.host.record import Record
from opslib.host.task import TaskError

from . import bus

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Mapping, Sequence

_KINDS = ("service", "socket", "timer", "target", "mount", "automount", "swap", "path", "slice", "scope", "device")
SUFFIXES = tuple("." + kind for kind in _KINDS)
_SPANS = {
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1,
    "min": 60,
    "h": 3600,
    "d": 86400,
    "w": 604800,
    "month": 2629800,
    "y": 31557600,
}
# Properties whose values hold no free text: `show` does not quote newlines.
PROPERTIES = (
    "Id",
    "LoadState",
    "LoadError",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "FragmentPath",
    "NeedDaemonReload",
    "InvocationID",
    "ControlGroup",
    "CanStart",
    "CanStop",
    "CanReload",
    "TriggeredBy",
    "Listen",
    "Type",
    "RemainAfterExit",
    "Restart",
    "NRestarts",
    "Result",
    "MainPID",
    "ExecMainCode",
    "ExecMainStatus",
    "StartLimitBurst",
    "StartLimitIntervalUSec",
    "StartLimitInterval",
    "ActiveEnterTimestampMonotonic",
    "InactiveExitTimestampMonotonic",
)


class UnitName(Name):
    """A systemd unit's name. Canonical: with its suffix, `.service` when none was given."""

    def __init__(self) -> None:
        super().__init__("systemd unit name", signs="_.-@:\\")

    def check(self, value: str) -> str:
        name = super().check(value if value.endswith(SUFFIXES) else value + ".service")
        stem, _, kind = name.rpartition(".")
        if stem.endswith("@"):
            instance = "%sone.%s" % (stem, kind)
            raise ParamError("%s is a template; name an instance of it, such as %s" % (shown(name), instance))
        if not stem or stem.startswith("@"):
            raise ParamError("%s is no systemd unit name" % shown(name))
        return name


class Unit(Record):
    """A unit as `systemctl show` describes it; times are seconds of the monotonic clock, 0 for never.

    It may be started start_burst times within start_interval seconds; 0 seconds: as often as one likes.
    """

    name: str
    id: str
    load: str = "not-found"
    load_error: str = ""
    active: str = "inactive"
    sub: str = "dead"
    file_state: str = ""
    fragment: str = ""
    reload_needed: bool = False
    invocation: str = ""
    group: str = ""
    can_start: bool = False
    can_stop: bool = True
    can_reload: bool = False
    triggered_by: Sequence[str] = ()
    listen: Sequence[str] = ()
    type: str = ""
    remains: bool = False
    restart: str = "no"
    restarts: int = 0
    result: str = "success"
    main_pid: int = 0
    exit_code: int = 0
    exit_status: int = 0
    start_burst: int = 0
    start_interval: float = 0.0
    active_since: float = 0.0
    started: float = 0.0

    @property
    def label(self) -> str:
        """The name to show: as given, with the unit it is an alias of."""
        return self.name if self.id == self.name else "%s (%s)" % (self.name, self.id)

    @property
    def words(self) -> str:
        """The state in the words of `systemctl status`, such as "active (running)"."""
        return "%s (%s)" % (self.active, self.sub)

    @property
    def is_job(self) -> bool:
        """Whether it is a oneshot service, which is inactive again after its work is done."""
        return self.type == "oneshot" and not self.remains

    @property
    def restarting(self) -> bool:
        """Whether it failed and systemd is about to start it again."""
        return "auto-restart" in self.sub

    @property
    def stopped(self) -> bool:
        """Whether it neither runs nor is about to."""
        return self.active in ("inactive", "failed") and not self.restarting

    @property
    def masked(self) -> bool:
        """Whether it is masked."""
        return self.load == "masked" or self.file_state.startswith("masked")

    def listens_on(self, port: int) -> bool:
        """Whether it is a socket unit with a TCP socket on this port."""
        return any(address.endswith(":%d (Stream)" % port) for address in self.listen)


def show(name: str) -> Unit:
    """Return a unit as systemd sees it now. Raises TaskError on a host without systemd."""
    found = bus.properties(name, PROPERTIES) if os.geteuid() == 0 else None
    if found and "LoadState" in found:
        return unit(name, found, found.pop("Listen", []))
    try:
        done = run(("systemctl", "show", "--no-pager", "--property", ",".join(PROPERTIES), "--", name), timeout=20)
    except TaskError as error:
        if "not been booted with systemd" in str(error):
            raise TaskError("this host does not run systemd, so it has no %s" % name) from None
        raise
    return parse_show(name, done.out)


def parse_show(name: str, text: str) -> Unit:
    """Return the unit that `systemctl show` described; what it did not say keeps its default."""
    found: dict[str, str] = {}
    listen = []
    for line in text.splitlines():
        key, sign, value = line.partition("=")
        if key == "Listen":
            listen.append(value)
        elif sign:
            found.setdefault(key, value)
    return unit(name, found, listen)


def unit(name: str, found: Mapping[str, str], listen: Sequence[str]) -> Unit:
    """Return the unit with these properties; those that are missing keep their defaults."""
    return Unit(
        name=name,
        id=found.get("Id") or name,
        load=found.get("LoadState", "not-found"),
        load_error=found.get("LoadError", "").partition(" ")[2].strip('"'),
        active=found.get("ActiveState", "inactive"),
        sub=found.get("SubState", "dead"),
        file_state=found.get("UnitFileState", ""),
        fragment=found.get("FragmentPath", ""),
        reload_needed=found.get("NeedDaemonReload") == "yes",
        invocation=found.get("InvocationID", ""),
        group=found.get("ControlGroup", ""),
        can_start=found.get("CanStart", "yes") == "yes",
        can_stop=found.get("CanStop", "yes") == "yes",
        can_reload=found.get("CanReload", "no") == "yes",
        triggered_by=tuple(found.get("TriggeredBy", "").split()),
        listen=tuple(listen),
        type=found.get("Type", ""),
        remains=found.get("RemainAfterExit") == "yes",
        restart=found.get("Restart", "no"),
        restarts=_number(found.get("NRestarts")),
        result=found.get("Result", "success"),
        main_pid=_number(found.get("MainPID")),
        exit_code=_number(found.get("ExecMainCode")),
        exit_status=_number(found.get("ExecMainStatus")),
        start_burst=_number(found.get("StartLimitBurst")),
        start_interval=parse_span(found.get("StartLimitIntervalUSec", found.get("StartLimitInterval", "0"))),
        active_since=_number(found.get("ActiveEnterTimestampMonotonic")) / 1e6,
        started=_number(found.get("InactiveExitTimestampMonotonic")) / 1e6,
    )


def parse_span(text: str) -> float:
    """Return the seconds of a time span as systemd writes it, such as "1min 30s"; infinity for what has no end."""
    seconds = 0.0
    for word in text.split():
        number = word.rstrip("abcdefghijklmnopqrstuvwxyz")
        unit = word[len(number) :]
        if text.isascii() and number.replace(".", "", 1).isdigit() and (unit in _SPANS or not unit):
            seconds += float(number) * _SPANS.get(unit, 1e-6)
        else:
            return float("inf")
    return seconds


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 20 else 0
