"""What evidence says: findings in words, and what to do first. Pure."""

from __future__ import annotations

from opslib.host.record import Record
from opslib.host.units import faults as unit_faults
from opslib.host.words import count, listed, printable

from .spans import ago

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator, Sequence

    from opslib.host.evidence.changes import Release
    from opslib.host.system.listeners import Listening
    from opslib.host.units.systemd import Unit

SEVERE, NOTE = "severe", "note"
_ADVICE = (
    ("no_unit", "correct the unit's name, or deploy the service"),
    ("port_conflict", "stop what holds the port, then restart the service"),
    ("missing_variable", "give the missing variables in the unit's environment file, then restart the service"),
    ("disk", "free space before anything else: a service that cannot write does not come back"),
    ("memory", "find out what takes the memory (memory.json in the bundle), then restart the service"),
    ("changed_variable", "restart the service: it runs with an environment that has changed since"),
    ("start_limit", "mend the cause (see the unit's log), then restart with reset_failed"),
    ("crash_loop", "mend the cause (see the unit's log); a restart alone will not help"),
    ("failed", "restart the service, and see its log if it fails again"),
    ("stopped", "start the service"),
    ("endpoint", "restart the service: it runs, but does not answer as it should"),
    ("port_silent", "restart the service: it runs, but does not listen"),
    ("errors", "look at the most frequent error pattern"),
)


class Finding(Record):
    """Something worth knowing. kind: a word for programs; severity: severe or note; words: a sentence for people."""

    kind: str
    severity: str = SEVERE
    words: str

    def facts(self) -> dict[str, str]:
        """Return it for data."""
        return {"kind": self.kind, "severity": self.severity, "words": self.words}


def of_unit(unit: Unit, log: Sequence[str], now: float) -> Iterator[Finding]:
    """Yield what is wrong with a unit."""
    words = unit_faults.unusable(unit, log)
    if words:
        yield Finding(kind="no_unit", words="%s %s" % (unit.label, words))
    elif unit_faults.limited(unit, log):
        yield Finding(kind="start_limit", words="%s %s" % (unit.label, unit_faults.limit_words(unit)))
    elif unit.restarting or (unit.active == "activating" and unit.restarts):
        yield Finding(kind="crash_loop", words="%s %s" % (unit.label, unit_faults.looping(unit)))
    elif unit.active == "failed":
        words = "%s failed: %s" % (unit.label, unit_faults.ended(unit) or "result " + unit.result)
        yield Finding(kind="failed", words=words)
    elif unit.stopped and not unit.is_job:
        yield Finding(kind="stopped", words="%s is stopped" % unit.label)
    elif unit.active != "active" and not unit.is_job:
        yield Finding(kind="failed", words="%s is %s" % (unit.label, unit.words))
    elif unit.restarts and now - unit.active_since < 3600:
        words = "systemd restarted %s by itself, %d times so far, last %.0f s ago"
        yield Finding(
            kind="restarted", severity=NOTE, words=words % (unit.label, unit.restarts, now - unit.active_since)
        )
    if unit.reload_needed:
        words = "%s: its unit file changed on disk since systemd read it" % unit.label
        yield Finding(kind="file_changed", severity=NOTE, words=words)


def of_port(unit: Unit, listening: Listening) -> Iterator[Finding]:
    """Yield what is wrong with a port that a unit should listen on."""
    if listening.found and not listening.own:
        words = "port %d is held by %s, not by %s"
        yield Finding(kind="port_conflict", words=words % (listening.port, listening.by, unit.name))
    elif not listening.found:
        words = "nothing listens on port %d" % listening.port
        yield Finding(kind="port_silent", words=words)


def of_environment(unit: Unit, facts: dict[str, Any]) -> Iterator[Finding]:
    """Yield what is wrong with a unit's environment, by name."""
    where = "the environment of %s%s" % (unit.name, "" if facts["running"] else " (as its files give it)")
    for kind, names in (("missing from", facts["missing"]), ("empty in", facts["empty"])):
        if names:
            words = "%s %s %s %s" % (", ".join(names), "is" if len(names) == 1 else "are", kind, where)
            yield Finding(kind="missing_variable", words=words)
    if facts["changed_since_start"]:
        names = facts["changed_since_start"]
        words = "%s changed in the files since %s was started: it still runs with the former" % (
            ", ".join(names[:10]),
            unit.name,
        )
        yield Finding(kind="changed_variable", severity=NOTE, words=words)
    for problem in facts["problems"]:
        yield Finding(kind="environment", severity=NOTE, words=printable(problem))


def of_changes(releases: Sequence[Release], packages: Sequence[dict[str, Any]], now: float) -> Iterator[Finding]:
    """Yield what changed within the time that is looked at."""
    if releases:
        last = releases[-1]
        words = "release %s went live %s ago%s" % (last.label, ago(now - last.at), outcome(last))
        yield Finding(kind="release", severity=NOTE, words=words)
    if packages:
        names = sorted({row["package"].partition(":")[0] for row in packages})
        words = "%s changed, last at %s: %s" % (count(len(names), "package"), packages[-1]["at"], listed(names))
        yield Finding(kind="packages", severity=NOTE, words=words)


def outcome(release: Release) -> str:
    """Return a release's outcome as words that may follow."""
    return " (%s)" % release.outcome if release.outcome else ""


def advice(findings: Sequence[Finding]) -> str:
    """Return what to do first."""
    kinds = {finding.kind for finding in findings}
    return next((words for kind, words in _ADVICE if kind in kinds), "nothing on this host asks for an act")
