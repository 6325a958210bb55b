"""A release's virtual environment. Sources: the manuals of venv and pip."""

from __future__ import annotations

import os

from opslib.host.record import Record
from opslib.host.task import TaskError

from .actor import Actor, path_with

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence

MOST_PACKAGES = 2000


class Pip(Record):
    """How virtual environments are made and filled. timeout: seconds for each program."""

    actor: Actor
    python: str = "python3"
    find_links: str | None = None
    index_url: str | None = None
    no_index: bool = False
    timeout: float = 900

    def make(self, venv: str) -> None:
        """Make an empty environment, in place of what may be there."""
        self.actor.run((self.python, "-m", "venv", "--clear", "--", venv), timeout=self.timeout)

    def install(self, venv: str, requirements: str, cwd: str) -> None:
        """Install what a requirements file asks for, and see that it fits together.

        Raises TaskError when a package cannot be had, or has needs that are not met.
        """
        self._pip(venv, cwd, "install", *self._sources(), "--requirement", requirements)
        self._pip(venv, cwd, "check")

    def install_locked(self, venv: str, packages: Sequence[str], cwd: str) -> None:
        """Install just these packages, as `locked` told them."""
        for place in range(0, len(packages), 200):
            some = packages[place : place + 200]
            if any(package.startswith("-") for package in some):
                raise TaskError("the record of packages holds an option; it was changed by hand")
            self._pip(venv, cwd, "install", "--no-deps", *self._sources(), "--", *some)

    def locked(self, venv: str) -> list[str]:
        """Return the packages of an environment with their versions."""
        if not os.path.exists(venv + "/bin/python"):
            return []
        done = self._pip(venv, "/", "freeze", "--all", "--exclude-editable")
        lines = [line.strip() for line in done.splitlines()]
        return [line for line in lines if line and not line.startswith(("#", "-"))][:MOST_PACKAGES]

    def _pip(self, venv: str, cwd: str, verb: str, *words: str) -> str:
        options = ("--no-input", "--disable-pip-version-check", "--quiet") if verb == "install" else ("--no-input",)
        argv = (venv + "/bin/python", "-m", "pip", verb, *options, *words)
        return self.actor.run(argv, timeout=self.timeout, env=environment(venv), cwd=cwd).out

    def _sources(self) -> list[str]:
        words = ["--no-index"] if self.no_index else []
        if self.index_url is not None:
            words += ["--index-url", self.index_url]
        return words + (["--find-links", self.find_links] if self.find_links is not None else [])


def environment(venv: str) -> dict[str, str]:
    """Return what stands in the environment of a program that is to use a virtual environment."""
    return {
        "VIRTUAL_ENV": venv,
        "PATH": path_with(venv + "/bin"),
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
