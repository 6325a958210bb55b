"""Start a scheduled job now, and follow it to its end."""

from __future__ import annotations

import time

from opslib.host.logs.times import Clock
from opslib.host.params import Duration, Name, Url
from opslib.host.plan import ACTION, Change, Plan
from opslib.host.record import Record, field
from opslib.host.schedule import page
from opslib.host.schedule import runs as job_runs
from opslib.host.schedule.runs import FAILED, RUNNING, SUCCEEDED, Known, Run
from opslib.host.task import Task, TaskError, param
from opslib.host.web.exchange import Answer, fetch
from opslib.host.words import printable

from .http_check import Headers, HttpCheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MEANINGS = {
    401: "the credentials are missing or wrong (request_headers)",
    403: "these credentials may not trigger jobs (request_headers)",
    404: "there is no such job, or the URL is wrong",
    405: "the URL takes no POST",
    409: "the job runs already",
    422: "the request is not as the service wants it",
    429: "it is asked too often",
}


class Seen(Record):
    """What the scheduler's page says before the job is started, or after it has ended."""

    now: float
    known: Known = field(factory=Known)
    run: Run | None = None
    seconds: float | None = None


class JobTrigger(Task, name="job_trigger"):
    """Start a scheduled job now by a POST to `url`, and follow it on the scheduler's page until it has ended.

    It is an act, not a state: each run starts the job anew. The run is found by the number that the answer names
    (`run_id` or `id`), else it is the job's first run begun since. It fails when the job fails, when it has not ended
    after `wait`, or when the service refuses: no such job, no valid credentials, or the job runs already. Without
    `history_url` the answer is all there is to see, and counts as the job's success.

    data: `job`, `run` (`id`, `started_at`, `finished_at`, `status`, `error`; before the act the last run known, null
    when there is none), `followed_seconds`; when the service refused: `status`, `problem`.

    Secrets among the request's headers are masked. Source: RFC 9110.
    """

    job: str = param(Name("job name", signs="_.-:"), "Job to start.", example="anthropic_collection")
    url: str = param(
        Url(),
        "URL that starts the job when it is posted to, as seen from the host.",
        example="http://127.0.0.1:8000/api/scheduler/trigger/anthropic_collection",
    )
    history_url: str | None = param(
        Url(),
        "Page whose JSON tells of runs, to follow the job on.",
        default=None,
        example="http://127.0.0.1:8000/health/scheduler",
    )
    request_headers: dict[str, str] = param(
        Headers(secret=True),
        "Headers to send with every request, such as Authorization; never shown.",
        default={},
        example={"Authorization": "Bearer {{ scheduler_token }}"},
    )
    timeout: float = param(Duration(low=0.01), "Seconds that one request may take.", default=10)
    wait: float = param(Duration(), "Seconds within which the job must end.", default="10m", example="1h")
    interval: float = param(Duration(low=0.05), "Seconds between two looks at the page.", default=1)

    _outcome: Any = None

    def check(self) -> None:
        for key in ("url", "history_url"):
            value = getattr(self, key)
            if value is not None:
                try:
                    HttpCheck(**self._request(value))
                except ValueError as error:
                    self.refuse("%s: %s" % (key, str(error).partition(": ")[2]))

    def secrets(self) -> Any:
        """Yield the secrets of the requests."""
        yield from HttpCheck(**self._request(self.url)).secrets()

    def _request(self, url: str) -> dict[str, Any]:
        return {"url": url, "request_headers": self.request_headers}

    def probe(self) -> Seen:
        if self._outcome is not None:
            return Seen(now=time.time(), run=self._outcome["run"], seconds=self._outcome["seconds"])
        known = self._look() if self.history_url else Known()
        return Seen(now=time.time(), known=known, run=next(iter(known.of(self.job)), None))

    def plan(self, state: Seen) -> Plan:
        data: dict[str, Any] = {"job": self.job, "run": state.run.shown() if state.run else None}
        if state.seconds is not None:
            data["followed_seconds"] = state.seconds
        known = state.known
        if known.lists_jobs and self.job not in [job.name for job in known.jobs]:
            there = ", ".join(sorted(printable(job.name) for job in known.jobs)[:10]) or "none"
            return Plan(failure="the scheduler has no job %s; it has %s" % (self.job, there), data=data)
        if known.running is False:
            return Plan(failure="the scheduler does not run, so it cannot start %s" % self.job, data=data)
        return Plan(changes=[Change(kind=ACTION, summary="trigger job %s" % self.job)], data=data)

    def apply(self, change: Change) -> None:
        before = [run.id or run.started for run in self._look().of(self.job)] if self.history_url else []
        began = time.monotonic()
        answer = fetch(self.url, method="POST", headers=self.request_headers, timeout=self.timeout, max_size=1 << 20)
        if answer.problem or not 200 <= answer.status < 300:
            raise self._refused(answer)
        number = _number(answer.body)
        object.__setattr__(
            self, "_outcome", {"before": before, "number": number, "began": began, "run": None, "seconds": None}
        )

    def _refused(self, answer: Answer) -> TaskError:
        if answer.problem:
            words = HttpCheck(**self._request(self.url)).fault(answer)[1]
            return TaskError("job %s was not triggered: %s: %s" % (self.job, self.url, words), problem=answer.problem)
        why = _MEANINGS.get(answer.status) or "it said %s" % printable(answer.body[:200].decode("utf-8", "replace"))
        words = "job %s was not triggered: %s answered %d: %s" % (self.job, self.url, answer.status, why)
        return TaskError(words, status=answer.status, problem="status")

    def verify(self, plan: Plan) -> None:
        outcome = self._outcome
        if not self.history_url:
            outcome["seconds"] = round(time.monotonic() - outcome["began"], 3)
            return
        ends = outcome["began"] + self.wait
        trouble, run = "", None
        while True:
            try:
                run = self._mine(self._look())
                trouble = ""
            except TaskError as error:
                trouble = str(error)
            outcome["run"] = run or outcome["run"]
            if (run is not None and run.status != RUNNING and run.finished) or time.monotonic() >= ends:
                break
            if run is not None and run.status in (SUCCEEDED, FAILED):
                break
            time.sleep(self.interval)
        outcome["seconds"] = round(time.monotonic() - outcome["began"], 3)
        run = outcome["run"]
        shown: dict[str, Any] = {"run": run.shown() if run else None, "followed_seconds": outcome["seconds"]}
        if run is not None and run.status == FAILED:
            raise TaskError("job %s failed: %s" % (self.job, run.error or "it did not say why"), **shown)
        if run is None or run.status == RUNNING or (run.status != SUCCEEDED and not run.finished):
            what = "was triggered, but no run of it shows" if run is None else "is still running"
            tail = "; and at last %s" % trouble if trouble else ""
            raise TaskError("job %s %s after %g s%s" % (self.job, what, self.wait, tail), **shown)

    def _look(self) -> Known:
        _status, document = page.read(str(self.history_url), self.request_headers, self.timeout)
        return job_runs.from_document(document, Clock(time.time(), 0))

    def _mine(self, known: Known) -> Run | None:
        """Return the run that was triggered: the one with its number, or the oldest that was not there before."""
        runs = known.of(self.job)
        number = self._outcome["number"]
        if number and any(run.id for run in runs):
            return next((run for run in runs if run.id == number), None)
        fresh = [run for run in runs if (run.id or run.started) not in self._outcome["before"]]
        return fresh[-1] if fresh else None


def _number(body: bytes) -> str:
    """Return the number of the run that an answer names, or an empty text."""
    import json

    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    for key in ("run_id", "id"):
        value = found.get(key) if isinstance(found, dict) else None
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            return str(value)[:100]
    return ""
