"""Give a container service's instances more CPU and memory, or less."""

from __future__ import annotations

from opslib.cloud.aws.container import sizes
from opslib.cloud.aws.container.platform import Wanted
from opslib.cloud.aws.container.sizes import Cpu, Memory
from opslib.cloud.aws.container.state import ServiceState, Size
from opslib.cloud.aws.container.task import ContainerTask, unchanged, usable
from opslib.cloud.task import MODIFY, Change, Plan, param

__all__ = ["ContainerScale"]


class ContainerScale(ContainerTask, name="container_scale"):
    """Set the CPU and the memory of a service's instances.

    Only pairs that the platform has are taken. All else of the configuration stays. How many instances there are is for
    `container_autoscaling`.

    data: as `container_deploy`. Sources: InstanceConfiguration in App Runner's API reference; the table of task sizes
    in the ECS developer guide.
    """

    cpu: int = param(Cpu(), "vCPUs of each instance: 0.25, 0.5, 1, 2, 4; on ECS also 8, 16.", example="2 vCPU")
    memory: int = param(Memory(), "Memory of each instance in MB, or as 4G.", example="4 GB")

    def check(self) -> None:
        super().check()
        fault = sizes.fault(self.platform, self.wanted)
        if fault:
            self.refuse(f"memory: {fault}")

    @property
    def wanted(self) -> Size:
        """The size that is asked for."""
        return Size(self.cpu, self.memory)

    def look(self) -> ServiceState:
        return self.on.idle()

    def compare(self, state: ServiceState) -> Plan:
        data = self.facts(state)
        failure = usable(state, paused=True)
        if failure:
            return Plan(failure=failure, data=data)
        if state.size == self.wanted:
            return Plan(reason=f"{state.name} has {state.size} already", data=data)
        summary = f"give each instance of {state.name} {self.wanted}"
        change = Change(kind=MODIFY, summary=summary, before=str(state.size), after=str(self.wanted), detail=state)
        return Plan(changes=[change], data=data)

    def apply(self, change: Change) -> None:
        planned = change.detail
        what = f"giving {planned.name} {self.wanted}"
        self.on.update(what, Wanted(size=self.wanted), lambda now: unchanged(now, planned))
