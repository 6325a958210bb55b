"""How the fake of ECS Express Mode answers what it remembers."""

from __future__ import annotations

import copy
import json
from typing import Any

from services.aws_json import ACCOUNT, REGION
from services.ecs_express.state import ROLE, Deployment, Revision, Service


def configuration(revision: Revision, service: Service | None = None) -> dict[str, Any]:
    shown = {**copy.deepcopy(revision.config), "serviceRevisionArn": revision.arn, "createdAt": revision.created}
    if service is not None:
        shown["ingressPaths"] = [{"accessType": "PUBLIC", "endpoint": service.endpoint}]
    return json.loads(json.dumps(shown))


def described(service: Service) -> dict[str, Any]:
    at_work = service.at_work
    serves = service.late.pop() if service.late else service.active
    active = [each for each in (serves, at_work.target if at_work else None) if each is not None]
    shown = {
        "cluster": service.cluster,
        "serviceName": service.name,
        "serviceArn": service.arn,
        "infrastructureRoleArn": ROLE,
        "status": {"statusCode": service.status},
        "activeConfigurations": [configuration(each, service) for each in active],
        "tags": tags(service.tags),
        "createdAt": service.created,
        "updatedAt": service.deployments[0].ended or service.deployments[0].created,
    }
    return {**shown, "currentDeployment": at_work.arn} if at_work else shown


def as_service(service: Service) -> dict[str, Any]:
    least = service.running.config["scalingTarget"].get("minTaskCount", 1)
    return {
        "serviceArn": service.arn,
        "serviceName": service.name,
        "clusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{service.cluster}",
        "status": service.status,
        "desiredCount": least,
        "runningCount": least if service.active else 0,
        "pendingCount": 0,
        "resourceManagementType": "ECS",
        "createdAt": service.created,
    }


def brief(service: Service, each: Deployment) -> dict[str, Any]:
    shown = {
        "serviceDeploymentArn": each.arn,
        "serviceArn": service.arn,
        "clusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{service.cluster}",
        "createdAt": each.created,
        "startedAt": each.created,
        "targetServiceRevisionArn": each.target.arn,
        "status": each.status,
    }
    if each.reason:
        shown["statusReason"] = each.reason
    return {**shown, "finishedAt": each.ended} if each.ended else shown


def deployment(service: Service, each: Deployment) -> dict[str, Any]:
    shown = brief(service, each)
    shown["targetServiceRevision"] = {"arn": shown.pop("targetServiceRevisionArn")}
    shown["sourceServiceRevisions"] = [{"arn": each.source.arn}] if each.source else []
    if each.status.startswith("ROLLBACK") and each.source:
        shown["rollback"] = {
            "reason": each.reason,
            "startedAt": each.created,
            "serviceRevisionArn": each.source.arn,
        }
    return shown


def revision(service: Service, each: Revision) -> dict[str, Any]:
    return {
        "serviceRevisionArn": each.arn,
        "serviceArn": service.arn,
        "clusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{service.cluster}",
        "launchType": "FARGATE",
        "containerImages": [{"containerName": "Main", "image": each.image}],
        "createdAt": each.created,
    }


def tags(found: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in found.items()]
