"""Record how full the disks are, and say from the record when one will be full."""

from __future__ import annotations

import time

from opslib.host.params import Boolean, Duration, ListOf, Number, Path
from opslib.host.plan import CREATE, MODIFY, Change, Plan
from opslib.host.task import Task, param
from opslib.host.upkeep import kept, trend
from opslib.host.words import date, printable, size

from .disk_usage import DiskUsage
from .memory_usage import parse_meminfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

DAY = 86400.0
FAR = 3650 * DAY
FILE = "capacity.jsonl"


class CapacityTrend(Task, name="capacity_trend"):
    """Record how full the disks and the memory are, fit a line to each, and say when a disk will be full.

    Each run records one sample in `history` on the host, unless the last is younger than `every`; the newest `keep`
    stay. A disk is judged by the samples since it was last cleaned up (a fall by a twentieth), once they span `least`.
    The date when it is full follows from the line; how sure that is, from how well the samples lie on it: `high` when
    the growth is known to a fifth, `medium` to the half, `low` when little more than its direction is known, `none`
    when it may as well be chance (then there is no date). A date `low` never fails the step.

    data: `history`, `samples`, `recorded_seconds` (since the last sample; null: none), `memory` (`total_bytes`,
    `available_bytes`, `available_per_day_bytes`, `sure`), `disks`: `mount`, `used_bytes`, `free_bytes`,
    `per_day_bytes`, `likely_per_day_bytes` (least and most), `samples`, `span_seconds`, `sure`, `full_seconds` (until
    it is full; null: no date), `full_date` (UTC), `full_date_likely` (earliest and latest; null: never).

    Errors: a history that cannot be read or written. Sources: statvfs(3), ordinary least squares.
    """

    paths: list[str] = param(
        ListOf(Path()),
        "Paths whose file systems are looked at; all that hold data when empty.",
        default=[],
        example=["/srv"],
    )
    history: str | None = param(
        Path(), "File of samples; by default in /var/lib/opslib, or in the home of a user.", default=None
    )
    record: bool = param(Boolean(), "Whether to record a sample.", default=True)
    every: float = param(Duration(), "Seconds between two samples, at least.", default="6h", example="1d")
    keep: int = param(Number(10, 5000, whole=True), "How many samples stay.", default=1500)
    least: float = param(Duration(), "Seconds that samples must span to be judged.", default="3d")
    warn: float = param(Duration(), "Warn of a disk that will be full within so many seconds.", default="90d")
    fail: float | None = param(
        Duration(), "Fail when a disk will be full within so many seconds.", default=None, example="7d"
    )
    timeout: float = param(Duration(low=0.1), "Seconds to wait for a file system's answer.", default=5)

    def check(self) -> None:
        if self.fail is not None and self.fail > self.warn:
            self.refuse("fail %g s must not be above warn %g s" % (self.fail, self.warn))

    def _path(self) -> str:
        return self.history or "%s/%s" % (kept.folder(), FILE)

    def probe(self) -> dict[str, Any]:
        asked: dict[str, Any] = {"paths": self.paths, "timeout": self.timeout}
        found = DiskUsage(**asked).probe()
        with open("/proc/meminfo", encoding="ascii") as file:
            memory = parse_meminfo(file.read(1 << 16))
        path = self._path()
        return {
            "now": time.time(),
            "path": path,
            "exists": kept.read(path) is not None,
            "samples": kept.rows(path),
            "mounts": [(row["mount"], row["used_bytes"], row["free_bytes"]) for row in found["mounts"]],
            "problems": ["%s %s" % (row["path"], row["error"]) for row in found["problems"]],
            "memory": (memory["total"], memory["available"]),
        }

    def plan(self, state: dict[str, Any]) -> Plan:
        now = state["now"]
        samples = valid(state["samples"], now)
        last = samples[-1]["t"] if samples else None
        current = {
            "t": int(now),
            "disks": {mount: [used, free] for mount, used, free in state["mounts"]},
            "memory": list(state["memory"]),
        }
        points = samples if last is not None and now - last < 60 else [*samples, current]
        disks = [self._judge(mount, used, free, points, now) for mount, used, free in state["mounts"]]
        disks.sort(key=lambda row: (row["full_seconds"] is None, row["full_seconds"] or 0, row["mount"]))
        data: dict[str, Any] = {
            "history": state["path"],
            "samples": len(samples),
            "recorded_seconds": None if last is None else int(now - last),
            "memory": _memory(state["memory"], points, self.least),
            "disks": disks,
        }
        warnings = [printable(problem) for problem in state["problems"]]
        failures = []
        for row in disks:
            soon = row["full_seconds"]
            if soon is None:
                continue
            if self.fail is not None and soon <= self.fail and row["sure"] != trend.LOW:
                failures.append(words(row))
            elif soon <= self.warn:
                warnings.append(words(row))
        changes = []
        if self.record and (last is None or now - last >= self.every):
            kind = MODIFY if state["exists"] else CREATE
            text = "record a sample in %s" % state["path"]
            changes.append(Change(kind=kind, summary=text, detail=[*samples, current][-self.keep :]))
        young = not samples or now - samples[0]["t"] < self.least
        reason = "samples of too short a time to see a trend" if young else "no disk will be full soon"
        emptied = [row["mount"] for row in disks if row["span_seconds"] < self.least]
        if emptied and not young:
            reason = "too little is known of %s since it was last emptied; no other disk will be full soon" % (
                printable(", ".join(emptied))
            )
        if disks and disks[0]["full_seconds"] is not None:
            reason = words(disks[0])
        return Plan(
            changes=changes,
            reason=reason,
            finding="; ".join(failures),
            warnings=warnings,
            data=data,
        )

    def _judge(self, mount: str, used: int, free: int, samples: Sequence[dict[str, Any]], now: float) -> dict[str, Any]:
        whole = used + free
        points = [(row["t"], row["disks"][mount][0]) for row in samples if mount in row["disks"]]
        points = list(trend.since_last_fall(points, whole))
        line = trend.fit(points)
        known = line is not None and line.span >= self.least
        row: dict[str, Any] = {
            "mount": mount,
            "used_bytes": used,
            "free_bytes": free,
            "per_day_bytes": int(line.per_second * DAY) if line and known else None,
            "likely_per_day_bytes": [int(line.least * DAY), int(line.most * DAY)] if line and known else None,
            "samples": len(points),
            "span_seconds": int(points[-1][0] - points[0][0]) if points else 0,
            "sure": line.sure if line and known else trend.NONE,
            "full_seconds": None,
            "full_date": None,
            "full_date_likely": None,
        }
        if line is None or not known or line.sure == trend.NONE or line.per_second <= 0:
            return row
        soon = trend.seconds_until(whole, used, line.per_second)
        if soon is None or soon > FAR:
            return row
        likely = [trend.seconds_until(whole, used, slope) for slope in (line.most, line.least)]
        row["full_seconds"] = int(soon)
        row["full_date"] = date(now + soon)
        row["full_date_likely"] = [None if each is None or each > FAR else date(now + each) for each in likely]
        return row

    def apply(self, change: Change) -> None:
        import json

        text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in change.detail)
        kept.write(self._path(), text)


def valid(rows: Sequence[dict[str, Any]], now: float) -> list[dict[str, Any]]:
    """Return the samples that make sense, in order of time; those from the future, after a clock was set, do not."""
    found = []
    for row in rows:
        at, disks = row.get("t"), row.get("disks")
        if not _number(at) or float(at or 0) > now + 60 or not isinstance(disks, dict):
            continue
        pairs = [pair for pair in disks.values() if isinstance(pair, list) and len(pair) == 2]
        if len(pairs) == len(disks) and all(_number(each) for pair in pairs for each in pair):
            found.append(row)
    return sorted(found, key=lambda row: float(row["t"]))


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e18


def _memory(memory: tuple[int, int], samples: Sequence[dict[str, Any]], least: float) -> dict[str, Any]:
    points = []
    for row in samples:
        pair = row.get("memory")
        if isinstance(pair, list) and len(pair) == 2 and all(map(_number, pair)):
            points.append((row["t"], pair[1]))
    line = trend.fit(points)
    known = line is not None and line.span >= least
    return {
        "total_bytes": memory[0],
        "available_bytes": memory[1],
        "available_per_day_bytes": int(line.per_second * DAY) if line and known else None,
        "sure": line.sure if line and known else trend.NONE,
    }


def words(row: dict[str, Any]) -> str:
    """Return a disk's fate in words."""
    if row["full_seconds"] == 0:
        return "%s is full" % printable(row["mount"])
    return "%s will be full on %s, in %d days: it grows by %s a day (how sure: %s, from %d samples of %d days)" % (
        printable(row["mount"]),
        row["full_date"],
        row["full_seconds"] // DAY,
        size(row["per_day_bytes"]),
        row["sure"],
        row["samples"],
        row["span_seconds"] // DAY,
    )
