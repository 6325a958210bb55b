"""The task `log_retention` on a real host: nothing is lost, whatever happens, and nothing outside is touched."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from opslib import Fleet, Status, tasks
from opslib.host.task import Task
from opslib.lab import Lab, LabHost
from support.apply import Apply, target_for
from support.hosts import eventually, left_behind
from support.looks import fingerprint
from support.units import Units
from support.witness import Witnesses

ROOT, ARCHIVE = "/srv/app/logs", "/srv/app/archive"
OLD, YOUNG = "40 days ago", "3 days ago"


def retention(**parameters: Any) -> Task:
    """Return the task as these tests want it."""
    return tasks.log_retention(**{"root": ROOT, "archive_to": ARCHIVE, "delete": True, "keep_free": 0, **parameters})


@pytest.fixture
def logs(server: LabHost) -> Iterator[None]:
    """Old and young logs, with names meant to confuse, and links that lead out of the folder."""
    script = f"""
        set -e; mkdir -p {ROOT}/deep /srv/outside; cd {ROOT}
        seq 200000 > app.log.1; seq 1000 | gzip > app.log.2.gz; head -c 3000000 /dev/urandom > deep/app.log.3
        printf odd > "$(printf 'a\\nb \\033[31m\\377.log.1')"; printf dash > ./-rf.log.1
        seq 10 > app.log; seq 10 > young.log.1; seq 10 > notes.txt
        printf kept > /srv/outside/kept.log.1; chmod 640 app.log.1; chown ops:ops app.log.1
        ln -s /srv/outside/kept.log.1 link.log.1; ln -s /srv/outside outside.log.d
        find {ROOT} /srv/outside -type f -exec touch -d '{OLD}' {{}} +; touch -d '{YOUNG}' young.log.1
    """
    server.run(["bash", "-c", script])
    yield
    server.run(["rm", "-rf", "/srv/app", "/srv/outside"])


OLD_LOGS = {"app.log.1", "app.log.2.gz", "deep/app.log.3", "a\nb \x1b[31m\udcff.log.1", "-rf.log.1"}


def sums(host: Any, folder: str) -> Mapping[str, str]:
    """Return the checksum of each file below a folder by its path in there, worked out on the host by sha256sum(1)."""
    found = host.run("cd %s && find . -type f -exec sha256sum --zero {} +", folder)
    assert found.rc == 0, found.stderr
    rows = found.stdout_bytes.decode(errors="surrogateescape").split("\0")
    return {row[66:].removeprefix("./"): row[:64] for row in rows if row}


def archives(host: Any) -> list[str]:
    return sorted(host.check_output("find %s -name '*.tar.gz'", ARCHIVE).split()) if host.file(ARCHIVE).exists else []


def unpacked(host: Any, archive: str) -> Mapping[str, str]:
    """Unpack an archive with tar(1) as root and return its checksums."""
    host.check_output("rm -rf /root/unpacked && mkdir /root/unpacked && tar -xpf %s -C /root/unpacked", archive)
    return sums(host, "/root/unpacked")


def below_root(found: Mapping[str, str]) -> Mapping[str, str]:
    """Return the same without the folder that an archive may put before its members."""
    prefix = ROOT.lstrip("/") + "/"
    return {name.removeprefix(prefix): total for name, total in found.items()}


def test_old_logs_are_archived_and_deleted(
    server: LabHost, logs: None, rehearse: Apply, apply: Apply, witness: Witnesses
) -> None:
    seen = witness(server)
    before = sums(seen, ROOT)
    assert OLD_LOGS < set(before)
    planned = rehearse(server, retention())
    assert planned.status is Status.CHANGED
    assert planned.steps[0].data["due_files"] == len(OLD_LOGS)
    done = apply(server, retention())
    assert done.status is Status.CHANGED, done.failure
    (archive,) = archives(seen)
    assert done.steps[0].data["archive"] == archive
    assert below_root(unpacked(seen, archive)) == {name: before[name] for name in OLD_LOGS}
    assert sums(seen, ROOT) == {name: total for name, total in before.items() if name not in OLD_LOGS}
    assert seen.file(archive).mode == 0o600
    assert seen.file(ARCHIVE).mode == 0o700
    (kept,) = seen.check_output("find /root/unpacked -name app.log.1 -printf '%m %U %TF\\n'").splitlines()
    day = seen.check_output("date -d %s +%%F", OLD)
    assert kept == f"640 {seen.user('ops').uid} {day}"
    again = apply(server, retention())
    assert again.status is Status.OK, again
    assert archives(seen) == [archive]


def test_what_is_outside_is_untouched(server: LabHost, logs: None, apply: Apply, witness: Witnesses) -> None:
    before = fingerprint(server, ["/srv/outside"])
    assert apply(server, retention(patterns=["*"])).status is Status.CHANGED
    assert fingerprint(server, ["/srv/outside"]) == before
    assert witness(server).file(f"{ROOT}/link.log.1").linked_to == "/srv/outside/kept.log.1"
    assert witness(server).file(f"{ROOT}/outside.log.d").is_symlink


def test_archiving_alone_happens_once(
    server: LabHost, logs: None, rehearse: Apply, apply: Apply, witness: Witnesses
) -> None:
    seen = witness(server)
    before = sums(seen, ROOT)
    assert rehearse(server, retention(delete=False)).status is Status.CHANGED
    assert apply(server, retention(delete=False)).status is Status.CHANGED
    assert sums(seen, ROOT) == before
    assert apply(server, retention(delete=False)).status is Status.OK
    (archive,) = archives(seen)
    # Deleting later what is archived already makes no second archive.
    assert apply(server, retention()).status is Status.CHANGED
    assert set(sums(seen, ROOT)) == set(before) - OLD_LOGS
    assert archives(seen) == [archive]


def test_deleting_alone(server: LabHost, logs: None, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    task = retention(archive_to=None)
    before = sums(witness(server), ROOT)
    assert rehearse(server, task).status is Status.CHANGED
    assert apply(server, task).status is Status.CHANGED
    assert set(sums(witness(server), ROOT)) == set(before) - OLD_LOGS
    assert archives(witness(server)) == []
    assert apply(server, task).status is Status.OK


def test_open_file_is_left_alone(server: LabHost, logs: None, units: Units, apply: Apply, witness: Witnesses) -> None:
    unit = units.add("writer", f"ExecStart=/bin/bash -c 'exec 3>>{ROOT}/app.log.1; exec sleep 900'")
    units.control("start", unit)
    pid = units.show(unit, "MainPID")
    assert eventually(lambda: f"{ROOT}/app.log.1" in server.run(["ls", "-l", f"/proc/{pid}/fd"]).stdout)
    result = apply(server, retention())
    assert result.status is Status.CHANGED
    assert witness(server).file(f"{ROOT}/app.log.1").exists
    assert not witness(server).file(f"{ROOT}/-rf.log.1").exists
    (open_file,) = result.steps[0].data["open_files"]
    assert open_file["path"] == "app.log.1"
    assert pid in open_file["by"]
    (archive,) = archives(witness(server))
    assert "app.log.1" not in below_root(unpacked(witness(server), archive))
    units.control("stop", unit)
    assert apply(server, retention()).status is Status.CHANGED
    assert not witness(server).file(f"{ROOT}/app.log.1").exists


@pytest.mark.parametrize("login", ["ops", "pat"])
def test_newest_are_kept(server: LabHost, logs: None, apply: Apply, witness: Witnesses, login: str) -> None:
    task = retention(min_keep=2, recurse=False)
    assert apply(server, task, login=login).status is Status.CHANGED
    left = {name for name in sums(witness(server), ROOT) if "/" not in name and ".log." in name}
    assert len(left) == 2
    assert "young.log.1" in left
    assert apply(server, task, login=login).status is Status.OK


def test_too_little_space_for_an_archive(server: LabHost, logs: None, rehearse: Apply, apply: Apply) -> None:
    task = retention(keep_free="100G")
    for result in (rehearse(server, task), apply(server, task)):
        assert result.status is Status.FAILED
        assert "must stay free (keep_free)" in str(result.failure)


def test_full_disk_loses_nothing(server: LabHost, logs: None, apply: Apply, witness: Witnesses) -> None:
    before = sums(witness(server), ROOT)
    server.fill_disk(leave_bytes=1 << 20)
    try:
        result = apply(server, retention())
    finally:
        server.free_disk()
    assert result.status is Status.FAILED, result
    assert sums(witness(server), ROOT) == before
    assert archives(witness(server)) == []
    assert apply(server, retention()).status is Status.CHANGED


def test_missing_root(server: LabHost, apply: Apply) -> None:
    result = apply(server, retention(root="/srv/nowhere"))
    assert "root /srv/nowhere cannot be entered: No such file or directory" in str(result.failure)


def test_kill_in_the_middle(lab: Lab, server: LabHost, logs: None, apply: Apply, witness: Witnesses) -> None:
    large = f"head -c 80000000 /dev/urandom > {ROOT}/large.log.1; touch -d '{OLD}' {ROOT}/large.log.1"
    server.run(["bash", "-c", large])
    seen = witness(server)
    before = sums(seen, ROOT)
    results = []

    def run() -> None:
        with Fleet([target_for(lab, server)], timeout=120) as fleet:
            results.append(fleet.run([retention()]).hosts[server.name])

    def partial() -> bool:
        return bool(server.run(["find", ARCHIVE, "-name", "*.partial", "-size", "+1M"], check=False).stdout)

    thread = threading.Thread(target=run)
    thread.start()
    assert eventually(partial)
    for process in left_payloads(server):
        os.kill(process, signal.SIGKILL)
    thread.join(60)
    assert not thread.is_alive()
    (result,) = results
    assert result.status in (Status.FAILED, Status.UNREACHABLE), result
    assert "whether it was finished is not known" in str(result.failure)
    assert sums(seen, ROOT) == before
    assert archives(seen) == []
    assert partial()
    assert eventually(lambda: left_behind(server) == [])
    mended = apply(server, retention())
    assert mended.status is Status.CHANGED, mended.failure
    assert "left by a run that was cut short" in json.dumps([change.summary for change in mended.steps[0].changes])
    (archive,) = archives(seen)
    assert below_root(unpacked(seen, archive)) == {name: before[name] for name in (*OLD_LOGS, "large.log.1")}
    assert seen.check_output("find %s -name '*.partial'", ARCHIVE) == ""
    assert set(sums(seen, ROOT)) == set(before) - OLD_LOGS - {"large.log.1"}
    assert apply(server, retention()).status is Status.OK


def left_payloads(host: LabHost) -> list[int]:
    """Return the ids, as this machine has them, of a host's processes that run a payload."""
    return [process.outer_pid for process in host.pids() if "opslib-payload" in " ".join(process.command)]
