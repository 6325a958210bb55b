"""Read the logs of a Vercel project."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opslib.cloud.errors import MalformedError, RefusedError
from opslib.cloud.http import model_of
from opslib.cloud.task import Plan, param
from opslib.cloud.vercel import command_line
from opslib.cloud.vercel.command_line import Program
from opslib.cloud.vercel.task import DeploymentName, VercelTask
from opslib.host import wire
from opslib.host.logs.patterns import unsecret
from opslib.host.params import Boolean, Choice, Duration, ListOf, Number, Text
from opslib.host.words import printable

if TYPE_CHECKING:
    from opslib.cloud.vercel.models import LogRow

__all__ = ["VercelLogs"]

REQUESTS, BUILD = "requests", "build"


@dataclass(frozen=True, slots=True)
class _Line:
    time: float
    level: str
    text: str
    row: LogRow | None = None


class VercelLogs(VercelTask, name="vercel_logs"):
    """Read what functions logged for requests to a project, or the log of a build.

    Request logs come through Vercel's command line, for no documented API gives them; build logs through the API.

    data: `deployment`, `lines`, each with `time` (seconds since 1970), `level`, `text` and, for requests, `method`,
    `path`, `status`, `source`; `count`, `levels` and `statuses` (how many of each), `full` (whether there may be more).

    Sources: https://vercel.com/docs/cli/logs, https://vercel.com/docs/rest-api/deployments/get-deployment-events
    """

    kind: str = param(Choice(REQUESTS, BUILD), "Which log.", default=REQUESTS)
    deployment: str | None = param(
        DeploymentName(), "Of which deployment: its id or URL; without it, what is in production.", default=None
    )
    lines: int = param(Number(1, 5000, whole=True), "How many to read at most.", default=100)
    since: float = param(Duration(low=1), "How far back to read request logs, in seconds.", default="1h")
    levels: list[str] = param(
        ListOf(Choice("info", "warning", "error", "fatal")), "Only requests that logged at one of these.", default=[]
    )
    search: str | None = param(Text("text to search for"), "Only requests in whose log this stands.", default=None)
    masked: bool = param(Boolean(), "Put *** in place of what looks like a password, token or key.", default=True)
    program: str = param(Program(), "Vercel's command line: name or path.", default="vercel")

    def check(self) -> None:
        super().check()
        if self.kind == BUILD and (self.levels or self.search):
            self.refuse("levels and search are for request logs; a build log is read whole")
        if self.search and self.search.startswith("-"):
            self.refuse("search must not begin with '-'")

    def look(self) -> tuple[str, list[_Line]]:
        project = self.client.project()
        name = self.deployment or project.production
        if name is None:
            return "", []
        found = self.client.deployment(name)
        if self.kind == BUILD:
            events = self.client.build_log(found.key, self.lines)
            return found.key, [_Line(each.created / 1000, each.type, each.text or "") for each in events if each.text]
        begins = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - self.since))
        words = ["logs", found.key, "--json", "--limit", str(self.lines), "--since", begins]
        for level in self.levels:
            words += ["--level", level]
        if self.search:
            words += ["--query", self.search]
        done = command_line.run(self, self.program, words, project=project.id, owner=project.account_id, folder="/")
        if done.code != 0:
            raise RefusedError(f"vercel logs: {done.said or 'it failed without a word'}")
        return found.key, [_line(text) for text in done.text.splitlines() if text.strip()]

    def compare(self, state: tuple[str, list[_Line]]) -> Plan:
        name, found = state
        if not name:
            return Plan(failure="nothing is in production; name a deployment", data={"lines": []})
        newest = sorted(found, key=lambda line: line.time)[-self.lines :]
        hidden = list(self.secrets())
        data: dict[str, Any] = {
            "deployment": name,
            "lines": [self._shown(line, hidden) for line in newest],
            "count": len(newest),
            "levels": dict(Counter(line.level for line in newest)),
            "statuses": dict(Counter(str(line.row.response_status_code) for line in newest if line.row)),
            "full": len(found) < self.lines,
        }
        return Plan(reason=f"{len(newest)} lines of {name}", data=data)

    def _shown(self, line: _Line, hidden: list[str]) -> dict[str, Any]:
        text = str(wire.mask(line.text, hidden))
        text = printable(unsecret(text) if self.masked else text)[:2000]
        shown: dict[str, Any] = {"time": line.time, "level": line.level, "text": text}
        if line.row:
            shown.update(
                method=line.row.request_method,
                path=line.row.request_path,
                status=line.row.response_status_code,
                source=line.row.source,
            )
        return shown


def _line(text: str) -> _Line:
    from opslib.cloud.vercel import models

    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedError(f"vercel logs: a line is no JSON: {ascii(text)[:120]}") from None
    row = model_of(models.LogRow, value, "vercel logs")
    return _Line(row.timestamp / 1000, row.level, row.message, row)
