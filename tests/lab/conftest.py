"""What tests on real hosts share: a host per file, runs of steps, a witness of another kind, and looks at hosts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from opslib import Fleet, HostResult, Step
from opslib.host.task import Task
from opslib.lab import Lab, LabHost
from opslib.lab.pytest_plugin import LabFactory
from support.apply import Apply, Steps, target_for
from support.hosts import eventually, left_behind
from support.looks import fingerprint
from support.system import System, running, system_lab
from support.units import Units
from support.witness import Witnesses


@pytest.fixture(scope="module")
def server(lab: Lab) -> Iterator[LabHost]:
    """A host for the tests of one file, which keep out of each other's way; it is reset afterwards."""
    host = lab.hosts[0]
    yield host
    host.reset()


@pytest.fixture
def apply(lab: Lab) -> Apply:
    """`apply(host, steps, check=..., login=...)` runs steps on a host, which leaves nothing running there."""

    def run(host: LabHost, steps: Steps, *, check: bool = False, login: str = "root") -> HostResult:
        given = [steps] if isinstance(steps, Task | Step) else list(steps)
        with Fleet([target_for(lab, host, login)], timeout=120) as fleet:
            result = fleet.run(given, check=check).hosts[host.name]
        assert eventually(lambda: left_behind(host) == []), left_behind(host)
        return result

    return run


@pytest.fixture
def rehearse(apply: Apply) -> Apply:
    """Like `apply`, in check mode; fails when the host does not look the same afterwards."""

    def run(host: LabHost, steps: Steps, **options: Any) -> HostResult:
        before = fingerprint(host)
        result = apply(host, steps, **{**options, "check": True})
        after = fingerprint(host)
        assert {key for key in {**before, **after} if before.get(key) != after.get(key)} == set()
        return result

    return run


@pytest.fixture
def witness(lab: Lab) -> Iterator[Witnesses]:
    """`witness(host)` is a testinfra host: it verifies what we did by means of its own."""
    witnesses = Witnesses(lab)
    yield witnesses
    witnesses.close()


@pytest.fixture
def units(server: LabHost) -> Iterator[Units]:
    """Installs systemd units on `server` for one test."""
    installed = Units(server)
    yield installed
    installed.close()


@pytest.fixture(scope="session")
def sample_lab(lab_factory: LabFactory) -> Lab:
    """A lab of one host with the sample system (tests/systems), for the session."""
    return system_lab(lab_factory)


@pytest.fixture(scope="session")
def sample_fleet(lab_factory: LabFactory) -> Lab:
    """A lab of three hosts with the sample system, for the session; whoever changes a host resets it."""
    return system_lab(lab_factory, hosts=3)


@pytest.fixture
def system(sample_lab: Lab) -> Iterator[System]:
    """The sample system, running, to be changed at will: its host is reset afterwards."""
    with running(sample_lab, sample_lab.hosts[0]) as found:
        yield found


@pytest.fixture(scope="module")
def standing_system(sample_lab: Lab) -> Iterator[System]:
    """The sample system for the tests of one file, which put back what they change; reset at the end of the file."""
    with running(sample_lab, sample_lab.hosts[0]) as found:
        yield found
