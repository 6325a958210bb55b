"""Tell how a container service is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from opslib.cloud.aws.container import public, record
from opslib.cloud.aws.container.public import PublicCheck
from opslib.cloud.aws.container.state import Operation, Phase, Scaling, ServiceState, Status
from opslib.cloud.aws.container.task import ContainerTask
from opslib.cloud.task import Plan, param

__all__ = ["ContainerStatus"]

_RECENT = 5


@dataclass(frozen=True, slots=True)
class _Seen:
    """All that is asked for."""

    service: ServiceState
    scaling: Scaling
    tags: dict[str, str]
    operations: tuple[Operation, ...]
    fault: str = ""
    answer: dict[str, Any] = field(default_factory=dict)


class ContainerStatus(ContainerTask, name="container_status"):
    """Tell how a service is: its state, image, address, size, scaling, and what happened to it last. Changes nothing.

    It does not wait for a service that is busy. It fails for one that is broken or gone, and with `http` for one whose
    public address does not answer as it should while it runs; it warns of one that is paused, and of a last deployment
    that was not a good one.

    data: as `container_deploy`, with `scaling` in full, `previous_image` (to which `container_rollback` would go, if
    that is known), `operations` (the last five: `id`, `kind`, `status`, `began` in seconds since 1970) and `busy`.
    """

    http: dict[str, Any] | None = param(
        PublicCheck(),
        "What the public address must answer: a path, a URL, or a mapping of the parameters of http_check.",
        default=None,
        example="/health",
    )

    def secrets(self) -> Iterator[str]:
        yield from super().secrets()
        if self.http is not None:
            yield from public.secrets(self.http)

    def look(self) -> _Seen:
        service = self.on.describe()
        seen = _Seen(
            service,
            self.on.scaling(service),
            dict(self.on.tags(service)),
            tuple(itertools.islice(self.on.operations(), _RECENT)),
        )
        if self.http is None or service.status not in (Status.RUNNING, Status.BUSY):
            return seen
        fault, answer = public.fault(service, self.http, self.patience)
        return _Seen(seen.service, seen.scaling, seen.tags, seen.operations, fault, answer)

    def compare(self, state: _Seen) -> Plan:
        service = state.service
        newest = state.operations[0] if state.operations else None
        data = self.facts(
            service,
            scaling=state.scaling.shown(),
            previous_image=record.back_from(service.image, state.tags)[0],
            operations=[each.shown() for each in state.operations],
            busy=newest is not None and newest.phase is Phase.UNDER_WAY,
        )
        if state.answer:
            data["http"] = state.answer
        if service.status in (Status.BROKEN, Status.GONE):
            return Plan(failure=f"{service.name} is {service.word}", data=data)
        if state.fault:
            return Plan(failure=f"{service.name} is {service.word}, but {state.fault}", data=data)
        reason = f"{service.name} is {service.word}, {service.image or 'built from code'}, {service.size}"
        return Plan(reason=reason, warnings=_warnings(service, newest), data=data)


def _warnings(service: ServiceState, newest: Operation | None) -> list[str]:
    found = []
    if service.status is Status.PAUSED:
        found.append(f"{service.name} is paused; it answers nobody")
    if newest is not None and newest.phase not in (Phase.SUCCEEDED, Phase.UNDER_WAY):
        found.append(f"the last {newest.kind} ({newest.id}) ended {newest.word}")
    return found
