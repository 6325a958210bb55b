"""The credential report of an account: its users' passwords, keys and second factors.

Source: "Get credential reports for your AWS account" in the IAM user guide.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from opslib.cloud.aws.task import AwsTask
from opslib.cloud.errors import MalformedError, RefusedError
from opslib.host.params import shown

__all__ = ["Key", "Report", "User", "parse", "read_report"]

ROOT = "<root_account>"
_NOT_YET = ("ReportNotPresent", "ReportExpired", "ReportInProgress")
_STATES = ("STARTED", "INPROGRESS", "COMPLETE")
_NOTHING = ("", "N/A", "no_information", "not_supported")
_MOST = 64 << 20


@dataclass(frozen=True, slots=True)
class Key:
    """An access key that is active. Times in seconds since 1970; used: None for never, as far as AWS knows."""

    number: int
    made: float | None
    used: float | None


@dataclass(frozen=True, slots=True)
class User:
    """A user, or the root of the account. password: whether there is one; password_used: None for never.

    Of a root AWS says `not_supported` instead of whether it has a password; it has one, unless the report says FALSE.
    """

    name: str
    made: float | None
    password: bool
    password_used: float | None
    password_set: float | None
    mfa: bool
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A report. made: when, in seconds since 1970; AWS makes a new one every four hours at most."""

    made: float | None
    users: tuple[User, ...]


def read_report(task: AwsTask) -> Report:
    """Have a report made, if there is no recent one, and read it."""
    client = task.client("iam")
    making, reading = "having a credential report made", "reading the credential report"
    for _turn in task.patience.pauses(making):
        try:
            state = task.ask(client.generate_credential_report, doing=making).get("State")
        except RefusedError as error:
            if error.code != "LimitExceeded":
                raise
            state = "COMPLETE"
        if state not in _STATES:
            raise MalformedError(f"{making}: it has the state {shown(state)}, which is unknown")
        if state != "COMPLETE":
            continue
        try:
            answer = task.ask(client.get_credential_report, doing=reading)
        except RefusedError as error:
            if error.code in _NOT_YET:
                continue
            raise
        content, when = answer.get("Content"), answer.get("GeneratedTime")
        if not isinstance(content, bytes) or len(content) > _MOST:
            raise MalformedError(f"{reading}: the answer holds none")
        made = when.timestamp() if isinstance(when, datetime) else None
        return Report(made, tuple(parse(content.decode("utf-8", "replace"), reading)))
    raise AssertionError


def parse(text: str, doing: str) -> list[User]:
    """Return the users of a report. Raises MalformedError."""
    try:
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise MalformedError(f"{doing}: it is no table: {error}") from None
    if not rows:
        raise MalformedError(f"{doing}: it names nobody")
    return [_user(row, doing) for row in rows]


def _user(row: Mapping[str, str | None], doing: str) -> User:
    def text(name: str) -> str:
        value = row.get(name)
        if value is None:
            raise MalformedError(f"{doing}: it has no {name}")
        return value

    def time(name: str) -> float | None:
        value = text(name)
        if value in _NOTHING:
            return None
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            raise MalformedError(f"{doing}: {name}: {shown(value)} is no time") from None
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()

    def flag(name: str) -> bool:
        value = text(name)
        if value not in ("true", "false", "TRUE", "FALSE", *_NOTHING):
            raise MalformedError(f"{doing}: {name}: {shown(value)} is neither true nor false")
        return value.lower() == "true"

    keys = [
        Key(number, time(f"access_key_{number}_last_rotated"), time(f"access_key_{number}_last_used_date"))
        for number in (1, 2)
        if flag(f"access_key_{number}_active")
    ]
    name = text("user")
    return User(
        name=name,
        made=time("user_creation_time"),
        password=flag("password_enabled") or (name == ROOT and text("password_enabled") == "not_supported"),
        password_used=time("password_last_used"),
        password_set=time("password_last_changed"),
        mfa=flag("mfa_active"),
        keys=tuple(keys),
    )
