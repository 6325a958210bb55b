"""systemd units: what `systemctl show` and the journal say of one, and what that means.

Sources: systemctl(1), org.freedesktop.systemd1(5), systemd.unit(5), systemd.service(5), journalctl(1).
"""

from __future__ import annotations

from .command import run
from .params import Name, ParamError, shown
from .record import Record
from .task import TaskError
from .words import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

_KINDS = ("service", "socket", "timer", "target", "mount", "automount", "swap", "path", "slice", "scope", "device")
SUFFIXES = tuple("." + kind for kind in _KINDS)
UP, PENDING, DOWN = "up", "pending", "down"
MAX_LOG_LINE = 500
TOO_OFTEN = "Start request repeated too quickly"
# Properties whose values hold no free text: `show` does not quote newlines.
_PROPERTIES = (
    "Id LoadState LoadError ActiveState SubState UnitFileState FragmentPath NeedDaemonReload InvocationID ControlGroup "
    "CanStart CanStop CanReload TriggeredBy Listen Type RemainAfterExit Restart NRestarts Result MainPID ExecMainCode "
    "ExecMainStatus StartLimitBurst StartLimitIntervalUSec StartLimitInterval ActiveEnterTimestampMonotonic "
    "InactiveExitTimestampMonotonic"
).replace(" ", ",")
_RESULTS = {
    "timeout": "it took longer than its unit file allows (TimeoutStartSec, TimeoutStopSec) and was killed",
    "watchdog": "it missed its watchdog",
    "protocol": "it did not do what its Type= promises (no ready message, no PID file, or it did not fork)",
    "oom-kill": "the kernel killed it for want of memory",
    "resources": "systemd lacked a resource to start it (PID file, memory, a file it needs)",
    "start-limit-hit": "it was started too often",
    "exec-condition": "its ExecCondition= said no",
}
# systemd.exec(5), "Process exit codes"
_STATUSES = {
    200: "its WorkingDirectory= cannot be entered",
    203: "its program is missing or cannot be executed",
    209: "its StandardOutput= cannot be opened",
    213: "its capabilities or user mapping cannot be set",
    216: "its Group= does not exist",
    217: "its User= does not exist",
    226: "its file system namespace cannot be set up (a path named in the unit file is missing)",
    238: "its state, cache, log or runtime directory cannot be made",
}


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
    """A unit as `systemctl show` describes it; times are seconds of the monotonic clock, 0 for never."""

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
    active_since: float = 0.0
    started: float = 0.0

    @property
    def kind(self) -> str:
        """The unit's kind: service, socket, timer..."""
        return self.id.rpartition(".")[2]

    @property
    def label(self) -> str:
        """The name to show: as given, with the unit it is an alias of."""
        return self.name if self.id == self.name else "%s (an alias of %s)" % (self.name, self.id)

    @property
    def is_job(self) -> bool:
        """Whether it is a oneshot service, which is inactive again after its work is done."""
        return self.type == "oneshot" and not self.remains

    @property
    def stopped(self) -> bool:
        """Whether it neither runs nor is about to."""
        return self.active in ("inactive", "failed") and "auto-restart" not in self.sub

    @property
    def masked(self) -> bool:
        """Whether it is masked."""
        return self.load == "masked" or self.file_state.startswith("masked")


class Verdict(Record):
    """Whether a unit that should be up is: `up`, `pending` or `down`, and why in words that follow its name."""

    kind: str
    words: str = ""


def show(name: str) -> Unit:
    """Return a unit as systemd sees it now. Raises TaskError on a host without systemd."""
    try:
        done = run(("systemctl", "show", "--no-pager", "--property", _PROPERTIES, "--", name), timeout=20)
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
    limited = found.get("StartLimitIntervalUSec", found.get("StartLimitInterval", "0")) != "0"
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
        start_burst=_number(found.get("StartLimitBurst")) if limited else 0,
        active_since=_number(found.get("ActiveEnterTimestampMonotonic")) / 1e6,
        started=_number(found.get("InactiveExitTimestampMonotonic")) / 1e6,
    )


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() and len(text) < 20 else 0


def verdict(unit: Unit, restarts: int) -> Verdict:
    """Judge a unit that should be up.

    restarts: how many automatic restarts it had when watching began; more of them now mean a crash loop. A oneshot
    service that does not remain is up once its work ended well.
    """
    if "auto-restart" in unit.sub or unit.restarts > restarts:
        why = ended(unit)
        words = "is in a crash loop: %ssystemd restarts it again and again (%d so far)" % (why and why + "; ", unit.restarts)
        return Verdict(kind=DOWN, words=words)
    if unit.active == "active":
        return Verdict(kind=UP)
    if unit.active == "failed":
        return Verdict(kind=DOWN, words="failed: " + (ended(unit) or "result %s" % unit.result))
    if unit.active == "inactive":
        if unit.is_job:
            return Verdict(kind=UP)
        return Verdict(kind=DOWN, words="is not running: it ended by itself, or its conditions were not met")
    return Verdict(kind=PENDING, words="is still %s (%s)" % (unit.active, unit.sub))


def ended(unit: Unit) -> str:
    """Return in words how a service's last run ended; an empty string when nothing went wrong or nobody knows."""
    if unit.result in ("success", "exit-code", "signal", "core-dump"):
        if unit.exit_code == 1 and unit.exit_status:
            reason = _STATUSES.get(unit.exit_status, "")
            return "its process ended with exit code %d%s" % (unit.exit_status, reason and " (%s)" % reason)
        if unit.exit_code in (2, 3):
            dumped = " and dumped core" if unit.exit_code == 3 else ""
            return "its process was killed by signal %d%s" % (unit.exit_status, dumped)
    if unit.result == "success":
        return ""
    return _RESULTS.get(unit.result, "its result is %s" % unit.result)


def limited(unit: Unit, log: Sequence[str]) -> bool:
    """Whether systemd refuses to start a failed unit because it was started too often.

    `Result` names it only when a start by hand was refused; after a crash loop it keeps the crash's own result.
    """
    if unit.active != "failed":
        return False
    looped = unit.restart != "no" and 0 < unit.start_burst <= unit.restarts
    return unit.result == "start-limit-hit" or looped or any(TOO_OFTEN in line for line in log[-6:])


def journal(unit: Unit, lines: int, whole: bool = False) -> list[str]:
    """Return a unit's last lines from the journal: of its current or last run where known, unless `whole`.

    Never raises: a log that cannot be read is one line that says so.
    """
    if not lines:
        return []
    tail = ("journalctl", "--quiet", "--no-pager", "--output", "short-iso", "--lines", "%d" % lines)
    last = ("_SYSTEMD_INVOCATION_ID=" + unit.invocation, "+", "INVOCATION_ID=" + unit.invocation)
    try:
        found = [] if whole or not unit.invocation else parse_journal(run((*tail, *last), timeout=20).out)
        return found or parse_journal(run((*tail, "--unit=" + unit.id), timeout=20).out)
    except TaskError as error:
        return ["the journal cannot be read: %s" % error]


def parse_journal(text: str) -> list[str]:
    """Return journal lines fit to be shown: printable, not too long, without journalctl's own remarks."""
    return [printable(line[:MAX_LOG_LINE]) for line in text.split("\n") if line and not line.startswith("-- ")]
