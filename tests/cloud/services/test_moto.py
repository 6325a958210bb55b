"""moto with a log and faults in front; and each thing that it does otherwise than AWS, put right."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.backends import get_backend

from services.aws_json import ACCOUNT, REGION
from services.log_patterns import LogPattern
from services.moto import Moto

ONCE = Config(retries={"total_max_attempts": 1})


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


def test_requests_of_every_protocol_are_named(moto: Moto) -> None:
    s3, iam = boto3.client("s3"), boto3.client("iam")
    s3.create_bucket(Bucket="backups")
    s3.put_object(Bucket="backups", Key="a/b", Body=b"1")
    s3.copy_object(Bucket="backups", Key="c", CopySource="backups/a/b")
    s3.get_object(Bucket="backups", Key="a/b")
    s3.get_bucket_versioning(Bucket="backups")
    s3.list_objects_v2(Bucket="backups")
    s3.delete_object(Bucket="backups", Key="c")
    iam.create_user(UserName="ann")
    iam.list_users()
    boto3.client("sts").get_caller_identity()
    boto3.client("ssm").put_parameter(Name="a", Value="b", Type="String")
    boto3.client("secretsmanager").list_secrets()
    assert [(call.service, call.operation) for call in moto.requests] == [
        ("s3", "CreateBucket"),
        ("s3", "PutObject"),
        ("s3", "CopyObject"),
        ("s3", "GetObject"),
        ("s3", "GetBucketVersioning"),
        ("s3", "ListObjectsV2"),
        ("s3", "DeleteObject"),
        ("iam", "CreateUser"),
        ("iam", "ListUsers"),
        ("sts", "GetCallerIdentity"),
        ("ssm", "PutParameter"),
        ("secretsmanager", "ListSecrets"),
    ]
    changes = ["CreateBucket", "PutObject", "CopyObject", "DeleteObject", "CreateUser", "PutParameter"]
    assert [call.operation for call in moto.mutations] == changes
    assert moto.calls("PutParameter")[0].body["Name"] == "a"


@pytest.mark.parametrize(
    ("service", "operation", "call"),
    [
        ("iam", "ListUsers", "list_users"),
        ("s3", "ListBuckets", "list_buckets"),
        ("ecr", "DescribeRepositories", "describe_repositories"),
        ("accessanalyzer", "ListAnalyzers", "list_analyzers"),
    ],
)
def test_faults_are_worded_as_each_protocol_does(moto: Moto, service: str, operation: str, call: str) -> None:
    client = boto3.client(service, config=ONCE)
    moto.throttle(operation, 1)
    assert refusal(getattr(client, call)) == ("ThrottlingException", "Rate exceeded")
    moto.expire_credentials()
    assert refusal(getattr(client, call))[0] == "ExpiredTokenException"
    moto.mend()
    moto.drop(operation)
    with pytest.raises(Exception, match="Connection"):
        getattr(client, call)()


def test_a_change_may_take_effect_and_its_answer_be_lost(moto: Moto) -> None:
    ssm = boto3.client("ssm", config=ONCE)
    moto.fail("PutParameter", after_effect=True)
    assert refusal(ssm.put_parameter, Name="a", Value="b", Type="String")[0] == "InternalFailure"
    assert ssm.get_parameter(Name="a")["Parameter"]["Value"] == "b"


def test_what_moto_has_not_is_answered_by_the_test(moto: Moto) -> None:
    result = [{"EvalActionName": "s3:GetObject", "EvalDecision": "allowed"}]
    moto.answer("SimulatePrincipalPolicy", {"EvaluationResults": result, "IsTruncated": False})
    asked = {"PolicySourceArn": "arn:aws:iam::123456789012:user/ann", "ActionNames": ["s3:GetObject"]}
    assert boto3.client("iam").simulate_principal_policy(**asked)["EvaluationResults"] == result


def test_answers_are_changed(moto: Moto) -> None:
    boto3.client("ecr").create_repository(repositoryName="api")
    moto.twist("DescribeRepositories", lambda body: body["repositories"][0].update(imageTagMutability="SOMETIMES"))
    assert boto3.client("ecr").describe_repositories()["repositories"][0]["imageTagMutability"] == "SOMETIMES"


def test_a_request_that_is_not_of_the_model_is_refused(moto: Moto) -> None:
    ecr = boto3.client("ecr", config=ONCE)
    code, said = refusal(ecr.create_repository, repositoryName="api", imageTagMutability="SOMETIMES")
    assert (code, "is none of MUTABLE" in said) == ("ValidationException", True)


def test_reset_forgets_everything(moto: Moto) -> None:
    boto3.client("ecr").create_repository(repositoryName="api")
    moto.reset()
    assert moto.requests == []
    assert boto3.client("ecr").describe_repositories()["repositories"] == []


# --- ECR


def manifest(number: int) -> str:
    digest = "sha256:" + f"{number:064x}"
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    return json.dumps({"schemaVersion": 2, "mediaType": kind, "config": {"digest": digest, "size": 1}, "layers": []})


def digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_a_digest_is_that_of_the_manifest(moto: Moto) -> None:
    ecr = boto3.client("ecr", config=ONCE)
    ecr.create_repository(repositoryName="api")
    found = ecr.put_image(repositoryName="api", imageManifest=manifest(1), imageTag="v1")["image"]["imageId"]
    assert found == {"imageDigest": digest(manifest(1)), "imageTag": "v1"}
    wrong = {"repositoryName": "api", "imageManifest": manifest(2), "imageDigest": digest(manifest(1))}
    assert refusal(ecr.put_image, **wrong)[0] == "ImageDigestDoesNotMatchException"


def test_a_tag_that_moves_leaves_its_image_untagged(moto: Moto) -> None:
    ecr = boto3.client("ecr")
    ecr.create_repository(repositoryName="api")
    for number in (1, 2):
        ecr.put_image(repositoryName="api", imageManifest=manifest(number), imageTag="latest")
    images = {
        each["imageDigest"]: each.get("imageTags") for each in ecr.describe_images(repositoryName="api")["imageDetails"]
    }
    assert images == {digest(manifest(1)): None, digest(manifest(2)): ["latest"]}


def test_an_immutable_tag_stays(moto: Moto) -> None:
    ecr = boto3.client("ecr", config=ONCE)
    ecr.create_repository(repositoryName="api", imageTagMutability="IMMUTABLE")
    ecr.put_image(repositoryName="api", imageManifest=manifest(1), imageTag="v1")
    again = {"repositoryName": "api", "imageManifest": manifest(2), "imageTag": "v1"}
    assert refusal(ecr.put_image, **again)[0] == "ImageTagAlreadyExistsException"


def test_a_token_is_good_for_some_hours(moto: Moto) -> None:
    [token] = boto3.client("ecr").get_authorization_token()["authorizationData"]
    assert timedelta(hours=11) < token["expiresAt"] - datetime.now(UTC) < timedelta(hours=13)


# --- CloudWatch

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)


def put(moto: Moto, values: list[float], **dimensions: str) -> Any:
    client = boto3.client("cloudwatch", config=ONCE)
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    data = [{"MetricName": "RequestLatency", "Dimensions": named, "Timestamp": BEGAN, "Values": values}]
    client.put_metric_data(Namespace="AWS/AppRunner", MetricData=data)
    return client


def statistics(client: Any, **more: Any) -> Any:
    period = {"StartTime": BEGAN, "EndTime": BEGAN + timedelta(hours=1), "Period": 300}
    asked = {"Namespace": "AWS/AppRunner", "MetricName": "RequestLatency", **period, **more}
    return client.get_metric_statistics(**asked)["Datapoints"]


def data(client: Any, **query: Any) -> Any:
    asked = [{"Id": "q", **query}]
    return client.get_metric_data(MetricDataQueries=asked, StartTime=BEGAN, EndTime=BEGAN + timedelta(hours=1))[
        "MetricDataResults"
    ]


def test_percentiles_are_those_of_what_was_put(moto: Moto) -> None:
    client = put(moto, [float(each) for each in range(1, 101)])
    [point] = statistics(client, ExtendedStatistics=["p95", "p50"])
    assert point["ExtendedStatistics"] == {"p95": 95.0, "p50": 50.0}
    metric = {"Namespace": "AWS/AppRunner", "MetricName": "RequestLatency"}
    [result] = data(client, MetricStat={"Metric": metric, "Period": 300, "Stat": "p95"})
    assert result["Values"] == [95.0]


def test_a_metric_is_exactly_its_dimensions(moto: Moto) -> None:
    client = put(moto, [1.0], ServiceName="api", ServiceID="1")
    put(moto, [9.0], ServiceName="web", ServiceID="2")
    both = [{"Name": "ServiceName", "Value": "api"}, {"Name": "ServiceID", "Value": "1"}]
    assert [each["Sum"] for each in statistics(client, Statistics=["Sum"], Dimensions=both)] == [1.0]
    assert statistics(client, Statistics=["Sum"], Dimensions=both[:1]) == []
    assert statistics(client, Statistics=["Sum"]) == []
    for namespace, dimensions, values in (
        ("AWS/AppRunner", both, [1.0]),
        ("AWS/Other", both, []),
        ("AWS/AppRunner", both[1:], []),
    ):
        metric = {"Namespace": namespace, "MetricName": "RequestLatency", "Dimensions": dimensions}
        [result] = data(client, MetricStat={"Metric": metric, "Period": 300, "Stat": "Average"})
        assert result["Values"] == values


def test_metric_math_is_refused_rather_than_answered_with_nothing(moto: Moto) -> None:
    client = put(moto, [1.0])
    assert "no metric math" in refusal(lambda: data(client, Expression="100 * a / b"))[1]


# --- Secrets Manager


def test_a_promoted_secret_is_the_current_one(moto: Moto) -> None:
    client = boto3.client("secretsmanager")
    old = client.create_secret(Name="database", SecretString="old")["VersionId"]
    new = client.put_secret_value(SecretId="database", SecretString="new", VersionStages=["AWSPENDING"])["VersionId"]
    assert client.get_secret_value(SecretId="database")["SecretString"] == "old"
    stage = {"VersionStage": "AWSCURRENT", "MoveToVersionId": new, "RemoveFromVersionId": old}
    client.update_secret_version_stage(SecretId="database", **stage)
    assert client.get_secret_value(SecretId="database")["SecretString"] == "new"
    client.put_secret_value(SecretId="database", SecretString="newest")
    stages = client.describe_secret(SecretId="database")["VersionIdsToStages"]
    assert sorted(each for many in stages.values() for each in many if each == "AWSCURRENT") == ["AWSCURRENT"]


def test_versions_of_a_secret_have_their_own_age(moto: Moto) -> None:
    client = boto3.client("secretsmanager")
    version = client.create_secret(Name="database", SecretString="old")["VersionId"]
    get_backend("secretsmanager")[ACCOUNT][REGION].secrets["database"].versions[version]["createdate"] = (
        BEGAN.timestamp()
    )
    assert [each["CreatedDate"] for each in client.list_secret_version_ids(SecretId="database")["Versions"]] == [BEGAN]


# --- CloudWatch Logs

LINES = ["ERROR timeout in db", "ERROR disk", "INFO timeout", "error lower", '{"level": "ERROR", "ms": 120}']


@pytest.mark.parametrize(
    ("pattern", "numbers"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("ERROR", [0, 1, 4]),
        ("ERROR timeout", [0]),
        ('"timeout in"', [0]),
        ("ERROR -timeout", [1, 4]),
        ("-ERROR", [2, 3]),
        ("?disk ?lower", [1, 3]),
        ("%d[bi]s?%", [0, 1]),
        ('{ $.level = "ERROR" }', [4]),
        ("{ $.ms > 119 }", [4]),
        ("{ $.ms > 120 }", []),
        ('{ $.level != "ERROR" }', []),
    ],
)
def test_filter_patterns_are_those_of_aws(pattern: str, numbers: list[int]) -> None:
    assert [number for number, line in enumerate(LINES) if LogPattern(pattern).matches(line)] == numbers


@pytest.mark.parametrize("pattern", ["{ $.a = 1 && $.b = 2 }", "[ip, user, status=5*]", '"open'])
def test_filter_patterns_that_are_not_known_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=re.escape(pattern)):
        LogPattern(pattern)


def test_logs_are_filtered_by_the_server(moto: Moto) -> None:
    logs = boto3.client("logs", config=ONCE)
    logs.create_log_group(logGroupName="/aws/apprunner/api")
    logs.create_log_stream(logGroupName="/aws/apprunner/api", logStreamName="1")
    now = int(datetime.now(UTC).timestamp() * 1000)
    events = [{"timestamp": now + number, "message": line} for number, line in enumerate(LINES)]
    logs.put_log_events(logGroupName="/aws/apprunner/api", logStreamName="1", logEvents=events)
    found = logs.filter_log_events(logGroupName="/aws/apprunner/api", filterPattern="ERROR -timeout")["events"]
    assert [each["message"] for each in found] == [LINES[1], LINES[4]]
    code = refusal(logs.filter_log_events, logGroupName="/aws/apprunner/api", filterPattern="[a, b]")[0]
    assert code == "InvalidParameterException"
