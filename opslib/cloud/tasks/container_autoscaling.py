"""Set how many instances of a container service there may be."""

from __future__ import annotations

from dataclasses import dataclass

from opslib.cloud.aws.container import auto_scaling
from opslib.cloud.aws.container.app_runner import AppRunner
from opslib.cloud.aws.container.platform import Wanted
from opslib.cloud.aws.container.state import Scaling, ServiceState
from opslib.cloud.aws.container.task import ContainerTask, unchanged, usable
from opslib.cloud.errors import UnknownOutcomeError
from opslib.cloud.task import CREATE, MODIFY, Change, Plan, TaskError, param
from opslib.host.params import Choice, Name, Number

__all__ = ["ContainerAutoscaling"]

_CREATE, _USE = "create", "use"
_LOOKS = 8


@dataclass(frozen=True, slots=True)
class _Seen:
    """The service, how it is scaled, and the revisions of the configuration that is asked for."""

    service: ServiceState
    scaling: Scaling
    revisions: tuple[Scaling, ...] = ()


class ContainerAutoscaling(ContainerTask, name="container_autoscaling"):
    """Set how few and how many instances a service may have, and what makes there be more.

    App Runner keeps that in configurations of their own, which have numbered revisions and never change. The newest
    revision of `configuration` with just these settings is used; if there is none, it is made. ECS Express Mode keeps
    it with the service. What is not given stays as it is.

    data: as `container_deploy`, with `scaling` in full. Sources: CreateAutoScalingConfiguration in App Runner's API
    reference, ExpressGatewayScalingTarget in ECS's.
    """

    min_size: int = param(Number(1, 1000, whole=True), "Instances that there always are.", example=1)
    max_size: int = param(Number(1, 1000, whole=True), "Instances that there may be.", example=5)
    configuration: str | None = param(
        Name("name of an auto scaling configuration", signs="_-", longest=32),
        "Name of the configuration on App Runner, 4 characters or more; the service's name if none is given.",
        default=None,
        example="spendsense",
    )
    concurrency: int | None = param(
        Number(1, 200, whole=True),
        "Requests at once that one instance takes before there are more (App Runner).",
        default=None,
        example=80,
    )
    metric: str | None = param(
        Choice("AVERAGE_CPU", "AVERAGE_MEMORY", "REQUEST_COUNT_PER_TARGET"),
        "What decides how many there are (ECS).",
        default=None,
    )
    target: int | None = param(
        Number(1, 100000, whole=True), "At which value the metric is kept (ECS): percent, or requests.", default=None
    )

    def check(self) -> None:
        super().check()
        if self.min_size > self.max_size:
            self.refuse(f"min_size {self.min_size} is above max_size {self.max_size}")
        on_app_runner = self.platform == AppRunner.kind
        other = ("metric", "target") if on_app_runner else ("configuration", "concurrency")
        for each in other:
            if getattr(self, each) is not None:
                self.refuse(f"{each}: that is for {'ECS Express Mode' if on_app_runner else 'App Runner'} only")
        if on_app_runner and self.min_size > 25:
            self.refuse(f"min_size: App Runner takes 25 at most, not {self.min_size}")
        if self.configuration is not None and len(self.configuration) < 4:
            self.refuse(f"configuration: {self.configuration} is shorter than 4 characters")

    def look(self) -> _Seen:
        service = self.on.idle()
        scaling = self.on.scaling(service)
        if self.platform != AppRunner.kind:
            return _Seen(service, scaling)
        return _Seen(service, scaling, tuple(auto_scaling.revisions(self, self._name(service))))

    def compare(self, state: _Seen) -> Plan:
        service, wanted = state.service, self._wanted(state)
        data = self.facts(service, scaling=state.scaling.shown())
        failure = usable(service, paused=True)
        if failure:
            return Plan(failure=failure, data=data)
        if _settings(wanted) == _settings(state.scaling) and wanted.name == state.scaling.name:
            return Plan(reason=f"{service.name} is scaled so already: {_words(state.scaling)}", data=data)
        changes = []
        known = next((each for each in state.revisions if _settings(each) == _settings(wanted)), None)
        if self.platform == AppRunner.kind and known is None:
            number = max((each.revision for each in state.revisions), default=0) + 1
            summary = f"make revision {number} of the auto scaling configuration {wanted.name}"
            changes.append(Change(kind=CREATE, summary=summary, after=_words(wanted), detail=(_CREATE, state, wanted)))
        summary = f"scale {service.name} from {self.min_size} to {self.max_size} instances"
        before, after = _words(state.scaling), _words(wanted)
        changes.append(
            Change(kind=MODIFY, summary=summary, before=before, after=after, detail=(_USE, state, known or wanted))
        )
        return Plan(changes=changes, data=data)

    def apply(self, change: Change) -> None:
        what, seen, wanted = change.detail
        if what == _CREATE:
            self._create(seen, wanted)
            return
        if self.platform == AppRunner.kind and not wanted.arn:
            wanted = self._made(wanted) or wanted
        title = f"scaling {seen.service.name}"
        self.on.update(title, Wanted(scaling=wanted), lambda now: unchanged(now, seen.service))

    def _create(self, seen: _Seen, wanted: Scaling) -> None:
        before = {each.arn for each in seen.revisions}
        try:
            auto_scaling.create(self, wanted)
        except UnknownOutcomeError as error:
            doing = f"App Runner: looking whether a revision of {wanted.name} was made"
            for looks, _turn in enumerate(self.patience.pauses(doing)):
                made = self._made(wanted)
                if made is not None and made.arn not in before:
                    return
                if looks == _LOOKS:
                    break
            words = (
                f"making a revision of {wanted.name}: the answer was lost, and there is none ({error}); run this again"
            )
            raise TaskError(words) from error

    def _made(self, wanted: Scaling) -> Scaling | None:
        found = auto_scaling.revisions(self, wanted.name)
        return next((each for each in found if _settings(each) == _settings(wanted)), None)

    def _name(self, service: ServiceState) -> str:
        return self.configuration or service.name[:32]

    def _wanted(self, state: _Seen) -> Scaling:
        """Return what is asked for, and what is there already where nothing is."""
        now = state.scaling
        return Scaling(
            least=self.min_size,
            most=self.max_size,
            concurrency=now.concurrency if self.concurrency is None else self.concurrency,
            metric=now.metric if self.metric is None else self.metric,
            target=now.target if self.target is None else self.target,
            name=self._name(state.service) if self.platform == AppRunner.kind else "",
        )


def _settings(scaling: Scaling) -> tuple[object, ...]:
    return scaling.least, scaling.most, scaling.concurrency, scaling.metric, scaling.target


def _words(scaling: Scaling) -> str:
    found = [f"{scaling.least} to {scaling.most} instances"]
    if scaling.concurrency is not None:
        found.append(f"{scaling.concurrency} requests at once on each")
    if scaling.metric is not None:
        found.append(f"{scaling.metric} kept at {scaling.target}")
    return ", ".join(found)
