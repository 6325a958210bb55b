"""An App Runner service by its name or ARN: its metrics and its logs bear its id, too."""

from __future__ import annotations

from dataclasses import dataclass

from opslib.cloud.aws.task import AwsTask
from opslib.host.params import Name, ParamError, shown
from opslib.host.task import TaskError
from opslib.host.words import printable

__all__ = ["AppRunnerName", "ServiceId", "find_service", "of_arn", "services_named"]

_KIND = "App Runner service, by name or ARN"


class AppRunnerName(Name):
    """The name or ARN of an App Runner service."""

    def __init__(self) -> None:
        super().__init__(_KIND, signs="_-:/", longest=1011)

    def check(self, value: str) -> str:
        if not value.startswith("arn:") and (":" in value or "/" in value):
            raise ParamError(f"{shown(value)} is no {self.label}")
        return super().check(value)


@dataclass(frozen=True, slots=True)
class ServiceId:
    """A service: its name, and the id that App Runner gave it."""

    name: str
    id: str


def of_arn(text: str, account: str, region: str) -> ServiceId | None:
    """Return the service that an ARN names, None for what is no ARN. Raises ParamError for one of elsewhere."""
    if not text.startswith("arn:"):
        return None
    pieces = [*text.split(":", 5), "", "", "", ""]
    service, where, whose, what = pieces[2:6]
    kind, _, path = what.partition("/")
    if service != "apprunner" or kind != "service" or path.count("/") != 1:
        raise ParamError(f"{shown(text)} is not the ARN of an App Runner service")
    if (where, whose) != (region, account):
        raise ParamError(f"{shown(text)} is not of account {account} and region {region}")
    name, _, number = path.partition("/")
    return ServiceId(name, number)


def services_named(task: AwsTask, name: str) -> list[ServiceId]:
    """Return the services of a name that App Runner has."""
    doing = f"looking for the App Runner service {name}"
    rows = task.pages("apprunner", "list_services", "ServiceSummaryList", doing=doing)
    return [
        ServiceId(name, str(row.get("ServiceId")))
        for row in rows
        if row.get("ServiceName") == name and row.get("Status") != "DELETED"
    ]


def find_service(task: AwsTask, text: str) -> ServiceId:
    """Look up a service. Raises TaskError when there is none, or more than one."""
    by_arn = of_arn(text, task.account, task.region)
    if by_arn is not None:
        return by_arn
    found = services_named(task, text)
    if not found:
        raise TaskError(f"there is no App Runner service called {printable(text)}")
    if len(found) > 1:
        raise TaskError(f"there are {len(found)} App Runner services called {printable(text)}; name one by its ARN")
    return found[0]
