"""What is known of a container service and of what happens to it, whichever platform runs it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Operation", "Phase", "Scaling", "ServiceState", "Size", "Status"]


class Status(enum.Enum):
    """How a service is."""

    RUNNING = "running"
    PAUSED = "paused"
    BUSY = "busy"
    BROKEN = "broken"
    GONE = "gone"


class Phase(enum.Enum):
    """How far an operation is."""

    UNDER_WAY = "under way"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"
    ROLLBACK_FAILED = "rollback failed"


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that happens to a service: a deployment, an update, a pause.

    key: by which its beginning is known again; word: the platform's own for its phase; began: seconds since 1970, or
    None; reason: why it failed, where the platform says.
    """

    id: str
    key: str
    kind: str
    phase: Phase
    word: str
    began: float | None = None
    reason: str = ""

    @property
    def words(self) -> str:
        """What it is and how far, for people."""
        return f"{self.kind} {self.id} is {self.word}"

    def shown(self) -> dict[str, Any]:
        """Return what results hold of it."""
        return {"id": self.id, "kind": self.kind, "status": self.word, "began": self.began}


@dataclass(frozen=True, slots=True)
class Size:
    """cpu: in units of 1/1024 vCPU; memory: in MB."""

    cpu: int
    memory: int

    def __str__(self) -> str:
        return f"{self.cpu / 1024:g} vCPU, {self.memory / 1024:g} GB"


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many instances there may be, and what makes there be more.

    least, most: None where only the configuration's name is known; concurrency: requests at once that one instance
    takes (App Runner); metric, target: what is kept at which value (ECS); name, revision, arn: of the configuration,
    which App Runner keeps apart from services.
    """

    least: int | None = None
    most: int | None = None
    concurrency: int | None = None
    metric: str | None = None
    target: int | None = None
    name: str = ""
    revision: int = 0
    arn: str = ""

    def is_like(self, other: Scaling) -> bool:
        """Whether two are the same: the same configuration where there are such, else the same settings."""
        return self.arn == other.arn if self.arn or other.arn else self == other

    def shown(self) -> dict[str, Any]:
        """Return what results hold of it."""
        found: dict[str, Any] = {
            "min_size": self.least,
            "max_size": self.most,
            "concurrency": self.concurrency,
            "name": self.name,
        }
        found.update(metric=self.metric, target=self.target, revision=self.revision or None)
        return {key: value for key, value in found.items() if value not in (None, "")}


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service as its platform describes it.

    word: the platform's own for its status; image: empty for a service that is built from code; url: its public
    address, empty when there is none; variables: its environment; secrets: names of variables with where their values
    are kept; raw: its configuration as the platform gave it.
    """

    name: str
    arn: str
    status: Status
    word: str
    image: str
    url: str
    size: Size
    scaling: Scaling
    variables: Mapping[str, str] = field(repr=False)
    secrets: Mapping[str, str]
    raw: Mapping[str, Any] = field(repr=False)

    def shown(self) -> dict[str, Any]:
        """Return what results hold of it: names of variables, and never a value."""
        return {
            "service": self.name,
            "arn": self.arn,
            "status": self.status.value,
            "status_word": self.word,
            "image": self.image,
            "url": self.url,
            "cpu_units": self.size.cpu,
            "memory_mb": self.size.memory,
            "scaling": self.scaling.shown(),
            "variables": sorted(self.variables),
            "secrets": sorted(self.secrets),
        }
