"""The environment of a container, and edits to it that keep the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from opslib.host import wire
from opslib.host.params import ParamError, Text, shown
from opslib.host.task import TaskError

from .state import ServiceState

__all__ = ["Edits", "VariableName", "unsaid"]

_RESERVED = ("AWSAPPRUNNER",)


class VariableName(Text):
    """The name of an environment variable."""

    def __init__(self) -> None:
        super().__init__("name of an environment variable")

    def check(self, value: str) -> str:
        """Refuse what no shell could name, and what App Runner keeps to itself."""
        good = value.isascii() and value.isidentifier() and len(value) <= 255
        if not good or value.startswith(_RESERVED):
            raise ParamError(f"{shown(value)} is no {self.label}: letters, digits and _, not beginning with a digit")
        return value


@contextmanager
def unsaid(variables: Mapping[str, str]) -> Iterator[None]:
    """Keep the values of an environment out of the error of what is done with them: a service may repeat a request.

    Only out of that: they are of any kind, so that elsewhere the same text may stand for something that is to be read.
    """
    try:
        yield
    except TaskError as error:
        error.args = (wire.mask(str(error), variables.values()),)
        raise


@dataclass(frozen=True, slots=True)
class Edits:
    """variables: names with values to set; secrets: names with where the values are kept; unset: names to remove."""

    variables: Mapping[str, str] = field(repr=False)
    secrets: Mapping[str, str]
    unset: Sequence[str]

    def of(self, state: ServiceState) -> tuple[dict[str, str], dict[str, str]]:
        """Return variables and secrets as they should be; a name is one of both, never both."""
        variables = {key: value for key, value in state.variables.items() if key not in {*self.unset, *self.secrets}}
        secrets = {key: value for key, value in state.secrets.items() if key not in {*self.unset, *self.variables}}
        return {**variables, **self.variables}, {**secrets, **self.secrets}

    def words(self, state: ServiceState) -> list[str]:
        """Return what there is to do, in words without a value."""
        found = []
        for name, value in self.variables.items():
            if name not in state.variables:
                found.append(f"set {name}" + (" (in place of the secret)" if name in state.secrets else ""))
            elif state.variables[name] != value:
                found.append(f"change {name}")
        for name, place in self.secrets.items():
            if name not in state.secrets:
                found.append(
                    f"set {name} from a secret" + (" (in place of the value)" if name in state.variables else "")
                )
            elif state.secrets[name] != place:
                found.append(f"change where {name} comes from")
        found += [f"remove {name}" for name in self.unset if name in state.variables or name in state.secrets]
        return found
