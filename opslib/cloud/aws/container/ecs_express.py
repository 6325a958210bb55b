"""Amazon ECS Express Mode. Source: the ECS API reference (…ExpressGatewayService, …ServiceDeployments)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from opslib.cloud.errors import MalformedError, RefusedError, UnknownOutcomeError
from opslib.host.params import shown
from opslib.host.task import TaskError

from .environment import unsaid
from .platform import Platform, Wanted
from .reading import line, member, moment, named, number, optional
from .state import Operation, Phase, Scaling, ServiceState, Size, Status

__all__ = ["EcsExpress"]

_STATUS = {"ACTIVE": Status.RUNNING, "DRAINING": Status.GONE, "INACTIVE": Status.GONE}
_PHASES = {
    "PENDING": Phase.UNDER_WAY,
    "IN_PROGRESS": Phase.UNDER_WAY,
    "STOP_REQUESTED": Phase.UNDER_WAY,
    "ROLLBACK_REQUESTED": Phase.UNDER_WAY,
    "ROLLBACK_IN_PROGRESS": Phase.UNDER_WAY,
    "SUCCESSFUL": Phase.SUCCEEDED,
    "STOPPED": Phase.FAILED,
    "ROLLBACK_SUCCESSFUL": Phase.ROLLED_BACK,
    "ROLLBACK_FAILED": Phase.ROLLBACK_FAILED,
}


class EcsExpress(Platform):
    """A service of ECS Express Mode, by `cluster/name` or ARN. Its operations are service deployments."""

    label = "ECS Express Mode"
    kind = "ecs_express"
    update_kind = "deployment"

    @property
    def client(self) -> Any:
        """boto3's client."""
        return self.task.client("ecs")

    @property
    def arn(self) -> str:
        """The service's ARN."""
        if self.name.startswith("arn:"):
            return self.name
        path = self.name if "/" in self.name else f"default/{self.name}"
        partition = self.client.meta.partition
        return f"arn:{partition}:ecs:{self.task.region}:{self.task.account}:service/{path}"

    def describe(self) -> ServiceState:
        doing = f"ECS: describing {self.name}"
        try:
            answer = self.task.ask(
                lambda: self.client.describe_express_gateway_service(serviceArn=self.arn), doing=doing
            )
        except RefusedError as error:
            if error.code == "ResourceNotFoundException" or "Resource not found" in str(error):
                where = f"account {self.task.account}, region {self.task.region}"
                raise TaskError(f"there is no ECS Express Mode service {self.name} in {where}: {error}") from error
            raise
        service = member(answer, "service", dict, doing)
        word = line(member(service, "status", dict, doing), "statusCode", doing)
        if word not in _STATUS:
            raise MalformedError(f"{doing}: the state {shown(word)} is not known to this version of opslib")
        active = self._active(member(service, "activeConfigurations", list, doing), doing)
        container = member(active, "primaryContainer", dict, doing)
        busy = optional(service, "currentDeployment", str, doing)
        return ServiceState(
            name=line(service, "serviceName", doing),
            arn=line(service, "serviceArn", doing),
            status=Status.BUSY if busy and _STATUS[word] is Status.RUNNING else _STATUS[word],
            word=word,
            image=line(container, "image", doing),
            url=_url(active, doing),
            size=Size(number(active, "cpu", doing), number(active, "memory", doing)),
            scaling=_scaling(member(active, "scalingTarget", dict, doing), doing),
            variables=named(container.get("environment") or [], "name", "value", doing),
            secrets=named(container.get("secrets") or [], "name", "valueFrom", doing),
            raw=active,
        )

    def operations(self) -> Iterator[Operation]:
        doing = f"ECS: listing deployments of {self.name}"
        for each in self._deployments(doing):
            word = line(each, "status", doing)
            if word not in _PHASES:
                raise MalformedError(f"{doing}: the state {shown(word)} is not known to this version of opslib")
            yield Operation(
                id=line(each, "serviceDeploymentArn", doing).rpartition("/")[2],
                key=line(each, "targetServiceRevisionArn", doing),
                kind="deployment",
                phase=_PHASES[word],
                word=word,
                began=moment(each, "createdAt", doing),
                reason=optional(each, "statusReason", str, doing) or "",
            )

    def tags(self, state: ServiceState) -> dict[str, str]:
        doing = f"ECS: reading the tags of {self.name}"
        answer = self.task.ask(lambda: self.client.list_tags_for_resource(resourceArn=state.arn), doing=doing)
        return named(optional(answer, "tags", list, doing) or [], "key", "value", doing)

    def scaling(self, state: ServiceState) -> Scaling:
        return state.scaling

    def is_busy(self, error: RefusedError) -> bool:
        del error
        return False  # an update is never refused for that: it stops the deployment under way

    def send_update(self, state: ServiceState, wanted: Wanted) -> str:
        request: dict[str, Any] = {"serviceArn": state.arn}
        if wanted.image or wanted.edits is not None:
            request["primaryContainer"] = _container(state, wanted)
        if wanted.size is not None:
            request.update(cpu=str(wanted.size.cpu), memory=str(wanted.size.memory))
        if wanted.scaling is not None:
            request["scalingTarget"] = _target(wanted.scaling)
        doing = f"ECS: updating {self.name}"
        with unsaid(state.variables):
            answer = self.task.change(lambda: self.client.update_express_gateway_service(**request), doing=doing)
        service = member(answer, "service", dict, doing)
        return line(member(service, "targetConfiguration", dict, doing), "serviceRevisionArn", doing)

    def send_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        listing = [{"key": key, "value": value} for key, value in tags.items()]
        doing = f"ECS: tagging {self.name}"
        self.task.change(lambda: self.client.tag_resource(resourceArn=arn, tags=listing), doing=doing)

    def find_out(
        self,
        what: str,
        known: frozenset[str],
        error: UnknownOutcomeError,
        kind: str,
        done: Callable[[ServiceState], bool] | None,
    ) -> str:
        key = super().find_out(what, known, error, kind, done)
        if key or done is None:
            return key
        state = self.describe()
        return line(state.raw, "serviceRevisionArn", what) if done(state) else ""  # it took effect without a deployment

    def _deployments(self, doing: str) -> Iterator[Any]:
        cluster = self.arn.split("/")[-2]
        return self.task.pages(
            "ecs", "list_service_deployments", "serviceDeployments", doing=doing, cluster=cluster, service=self.arn
        )

    def _active(self, found: list[Any], doing: str) -> Any:
        """Return the configuration that serves: during a deployment, and for a while after one, there are several."""
        if len(found) < 2:
            return found[0] if found else None
        for each in self.operations():
            if each.phase is Phase.SUCCEEDED:
                for active in found:
                    if line(active, "serviceRevisionArn", doing) == each.key:
                        return active
        return min(found, key=lambda each: moment(each, "createdAt", doing) or time.time())


def _url(active: Any, doing: str) -> str:
    for each in optional(active, "ingressPaths", list, doing) or []:
        if line(each, "accessType", doing) == "PUBLIC":
            host = line(each, "endpoint", doing)
            return host if "://" in host else f"https://{host}"
    return ""


def _scaling(target: Any, doing: str) -> Scaling:
    value = optional(target, "autoScalingTargetValue", int, doing)
    return Scaling(
        least=number(target, "minTaskCount", doing),
        most=number(target, "maxTaskCount", doing),
        metric=line(target, "autoScalingMetric", doing, empty=True) or None,
        target=value,
    )


def _target(scaling: Scaling) -> dict[str, Any]:
    found: dict[str, Any] = {"minTaskCount": scaling.least, "maxTaskCount": scaling.most}
    found.update(autoScalingMetric=scaling.metric, autoScalingTargetValue=scaling.target)
    return {key: value for key, value in found.items() if value is not None}


def _container(state: ServiceState, wanted: Wanted) -> dict[str, Any]:
    """Return the container as it is, but for what is wanted."""
    container = dict(state.raw["primaryContainer"])
    if wanted.image:
        container["image"] = wanted.image
    if wanted.edits is not None:
        variables, secrets = wanted.edits.of(state)
        container["environment"] = [{"name": key, "value": value} for key, value in variables.items()]
        container["secrets"] = [{"name": key, "valueFrom": value} for key, value in secrets.items()]
    return container
