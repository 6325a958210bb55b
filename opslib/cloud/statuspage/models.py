"""What a status page answers, as far as the task looks at it. Words that nobody documents are refused.

Pages of incident.io offer the same interface with fewer members, so little is required.

Imports pydantic: to be imported only where it is used.
"""

from __future__ import annotations

import enum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from opslib.host.words import printable

__all__ = ["Component", "ComponentStatus", "Components", "Incident", "Indicator", "Summary"]


def _brief(text: str) -> str:
    line = printable(" ".join(text.split()))
    return line if len(line) <= 300 else line[:297] + "..."


Shown = Annotated[str, AfterValidator(_brief)]
_WORD = Field(strict=False)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Indicator(enum.StrEnum):
    """How a page sums up."""

    NONE = "none"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"
    MAINTENANCE = "maintenance"


class ComponentStatus(enum.StrEnum):
    """How a component is."""

    OPERATIONAL = "operational"
    DEGRADED_PERFORMANCE = "degraded_performance"
    PARTIAL_OUTAGE = "partial_outage"
    MAJOR_OUTAGE = "major_outage"
    UNDER_MAINTENANCE = "under_maintenance"


class IncidentStatus(enum.StrEnum):
    """How far an incident, or a maintenance, is."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    POSTMORTEM = "postmortem"
    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    VERIFYING = "verifying"
    COMPLETED = "completed"

    @property
    def over(self) -> bool:
        """Whether it lies behind."""
        return self in (IncidentStatus.RESOLVED, IncidentStatus.POSTMORTEM, IncidentStatus.COMPLETED)


class _Page(_Model):
    name: Shown
    url: Shown = ""


class _Status(_Model):
    indicator: Indicator = _WORD
    description: Shown = ""


class Component(_Model):
    """A part of what a provider offers."""

    name: Shown
    status: ComponentStatus = _WORD
    group: bool = False


class _Affected(_Model):
    name: Shown


class _Update(_Model):
    affected_components: list[_Affected] | None = None


class Incident(_Model):
    """An incident or a maintenance."""

    name: Shown
    status: IncidentStatus = _WORD
    impact: Indicator = _WORD
    shortlink: Shown | None = None
    started_at: Annotated[AwareDatetime, _WORD] | None = None
    created_at: Annotated[AwareDatetime, _WORD] | None = None
    components: list[_Affected] | None = None
    incident_updates: list[_Update] | None = None

    @property
    def touched(self) -> set[str]:
        """The names of all components that it names anywhere."""
        named = list(self.components or [])
        for update in self.incident_updates or []:
            named += update.affected_components or []
        return {each.name for each in named}

    @property
    def since(self) -> float | None:
        """When it began, in seconds since 1970."""
        when = self.started_at or self.created_at
        return when.timestamp() if when else None


class Summary(_Model):
    """The page as a whole, with what is not over. Its list of components need not be complete."""

    page: _Page
    status: _Status
    components: list[Component] = Field(default_factory=list)
    incidents: list[Incident] = Field(default_factory=list)
    scheduled_maintenances: list[Incident] = Field(default_factory=list)


class Components(_Model):
    """All components of a page."""

    components: list[Component]
