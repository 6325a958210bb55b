"""The task `revoke_access` on a real host: a key and an account open nothing any more, and one's own stay."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from opslib import Status, StepResult, tasks
from opslib.lab import Lab, LabHost
from support.apply import Apply
from support.hosts import eventually
from support.witness import Witnesses


def only(result) -> StepResult:
    """Return the one step of a host's result."""
    assert result.error is None, result.error
    (step,) = result.steps
    return step


@pytest.fixture
def stolen(server: LabHost, tmp_path: Path) -> Iterator[Path]:
    """A key that opens two accounts, one by a file where sshd looks besides; as the other one something runs."""
    key = tmp_path / "stolen"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key), "-C", "stolen"], check=True)
    public = key.with_suffix(".pub").read_text()
    server.run(["useradd", "--create-home", "--password", "*", "eve"])
    server.write("/etc/ssh/sshd_config.d/keys.conf", "AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/keys/%u\n")
    server.write("/etc/ssh/keys/eve", public)
    server.run(["systemctl", "restart", "ssh"])  # returns when it listens, which a reload does not
    server.run(["install", "-d", "-o", "eve", "-g", "eve", "-m", "0700", "/home/eve/.ssh"])
    server.write("/home/eve/.ssh/authorized_keys", public, 0o600)
    server.run(["chown", "eve:eve", "/home/eve/.ssh/authorized_keys"])
    server.run(["sh", "-c", "cat >> /root/.ssh/authorized_keys"], input=public)
    server.run(["systemd-run", "-q", "--uid=eve", "--unit=eve-at-work", "sleep", "1000"])
    yield key
    server.run(["systemctl", "stop", "eve-at-work"], check=False)
    server.run(["userdel", "--remove", "--force", "eve"], check=False)
    server.run(["rm", "-r", "/etc/ssh/keys", "/etc/ssh/sshd_config.d/keys.conf"])
    server.run(["systemctl", "restart", "ssh"])


def opens(lab: Lab, host: LabHost, key: Path, user: str) -> bool:
    """Whether a key opens an account."""
    words = ["ssh", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", f"UserKnownHostsFile={lab.known_hosts}"]
    words += ["-o", f"IdentityFile={key}", "-F", "/dev/null", f"{user}@{host.address}", "true"]
    return subprocess.run(words, capture_output=True, check=False, timeout=30).returncode == 0


def fingerprint(key: Path) -> str:
    done = subprocess.run(["ssh-keygen", "-lf", str(key)], capture_output=True, text=True, check=True)
    return done.stdout.split()[1]


def test_key_and_account(
    lab: Lab, server: LabHost, stolen: Path, rehearse: Apply, apply: Apply, witness: Witnesses
) -> None:
    assert opens(lab, server, stolen, "eve")
    assert opens(lab, server, stolen, "root")
    keys = tasks.revoke_access(keys=[fingerprint(stolen)])
    # The test itself came with that key from here a moment ago, just as an operator would.
    assert "somebody logged in from where this run comes from" in str(only(apply(server, keys)).error)
    server.run(["sh", "-c", "journalctl --rotate -q; journalctl --vacuum-time=1s -q"], check=False)
    server.run(["sh", "-c", "rm -rf /var/log/journal/*/*; systemctl restart systemd-journald"])
    assert only(rehearse(server, keys)).status is Status.CHANGED
    step = only(apply(server, keys))
    assert step.status is Status.CHANGED, step.error
    assert not opens(lab, server, stolen, "eve")
    assert not opens(lab, server, stolen, "root")
    seen = witness(server)
    assert seen.file("/home/eve/.ssh/authorized_keys").user == "eve"
    for path in ("/root/.ssh/authorized_keys", "/etc/ssh/keys/eve"):
        assert "stolen" not in seen.file(path).content_string
    assert only(apply(server, keys)).status is Status.OK
    lock = tasks.revoke_access(users=["eve"])
    assert only(rehearse(server, lock)).status is Status.CHANGED
    assert only(apply(server, lock)).status is Status.CHANGED
    assert eventually(lambda: seen.run("pgrep -u eve").rc == 1)
    assert seen.check_output("passwd -S eve").split()[1] == "L"
    assert only(apply(server, lock)).status is Status.OK


@pytest.mark.parametrize("login", ["root", "ops"])
def test_nobody_takes_their_own_key_away(server: LabHost, lab: Lab, apply: Apply, login: str) -> None:
    step = only(apply(server, tasks.revoke_access(keys=[fingerprint(lab.private_key)]), login=login))
    assert "somebody logged in from where this run comes from; nothing was revoked" in str(step.error)


def test_nobody_locks_their_own_account(server: LabHost, apply: Apply) -> None:
    step = only(apply(server, tasks.revoke_access(users=["ops", "pat"]), login="ops"))
    assert "ops is who runs this" in str(step.error)
    assert not server.run(["getent", "shadow", "pat"]).stdout.split(":")[1].startswith("!")
