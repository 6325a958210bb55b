"""Compare a systemd unit with what is wanted of it: what stands in the way, what to change, what to say. Pure."""

from __future__ import annotations

from opslib.host.plan import ACTION, MODIFY, Change
from opslib.host.record import Record

from . import faults as unit_faults
from .faults import DOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from .systemd import Unit
    from .watch import Look

STARTS = ("start", "restart", "reload")
RECENT = 60
_ENABLED = ("enabled", "alias")
_DISABLED = ("", "bad", "disabled", "generated", "indirect", "linked", "linked-runtime", "static", "transient")


class Wanted(Record):
    """What is wanted of a unit; None where nothing is."""

    state: str | None = None
    enabled: bool | None = None
    masked: bool | None = None
    reset_failed: bool = False
    port: int | None = None
    http: bool = False

    @property
    def report(self) -> bool:
        """Whether the unit is only to be looked at."""
        return self.state is None and self.enabled is None and self.masked is None and not self.reset_failed

    @property
    def judge(self) -> bool:
        """Whether a unit that is not stopped must be up and as asked when it is found."""
        return self.state == "started" or self.report or (self.state is None and (self.port is not None or self.http))


def enabling(unit: Unit, wanted: Wanted) -> str:
    """Return enable, disable, or an empty string. Behind a mask nobody knows: then once more, to be sure."""
    if wanted.enabled is None or (unit.masked and not wanted.enabled and wanted.masked is not False):
        return ""
    good = _ENABLED if wanted.enabled else _DISABLED
    if unit.file_state in good and not unit.masked:
        return ""
    return "enable" if wanted.enabled else "disable"


def masking(unit: Unit, wanted: Wanted) -> str:
    """Return mask, unmask, or an empty string. A mask until the next boot is no mask that is wanted."""
    if wanted.masked:
        return "" if unit.file_state == "masked" else "mask"
    return "unmask" if wanted.masked is False and unit.masked else ""


def acting(unit: Unit, wanted: Wanted) -> str:
    """Return start, stop, restart, reload, or an empty string."""
    if wanted.state is None:
        return ""
    if wanted.state == "stopped":
        return "" if unit.stopped else "stop"
    if unit.stopped or unit.active == "deactivating":
        return "start"
    return {"restarted": "restart", "reloaded": "reload"}.get(wanted.state, "")


def obstacle(look: Look, wanted: Wanted, log: Sequence[str]) -> str:
    """Return why what is wanted cannot be, or is not, in words that follow the unit's name; or an empty string."""
    unit = look.unit
    words = unit_faults.unusable(unit, log)
    if words:
        masks = wanted.masked is not None and not wanted.enabled and wanted.state in (None, "stopped")
        only_mask = masks and unit.load == "not-found" and unit.stopped
        only_stop = wanted == Wanted(state="stopped", reset_failed=wanted.reset_failed) and not unit.stopped
        return "" if only_mask or only_stop else words
    able, mask = enabling(unit, wanted), masking(unit, wanted)
    if unit.id != unit.name and (able or mask):
        return "is only another name of %s; enable, disable and mask that one" % unit.id
    if able == "enable" and mask != "unmask":
        words = unit_faults.cannot_enable(unit)
    if mask == "mask":
        words = unit_faults.cannot_mask(unit)
    return words or _state_obstacle(look, wanted, log)


def _state_obstacle(look: Look, wanted: Wanted, log: Sequence[str]) -> str:
    unit = look.unit
    words = unit_faults.cannot_act(unit, wanted.state, wanted.masked) if wanted.state else ""
    if words:
        return words
    if not wanted.reset_failed:
        report = wanted.report and unit_faults.limited(unit, log)
        if report or (acting(unit, wanted) == "start" and unit_faults.barred(unit, log, look.now)):
            return unit_faults.limit_words(unit)
    if not wanted.judge:
        return ""
    if not unit.stopped:
        looping = unit_faults.verdict(unit, look.restarts).kind == DOWN
        return look.fault + "; mend the cause (see its log), then give state: restarted" if looping else look.fault
    if wanted.state is None and unit.active == "failed":
        return unit_faults.verdict(unit, look.restarts).words
    if wanted.state is None and (wanted.port is not None or wanted.http):
        return "is stopped, so it has no port and no answer; give state: started"
    return ""


def changes(unit: Unit, wanted: Wanted) -> list[Change]:
    """Return what to change, in order; the verb that `systemctl` knows is each one's detail."""
    act, able, mask = acting(unit, wanted), enabling(unit, wanted), masking(unit, wanted)
    found = []

    def add(kind: str, verb: str, before: str | None = None, after: str | None = None, certain: bool = True) -> None:
        summary = "%s %s" % (verb, unit.name)
        found.append(Change(kind=kind, summary=summary, before=before, after=after, certain=certain, detail=verb))

    if mask == "unmask":
        add(MODIFY, mask, unit.file_state or "masked", "not masked")
    if act in STARTS and unit.reload_needed:
        summary = "make systemd read the changed unit files (daemon-reload)"
        found.append(Change(kind=ACTION, summary=summary, detail="daemon-reload"))
    if act == "stop":
        add(MODIFY, act, unit.words, "inactive (dead)")
    if able:
        behind = mask == "unmask"
        add(MODIFY, able, "unknown (masked)" if behind else unit.file_state, able + "d", certain=not behind)
    if mask == "mask":
        add(MODIFY, mask, unit.file_state or "no unit file", "masked")
    # Starts of a crash loop count against the limit before the unit has failed; a restart may be one too many.
    counted = act in STARTS and (unit.restarting or unit.restarts > 0)
    if wanted.reset_failed and unit.active == "failed":
        add(ACTION, "reset-failed", unit.words, "inactive (dead)")
    elif wanted.reset_failed and counted:
        add(ACTION, "reset-failed")
    if act == "start" and not unit.is_job:
        add(MODIFY, act, unit.words, "active")
    elif act in STARTS:
        add(ACTION, act)
    return found


def reason(look: Look, wanted: Wanted) -> str:
    """Return in words why nothing is to be done."""
    unit, words = look.unit, []
    if wanted.state == "started" and unit.active != "active":
        words.append("is already under way (%s)" % unit.words)
    elif wanted.state:
        words.append("is already " + wanted.state)
    elif wanted.judge:
        words.append("is " + unit.words)
    if wanted.enabled is not None:
        known = unit.file_state in ("enabled", "disabled")
        words.append("is already " + unit.file_state if known else "is not enabled (%s)" % unit.file_state)
    if wanted.masked is not None:
        words.append("is already masked" if wanted.masked else "is not masked")
    if wanted.reset_failed:
        words.append("has not failed")
    if look.listening is not None and look.listening.own:
        words.append("owns port %d" % look.listening.port)
    if look.http is not None:
        words.append("answers %s at %s" % (look.http["status"], look.http["url"]))
    return "%s %s" % (unit.label, ", ".join(words))


def warnings(look: Look, wanted: Wanted, triggers: Sequence[str]) -> list[str]:
    """Return remarks that do not fail the step. triggers: active units that may start this one."""
    unit, name, words = look.unit, look.unit.name, []
    if unit.reload_needed and acting(unit, wanted) not in STARTS:
        words.append("the unit file of %s changed on disk and systemd has not read it yet (daemon-reload)" % name)
    if unit.masked and not unit.stopped and wanted.masked is None:
        words.append("%s runs although it is masked; once stopped it cannot start again" % name)
    if triggers:
        words.append("%s may be started again by %s; stop that too" % (name, ", ".join(triggers)))
    if wanted.state == "stopped" and unit.active == "failed" and not wanted.reset_failed:
        words.append("%s is stopped, but it failed: %s" % (name, unit_faults.ended(unit)))
    if wanted.judge and recently_restarted(unit, look.now):
        age = look.now - unit.active_since
        words.append("%s: systemd restarted it by itself (%d so far), last %.0f s ago" % (name, unit.restarts, age))
    if unit.stopped and look.listening is not None and look.listening.found:
        words.append("port %d is taken already: by %s" % (look.listening.port, look.listening.by))
    return words


def recently_restarted(unit: Unit, now: float) -> bool:
    """Whether systemd restarted an active unit by itself, and the last start was less than a minute ago."""
    return unit.active == "active" and unit.restarts > 0 and now - unit.active_since < RECENT


def facts(look: Look) -> dict[str, Any]:
    """Return what `data` holds of a unit."""
    unit, listening = look.unit, look.listening
    data: dict[str, Any] = {
        "unit": unit.name,
        "id": unit.id,
        "load_state": unit.load,
        "active_state": unit.active,
        "sub_state": unit.sub,
        "enabled_state": unit.file_state,
        "type": unit.type,
        "result": unit.result,
        "restarts": unit.restarts,
        "main_pid": unit.main_pid,
        "exit_status": unit.exit_status,
        "active_seconds": round(look.now - unit.active_since, 1) if unit.active == "active" else None,
        "file_changed": unit.reload_needed,
    }
    if listening is not None:
        holders = [{"pid": one.pid, "program": one.program, "unit": one.unit} for one in listening.holders]
        data["port"] = {"number": listening.port, "own": listening.own, "holders": holders}
    if look.http is not None:
        data["http"] = look.http
    return data
