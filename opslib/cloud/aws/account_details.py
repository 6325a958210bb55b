"""Who is in an account, and which policies they have."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from opslib.cloud.aws.task import AwsTask
from opslib.cloud.errors import MalformedError, TimeIsUpError

__all__ = ["Details", "Grant", "Role", "parse", "read_details"]

_LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")


@dataclass(frozen=True, slots=True)
class Role:
    """A role. Times in seconds since 1970; used: None for not in the 400 days that AWS remembers."""

    name: str
    arn: str
    path: str
    made: float
    used: float | None
    trust: Any


@dataclass(frozen=True, slots=True)
class Grant:
    """A policy: its document, and whose it is. own: written in this account, and not by AWS; inline: in its holder."""

    name: str
    document: Any
    holders: tuple[str, ...]
    own: bool = True
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Details:
    """What an account holds. arns: of users, groups and roles by `user ann`."""

    roles: tuple[Role, ...] = ()
    grants: tuple[Grant, ...] = ()
    arns: dict[str, str] = field(default_factory=dict)


def read_details(task: AwsTask) -> Details:
    """Read all of it, page after page."""
    client = task.client("iam")
    doing = "reading users, groups, roles and policies"
    lists: dict[str, list[Any]] = {name: [] for name in _LISTS}
    args: dict[str, Any] = {}
    seen: set[str] = set()
    while True:
        page = task.ask(functools.partial(client.get_account_authorization_details, **args), doing=doing)
        for name in _LISTS:
            rows = page.get(name, [])
            if not isinstance(rows, list):
                raise MalformedError(f"{doing}: the answer holds no list of {name}")
            lists[name] += rows
        if not page.get("IsTruncated"):
            return parse(lists, doing)
        marker = page.get("Marker")
        if not isinstance(marker, str) or marker in seen:
            raise MalformedError(f"{doing}: the listing goes round in circles")
        if not task.patience.deadline.left:
            raise TimeIsUpError(f"{doing}: the listing did not end within {task.wait:g} seconds")
        seen.add(marker)
        args["Marker"] = marker


def parse(lists: dict[str, list[Any]], doing: str) -> Details:
    """Put together what the pages of a listing held. Raises MalformedError."""
    holders: dict[str, list[str]] = {}
    grants: list[Grant] = []
    roles: list[Role] = []
    arns: dict[str, str] = {}
    try:
        for kind, list_name in (("user", "UserDetailList"), ("group", "GroupDetailList"), ("role", "RoleDetailList")):
            for row in lists[list_name]:
                who = f"{kind} {_text(row[f'{kind.title()}Name'])}"
                arns[who] = _text(row["Arn"])
                for each in row.get("AttachedManagedPolicies") or []:
                    holders.setdefault(_text(each["PolicyArn"]), []).append(who)
                grants += [
                    Grant(_text(each["PolicyName"]), each.get("PolicyDocument"), (who,), inline=True)
                    for each in row.get(f"{kind.title()}PolicyList") or []
                ]
        roles = [_role(row) for row in lists["RoleDetailList"]]
        for row in lists["Policies"]:
            grants.extend(_managed(row, holders))
    except (KeyError, TypeError, AttributeError) as error:
        raise MalformedError(f"{doing}: the answer makes no sense ({type(error).__name__}: {error})") from None
    return Details(tuple(roles), tuple(grants), arns)


def _managed(row: dict[str, Any], holders: dict[str, list[str]]) -> Iterator[Grant]:
    """Yield a managed policy as it is in force."""
    arn = _text(row["Arn"])
    for version in row.get("PolicyVersionList") or []:
        if version.get("IsDefaultVersion"):
            own = ":iam::aws:policy/" not in arn
            name = arn.rpartition("/")[2]
            yield Grant(name, version.get("Document"), tuple(holders.get(arn, ())), own)


def _role(row: dict[str, Any]) -> Role:
    last = row.get("RoleLastUsed") or {}
    used = last.get("LastUsedDate")
    return Role(
        name=_text(row["RoleName"]),
        arn=_text(row["Arn"]),
        path=_text(row.get("Path") or "/"),
        made=_time(row["CreateDate"]),
        used=None if used is None else _time(used),
        trust=row.get("AssumeRolePolicyDocument"),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is no text")
    return value


def _time(value: Any) -> float:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} is no time")
    return value.timestamp()
