"""The fake of ECS Express Mode: held against AWS's model in both directions."""

from __future__ import annotations

import time
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from services.aws_json import ACCOUNT
from services.ecs_express import ROLE, EcsExpress

ECR = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/api"
OLD, NEW = f"{ECR}:v1", f"{ECR}@sha256:{'b' * 64}"


@pytest.fixture
def client(ecs: EcsExpress) -> Any:
    return boto3.client("ecs", config=Config(retries={"total_max_attempts": 1}))


def ends(client: Any, arn: str, looks: int = 10) -> list[str]:
    """Return the states of the newest deployment, until its end."""
    seen: list[str] = []
    newest = client.list_service_deployments(service=arn)["serviceDeployments"][0]["serviceDeploymentArn"]
    for _ in range(looks):
        found = client.describe_service_deployments(serviceDeploymentArns=[newest])["serviceDeployments"][0]
        seen.append(found["status"])
        if "finishedAt" in found:
            break
    return seen


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_a_service_is_made_updated_and_deleted(ecs: EcsExpress, client: Any) -> None:
    made = client.create_express_gateway_service(
        serviceName="api", infrastructureRoleArn=ROLE, executionRoleArn=ROLE, primaryContainer={"image": OLD}
    )["service"]
    arn = made["serviceArn"]
    assert made["currentDeployment"]
    assert ends(client, arn)[-1] == "SUCCESSFUL"
    before = client.describe_express_gateway_service(serviceArn=arn)["service"]
    assert "currentDeployment" not in before
    updated = client.update_express_gateway_service(
        serviceArn=arn, primaryContainer={"image": NEW}, cpu="512", memory="1024"
    )
    target = updated["service"]["targetConfiguration"]["serviceRevisionArn"]
    newest = client.list_service_deployments(service="api")["serviceDeployments"][0]
    assert newest["targetServiceRevisionArn"] == target
    assert ends(client, arn)[-1] == "SUCCESSFUL"
    [active] = client.describe_express_gateway_service(serviceArn=arn)["service"]["activeConfigurations"]
    assert (active["primaryContainer"]["image"], active["cpu"], active["serviceRevisionArn"]) == (NEW, "512", target)
    assert ecs.site is not None
    assert ecs.site.image == NEW
    client.delete_express_gateway_service(serviceArn=arn)
    assert refusal(client.update_express_gateway_service, serviceArn=arn)[0] == "ServiceNotActiveException"


def test_what_fails_is_rolled_back_and_the_service_stays_active(ecs: EcsExpress, client: Any) -> None:
    arn = ecs.make("api", OLD).arn
    ecs.images_that_fail = {NEW}
    client.update_express_gateway_service(serviceArn=arn, primaryContainer={"image": NEW})
    assert ends(client, arn) == ["ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"]
    service = client.describe_express_gateway_service(serviceArn=arn)["service"]
    assert service["status"]["statusCode"] == "ACTIVE"
    assert [each["primaryContainer"]["image"] for each in service["activeConfigurations"]] == [OLD]


def test_an_update_stops_the_deployment_before(ecs: EcsExpress, client: Any) -> None:
    arn = ecs.make("api", OLD).arn
    somebodys = ecs.somebody("api", f"{ECR}:theirs")
    client.update_express_gateway_service(serviceArn=arn, primaryContainer={"image": NEW})
    assert ends(client, arn)[-1] == "SUCCESSFUL"
    found = client.describe_service_deployments(serviceDeploymentArns=[somebodys.arn])["serviceDeployments"][0]
    assert found["status"] == "STOPPED"


def test_a_deployment_can_be_stopped(ecs: EcsExpress, client: Any) -> None:
    arn = ecs.make("api", OLD).arn
    deployment = ecs.somebody("api", NEW)
    client.stop_service_deployment(serviceDeploymentArn=deployment.arn, stopType="ROLLBACK")
    assert ends(client, arn)[-1] == "ROLLBACK_SUCCESSFUL"
    assert ecs.image("api") == OLD


def test_revisions_and_deployments_tell_what_was_there_before(ecs: EcsExpress, client: Any) -> None:
    arn = ecs.make("api", OLD).arn
    client.update_express_gateway_service(serviceArn=arn, primaryContainer={"image": NEW})
    ends(client, arn)
    newest = client.list_service_deployments(service=arn)["serviceDeployments"][0]["serviceDeploymentArn"]
    [found] = client.describe_service_deployments(serviceDeploymentArns=[newest])["serviceDeployments"]
    source = found["sourceServiceRevisions"][0]["arn"]
    [revision] = client.describe_service_revisions(serviceRevisionArns=[source])["serviceRevisions"]
    assert revision["containerImages"][0]["image"] == OLD
    assert client.describe_service_revisions(serviceRevisionArns=["arn:none"])["failures"][0]["reason"] == "MISSING"


def test_services_are_found_by_name(ecs: EcsExpress, client: Any) -> None:
    arn = ecs.make("api", OLD, cluster="prod").arn
    assert client.list_services(cluster="prod")["serviceArns"] == [arn]
    found = client.describe_services(cluster="prod", services=["api", "web"])
    assert [each["serviceArn"] for each in found["services"]] == [arn]
    assert [each["reason"] for each in found["failures"]] == ["MISSING"]
    assert client.describe_services(services=["api"])["services"] == []


def test_a_new_deployment_may_be_listed_late(ecs: EcsExpress, client: Any) -> None:
    arn = ecs.make("api", OLD).arn
    ecs.lag = 2
    began = time.time()
    client.update_express_gateway_service(serviceArn=arn, primaryContainer={"image": NEW})

    def listed() -> int:
        return len(client.list_service_deployments(service=arn, createdAt={"after": began})["serviceDeployments"])

    assert [listed() for _ in range(3)] == [0, 0, 1]


def test_listings_come_in_pages(ecs: EcsExpress, client: Any) -> None:
    arn = ecs.make("api", OLD).arn
    ecs.somebody("api", NEW)
    ecs.page_size = 1
    first = client.list_service_deployments(service=arn)
    second = client.list_service_deployments(service=arn, nextToken=first["nextToken"])
    assert first["serviceDeployments"] != second["serviceDeployments"]
    assert "nextToken" not in second


def test_tags_are_shown_when_asked_for(ecs: EcsExpress, client: Any) -> None:
    arn = ecs.make("api", OLD).arn
    client.tag_resource(resourceArn=arn, tags=[{"key": "opslib:image", "value": NEW}])
    shown = client.describe_express_gateway_service(serviceArn=arn, include=["TAGS"])["service"]
    assert (
        shown["tags"]
        == client.list_tags_for_resource(resourceArn=arn)["tags"]
        == [{"key": "opslib:image", "value": NEW}]
    )
    assert "tags" not in client.describe_express_gateway_service(serviceArn=arn)["service"]
    assert (
        refusal(client.tag_resource, resourceArn=arn, tags=[{"key": "a", "value": "#{1}"}])[0]
        == "InvalidParameterException"
    )


def test_what_cannot_be_is_refused(ecs: EcsExpress, client: Any) -> None:
    arn = ecs.make("api", OLD).arn
    update = client.update_express_gateway_service
    assert "Fargate" in refusal(update, serviceArn=arn, cpu="256", memory="8192")[1]
    assert "is none of" in refusal(update, serviceArn=arn, scalingTarget={"autoScalingMetric": "LUCK"})[1]
    code, said = refusal(client.describe_express_gateway_service, serviceArn=arn + "x")
    assert (code, "Resource not found" in said) == ("InvalidParameterException", True)


def test_a_fake_that_answers_what_aws_never_would_is_caught(ecs: EcsExpress, client: Any, monkeypatch: Any) -> None:
    arn = ecs.make("api", OLD).arn
    monkeypatch.setattr(
        ecs, "do_DescribeExpressGatewayService", lambda body: {"service": {"status": {"statusCode": "FINE"}}}
    )
    assert "'FINE' is none of ACTIVE" in refusal(client.describe_express_gateway_service, serviceArn=arn)[1]
    assert ecs.wrong
    ecs.wrong.clear()
