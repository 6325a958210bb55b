"""The tasks `login_audit` and `file_audit` on a real host: who came, what they left, and nothing touched."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from opslib import Fleet, Status, StepResult, tasks
from opslib.lab import Lab, LabHost
from support.apply import Apply, target_for
from support.hosts import eventually
from support.witness import Witnesses

IGNORE = ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"]
IGNORE += ["/lib/systemd/system/multi-user.target.wants/*"]  # a lab host starts logind on demand


def only(result) -> StepResult:
    """Return the one step of a host's result."""
    assert result.error is None, result.error
    (step,) = result.steps
    return step


def knock(lab: Lab, host: LabHost, user: str, *, key: bool = False) -> None:
    """Try to log in, with a key or without."""
    words = ["ssh", "-F", str(lab.ssh_config), "-o", "BatchMode=yes", "-l", user]
    if not key:
        words += [
            "-o",
            "IdentityFile=/dev/null",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "PreferredAuthentications=publickey",
        ]
    subprocess.run([*words, host.name, "true"], capture_output=True, check=key, timeout=30)


def test_logins(lab: Lab, server: LabHost, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    operator = server.run(["sh", "-c", "getent hosts controller | cut -d' ' -f1"]).stdout.strip()
    for _ in range(3):
        knock(lab, server, "intruder")
    knock(lab, server, "ops", key=True)
    server.run(["su", "ops", "-c", "sudo -n ls /root --hidden-secret=canary-99"], check=False)
    server.run(["su", "nosudo", "-c", "echo wrong | sudo -S id"], check=False)
    server.run(["useradd", "--no-create-home", "eve"])
    said = "Invalid user intruder"
    assert eventually(lambda: said in server.run(["journalctl", "-q", "-t", "sshd"]).stdout)
    step = only(rehearse(server, tasks.login_audit(guesses=3)))
    assert step.status is Status.OK, step.error
    (source,) = step.data["failed"]
    assert (source["address"], source["count"], source["users"]) == (operator, 3, ["intruder"])
    row = next(row for row in step.data["logins"] if row["user"] == "ops")
    assert (row["address"], row["method"]) == (operator, "publickey")
    fingerprint = subprocess.run(
        ["ssh-keygen", "-lf", str(lab.private_key)], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    assert row["key"] == fingerprint
    assert fingerprint in {key["fingerprint"] for key in step.data["keys"]}
    assert [one["address"] for one in step.data["broken_in"]] == [operator]
    assert {"user": "ops", "target": "root", "program": "/usr/bin/ls"}.items() <= step.data["sudo"][0].items()
    assert [one["user"] for one in step.data["sudo_failed"]] == ["nosudo"]
    assert any("name=eve" in one["text"] for one in step.data["accounts"])
    assert "canary" not in str(step)
    strict = only(apply(server, tasks.login_audit(known=["203.0.113.0/24"], guesses=1000, strict=True)))
    assert strict.status is Status.FAILED
    assert f"from {operator}" in str(strict.error)
    assert "logins from outside the known networks" in str(strict.error)
    seen = witness(server).check_output("journalctl -q -t sshd --grep 'Connection closed by invalid user' | wc -l")
    assert int(seen) == source["count"]


DIRECTORY = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
row = b"dora:*:70001:100::/srv/dora:/bin/sh"
while True:
    asked, whence = server.recvfrom(512)
    end = asked.index(b"\\0", 12) + 5
    known = asked[12:17] == b"\\4dora" and asked[end - 4 : end] == b"\\0\\x10\\0\\4"
    head = asked[:2] + (b"\\x84\\0" if known else b"\\x84\\3") + b"\\0\\1" + bytes([0, known]) + bytes(4)
    text = bytes([len(row)]) + row
    answer = b"\\xc0\\x0c\\0\\x10\\0\\4" + bytes(4) + len(text).to_bytes(2, "big") + text
    server.sendto(head + asked[12:end] + (answer if known else b""), whence)
"""


@pytest.fixture
def directory(server: LabHost) -> Iterator[None]:
    """The account dora, in a directory that answers by name and lists nobody (Hesiod, which libc can ask)."""
    before = {path: server.read(path) for path in ("/etc/nsswitch.conf", "/etc/resolv.conf")}
    server.write("/srv/directory.py", DIRECTORY)
    server.run(["systemd-run", "-q", "--unit=directory", "python3", "/srv/directory.py"])
    server.write("/etc/hesiod.conf", "lhs=.ns\nrhs=.test\n")
    server.write("/etc/resolv.conf", "nameserver 127.0.0.1\noptions attempts:1 timeout:1\n")
    server.write("/etc/nsswitch.conf", before["/etc/nsswitch.conf"].replace("files", "files hesiod", 1))
    assert eventually(lambda: server.run(["getent", "passwd", "dora"], check=False).returncode == 0)
    yield
    for path, text in before.items():
        server.write(path, text)
    server.run(["systemctl", "stop", "directory"])


@pytest.mark.usefixtures("directory")
def test_keys_of_accounts_and_files_that_are_not_the_usual_ones(
    lab: Lab, server: LabHost, rehearse: Apply, witness: Witnesses
) -> None:
    public = lab.private_key.with_suffix(".pub").read_text().strip()
    server.write("/etc/ssh/sshd_config.d/keys.conf", "AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/keys/%u\n")
    server.write("/etc/ssh/keys/pat", f"{public} of-pat\n")
    server.write("/srv/dora/.ssh/authorized_keys", f"{public} of-dora\n")
    server.run(["chown", "-R", "70001", "/srv/dora"])
    assert "dora" not in witness(server).check_output("getent passwd")
    knock(lab, server, "dora", key=True)
    said = "Accepted publickey for dora"
    assert eventually(lambda: said in server.run(["journalctl", "-q", "-t", "sshd"]).stdout)
    step = only(rehearse(server, tasks.login_audit()))
    found = {(key["user"], key["path"]) for key in step.data["keys"] if " of-" in key["comment"]}
    assert found == {("pat", "/etc/ssh/keys/pat"), ("dora", "/srv/dora/.ssh/authorized_keys")}
    server.run(["rm", "/etc/ssh/sshd_config.d/keys.conf"])


def test_new_keys_and_wiped_traces(lab: Lab, server: LabHost, apply: Apply) -> None:
    server.run(["sh", "-c", "mkdir -p /home/eve/.ssh && usermod -d /home/eve eve"])
    server.write(
        "/home/eve/.ssh/authorized_keys", lab.private_key.with_suffix(".pub").read_text().strip() + " backdoor\n"
    )
    server.run(["touch", "-d", "2001-01-01", "/home/eve/.ssh/authorized_keys"])
    server.run(["sh", "-c", "head -c 384 /dev/zero >> /var/log/wtmp"])
    step = only(apply(server, tasks.login_audit(since="1h")))
    assert any(key["user"] == "eve" and key["new"] for key in step.data["keys"])
    assert any("somebody wiped traces" in words for words in step.warnings)


def test_files(server: LabHost, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    layer = "/var/lib/docker/overlay2/abc/diff/usr/bin"  # of an image, with a setuid program of its own
    server.run(["sh", "-c", f"mkdir -p {layer}; cp -a /bin/su {layer}"])
    clean = only(rehearse(server, tasks.file_audit(strict=True, ignore=IGNORE)))
    assert clean.status is Status.OK, clean.error
    assert clean.data["left_out"] == ["/var/lib/docker/overlay2"]
    server.run(["rm", "-r", "/var/lib/docker"])
    server.run(
        ["sh", "-c", "echo '# changed' >> /etc/login.defs; echo >> /usr/bin/free; cp /bin/cat /usr/local/bin/.x"]
    )
    server.run(["chmod", "4755", "/usr/local/bin/.x"])
    server.run(["touch", "-d", "2001-01-01", "/usr/local/bin/.x"])
    server.run(["mv", "/usr/bin/vmstat", "/root/"])
    step = only(apply(server, tasks.file_audit(since="1h", strict=True, ignore=IGNORE)))
    assert step.status is Status.FAILED
    assert [row["path"] for row in step.data["changed_programs"]] == ["/usr/bin/free"]
    assert "/etc/login.defs" in [row["path"] for row in step.data["changed_config"]]
    assert step.data["missing"] == ["/usr/bin/vmstat"]
    assert [(row["path"], row["mode"]) for row in step.data["setuid"]] == [("/usr/local/bin/.x", "4755")]
    assert "/usr/local/bin/.x" in [row["path"] for row in step.data["recent"]]
    seen = witness(server).run("dpkg --verify procps").stdout
    assert "/usr/bin/free" in seen
    assert "/usr/bin/vmstat" in seen


def test_without_root_the_journal_is_told(lab: Lab, server: LabHost) -> None:
    with Fleet([target_for(lab, server, user="nosudo")], timeout=60) as fleet:
        result = fleet.run([tasks.login_audit()]).hosts[server.name]
    assert result.status is Status.OK, result.failure
    assert result.steps[0].data["complete"] is False
    assert "who logged in is not known: the system's log may not be read" in result.steps[0].warnings[0]
