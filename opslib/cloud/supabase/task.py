"""The base of tasks on Supabase: one project, by its reference."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

from opslib.cloud.access import TokenText, address, token, tokens
from opslib.cloud.errors import MismatchError
from opslib.cloud.http import Http, model_of
from opslib.cloud.libraries import load
from opslib.cloud.task import CloudTask, param
from opslib.host.params import Name, ParamError, Url, shown

if TYPE_CHECKING:
    from opslib.cloud.supabase.models import Project

__all__ = ["Reference", "SupabaseTask"]

M = TypeVar("M")
ADDRESS = "https://api.supabase.com"
VARIABLE = "SUPABASE_ACCESS_TOKEN"


class Reference(Name):
    """A project's reference: twenty lower-case letters, the first part of its host."""

    def __init__(self) -> None:
        super().__init__("Supabase project reference", "", 20)

    def check(self, value: str) -> str:
        if len(value) != 20 or not (value.isascii() and value.isalpha() and value.islower()):
            raise ParamError(f"{shown(value)} is no {self.label}: twenty lower-case letters")
        return value


class SupabaseTask(CloudTask):
    """A task on a project of Supabase. The access token comes from the environment or a vault."""

    ref: str = param(Reference(), "The project's reference.", example="abcdefghijklmnopqrst")
    token: str | None = param(
        TokenText(),
        f"Access token of the management API; else the environment's {VARIABLE}.",
        default=None,
    )
    api: str | None = param(
        Url(), f"URL of the management API; else the environment's SUPABASE_API_URL, or {ADDRESS}.", default=None
    )

    def check(self) -> None:
        if self.api:
            address(self.api, "", "")

    def secrets(self) -> Iterator[str]:
        """Yield every text that must never be shown."""
        yield from super().secrets()
        yield from tokens(self.token, VARIABLE)

    def scope(self) -> dict[str, str]:
        return {"project": self.ref}

    @functools.cached_property
    def management(self) -> Http:
        """The management API, which wants no more than 120 requests a minute."""
        load("pydantic", "http")
        url = address(self.api, "SUPABASE_API_URL", ADDRESS)
        headers = {"Authorization": f"Bearer {token(self.token, VARIABLE, of='Supabase')}"}
        return Http("Supabase", url, self.patience, extra="http", headers=headers)

    def read(self, kind: type[M], path: str, what: str, **query: list[str]) -> M:
        """Return what the management API says of the project at a path."""
        answer = self.management.get(f"/v1/projects/{self.ref}{path}", params=query)
        return model_of(kind, answer.json(), f"Supabase: {what}")

    def project(self) -> Project:
        """Return the project. Raises MismatchError when the API answers with another."""
        load("pydantic", "http")
        from opslib.cloud.supabase import models

        found = self.read(models.Project, "", "the project")
        if found.ref != self.ref:
            raise MismatchError(f"Supabase answered with project {shown(found.ref)} instead of {self.ref}")
        return found

    def identify(self) -> None:
        """Prove that the token leads to the project."""
        self.project()
