"""The task `log_size` on a real host: its numbers agree with `du`, and it finds what takes space."""

from __future__ import annotations

import pytest

from opslib import Status, tasks
from opslib.lab import LabHost
from support.apply import Apply
from support.units import Units
from support.witness import Witnesses


@pytest.fixture(scope="module", autouse=True)
def logs(server: LabHost) -> None:
    """Some logs: large and small, compressed, linked twice, with a hole, and with a name meant to confuse."""
    script = """
        mkdir -p /srv/logs/deep; cd /srv/logs
        head -c 30000000 /dev/urandom > app.log; head -c 4000000 /dev/urandom > deep/app.log.1
        gzip -c deep/app.log.1 > deep/app.log.2.gz; ln app.log again.log; ln -s /var/log link
        truncate -s 200M hole.log; printf x > "$(printf 'a\\nb \\033[31m.log')"
    """
    server.run(["bash", "-c", script])


def test_numbers_are_those_of_du(server: LabHost, rehearse: Apply, witness: Witnesses) -> None:
    (step,) = rehearse(server, tasks.log_size(paths=["/srv/logs"])).steps
    assert step.status is Status.OK, step.error
    sums = "find /srv/logs -type f -links 1 -printf %s; find /srv/logs -name app.log -printf %s"
    blocks = sum(map(int, witness(server).check_output(sums, "%b\\n", "%b\\n").split()))
    sizes = sum(map(int, witness(server).check_output(sums, "%s\\n", "%s\\n").split()))
    assert step.data["disk_bytes"] == step.data["total_bytes"] == blocks * 512
    assert step.data["size_bytes"] == sizes
    folders = "find /srv/logs -type d -printf %s"
    directories = sum(map(int, witness(server).check_output(folders, "%b\\n").split())) * 512
    assert int(witness(server).check_output("du -s -B1 /srv/logs").split()[0]) == blocks * 512 + directories
    assert step.data["files"] == 5
    assert step.data["links"] == 1
    largest = step.data["largest"][0]
    assert (largest["path"], largest["size_bytes"]) in {
        ("/srv/logs/app.log", 30000000),
        ("/srv/logs/again.log", 30000000),
    }


def test_suspects(server: LabHost, apply: Apply) -> None:
    (step,) = apply(server, tasks.log_size(paths=["/srv/logs"], suspect="20M")).steps
    signs = {each["path"].rpartition("/")[2]: each["signs"] for each in step.data["suspects"]}
    assert signs.pop("hole.log") == ["sparse"]
    (found,) = signs.values()
    assert found == ["active", "dominant"]


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"fail": "10M"}, "(fail: 10.0 MiB)"),
        ({"file_fail": "10M"}, "takes 28.6 MiB (file_fail: 10.0 MiB)"),
        ({"paths": ["/srv/logs", "/nowhere"]}, "/nowhere"),
    ],
)
def test_too_much_fails(server: LabHost, apply: Apply, limits: dict[str, object], words: str) -> None:
    (step,) = apply(server, tasks.log_size(**{"paths": ["/srv/logs"], **limits})).steps
    assert step.status is Status.FAILED
    assert words in str(step.error)


def test_too_much_warns(server: LabHost, apply: Apply) -> None:
    (step,) = apply(server, tasks.log_size(paths=["/srv/logs/*"], warn="10M")).steps
    assert step.status is Status.OK, step.error
    assert any("(warn: 10.0 MiB)" in warning for warning in step.warnings)


def test_deleted_file_that_is_still_open(server: LabHost, units: Units, apply: Apply, witness: Witnesses) -> None:
    script = "exec 3>/srv/logs/gone.log; head -c 5000000 /dev/zero >&3; rm /srv/logs/gone.log; exec sleep 900"
    unit = units.add("holder", f"ExecStart=/bin/bash -c '{script}'")
    units.control("start", unit)
    pid = int(units.show(unit, "MainPID"))
    for _ in range(100):
        if witness(server).process.get(pid=pid).comm == "sleep":
            break
    (step,) = apply(server, tasks.log_size(paths=["/srv/logs"])).steps
    (deleted,) = step.data["deleted"]
    assert (deleted["path"], deleted["pids"], deleted["size_bytes"]) == ("/srv/logs/gone.log", [pid], 5000000)
    assert step.data["total_bytes"] == step.data["disk_bytes"] + deleted["disk_bytes"]
    assert any("deleted file" in warning for warning in step.warnings)
