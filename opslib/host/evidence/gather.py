"""Gather evidence of one unit and its host: sections of text, findings, and data, all with secrets masked.

Whatever cannot be looked at is said in its section and does not stop the rest.
"""

from __future__ import annotations

import os
import re
import time

from opslib.host import wire
from opslib.host.command import run
from opslib.host.logs.files import LogFiles
from opslib.host.logs.patterns import fold, unsecret
from opslib.host.task import TaskError
from opslib.host.tasks.disk_usage import DiskUsage
from opslib.host.tasks.http_check import HttpCheck
from opslib.host.tasks.listening_ports import ListeningPorts
from opslib.host.tasks.log_errors import LogErrors
from opslib.host.tasks.memory_usage import MemoryUsage
from opslib.host.tasks.processes import Processes
from opslib.host.units import environ, journal, systemd
from opslib.host.units import watch as unit_watch
from opslib.host.words import printable, utc

from . import changes, findings
from .bundle import member_name
from .findings import NOTE, SEVERE, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable, Sequence

    from opslib.host.plan import Plan
    from opslib.host.task import Task
    from opslib.host.units.environ import Environ


_PLACE, _LEFT = re.compile(r"<\w+>"), 4
_TAIL = 1 << 20
_LINE = 2000
_MOST_FILES = 50
_MOST_LISTED = 50
RECENT = 86400


class Evidence:
    """What was gathered so far.

    sections: names and texts for the bundle; documents: names and data that become sections; found: findings, in the
    order of their discovery; data: facts by subject; secrets: values that must not be shown.
    """

    def __init__(self, now: float) -> None:
        self.now = now
        self.sections: dict[str, str] = {}
        self.documents: dict[str, Any] = {}
        self.found: list[Finding] = []
        self.data: dict[str, Any] = {}
        self.secrets: set[str] = set()

    def unit(self, name: str, lines: int) -> systemd.Unit:
        """Look at a unit and the end of its journal."""
        look = unit_watch.look(name)
        unit = look.unit
        log = journal.tail(unit, max(lines, 10), whole=True)
        self.found += findings.of_unit(unit, log, look.now)
        facts = {
            "unit": unit.name,
            "load_state": unit.load,
            "active_state": unit.active,
            "sub_state": unit.sub,
            "result": unit.result,
            "restarts": unit.restarts,
            "main_pid": unit.main_pid,
            "exit_status": unit.exit_status,
            "active_seconds": round(look.now - unit.active_since, 1) if unit.active == "active" else None,
        }
        self.data.setdefault("units", []).append(facts)
        self.sections["journal/%s.log" % member_name(name, ())] = _lines(log)
        return unit

    def other(self, name: str, lines: int) -> None:
        """Look at a unit beside the one in trouble; what is secret in its environment is masked, too."""
        unit = self.unit(name, lines)
        self.hide(environ.of_unit(unit.id, unit.main_pid))

    def environment(self, name: str, main_pid: int, required: Sequence[str]) -> None:
        """Compare a unit's environment with what is required."""
        found = environ.of_unit(name, main_pid)
        self.hide(found)
        facts = found.facts(required)
        self.data["environment"] = facts
        self.found += findings.of_environment(systemd.Unit(name=name, id=name), facts)

    def hide(self, found: Environ) -> None:
        """Have the secrets of an environment masked wherever they occur."""
        self.secrets |= found.secrets

    def ports(self, unit: systemd.Unit, ports: Sequence[int]) -> None:
        """Look who listens on the ports that are the unit's, and on all others."""
        rows = []
        for port in ports:
            seen = unit_watch.port_of(unit, port)
            self.found += findings.of_port(unit, seen)
            holders = [{"pid": one.pid, "program": one.program, "unit": one.unit} for one in seen.holders]
            rows.append({"number": port, "listening": seen.found, "own": seen.own, "holders": holders})
        self.data["ports"] = rows
        self.ask("listening", ListeningPorts, {})

    def resources(self, paths: Sequence[str]) -> None:
        """Look at disks, memory and processes."""
        self.ask("disk", DiskUsage, {"paths": list(paths)}, "disk")
        self.ask("memory", MemoryUsage, {"top": 20}, "memory")
        self.ask("processes", Processes, {"least": 0, "top": 200})

    def ask(self, name: str, of: type[Task], args: dict[str, Any], kind: str = "") -> Plan | None:
        """Have a task look, and keep what it says as a section; its failure is a finding when a kind is given."""
        task = of(**args)
        try:
            plan = task.plan(task.probe())
        except (TaskError, OSError) as error:
            self.sections[name + ".txt"] = "cannot be looked at: %s\n" % error
            if kind:
                self.found.append(Finding(kind=kind, severity=NOTE, words="%s: %s" % (name, error)))
            return None
        words = [plan.failure, *plan.warnings] if plan.failure else list(plan.warnings)
        if kind:
            for number, word in enumerate(words):
                severe = bool(plan.failure) and number == 0
                self.found.append(Finding(kind=kind, severity=SEVERE if severe else NOTE, words=word))
        text = "".join(line + "\n" for line in [plan.reason, *words] if line)
        self.sections[name + ".txt"] = text
        self.documents[name + ".json"] = plan.data
        return plan

    def endpoints(self, checks: Iterable[dict[str, Any]]) -> None:
        """Ask URLs from the host."""
        rows = []
        for number, check in enumerate(checks):
            task = HttpCheck(**check)
            self.secrets.update(task.secrets())
            plan = self.ask("endpoint-%d" % (number + 1), HttpCheck, check, "endpoint")
            problem = plan is None or bool(plan.failure)
            words = (plan.failure or plan.reason) if plan else "cannot be asked"
            rows.append({"url": task.url, "ok": not problem, "words": words})
        self.data["endpoints"] = rows

    def logs(self, paths: Sequence[str], lines: int, since: float) -> None:
        """Keep the ends of log files, and count the errors in them."""
        if not paths:
            return
        tails: list[dict[str, Any]] = []
        files = LogFiles(self.now)
        more = 0
        for file in files.find(paths):
            if file.live and len(tails) == _MOST_FILES:
                more += 1
            elif file.live:
                name = "logs/" + member_name(file.path, {row["name"][5:] for row in tails})
                tails.append({"name": name, "path": printable(file.path), "size_bytes": file.size})
                self.sections[name] = _tail(file.fd, file.size, lines)
        self.data["logs"] = tails
        left = ["files: the ends of %d more are not kept; name fewer" % more] if more else []
        for words in [*files.missing, *files.problems, *left]:
            self.found.append(Finding(kind="logs", severity=NOTE, words="log " + words))
        if not tails:
            return
        plan = self.ask("errors", LogErrors, {"paths": list(paths), "since": since, "top": 20})
        if plan is not None and plan.data["count"]:
            self.found.append(Finding(kind="errors", severity=NOTE, words=plan.reason))
            patterns = [
                {key: one[key] for key in ("pattern", "count", "first", "last")} for one in plan.data["patterns"]
            ]
            self.data["errors"] = {"count": plan.data["count"], "patterns": patterns[:10]}

    def changes(self, releases: Sequence[str], span: float) -> None:
        """Look what was released and which packages changed lately."""
        since = self.now - span
        packages = changes.packages(since)
        made = [release for release in changes.releases(releases) if since <= release.at <= self.now + 60]
        rows = {"packages": packages, "releases": [release.facts() for release in made]}
        self.documents["changes.json"] = rows
        self.data["releases"] = rows["releases"][-_MOST_LISTED:]
        self.data["packages_changed"] = packages[-_MOST_LISTED:]
        self.found += [Finding(kind="changes", severity=NOTE, words=words) for words in changes.unread(releases)]
        newest = [row for row in packages if row["at"] >= utc(self.now - RECENT)]
        self.found += findings.of_changes(made, newest, self.now)

    def kernel(self) -> None:
        """Keep the kernel's last messages."""
        argv = ("journalctl", "--quiet", "--no-pager", "--dmesg", "--output", "short-iso", "--lines", "200")
        try:
            lines = journal.parse(run(argv, timeout=20).out)
        except TaskError as error:
            lines = [str(error)]
        self.sections["kernel.log"] = _lines(lines)
        killed = [line for line in lines if "Out of memory" in line or "oom-kill" in line.lower()]
        if killed:
            self.found.append(Finding(kind="memory", severity=NOTE, words="the kernel says: %s" % killed[-1]))

    def masked(self) -> None:
        """Mask the secrets in all that was gathered, and write documents as sections. To be called once, at the end."""
        self.data = self._clean(self.data)
        self.found = [Finding(kind=one.kind, severity=one.severity, words=self._clean(one.words)) for one in self.found]
        self.sections = {name: _cut(self._clean(text)) for name, text in self.sections.items()}
        for name, document in self.documents.items():
            self.sections[name] = wire.dumps(self._clean(document)) + "\n"

    def _clean(self, value: Any) -> Any:
        return _folded(wire.mask(value, self.secrets | self._in_patterns()))

    def _in_patterns(self) -> set[str]:
        """Return the secrets as they stand in patterns of messages, where more than placeholders is left of them."""
        found = {secret: fold(secret) for secret in self.secrets}
        return {text for secret, text in found.items() if text != secret and len(_PLACE.sub("", text)) >= _LEFT}


def _folded(value: Any) -> Any:
    """Return a JSON-like value without what looks like a password, token or key in its texts."""
    if isinstance(value, str):
        return unsecret(value)
    if isinstance(value, dict):
        return {key: _folded(item) for key, item in value.items()}
    return [_folded(item) for item in value] if isinstance(value, (list, tuple)) else value


def host_facts() -> dict[str, Any]:
    """Return the host's name, kernel and how long it has been up."""
    kernel = os.uname()
    up = time.clock_gettime(time.CLOCK_BOOTTIME)
    return {"host": printable(kernel.nodename), "kernel": printable(kernel.release), "uptime_seconds": int(up)}


def _lines(lines: Iterable[str]) -> str:
    return "".join(line + "\n" for line in lines)


def _tail(fd: int, size: int, most: int) -> str:
    """Return the last lines of a file, printable and not too long."""
    try:
        data = os.pread(fd, _TAIL, max(size - _TAIL, 0))
    except OSError as error:
        return "cannot be read: %s\n" % error.strerror
    found = data.split(b"\n")
    if size > _TAIL:
        found = found[1:]
    if found and not found[-1]:
        found.pop()
    return _lines(printable(line.decode("utf-8", "replace")) for line in found[-most:])


def _cut(text: str) -> str:
    """Return text with its lines cut to a length for reading: after masking, which must see secrets whole."""
    return _lines(line[:_LINE] for line in text.splitlines())
