"""Set and remove a container service's environment variables."""

from __future__ import annotations

from opslib.cloud.aws.container.environment import Edits, VariableName
from opslib.cloud.aws.container.platform import Wanted
from opslib.cloud.aws.container.state import ServiceState
from opslib.cloud.aws.container.task import ContainerTask, unchanged, usable
from opslib.cloud.task import MODIFY, Change, Plan, param
from opslib.host.params import ListOf, Mapping, ParamError, Text

__all__ = ["ContainerEnv"]


class _Variables(Mapping):
    """Values by the names of variables."""

    def __init__(self, value: Text) -> None:
        super().__init__(value)
        self.label = f"mapping of names of variables to {value.label}"

    def __call__(self, value: object) -> dict[str, str]:
        found = super().__call__(value)
        return {VariableName()(key): each for key, each in found.items()}


class _SecretPlace(Text):
    """Where a secret is kept: an ARN of Secrets Manager or SSM. What is none may be the secret itself: never shown."""

    def __init__(self) -> None:
        super().__init__("ARN of a secret or a parameter", secret=True)

    def check(self, value: str) -> str:
        pieces = value.split(":")
        good = len(pieces) >= 6 and pieces[0] == "arn" and pieces[2] in ("secretsmanager", "ssm")
        if not good or not value.isascii() or any(c.isspace() for c in value) or len(value) > 2048:
            raise ParamError(f"the value is no {self.label}")
        return value


class ContainerEnv(ContainerTask, name="container_env"):
    """Set and remove environment variables of a service, and keep all others as they are.

    `variables` are values that stand in the service's configuration; those of `secrets_from` are read from where they
    are kept when an instance starts. A name is one or the other. All changes go in one update, which the platform
    deploys; one that it rolls back is a failure. Values are never shown.

    data: as `container_deploy`. Sources: ImageConfiguration in App Runner's API reference, ExpressGatewayContainer in
    that of ECS.
    """

    variables: dict[str, str] = param(
        _Variables(Text("value", lines=True, empty=True, secret=True)),
        "Variables to set, with their values; never shown.",
        default={},
        example={"LOG_LEVEL": "info"},
    )
    secrets_from: dict[str, str] = param(
        _Variables(_SecretPlace()),
        "Variables whose values are kept in Secrets Manager or as SSM parameters, with the ARN of each.",
        default={},
        example={"OPENAI_API_KEY": "arn:aws:secretsmanager:us-east-1:123456789012:secret:openai-AbCdEf"},
    )
    unset: list[str] = param(ListOf(VariableName()), "Names to remove, of either kind.", default=[], example=["DEBUG"])

    def check(self) -> None:
        super().check()
        names = [*self.variables, *self.secrets_from, *self.unset]
        twice = sorted({each for each in names if names.count(each) > 1})
        if twice:
            self.refuse(f"{twice[0]} stands in more than one of variables, secrets_from and unset")
        if not names:
            self.refuse("there is nothing to do; give variables, secrets_from or unset")

    @property
    def edits(self) -> Edits:
        """What is asked for."""
        return Edits(self.variables, self.secrets_from, self.unset)

    def look(self) -> ServiceState:
        return self.on.idle()

    def compare(self, state: ServiceState) -> Plan:
        data = self.facts(state)
        failure = usable(state, paused=True)
        if not failure and not state.image:
            failure = f"{state.name} is built from a code repository; its environment is kept with the code"
        if failure:
            return Plan(failure=failure, data=data)
        words = self.edits.words(state)
        if not words:
            return Plan(reason=f"the environment of {state.name} is so already", data=data)
        variables, secrets = self.edits.of(state)
        before, after = sorted({*state.variables, *state.secrets}), sorted({*variables, *secrets})
        summary = f"change the environment of {state.name}: {', '.join(words)}"
        change = Change(kind=MODIFY, summary=summary, before=" ".join(before), after=" ".join(after), detail=state)
        return Plan(changes=[change], data=data)

    def apply(self, change: Change) -> None:
        planned = change.detail
        what = f"changing the environment of {planned.name}"
        self.on.update(what, Wanted(edits=self.edits), lambda now: unchanged(now, planned))
