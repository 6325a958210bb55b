"""The ways into a host: gateways, ssh configuration, sudo with and without a password, and those that are closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from opslib import Become, Fleet, HostResult, Status, Step, Target
from opslib.lab import Lab
from support.hosts import target
from support.probes import Note


def outcome(one: Target, **become: object) -> HostResult:
    """Run the smallest task there."""
    with Fleet([one]) as fleet:
        return fleet.run([Step(task=Note(path=f"/tmp/as-{one.user}"), **become)]).hosts[one.name]  # type: ignore[arg-type]


@pytest.mark.parametrize(("user", "become"), [("root", Become(exe="/no/such/sudo")), ("ops", True)])
def test_sudo_without_password(lab: Lab, user: str, become: Become | bool) -> None:
    """To whoever is root already it may be missing."""
    result = outcome(target(lab, lab.hosts[0], user=user), become=become)
    assert result.failure is None
    assert lab.hosts[0].run(["stat", "-c", "%U", f"/tmp/as-{user}"]).stdout.strip() == "root"


def test_sudo_with_password(lab: Lab) -> None:
    become = Become(password=lab.sudo_password)
    assert outcome(target(lab, lab.hosts[0], user="pat", become=become)).failure is None


def test_sudo_to_another_user(lab: Lab) -> None:
    with Fleet([target(lab, lab.hosts[0])]) as fleet:
        report = fleet.run([Step(task=Note(path="/tmp/of-nosudo"), become=Become(user="nosudo"))])
    assert report.exit_code == 0
    assert lab.hosts[0].run(["stat", "-c", "%U", "/tmp/of-nosudo"]).stdout.strip() == "nosudo"


@pytest.mark.parametrize(
    ("user", "become", "words"),
    [
        ("pat", Become(password="not-the-password"), "does not accept the become password"),
        ("pat", Become(), "sudo wants a password"),
        ("nosudo", Become(), "sudo"),
        ("root", Become(user="nobody-of-that-name"), "nobody-of-that-name"),
        ("ops", Become(exe="/no/such/sudo"), "/no/such/sudo was not found on the host; install it"),
    ],
)
def test_closed_sudo_fails_in_words(lab: Lab, user: str, become: Become, words: str) -> None:
    result = outcome(target(lab, lab.hosts[0], user=user), become=become)
    assert result.status is Status.FAILED
    assert words in (result.failure or "")
    assert "not-the-password" not in str(result.to_dict())


def test_unknown_user_is_unreachable(lab: Lab) -> None:
    result = outcome(target(lab, lab.hosts[0], user="nobody-of-that-name"))
    assert result.status is Status.UNREACHABLE
    assert "refused the login" in (result.failure or "")


@pytest.mark.parametrize("hops", [1, 2])
def test_through_gateways(lab: Lab, hops: int) -> None:
    way = ",".join(f"ops@{host.address}:22" for host in lab.hosts[1 : 1 + hops])
    assert outcome(target(lab, lab.hosts[0], gateway=way)).failure is None


def test_gateway_that_does_not_answer_is_named(lab: Lab) -> None:
    result = outcome(target(lab, lab.hosts[0], gateway=f"ops@{lab.hosts[1].address}:9"))
    assert result.status is Status.UNREACHABLE
    assert "gateway ops@" in (result.failure or "")


def test_ssh_configuration_is_followed(lab: Lab, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"Host behind\n  HostName {lab.hosts[0].address}\n  User root\n  ProxyJump ops@{lab.hosts[1].address}\n"
        f"Host *\n  IdentityFile {lab.private_key}\n  UserKnownHostsFile {lab.known_hosts}\n"
    )
    assert outcome(Target(name="behind", ssh_config=str(config), interpreter="/usr/bin/python3")).failure is None


def test_name_that_does_not_resolve_is_unreachable(lab: Lab) -> None:
    result = outcome(target(lab, lab.hosts[0], address="no-such-host.invalid"))
    assert result.status is Status.UNREACHABLE
    assert "cannot be looked up" in (result.failure or "")


def test_missing_interpreter_is_named(lab: Lab) -> None:
    result = outcome(target(lab, lab.hosts[0], interpreter="/opt/python9"))
    assert result.status is Status.FAILED
    assert "/opt/python9" in (result.failure or "")
