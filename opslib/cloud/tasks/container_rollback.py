"""Take the last deployment of a container service back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from opslib.cloud.aws.container import images, public, record
from opslib.cloud.aws.container.images import Proven
from opslib.cloud.aws.container.platform import Wanted
from opslib.cloud.aws.container.public import PublicCheck
from opslib.cloud.aws.container.state import ServiceState
from opslib.cloud.aws.container.task import ContainerTask, unchanged, usable
from opslib.cloud.task import MODIFY, Change, Plan, TaskError, param

__all__ = ["ContainerRollback"]


@dataclass(frozen=True, slots=True)
class _Seen:
    """The service, the image to go back to, proven to exist, or why there is none; and what the address answers."""

    service: ServiceState
    back: str
    image: Proven | None = None
    why: str = ""
    missing: str = ""
    fault: str = ""
    answer: dict[str, Any] = field(default_factory=dict)


class ContainerRollback(ContainerTask, name="container_rollback"):
    """Go back to the image that served before the last deployment, as `container_deploy` recorded it.

    No image is named: it stands in the service's tags. It is proven to exist still. The service's other configuration
    stays as it is: environment variables that a deployment changed are not taken back. The operation is followed to its
    end, and the public address is asked, as `container_deploy` does.

    After a rollback, or after a deployment that the platform rolled back by itself, there is nothing to take back, so a
    second run changes nothing.

    data: as `container_deploy`, with `target`: the image to go back to.
    Errors: nothing recorded; an image in place that opslib did not deploy; one that is no longer in its registry.
    """

    http: dict[str, Any] = param(
        PublicCheck(),
        "What the public address must answer: a path, a URL, or a mapping of the parameters of http_check.",
        default={"url": "/health"},
        example={"url": "/health", "json": {"status": "healthy"}},
    )

    def secrets(self) -> Iterator[str]:
        yield from super().secrets()
        yield from public.secrets(self.http)

    def look(self) -> _Seen:
        service = self.on.idle()
        back, why = record.back_from(service.image, self.on.tags(service))
        if not back:
            asked = why.startswith("nothing")
            fault, answer = public.fault(service, self.http, self.patience) if asked else ("", {})
            return _Seen(service, back, why=why, fault=fault, answer=answer)
        try:
            return _Seen(service, back, image=_find(self, back))
        except TaskError as error:
            return _Seen(service, back, missing=str(error))

    def compare(self, state: _Seen) -> Plan:
        service = state.service
        data = self.facts(service, target=state.back)
        if state.answer:
            data["http"] = state.answer
        failure = usable(service) or self._obstacle(state)
        if failure:
            return Plan(failure=failure, data=data)
        if state.image is None:
            return Plan(reason=state.why, data=data)
        summary = f"take {service.name} back to {state.image.short}"
        change = Change(kind=MODIFY, summary=summary, before=service.image, after=state.back, detail=state)
        return Plan(changes=[change], data=data)

    def apply(self, change: Change) -> None:
        seen = change.detail
        title = f"taking {seen.service.name} back to {seen.image.short}"
        self.on.update(title, Wanted(image=seen.back), lambda now: unchanged(now, seen.service))

    def verify(self, plan: Plan) -> None:
        del plan
        fault, answer = public.fault(self.on.describe(), self.http, self.patience)
        if fault:
            raise TaskError(f"it was taken back, but {fault}", http=answer)

    def _obstacle(self, state: _Seen) -> str:
        if state.missing:
            return f"there is no way back to the image that served before: {state.missing}"
        if not state.back and not state.why.startswith("nothing"):
            return f"{state.service.name}: {state.why}"
        return f"{state.service.name}: {state.why}; but {state.fault}" if state.fault else ""


def _find(task: ContainerRollback, back: str) -> Proven:
    """Prove the recorded image. It may be recorded by its tag, if it was not deployed by opslib."""
    try:
        return images.prove(task, back)
    except ValueError as error:
        raise TaskError(f"what is recorded is no image: {error}") from error
