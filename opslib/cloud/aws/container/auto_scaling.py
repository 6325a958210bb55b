"""Auto scaling configurations of App Runner, which keeps them apart from services: numbered revisions, never changed.

Source: Create…, Describe… and ListAutoScalingConfigurations in App Runner's API reference.
"""

from __future__ import annotations

from typing import Any

from opslib.cloud.aws.task import AwsTask

from .reading import line, member, number
from .state import Scaling

__all__ = ["create", "describe", "revisions", "summary"]


def summary(each: Any, doing: str) -> Scaling:
    """Return what a service, or a listing, says of a configuration: which it is."""
    return Scaling(
        name=line(each, "AutoScalingConfigurationName", doing),
        revision=number(each, "AutoScalingConfigurationRevision", doing),
        arn=line(each, "AutoScalingConfigurationArn", doing),
    )


def describe(task: AwsTask, arn: str) -> Scaling:
    """Read a revision in whole."""
    doing = "App Runner: describing an auto scaling configuration"
    client = task.client("apprunner")
    answer = task.ask(lambda: client.describe_auto_scaling_configuration(AutoScalingConfigurationArn=arn), doing=doing)
    return _whole(answer, doing)


def revisions(task: AwsTask, name: str) -> list[Scaling]:
    """Return all revisions of a configuration that are active, the newest first; none when there is no such one."""
    doing = f"App Runner: listing auto scaling configurations {name}"
    pages = task.pages(
        "apprunner",
        "list_auto_scaling_configurations",
        "AutoScalingConfigurationSummaryList",
        doing=doing,
        AutoScalingConfigurationName=name,
        LatestOnly=False,  # without it App Runner lists the newest revision alone
    )
    found = sorted((summary(each, doing) for each in pages), key=lambda each: -each.revision)
    return [describe(task, each.arn) for each in found if each.name == name]


def create(task: AwsTask, wanted: Scaling) -> Scaling:
    """Make a revision. May raise UnknownOutcomeError."""
    doing = f"App Runner: making a revision of the auto scaling configuration {wanted.name}"
    settings: dict[str, Any] = {"MinSize": wanted.least, "MaxSize": wanted.most}
    if wanted.concurrency is not None:
        settings["MaxConcurrency"] = wanted.concurrency
    client = task.client("apprunner")
    answer = task.change(
        lambda: client.create_auto_scaling_configuration(AutoScalingConfigurationName=wanted.name, **settings),
        doing=doing,
    )
    return _whole(answer, doing)


def _whole(answer: Any, doing: str) -> Scaling:
    each = member(answer, "AutoScalingConfiguration", dict, doing)
    which = summary(each, doing)
    return Scaling(
        least=number(each, "MinSize", doing),
        most=number(each, "MaxSize", doing),
        concurrency=number(each, "MaxConcurrency", doing),
        name=which.name,
        revision=which.revision,
        arn=which.arn,
    )
