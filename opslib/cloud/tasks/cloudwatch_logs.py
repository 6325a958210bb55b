"""Read or follow log groups of CloudWatch, and tell their events as they come."""

from __future__ import annotations

import functools
from typing import Any

from opslib.cloud.aws.log_groups import GroupName, named_by_arn
from opslib.cloud.aws.log_reading import Reading
from opslib.cloud.aws.task import AwsTask
from opslib.cloud.patience import Patience
from opslib.cloud.task import Plan, param
from opslib.host.params import Boolean, Choice, Duration, ListOf, Mapping, Name, Number, ParamError, Regex, Size, Text
from opslib.host.words import listed

__all__ = ["CloudwatchLogs"]

TAIL, SEARCH, FOLLOW = "tail", "search", "follow"


class CloudwatchLogs(AwsTask, name="cloudwatch_logs"):
    """Read events of CloudWatch log groups, and tell them at once, in messages rather than in the result.

    mode: `tail` reads the newest events of all streams; `search` those of a time window; `follow` the newest, and then
    every event as it comes, each once, until the run is stopped. Levels, expressions and fields are judged here, as the
    task `logs` judges them on hosts: the service's own filter patterns know less. An event is an entry, as the service
    holds it; nothing joins the lines of a traceback that were sent as single events. Nothing is changed.

    Messages: `group` (as it was asked for) with `entries`, a list of `source` (the stream), `time` (seconds since
    1970), `level` (null if unknown), `text` and `cut`; `note`, a remark in words.

    data: `groups` (names by what was asked for), `count` of entries told, `matched`, `read` (events), `missing` (in
    words). Errors: none of the groups is there. Source: FilterLogEvents in the API reference of CloudWatch Logs.
    """

    groups: list[str] = param(
        ListOf(GroupName(), empty=False, longest=20),
        "Log groups, or App Runner services whose logs are wanted; by name or ARN.",
        example=["spendsense-api"],
    )
    part: str = param(
        Choice("application", "service"),
        "Of an App Runner service: what its program writes, or what App Runner says of deployments.",
        default="application",
    )
    mode: str = param(Choice(TAIL, SEARCH, FOLLOW), "What to read.", default=TAIL)
    lines: int = param(
        Number(0, 100000, whole=True), "Tell at most so many entries that are there already, the newest.", default=100
    )
    since: float | None = param(
        Duration(), "Leave out what is older than this many seconds.", default=None, example="1h"
    )
    until: float = param(Duration(), "Leave out what is younger than this many seconds.", default=0)
    levels: list[str] = param(ListOf(Name("log level"), longest=20), "Only entries of these levels.", default=[])
    match: str | None = param(Regex(), "Only entries in which this regular expression is found.", default=None)
    fields: dict[str, Any] = param(
        Mapping(), "Only JSON entries whose members, by name or dotted path, have these values.", default={}
    )
    pattern: str | None = param(
        Text("filter pattern of CloudWatch Logs"),
        "A pattern in the service's own language on top, to have it send less; it is case-sensitive.",
        default=None,
        example='"connection refused"',
    )
    longest: int = param(Number(20, 16384, whole=True), "Characters to tell of an entry.", default=4096)
    masked: bool = param(Boolean(), "Put *** in place of what looks like a password, token or key.", default=True)
    lasting: float | None = param(
        Duration(), "Follow for this many seconds; without an end if not given.", default=None
    )
    lag: float = param(
        Duration(low=1),
        "Seconds after its own time within which an event becomes visible; what follow sees later may be missed.",
        default="1m",
    )
    read_limit: int = param(Size(), "Bytes to read at most of what is there already.", default="256M")

    def check(self) -> None:
        if self.since is not None and self.until >= self.since:
            self.refuse(f"until {self.until:g} must be less than since {self.since:g} (seconds ago)")
        if self.mode == SEARCH and self.since is None:
            self.refuse("mode search needs since, where the time window begins")
        if self.mode == FOLLOW and self.until:
            self.refuse("until has no meaning with mode follow")
        if self.lasting is not None and self.mode != FOLLOW:
            self.refuse("lasting has a meaning with mode follow only")
        if len(set(self.groups)) < len(self.groups):
            self.refuse("groups: one is named twice")
        for group in self.groups:
            try:
                named_by_arn(group, self.part, self.account, self.region)
            except ParamError as error:
                self.refuse(f"groups: {error}")

    @property
    def patience(self) -> Patience:
        """How long to wait: for everything, but where following has no end, for each answer."""
        return Patience(self.wait, self.poll) if self.mode == FOLLOW else self._patience

    @functools.cached_property
    def _patience(self) -> Patience:
        return Patience(self.wait, self.poll)

    def look(self) -> Reading:
        reading = Reading(self)
        if self.mode == FOLLOW:
            reading.follow()
        else:
            reading.newest()
        return reading

    def compare(self, state: Reading) -> Plan:
        missing = list(state.missing.values())
        failure = listed(missing) if missing and not state.found and self.mode != FOLLOW else ""
        return Plan(
            reason=f"told {state.count} {'entry' if state.count == 1 else 'entries'} of {state.filter.read} read",
            failure=failure,
            warnings=[*state.problems, *([] if failure else missing)],
            data={
                "groups": {label: group.name for label, group in state.found.items()},
                "count": state.count,
                "matched": state.filter.matched,
                "read": state.filter.read,
                "missing": missing,
            },
        )
