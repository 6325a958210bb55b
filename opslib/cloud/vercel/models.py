"""What Vercel answers, as far as tasks look at it. Words that Vercel does not document are refused.

Imports pydantic: to be imported only where it is used.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from opslib.cloud.vercel.states import JobStatus, JobType, State, Substate, VariableType
from opslib.host.words import printable

__all__ = [
    "Created",
    "Deployment",
    "Deployments",
    "Event",
    "Job",
    "LogRow",
    "Project",
    "SourceFiles",
    "Variable",
    "Variables",
]


def _brief(text: str) -> str:
    line = printable(" ".join(text.split()))
    return line if len(line) <= 500 else line[:497] + "..."


Shown = Annotated[str, AfterValidator(_brief)]
Milliseconds = Annotated[int, Field(ge=0, le=10**14)]
_WORD = Field(strict=False)


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True, strict=True, extra="ignore", populate_by_name=True)


class _Person(_Model):
    username: Shown | None = None


class Deployment(_Model):
    """A deployment, as listings (`uid`, `created`) or as a look at it alone (`id`, `createdAt`) show it."""

    id: str = Field(default="", max_length=100)
    uid: str = Field(default="", max_length=100)
    url: Shown | None = None
    created_at: Milliseconds
    ready_state: State = _WORD
    ready_substate: Substate | None = Field(default=None, strict=False)
    target: Shown | None = None
    project_id: str | None = None
    is_rollback_candidate: bool | None = None
    alias_assigned: bool | int | None = None
    error_message: Shown | None = None
    inspector_url: Shown | None = None
    creator: _Person | None = None
    meta: dict[str, str] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its id."""
        return self.id or self.uid

    @property
    def production(self) -> bool:
        """Whether it was built for production."""
        return self.target == "production"


class _Pagination(_Model):
    next: Milliseconds | None


class Deployments(_Model):
    """A page of deployments."""

    deployments: list[Deployment]
    pagination: _Pagination


class Job(_Model):
    """The last request to move the production aliases."""

    from_deployment_id: str | None
    to_deployment_id: str
    job_status: JobStatus = _WORD
    requested_at: Milliseconds
    type: JobType = _WORD

    @property
    def under_way(self) -> bool:
        """Whether it is not over."""
        return self.job_status in (JobStatus.PENDING, JobStatus.IN_PROGRESS)


class _Target(_Model):
    id: str
    url: Shown
    created_at: Milliseconds
    ready_state: State = _WORD
    alias: list[Shown] = Field(default_factory=list)
    meta: dict[str, str] = Field(default_factory=dict)


class _Targets(_Model):
    production: _Target | None = None


class Project(_Model):
    """A project, with the deployment in production and the last alias job."""

    id: str
    name: Shown
    account_id: str
    auto_assign_custom_domains: bool = True
    last_alias_request: Job | None = None
    targets: _Targets = Field(default_factory=_Targets)

    @property
    def production(self) -> str | None:
        """The id of the deployment in production."""
        return self.targets.production.id if self.targets.production else None

    @property
    def rolled_back(self) -> bool:
        """Whether the last thing that happened to the aliases is a rollback that still holds."""
        job = self.last_alias_request
        return (
            job is not None
            and job.type is JobType.ROLLBACK
            and job.job_status is JobStatus.SUCCEEDED
            and job.to_deployment_id == self.production
        )


class Variable(_Model):
    """An environment variable. `value` is what the API cares to show: for most types not the value itself.

    id: empty where the API tells none; such a one can be neither read nor changed.
    """

    id: str = ""
    key: Shown
    type: VariableType = _WORD
    target: list[str] | str = Field(default_factory=list)
    value: str = Field(default="", repr=False)
    git_branch: Shown | None = None
    created_at: Milliseconds | None = None
    updated_at: Milliseconds | None = None

    @property
    def targets(self) -> list[str]:
        """The environments it is in."""
        return [self.target] if isinstance(self.target, str) else list(self.target)

    @property
    def readable(self) -> bool:
        """Whether the API tells its value."""
        return bool(self.id) and self.type in (VariableType.ENCRYPTED, VariableType.PLAIN)


class Variables(_Model):
    """The environment variables of a project."""

    envs: list[Variable]
    pagination: _Pagination | None = None


class Created(_Model):
    """The answer to a new variable: what could not be made stands in `failed`."""

    failed: list[dict[str, object]]


class Event(_Model):
    """A line of a build log."""

    type: str = Field(max_length=100)
    created: Milliseconds = 0
    text: str | None = None


class LogRow(_Model):
    """A request to the site with what its functions logged, as `vercel logs --json` prints it."""

    id: Shown
    timestamp: Milliseconds
    level: Shown
    message: str
    deployment_id: Shown = ""
    source: Shown = ""
    domain: Shown = ""
    request_method: Shown = ""
    request_path: Shown = ""
    response_status_code: int = 0
    environment: Shown = ""


class _File(_Model):
    path: str
    mode: int
    sha: str
    size: int


class SourceFiles(_Model):
    """What `vercel deploy --dry --json` would send."""

    files: list[_File]
    file_count: int
    total_size: int
