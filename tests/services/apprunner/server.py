"""A fake of AWS App Runner, for boto3 and for the `aws` command line.

Every request and every answer is held against botocore's model of the service, declared errors included. What the model
does not say follows the public documentation and what users report: a deployment or an update that fails is rolled back
by the service itself, which is RUNNING again afterwards, and only the operation says ROLLBACK_SUCCEEDED; a service that
is busy refuses; StartDeployment declares no InvalidStateException.

What it cannot show: how long things take, what the real service says in words, what DescribeService shows of an update
that is at work (`shows_new`: both can be had), what StartDeployment answers while the service is busy or paused
(`busy_deployment`: both can be had), and code repositories, which it does not build.
"""

from __future__ import annotations

import copy
import json
import time
import uuid
from typing import Any

from services.apprunner.scaling import MISSING, ScalingOperations, Scalings
from services.apprunner.site import Site
from services.apprunner.state import PAIRS, Operation, Service, canonical
from services.aws_json import ACCOUNT, REGION, AwsError

INVALID, STATE = "InvalidRequestException", "InvalidStateException"
CONFIG = (
    "SourceConfiguration",
    "InstanceConfiguration",
    "HealthCheckConfiguration",
    "NetworkConfiguration",
    "ObservabilityConfiguration",
    "AutoScalingConfigurationArn",
)


class AppRunner(ScalingOperations):
    """The fake. Time is counted in looks: after `looks` reads of a service, what happens to it goes one state on.

    images_that_fail: with these, deployments and updates are rolled back. types_that_fail: operations that end FAILED.
    rollback_fails: ROLLBACK_FAILED instead. stuck: nothing goes on. lag: so many reads after a change still see what
    was before. late: so many descriptions after the end of an operation still show the service before it. page_size:
    listings come in pages of this even when not asked to. site: the public address of services (with its scheme, which
    AWS leaves out: http).
    """

    service = "apprunner"
    invalid = INVALID
    # Its pattern asks for a UUID with dashes, its greatest length is 32.
    loose = frozenset({"ServiceId"})

    def __init__(self, site: Site | None = None) -> None:
        super().__init__()
        self.site = site
        self.clear()

    def clear(self) -> None:
        self.services: dict[str, Service] = {}
        self.scalings = Scalings()
        self.images_that_fail: set[str] = set()
        self.types_that_fail: set[str] = set()
        self.rollback_fails = False
        self.stuck = False
        self.looks = 1
        self.lag = self.late = 0
        self.page_size: int | None = None
        self.shows_new = False
        self.busy_deployment = INVALID

    def reset(self) -> None:
        super().reset()
        self.clear()
        if self.site is not None:
            self.site.reset()

    # --- what tests look at and do

    def named(self, name: str) -> Service:
        """Return a service by its name."""
        return next(each for each in self.services.values() if each.name == name)

    def image(self, name: str) -> str:
        """Return the image that a service is configured with."""
        return str(self.named(name).config["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"])

    def make(self, name: str, image: str, **config: Any) -> Service:
        """Make a service that runs already; `config`: members of CreateService."""
        source = {"ImageRepository": {"ImageIdentifier": image, "ImageRepositoryType": "ECR"}}
        body = {"ServiceName": name, "SourceConfiguration": source, **config}
        wrong = self.model.wrong_request("CreateService", body)
        assert not wrong, wrong
        with self._lock:
            service = self._create(body)
            self._finish(service, service.operations[0])
        return service

    def somebody(self, name: str, type: str = "UPDATE_SERVICE", image: str | None = None) -> Operation:
        """Let somebody else begin something with a service."""
        service = self.named(name)
        after = copy.deepcopy(service.config)
        if image is not None:
            after["SourceConfiguration"]["ImageRepository"]["ImageIdentifier"] = image
        paused = type == "PAUSE_SERVICE" or (type == "UPDATE_SERVICE" and service.status == "PAUSED")
        status = "PAUSED" if paused else "RUNNING"
        with self._lock:
            return self._begin(service, type, after, status)

    # --- services

    def do_CreateService(self, body: dict[str, Any]) -> dict[str, Any]:
        if any(each.name == body["ServiceName"] and each.status != "DELETED" for each in self.services.values()):
            raise AwsError(INVALID, f"Service with the provided name already exists: {body['ServiceName']}.")
        service = self._create(body)
        return {"Service": self._described(service, service.config), "OperationId": service.operations[0].id}

    def do_DescribeService(self, body: dict[str, Any]) -> dict[str, Any]:
        service = self._find(body)
        self._look(service)
        status, config, _ = service.late.pop() if service.late else service.seen()
        return {"Service": self._described(service, config, status)}

    def do_ListServices(self, body: dict[str, Any]) -> dict[str, Any]:
        found = []
        for each in self.services.values() if self.region == REGION else ():
            described = self._described(each, each.config)
            names = ("ServiceName", "ServiceId", "ServiceArn", "ServiceUrl", "CreatedAt", "UpdatedAt", "Status")
            found.append({name: described[name] for name in names})
        return self._page("ServiceSummaryList", found, body)

    def do_ListOperations(self, body: dict[str, Any]) -> dict[str, Any]:
        service = self._find(body)
        if not body.get("NextToken"):
            self._look(service)
        return self._page("OperationSummaryList", service.seen()[2], body)

    def do_UpdateService(self, body: dict[str, Any]) -> dict[str, Any]:
        service = self._find(body)
        if service.status not in ("RUNNING", "PAUSED", "CREATE_FAILED"):
            raise AwsError(STATE, f"Service cannot be updated in the current state: {service.status}.")
        after = copy.deepcopy(service.config)
        given = {key: body[key] for key in CONFIG if key in body}
        source = given.get("SourceConfiguration", after["SourceConfiguration"])
        if ("CodeRepository" in source) != ("CodeRepository" in after["SourceConfiguration"]):
            raise AwsError(INVALID, "a service cannot be switched between code and image")
        instance = {**after["InstanceConfiguration"], **given.pop("InstanceConfiguration", {})}
        after.update(given, InstanceConfiguration=instance)
        self._settle(after)
        paused = service.status == "PAUSED"  # then nothing is deployed
        operation = self._begin(service, "UPDATE_SERVICE", after, "PAUSED" if paused else "RUNNING")
        return {"Service": self._described(service, after), "OperationId": operation.id}

    def do_StartDeployment(self, body: dict[str, Any]) -> dict[str, Any]:
        service = self._find(body)
        if service.status != "RUNNING":
            raise AwsError(self.busy_deployment, f"Service cannot be deployed in the current state: {service.status}.")
        return {"OperationId": self._begin(service, "START_DEPLOYMENT", service.config, "RUNNING").id}

    def do_PauseService(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._turn(body, "PAUSE_SERVICE", "RUNNING", "PAUSED")

    def do_ResumeService(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._turn(body, "RESUME_SERVICE", "PAUSED", "RUNNING")

    def do_DeleteService(self, body: dict[str, Any]) -> dict[str, Any]:
        service = self._find(body)
        if service.at_work:
            raise AwsError(STATE, f"Service cannot be deleted in the current state: {service.status}.")
        operation = self._begin(service, "DELETE_SERVICE", service.config, "DELETED")
        return {"Service": self._described(service, service.config), "OperationId": operation.id}

    # --- tags

    def do_ListTagsForResource(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"Tags": [{"Key": key, "Value": value} for key, value in self._find(body, "ResourceArn").tags.items()]}

    def do_TagResource(self, body: dict[str, Any]) -> dict[str, Any]:
        service = self._find(body, "ResourceArn")
        tags = {**service.tags, **{each["Key"]: each["Value"] for each in body["Tags"]}}
        if len(tags) > 50:
            raise AwsError(INVALID, "more than 50 tags")
        service.tags = tags
        return {}

    def do_UntagResource(self, body: dict[str, Any]) -> dict[str, Any]:
        service = self._find(body, "ResourceArn")
        service.tags = {key: value for key, value in service.tags.items() if key not in body["TagKeys"]}
        return {}

    # --- how it works

    def _find(self, body: dict[str, Any], member: str = "ServiceArn") -> Service:
        service = self.services.get(body[member])
        if service is None or self.region != REGION:
            raise AwsError(MISSING, f"Service with the provided ARN does not exist: {body[member]}.")
        return service

    def _create(self, body: dict[str, Any]) -> Service:
        key, name = uuid.uuid4().hex, body["ServiceName"]
        config = copy.deepcopy({key: body[key] for key in CONFIG if key in body})
        config.setdefault("InstanceConfiguration", {})
        config.setdefault("AutoScalingConfigurationArn", self.scalings.default.arn)
        self._settle(config)
        arn = f"arn:aws:apprunner:{REGION}:{ACCOUNT}:service/{name}/{key}"
        url = self.site.url if self.site is not None else f"{key[:10]}.{REGION}.awsapprunner.com"
        service = Service(name, arn, key, url, config)
        service.tags = {each["Key"]: each["Value"] for each in body.get("Tags", [])}
        self.services[arn] = service
        self._begin(service, "CREATE_SERVICE", config, "RUNNING")
        return service

    def _settle(self, config: dict[str, Any]) -> None:
        """Refuse what contradicts itself, and write the rest as the service does."""
        instance = config["InstanceConfiguration"]
        cpu, memory = canonical(instance.get("Cpu", "1 vCPU"), instance.get("Memory", "2 GB"))
        if memory not in PAIRS[cpu]:
            raise AwsError(INVALID, f"Invalid cpu and memory combination: {cpu}, {memory}.")
        config["InstanceConfiguration"] = {**instance, "Cpu": cpu, "Memory": memory}
        config["AutoScalingConfigurationArn"] = self.scalings.find(config["AutoScalingConfigurationArn"]).arn
        source = config["SourceConfiguration"]
        if ("ImageRepository" in source) == ("CodeRepository" in source):
            raise AwsError(INVALID, "exactly one of ImageRepository and CodeRepository is needed")

    def _begin(self, service: Service, type: str, after: dict[str, Any], status: str) -> Operation:
        service.stale = [service.snapshot()] * self.lag
        operation = Operation(
            type,
            service.arn,
            self._future(service, type, after),
            before=service.config,
            after=copy.deepcopy(after),
            status_before=service.status,
            status_after=status,
        )
        service.operations.insert(0, operation)
        service.status, service.updated = "OPERATION_IN_PROGRESS", time.time()
        if self.shows_new:
            service.config = copy.deepcopy(after)
        return operation

    def _future(self, service: Service, type: str, after: dict[str, Any]) -> list[str]:
        image = after["SourceConfiguration"].get("ImageRepository", {}).get("ImageIdentifier")
        deploys = type not in ("PAUSE_SERVICE", "DELETE_SERVICE") and (
            service.status != "PAUSED" or type == "RESUME_SERVICE"
        )
        if type in self.types_that_fail or (deploys and image in self.images_that_fail):
            if type in ("UPDATE_SERVICE", "START_DEPLOYMENT"):
                end = "ROLLBACK_FAILED" if self.rollback_fails else "ROLLBACK_SUCCEEDED"
                return ["PENDING", "IN_PROGRESS", "ROLLBACK_IN_PROGRESS", end]
            return ["PENDING", "IN_PROGRESS", "FAILED"]
        return ["PENDING", "IN_PROGRESS", "SUCCEEDED"]

    def _look(self, service: Service) -> None:
        operation = service.at_work
        if operation is None or self.stuck:
            return
        operation.looks += 1
        if operation.looks >= self.looks:
            operation.looks = 0
            operation.states.pop(0)
            if operation.over:
                self._finish(service, operation)

    def _finish(self, service: Service, operation: Operation) -> None:
        service.late = [service.snapshot()] * self.late
        operation.states = operation.states[-1:]
        good = operation.status == "SUCCEEDED"
        service.config = operation.after if good else operation.before
        service.status = operation.status_after if good else operation.status_before
        if operation.type == "CREATE_SERVICE" and not good:
            service.status = "CREATE_FAILED"
        operation.ended = service.updated = time.time()
        if self.site is not None:
            running = service.status == "RUNNING"
            repository = service.config["SourceConfiguration"].get("ImageRepository", {})
            self.site.image = repository.get("ImageIdentifier") if running else None
            self.site.environment = repository.get("ImageConfiguration", {}).get("RuntimeEnvironmentVariables", {})

    def _turn(self, body: dict[str, Any], type: str, needed: str, status: str) -> dict[str, Any]:
        service = self._find(body)
        if service.status != needed:
            verb = type.partition("_")[0].lower()
            raise AwsError(STATE, f"Service cannot be {verb}d in the current state: {service.status}.")
        operation = self._begin(service, type, service.config, status)
        return {"Service": self._described(service, service.config), "OperationId": operation.id}

    def _described(self, service: Service, config: dict[str, Any], status: str = "") -> dict[str, Any]:
        shown = json.loads(json.dumps(config))
        scaling = self.scalings.find(shown.pop("AutoScalingConfigurationArn"))
        network = {
            "EgressConfiguration": {"EgressType": "DEFAULT"},
            "IngressConfiguration": {"IsPubliclyAccessible": True},
        }
        health = {
            "Protocol": "TCP",
            "Path": "/",
            "Interval": 5,
            "Timeout": 2,
            "HealthyThreshold": 1,
            "UnhealthyThreshold": 5,
        }
        return {
            "ServiceName": service.name,
            "ServiceId": service.id,
            "ServiceArn": service.arn,
            "ServiceUrl": service.url,
            "CreatedAt": service.created,
            "UpdatedAt": service.updated,
            "Status": status or service.status,
            "NetworkConfiguration": network,
            "HealthCheckConfiguration": health,
            "AutoScalingConfigurationSummary": self.scalings.summary(scaling, used=True),
            **shown,
        }
