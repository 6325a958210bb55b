"""Read or follow what logs and units say, and tell it as it comes."""

from __future__ import annotations

import os

from opslib.host.logs.live import Live
from opslib.host.logs.reading import SEARCH, Reading
from opslib.host.logs.times import ZONES, Zone, fixed
from opslib.host.logs.zones import ZoneName
from opslib.host.params import Boolean, Choice, Duration, ListOf, Mapping, Name, Number, Path, Regex, Size
from opslib.host.plan import Plan
from opslib.host.task import Task, TaskError, param
from opslib.host.units.systemd import UnitName
from opslib.host.words import listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TAIL, FOLLOW = "tail", "follow"
_LISTED = 20


class Logs(Task, name="logs"):
    """Read entries of log files and of units' journals, and tell them at once, in messages rather than in the result.

    mode: `tail` reads the newest entries from the end of the files; `search` those of a time window, rotated and
    compressed files included; `follow` the newest, and then every entry as it comes, through rotation, until the run
    is stopped. An entry is a line with a time and the lines without one below it, or a JSON object; in a log without
    times it is a line. Filters work on the host. Nothing is changed.

    Messages: `entries`, a list of `source` (path or unit), `time` (seconds since 1970, null if unknown), `level`
    (null if unknown), `text` and `cut` (whether the text is longer); `note`, a remark in words.

    data: `count` of entries told, `matched`, `read` (entries), `left_out`, `missing` (in words). Errors: no file and no
    unit is there, or none that bears times to be searched by; the host does not know the time zone.
    Sources: journalctl(1), logrotate(8).
    """

    paths: list[str] = param(
        ListOf(Path()), "Log files, patterns, and folders (for the *.log in them).", default=[], example=["/srv/a.log"]
    )
    units: list[str] = param(ListOf(UnitName(), longest=50), "Units whose journal to read.", default=[])
    mode: str = param(Choice(TAIL, SEARCH, FOLLOW), "What to read.", default=TAIL)
    lines: int = param(
        Number(0, 100000, whole=True), "Tell at most so many entries that are there already.", default=50
    )
    since: float = param(Duration(), "Leave out what is older than this many seconds.", default=None, example="1h")
    until: float = param(Duration(), "Leave out what is younger than this many seconds.", default=0)
    levels: list[str] = param(ListOf(Name("log level"), longest=20), "Only entries of these levels.", default=[])
    match: str = param(Regex(), "Only entries in which this regular expression is found.", default=None)
    fields: dict[str, Any] = param(
        Mapping(), "Only JSON entries whose members, by name or dotted path, have these values.", default={}
    )
    timezone: str = param(ZoneName(), "The zone of times that name none; the host's own if not given.", default=None)
    longest: int = param(Number(20, 16384, whole=True), "Characters to tell of an entry.", default=4096)
    masked: bool = param(Boolean(), "Put *** in place of what looks like a password, token or key.", default=True)
    lasting: float = param(Duration(), "Follow for this many seconds; without an end if not given.", default=None)
    read_limit: int = param(
        Size(),
        "Bytes to read at most of what is there already, after unpacking; tail reads 64M of a file.",
        default="2G",
    )

    def check(self) -> None:
        if not self.paths and not self.units:
            self.refuse("nothing to read: give paths or units")
        if self.since is not None and self.until >= self.since:
            self.refuse("until %g must be less than since %g (seconds ago)" % (self.until, self.since))
        if self.mode == SEARCH and self.since is None:
            self.refuse("mode search needs since, where the time window begins")
        if self.mode == FOLLOW and self.until:
            self.refuse("until has no meaning with mode follow")
        if self.lasting is not None and self.mode != FOLLOW:
            self.refuse("lasting has a meaning with mode follow only")

    def probe(self) -> dict[str, Any]:
        if self.timezone and fixed(self.timezone) is None and not os.path.isfile(ZONES + self.timezone):
            raise TaskError("timezone: %s is not known on this host" % self.timezone)
        with Zone(self.timezone):
            reading = Reading(self)
            if self.mode == FOLLOW:
                Live(reading).follow()
            else:
                reading.newest()
            return reading.state()

    def plan(self, state: dict[str, Any]) -> Plan:
        failure = ""
        if state["missing"] and not state["found"] and self.mode != FOLLOW:
            failure = listed(state["missing"])
        warnings = state["problems"] + ([] if failure else state["missing"])
        if state["left_out"]:
            warnings.append("%d older entries were left out (lines)" % state["left_out"])
        told = state["count"]
        return Plan(
            reason="told %d %s of %d read" % (told, "entry" if told == 1 else "entries", state["read"]),
            failure=failure,
            warnings=warnings[:_LISTED],
            data={key: state[key] for key in ("count", "matched", "read", "left_out", "missing")},
        )
