"""Which log group of CloudWatch is meant: named itself, or by the App Runner service that writes to it.

App Runner logs to `/aws/apprunner/NAME/ID/application` and `.../service` (its developer guide, "Viewing App Runner logs
streamed to CloudWatch Logs"); the id is new when a service is made anew under the same name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from opslib.cloud.aws.service_names import of_arn, services_named
from opslib.cloud.aws.task import AwsTask
from opslib.cloud.errors import MalformedError, ServiceError
from opslib.host.params import Name, ParamError, shown
from opslib.host.words import listed, printable

__all__ = ["GroupName", "LogGroup", "find_group", "named_by_arn"]

_PREFIX = "/aws/apprunner/"
_ALLOWED = "._-/#"


@dataclass(frozen=True, slots=True)
class LogGroup:
    """A log group. label: as it was asked for; created: seconds since 1970; days: how long it keeps events, 0: ever."""

    label: str
    name: str
    created: float
    days: int


class GroupName(Name):
    """The name or ARN of a log group or of an App Runner service."""

    def __init__(self) -> None:
        super().__init__("log group or App Runner service, by name or ARN", signs=_ALLOWED + ":*", longest=1011)

    def check(self, value: str) -> str:
        if not value.startswith("arn:") and (":" in value or "*" in value or len(value) > 512):
            raise ParamError(f"{shown(value)} is no {self.label}: a name holds letters, digits and {_ALLOWED}")
        return super().check(value)


def named_by_arn(text: str, part: str, account: str, region: str) -> str | None:
    """Return the name of the group that an ARN stands for, None for what is no ARN. Raises ParamError.

    part: of an App Runner service's logs, `application` or `service`.
    """
    if not text.startswith("arn:"):
        return None
    pieces = text.split(":", 5)
    service, where, whose, what = (pieces[2:] + [""] * 4)[:4]
    if service != "logs" or not what.startswith("log-group:"):
        found = of_arn(text, account, region)
        return f"{_PREFIX}{found.name}/{found.id}/{part}" if found else None
    if (where, whose) != (region, account):
        raise ParamError(f"{shown(text)} is not of account {account} and region {region}")
    return what.split(":")[1]


def find_group(task: AwsTask, text: str, part: str) -> LogGroup | str:
    """Look up a group; return it, or in words why there is none.

    A name is first taken as that of a group, then as that of an App Runner service. Where several services had the name
    in turn, it is the one that App Runner knows now.
    """
    by_arn = named_by_arn(text, part, task.account, task.region)
    wanted = text if by_arn is None else by_arn
    found = next((group for group in _groups(task, wanted, text) if group.name == wanted), None)
    if found is not None:
        return found
    if by_arn is not None or "/" in text:
        return f"there is no log group {wanted}"
    own = [group for group in _groups(task, f"{_PREFIX}{text}/", text) if group.name.endswith(f"/{part}")]
    if len(own) < 2:
        return own[0] if own else f"there is no log group {text}, nor one of an App Runner service of that name"
    try:
        ids = {service.id for service in services_named(task, text)}
    except ServiceError:
        ids = set()
    now = [group for group in own if group.name.split("/")[4] in ids]
    names = listed([printable(group.name) for group in own])
    return now[0] if len(now) == 1 else f"{text}: services of that name had the log groups {names}; name the one"


def _groups(task: AwsTask, prefix: str, label: str) -> Iterator[LogGroup]:
    doing = f"looking for the log group {prefix}"
    for row in task.pages("logs", "describe_log_groups", "logGroups", doing=doing, logGroupNamePrefix=prefix):
        yield _group(row, label, doing)


def _group(row: Any, label: str, doing: str) -> LogGroup:
    name, created, days = (row.get(key) for key in ("logGroupName", "creationTime", "retentionInDays"))
    if not isinstance(name, str) or not isinstance(created, int) or not isinstance(days, int | None):
        raise MalformedError(f"{doing}: the answer describes a group that is none")
    return LogGroup(label, name, created / 1000, days or 0)
