"""The task `os_packages` on a real host with repositories of its own, verified by dpkg."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from opslib import HostResult, Status, tasks
from opslib.host.task import Task
from opslib.lab import LabHost
from support.apply import Apply
from support.debian import Repository
from support.hosts import eventually
from support.units import Units
from support.witness import Witnesses

HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


def os_packages(**parameters: Any) -> Task:
    return tasks.os_packages(**{"lock_timeout": 10, "timeout": 60, **parameters})


class Archive:
    """A host with the packages `tiny` and `other` installed, each with a newer version to be had."""

    def __init__(self, host: LabHost, work: Path) -> None:
        self.host = host
        host.run(["bash", "-c", "rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*"])
        self.main = Repository(host, work, "main")
        self.security = Repository(host, work, "security", security=True)
        first = [self.main.add("tiny", "1.0", files={"/etc/tiny.conf": "one\n"}, conffiles=("/etc/tiny.conf",))]
        first.append(self.main.add("other", "1.0"))
        host.run(["dpkg", "-i", *first])
        self.main.add("tiny", "1.1", files={"/etc/tiny.conf": "new\n"}, conffiles=("/etc/tiny.conf",))
        self.security.add("other", "1.0+deb12u1")
        self.update()

    def update(self) -> None:
        self.host.run(["apt-get", "-q", "update"])


@pytest.fixture
def archive(server: LabHost, tmp_path: Path) -> Iterator[Archive]:
    yield Archive(server, tmp_path)
    server.reset()


def version(host: Any, name: str) -> str:
    return str(host.check_output("dpkg-query -W -f '${db:Status-Abbrev}${Version}' %s", name))


def data(result: HostResult) -> Any:
    return result.steps[0].data


def test_telling_changes_nothing(server: LabHost, archive: Archive, rehearse: Apply, apply: Apply) -> None:
    told = rehearse(server, os_packages(), login="pat")
    assert told.status is Status.OK
    assert data(told)["outdated"] == [
        {"name": "other", "installed": "1.0", "candidate": "1.0+deb12u1", "security": True},
        {"name": "tiny", "installed": "1.0", "candidate": "1.1", "security": False},
    ]
    assert (data(told)["outdated_count"], data(told)["security_count"]) == (2, 1)
    assert told.steps[0].warnings == ("security fixes are to be had for other",)
    failed = apply(server, os_packages(security_fail=1))
    assert "1 package without a security fix" in str(failed.failure)


def test_security_then_all(
    server: LabHost, archive: Archive, rehearse: Apply, apply: Apply, witness: Witnesses
) -> None:
    seen = witness(server)
    server.write("/etc/tiny.conf", "ours\n")
    for task, before, after in (
        (os_packages(upgrade="security"), "other", ["ii 1.0+deb12u1", "ii 1.0"]),
        (os_packages(upgrade="all"), "tiny", ["ii 1.0+deb12u1", "ii 1.1"]),
    ):
        planned = rehearse(server, task)
        (change,) = planned.steps[0].changes
        assert change.summary.startswith(f"upgrade {before}")
        done = apply(server, task)
        assert done.status is Status.CHANGED, done.failure
        assert [version(seen, name) for name in ("other", "tiny")] == after
        again = apply(server, task)
        assert again.status is Status.OK, again
    assert data(again)["outdated"] == []
    assert again.steps[0].reason == "all packages are up to date"
    assert seen.file("/etc/tiny.conf").content_string == "ours\n"


def test_named_and_held(server: LabHost, archive: Archive, apply: Apply, witness: Witnesses) -> None:
    server.run(["apt-mark", "hold", "other"])
    result = apply(server, os_packages(upgrade="named", packages=["tiny", "other"]))
    assert result.status is Status.CHANGED, result.failure
    assert version(witness(server), "tiny") == "ii 1.1"
    assert version(witness(server), "other") == "hi 1.0"
    assert "held at their version: other" in result.steps[0].warnings
    missing = apply(server, os_packages(upgrade="named", packages=["tiny", "nothere"]))
    assert "not installed: nothere" in str(missing.failure)


def test_lists_are_fetched_when_they_are_old(
    server: LabHost, archive: Archive, rehearse: Apply, apply: Apply, witness: Witnesses
) -> None:
    archive.main.add("tiny", "1.2")
    task = os_packages(upgrade="all", refresh_after="1h")
    server.run(["touch", "-d", "2 hours ago", "/var/lib/apt/lists"])
    planned = rehearse(server, task)
    assert [(change.summary, change.certain) for change in planned.steps[0].changes] == [
        ("fetch the package lists", True),
        ("upgrade all packages", False),
    ]
    assert apply(server, task).status is Status.CHANGED
    assert version(witness(server), "tiny") == "ii 1.2"
    assert apply(server, task).status is Status.OK
    server.run(["bash", "-c", "rm -r /srv/main; touch -d '2 hours ago' /var/lib/apt/lists"])
    assert "the package lists cannot be fetched" in str(apply(server, task).failure)


@pytest.mark.parametrize("path", ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"])
def test_lock(server: LabHost, archive: Archive, units: Units, apply: Apply, witness: Witnesses, path: str) -> None:
    server.write("/usr/local/bin/hold", HOLD)
    unit = units.add("hold", f"ExecStart=/usr/bin/python3 /usr/local/bin/hold {path} 600")
    units.control("start", unit)
    assert eventually(lambda: "held" in server.run(["journalctl", "-u", unit, "--no-pager"]).stdout)
    pid = units.show(unit, "MainPID")
    failed = apply(server, os_packages(upgrade="all", lock_timeout=0.3))
    assert f"{path} is held by python3 /usr/local/bin/hold (pid {pid}), and was for 0.3 seconds" in str(failed.failure)
    assert version(witness(server), "tiny") == "ii 1.0"
    units.control("stop", unit)
    server.run(["systemd-run", "--quiet", "python3", "/usr/local/bin/hold", path, "1.5"])
    assert eventually(lambda: bool(server.run(["pgrep", "-f", "hold /var"], check=False).stdout))
    assert apply(server, os_packages(upgrade="all")).status is Status.CHANGED
    assert version(witness(server), "tiny") == "ii 1.1"


def test_interrupted_dpkg_is_finished(server: LabHost, archive: Archive, apply: Apply, witness: Witnesses) -> None:
    kill = "[ -e /root/calm ] || { touch /root/calm; kill -9 $PPID; }"
    archive.main.add("tiny", "2.0", postinst=kill)
    archive.update()
    failed = apply(server, os_packages(upgrade="all"))
    assert failed.status is Status.FAILED, failed
    assert not version(witness(server), "tiny").startswith("ii")
    told = apply(server, os_packages())
    assert "dpkg was interrupted: tiny half-done" in str(told.failure)
    mended = apply(server, os_packages(upgrade="all"))
    assert mended.status is Status.CHANGED, mended.failure
    assert version(witness(server), "tiny") == "ii 2.0"
    assert apply(server, os_packages(upgrade="all")).status is Status.OK


def test_nothing_is_removed_unasked(server: LabHost, archive: Archive, apply: Apply, witness: Witnesses) -> None:
    archive.main.add("tiny", "3.0", breaks="other")
    archive.update()
    named = os_packages(upgrade="named", packages=["tiny"])
    refused = apply(server, named)
    assert "would remove other" in str(refused.failure), refused
    kept = apply(server, os_packages(upgrade="all"))
    assert version(witness(server), "tiny") in ("ii 1.0", "ii 1.1"), kept
    assert version(witness(server), "other").startswith("ii")
    assert apply(server, os_packages(upgrade="all", removals=True)).status is Status.CHANGED
    assert version(witness(server), "tiny") == "ii 3.0"


def test_restarts_and_a_reboot_are_said_to_be_due(
    server: LabHost, archive: Archive, units: Units, apply: Apply, witness: Witnesses
) -> None:
    server.run(["bash", "-c", "mkdir -p /usr/lib/tiny; cp /bin/sleep /usr/lib/tiny/tinyd"])
    unit = units.add("tinyd", "ExecStart=/usr/lib/tiny/tinyd 900")
    units.control("start", unit)
    # A library that was loaded first stands behind all others.
    server.run(["bash", "-c", "cp -L /lib/x86_64-linux-gnu/libz.so.1 /usr/lib/tiny/libtiny.so"])
    large = "/usr/bin/python3 -c 'import ssl, ctypes, decimal, bz2, lzma, time; print(1, flush=True); time.sleep(900)'"
    big = units.add("big", "Environment=LD_PRELOAD=/usr/lib/tiny/libtiny.so", f"ExecStart={large}")
    units.control("start", big)
    assert eventually(lambda: "1" in server.run(["journalctl", "-u", big, "-o", "cat", "-q", "-t", "python3"]).stdout)
    assert data(apply(server, os_packages()))["restarts"] == []
    for name in ("tinyd", "libtiny.so"):
        server.run(
            ["bash", "-c", f"cp /usr/lib/tiny/{name} /usr/lib/tiny/new; mv /usr/lib/tiny/new /usr/lib/tiny/{name}"]
        )
    server.run(["bash", "-c", "echo '*** System restart required ***' > /run/reboot-required"])
    server.run(["bash", "-c", "echo linux-image-amd64 > /run/reboot-required.pkgs"])
    told = apply(server, os_packages())
    first, row = data(told)["restarts"]
    assert (first["unit"], first["files"]) == (big, ["/usr/lib/tiny/libtiny.so"])
    assert row["unit"] == unit
    assert row["pids"] == [int(units.show(unit, "MainPID"))]
    assert row["files"] == ["/usr/lib/tiny/tinyd"]
    assert data(told)["reboot"] == ["/run/reboot-required says so: linux-image-amd64"]
    assert any("tinyd.service" in text for text in told.steps[0].warnings)
    for one in (unit, big):
        units.control("restart", one)
    assert data(apply(server, os_packages()))["restarts"] == []
