"""Pause and resume a container service."""

from __future__ import annotations

from opslib.cloud.aws.container.state import ServiceState, Status
from opslib.cloud.aws.container.task import ContainerTask, unchanged, usable
from opslib.cloud.task import MODIFY, Change, Plan, param
from opslib.host.params import Choice

__all__ = ["ContainerState"]


class ContainerState(ContainerTask, name="container_state"):
    """Pause an App Runner service, or have it run again; and wait until it is so.

    Both take minutes. While it is paused it answers nobody and costs nothing for its instances; its configuration and
    its address stay. ECS Express Mode has no pause.

    data: as `container_deploy`. Sources: PauseService and ResumeService in App Runner's API reference.
    """

    state: str = param(Choice("running", "paused"), "How the service is to be.", example="paused")

    def check(self) -> None:
        super().check()
        self.only_app_runner("ECS Express Mode has no pause")

    def look(self) -> ServiceState:
        return self.on.idle()

    def compare(self, state: ServiceState) -> Plan:
        failure = usable(state, paused=True)
        if failure:
            return Plan(failure=failure, data=self.facts(state))
        if state.status.value == self.state:
            return Plan(reason=f"{state.name} is {self.state} already", data=self.facts(state))
        summary = f"{'pause' if self.state == 'paused' else 'resume'} {state.name}"
        change = Change(kind=MODIFY, summary=summary, before=state.status.value, after=self.state, detail=state)
        return Plan(changes=[change], data=self.facts(state))

    def apply(self, change: Change) -> None:
        planned: ServiceState = change.detail
        what = f"{'pausing' if self.state == 'paused' else 'resuming'} {planned.name}"
        self.app_runner.turn(what, Status(self.state), lambda found: unchanged(found, planned))
