"""Whether a job ran when it was due. Pure."""

from __future__ import annotations

from opslib.host.logs.times import utc
from opslib.host.record import Record

from .runs import FAILED, RUNNING, SUCCEEDED, UNKNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from .runs import Run

OK, LATE, NEVER, FAILING, STUCK, MISSING, INVALID = "ok", "late", "never", "failing", "stuck", "missing", "invalid"
UNSURE = "unsure"
BAD = (LATE, NEVER, FAILING, STUCK, MISSING, INVALID)
EARLY = 1.0
AHEAD = 60.0  # seconds that clocks may differ


class Due(Record):
    """When a job was due last, and comes next; problem: why its expression cannot be read."""

    last: float | None = None
    following: float | None = None
    problem: str = ""


class Verdict(Record):
    """A job's state, a word of this module, and the words for people."""

    state: str
    words: str
    failures: int = 0


def judge(
    runs: Sequence[Run],
    due: Due,
    now: float,
    *,
    complete: bool,
    oldest: float | None,
    failures: int,
    stuck: float,
) -> Verdict:
    """Return the verdict on a job. runs: the newest first; oldest: when an incomplete history begins."""
    if due.problem:
        return Verdict(state=INVALID, words="has a cron expression that cannot be read: %s" % due.problem)
    streak = _streak(runs)
    newest = runs[0] if runs else None
    if newest is None:
        if due.last is not None and not complete and (oldest is None or oldest > due.last):
            return Verdict(
                state=UNSURE, words="has no run in the history, which does not reach back to %s" % utc(due.last)
            )
        was = ", although it was due at %s" % utc(due.last) if due.last is not None else ""
        return Verdict(state=NEVER, words="never ran" + was)
    when = newest.started if newest.started is not None else newest.finished
    if when is not None and when > now + AHEAD:
        words = "has a run of %s, which is still to come: a clock or a time zone is wrong" % utc(when)
        return Verdict(state=UNSURE, words=words, failures=streak)
    if newest.status == RUNNING and newest.started is not None and now - newest.started > stuck:
        words = "has been running since %s, longer than %g s" % (utc(newest.started), stuck)
        return Verdict(state=STUCK, words=words, failures=streak)
    if newest.status != RUNNING and due.last is not None and (when or 0.0) < due.last - EARLY:
        words = "is late: it was due at %s and ran last at %s" % (utc(due.last), utc(when) or "an unknown time")
        return Verdict(state=LATE, words=words, failures=streak)
    if streak >= failures:
        last = next(run for run in runs if run.status == FAILED)
        times = "its last run" if streak == 1 else "its last %d runs" % streak
        words = "fails: %s failed, at %s with: %s" % (times, utc(last.started), last.error or "no message")
        return Verdict(state=FAILING, words=words, failures=streak)
    if newest.status == RUNNING and newest.started is None:
        return Verdict(state=UNSURE, words="is running, it is not told since when", failures=streak)
    words = {RUNNING: "is running", SUCCEEDED: "ran well", FAILED: "failed"}.get(
        newest.status, "ran, it is not known how"
    )
    return Verdict(state=OK, words="%s at %s" % (words, utc(when)), failures=streak)


def _streak(runs: Sequence[Run]) -> int:
    """Return how many of the newest runs that ended failed in a row."""
    count = 0
    for run in runs:
        if run.status == FAILED:
            count += 1
        elif run.status not in (RUNNING, UNKNOWN):
            break
    return count


def shown(verdict: Verdict, runs: Sequence[Run], due: Due, cron: str) -> dict[str, Any]:
    """Return a job's row of data, without its name."""
    newest = runs[0].shown() if runs else None
    return {
        "state": verdict.state,
        "words": verdict.words,
        "cron": cron or None,
        "due_at": utc(due.last),
        "next_at": utc(due.following),
        "last_run": newest,
        "failures_in_a_row": verdict.failures,
    }
