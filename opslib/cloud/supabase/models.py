"""What Supabase's management API answers, as far as tasks look at it. Words that it does not document are refused.

Imports pydantic: to be imported only where it is used.
"""

from __future__ import annotations

import enum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from opslib.host.words import printable

__all__ = ["Backup", "BackupStatus", "Backups", "Health", "HealthStatus", "Project", "ProjectStatus"]


def _brief(text: str) -> str:
    line = printable(" ".join(text.split()))
    return line if len(line) <= 500 else line[:497] + "..."


Shown = Annotated[str, AfterValidator(_brief)]
_WORD = Field(strict=False)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class ProjectStatus(enum.StrEnum):
    """The states of a project."""

    ACTIVE_HEALTHY = "ACTIVE_HEALTHY"
    ACTIVE_UNHEALTHY = "ACTIVE_UNHEALTHY"
    COMING_UP = "COMING_UP"
    GOING_DOWN = "GOING_DOWN"
    INACTIVE = "INACTIVE"
    INIT_FAILED = "INIT_FAILED"
    PAUSE_FAILED = "PAUSE_FAILED"
    PAUSING = "PAUSING"
    REMOVED = "REMOVED"
    RESIZING = "RESIZING"
    RESTARTING = "RESTARTING"
    RESTORE_FAILED = "RESTORE_FAILED"
    RESTORING = "RESTORING"
    UNKNOWN = "UNKNOWN"
    UPGRADING = "UPGRADING"


class HealthStatus(enum.StrEnum):
    """The states of one of a project's services."""

    ACTIVE_HEALTHY = "ACTIVE_HEALTHY"
    COMING_UP = "COMING_UP"
    UNHEALTHY = "UNHEALTHY"


class BackupStatus(enum.StrEnum):
    """The states of a backup."""

    ARCHIVED = "ARCHIVED"
    CANCELLED = "CANCELLED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    PENDING = "PENDING"
    REMOVED = "REMOVED"


class _Database(_Model):
    host: Shown
    version: Shown


class Project(_Model):
    """A project."""

    ref: str
    name: Shown
    region: Shown
    status: ProjectStatus = _WORD
    database: _Database


class Health(_Model):
    """How one of a project's services is."""

    name: Shown
    status: HealthStatus = _WORD
    error: Shown | None = None


class Backup(_Model):
    """A backup that Supabase made."""

    id: int
    inserted_at: Annotated[AwareDatetime, Field(strict=False)]
    status: BackupStatus = _WORD
    is_physical_backup: bool


class _Physical(_Model):
    earliest_physical_backup_date_unix: int | None = None
    latest_physical_backup_date_unix: int | None = None


class Backups(_Model):
    """All backups of a project, and how far a restore to any moment reaches."""

    region: Shown
    pitr_enabled: bool
    walg_enabled: bool
    backups: list[Backup]
    physical_backup_data: _Physical
