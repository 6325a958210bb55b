"""The tasks on container services: what parameters they take, and that they plan without looking."""

from __future__ import annotations

from typing import Any

import pytest

from opslib import tasks
from opslib.errors import ParamError

ARN = "arn:aws:apprunner:us-east-1:123456789012:service/spendsense-api/8fe1e10304f84fd2b0df550fe98a71fa"
ECS_ARN = "arn:aws:ecs:us-east-1:123456789012:service/prod/spendsense-api"
AWS = {"account": "123456789012", "region": "us-east-1", "service": "spendsense-api"}
ECS = {**AWS, "platform": "ecs_express"}


@pytest.mark.parametrize(
    ("task", "args"),
    [
        ("container_status", {**AWS}),
        ("container_status", {**AWS, "service": ARN}),
        ("container_status", {**ECS, "service": ECS_ARN}),
        ("container_status", {**ECS, "service": "prod/spendsense-api"}),
        ("container_deploy", {**AWS, "image": "spendsense-api:v2", "http": "/"}),
        ("container_scale", {**AWS, "cpu": "4 vCPU", "memory": "12 GB"}),
        ("container_scale", {**ECS, "cpu": 16, "memory": "120G"}),
        ("container_autoscaling", {**AWS, "min_size": 1, "max_size": 1, "configuration": "shared", "concurrency": 200}),
        ("container_autoscaling", {**ECS, "min_size": 1, "max_size": 9, "metric": "AVERAGE_CPU", "target": 60}),
        ("container_env", {**AWS, "unset": "DEBUG, TRACE"}),
    ],
)
def test_what_they_take(task: str, args: dict[str, Any]) -> None:
    made = tasks.get(task)(**args)
    assert tasks.get(task)(**made.args()).args() == made.args()


@pytest.mark.parametrize(
    ("task", "args", "words"),
    [
        ("container_status", {**AWS, "account": 123}, "123"),
        ("container_status", {**AWS, "account": "12345678901a"}, "12345678901a"),
        ("container_status", {**AWS, "region": "us east"}, "us east"),
        ("container_status", {**AWS, "service": "-oProxyCommand=id"}, "-oProxyCommand"),
        ("container_status", {**AWS, "service": "$(id)"}, "$(id)"),
        ("container_status", {**AWS, "service": "prod/api"}, "no name of a service"),
        ("container_status", {**ECS, "service": "a/b/c"}, "no name of a service"),
        ("container_status", {**AWS, "service": "x" * 2000}, "name or ARN"),
        ("container_status", {**ECS, "service": ARN}, "no ARN of a service of ECS Express Mode"),
        ("container_status", {**AWS, "service": ECS_ARN}, "no ARN of a service of App Runner"),
        (
            "container_status",
            {**AWS, "service": ARN, "region": "eu-west-1"},
            "not of account 123456789012 and region eu-",
        ),
        ("container_status", {**AWS, "service": "arn:aws:apprunner:us-east-1:123456789012:connection/a"}, "no ARN"),
        ("container_status", {**AWS, "platform": "heroku"}, "heroku"),
        ("container_deploy", {**AWS, "image": "spendsense-api"}, "neither tag nor digest"),
        ("container_deploy", {**AWS, "image": "Spendsense:v1"}, "no name of an image"),
        ("container_deploy", {**AWS}, "image is required"),
        ("container_deploy", {**AWS, "image": "a:1", "http": "//x"}, "http"),
        ("container_scale", {**AWS, "cpu": 2, "memory": "2 GB"}, "there is 4, 6 GB"),
        ("container_scale", {**AWS, "cpu": 8, "memory": "16 GB"}, "8 vCPU is not to be had"),
        ("container_scale", {**AWS, "cpu": 3, "memory": "4 GB"}, "3 is no number of vCPUs"),
        ("container_state", {**AWS, "state": "stopped"}, "running, paused"),
        ("container_state", {**ECS, "state": "paused"}, "ECS Express Mode has no pause"),
        ("container_restart", {**ECS}, "for App Runner only"),
        ("container_autoscaling", {**AWS, "min_size": 3, "max_size": 2}, "min_size 3 is above max_size 2"),
        ("container_autoscaling", {**AWS, "min_size": 26, "max_size": 30}, "25 at most"),
        (
            "container_autoscaling",
            {**AWS, "min_size": 1, "max_size": 3, "metric": "AVERAGE_CPU"},
            "ECS Express Mode only",
        ),
        ("container_autoscaling", {**ECS, "min_size": 1, "max_size": 3, "concurrency": 9}, "App Runner only"),
        ("container_autoscaling", {**AWS, "min_size": 1, "max_size": 3, "configuration": "abc"}, "4 characters"),
        ("container_env", {**AWS}, "nothing to do"),
        ("container_env", {**AWS, "variables": {"A": "1"}, "unset": ["A"]}, "A stands in more than one"),
        ("container_env", {**AWS, "unset": ["A", "A"]}, "A stands in more than one"),
        ("container_env", {**AWS, "variables": {"1A": "x"}}, "1A"),
        ("container_env", {**AWS, "variables": {"A-B": "x"}}, "A-B"),
        ("container_env", {**AWS, "variables": {"AWSAPPRUNNER_X": "x"}}, "AWSAPPRUNNER_X"),
        ("container_env", {**AWS, "variables": {"A": "x\0canary"}}, "control character"),
        ("container_env", {**AWS, "variables": ["canary"]}, "mapping"),
        (
            "container_env",
            {**AWS, "secrets_from": {"A": "canary-in-place-of-an-arn"}},
            "the value is no ARN of a secret",
        ),
    ],
)
def test_what_they_refuse(task: str, args: dict[str, Any], words: str) -> None:
    with pytest.raises(ParamError) as error:
        tasks.get(task)(**args)
    assert words in str(error.value)
    if task == "container_env":
        assert "canary" not in str(error.value)


def test_values_are_secrets_and_names_are_not() -> None:
    task = tasks.container_env(**AWS, variables={"TOKEN": "the-canary"})
    assert list(task.secrets()) == ["the-canary"]
    assert "the-canary" not in repr(task)


def test_headers_for_the_public_address_are_secrets() -> None:
    http = {"url": "/health", "request_headers": {"Authorization": "Bearer canary"}}
    for task in (
        tasks.container_deploy(**AWS, image="a:1", http=http),
        tasks.container_rollback(**AWS, http=http),
        tasks.container_status(**AWS, http=http),
    ):
        assert "Bearer canary" in list(task.secrets())
    assert list(tasks.container_status(**AWS).secrets()) == []
