"""AWS App Runner. Source of all calls and states: https://docs.aws.amazon.com/apprunner/latest/api/Welcome.html."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from opslib.cloud.errors import MalformedError, RefusedError
from opslib.host.params import shown
from opslib.host.task import TaskError
from opslib.host.words import listed

from . import auto_scaling
from .environment import unsaid
from .platform import Platform, Wanted
from .reading import line, member, moment, named, optional
from .sizes import Cpu, Memory
from .state import Operation, Phase, Scaling, ServiceState, Size, Status

__all__ = ["AppRunner"]

_STATUS = {
    "RUNNING": Status.RUNNING,
    "PAUSED": Status.PAUSED,
    "OPERATION_IN_PROGRESS": Status.BUSY,
    "CREATE_FAILED": Status.BROKEN,
    "DELETE_FAILED": Status.BROKEN,
    "DELETED": Status.GONE,
}
_PHASES = {
    "PENDING": Phase.UNDER_WAY,
    "IN_PROGRESS": Phase.UNDER_WAY,
    "ROLLBACK_IN_PROGRESS": Phase.UNDER_WAY,
    "SUCCEEDED": Phase.SUCCEEDED,
    "FAILED": Phase.FAILED,
    "ROLLBACK_SUCCEEDED": Phase.ROLLED_BACK,
    "ROLLBACK_FAILED": Phase.ROLLBACK_FAILED,
}
_BUSY = "OPERATION_IN_PROGRESS"


class AppRunner(Platform):
    """A service of App Runner, by name or ARN."""

    label = "App Runner"
    kind = "app_runner"
    update_kind = "UPDATE_SERVICE"

    @property
    def client(self) -> Any:
        """boto3's client."""
        return self.task.client("apprunner")

    @functools.cached_property
    def arn(self) -> str:
        """The service's ARN, found by its name. Raises TaskError when there is none, or more than one."""
        if self.name.startswith("arn:"):
            return self.name
        doing = "App Runner: listing services"
        found: list[str] = []
        names: list[str] = []
        for each in self.task.pages("apprunner", "list_services", "ServiceSummaryList", doing=doing):
            names.append(line(each, "ServiceName", doing))
            if names[-1] == self.name and _status(each, doing) is not Status.GONE:
                found.append(line(each, "ServiceArn", doing))
        if len(found) == 1:
            return found[0]
        if found:
            raise TaskError(f"there are {len(found)} services {self.name}; name one by its ARN: {listed(found)}")
        where = f"account {self.task.account}, region {self.task.region}"
        raise TaskError(f"there is no App Runner service {self.name} in {where}; there are {listed(names) or 'none'}")

    def describe(self) -> ServiceState:
        doing = f"App Runner: describing {self.name}"
        try:
            answer = self.task.ask(lambda: self.client.describe_service(ServiceArn=self.arn), doing=doing)
        except RefusedError as error:
            if error.code == "ResourceNotFoundException":
                raise TaskError(f"there is no App Runner service {self.name}: {error}") from error
            raise
        service = member(answer, "Service", dict, doing)
        instance = member(service, "InstanceConfiguration", dict, doing)
        source = member(service, "SourceConfiguration", dict, doing)
        repository = optional(source, "ImageRepository", dict, doing) or {}
        image = optional(repository, "ImageConfiguration", dict, doing) or {}
        host = line(service, "ServiceUrl", doing, empty=True)
        return ServiceState(
            name=line(service, "ServiceName", doing),
            arn=line(service, "ServiceArn", doing),
            status=_status(service, doing),
            word=line(service, "Status", doing),
            image=line(repository, "ImageIdentifier", doing, empty=True),
            url=host if "://" in host or not host else f"https://{host}",
            size=Size(_cpu(instance, doing), _memory(instance, doing)),
            scaling=auto_scaling.summary(member(service, "AutoScalingConfigurationSummary", dict, doing), doing),
            variables=_texts(image, "RuntimeEnvironmentVariables", doing),
            secrets=_texts(image, "RuntimeEnvironmentSecrets", doing),
            raw=service,
        )

    def operations(self) -> Iterator[Operation]:
        doing = f"App Runner: listing operations of {self.name}"
        pages = self.task.pages(
            "apprunner", "list_operations", "OperationSummaryList", doing=doing, ServiceArn=self.arn, MaxResults=20
        )
        for each in pages:
            word = line(each, "Status", doing)
            if word not in _PHASES:
                raise MalformedError(f"{doing}: the state {shown(word)} is not known to this version of opslib")
            identity, kind = line(each, "Id", doing), line(each, "Type", doing)
            yield Operation(identity, identity, kind, _PHASES[word], word, moment(each, "StartedAt", doing))

    def tags(self, state: ServiceState) -> dict[str, str]:
        doing = f"App Runner: reading the tags of {self.name}"
        answer = self.task.ask(lambda: self.client.list_tags_for_resource(ResourceArn=state.arn), doing=doing)
        listing = optional(answer, "Tags", list, doing) or []
        return {line(each, "Key", doing): line(each, "Value", doing, empty=True) for each in listing}

    def scaling(self, state: ServiceState) -> Scaling:
        return auto_scaling.describe(self.task, state.scaling.arn)

    def is_busy(self, error: RefusedError) -> bool:
        # StartDeployment declares no InvalidStateException, so that it may say InvalidRequestException for it.
        return error.code == "InvalidStateException" or (
            error.code == "InvalidRequestException" and _BUSY in str(error)
        )

    def send_update(self, state: ServiceState, wanted: Wanted) -> str:
        request: dict[str, Any] = {"ServiceArn": state.arn}
        if wanted.image or wanted.edits is not None:
            request["SourceConfiguration"] = _source(state, wanted)
        if wanted.size is not None:
            size = {"Cpu": str(wanted.size.cpu), "Memory": str(wanted.size.memory)}
            request["InstanceConfiguration"] = {**state.raw["InstanceConfiguration"], **size}
        if wanted.scaling is not None:
            request["AutoScalingConfigurationArn"] = wanted.scaling.arn
        with unsaid(state.variables):
            return self._operation("updating", lambda: self.client.update_service(**request))

    def send_deployment(self, state: ServiceState) -> str:
        """Ask for a new deployment of the configured image; as `send_update`."""
        return self._operation("deploying", lambda: self.client.start_deployment(ServiceArn=state.arn))

    def deploy(self, what: str, still: Callable[[ServiceState], None]) -> None:
        """Deploy the configured image anew, and follow the operation; as `update`."""
        self.follow(what, self.begin(what, self.send_deployment, still, "START_DEPLOYMENT"))

    def turn(self, what: str, wanted: Status, still: Callable[[ServiceState], None]) -> None:
        """Pause a service or have it run again, and see it so; as `update`. wanted: PAUSED or RUNNING.

        That is a state, so it is asked for until it has come about or time is up.
        """
        pausing = wanted is Status.PAUSED
        send, kind = (self.send_pause, "PAUSE_SERVICE") if pausing else (self.send_resume, "RESUME_SERVICE")
        self.carry_out(what, send, still, kind, lambda state: state.status is wanted, again=True)

    def send_pause(self, state: ServiceState) -> str:
        """Ask for a pause; as `send_update`."""
        return self._operation("pausing", lambda: self.client.pause_service(ServiceArn=state.arn))

    def send_resume(self, state: ServiceState) -> str:
        """Ask for the end of a pause; as `send_update`."""
        return self._operation("resuming", lambda: self.client.resume_service(ServiceArn=state.arn))

    def send_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        listing = [{"Key": key, "Value": value} for key, value in tags.items()]
        doing = f"App Runner: tagging {self.name}"
        self.task.change(lambda: self.client.tag_resource(ResourceArn=arn, Tags=listing), doing=doing)

    def _operation(self, verb: str, call: Any) -> str:
        doing = f"App Runner: {verb} {self.name}"
        return line(self.task.change(call, doing=doing), "OperationId", doing)


def _status(service: Any, doing: str) -> Status:
    word = line(service, "Status", doing)
    if word not in _STATUS:
        raise MalformedError(f"{doing}: the state {shown(word)} is not known to this version of opslib")
    return _STATUS[word]


def _cpu(instance: Any, doing: str) -> int:
    try:
        return Cpu()(line(instance, "Cpu", doing))
    except ValueError as error:
        raise MalformedError(f"{doing}: the answer's Cpu: {error}") from None


def _memory(instance: Any, doing: str) -> int:
    try:
        return Memory()(line(instance, "Memory", doing))
    except ValueError as error:
        raise MalformedError(f"{doing}: the answer's Memory: {error}") from None


def _texts(image: Any, name: str, doing: str) -> dict[str, str]:
    listing = [{"name": key, "value": value} for key, value in (optional(image, name, dict, doing) or {}).items()]
    return named(listing, "name", "value", doing)


def _source(state: ServiceState, wanted: Wanted) -> dict[str, Any]:
    """Return a service's source as it is, but for what is wanted."""
    source = dict(state.raw["SourceConfiguration"])
    if not state.image:
        raise TaskError(f"{state.name} is built from a code repository; this is for services that run an image")
    repository = dict(source["ImageRepository"])
    if wanted.image:
        repository["ImageIdentifier"] = wanted.image
    if wanted.edits is not None:
        variables, secrets = wanted.edits.of(state)
        image = dict(repository.get("ImageConfiguration") or {})
        image.update(RuntimeEnvironmentVariables=variables, RuntimeEnvironmentSecrets=secrets)
        repository["ImageConfiguration"] = image
    return {**source, "ImageRepository": repository}
