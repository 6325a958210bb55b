"""What is known of jobs and their runs, and how a health page's JSON tells it.

Names differ from program to program, so the usual ones are understood.
"""

from __future__ import annotations

import re

from opslib.host import wire
from opslib.host.logs.patterns import unsecret
from opslib.host.logs.times import Clock, epoch
from opslib.host.record import Record
from opslib.host.words import printable

from . import triggers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

MOST_RUNS = 2000
MOST_JOBS = 500
LONGEST = 300
RUNNING, SUCCEEDED, FAILED, UNKNOWN = "running", "succeeded", "failed", "unknown"
_JOB = ("job", "job_id", "job_name", "name", "task")
_ID = ("id", "run_id", "execution_id")
_STARTED = ("started_at", "started", "start_time", "start", "run_at", "executed_at", "scheduled_run_time", "timestamp")
_FINISHED = ("finished_at", "finished", "end_time", "ended_at", "completed_at", "end")
_STATUS = ("status", "state", "outcome", "result")
_ERROR = ("error", "exception", "message", "detail")
_HISTORY = ("job_history", "history", "runs", "executions")
_JOBS = ("jobs", "scheduled_jobs")
_CRON = ("cron", "schedule", "expression", "trigger")
_NEXT = ("next_run", "next_run_time", "next_run_at")
_WORDS = {
    RUNNING: ("running", "started", "in_progress", "in progress", "active"),
    SUCCEEDED: ("succeeded", "success", "successful", "ok", "completed", "complete", "done", "finished", "executed"),
    FAILED: (
        "failed",
        "failure",
        "error",
        "errored",
        "crashed",
        "missed",
        "timeout",
        "timed_out",
        "aborted",
        "cancelled",
    ),
}
_ZONELESS = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,]\d+)?$")
_MEANINGS = {word: meaning for meaning, words in _WORDS.items() for word in words}


class Run(Record):
    """One run of a job; times in seconds since 1970."""

    job: str
    id: str = ""
    started: float | None = None
    finished: float | None = None
    status: str = UNKNOWN
    error: str = ""

    def shown(self) -> dict[str, Any]:
        """Return the run as data."""
        from opslib.host.logs.times import utc

        return {
            "id": self.id or None,
            "started_at": utc(self.started),
            "finished_at": utc(self.finished),
            "status": self.status,
            "error": self.error or None,
        }


class Listed(Record):
    """A job that the scheduler has."""

    name: str
    cron: str = ""
    following: float | None = None


class Known(Record):
    """All that is known. runs: the newest first; complete: nothing but older runs of the same job is left out.

    zoneless: there are times that name no zone.
    """

    jobs: Sequence[Listed] = ()
    runs: Sequence[Run] = ()
    complete: bool = False
    running: bool | None = None
    timezone: str = ""
    lists_jobs: bool = False
    zoneless: bool = False

    def of(self, job: str) -> list[Run]:
        """Return the runs of a job, the newest first."""
        return [run for run in self.runs if run.job == job]

    @property
    def oldest(self) -> float | None:
        """When the history begins."""
        return min([run.started for run in self.runs if run.started is not None] or [0.0]) or None


def from_document(document: Any, clock: Clock) -> Known:
    """Return what a health page's JSON says. clock: its zone is that of times that name none."""
    if not isinstance(document, dict):
        return Known()
    runs = []
    for row in _list(document, _HISTORY)[:MOST_RUNS]:
        if isinstance(row, dict):
            run = run_of(row, clock)
            if run.job:
                runs.append(run)
    jobs, named = [], False
    found = _first(document, _JOBS)
    if isinstance(found, dict):
        found = [dict(value, id=key) if isinstance(value, dict) else {"id": key} for key, value in found.items()]
    if isinstance(found, list):
        named = True
        for item in found[:MOST_JOBS]:
            row = {"id": item} if isinstance(item, str) else item
            name = _text(_first(row, ("id", *_JOB))) if isinstance(row, dict) else ""
            if name:
                jobs.append(Listed(name=name, cron=_cron(row), following=_time(_first(row, _NEXT), clock)))
    times = [_first(row, names) for row in _list(document, _HISTORY)[:MOST_RUNS] for names in (_STARTED, _FINISHED)]
    running = document.get("running", document.get("scheduler_running"))
    zone = document.get("timezone")
    return Known(
        jobs=tuple(jobs),
        runs=newest_first(runs),
        running=running if isinstance(running, bool) else None,
        timezone=zone if isinstance(zone, str) else "",
        lists_jobs=named,
        zoneless=any(isinstance(value, str) and _ZONELESS.match(value.strip()) for value in times),
    )


def run_of(row: dict[str, Any], clock: Clock) -> Run:
    """Return the run that an object tells of; its job is empty where it tells of none."""
    started, finished = _time(_first(row, _STARTED), clock), _time(_first(row, _FINISHED), clock)
    word = _first(row, _STATUS)
    # Python writes an enumeration's member as `JobStatus.FAILED`.
    status = _MEANINGS.get(word.strip().lower().rpartition(".")[2], UNKNOWN) if isinstance(word, str) else UNKNOWN
    if status == UNKNOWN and isinstance(row.get("success"), bool):
        status = SUCCEEDED if row["success"] else FAILED
    error = _first(row, _ERROR) if status in (FAILED, UNKNOWN) else None
    number = _first(row, _ID)
    return Run(
        job=_text(_first(row, _JOB)),
        id=_text(number if isinstance(number, (str, int)) and not isinstance(number, bool) else ""),
        started=started,
        finished=finished,
        status=status,
        error=_words(error),
    )


def _words(error: Any) -> str:
    """Return what went wrong on one line, whether it is a text or a structure."""
    if not error:
        return ""
    text = error if isinstance(error, str) else wire.dumps(error)
    return printable(" ".join(unsecret(text[: 4 * LONGEST]).split()))[:LONGEST]


def newest_first(runs: list[Run]) -> tuple[Run, ...]:
    """Return runs in order, the newest first."""
    return tuple(sorted(runs, key=_age))


def _age(run: Run) -> tuple[float, int]:
    return -(run.started or run.finished or 0.0), -int(run.id) if run.id.isdigit() and len(run.id) < 19 else 0


def _first(row: Any, names: Sequence[str]) -> Any:
    for name in names:
        if isinstance(row, dict) and row.get(name) is not None:
            return row[name]
    return None


def _list(row: dict[str, Any], names: Sequence[str]) -> list[Any]:
    found = _first(row, names)
    return found if isinstance(found, list) else []


def _text(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1e18:
        value = str(value)
    return printable(value)[:LONGEST] if isinstance(value, str) else ""


def _cron(row: dict[str, Any]) -> str:
    found = _first(row, _CRON)
    if not isinstance(found, str) or len(found) >= LONGEST:
        return ""
    one = found.startswith("@") and len(found.split()) == 1
    return found if one or len(found.split()) == 5 or triggers.is_trigger(found) else ""


def _time(value: Any, clock: Clock) -> float | None:
    if isinstance(value, str) and len(value) < 100:
        return clock.of_text(value.strip().encode("utf-8", "replace"))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return epoch(value)
    return None
