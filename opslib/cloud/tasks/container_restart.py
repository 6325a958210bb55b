"""Start a container service's instances anew."""

from __future__ import annotations

from opslib.cloud.aws.container.state import ServiceState
from opslib.cloud.aws.container.task import ContainerTask, unchanged, usable
from opslib.cloud.task import ACTION, Change, Plan

__all__ = ["ContainerRestart"]


class ContainerRestart(ContainerTask, name="container_restart"):
    """Deploy the configured image of an App Runner service anew, and follow it to its end.

    It is the image that the service is configured with, not the newest in the repository: to change that, use
    `container_deploy`. ECS Express Mode has no such call.

    data: as `container_deploy`. Source: StartDeployment in App Runner's API reference.
    """

    def check(self) -> None:
        super().check()
        self.only_app_runner("ECS Express Mode has no deployment of what is deployed already")

    def look(self) -> ServiceState:
        return self.on.idle()

    def compare(self, state: ServiceState) -> Plan:
        failure = usable(state)
        if failure:
            return Plan(failure=failure, data=self.facts(state))
        summary = f"start {state.name} anew with {state.image or 'its code'}"
        return Plan(changes=[Change(kind=ACTION, summary=summary, detail=state)], data=self.facts(state))

    def apply(self, change: Change) -> None:
        planned = change.detail
        self.app_runner.deploy(f"starting {planned.name} anew", lambda now: unchanged(now, planned))
