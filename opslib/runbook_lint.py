"""What is wrong with a runbook as a document: its review is overdue, or it has gaps where facts should stand."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Fault", "lint"]

_REVIEW = re.compile(r"next\s+review\W{0,10}:\W{0,10}(.*?)[\s*_|]*$", re.IGNORECASE)
_DATES = ("%Y-%m-%d", "%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d %b %Y")
_GAPS = (
    re.compile(r"\b(?:TBD|TODO|FIXME|XXX+)\b"),
    re.compile(
        r"\[(?:[a-z]+(?:-[a-z]+)+|(?:your|latest|name|phone|e-?mail|insert|support)\b[\w -]*)\](?!\()", re.IGNORECASE
    ),
    re.compile(r"<[a-z]+(?:[-_ ][a-z]+)+>|\b[a-z]+-here\b|\{\.\.\.[^}]*\}", re.IGNORECASE),
    re.compile(r"(?<!\[)\byour-(?:\w+(?:\.[\w-]+)+|api|app|project|team|frontend|backend)\b"),
    re.compile(r"(?<![\w/])(?:/path/to/|/Users/\w+/)"),
    re.compile(r"[\w.+-]+@example\.(?:com|org|net)\b|\+?1[-. ](?:555|XXX)[-. ]\w{3,4}"),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault. line: from 1; 0 for the document as a whole."""

    line: int
    words: str


def lint(text: str, today: dt.date) -> Iterator[Fault]:
    """Yield what is wrong with a runbook in Markdown: a review that is overdue or not planned, and placeholders."""
    planned = False
    for number, row in enumerate(text.splitlines(), start=1):
        if found := _REVIEW.search(row):
            planned = True
            words = _overdue(found[1].strip(), today)
            if words:
                yield Fault(number, words)
        gaps = dict.fromkeys(found[0] for pattern in _GAPS for found in pattern.finditer(row))
        if gaps:
            yield Fault(number, f"is a placeholder: {', '.join(gaps)}")
    if not planned:
        yield Fault(0, "no next review is planned: a line such as 'Next Review: 2027-01-31' is missing")


def _overdue(text: str, today: dt.date) -> str:
    for form in _DATES:
        try:
            due = dt.datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
        late = (today - due).days
        return f"the review was due on {due}, {late} day{'' if late == 1 else 's'} ago" if late > 0 else ""
    return f"the date of the next review cannot be read: {text or 'it is empty'}"
