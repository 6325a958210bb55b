"""A container service on each platform, with images in ECR, for tests of the tasks that work on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3

from services.apprunner import AppRunner
from services.aws_json import ACCOUNT
from services.ecs_express import EcsExpress
from support.cloud import AWS, Ran, run

REPOSITORY = "spendsense-api"
HOST = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"
NAME = "spendsense-api"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:openai-AbCdEf"


def push(tag: str) -> str:
    """Push an image to ECR, and return its name with the digest."""
    config = {"digest": "sha256:" + hashlib.sha256(tag.encode()).hexdigest(), "size": 1}
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": config, "layers": []})
    boto3.client("ecr").put_image(repositoryName=REPOSITORY, imageManifest=manifest, imageTag=tag)
    return f"{HOST}/{REPOSITORY}@sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"


class Service:
    """The service under test. v1 runs; v2 and v3 are in the repository."""

    def __init__(self, fake: AppRunner | EcsExpress) -> None:
        self.fake = fake
        self.on_app_runner = isinstance(fake, AppRunner)
        self.platform = "app_runner" if self.on_app_runner else "ecs_express"
        self.update = "UpdateService" if self.on_app_runner else "UpdateExpressGatewayService"
        self.describe = "DescribeService" if self.on_app_runner else "DescribeExpressGatewayService"
        self.list = "ListOperations" if self.on_app_runner else "ListServiceDeployments"
        boto3.client("ecr").create_repository(repositoryName=REPOSITORY)
        self.v1, self.v2, self.v3 = push("v1"), push("v2"), push("v3")
        self.made: Any = fake.make(NAME, self.v1, **self._environment({"LOG_LEVEL": "info", "PASSWORD": "old-canary"}))
        fake.requests.clear()

    def _environment(self, variables: dict[str, str]) -> dict[str, Any]:
        secrets = {"OPENAI_API_KEY": SECRET}
        if not self.on_app_runner:
            listed = [{"name": key, "value": value} for key, value in variables.items()]
            kept = [{"name": key, "valueFrom": value} for key, value in secrets.items()]
            return {"primaryContainer": {"environment": listed, "secrets": kept, "containerPort": 8000}}
        image = {"RuntimeEnvironmentVariables": variables, "RuntimeEnvironmentSecrets": secrets, "Port": "8000"}
        repository = {"ImageIdentifier": self.v1, "ImageRepositoryType": "ECR", "ImageConfiguration": image}
        role = {"AccessRoleArn": f"arn:aws:iam::{ACCOUNT}:role/service-role/AppRunnerECRAccessRole"}
        return {"SourceConfiguration": {"ImageRepository": repository, "AuthenticationConfiguration": role}}

    def run(self, task: str, *, check: bool = False, **args: Any) -> Ran:
        """Run a task on it."""
        given = {**AWS, "wait": 200, "service": NAME, "platform": self.platform, **args}
        if task in ("container_deploy", "container_rollback"):
            given.setdefault("http", {"url": "/health", "wait": 0})
        return run(task, given, check=check)

    @property
    def serving(self) -> str | None:
        """The image that the public address answers with."""
        assert self.fake.site is not None
        return self.fake.site.image

    @property
    def environment(self) -> tuple[dict[str, str], dict[str, str]]:
        """Variables and secrets, as the platform has them."""
        if not self.on_app_runner:
            container = self.made.active.config["primaryContainer"]
            variables = {each["name"]: each["value"] for each in container["environment"]}
            return variables, {each["name"]: each["valueFrom"] for each in container["secrets"]}
        image = self.made.config["SourceConfiguration"]["ImageRepository"]["ImageConfiguration"]
        return image["RuntimeEnvironmentVariables"], image["RuntimeEnvironmentSecrets"]

    @property
    def size(self) -> tuple[str, str]:
        """CPU and memory, as the platform has them."""
        if not self.on_app_runner:
            return self.made.active.config["cpu"], self.made.active.config["memory"]
        instance = self.made.config["InstanceConfiguration"]
        return instance["Cpu"], instance["Memory"]

    @property
    def writes(self) -> list[str]:
        """The operations that reached the platform and may change something."""
        return [call.operation for call in self.fake.mutations]

    @property
    def begun(self) -> int:
        """How many operations there were since it was made."""
        return len(self.made.operations if self.on_app_runner else self.made.deployments) - 1

    def twist_status(self, word: str, times: int | None = 1) -> None:
        """Let the next listings say that the newest operation is in a state of this name."""

        def change(body: Any) -> None:
            newest = (body.get("OperationSummaryList") or body.get("serviceDeployments"))[0]
            newest["Status" if self.on_app_runner else "status"] = word

        self.fake.twist(self.list, change, times=times)


@dataclass(frozen=True)
class Act:
    """Something that a task does to a service: what has to be before, the write that does it, how it is seen done."""

    platform: str
    task: str
    write: str
    done: Callable[[Service], bool]
    args: Mapping[str, Any] = field(default_factory=dict)
    before: Callable[[Service], object] = lambda service: None
    repeats: bool = False  # an act that is no state: it is done again by a second run

    def __str__(self) -> str:
        more = [str(each) for each in self.args.values() if isinstance(each, str) and each.isalpha()]
        return "-".join([self.platform, self.task, *more])

    def run(self, service: Service, /, **more: Any) -> Ran:
        """Do it."""
        return service.run(self.task, **{**self.args, **more})


def _paused(service: Service) -> None:
    assert service.run("container_state", state="paused").status == "changed"


def _deployed(service: Service) -> None:
    assert service.run("container_deploy", image="spendsense-api:v2").status == "changed"


def _scaling(service: Service) -> tuple[int, int, int | None]:
    if not service.on_app_runner:
        found = service.made.active.config["scalingTarget"]
        return found["minTaskCount"], found["maxTaskCount"], None
    found = service.fake.scalings.find(service.made.config["AutoScalingConfigurationArn"])
    return found.least, found.most, found.most_requests


def _edited(service: Service) -> bool:
    return service.environment == (
        {"LOG_LEVEL": "info", "PASSWORD": "new-canary", "TOKEN": "new-canary"},
        {"DATABASE_URL": SECRET},
    )


EDITS = {
    "variables": {"PASSWORD": "new-canary", "TOKEN": "new-canary"},
    "secrets_from": {"DATABASE_URL": SECRET},
    "unset": ["OPENAI_API_KEY", "NEVER_THERE"],
}
_BOTH = (
    ("container_deploy", {"image": "spendsense-api:v2"}, lambda service: service.serving == service.v2, None),
    ("container_rollback", {}, lambda service: service.serving == service.v1, _deployed),
    ("container_scale", {"cpu": 2, "memory": "4G"}, lambda service: service.size == ("2048", "4096"), None),
    ("container_env", EDITS, _edited, None),
    ("container_autoscaling", {"min_size": 2, "max_size": 6}, lambda service: _scaling(service)[:2] == (2, 6), None),
)
ACTS = [
    Act(platform, task, write, done, args, *([before] if before else []))
    for platform, write in (("apprunner", "UpdateService"), ("ecs", "UpdateExpressGatewayService"))
    for task, args, done, before in _BOTH
]
ACTS += [
    Act("apprunner", "container_restart", "StartDeployment", lambda service: service.begun == 1, repeats=True),
    Act("apprunner", "container_state", "PauseService", lambda service: service.serving is None, {"state": "paused"}),
    Act(
        "apprunner",
        "container_state",
        "ResumeService",
        lambda service: service.serving == service.v1,
        {"state": "running"},
        _paused,
    ),
]
