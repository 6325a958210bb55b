"""Fixtures that give tests real hosts. Enabled with `-p opslib.lab.pytest_plugin`, or as an entry point of that name.

`lab_factory` (session): a function that boots a lab, with the parameters of Lab; all are removed at the end.
`lab` (session): one lab of `--lab-hosts` hosts (or ini option `lab_hosts`; 3).
`lab_host` (function): the first host of `lab`, which is reset after the test.

Where a lab cannot run, tests that ask for one are skipped and say why; in CI (variable `CI`) they fail instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opslib.lab import Lab, LabHost

__all__ = ["LabFactory", "lab", "lab_factory", "lab_host"]

_DEFAULT_HOSTS = 3


class LabFactory(Protocol):
    """Boots a lab that lives until the end of the test session."""

    def __call__(
        self,
        hosts: int = ...,
        *,
        packages: Sequence[str] = ...,
        binds: Mapping[str | os.PathLike[str], str] | None = ...,
        layers: Sequence[str | os.PathLike[str]] = ...,
        disk: str = ...,
    ) -> Lab:
        """Boot a lab; the parameters are those of Lab."""
        ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--lab-hosts` and the ini option `lab_hosts`."""
    parser.getgroup("opslib").addoption(
        "--lab-hosts", type=int, metavar="N", help=f"hosts of the fixture `lab` (default: {_DEFAULT_HOSTS})"
    )
    parser.addini("lab_hosts", f"hosts of the fixture `lab` (default: {_DEFAULT_HOSTS})")


@pytest.fixture(scope="session")
def lab_factory() -> Iterator[LabFactory]:
    """Give a function that boots a lab for the rest of the session."""
    from opslib.lab import Lab, requirements  # heavy, and not needed by sessions without a lab

    if missing := requirements():
        sentence = " ".join(missing)
        if os.environ.get("CI"):
            pytest.fail(f"no lab in CI: {sentence}", pytrace=False)
        pytest.skip(sentence)
    with ExitStack() as labs:

        def start(
            hosts: int = _DEFAULT_HOSTS,
            *,
            packages: Sequence[str] = (),
            binds: Mapping[str | os.PathLike[str], str] | None = None,
            layers: Sequence[str | os.PathLike[str]] = (),
            disk: str = "512M",
        ) -> Lab:
            return labs.enter_context(Lab(hosts, packages=packages, binds=binds, layers=layers, disk=disk))

        yield start


@pytest.fixture(scope="session")
def lab(lab_factory: LabFactory, request: pytest.FixtureRequest) -> Lab:
    """One lab for the session. Tests that change a host reset it, or use `lab_host`."""
    config = request.config
    return lab_factory(int(config.getoption("--lab-hosts") or config.getini("lab_hosts") or _DEFAULT_HOSTS))


@pytest.fixture
def lab_host(lab: Lab) -> Iterator[LabHost]:
    """Give a pristine host, to be changed at will: it is reset afterwards."""
    host = lab.hosts[0]
    yield host
    host.reset()
