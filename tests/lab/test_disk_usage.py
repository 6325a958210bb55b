"""The task `disk_usage` on a real host: numbers as `df` has them, full disks, few inodes, and a mount that hangs."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from opslib import HostResult, Status, StepResult, tasks
from opslib.lab import LabHost
from support.apply import Apply
from support.hosts import eventually
from support.witness import Witnesses

# A file system in user space whose program never answers: what asks for it sleeps until the program is gone.
SILENT = r"""
import ctypes, os, sys, time
os.path.exists("/dev/fuse") or os.mknod("/dev/fuse", 0o20600, os.makedev(10, 229))
device = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = "fd=%d,rootmode=40000,user_id=0,group_id=0" % device
if libc.mount(b"silent", sys.argv[1].encode(), b"fuse", 0, options.encode()):
    sys.exit(os.strerror(ctypes.get_errno()))
print("mounted", flush=True)
time.sleep(600)
"""


@pytest.fixture
def silent_mount(server: LabHost) -> Iterator[str]:
    """A mount point that never answers."""
    server.run(["mkdir", "-p", "/srv/silent"])
    server.write("/root/silent.py", SILENT)
    server.run(
        ["systemd-run", "--unit=silent", "--property=PrivateMounts=no", "python3", "/root/silent.py", "/srv/silent"]
    )
    assert eventually(lambda: "/srv/silent" in server.read("/proc/mounts")), server.run(["journalctl", "-u", "silent"])
    yield "/srv/silent"
    server.run(["systemctl", "kill", "--signal=KILL", "silent"], check=False)
    server.run(["umount", "--lazy", "/srv/silent"], check=False)


def only(result: HostResult) -> StepResult:
    (step,) = result.steps
    return step


def test_numbers_are_those_of_df(server: LabHost, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    server.run(["fallocate", "-l", "50M", "/srv/some"])
    task = tasks.disk_usage(paths=["/srv"])
    assert rehearse(server, task).status is Status.OK
    (mount,) = only(apply(server, task)).data["mounts"]
    columns = "--output=target,fstype,size,used,avail,pcent,itotal,iavail"
    row = witness(server).check_output("df -B1 %s /srv", columns).splitlines()[-1].split()
    assert [mount["mount"], mount["fstype"]] == row[:2]
    assert mount["size_bytes"] == int(row[2])
    # The journal is on this disk too.
    assert mount["used_bytes"] == pytest.approx(int(row[3]), abs=32 << 20)
    assert mount["free_bytes"] == pytest.approx(int(row[4]), abs=32 << 20)
    assert mount["used_percent"] == pytest.approx(int(row[5].rstrip("%")), abs=7)
    assert mount["inodes"] == int(row[6])
    server.run(["rm", "/srv/some"])


def test_all_that_hold_data(server: LabHost, rehearse: Apply) -> None:
    step = only(rehearse(server, tasks.disk_usage()))
    assert step.status is Status.OK, step.error
    assert [mount["mount"] for mount in step.data["mounts"]] == ["/"]
    assert "/ is " in step.reason


def test_full_disk_fails(server: LabHost, apply: Apply, witness: Witnesses) -> None:
    server.fill_disk()
    try:
        assert witness(server).run("dd if=/dev/zero of=/srv/more bs=1M count=1").rc != 0
        step = only(apply(server, tasks.disk_usage(fail="90%")))
        assert step.status is Status.FAILED
        assert step.error is not None
        assert "/ is 100% full, 0 B free (fail: 90%)" in step.error
        step = only(apply(server, tasks.disk_usage(warn=0, fail="1M", inodes_fail=100)))
        assert "(fail: less than 1.0 MiB free)" in str(step.error)
    finally:
        server.free_disk()
        server.run(["rm", "-f", "/srv/more"])
    assert only(apply(server, tasks.disk_usage(fail="90%"))).status is Status.OK


def test_warning_comes_first(server: LabHost, apply: Apply) -> None:
    server.fill_disk(leave_bytes=60 << 20)
    try:
        step = only(apply(server, tasks.disk_usage(warn="80%", fail="99%")))
    finally:
        server.free_disk()
    assert step.status is Status.OK, step.error
    assert any("(warn: 80%)" in warning for warning in step.warnings)


def test_few_inodes(server: LabHost, apply: Apply, witness: Witnesses) -> None:
    server.run(["mkdir", "-p", "/srv/many"])
    server.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=100,size=4M", "tmpfs", "/srv/many"])
    try:
        server.run(["sh", "-c", "touch $(seq -f /srv/many/%g 1 97)"])
        used = witness(server).check_output("df --output=ipcent /srv/many | tail -n 1").strip()
        step = only(apply(server, tasks.disk_usage(paths=["/srv/many"])))
        assert step.status is Status.FAILED
        assert f"/srv/many has {used} of its inodes used (fail: 95%)" in str(step.error)
    finally:
        server.run(["umount", "/srv/many"])


def test_missing_path(server: LabHost, rehearse: Apply) -> None:
    step = only(rehearse(server, tasks.disk_usage(paths=["/", "/nowhere"])))
    assert step.status is Status.FAILED
    assert step.error == "/nowhere does not exist"
    assert [mount["mount"] for mount in step.data["mounts"]] == ["/"]


def test_mount_that_hangs(server: LabHost, silent_mount: str, apply: Apply) -> None:
    for task in (tasks.disk_usage(timeout=1), tasks.disk_usage(paths=["/", silent_mount], timeout=1)):
        step = only(apply(server, task))
        assert step.status is Status.FAILED
        assert step.error == "/srv/silent did not answer within 1 second (fuse from silent)"
        assert [mount["mount"] for mount in step.data["mounts"]] == ["/"]
        assert json.dumps(step.data["problems"]).count("did not answer") == 1
