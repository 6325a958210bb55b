"""The fake of App Runner: held against AWS's model in both directions, driven by boto3 and by `aws`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from services.apprunner import AppRunner
from services.apprunner.state import PAIRS
from services.aws_json import ACCOUNT, CREDENTIALS

ECR = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/api"
OLD, NEW = f"{ECR}:v1", f"{ECR}@sha256:{'b' * 64}"


@pytest.fixture
def client(apprunner: AppRunner) -> Any:
    return boto3.client("apprunner", config=Config(retries={"total_max_attempts": 1}))


def source(image: str) -> dict[str, Any]:
    return {"ImageRepository": {"ImageIdentifier": image, "ImageRepositoryType": "ECR"}}


def ends(client: Any, arn: str, looks: int = 20) -> list[str]:
    """Return the states of the newest operation, until its end."""
    seen = []
    for _ in range(looks):
        seen.append(client.list_operations(ServiceArn=arn)["OperationSummaryList"][0]["Status"])
        if seen[-1] not in ("PENDING", "IN_PROGRESS", "ROLLBACK_IN_PROGRESS"):
            break
    return seen


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def health(apprunner: AppRunner) -> Any:
    assert apprunner.site is not None
    with urllib.request.urlopen(apprunner.site.url + "/health") as answer:
        return json.load(answer)


def test_a_service_is_made_updated_paused_resumed_and_deleted(apprunner: AppRunner, client: Any) -> None:
    arn = client.create_service(ServiceName="spendsense-api", SourceConfiguration=source(OLD))["Service"]["ServiceArn"]
    assert ends(client, arn) == ["IN_PROGRESS", "SUCCEEDED"]
    assert health(apprunner)["image"] == OLD
    client.update_service(ServiceArn=arn, SourceConfiguration=source(NEW))
    assert client.describe_service(ServiceArn=arn)["Service"]["Status"] == "OPERATION_IN_PROGRESS"
    assert ends(client, arn)[-1] == "SUCCEEDED"
    assert health(apprunner)["image"] == NEW
    client.pause_service(ServiceArn=arn)
    ends(client, arn)
    with pytest.raises(urllib.error.HTTPError):
        health(apprunner)
    assert client.describe_service(ServiceArn=arn)["Service"]["Status"] == "PAUSED"
    client.resume_service(ServiceArn=arn)
    ends(client, arn)
    client.delete_service(ServiceArn=arn)
    ends(client, arn)
    assert client.describe_service(ServiceArn=arn)["Service"]["Status"] == "DELETED"
    kinds = [each["Type"] for each in client.list_operations(ServiceArn=arn)["OperationSummaryList"]]
    assert kinds == ["DELETE_SERVICE", "RESUME_SERVICE", "PAUSE_SERVICE", "UPDATE_SERVICE", "CREATE_SERVICE"]


@pytest.mark.parametrize("how", ["update", "deployment"])
def test_what_fails_is_rolled_back_by_the_service_and_only_the_operation_says_so(
    apprunner: AppRunner, client: Any, how: str
) -> None:
    arn = apprunner.make("spendsense-api", OLD).arn
    apprunner.images_that_fail = {OLD if how == "deployment" else NEW}
    if how == "update":
        client.update_service(ServiceArn=arn, SourceConfiguration=source(NEW))
    else:
        client.start_deployment(ServiceArn=arn)
    assert ends(client, arn) == ["IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCEEDED"]
    service = client.describe_service(ServiceArn=arn)["Service"]
    assert (service["Status"], apprunner.image("spendsense-api")) == ("RUNNING", OLD)


def test_a_deployment_takes_the_configured_image(apprunner: AppRunner, client: Any) -> None:
    arn = apprunner.make("spendsense-api", OLD).arn
    client.start_deployment(ServiceArn=arn)
    assert ends(client, arn)[-1] == "SUCCEEDED"
    assert health(apprunner)["image"] == OLD


def test_a_busy_service_refuses(apprunner: AppRunner, client: Any) -> None:
    arn = apprunner.make("spendsense-api", OLD).arn
    apprunner.stuck = True
    apprunner.somebody("spendsense-api")
    assert refusal(client.update_service, ServiceArn=arn)[0] == "InvalidStateException"
    assert refusal(client.pause_service, ServiceArn=arn)[0] == "InvalidStateException"
    assert refusal(client.delete_service, ServiceArn=arn)[0] == "InvalidStateException"
    assert refusal(client.start_deployment, ServiceArn=arn)[0] == "InvalidRequestException"
    assert ends(client, arn, looks=5) == ["PENDING"] * 5


def test_a_paused_service_is_configured_and_not_deployed(apprunner: AppRunner, client: Any) -> None:
    arn = apprunner.make("spendsense-api", OLD).arn
    client.pause_service(ServiceArn=arn)
    ends(client, arn)
    apprunner.images_that_fail = {NEW}
    client.update_service(ServiceArn=arn, SourceConfiguration=source(NEW))
    assert ends(client, arn)[-1] == "SUCCEEDED"
    assert client.describe_service(ServiceArn=arn)["Service"]["Status"] == "PAUSED"
    client.resume_service(ServiceArn=arn)
    assert ends(client, arn)[-1] == "FAILED"


def test_only_pairs_of_cpu_and_memory_that_exist(apprunner: AppRunner, client: Any) -> None:
    arn = apprunner.make("spendsense-api", OLD).arn
    client.update_service(ServiceArn=arn, InstanceConfiguration={"Cpu": "2 vCPU", "Memory": "4 GB"})
    ends(client, arn)
    service = client.describe_service(ServiceArn=arn)["Service"]
    assert service["InstanceConfiguration"] == {"Cpu": "2048", "Memory": "4096"}
    for cpu in PAIRS:
        for memory in {each for many in PAIRS.values() for each in many} - set(PAIRS[cpu]):
            assert (
                "combination"
                in refusal(client.update_service, ServiceArn=arn, InstanceConfiguration={"Cpu": cpu, "Memory": memory})[
                    1
                ]
            )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"InstanceConfiguration": {"Cpu": "3 vCPU"}}, "does not match"),
        ({"HealthCheckConfiguration": {"Protocol": "UDP"}}, "is none of TCP, HTTP"),
        ({"HealthCheckConfiguration": {"Interval": 21}}, "21 is above 20"),
        ({"SourceConfiguration": source("docker.io/api:v1")}, "does not match"),
    ],
)
def test_a_request_that_boto_lets_pass_and_the_model_does_not(
    apprunner: AppRunner, client: Any, arguments: Any, words: str
) -> None:
    arn = apprunner.make("spendsense-api", OLD).arn
    code, said = refusal(client.update_service, ServiceArn=arn, **arguments)
    assert code == "InvalidRequestException"
    assert words in said


def test_members_that_do_not_exist_are_refused(apprunner: AppRunner) -> None:
    arn = apprunner.make("spendsense-api", OLD).arn
    body = json.dumps({"ServiceArn": arn, "Force": True}).encode()
    asked = urllib.request.Request(apprunner.url, body, {"X-Amz-Target": "AppRunner.StartDeployment"})
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(asked)
    with error.value:
        assert ".Force: there is no such member" in json.load(error.value)["message"]
    assert apprunner.mutations[-1].body == {"ServiceArn": arn, "Force": True}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"Service": {}}, ".Service.ServiceName: is required"),
        ({"Service": [], "More": 1}, ".More: there is no such member"),
        ("no structure", "a structure is expected"),
    ],
)
def test_a_fake_that_answers_what_aws_never_would_is_caught(
    apprunner: AppRunner, client: Any, monkeypatch: Any, wrong: Any, words: str
) -> None:
    monkeypatch.setattr(apprunner, "do_DescribeService", lambda body: wrong)
    arn = apprunner.make("spendsense-api", OLD).arn
    assert words in refusal(client.describe_service, ServiceArn=arn)[1]
    assert words in apprunner.wrong[0]
    apprunner.wrong.clear()


def test_a_fake_with_an_error_that_is_not_declared_is_caught(apprunner: AppRunner, client: Any) -> None:
    arn = apprunner.make("spendsense-api", OLD).arn
    apprunner.busy_deployment = "InvalidStateException"
    apprunner.stuck = True
    apprunner.somebody("spendsense-api")
    assert "InvalidStateException is not declared" in refusal(client.start_deployment, ServiceArn=arn)[1]
    apprunner.wrong.clear()


def test_auto_scaling_configurations_have_revisions(apprunner: AppRunner, client: Any) -> None:
    def create(**settings: int) -> Any:
        made = client.create_auto_scaling_configuration(AutoScalingConfigurationName="spendsense", **settings)
        return made["AutoScalingConfiguration"]

    first, second = create(MinSize=1, MaxSize=3), create(MinSize=2, MaxSize=5, MaxConcurrency=50)
    assert (first["AutoScalingConfigurationRevision"], second["AutoScalingConfigurationRevision"]) == (1, 2)
    arn = apprunner.make("spendsense-api", OLD).arn
    client.update_service(ServiceArn=arn, AutoScalingConfigurationArn=second["AutoScalingConfigurationArn"])
    ends(client, arn)
    summary = client.describe_service(ServiceArn=arn)["Service"]["AutoScalingConfigurationSummary"]
    assert (summary["AutoScalingConfigurationName"], summary["AutoScalingConfigurationRevision"]) == ("spendsense", 2)
    for asked, revisions in (({}, {2}), ({"LatestOnly": True}, {2}), ({"LatestOnly": False}, {1, 2})):
        told = client.list_auto_scaling_configurations(AutoScalingConfigurationName="spendsense", **asked)
        listed = told["AutoScalingConfigurationSummaryList"]
        assert {each["AutoScalingConfigurationRevision"] for each in listed} == revisions
    by_name = first["AutoScalingConfigurationArn"].rpartition("/")[0].rpartition("/")[0]
    found = client.describe_auto_scaling_configuration(AutoScalingConfigurationArn=by_name)["AutoScalingConfiguration"]
    assert (found["MaxConcurrency"], found["Latest"]) == (50, True)
    used = second["AutoScalingConfigurationArn"]
    assert "in use" in refusal(client.delete_auto_scaling_configuration, AutoScalingConfigurationArn=used)[1]
    assert "MinSize" in refusal(lambda: create(MinSize=4, MaxSize=3))[1]


def test_tags_are_kept_on_services(apprunner: AppRunner, client: Any) -> None:
    arn = apprunner.make("spendsense-api", OLD).arn
    client.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    client.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert client.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]


def test_listings_come_in_pages(apprunner: AppRunner, client: Any) -> None:
    for number in range(5):
        apprunner.make(f"service-{number}", OLD)
    apprunner.page_size = 2
    first = client.list_services()
    assert len(first["ServiceSummaryList"]) == 2
    second = client.list_services(NextToken=first["NextToken"])
    assert [each["ServiceName"] for each in second["ServiceSummaryList"]] == ["service-2", "service-3"]
    assert "NextToken" not in client.list_services(NextToken=second["NextToken"])


def test_another_region_has_no_services(apprunner: AppRunner) -> None:
    arn = apprunner.make("spendsense-api", OLD).arn
    elsewhere = boto3.client("apprunner", region_name="eu-west-1")
    assert elsewhere.list_services()["ServiceSummaryList"] == []
    assert refusal(elsewhere.describe_service, ServiceArn=arn)[0] == "ResourceNotFoundException"


def test_reads_may_lag_behind(apprunner: AppRunner, client: Any) -> None:
    arn = apprunner.make("spendsense-api", OLD).arn
    apprunner.lag = 2
    client.start_deployment(ServiceArn=arn)
    seen = [client.describe_service(ServiceArn=arn)["Service"]["Status"] for _ in range(2)]
    assert seen == ["RUNNING", "RUNNING"]
    assert client.list_operations(ServiceArn=arn)["OperationSummaryList"][0]["Type"] == "START_DEPLOYMENT"


def test_a_change_may_take_effect_and_its_answer_be_lost(apprunner: AppRunner, client: Any) -> None:
    arn = apprunner.make("spendsense-api", OLD).arn
    apprunner.fail("UpdateService", after_effect=True)
    assert refusal(client.update_service, ServiceArn=arn, SourceConfiguration=source(NEW))[0] == "InternalFailure"
    assert ends(client, arn)[-1] == "SUCCEEDED"
    assert apprunner.image("spendsense-api") == NEW
    assert len(apprunner.mutations) == 1


def test_a_change_may_be_refused_before_it_takes_effect(apprunner: AppRunner, client: Any) -> None:
    arn = apprunner.make("spendsense-api", OLD).arn
    apprunner.throttle("UpdateService", 2)
    for _ in range(2):
        assert refusal(client.update_service, ServiceArn=arn)[0] == "ThrottlingException"
    client.update_service(ServiceArn=arn)
    assert len(apprunner.named("spendsense-api").operations) == 2


def test_answers_may_be_made_up_changed_late_and_missing(apprunner: AppRunner, client: Any) -> None:
    arn = apprunner.make("spendsense-api", OLD).arn
    apprunner.answer("DescribeService", b"\0 this is no JSON")
    assert "Service" not in client.describe_service(ServiceArn=arn)  # boto3 does not mind
    apprunner.twist("DescribeService", lambda body: body["Service"].update(Status="WARMING_UP"))
    assert client.describe_service(ServiceArn=arn)["Service"]["Status"] == "WARMING_UP"
    apprunner.drop("DescribeService")
    with pytest.raises(Exception, match="Connection"):
        client.describe_service(ServiceArn=arn)
    assert client.describe_service(ServiceArn=arn)["Service"]["Status"] == "RUNNING"
    slow = boto3.client("apprunner", config=Config(read_timeout=0.05, retries={"total_max_attempts": 1}))
    apprunner.delay("DescribeService", 0.5, times=1)
    with pytest.raises(Exception, match="timeout"):
        slow.describe_service(ServiceArn=arn)


def test_credentials_may_expire(apprunner: AppRunner, client: Any) -> None:
    arn = apprunner.make("spendsense-api", OLD).arn
    apprunner.expire_credentials(after=2)
    client.describe_service(ServiceArn=arn)
    client.list_services()
    assert refusal(client.list_services)[0] == "ExpiredTokenException"
    apprunner.mend()
    client.list_services()


def test_the_aws_command_line_drives_it(apprunner: AppRunner) -> None:
    if shutil.which("aws") is None:
        pytest.skip("the aws command line is not installed")
    arn = apprunner.make("spendsense-api", OLD).arn

    def aws(*arguments: str) -> Any:
        line = ["aws", "apprunner", *arguments, "--output", "json"]
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **CREDENTIALS, **apprunner.environment}
        found = subprocess.run(
            line, env=environment, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
        )
        return json.loads(found.stdout)

    configuration = json.dumps(source(NEW))
    operation = aws("update-service", "--service-arn", arn, "--source-configuration", configuration)["OperationId"]
    aws("describe-service", "--service-arn", arn)
    newest = aws("list-operations", "--service-arn", arn)["OperationSummaryList"][0]
    assert (newest["Id"], newest["Status"]) == (operation, "SUCCEEDED")
    assert [call.operation for call in apprunner.mutations] == ["UpdateService"]
