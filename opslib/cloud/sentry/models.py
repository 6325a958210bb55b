"""What Sentry answers, as far as tasks look at it. Words that Sentry does not document are refused.

Imports pydantic: to be imported only where it is used.
"""

from __future__ import annotations

import enum
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from opslib.host.logs.patterns import unsecret
from opslib.host.words import printable

__all__ = ["Issue", "Release", "Table"]


def _brief(text: str) -> str:
    line = printable(" ".join(unsecret(text).split()))
    return line if len(line) <= 300 else line[:297] + "..."


Shown = Annotated[str, AfterValidator(_brief)]
_WORD = Field(strict=False)


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True, strict=True, extra="ignore")


class Level(enum.StrEnum):
    """How bad an issue is."""

    SAMPLE = "sample"
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    FATAL = "fatal"
    UNKNOWN = "unknown"


class IssueStatus(enum.StrEnum):
    """What became of an issue."""

    RESOLVED = "resolved"
    IGNORED = "ignored"
    PENDING_DELETION = "pending_deletion"
    PENDING_MERGE = "pending_merge"
    REPROCESSING = "reprocessing"
    UNRESOLVED = "unresolved"


class Issue(_Model):
    """A group of like errors; what its title holds of secrets is masked."""

    short_id: Shown
    title: Shown
    culprit: Shown | None = None
    permalink: Shown = ""
    level: Level = _WORD
    status: IssueStatus = _WORD
    count: Annotated[str, Field(pattern=r"^\d{1,15}$")]
    user_count: int = 0
    first_seen: Annotated[AwareDatetime, _WORD]


class Release(_Model):
    """A version of a program."""

    version: Shown
    date_created: Annotated[AwareDatetime, _WORD]


class Table(_Model):
    """Rows of what was asked for."""

    data: list[dict[str, Any]]
