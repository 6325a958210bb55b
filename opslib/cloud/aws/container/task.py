"""The base of tasks on container services: which service, on which platform."""

from __future__ import annotations

import functools
from typing import Any

from opslib.cloud.aws.task import AwsTask
from opslib.cloud.task import param
from opslib.host.params import Choice, Name, shown
from opslib.host.task import TaskError

from .app_runner import AppRunner
from .ecs_express import EcsExpress
from .platform import Platform
from .state import ServiceState, Status

__all__ = ["ContainerTask", "unchanged", "usable"]

_KINDS: dict[str, type[Platform]] = {AppRunner.kind: AppRunner, EcsExpress.kind: EcsExpress}
_ARNS = {"apprunner": AppRunner.kind, "ecs": EcsExpress.kind}


class _ServiceName(Name):
    """A service by name, `cluster/name` or ARN."""

    def __init__(self) -> None:
        super().__init__("name or ARN of a service", signs="_-:/.", longest=1011)


class ContainerTask(AwsTask):
    """A task on one container service."""

    service: str = param(
        _ServiceName(),
        "The service: its name (on ECS `cluster/name`, else the cluster `default` is meant), or its ARN.",
        example="spendsense-api",
    )
    platform: str = param(
        Choice(*_KINDS), "Where it runs: AWS App Runner, or Amazon ECS Express Mode.", default=AppRunner.kind
    )

    def check(self) -> None:
        super().check()
        if not self.service.startswith("arn:"):
            most = 1 if self.platform == EcsExpress.kind else 0
            if ":" in self.service or self.service.count("/") > most or self.service.endswith("/"):
                self.refuse(f"service: {shown(self.service)} is no name of a service")
            return
        pieces = self.service.split(":", 5)
        if len(pieces) != 6 or not pieces[5].startswith("service/") or _ARNS.get(pieces[2]) != self.platform:
            self.refuse(f"service: {shown(self.service)} is no ARN of a service of {_KINDS[self.platform].label}")
        if (pieces[3], pieces[4]) != (self.region, self.account):
            self.refuse(f"service: {shown(self.service)} is not of account {self.account} and region {self.region}")

    def scope(self) -> dict[str, str]:
        return {**super().scope(), "platform": self.platform}

    @functools.cached_property
    def on(self) -> Platform:
        """The service, on its platform."""
        return _KINDS[self.platform](self, self.service)

    @property
    def app_runner(self) -> AppRunner:
        """The service, where only App Runner can do what is asked."""
        assert isinstance(self.on, AppRunner)
        return self.on

    def only_app_runner(self, what: str) -> None:
        """Refuse the other platform."""
        if self.platform != AppRunner.kind:
            self.refuse(f"platform: {what}; that is for App Runner only")

    def facts(self, state: ServiceState, **more: Any) -> dict[str, Any]:
        """Return the data of a plan."""
        return {**state.shown(), **more}


def usable(state: ServiceState, *, paused: bool = False) -> str:
    """Return why a service cannot be worked on, in words; an empty string when it can. paused: that is no reason."""
    if state.status is Status.PAUSED and not paused:
        return f"{state.name} is paused, and nothing is deployed to a paused service; resume it first (container_state)"
    if state.status in (Status.BROKEN, Status.GONE):
        return f"{state.name} is {state.word}; it cannot be changed"
    return ""


def unchanged(state: ServiceState, planned: ServiceState) -> None:
    """Raise TaskError if a service is no longer what a change was planned for."""
    if state.image != planned.image:
        raise TaskError(
            f"{state.name} was changed by somebody else since it was looked at: it runs {state.image} now, and ran "
            f"{planned.image} then; nothing was done: look, and run this again"
        )
    fault = usable(state, paused=planned.status is Status.PAUSED)
    if fault:
        raise TaskError(fault)
