"""A fake of Amazon ECS Express Mode, and of what follows its deployments; for boto3 and the `aws` command line.

Every request and every answer is held against botocore's model of the service, declared errors included. What the model
does not say follows the public documentation and what tools that use the service rely on: an update makes a service
revision and a deployment of it; a deployment that fails is rolled back by the service, which stays ACTIVE;
`currentDeployment` is there only while a deployment is at work; a service that does not exist is an
InvalidParameterException that says "Resource not found"; an update during a deployment stops that one.

What it cannot show: how long things take, load balancers and their resources, and whether a change of the scaling alone
makes a deployment (`scaling_deploys`: both can be had).
"""

from __future__ import annotations

import copy
import time
import uuid
from typing import Any

from services.apprunner.site import Site
from services.aws_json import ACCOUNT, REGION, AwsError, JsonService, page
from services.ecs_express import shown
from services.ecs_express.state import CONFIG, MEMORY, ROLE, Deployment, Revision, Service

INVALID = "InvalidParameterException"


class EcsExpress(JsonService):
    """The fake. Time is counted in looks: after `looks` reads, a deployment goes one state on.

    images_that_fail: their deployments are rolled back. rollback_fails: ROLLBACK_FAILED instead. stuck: nothing goes
    on. lag: so many listings after an update do not have its deployment yet. late: so many descriptions after the end of
    a deployment still show the service before it. site: the public address of services.
    """

    service = "ecs"
    invalid = INVALID

    def __init__(self, site: Site | None = None) -> None:
        super().__init__()
        self.site = site
        self.clear()

    def clear(self) -> None:
        self.services: dict[str, Service] = {}
        self.images_that_fail: set[str] = set()
        self.rollback_fails = False
        self.stuck = False
        self.looks = 1
        self.lag = self.late = 0
        self.page_size: int | None = None
        self.scaling_deploys = True

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
        """Return the image that a service runs."""
        active = self.named(name).active
        assert active is not None
        return active.image

    def make(self, name: str, image: str, cluster: str = "default", **config: Any) -> Service:
        """Make a service that runs already; `config`: members of CreateExpressGatewayService."""
        container = {"image": image, **config.pop("primaryContainer", {})}
        body = {
            "serviceName": name,
            "cluster": cluster,
            "infrastructureRoleArn": ROLE,
            "executionRoleArn": ROLE,
            **config,
        }
        body["primaryContainer"] = container
        wrong = self.model.wrong_request("CreateExpressGatewayService", body)
        assert not wrong, wrong
        with self._lock:
            service = self._create(body)
            self._finish(service, service.deployments[0])
        return service

    def somebody(self, name: str, image: str) -> Deployment:
        """Let somebody else deploy an image."""
        with self._lock:
            return self._update(self.named(name), {"primaryContainer": {"image": image}})

    # --- Express Mode

    def do_CreateExpressGatewayService(self, body: dict[str, Any]) -> dict[str, Any]:
        name = body.get("serviceName")
        if any(each.name == name and each.status != "INACTIVE" for each in self.services.values()):
            raise AwsError(INVALID, "Creation of service was not idempotent.")
        return {"service": shown.described(self._create(body))}

    def do_DescribeExpressGatewayService(self, body: dict[str, Any]) -> dict[str, Any]:
        service = self._find(body["serviceArn"])
        self._look(service)
        described = shown.described(service)
        if "TAGS" not in body.get("include", []):
            del described["tags"]
        return {"service": described}

    def do_UpdateExpressGatewayService(self, body: dict[str, Any]) -> dict[str, Any]:
        service = self._find(body["serviceArn"])
        if service.status != "ACTIVE":
            words = f"Cannot perform this operation on a service in {service.status} status."
            raise AwsError("ServiceNotActiveException", words)
        target = self._update(service, {key: body[key] for key in CONFIG if key in body}).target
        return {
            "service": {
                "serviceArn": service.arn,
                "cluster": service.cluster,
                "serviceName": service.name,
                "status": {"statusCode": service.status},
                "targetConfiguration": shown.configuration(target),
                "createdAt": service.created,
                "updatedAt": time.time(),
            }
        }

    def do_DeleteExpressGatewayService(self, body: dict[str, Any]) -> dict[str, Any]:
        service = self._find(body["serviceArn"])
        service.status = "DRAINING"
        return {"service": shown.described(service)}

    # --- services, deployments, revisions

    def do_ListServices(self, body: dict[str, Any]) -> dict[str, Any]:
        cluster = body.get("cluster", "default").rpartition("/")[2]
        found = [each.arn for each in self.services.values() if each.cluster == cluster and self.region == REGION]
        return self._page("serviceArns", found, body)

    def do_DescribeServices(self, body: dict[str, Any]) -> dict[str, Any]:
        cluster = body.get("cluster", "default").rpartition("/")[2]
        found, failures = [], []
        for asked in body["services"]:
            for each in self.services.values():
                if each.cluster == cluster and asked in (each.name, each.arn):
                    self._look(each)
                    found.append(shown.as_service(each))
                    break
            else:
                arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{cluster}/{asked}"
                failures.append({"arn": arn, "reason": "MISSING"})
        return {"services": found, "failures": failures}

    def do_ListServiceDeployments(self, body: dict[str, Any]) -> dict[str, Any]:
        cluster = body.get("cluster", "default").rpartition("/")[2]
        for service in self.services.values():
            if body["service"] in (service.arn, service.name) and cluster == service.cluster:
                break
        else:
            raise AwsError("ServiceNotFoundException", "Service not found.")
        if not body.get("nextToken"):
            self._look(service)
        found = service.deployments
        if service.unseen and not body.get("nextToken"):
            service.unseen -= 1
            found = found[1:]
        period = body.get("createdAt", {})
        listed = [
            shown.brief(service, each)
            for each in found
            if period.get("after", 0) <= each.created <= period.get("before", each.created)
            and each.status in body.get("status", [each.status])
        ]
        return self._page("serviceDeployments", listed, body)

    def do_DescribeServiceDeployments(self, body: dict[str, Any]) -> dict[str, Any]:
        found, failures = [], []
        for arn in body["serviceDeploymentArns"]:
            for service in self.services.values():
                match = [each for each in service.deployments if each.arn == arn]
                if match:
                    self._look(service)
                    found.append(shown.deployment(service, match[0]))
                    break
            else:
                failures.append({"arn": arn, "reason": "MISSING"})
        return {"serviceDeployments": found, "failures": failures}

    def do_DescribeServiceRevisions(self, body: dict[str, Any]) -> dict[str, Any]:
        known = {each.arn: (service, each) for service in self.services.values() for each in service.revisions}
        asked = body["serviceRevisionArns"]
        return {
            "serviceRevisions": [shown.revision(*known[arn]) for arn in asked if arn in known],
            "failures": [{"arn": arn, "reason": "MISSING"} for arn in asked if arn not in known],
        }

    def do_StopServiceDeployment(self, body: dict[str, Any]) -> dict[str, Any]:
        arn = body["serviceDeploymentArn"]
        for service in self.services.values():
            at_work = service.at_work
            if at_work is not None and at_work.arn == arn:
                rolls_back = body.get("stopType", "ROLLBACK") == "ROLLBACK"
                at_work.states = (
                    ["ROLLBACK_REQUESTED", "ROLLBACK_SUCCESSFUL"] if rolls_back else ["STOP_REQUESTED", "STOPPED"]
                )
                return {"serviceDeploymentArn": arn}
        raise AwsError("ServiceDeploymentNotFoundException", "Service deployment not found.")

    # --- tags

    def do_ListTagsForResource(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"tags": shown.tags(self._find(body["resourceArn"]).tags)}

    def do_TagResource(self, body: dict[str, Any]) -> dict[str, Any]:
        self._find(body["resourceArn"]).tags.update({each["key"]: each.get("value", "") for each in body["tags"]})
        return {}

    def do_UntagResource(self, body: dict[str, Any]) -> dict[str, Any]:
        service = self._find(body["resourceArn"])
        service.tags = {key: value for key, value in service.tags.items() if key not in body["tagKeys"]}
        return {}

    # --- how it works

    def _find(self, arn: str) -> Service:
        service = self.services.get(arn)
        if service is None or self.region != REGION:
            raise AwsError(INVALID, f"Resource not found: {arn}")
        return service

    def _create(self, body: dict[str, Any]) -> Service:
        name, cluster = body.get("serviceName", "service-" + uuid.uuid4().hex[:8]), body.get("cluster", "default")
        service = Service(name, cluster, f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{cluster}/{name}")
        service.endpoint = self.site.url if self.site is not None else f"{name}.ecs.{REGION}.on.aws"
        service.tags = {each["key"]: each.get("value", "") for each in body.get("tags", [])}
        scaling = {
            "minTaskCount": 1,
            "maxTaskCount": 20,
            "autoScalingMetric": "AVERAGE_CPU",
            "autoScalingTargetValue": 60,
        }
        config = {
            "healthCheckPath": "/",
            "cpu": "1024",
            "memory": "2048",
            "cpuArchitecture": "X86_64",
            "scalingTarget": scaling,
        }
        config.update({key: body[key] for key in CONFIG if key in body})
        self._deploy(service, config)
        self.services[service.arn] = service
        return service

    def _update(self, service: Service, given: dict[str, Any]) -> Deployment:
        newest = service.deployments[0]
        if service.at_work:  # it is replaced by the new one
            newest.states, newest.ended, newest.reason = ["STOPPED"], time.time(), "replaced by another deployment"
        config = copy.deepcopy(newest.target.config if newest.status == "STOPPED" else service.running.config)
        config.update(copy.deepcopy(given))
        if not self.scaling_deploys and set(given) == {"scalingTarget"}:
            service.running.config = config
            return Deployment("", None, service.running, ["SUCCESSFUL"])
        return self._deploy(service, config)

    def _deploy(self, service: Service, config: dict[str, Any]) -> Deployment:
        if config["memory"] not in MEMORY.get(config["cpu"], ()):
            raise AwsError(
                INVALID,
                f"No Fargate configuration exists for given values: {config['cpu']} CPU, {config['memory']} memory.",
            )
        config["primaryContainer"] = {"containerPort": 80, **config["primaryContainer"]}
        place = f"{service.cluster}/{service.name}"
        arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service-revision/{place}/{uuid.uuid4().int % 10**19}"
        revision = Revision(arn, config)
        states = ["PENDING", "IN_PROGRESS", "SUCCESSFUL"]
        if revision.image in self.images_that_fail:
            states[2:] = ["ROLLBACK_IN_PROGRESS", "ROLLBACK_FAILED" if self.rollback_fails else "ROLLBACK_SUCCESSFUL"]
        arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service-deployment/{place}/{uuid.uuid4().hex[:21]}"
        deployment = Deployment(arn, service.active, revision, states)
        service.revisions.insert(0, revision)
        service.deployments.insert(0, deployment)
        service.unseen = self.lag
        return deployment

    def _look(self, service: Service) -> None:
        deployment = service.at_work
        if deployment is None or self.stuck:
            return
        deployment.looks += 1
        if deployment.looks >= self.looks:
            deployment.looks = 0
            deployment.states.pop(0)
            if deployment.status.startswith("ROLLBACK"):
                deployment.reason = "Service deployment rolled back because the circuit breaker threshold was exceeded."
            if deployment.over:
                self._finish(service, deployment)

    def _finish(self, service: Service, deployment: Deployment) -> None:
        service.late = [service.active] * self.late
        deployment.states = deployment.states[-1:]
        deployment.ended = time.time()
        if deployment.status == "SUCCESSFUL":
            service.active = deployment.target
        if self.site is not None and service.active is not None:
            self.site.image = service.active.image

    def _page(self, member: str, items: list[Any], body: dict[str, Any]) -> dict[str, Any]:
        listed, token = page(items, body.get("nextToken"), body.get("maxResults", self.page_size))
        return {member: listed, **({"nextToken": token} if token else {})}
