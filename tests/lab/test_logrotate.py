"""The task `logrotate` on a real host: nothing invalid gets into place, and a forced rotation really rotates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from opslib import Status, tasks
from opslib.host.task import Task
from opslib.lab import LabHost
from support.apply import Apply
from support.looks import fingerprint
from support.witness import Witnesses

CONFIG = "/etc/logrotate.d/app"
LOG = "/srv/app/app.log"


def rotation(**parameters: Any) -> Task:
    """Return the task as these tests want it."""
    return tasks.logrotate(**{"config": "app", "paths": ["/srv/app/*.log"], "frequency": "weekly", **parameters})


@pytest.fixture(autouse=True)
def app(server: LabHost) -> Iterator[None]:
    """An application's logs."""
    server.write(LOG, "one line\n")
    server.write("/srv/app/other.log", "another line\n")
    yield
    server.run(["sh", "-c", "rm -rf /srv/app /etc/logrotate.d/app* /etc/logrotate.d/zz"])


def test_configuration_is_written(server: LabHost, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    task = rotation(rotate=3, create="0640", owner="ops", group="adm", postrotate=["touch /run/rotated"])
    assert rehearse(server, task).status is Status.CHANGED
    assert apply(server, task).status is Status.CHANGED
    seen = witness(server)
    assert (seen.file(CONFIG).mode, seen.file(CONFIG).user) == (0o644, "root")
    tried = seen.run("logrotate --debug --state /dev/null %s", CONFIG)
    assert tried.rc == 0
    assert "error:" not in tried.stderr
    assert "considering log /srv/app/app.log" in tried.stderr
    assert "weekly (3 rotations)" in tried.stderr
    before = fingerprint(server, ["/etc", "/srv"])
    assert apply(server, task).status is Status.OK
    assert fingerprint(server, ["/etc", "/srv"]) == before


def test_configuration_is_changed_and_removed(
    server: LabHost, rehearse: Apply, apply: Apply, witness: Witnesses
) -> None:
    assert apply(server, rotation(rotate=3)).status is Status.CHANGED
    assert rehearse(server, rotation(rotate=5)).steps[0].changes[0].kind == "modify"
    assert apply(server, rotation(rotate=5)).status is Status.CHANGED
    assert "rotate 5" in witness(server).file(CONFIG).content_string
    server.run(["chmod", "666", CONFIG])
    assert apply(server, rotation(rotate=5)).status is Status.CHANGED
    assert witness(server).file(CONFIG).mode == 0o644
    gone = rotation(state="absent")
    assert rehearse(server, gone).steps[0].changes[0].kind == "remove"
    assert apply(server, gone).status is Status.CHANGED
    assert not witness(server).file(CONFIG).exists
    assert apply(server, gone).status is Status.OK


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"create": "0640", "owner": "nobody-here", "group": "adm"}, "unknown user 'nobody-here'"),
        ({"paths": ["/var/log/dpkg.log"]}, "duplicate log entry"),
        ({"postrotate": ["if true; then echo"]}, "postrotate is no shell script"),
    ],
    ids=["unknown user", "two claim one log", "no shell script"],
)
def test_refused_configuration_leaves_the_old_in_place(
    server: LabHost, rehearse: Apply, apply: Apply, witness: Witnesses, parameters: dict[str, Any], words: str
) -> None:
    server.write("/var/log/dpkg.log", "a line\n")
    assert apply(server, rotation(rotate=3)).status is Status.CHANGED
    before = witness(server).file(CONFIG).content_string
    for result in (rehearse(server, rotation(**parameters)), apply(server, rotation(**parameters))):
        assert result.status is Status.FAILED, result
        assert words in str(result.failure)
    assert witness(server).file(CONFIG).content_string == before
    assert witness(server).run("find /etc/logrotate.d -name 'app*'").stdout.split() == [CONFIG]


def test_forced_rotation(server: LabHost, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    task = rotation(force=True, compress=False, create="0640", owner="ops", group="adm", status_file="/run/status")
    assert [change.kind for change in rehearse(server, task).steps[0].changes] == ["create", "action"]
    seen = witness(server)
    assert apply(server, task).status is Status.CHANGED
    assert seen.file(f"{LOG}.1").content_string == "one line\n"
    assert seen.file("/srv/app/other.log.1").content_string == "another line\n"
    assert (seen.file(LOG).size, seen.file(LOG).user, seen.file(LOG).mode) == (0, "ops", 0o640)
    server.write(LOG, "a second line\n")
    step = apply(server, task).steps[0]
    assert step.status is Status.CHANGED
    assert step.data["rotated"] == [LOG]  # the other is empty
    assert seen.file(f"{LOG}.1").content_string == "a second line\n"
    assert seen.file(f"{LOG}.2").content_string == "one line\n"
    assert apply(server, task).status is Status.OK


def test_rotation_with_a_script_and_compression(server: LabHost, apply: Apply, witness: Witnesses) -> None:
    task = rotation(
        force=True, compress=True, delaycompress=False, copytruncate=True, postrotate=["echo again >> /run/scripts"]
    )
    inode = witness(server).file(LOG).inode
    assert apply(server, task).status is Status.CHANGED
    assert witness(server).file(LOG).inode == inode
    assert witness(server).check_output("zcat %s", f"{LOG}.1.gz") == "one line"
    assert witness(server).file("/run/scripts").content_string == "again\nagain\n"


def test_rotation_that_fails_is_told(server: LabHost, apply: Apply, witness: Witnesses) -> None:
    server.run(["chmod", "777", "/srv/app"])  # logrotate refuses to work where anybody may write
    result = apply(server, rotation(force=True))
    assert result.status is Status.FAILED
    assert "insecure permissions" in str(result.failure)
    assert witness(server).file(LOG).content_string == "one line\n"


def test_script_that_fails_is_told(server: LabHost, apply: Apply, witness: Witnesses) -> None:
    result = apply(server, rotation(force=True, compress=False, postrotate=["echo oh no >&2", "exit 3"]))
    assert result.status is Status.FAILED
    assert "logrotate --force ended with code 1" in str(result.failure)
    assert "postrotate script" in str(result.failure)
    assert witness(server).file(f"{LOG}.1").content_string == "one line\n"


def test_timer_still_runs(server: LabHost, apply: Apply, witness: Witnesses) -> None:
    assert apply(server, rotation()).status is Status.CHANGED
    assert witness(server).run("systemctl start logrotate.service").rc == 0
