"""Auto scaling configurations of the fake of App Runner: names with numbered revisions that never change."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from services.apprunner.state import Service
from services.aws_json import ACCOUNT, REGION, AwsError, JsonService, page

MISSING = "ResourceNotFoundException"


@dataclass
class Scaling:
    """One revision."""

    name: str
    revision: int
    most_requests: int
    least: int
    most: int
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    active: bool = True
    created: float = field(default_factory=time.time)

    @property
    def arn(self) -> str:
        return f"arn:aws:apprunner:{REGION}:{ACCOUNT}:autoscalingconfiguration/{self.name}/{self.revision}/{self.key}"


class Scalings:
    """All of an account, with the one that new services get."""

    def __init__(self) -> None:
        self.all = [Scaling("DefaultConfiguration", 1, 100, 1, 25, key="0" * 31 + "1")]
        self.default = self.all[0]

    def create(self, body: dict[str, Any]) -> Scaling:
        """Make a revision: the first of a new name, or the next."""
        name = body["AutoScalingConfigurationName"]
        if name == "DefaultConfiguration":
            raise AwsError("InvalidRequestException", "DefaultConfiguration is a reserved name")
        before = [each.revision for each in self.all if each.name == name]
        made = Scaling(
            name,
            max(before, default=0) + 1,
            body.get("MaxConcurrency", 100),
            body.get("MinSize", 1),
            body.get("MaxSize", 25),
        )
        if made.least > made.most:
            raise AwsError("InvalidRequestException", "MinSize must not be greater than MaxSize")
        if len([each for each in self.all if each.name == name and each.active]) >= 5:
            raise AwsError("ServiceQuotaExceededException", f"there are 5 active revisions of {name} already")
        self.all.append(made)
        return made

    def find(self, arn: str) -> Scaling:
        """Return a revision by its ARN, which may end after the revision, or after the name for the latest one."""
        parts = arn.partition(":autoscalingconfiguration/")[2].split("/")
        for each in sorted(self.all, key=lambda each: -each.revision):
            if each.active and [each.name, str(each.revision), each.key][: len(parts)] == parts:
                return each
        raise AwsError(MISSING, f"there is no auto scaling configuration {arn}")

    def described(self, each: Scaling, used: bool) -> dict[str, Any]:
        """Return a revision in whole."""
        latest = max(other.revision for other in self.all if other.name == each.name)
        return {
            **self.summary(each, used),
            "Latest": each.revision == latest,
            "MaxConcurrency": each.most_requests,
            "MinSize": each.least,
            "MaxSize": each.most,
        }

    def summary(self, each: Scaling, used: bool) -> dict[str, Any]:
        """Return a revision as listings have it."""
        return {
            "AutoScalingConfigurationArn": each.arn,
            "AutoScalingConfigurationName": each.name,
            "AutoScalingConfigurationRevision": each.revision,
            "Status": "ACTIVE" if each.active else "INACTIVE",
            "CreatedAt": each.created,
            "HasAssociatedService": used,
            "IsDefault": each is self.default,
        }


class ScalingOperations(JsonService):
    """The operations on them."""

    services: dict[str, Service]
    scalings: Scalings
    page_size: int | None

    def do_CreateAutoScalingConfiguration(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._scaling(self.scalings.create(body))

    def do_DescribeAutoScalingConfiguration(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._scaling(self.scalings.find(body["AutoScalingConfigurationArn"]))

    def do_ListAutoScalingConfigurations(self, body: dict[str, Any]) -> dict[str, Any]:
        name = body.get("AutoScalingConfigurationName")
        found = [each for each in self.scalings.all if each.active and name in (None, each.name)]
        if body.get("LatestOnly", True):
            newest = {each.name: each.revision for each in sorted(found, key=lambda each: each.revision)}
            found = [each for each in found if each.revision == newest[each.name]]
        listed = [self.scalings.summary(each, self._used(each)) for each in found]
        return self._page("AutoScalingConfigurationSummaryList", listed, body)

    def do_DeleteAutoScalingConfiguration(self, body: dict[str, Any]) -> dict[str, Any]:
        found = self.scalings.find(body["AutoScalingConfigurationArn"])
        if found is self.scalings.default or self._used(found):
            raise AwsError("InvalidRequestException", f"{found.arn} is in use")
        found.active = False
        return self._scaling(found)

    def do_ListServicesForAutoScalingConfiguration(self, body: dict[str, Any]) -> dict[str, Any]:
        found = self.scalings.find(body["AutoScalingConfigurationArn"])
        users = [each.arn for each in self.services.values() if each.config["AutoScalingConfigurationArn"] == found.arn]
        return self._page("ServiceArnList", users, body)

    def _scaling(self, each: Scaling) -> dict[str, Any]:
        return {"AutoScalingConfiguration": self.scalings.described(each, self._used(each))}

    def _used(self, scaling: Scaling) -> bool:
        return any(each.config["AutoScalingConfigurationArn"] == scaling.arn for each in self.services.values())

    def _page(self, member: str, items: list[Any], body: dict[str, Any]) -> dict[str, Any]:
        listed, token = page(items, body.get("NextToken"), body.get("MaxResults", self.page_size))
        return {member: listed, **({"NextToken": token} if token else {})}
