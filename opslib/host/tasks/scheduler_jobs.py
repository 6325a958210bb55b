"""Judge whether scheduled jobs run as they should."""

from __future__ import annotations

import os
import time

from opslib.host.logs.times import ZONES, Clock, Zone, fixed, utc
from opslib.host.logs.zones import ZoneName
from opslib.host.params import Choice, Duration, Mapping, Number, ParamError, Text, Url, shown
from opslib.host.plan import Plan
from opslib.host.postgres.series import TableName
from opslib.host.postgres.settings import PostgresTask
from opslib.host.record import Record, field
from opslib.host.schedule import cron, judge, page, triggers
from opslib.host.schedule import runs as job_runs
from opslib.host.schedule import table as job_table
from opslib.host.schedule.judge import Due
from opslib.host.schedule.runs import Known
from opslib.host.task import TaskError, param
from opslib.host.words import count, listed, printable

from .http_check import Headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from opslib.host.postgres.session import Session

AGREES = 60


class Columns(Mapping):
    """Which columns of a table hold what. Canonical: complete."""

    def __init__(self) -> None:
        super().__init__(Text("column name", empty=True))
        self.label = "mapping of %s to names of columns" % ", ".join(job_table.COLUMNS)

    def __call__(self, value: Any) -> dict[str, Any]:
        found = super().__call__(value)
        unknown = [key for key in found if key not in job_table.COLUMNS]
        if unknown:
            raise ParamError("%s is none of %s" % (shown(unknown[0]), ", ".join(job_table.COLUMNS)))
        for key in ("job", "started"):
            if found.get(key, "x") == "":
                raise ParamError("%s: there must be such a column" % key)
        return dict(job_table.COLUMNS, **found)


class Seen(Record):
    """What is known of the jobs, the expressions that count, and when each was due and comes next."""

    now: float
    known: Known = field(factory=Known)
    status: int = 0
    crons: dict[str, str] = field(factory=dict)
    dues: dict[str, Due] = field(factory=dict)
    zone: str = "UTC"


class SchedulerJobs(PostgresTask, name="scheduler_jobs"):
    """Read what scheduled jobs did, and fail when one is late, failing, stuck, never ran, or is not there at all.

    What is known comes from a health page (`url`), whose JSON has `job_history` (and perhaps `jobs`, `running` and
    `timezone`), from a table with a row per run (`table`), or from both; of runs the table's count, for a page often
    shows the latest only. The usual names for a run's members are understood. With neither it is a check of the cron
    expressions in `jobs` and tells when they come next.

    When a job was due follows from its cron expression: that in `jobs`, else the one that the page tells. A job without
    one is judged by its last runs alone. A job is `late` when it has not started since it was last due, more than
    `grace` ago; `failing` when its last `failures` runs failed; `stuck` when it has run for longer than `stuck`;
    `never` when no run is known; `missing` when the scheduler does not list it; `invalid` when its expression cannot be
    read; `unsure` (a warning) when the page's history does not reach back far enough, or its newest run has a time that
    is still to come, or runs and it is not told since when. Expressions have five fields, or
    are @daily and the like; what APScheduler says of its triggers (`cron[minute='5']`, `interval[0:15:00]`) is read as
    well. A scheduler that says it does not run is a failure, and there is a warning when it means to
    run a job at another time than the expression says.

    data: `jobs` by name (`state`, `words`, `cron`, `due_at`, `next_at`, `last_run`: `id`, `started_at`, `finished_at`,
    `status`, `error`; `failures_in_a_row`), `timezone`, `running` (null when it is not told), `status` (of the page's
    answer), `run_count`, `checked_at`; times in UTC. On a page that cannot be read: `problem`, as http_check's.

    Secrets of the page's request and of the database are masked. Sources: crontab(5), APScheduler's CronTrigger.
    """

    url: str | None = param(
        Url(),
        "Page whose JSON tells of jobs and runs, as seen from the host.",
        default=None,
        example="http://127.0.0.1:8000/health/scheduler",
    )
    request_headers: dict[str, str] = param(
        Headers(secret=True), "Headers to send, such as Authorization; never shown.", default={}
    )
    timeout: float = param(Duration(low=0.01), "Seconds that the page may take.", default=10)
    table: str | None = param(
        TableName(), "Table of the database with a row per run.", default=None, example="job_runs"
    )
    columns: dict[str, str] = param(
        Columns(),
        "Columns of the table for id, job, started, finished, status and error; empty where there is none.",
        default=job_table.COLUMNS,
        example={"job": "job_name", "error": ""},
    )
    jobs: dict[str, str] = param(
        Mapping(Text("cron expression", empty=True)),
        "Jobs that must be there, with their cron expressions (empty: as the page tells).",
        default={},
        example={"anthropic_collection": "*/15 * * * *", "aggregate_refresh": "30 2 * * *"},
    )
    dialect: str = param(
        Choice(*cron.DIALECTS),
        "How to read expressions: cron counts weekdays from Sunday, apscheduler (from_crontab) from Monday.",
        default="cron",
    )
    timezone: str | None = param(
        ZoneName(), "Zone of the expressions; by default what the page says, or else UTC.", default=None
    )
    naive_timezone: str = param(
        ZoneName(), "Zone of times of runs that name none, on the page and in the table.", default="UTC"
    )
    grace: float = param(Duration(), "Seconds that a job may be late.", default="5m")
    failures: int = param(Number(1, 20, whole=True), "Failed runs in a row that make a job a failing one.", default=1)
    stuck: float = param(Duration(1), "Seconds that a run may take.", default="1h")

    def check(self) -> None:
        if self.table is not None:
            super().check()
        elif self.env_file is not None or self.user or self.system_user or self.password is not None:
            self.refuse("the connection to a database is for its table of runs; give table")
        if self.url is None and self.table is None and not self.jobs:
            self.refuse("say what to look at: give url, table or jobs")
        for name, text in self.jobs.items():
            if text:
                try:
                    cron.parse(text, self.dialect)
                except ParamError as error:
                    self.refuse("jobs: %s: %s" % (printable(name), error))

    def probe(self) -> Seen:
        now = time.time()
        clock = Clock(now, fixed(self.naive_timezone))
        known, status = Known(complete=True), 0
        self._must_know(self.naive_timezone)
        if self.url is not None:
            status, document = page.read(self.url, self.request_headers, self.timeout)
            with Zone(self.naive_timezone):
                known = job_runs.from_document(document, clock)
        if self.table is not None:
            settings = self.settings()
            with self.connect(settings) as session:
                known = job_table.joined(known, self._rows(session, clock))
        zone = self.timezone or self._told(known) or "UTC"
        crons = {job.name: job.cron for job in known.jobs}
        crons.update({name: text or crons.get(name, "") for name, text in self.jobs.items()})
        for run in known.runs:
            if not known.lists_jobs and not self.jobs:
                crons.setdefault(run.job, "")
        self._must_know(zone)
        with Zone(zone):
            wall = cron.Wall(zone)
            dues = {name: self._due(text, known.of(name), now, wall) for name, text in crons.items()}
        return Seen(now=now, known=known, status=status, crons=crons, dues=dues, zone=zone)

    def _rows(self, session: Session, clock: Clock) -> Known:
        with Zone(self.naive_timezone):
            return job_table.look(session, str(self.table), self.columns, clock, self.naive_timezone)

    def _must_know(self, zone: str) -> None:
        if fixed(zone) is None and not os.path.isfile(ZONES + zone):
            raise TaskError("this host does not know the time zone %s (is tzdata installed?)" % printable(zone))

    def _told(self, known: Known) -> str:
        try:
            return ZoneName()(known.timezone) if known.timezone else ""
        except ParamError:
            return ""

    def _due(self, text: str, runs: list[job_runs.Run], now: float, wall: cron.Wall) -> Due:
        every = triggers.every(text)
        if every is not None:
            began = next((run.started for run in runs if run.started is not None), None)
            if began is None:
                return Due()
            missed = began + every <= now - self.grace
            return Due(last=began + every if missed else began, following=None if missed else began + every)
        fields = triggers.crontab(text)
        if not text or (triggers.is_trigger(text) and fields is None):
            return Due()
        try:
            found = cron.parse(fields or text, "apscheduler" if fields else self.dialect)
        except ParamError as error:
            return Due(problem=str(error))
        return Due(last=cron.preceding(found, now - self.grace, wall), following=cron.following(found, now, wall))

    def plan(self, state: Seen) -> Plan:
        known = state.known
        rows, bad, warnings = {}, [], []
        asked = self.url is not None or self.table is not None
        for name in sorted(state.crons):
            runs, due = known.of(name), state.dues[name]
            verdict = (
                self._verdict(name, runs, due, state) if asked else judge.Verdict(state=judge.OK, words="is valid")
            )
            rows[printable(name)] = judge.shown(verdict, runs, due, state.crons[name])
            if verdict.state in judge.BAD:
                bad.append("%s %s" % (printable(name), verdict.words))
            elif verdict.state == judge.UNSURE:
                warnings.append("%s %s" % (printable(name), verdict.words))
        warnings += [self._differs(job, state) for job in known.jobs if self._differs(job, state)]
        if known.zoneless and self.naive_timezone == "UTC" and state.zone != "UTC":
            warnings.append("times of runs name no zone and were read as UTC; naive_timezone says otherwise")
        data = {
            "jobs": rows,
            "timezone": state.zone,
            "running": known.running,
            "status": state.status or None,
            "run_count": len(known.runs),
            "checked_at": utc(state.now),
        }
        if known.running is False:
            bad.insert(0, "the scheduler does not run")
        if not rows and asked:
            where = self.url or "table %s" % self.table
            bad.append("nothing is known of any job: %s tells of none" % printable(where))
        if bad:
            return Plan(failure=listed(bad, 10), warnings=warnings, data=data)
        soonest = min([(due.following, name) for name, due in state.dues.items() if due.following] or [(0.0, "")])
        then = "; %s comes next, at %s" % (printable(soonest[1]), utc(soonest[0])) if soonest[1] else ""
        words = "%s as they should" if asked and len(rows) != 1 else "%s as it should" if asked else "%s"
        told = (
            words % (count(len(rows), "job") + (" runs" if len(rows) == 1 else " run"))
            if asked
            else ("%s can be read" % count(len(rows), "cron expression"))
        )
        return Plan(reason=told + then, warnings=warnings, data=data)

    def _verdict(self, name: str, runs: list[job_runs.Run], due: Due, state: Seen) -> judge.Verdict:
        known = state.known
        if known.lists_jobs and name not in [job.name for job in known.jobs]:
            return judge.Verdict(state=judge.MISSING, words="is not among the scheduler's jobs")
        return judge.judge(
            runs,
            due,
            state.now,
            complete=known.complete,
            oldest=known.oldest,
            failures=self.failures,
            stuck=self.stuck,
        )

    def _differs(self, job: job_runs.Listed, state: Seen) -> str:
        due = state.dues.get(job.name, Due())
        if job.following is None or due.following is None or abs(job.following - due.following) <= AGREES:
            return ""
        return "%s: the scheduler means to run it at %s, but %s comes at %s (%s, dialect %s)" % (
            printable(job.name),
            utc(job.following),
            printable(state.crons[job.name]),
            utc(due.following),
            state.zone,
            self.dialect,
        )
