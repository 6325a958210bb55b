"""Gather evidence of a service that does not respond, before anything is done about it."""

from __future__ import annotations

import time

from opslib.host import wire
from opslib.host.evidence import bundle, changes, findings, gather
from opslib.host.evidence.findings import SEVERE
from opslib.host.params import Boolean, Duration, ListOf, Number, ParamError, Path, Port, Size, Text, shown
from opslib.host.plan import ACTION, Change, Plan
from opslib.host.task import Task, TaskError, param
from opslib.host.units.systemd import UnitName
from opslib.host.words import count, listed, utc

from .service import Asking, Check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FOLDER = "/var/lib/opslib/evidence"
_WORD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"


class VariableName(Text):
    """The name of an environment variable."""

    def __init__(self) -> None:
        super().__init__("name of an environment variable")

    def check(self, value: str) -> str:
        if value[0].isdigit() or any(c not in _WORD for c in value) or len(value) > 255:
            raise ParamError("%s is no %s: letters, digits and _" % (shown(value), self.label))
        return value


class Diagnose(Asking, Task, name="diagnose"):
    """Gather evidence about a service that does not respond, in one archive on the host, and say what is wrong.

    Looks at the unit (state, crash loops, its journal), the environment of its running process (names only, compared
    with those `required`, and with what its files would give it after a restart), the ports that should be its own
    and who really holds them, endpoints as seen from the host, the ends of log files and the errors in them, disks,
    memory, processes, all listening ports, the kernel's messages, and what changed lately: releases and packages.
    Findings are warnings, so that what comes next (a restart) still happens.

    The archive is `evidence-YYYYMMDD-HHMMSS.tar.gz` (UTC) in `to`, a folder with mode 0700; it has mode 0600 and holds
    `summary.txt`, `summary.json` and a file for each subject. `latest.tar.gz` is a link to the newest; of them `keep`
    stay. Where files are too many for `max_size`, the last ones are left out, and the summary says which. The values
    of variables that are secret by their name are masked wherever they occur, and so is whatever looks like a
    password, token or key; other values of variables are not kept at all.

    data: `findings` (`kind`, `severity` severe or note, `words`), the severe first; `advice`, what to do first;
    `units` (as the task service tells them), `environment` (`running`, `names`, `missing`, `empty`,
    `changed_since_start`, `problems`; unless `running` as its files give them), `ports` (`number`, `listening`, `own`,
    `holders`), `endpoints` (`url`, `ok`, `words`), `logs` (`path`, `size_bytes`, `name` in the archive), `errors`
    (`count`, `patterns`), `releases` (`id`, `at`, `application`, `commit`, `ref`, `outcome`, `who`), `packages_changed`
    (`at`, `act`, `package`, `before`, `after`); `host`, `kernel`, `uptime_seconds`, `at` (UTC); `bundle` (path, null
    unless written), `bundle_bytes`, `left_out` (names), `removed` (old archives).

    Errors: no systemd; the folder is not ours alone; no room for the archive (the findings are in data then too).
    Sources: systemctl(1), journalctl(1), proc(5), dpkg(1).
    """

    unit: str = param(UnitName(), "The unit that does not respond.", example="ai-cost-dashboard")
    others: list[str] = param(
        ListOf(UnitName(), longest=50), "Units to look at beside it.", default=[], example=["postgresql"]
    )
    required: list[str] = param(
        ListOf(VariableName()),
        "Environment variables that its process must have.",
        default=[],
        example=["DATABASE_URL", "API_KEY"],
    )
    ports: list[int] = param(
        ListOf(Port(), longest=50), "TCP ports that it must listen on.", default=[], example=[8000]
    )
    endpoints: list[dict[str, Any]] = param(
        ListOf(Check(), longest=50),
        "URLs that must answer, or mappings of the parameters of http_check.",
        default=[],
        example=["http://127.0.0.1:8000/health"],
    )
    logs: list[str] = param(
        ListOf(Path()),
        "Log files, patterns, and folders (for the *.log in them), absolute.",
        default=[],
        example=["/srv/app/logs"],
    )
    lines: int = param(
        Number(1, 10000, whole=True), "How many lines to keep of each log file and journal.", default=200
    )
    since: float = param(Duration(1), "Errors are counted over this many seconds.", default="1h")
    changed: float = param(
        Duration(1), "Releases and packages are listed that changed within this many seconds.", default="7d"
    )
    releases: list[str] = param(
        ListOf(Path()), "Files and folders with the records of releases.", default=[changes.RELEASES]
    )
    paths: list[str] = param(
        ListOf(Path()), "Paths whose disks are looked at; every file system when none is given.", default=[]
    )
    write: bool = param(Boolean(), "Whether to write the archive; without it nothing is changed.", default=True)
    to: str = param(Path(), "Folder for archives, made (mode 0700) when missing.", default=FOLDER)
    keep: int = param(Number(1, 10000, whole=True), "How many archives stay in the folder.", default=10)
    max_size: int = param(Size(), "Bytes of evidence at most, before compression.", default="50M")

    _outcome: Any = None

    def check(self) -> None:
        if self.to.count("/") < 2:
            self.refuse("to %s is no folder for evidence: give one of its own, such as %s" % (self.to, FOLDER))
        if self.max_size < 65536:
            self.refuse("max_size %d bytes holds no evidence; give at least 64K" % self.max_size)

    def checks(self) -> list[dict[str, Any]]:
        """Return what the endpoints are asked."""
        return self.endpoints

    def probe(self) -> dict[str, Any]:
        if self._outcome:
            return dict(self._outcome)
        now = time.time()
        evidence = gather.Evidence(now)
        evidence.data.update(gather.host_facts(), at=utc(now))
        unit = evidence.unit(self.unit, self.lines)
        for name in self.others:
            evidence.other(name, self.lines)
        evidence.environment(unit.id, unit.main_pid, self.required)
        evidence.ports(unit, self.ports)
        evidence.endpoints(self.endpoints)
        evidence.logs(self.logs, self.lines, self.since)
        evidence.resources(self.paths)
        evidence.changes(self.releases, self.changed)
        evidence.kernel()
        evidence.masked()
        taken, problem = bundle.names(self.to)
        return {"now": now, "evidence": evidence, "taken": taken, "problem": problem, "done": {}}

    def plan(self, state: dict[str, Any]) -> Plan:
        evidence, done = state["evidence"], state["done"]
        found = sorted(evidence.found, key=lambda one: one.severity != SEVERE)
        severe = [one for one in found if one.severity == SEVERE]
        advice = findings.advice(found)
        data = {
            "findings": [one.facts() for one in found],
            "advice": advice,
            **evidence.data,
            "bundle": None,
            "bundle_bytes": 0,
            "left_out": [],
            "removed": [],
            **done,
        }
        words = [one.words for one in severe]
        reason = (
            "%s: %s" % (count(len(severe), "thing") + " wrong", listed(words)) if severe else "nothing severe found"
        )
        reason += "; " + advice
        if self.write and state["problem"]:
            return Plan(reason=reason, failure=state["problem"], warnings=[one.words for one in found], data=data)
        changes_ = []
        if self.write and not done:
            path = "%s/%s" % (self.to, bundle.name_for(state["now"], state["taken"]))
            summary = "write the evidence to " + path
            changes_ = [Change(kind=ACTION, summary=summary, after=path, detail=dict(state, data=data, reason=reason))]
        return Plan(changes=changes_, reason=reason, warnings=[one.words for one in found], data=data)

    def apply(self, change: Change) -> None:
        state = change.detail
        name = change.after.rpartition("/")[2]
        sections, left_out = self._sections(state)
        try:
            written = bundle.write(self.to, name, sections, state["now"])
            removed = bundle.prune(self.to, self.keep, name)
        except TaskError as error:
            raise TaskError("%s; found: %s" % (error, state["reason"]), **state["data"]) from None
        done = {"bundle": change.after, "bundle_bytes": written, "left_out": left_out, "removed": removed}
        outcome = {key: value for key, value in state.items() if key != "data"}
        object.__setattr__(self, "_outcome", dict(outcome, done=done))

    def _sections(self, state: dict[str, Any]) -> tuple[list[tuple[str, bytes]], list[str]]:
        """Return what goes into the archive, and the names of what has no room there."""
        evidence, data = state["evidence"], state["data"]
        room = self.max_size - len(wire.dumps(data)) * 2
        chosen, left_out = [], []
        for name, text in evidence.sections.items():
            raw = text.encode("utf-8", "replace")
            room -= len(raw) + 1024
            if room >= 0:
                chosen.append((name, raw))
            else:
                room += len(raw) + 1024
                left_out.append(name)
        facts = {key: value for key, value in data.items() if key not in ("bundle", "bundle_bytes", "removed")}
        facts["left_out"] = left_out
        head = [
            ("summary.txt", summary(facts, self.unit).encode("utf-8", "replace")),
            ("summary.json", (wire.dumps(facts) + "\n").encode("ascii")),
        ]
        return head + chosen, left_out


def summary(data: dict[str, Any], unit: str) -> str:
    """Return a summary for people."""
    lines = ["Evidence about %s on %s, %s" % (unit, data["host"], data["at"]), "", "Findings"]
    lines += ["  %s: %s" % (one["severity"], one["words"]) for one in data["findings"]] or ["  none"]
    lines += ["", "First: " + data["advice"], "", "Units"]
    lines += [
        "  %(unit)s: %(active_state)s (%(sub_state)s), result %(result)s, restarts %(restarts)d" % one
        for one in data["units"]
    ]
    environment = data["environment"]
    source = "the running process" if environment["running"] else "the unit's files"
    lines += ["", "Environment variables, by name only (%s)" % source]
    lines += ["  " + " ".join(environment["names"])]
    for key, word in (("missing", "missing"), ("empty", "empty"), ("changed_since_start", "changed since its start")):
        if environment[key]:
            lines.append("  %s: %s" % (word, " ".join(environment[key])))
    for row in data["ports"]:
        holders = ["%(program)s (pid %(pid)d, %(unit)s)" % one for one in row["holders"]]
        state = ", ".join(holders) if row["listening"] else "nobody listens"
        lines.append("Port %d: %s" % (row["number"], state or "held by what cannot be seen"))
    lines += ["Endpoint " + row["words"] for row in data["endpoints"]]
    if data.get("errors"):
        lines += ["", "Errors: %d" % data["errors"]["count"]]
        lines += ["  %6d  %s" % (one["count"], one["pattern"]) for one in data["errors"]["patterns"]]
    lines += ["", "Releases"]
    lines += ["  %(at)s  %(application)s %(ref)s %(commit)s %(outcome)s" % one for one in data["releases"][-10:]]
    lines += ["", "Packages changed: %d" % len(data["packages_changed"])]
    lines += ["  %(at)s  %(act)s %(package)s %(before)s -> %(after)s" % one for one in data["packages_changed"][-20:]]
    if data["left_out"]:
        lines += ["", "Left out for their size: " + " ".join(data["left_out"])]
    return "\n".join(lines) + "\n"
