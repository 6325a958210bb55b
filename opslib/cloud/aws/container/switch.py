"""Pausing and resuming a container service for others that need it still for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opslib.cloud.patience import Patience
from opslib.host.task import TaskError

from .app_runner import AppRunner
from .platform import LOOKS
from .state import ServiceState, Status
from .task import ContainerTask

__all__ = ["ContainerSwitch", "switch_of"]


class ContainerSwitch:
    """A service of App Runner; each method returns only when it has come true."""

    def __init__(self, task: ContainerTask) -> None:
        self._task = task

    @property
    def name(self) -> str:
        """What it is, for people."""
        return self._task.service

    def paused(self) -> bool:
        """Whether it is paused. Raises MismatchError for another account; TaskError when there is no such service."""
        self._task.identify()
        return self._service.describe().status is Status.PAUSED

    def pause(self) -> None:
        """Have it paused, once nothing else is under way with it."""
        self._service.turn(f"pausing {self.name}", Status.PAUSED, _any)

    def resume(self, *, unsure: bool = False) -> None:
        """Have it resumed, once nothing else is under way with it, such as the pause itself.

        unsure: a pause may have been asked for that is not to be seen yet, so it is waited for a while.
        """
        if unsure:
            for looks, _turn in enumerate(self._task.patience.pauses(f"looking whether {self.name} pauses")):
                if self._service.idle().status is Status.PAUSED or looks == LOOKS:
                    break
        self._service.turn(f"resuming {self.name}", Status.RUNNING, _any)

    @property
    def _service(self) -> AppRunner:
        service = self._task.on
        if not isinstance(service, AppRunner):
            raise TaskError(f"{service.label} cannot pause services; only App Runner can")
        return service


def switch_of(
    service: str,
    *,
    account: str,
    region: str,
    profile: str | None,
    patience: Patience,
    poll: float,
    tell: Callable[[dict[str, Any]], object],
) -> ContainerSwitch:
    """Return the switch of an App Runner service, by name or ARN; tell: takes what is said on the way.

    Raises ParamError for an ARN of another account or region.
    """
    args: dict[str, Any] = {"service": service, "account": account, "region": region, "profile": profile, "poll": poll}
    task = ContainerTask(**args)
    object.__setattr__(task, "patience", patience)
    object.__setattr__(task, "tell", tell)
    return ContainerSwitch(task)


def _any(_state: ServiceState) -> None:
    """Take the service as it is."""
