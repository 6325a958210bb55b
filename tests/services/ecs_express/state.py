"""What the fake of ECS Express Mode remembers: services, their revisions, and the deployments of these."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from services.aws_json import ACCOUNT

ENDED = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")
CONFIG = (
    "executionRoleArn",
    "healthCheckPath",
    "primaryContainer",
    "taskRoleArn",
    "networkConfiguration",
    "cpu",
    "memory",
    "cpuArchitecture",
    "scalingTarget",
    "taskDefinitionArn",
)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ecs"
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html: MiB for CPU units
MEMORY = {
    "256": ("512", "1024", "2048"),
    "512": tuple(str(each) for each in range(1024, 4097, 1024)),
    "1024": tuple(str(each) for each in range(2048, 8193, 1024)),
    "2048": tuple(str(each) for each in range(4096, 16385, 1024)),
    "4096": tuple(str(each) for each in range(8192, 30721, 1024)),
    "8192": tuple(str(each) for each in range(16384, 61441, 4096)),
    "16384": tuple(str(each) for each in range(32768, 122881, 8192)),
}


@dataclass
class Revision:
    """A configuration that never changes."""

    arn: str
    config: dict[str, Any]
    created: float = field(default_factory=time.time)

    @property
    def image(self) -> str:
        return str(self.config["primaryContainer"]["image"])


@dataclass
class Deployment:
    """The way to a revision: the states it goes through, the last of them being the end."""

    arn: str
    source: Revision | None
    target: Revision
    states: list[str]
    reason: str = ""
    created: float = field(default_factory=time.time)
    ended: float | None = None
    looks: int = 0

    @property
    def status(self) -> str:
        return self.states[0]

    @property
    def over(self) -> bool:
        return self.status in ENDED


@dataclass
class Service:
    """A service with its revisions and deployments, the newest first."""

    name: str
    cluster: str
    arn: str
    active: Revision | None = None
    status: str = "ACTIVE"
    tags: dict[str, str] = field(default_factory=dict)
    revisions: list[Revision] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    created: float = field(default_factory=time.time)
    endpoint: str = ""
    late: list[Revision | None] = field(default_factory=list)  # what descriptions show for a while after its end
    unseen: int = 0  # so many more listings do not have the newest deployment

    @property
    def at_work(self) -> Deployment | None:
        return self.deployments[0] if self.deployments and not self.deployments[0].over else None

    @property
    def running(self) -> Revision:
        """The revision that serves, or that is the first to be deployed."""
        return self.active or self.deployments[-1].target
