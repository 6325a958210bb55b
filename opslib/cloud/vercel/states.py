"""The words by which Vercel tells how things are."""

from __future__ import annotations

import enum

__all__ = ["JobStatus", "JobType", "State", "Substate", "VariableType"]


class State(enum.StrEnum):
    """The states of a deployment."""

    QUEUED = "QUEUED"
    INITIALIZING = "INITIALIZING"
    BUILDING = "BUILDING"
    READY = "READY"
    ERROR = "ERROR"
    CANCELED = "CANCELED"
    BLOCKED = "BLOCKED"
    DELETED = "DELETED"

    @property
    def under_way(self) -> bool:
        """Whether another state will follow by itself."""
        return self in (State.QUEUED, State.INITIALIZING, State.BUILDING)


class Substate(enum.StrEnum):
    """What became of a deployment that is ready."""

    STAGED = "STAGED"
    ROLLING = "ROLLING"
    PROMOTED = "PROMOTED"


class JobStatus(enum.StrEnum):
    """How far an alias job is."""

    PENDING = "pending"
    IN_PROGRESS = "in-progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


class JobType(enum.StrEnum):
    """What an alias job does."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"


class VariableType(enum.StrEnum):
    """How an environment variable is kept."""

    ENCRYPTED = "encrypted"
    PLAIN = "plain"
    SENSITIVE = "sensitive"
    SECRET = "secret"  # noqa: S105 - a word of the API
    SYSTEM = "system"
