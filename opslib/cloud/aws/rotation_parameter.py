"""A parameter of the SSM Parameter Store under rotation.

A parameter has one value in force, the newest, and a history. So the new value is staged in a parameter beside it, of
the same type and key, which stays until the rotation is confirmed; the value before keeps its place in the history,
with the label `previous`, which it is given before another is put in force. Source: PutParameter and
LabelParameterVersion in the API reference of Systems Manager; "Working with parameter versions" in its user guide.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Any

from opslib.cloud.aws.rotation import Standing
from opslib.cloud.aws.task import AwsTask
from opslib.cloud.errors import MalformedError, RefusedError
from opslib.cloud.settled import settle
from opslib.host.task import TaskError

__all__ = ["ParameterStore"]

SUFFIX = ".opslib-pending"
_PREVIOUS = "previous"
_ABSENT = ("ParameterNotFound", "ParameterVersionNotFound")
_KINDS = ("String", "SecureString")


class ParameterStore:
    """A parameter by its name. learn: is told every value."""

    where = "the Parameter Store"

    def __init__(self, task: AwsTask, name: str, learn: Callable[[str], None]) -> None:
        self._task = task
        self._learn = learn
        self._name = name
        self._client = task.client("ssm")

    def look(self) -> Standing:
        found = self._get(self._name, decrypted=False)
        if found is None:
            return Standing(hindrance=f"there is no parameter {self._name} in the Parameter Store")
        if found["Type"] not in _KINDS:
            return Standing(hindrance=f"{self._name} is a list: only one text can be rotated")
        staged = self._get(self._name + SUFFIX, decrypted=False) is not None
        promoted = staged and self.pending() == self.current()
        previous = self._get(f"{self._name}:{_PREVIOUS}", decrypted=False)
        return Standing(
            current=str(found["Version"]),
            made=found["LastModifiedDate"].timestamp(),
            pending=self._name + SUFFIX if staged else None,
            promoted=promoted,
            previous=None if previous is None or previous["Version"] == found["Version"] else str(previous["Version"]),
        )

    def _get(self, name: str, *, decrypted: bool = True) -> dict[str, Any] | None:
        """Return a parameter, None when it is not there."""
        doing = f"reading the parameter {name}"
        get = functools.partial(self._client.get_parameter, Name=name, WithDecryption=decrypted)
        try:
            found = self._task.ask(get, doing=doing).get("Parameter")
        except RefusedError as error:
            if error.code in _ABSENT:
                return None
            raise
        if not isinstance(found, dict) or not (
            isinstance(found.get("Type"), str)
            and isinstance(found.get("Value"), str)
            and isinstance(found.get("Version"), int)
            and isinstance(found.get("LastModifiedDate"), datetime)
        ):
            raise MalformedError(f"{doing}: the answer holds none")
        if decrypted:
            self._learn(found["Value"])
        return found

    def _value(self, name: str) -> str:
        found = self._get(name)
        if found is None:
            raise TaskError(f"the parameter {name} is gone: somebody else is at work")
        return str(found["Value"])

    def current(self) -> str:
        return self._value(self._name)

    def pending(self) -> str:
        return self._value(self._name + SUFFIX)

    def stage(self, value: str) -> None:
        self._learn(value)
        doing = f"staging a new value of {self._name}"
        name = self._name + SUFFIX
        make = functools.partial(
            self._client.put_parameter,
            Name=name,
            Value=value,
            Description=f"A new value of {self._name}, until it is confirmed",
            **self._kind(),
        )

        def there() -> bool:
            found = self._get(name)
            return found is not None and found["Value"] == value

        settle(self._task, make, there, doing=doing)
        self._task.patience.until(there, bool, doing=doing)

    def _kind(self) -> dict[str, str]:
        """Return what must be given with every value for the parameter to stay of its kind."""
        doing = f"looking at the parameter {self._name}"
        wanted = [{"Key": "Name", "Option": "Equals", "Values": [self._name]}]
        rows = list(self._task.pages("ssm", "describe_parameters", "Parameters", doing=doing, ParameterFilters=wanted))
        if len(rows) != 1 or rows[0].get("Name") != self._name or not isinstance(rows[0].get("Type"), str):
            raise MalformedError(f"{doing}: the answer does not describe it")
        found = {"Type": rows[0]["Type"], "Tier": rows[0].get("Tier"), "KeyId": rows[0].get("KeyId")}
        return {key: str(value) for key, value in found.items() if value}

    def promote(self, before: Standing) -> None:
        now = self._get(self._name, decrypted=False)
        if now is None or str(now["Version"]) != before.current:
            raise TaskError(f"{self._name} was changed meanwhile: somebody else is at work")
        self._label(int(before.current))  # first: whenever a run ends, a value that is promoted has a way back
        self._put(self.pending())

    def _put(self, value: str) -> None:
        """Put a value in force."""
        doing = f"putting a value of {self._name} in force"
        put = functools.partial(
            self._client.put_parameter, Name=self._name, Value=value, Overwrite=True, **self._kind()
        )
        settle(self._task, put, lambda: self.current() == value, doing=doing)
        self._task.patience.until(lambda: self.current() == value, bool, doing=doing)

    def _label(self, version: int) -> None:
        doing = f"labelling version {version} of {self._name}"
        label = functools.partial(
            self._client.label_parameter_version, Name=self._name, ParameterVersion=version, Labels=[_PREVIOUS]
        )
        settle(self._task, label, lambda: False, doing=doing)

    def confirm(self) -> None:
        self.withdraw()

    def withdraw(self) -> None:
        name = self._name + SUFFIX
        remove = functools.partial(self._client.delete_parameter, Name=name)

        def gone() -> bool:
            return self._get(name, decrypted=False) is None

        if gone():
            return
        doing = f"removing the parameter {name}"
        try:
            settle(self._task, remove, gone, doing=doing)
        except RefusedError as error:
            if error.code not in _ABSENT:
                raise
        self._task.patience.until(gone, bool, doing=doing)

    def back(self, before: Standing) -> None:
        version = before.previous if before.promoted else before.current
        if version is None:
            raise TaskError(f"{self._name}: no version bears the label {_PREVIOUS}: there is none to go back to")
        good = self._value(f"{self._name}:{version}")
        if self.current() != good:
            self._put(good)
        self.withdraw()

    def retire(self) -> None:
        raise TaskError(f"{self._name}: the history of a parameter cannot be cut")
