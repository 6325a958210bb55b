"""What is wrong with a systemd unit, in words that follow its name, and what to do about it.

Everything here is pure. Sources: systemd.service(5), systemd.exec(5), systemctl(1).
"""

from __future__ import annotations

from opslib.host.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

    from .systemd import Unit

UP, PENDING, DOWN = "up", "pending", "down"
_OWN_FOLDER = "/etc/systemd/system/"
_TOO_OFTEN = "Start request repeated too quickly"
_STARTED = ("systemd[1]: Started ", "systemd[1]: Starting ", ": Main process exited, ")
_UNMET = ("unmet condition check", "Condition check resulted in")
_ENDED = "ended by itself soon after its start, without an error; a unit that does its work and ends wants Type=oneshot"
_RESULTS = {
    "timeout": "it took longer than its unit file allows (TimeoutStartSec=, TimeoutStopSec=)",
    "watchdog": "it missed its watchdog (WatchdogSec=)",
    "protocol": "it did not do what its Type= promises (no ready message, no PID file, or it did not fork)",
    "oom-kill": "the kernel killed it for want of memory",
    "resources": "systemd lacked something to start it with (a PID file, memory, a file it names)",
    "start-limit-hit": "it was started too often",
    "exec-condition": "its ExecCondition= said no",
}
_STATUSES = {
    200: "its WorkingDirectory= cannot be entered",
    203: "its program is missing or cannot be executed",
    209: "its StandardOutput= cannot be opened",
    216: "its Group= does not exist",
    217: "its User= does not exist",
    226: "its file system namespace cannot be set up; perhaps a path in its unit file is missing",
    238: "its StateDirectory= cannot be made",
}
_NO_INSTALL = {
    "static": "its unit file has no [Install] section; enable what starts it (a timer, a socket, a target)",
    "generated": "its unit file is made anew at each boot; enable it at its source",
    "transient": "it is transient and gone after a reboot; write a unit file for it",
    "indirect": "its [Install] section only names other units (Also=); enable those",
    "bad": "its unit file is broken; mend it",
}


class Verdict(Record):
    """Whether a unit that should be up is `up`, `pending` or `down`, and why."""

    kind: str
    words: str = ""


def verdict(unit: Unit, restarts: int, crash: str = "") -> Verdict:
    """Judge a unit that should be up.

    restarts: how many automatic restarts it had when watching began; more of them now mean a crash loop. crash: how
    it was seen to end before. A oneshot service that does not remain is up once its work ended well.
    """
    if unit.restarting or unit.restarts > restarts:
        return Verdict(kind=DOWN, words=looping(unit, crash))
    if unit.active == "active":
        return Verdict(kind=UP)
    if unit.active == "failed":
        return Verdict(kind=DOWN, words="failed: " + ended(unit))
    if unit.active == "inactive":
        return Verdict(kind=UP) if unit.is_job else Verdict(kind=DOWN, words=_ENDED if unit.type else "is not active")
    return Verdict(kind=PENDING, words="is still %s (%s)" % (unit.active, unit.sub))


def looping(unit: Unit, crash: str = "") -> str:
    """Return what to say of a unit that fails and is started again by systemd. crash: how it was seen to end before."""
    why = ended(unit) or crash
    if not unit.restarts:
        return "failed (%s); systemd is about to start it again" % (why or "result " + unit.result)
    count = "%d time%s" % (unit.restarts, "" if unit.restarts == 1 else "s")
    return "is in a crash loop: %ssystemd has started it again %s" % (why and why + "; ", count)


def ended(unit: Unit) -> str:
    """Return in words how a unit's last run failed; an empty string when nobody knows of a failure."""
    if unit.result in _RESULTS:
        return _RESULTS[unit.result]
    if unit.exit_code == 1 and unit.exit_status:
        reason = _STATUSES.get(unit.exit_status, "")
        return "its process ended with exit code %d%s" % (unit.exit_status, reason and ": " + reason)
    if unit.exit_code in (2, 3):
        return "its process was killed by signal %d" % unit.exit_status
    return "" if unit.result == "success" else "its result is " + unit.result


def limited(unit: Unit, log: Sequence[str]) -> bool:
    """Whether a unit failed because it was started too often (StartLimitBurst=, StartLimitIntervalSec=).

    `Result` says so only when a start by hand was refused; after a crash loop it keeps the last crash's result, and
    only the log tells. Without a log, as many restarts as are allowed are taken as a sign.
    """
    if unit.active != "failed" or unit.result == "start-limit-hit":
        return unit.active == "failed"
    for line in reversed(log):
        if _TOO_OFTEN in line:
            return True
        if any(words in line for words in _STARTED):
            return False
    return unit.restart != "no" and unit.start_interval > 0 and 0 < unit.start_burst <= unit.restarts


def barred(unit: Unit, log: Sequence[str], now: float) -> bool:
    """Whether systemd would refuse to start a unit now: the limit was hit, and its interval has not passed since."""
    return limited(unit, log) and now - unit.started <= unit.start_interval


def limit_words(unit: Unit) -> str:
    """Return what to say of a unit whose start limit was hit."""
    why = ended(unit) if unit.result != "start-limit-hit" else ""
    times = "more than %d starts within %g s" % (unit.start_burst, unit.start_interval)
    words = "hit its start limit, %s%s, so systemd gave it up; mend the cause, then start it with reset_failed: true"
    return words % (times, why and " (%s)" % why)


def unmet(log: Sequence[str]) -> bool:
    """Whether systemd skipped a start because a condition in the unit file was not met."""
    return any(words in line for line in log[-3:] for words in _UNMET)


def unusable(unit: Unit, log: Sequence[str]) -> str:
    """Return why systemd can do nothing with a unit, or an empty string: it is missing, or its file is broken."""
    if unit.load == "not-found":
        if unit.stopped:
            return "does not exist on this host; check the name, or install what brings it"
        return "has lost its unit file but still runs; put the file back, or give state: stopped"
    if unit.load in ("bad-setting", "error"):
        said = (log[-1].partition("]: ")[2] if log else "") or unit.load_error
        return "has a broken unit file %s: %s; mend it, and run systemctl daemon-reload" % (unit.fragment, said)
    return ""


def cannot_enable(unit: Unit) -> str:
    """Return why a unit cannot be enabled, or an empty string."""
    if unit.masked:
        return "is masked, so it cannot be enabled; give masked: false too"
    reason = _NO_INSTALL.get(unit.file_state)
    return "cannot be enabled: " + reason if reason else ""


def cannot_mask(unit: Unit) -> str:
    """Return why a unit cannot be masked, or an empty string."""
    if unit.fragment == _OWN_FOLDER + unit.id:
        return "cannot be masked: its unit file is %s, where the mask would go; move the file away" % unit.fragment
    return ""


def cannot_act(unit: Unit, state: str | None, masked: bool | None) -> str:
    """Return why a unit cannot be brought into a state, or an empty string.

    masked: what is asked for; False when a mask is to be taken away, and then nobody knows what is behind it.
    """
    if state == "stopped":
        words = "cannot be stopped by hand (RefuseManualStop=); stop what needs it"
        return "" if unit.stopped or unit.can_stop else words
    if unit.stopped:
        if unit.masked:
            return "" if masked is False else "is masked, so it cannot be started; give masked: false to unmask it"
        return "" if unit.can_start else "cannot be started by hand (RefuseManualStart=); start what needs it"
    if state == "restarted" and unit.masked and masked is not False:
        return "is masked, so it would not start again; give masked: false to unmask it"
    if state == "restarted" and not (unit.can_start and unit.can_stop) and not unit.masked:
        return "cannot be restarted by hand (RefuseManualStart=, RefuseManualStop=); restart what needs it"
    if state == "reloaded" and unit.restarting:
        return looping(unit) + "; there is nothing to reload: mend the cause, then give state: restarted"
    if state == "reloaded" and not unit.can_reload:
        return "cannot reload: its unit file has no ExecReload=; give state: restarted"
    return ""
