"""Deploy an image to a container service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from opslib.cloud.aws.container import images, public, record
from opslib.cloud.aws.container.images import ImageRef, Proven
from opslib.cloud.aws.container.platform import Wanted
from opslib.cloud.aws.container.public import PublicCheck
from opslib.cloud.aws.container.state import ServiceState
from opslib.cloud.aws.container.task import ContainerTask, unchanged, usable
from opslib.cloud.errors import ExpiredError, RefusedError, ThrottledError
from opslib.cloud.task import MODIFY, Change, Plan, TaskError, param

__all__ = ["ContainerDeploy"]


@dataclass(frozen=True, slots=True)
class _Seen:
    """The service, its tags, the image that is wanted, and what is wrong at the public address if that is in place."""

    service: ServiceState
    tags: dict[str, str]
    image: Proven
    fault: str = ""
    answer: dict[str, Any] = field(default_factory=dict)


class ContainerDeploy(ContainerTask, name="container_deploy"):
    """Deploy an image to a service of App Runner or ECS Express Mode, and see it serve.

    The image is proven to exist and is deployed by its digest, so that what runs cannot change by itself. All else of
    the service's configuration stays as it is at that moment. A service that is busy is waited for. The operation is
    followed to its end; one that the platform rolled back by itself is a failure. Then the public address is asked.
    The image that served before is recorded in the service's tags (`opslib:previous-image`), for `container_rollback`;
    a deployment that is refused leaves them as they were.

    With the image in place already nothing is changed, but the public address is still asked.

    data: `service`, `arn`, `status`, `image`, `url`, `cpu_units`, `memory_mb`, `scaling`, names of `variables` and
    `secrets`, `digest`, `previous_image`, and `http` as http_check's data.
    Errors: no such image; paused or broken; rolled back; changed by somebody else meanwhile; an address that does not
    answer as it should. Sources: the API references of App Runner, ECS and ECR.
    """

    image: str = param(
        ImageRef(),
        "The image: `repository:tag` or `repository@sha256:…` of the account's own registry, or a whole name.",
        example="spendsense-api:v42",
    )
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
        image = images.prove(self, self.image)
        service = self.on.idle()
        tags = dict(self.on.tags(service))
        if service.image != image.pinned:
            return _Seen(service, tags, image)
        fault, answer = public.fault(service, self.http, self.patience)
        return _Seen(service, tags, image, fault, answer)

    def compare(self, state: _Seen) -> Plan:
        service, image = state.service, state.image
        data = self.facts(service, digest=image.digest, previous_image=state.tags.get(record.PREVIOUS, ""))
        if state.answer:
            data["http"] = state.answer
        failure = usable(service) or self._obstacle(state)
        if failure:
            return Plan(failure=failure, data=data)
        if service.image == image.pinned:
            if state.fault:
                return Plan(failure=f"{service.name} runs {image.short}, but {state.fault}", data=data)
            return Plan(reason=f"{service.name} runs {image.short} already", data=data)
        summary = f"deploy {image.short} to {service.name}, and record what served before"
        change = Change(kind=MODIFY, summary=summary, before=service.image, after=image.pinned, detail=state)
        return Plan(changes=[change], warnings=_warnings(service), data=data)

    def apply(self, change: Change) -> None:
        seen: _Seen = change.detail
        title, wanted = f"deploying {seen.image.short} to {seen.service.name}", Wanted(image=seen.image.pinned)
        self.on.carry_out(
            title,
            lambda now: self._send(now, wanted, seen),
            lambda now: unchanged(now, seen.service),
            self.on.update_kind,
            wanted.holds,
        )

    def _send(self, now: ServiceState, wanted: Wanted, seen: _Seen) -> str:
        """Record what serves, and ask for the update; when that is turned away, what was recorded before holds."""
        new = record.tags(wanted.image, now.image)
        if not new.items() <= seen.tags.items():
            self.on.record(now, new)
            now = self.on.describe()
            unchanged(now, seen.service)
        try:
            return self.on.send_update(now, wanted)
        except (RefusedError, ThrottledError, ExpiredError):
            if new.keys() <= seen.tags.keys():
                self.on.record(now, {key: seen.tags[key] for key in new})
            raise

    def verify(self, plan: Plan) -> None:
        del plan
        fault, answer = public.fault(self.on.describe(), self.http, self.patience)
        if fault:
            raise TaskError(f"it was deployed, but {fault}; container_rollback takes it back", http=answer)

    def _obstacle(self, state: _Seen) -> str:
        service = state.service
        if not service.image:
            return f"{service.name} is built from a code repository, not from an image"
        if service.image == state.image.pinned:
            return ""
        return record.fault(state.image.pinned, service.image)


def _warnings(service: ServiceState) -> list[str]:
    if "@sha256:" in service.image:
        return []
    words = "by its tag; if that tag has moved since, a rollback leads to what it names then"
    return [f"{service.name} runs {service.image} {words}"]
