"""Replace a secret by a new one: staged, proven, put in force, taken up, confirmed."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from opslib.cloud.aws.new_secret import ALPHABETS, bits, generate, member_of, with_member
from opslib.cloud.aws.rotation import Standing, Store
from opslib.cloud.aws.rotation_parameter import ParameterStore
from opslib.cloud.aws.rotation_proof import Program, TaskSpecs, make
from opslib.cloud.aws.rotation_saga import Saga
from opslib.cloud.aws.rotation_secret import SecretStore
from opslib.cloud.aws.task import AwsTask
from opslib.cloud.patience import Patience
from opslib.cloud.task import MODIFY, REMOVE, Change, Plan, param
from opslib.host.params import Boolean, Choice, Duration, Name, Number, ParamError, Text, shown

__all__ = ["SecretRotation"]

SECRETS_MANAGER, PARAMETER_STORE = "secrets_manager", "parameter_store"
_LEAST_BITS = 128
_DAY = 86400


class Moment(Text):
    """A moment in time."""

    def __init__(self) -> None:
        super().__init__("moment with its zone, such as 2026-11-27T09:00:00Z")

    def check(self, value: str) -> str:
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            raise ParamError(f"{shown(value)} is no {self.label}")
        return found.astimezone(UTC).isoformat()


@dataclass(frozen=True, slots=True)
class _State:
    """differs: whether the value in force is another than the one given, where one is."""

    now: float
    standing: Standing
    differs: bool = False


class SecretRotation(AwsTask, name="secret_rotation"):
    """Replace a secret of Secrets Manager or the Parameter Store that is too old, and prove the new one.

    The new value is staged beside the old one, and proven: by `check_command`, which gets it on standard input, and by
    `checks`, tasks of opslib such as `http_check` with `{secret}` where it belongs. Then it is put in force, and
    `consumers` take it up: tasks such as `container_restart`, and `http_check` to see that all is well. When a proof
    fails, it is withdrawn; when a consumer fails, the old value is put in force again and the consumers run once more.
    Only then is it confirmed. A run that was cut short is gone on with by the next. No value is ever shown, and none
    stands in an argument vector, an environment or a file.

    In Secrets Manager the staged value is AWSPENDING and, to be known as ours, `opslib-pending`; the old one stays
    AWSPREVIOUS for `grace`, and what somebody else has staged is left alone. In the Parameter Store it is a parameter
    beside the secret, named `NAME.opslib-pending`, and the old one stays in the history with the label `previous`.
    Secrets that Secrets Manager rotates with a function of its own are left alone.

    data: `secret`, `store`, `version`, `age` (seconds), `pending`, `previous` (versions or null). Sources: "Rotate AWS
    Secrets Manager secrets" in its user guide; PutParameter in the API reference of Systems Manager.
    """

    secret: str = param(
        Name("name or ARN of a secret", signs="/_+=.@-:", longest=1011), "The secret.", example="spendsense/jwt"
    )
    store: str = param(Choice(SECRETS_MANAGER, PARAMETER_STORE), "Where it is kept.", default=SECRETS_MANAGER)
    member: str | None = param(
        Text("name of a member"), "Of a JSON object, the member to replace; the others stay.", default=None
    )
    max_age: float = param(Duration(low=60), "Seconds after which it is replaced.", default="30d")
    not_before: str | None = param(
        Moment(), "Replace it, too, if it was made before this moment: that of an incident.", default=None
    )
    value: str | None = param(
        Text("secret", lines=True, secret=True),
        "The new value, from a vault; it is put in force whenever another is. Without it, one is made.",
        default=None,
    )
    length: int = param(Number(1, 4096, whole=True), "Characters of a value that is made.", default=64)
    alphabet: str = param(Choice(*ALPHABETS), "What it is made of.", default="letters")
    check_command: list[str] | None = param(
        Program(), "A program that ends with 0 if the value on its standard input is good.", default=None
    )
    check_timeout: float = param(Duration(low=0.1), "Seconds that the program may take.", default="1m")
    checks: list[dict[str, Any]] = param(
        TaskSpecs(),
        "Tasks that prove the new value before it is put in force; {secret} in their parameters stands for it.",
        default=[],
        example=[
            {
                "task": "http_check",
                "args": {
                    "url": "https://api.example.com/me",
                    "request_headers": {"Authorization": "Bearer {secret}"},
                },
            }
        ],
    )
    consumers: list[dict[str, Any]] = param(
        TaskSpecs(),
        "Tasks to run once it is in force; account, region and profile are those of this task unless given.",
        default=[],
        example=[{"task": "container_restart", "args": {"service": "spendsense-api"}}],
    )
    unproven: bool = param(Boolean(), "Put it in force without any check or consumer.", default=False)
    grace: float | None = param(
        Duration(), "Seconds after which the previous value is let go; without it, when the next comes.", default=None
    )

    def check(self) -> None:
        if not (self.check_command or self.checks or self.consumers or self.unproven):
            self.refuse("give check_command, checks or consumers to prove the new value, or say unproven=true")
        if self.value is None and bits(self.length, self.alphabet) < _LEAST_BITS:
            self.refuse(f"length {self.length} of {self.alphabet} is less than {_LEAST_BITS} bits: easily guessed")
        if self.store == PARAMETER_STORE:
            if ":" in self.secret or "@" in self.secret:
                self.refuse(f"secret: {shown(self.secret)} is no name of a parameter; its ARN is not taken")
            if self.grace is not None:
                self.refuse("grace: the history of a parameter cannot be cut")
        elif self.secret.startswith("arn:") and self.secret.split(":")[3:5] != [self.region, self.account]:
            self.refuse(f"secret: {shown(self.secret)} is not of account {self.account} and region {self.region}")
        for name, specs in (("checks", self.checks), ("consumers", self.consumers)):
            for spec in specs:
                if spec["task"] == self.name:
                    self.refuse(f"{name}: a rotation cannot be part of a rotation")
                try:
                    make(spec, self.own)
                except ParamError as error:
                    self.refuse(f"{name}: {error}")

    # --- what must never be shown

    @functools.cached_property
    def _known(self) -> list[str]:
        """Every value that was read or made."""
        return []

    def secrets(self) -> Iterator[str]:
        yield from super().secrets()
        yield from self._known
        for spec in (*self.checks, *self.consumers):
            kind, args = make(spec, self.own)
            yield from kind(**args).secrets()

    def _learn(self, value: str) -> None:
        self._known.append(value)
        if self.member is not None:
            self._known.append(member_of(value, self.member, self.secret))

    # --- time: what was spent on proofs and consumers is not missing when something must be put right

    @functools.cached_property
    def _patiences(self) -> list[Patience]:
        return [Patience(self.wait, self.poll)]

    @property
    def patience(self) -> Patience:
        """How long to wait for the store, from the last proof on."""
        return self._patiences[-1]

    def renew(self) -> None:
        """Begin the time anew, after what had its own."""
        self._patiences.append(Patience(self.wait, self.poll))

    # ---

    @property
    def own(self) -> dict[str, Any]:
        """What the tasks of checks and consumers are given, too."""
        return {"account": self.account, "region": self.region, "profile": self.profile}

    @functools.cached_property
    def _store(self) -> Store:
        kind = SecretStore if self.store == SECRETS_MANAGER else ParameterStore
        return kind(self, self.secret, self._learn)

    def look(self) -> _State:
        standing = self._store.look()
        differs = False
        if self.value is not None and not standing.hindrance and standing.pending is None:
            differs = self.part(self._store.current()) != self.value
        return _State(time.time(), standing, differs)

    def part(self, text: str) -> str:
        """Return what of a secret is replaced: all of it, or a member."""
        return text if self.member is None else member_of(text, self.member, self.secret)

    def compare(self, state: _State) -> Plan:
        standing = state.standing
        age = max(state.now - standing.made, 0)
        data = {
            "secret": self.secret,
            "store": self.store,
            "version": standing.current or None,
            "age": int(age),
            "pending": standing.pending,
            "previous": standing.previous,
        }
        if standing.hindrance:
            return Plan(failure=standing.hindrance, data={**data, "age": None})
        changes = []
        due = self._due(state, age)
        if due:
            before, after = f"version {standing.current}", "a new version"
            changes.append(Change(kind=MODIFY, summary=due, before=before, after=after, detail=standing))
        elif self.grace is not None and standing.previous is not None and age >= self.grace:
            summary = f"let go of the previous value of {self.secret}, after {self.grace / _DAY:g} days"
            changes.append(Change(kind=REMOVE, summary=summary, before=f"version {standing.previous}", detail=standing))
        return Plan(changes=changes, reason=f"{self.secret} is {age / _DAY:.1f} days old", data=data)

    def _due(self, state: _State, age: float) -> str:
        """Return what is to be done, an empty text when nothing is."""
        standing = state.standing
        if standing.promoted:
            return f"finish the rotation of {self.secret}: the new value is in force, but not confirmed"
        if standing.pending is not None:
            return f"go on with the rotation of {self.secret}: the new value is staged"
        old = self.not_before is not None and standing.made < datetime.fromisoformat(self.not_before).timestamp()
        if state.differs:
            return f"replace {self.secret} by the value that is given"
        if self.value is None and (old or age >= self.max_age):
            return f"replace {self.secret}, which is {age / _DAY:.1f} days old"
        return ""

    def apply(self, change: Change) -> None:
        saga = Saga(self, self._store)
        if change.kind == REMOVE:
            self._store.retire()
            return
        saga.carry_out(change.detail)
        after = self.look()
        if after.differs:  # what was gone on with was another value than the one that is given
            saga.carry_out(after.standing)

    def made(self) -> str:
        """Return the new value, whole."""
        new = self.value if self.value is not None else generate(self.length, self.alphabet)
        self._known.append(new)
        return new if self.member is None else with_member(self._store.current(), self.member, new, self.secret)
