"""A secret of AWS Secrets Manager under rotation.

Its versions bear staging labels: AWSCURRENT the one in force, AWSPENDING the staged one (it keeps that label until it
is confirmed), AWSPREVIOUS the one before, which Secrets Manager itself moves along. Others stage with AWSPENDING, too,
and functions of Lambda leave it behind: what we staged bears a label of our own beside it.
Source: "Rotate AWS Secrets Manager secrets" and "Secret versions" in the user guide; UpdateSecretVersionStage in the
API reference.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from opslib.cloud.aws.rotation import Standing
from opslib.cloud.aws.task import AwsTask
from opslib.cloud.errors import MalformedError, RefusedError
from opslib.cloud.settled import settle
from opslib.host.task import TaskError
from opslib.host.words import printable

__all__ = ["SecretStore"]

_CURRENT, _PENDING, _PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
_OURS = "opslib-pending"
_ABSENT = "ResourceNotFoundException"


class SecretStore:
    """A secret by its name or ARN. learn: is told every value."""

    where = "Secrets Manager"

    def __init__(self, task: AwsTask, name: str, learn: Callable[[str], None]) -> None:
        self._task = task
        self._learn = learn
        self._name = name
        self._client = task.client("secretsmanager")

    def look(self) -> Standing:
        hindrance = self._hindrance()
        if hindrance:
            return Standing(hindrance=hindrance)
        made, stages = self._versions()
        current = stages.get(_CURRENT)
        if current is None:
            return Standing(hindrance=f"{self._name} has no value yet")
        pending = stages.get(_OURS)
        if stages.get(_PENDING, current) not in (pending, current):
            version = printable(stages[_PENDING])
            return Standing(
                hindrance=f"version {version} of {self._name} was staged by somebody else: let that be finished, or "
                f"take {_PENDING} from it"
            )
        return Standing(
            current=current,
            made=made[current],
            pending=pending,
            promoted=pending == current,
            previous=stages.get(_PREVIOUS),
        )

    def _hindrance(self) -> str:
        """Return why the secret cannot be rotated by us, an empty text when it can."""
        doing = f"looking at the secret {self._name}"
        describe = functools.partial(self._client.describe_secret, SecretId=self._name)
        try:
            found = self._task.ask(describe, doing=doing)
        except RefusedError as error:
            if error.code == _ABSENT:
                return f"there is no secret {self._name} in Secrets Manager"
            raise
        if found.get("DeletedDate"):
            return f"{self._name} is to be deleted: restore it first"
        if found.get("RotationEnabled"):
            return f"{self._name} is rotated by Secrets Manager itself, with a function of Lambda"
        region = found.get("PrimaryRegion")
        if region and region != self._task.region:
            return f"{self._name} is a replica: rotate it in {printable(str(region))}"
        return ""

    def _versions(self) -> tuple[dict[str, float], dict[str, str]]:
        """Return when each version was made, and the version that bears each label."""
        doing = f"listing the versions of {self._name}"
        made, stages = {}, {}
        for row in self._task.pages(
            "secretsmanager", "list_secret_version_ids", "Versions", doing=doing, SecretId=self._name
        ):
            version, when, labels = (row.get(key) for key in ("VersionId", "CreatedDate", "VersionStages"))
            if not isinstance(version, str) or not isinstance(when, datetime) or not isinstance(labels, list | None):
                raise MalformedError(f"{doing}: the answer describes what is none")
            made[version] = when.timestamp()
            for label in labels or []:
                if str(label) in stages:
                    raise MalformedError(f"{doing}: {printable(str(label))} stands at two versions")
                stages[str(label)] = version
        return made, stages

    def _at(self, label: str) -> str | None:
        return self._versions()[1].get(label)

    def current(self) -> str:
        return self._value(_CURRENT)

    def pending(self) -> str:
        return self._value(_OURS)

    def _value(self, label: str) -> str:
        doing = f"reading the value of {self._name} at {label}"
        get = functools.partial(self._client.get_secret_value, SecretId=self._name, VersionStage=label)
        value = self._task.ask(get, doing=doing).get("SecretString")
        if not isinstance(value, str):
            raise TaskError(f"{self._name} holds no text at {label}: only text can be rotated")
        self._learn(value)
        return value

    def stage(self, value: str) -> None:
        self._learn(value)
        token = str(uuid.uuid4())
        doing = f"staging a new value of {self._name}"
        put = functools.partial(
            self._client.put_secret_value,
            SecretId=self._name,
            ClientRequestToken=token,
            SecretString=value,
            VersionStages=[_PENDING, _OURS],
        )
        settle(self._task, put, lambda: self._at(_OURS) == token, doing=doing)
        self._task.patience.until(lambda: self._at(_OURS), lambda found: found == token, doing=doing)
        if self.pending() != value:
            raise TaskError(f"{doing}: what was read back is not what was put")

    def promote(self, before: Standing) -> None:
        pending = self._at(_OURS)
        if pending is None:
            raise TaskError(f"{self._name}: the staged value is gone: somebody else is at work")
        self._move(_CURRENT, pending, before.current)

    def confirm(self) -> None:
        self.withdraw()

    def withdraw(self) -> None:
        stages = self._versions()[1]
        if _OURS in stages and stages.get(_PENDING) == stages[_OURS]:
            self._take_away(_PENDING)
        self._take_away(_OURS)

    def back(self, before: Standing) -> None:
        now = self._at(_CURRENT)
        good = before.previous if before.promoted else before.current
        if now is None or good is None:
            raise TaskError(f"{self._name}: there is no version to go back to")
        if now != good:
            self._move(_CURRENT, good, now)
            self._give_previous(None if before.promoted else before.previous)
        self.withdraw()

    def _give_previous(self, older: str | None) -> None:
        """Take AWSPREVIOUS from the version that did not prove itself, and give it to who had it before."""
        bad = self._at(_PREVIOUS)
        if older is not None and bad is not None and older != bad:
            try:
                self._move(_PREVIOUS, older, bad)
            except RefusedError:  # that version is not kept any more
                self._take_away(_PREVIOUS)
        else:
            self._take_away(_PREVIOUS)

    def retire(self) -> None:
        self._take_away(_PREVIOUS)

    def _move(self, label: str, to: str, away_from: str) -> None:
        """Move a label; refused by Secrets Manager when it is elsewhere by now."""
        move = functools.partial(
            self._client.update_secret_version_stage,
            SecretId=self._name,
            VersionStage=label,
            MoveToVersionId=to,
            RemoveFromVersionId=away_from,
        )
        self._settle(move, label, to, f"moving {label} of {self._name}")

    def _take_away(self, label: str) -> None:
        holder = self._at(label)
        if holder is None:
            return
        take = functools.partial(
            self._client.update_secret_version_stage,
            SecretId=self._name,
            VersionStage=label,
            RemoveFromVersionId=holder,
        )
        self._settle(take, label, None, f"taking {label} from {self._name}")

    def _settle(self, send: Callable[[], Any], label: str, holder: str | None, doing: str) -> None:
        """Send a change of a label, and wait until that shows."""
        settle(self._task, send, lambda: self._at(label) == holder, doing=doing)
        self._task.patience.until(lambda: self._at(label), lambda found: found == holder, doing=doing)
