"""A public page that must be right after something was done behind it; looked at from the controller."""

from __future__ import annotations

from typing import Any

from opslib.cloud.patience import Patience
from opslib.host.task import TaskError
from opslib.host.tasks.http_check import HttpCheck

__all__ = ["expect", "visit"]

_ATTEMPT = 10.0


def visit(url: str, *, contains: str | None, patience: Patience, poll: float, wait: float) -> dict[str, Any]:
    """Look until the page answers 200 (and holds a text), or time is up; return what `http_check` tells of it.

    wait: seconds to go on looking; `problem` and `words` stand in what is returned when it is not right.
    """
    ends = max(0.01, patience.cap(wait))
    wanted: dict[str, Any] = {"url": url, "contains": contains, "redirects": 5, "wait": ends}
    check = HttpCheck(**wanted, timeout=min(_ATTEMPT, ends), interval=max(0.05, min(poll, ends)))
    asked = check.probe()
    plan = check.plan(asked)
    return {**plan.data, "words": plan.failure or plan.reason}


def expect(url: str, *, contains: str | None, patience: Patience, poll: float, wait: float, after: str) -> None:
    """Look until the page is right. Raises TaskError that says what is wrong with it, and after what.

    after: what was done, in words: "after the deployment".
    """
    seen = visit(url, contains=contains, patience=patience, poll=poll, wait=wait)
    if "problem" in seen:
        raise TaskError(f"{seen['words']} {after}", page=seen)
