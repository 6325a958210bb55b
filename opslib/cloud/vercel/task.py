"""The base of tasks on Vercel: one project of one team."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from opslib.cloud.access import TokenText, address, token, tokens
from opslib.cloud.errors import MismatchError, RefusedError
from opslib.cloud.task import CloudTask, param
from opslib.cloud.vercel.client import Client
from opslib.host.params import Name, ParamError, Text, Url, shown

if TYPE_CHECKING:
    from opslib.cloud.vercel.models import Project

__all__ = ["DeploymentName", "VercelTask"]

T = TypeVar("T")
ADDRESS = "https://api.vercel.com"
VARIABLE = "VERCEL_TOKEN"


class DeploymentName(Text):
    """A deployment: its id, its host, or its URL, of which the host is taken."""

    def __init__(self) -> None:
        super().__init__("deployment: its id (dpl_...) or URL")

    def check(self, value: str) -> str:
        name = value.removeprefix("https://").rstrip("/")
        if not name or len(name) > 253 or not all(c.isascii() and (c.isalnum() or c in "_-.") for c in name):
            raise ParamError(f"{shown(value)} is no {self.label}")
        if name[0] in "-." or name[-1] in "-.":
            raise ParamError(f"{shown(value)} is no {self.label}")
        return name


class VercelTask(CloudTask):
    """A task on a project of Vercel. The token comes from the environment (VERCEL_TOKEN) or a vault."""

    project: str = param(Name("Vercel project: name or id", "._-", 100), "The project.", example="dashboard")
    team: str | None = param(
        Name("Vercel team: id or slug", "._-", 100),
        "The team that has the project; without it the personal account of the token.",
        default=None,
        example="acme",
    )
    token: str | None = param(
        TokenText(), "Access token, from a vault; else the environment's VERCEL_TOKEN.", default=None
    )
    api: str | None = param(
        Url(), f"URL of the API; else the environment's VERCEL_API_URL, or {ADDRESS}.", default=None
    )

    def check(self) -> None:
        if self.api:
            address(self.api, "", "")

    def secrets(self) -> Iterator[str]:
        """Yield every text that must never be shown."""
        yield from super().secrets()
        yield from tokens(self.token, VARIABLE)

    def scope(self) -> dict[str, str]:
        return {"team": self.team or "(personal account)", "project": self.project}

    @property
    def address(self) -> str:
        """URL of the API."""
        return address(self.api, "VERCEL_API_URL", ADDRESS)

    @property
    def key(self) -> str:
        """The access token."""
        return token(self.token, VARIABLE, of="Vercel")

    @functools.cached_property
    def client(self) -> Client:
        """The API, for this project."""
        return Client(self.address, self.key, self.patience, team=self.team, project=self.project)

    def identify(self) -> None:
        """Prove that the token leads to the project, and that the project is of the team."""
        try:
            found: Project = self.client.project()
        except RefusedError as error:
            if error.status == 404:
                words = f"project {self.project} is not in {self._place}: {error}"
                raise MismatchError(words) from error
            raise
        if self.project not in (found.id, found.name):
            raise MismatchError(f"{self._place} answered with project {found.name} instead of {self.project}")
        if self.team and self.team.startswith("team_") and found.account_id != self.team:
            raise MismatchError(f"project {self.project} is of {found.account_id}, not of {self.team}")

    def change(self, call: Callable[[], T], *, doing: str) -> T:  # noqa: ARG002 - the client words its errors
        """Send a change; the client repeats it only while it is turned away by throttling."""
        return call()

    @property
    def _place(self) -> str:
        return f"team {self.team}" if self.team else "the personal account of the token"
