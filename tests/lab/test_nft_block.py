"""The task `nft_block` on real hosts: packets are dropped, time lets them in again, and nobody locks themselves out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from opslib import Fleet, Status, StepResult, tasks
from opslib.lab import Lab, LabHost
from opslib.lab.pytest_plugin import LabFactory
from support.apply import target_for
from support.hosts import eventually
from support.looks import fingerprint
from support.witness import Witnesses
from systems import install


@pytest.fixture(scope="module")
def pair(lab_factory: LabFactory) -> Lab:
    """Two hosts with nftables."""
    return lab_factory(2, packages=install.PACKAGES)


@pytest.fixture
def guard(pair: Lab) -> Iterator[LabHost]:
    """The host that blocks."""
    host = pair.hosts[0]
    yield host
    host.run(["nft", "delete", "table", "inet", "opslib"], check=False)


def run(lab: Lab, host: LabHost, *, check: bool = False, login: str = "root", **args) -> StepResult:
    with Fleet([target_for(lab, host, login)], timeout=60) as fleet:
        result = fleet.run([tasks.nft_block(**args)], check=check).hosts[host.name]
    assert result.error is None, result.error
    (step,) = result.steps
    return step


def reaches(one: LabHost, other: LabHost) -> bool:
    """Whether a host gets to another's sshd."""
    words = ["timeout", "0.7", "bash", "-c", f"read -r line < /dev/tcp/{other.address}/22; echo $line"]
    return one.run(words, check=False).stdout.startswith("SSH-2.0")


def ruleset(host: LabHost) -> str:
    return host.run(["nft", "list", "ruleset"]).stdout


def test_block_and_open(pair: Lab, guard: LabHost) -> None:
    other = pair.hosts[1]
    assert reaches(other, guard)
    args = {"addresses": [other.address, "198.51.100.0/24", "2001:db8::/48"], "expires": "1h"}
    before = (fingerprint(guard), ruleset(guard))
    planned = run(pair, guard, check=True, **args)
    assert planned.status is Status.CHANGED
    assert (fingerprint(guard), ruleset(guard)) == before
    done = run(pair, guard, **args)
    assert done.status is Status.CHANGED, done.error
    assert not reaches(other, guard)
    witness = Witnesses(pair)
    try:
        seen = witness(guard).check_output("nft list set inet opslib blocked4")
        assert other.address in seen
        assert "198.51.100.0/24 timeout 1h" in seen
        assert "2001:db8::/48" in witness(guard).check_output("nft list set inet opslib blocked6")
    finally:
        witness.close()
    again = run(pair, guard, **args)
    assert (again.status, again.changes) == (Status.OK, ())
    assert again.data["packets"] > 0
    opened = run(pair, guard, addresses=[other.address], state="open")
    assert opened.status is Status.CHANGED
    assert reaches(other, guard)
    assert run(pair, guard, addresses=[other.address], state="open").status is Status.OK


def test_a_block_ends_by_itself(pair: Lab, guard: LabHost) -> None:
    other = pair.hosts[1]
    assert run(pair, guard, addresses=[other.address], expires=3).status is Status.CHANGED
    assert not reaches(other, guard)
    assert eventually(lambda: reaches(other, guard))
    # The whole network takes the place of one of its addresses.
    assert run(pair, guard, addresses=["198.51.100.7"]).status is Status.CHANGED
    step = run(pair, guard, addresses=["198.51.100.0/24"])
    assert step.changes[0].before == "198.51.100.7"
    assert run(pair, guard, addresses=["198.51.100.9"]).status is Status.OK


@pytest.mark.parametrize("login", ["root", "ops"])
def test_the_operator_is_not_locked_out(pair: Lab, guard: LabHost, login: str) -> None:
    seen = run(pair, guard, addresses=["203.0.113.1"], check=True, login=login)
    (operator,) = seen.data["operators"]
    for address in (operator, operator.rpartition(".")[0] + ".0/24"):
        for check in (True, False):
            step = run(pair, guard, addresses=["203.0.113.1", address], check=check, login=login)
            assert step.status is Status.FAILED
            assert f"somebody is logged in from {operator} over ssh; nothing was blocked" in str(step.error)
    step = run(pair, guard, addresses=[guard.address], login=login)
    assert "this host's own" in str(step.error)
    assert "opslib" not in ruleset(guard)


def test_foreign_rules_stay(pair: Lab, guard: LabHost) -> None:
    guard.run(["nft", "add", "table", "ip", "mine"])
    guard.run(["nft", "add", "table", "inet", "opslib"])  # half of ours
    assert run(pair, guard, addresses=["203.0.113.1"]).status is Status.CHANGED
    assert "table ip mine" in ruleset(guard)
    assert "ip saddr @blocked4 counter packets 0 bytes 0 drop" in ruleset(guard)
    guard.run(["nft", "delete", "table", "ip", "mine"])


def test_without_root_or_nft(pair: Lab, guard: LabHost, lab: Lab) -> None:
    with Fleet([target_for(pair, guard, user="nosudo", become=None)], timeout=60) as fleet:
        result = fleet.run([tasks.nft_block(addresses=["203.0.113.1"])]).hosts[guard.name]
    assert "this takes root" in str(result.failure)
    assert run(lab, lab.hosts[0], addresses=["203.0.113.1"]).error == "nft is not installed on this host"
