"""The task `env_file` and the role `environment` on real hosts, with systemd itself as the judge of quoting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import opslib
from opslib import Report, Status, tasks
from opslib.host.task import Task
from opslib.lab import Lab, LabHost
from opslib.verify import verify
from support import site
from support.apply import Apply
from support.arguments import Watched
from support.canaries import files_on
from support.hosts import eventually
from support.looks import fingerprint
from support.units import Units
from support.witness import Witnesses

PATH = "/etc/site/env"
CANARY = "canary-71c2f09b4e"
TRICKY = {
    "PLAIN": "http://user:pw@db:5432/x?a=b&c=d",
    "BLANKS": "  two words\tand a tab  ",
    "QUOTES": "it's \"quoted\" and 'quoted'",
    "DOLLAR": "$HOME ${HOME} $(id) `id` $$",
    "BACKSLASH": "C:\\new\\table \\\\ \\",
    "HASH": "# no remark; really",
    "SEMICOLON": "; nor this",
    "UNICODE": "grüße, 日本語 \U0001f511",
    "LINES": "-----BEGIN KEY-----\nabc\\def==\n-----END KEY-----\n",
    "PERCENT": "%n %% %i",
    "TILDE": "~/bin:~root",
    "EMPTY": "",
    "EQUALS": "=a=b=",
    "BANG": "!history *?[a] {a,b} ~ <>|&",
    "NUMBER": "42",
}
BEGUN = """# Settings of the site.
OLD=1
; another remark
LEVEL="info"  # systemd takes this, too, as part of the value
"""


def env_file(**parameters: Any) -> Task:
    return tasks.env_file(**{"path": PATH, **parameters})


@pytest.fixture
def file(server: LabHost) -> Iterator[None]:
    """An environment file of root's, not in the best state."""
    server.write(PATH, BEGUN)
    server.run(["chmod", "644", PATH])
    yield
    server.run(["rm", "-rf", "/etc/site"])


def as_systemd_reads(host: Any, path: str = PATH) -> Mapping[str, str]:
    """Return the variables that a program gets which systemd starts with this file."""
    command = "systemd-run --quiet --pipe --wait -p EnvironmentFile=%s env -0"
    rows = host.run(command, path).stdout_bytes.decode().split("\0")
    return dict(row.split("=", 1) for row in rows if row)


@pytest.mark.parametrize("login", ["root", "pat"])
def test_systemd_reads_what_was_given(
    server: LabHost, file: None, rehearse: Apply, apply: Apply, witness: Witnesses, login: str
) -> None:
    seen = witness(server)
    server.write(f"{PATH}.opslib-new", "HALF=wri")  # of a run that was cut short
    task = env_file(set=TRICKY, unset=["OLD"], owner="ops", mode="0640")
    planned = rehearse(server, task, login=login)
    assert planned.status is Status.CHANGED
    done = apply(server, task, login=login)
    assert done.status is Status.CHANGED, done.failure
    assert [change.summary for change in done.steps[0].changes] == [c.summary for c in planned.steps[0].changes]
    found = as_systemd_reads(seen)
    assert {key: found.get(key) for key in TRICKY} == TRICKY
    assert "OLD" not in found
    row = seen.file(PATH)
    assert (row.mode, row.user, row.group) == (0o640, "ops", "root")
    assert seen.check_output("ls -A /etc/site") == "env"
    kept = [line for line in BEGUN.splitlines() if not line.startswith("OLD")]
    assert row.content_string.splitlines()[: len(kept)] == kept
    again = apply(server, task, login=login)
    assert again.status is Status.OK, again
    assert apply(server, env_file(mode="0600")).status is Status.CHANGED
    assert seen.file(PATH).mode == 0o600
    assert seen.file(PATH).user == "ops"


def test_full_disk_leaves_the_file_as_it_was(server: LabHost, file: None, apply: Apply, witness: Witnesses) -> None:
    server.fill_disk()
    try:
        result = apply(server, env_file(set={"BIG": "x" * 60000}))
    finally:
        server.free_disk()
    assert result.status is Status.FAILED
    assert "No space left" in str(result.failure)
    assert witness(server).file(PATH).content_string == BEGUN
    assert witness(server).check_output("ls -A /etc/site") == "env"


def test_swapped_link_is_not_followed(server: LabHost, file: None, apply: Apply, witness: Witnesses) -> None:
    server.run(["bash", "-c", f"echo A=1 > /root/other; ln -sf /root/other {PATH}"])
    result = apply(server, env_file(set={"A": "2"}))
    assert "is a symbolic link" in str(result.failure)
    assert witness(server).file("/root/other").content_string == "A=1\n"


def test_lost_restart_is_made_up_for(
    server: LabHost, file: None, units: Units, apply: Apply, witness: Witnesses
) -> None:
    unit = units.add("reader", f"EnvironmentFile={PATH}", "ExecStart=/bin/sleep 900")
    units.control("start", unit)
    task = env_file(set={"LEVEL": "debug"}, units=["reader"])
    assert apply(server, task).status is Status.CHANGED
    stale = apply(server, task)  # nobody restarted the unit
    assert stale.status is Status.CHANGED
    (change,) = stale.steps[0].changes
    assert change.summary == f"have reader.service restarted: it has run since before {PATH} was written"
    units.control("restart", unit)
    assert apply(server, task).status is Status.OK


@pytest.fixture
def hosts(lab: Lab) -> Iterator[Sequence[LabHost]]:
    """Two hosts with an application that reads an environment file."""
    hosts = lab.hosts[:2]
    for host in hosts:
        site.prepare(host)
        host.write(PATH, BEGUN)
        host.write("/etc/systemd/system/site.service.d/env.conf", f"[Service]\nEnvironmentFile={PATH}\n")
        host.run(["systemctl", "daemon-reload"])
        host.run(["systemctl", "restart", "site"])
        assert eventually(lambda host=host: ":8080" in host.run(["ss", "-Htln"]).stdout)
    yield hosts
    for host in hosts:
        host.reset()


@pytest.fixture
def inventory(lab: Lab, hosts: Sequence[LabHost], tmp_path: Path) -> Path:
    unit = {"unit": "site", "port": 8080, "http": site.URL, "settle": 0.3}
    variables = {
        "environment_path": PATH,
        "environment_set": {"LEVEL": "debug", "DATABASE_URL": f"postgres://app:{CANARY}@db/app"},
        "environment_unset": ["OLD"],
        "environment_units": [unit],
    }
    return site.inventory(lab, tmp_path / "inventory.yml", hosts, **variables)


def pids(hosts: Sequence[LabHost]) -> list[str]:
    return [host.run(["systemctl", "show", "--value", "-p", "MainPID", "site"]).stdout for host in hosts]


def statuses(report: Report) -> list[Status]:
    assert CANARY not in str(report.to_dict())
    return [host.status for host in report.hosts.values()]


def test_update_restarts_only_what_changed(hosts: Sequence[LabHost], inventory: Path, witness: Witnesses) -> None:
    def run(**options: Any) -> Report:
        return opslib.run_playbook("opslib.runbook.update_environment", inventory, engine="ssh", **options)

    running = pids(hosts)
    before = [fingerprint(host) for host in hosts]
    planned = run(check=True)
    assert statuses(planned) == [Status.CHANGED, Status.CHANGED]
    shown = {one.summary: (one.before, one.after) for step in planned.hosts["lab1"].steps for one in step.changes}
    assert shown[f"set LEVEL in {PATH}"] == ("(hidden)", "(hidden)")
    assert [fingerprint(host) for host in hosts] == before
    with Watched(CANARY) as watched:
        done = run()
    assert watched.looks > 5
    assert watched.found == set()
    done.raise_for_failures()
    assert statuses(done) == [Status.CHANGED, Status.CHANGED]
    restarted = pids(hosts)
    assert not set(restarted) & set(running)
    for host, pid in zip(hosts, restarted):
        environ = witness(host).run("cat /proc/%s/environ", pid.strip()).stdout.split("\0")
        assert f"DATABASE_URL=postgres://app:{CANARY}@db/app" in environ
        assert not [row for row in environ if row.startswith("OLD=")]
        journal = host.run(["journalctl", "--no-pager", "-o", "export"]).stdout
        assert CANARY not in journal
        assert files_on(host, [CANARY]) == {PATH}
    assert verify("environment:update", inventory) == 0
    assert statuses(run()) == [Status.OK, Status.OK]
    assert pids(hosts) == restarted


def test_hosts_go_on_sharing_a_secret(hosts: Sequence[LabHost], inventory: Path, witness: Witnesses) -> None:
    given: dict[str, Any] = {"environment_rotate": ["JWT_SECRET"], "environment_rotate_after": "30d"}

    def rotate(engine: Any, **more: Any) -> Report:
        variables = {**given, **more}
        return opslib.run_playbook("opslib.runbook.rotate_secrets", inventory, engine=engine, extra_vars=variables)

    # The first host has the new value already: the run before was cut short.
    for host, value in zip(hosts, (CANARY, "old")):
        host.write(PATH, f"JWT_SECRET={value}\n", 0o600)
        host.run(["systemctl", "restart", "site"])
    before = [fingerprint(host) for host in hosts]
    for engine in ("ssh", "ansible"):
        refused = rotate(engine)
        assert "each of 2 hosts would get a value of its own for JWT_SECRET" in str(refused.hosts["lab1"].failure)
    assert [fingerprint(host) for host in hosts] == before
    shared = {"environment_set": {"JWT_SECRET": CANARY}, "environment_keep_previous": "1d"}
    with Watched(CANARY) as watched:
        assert statuses(rotate("ansible", **shared)) == [Status.OK, Status.CHANGED]
    assert watched.found == set()
    assert [as_systemd_reads(witness(host))["JWT_SECRET"] for host in hosts] == [CANARY, CANARY]
    assert as_systemd_reads(witness(hosts[1]))["JWT_SECRET_PREVIOUS"] == "old"
    assert statuses(rotate("ssh", **shared)) == [Status.OK, Status.OK]


def test_rotation_on_two_hosts(hosts: Sequence[LabHost], inventory: Path, witness: Witnesses) -> None:
    extra = {"environment_rotate": ["JWT_SECRET", "LEVEL"], "environment_rotate_after": "30d"}
    extra |= {"environment_keep_previous": "1d", "environment_set": {}, "environment_rotate_apart": True}
    for want in (Status.CHANGED, Status.OK):
        report = opslib.run_playbook("opslib.runbook.rotate_secrets", inventory, engine="ssh", extra_vars=extra)
        report.raise_for_failures()
        assert statuses(report) == [want, want]
    secrets = [as_systemd_reads(witness(host)) for host in hosts]
    assert len({row["JWT_SECRET"] for row in secrets}) == 2
    assert all(row["LEVEL_PREVIOUS"].startswith("info") for row in secrets)
    assert not any("OLD" in row for row in secrets)
    for row in secrets:
        assert row["JWT_SECRET"] not in str(report.to_dict())
    assert verify("environment:rotate", inventory) == 0
    # A value that the file has and the service does not is found.
    hosts[1].run(["bash", "-c", f"echo LATER=1 >> {PATH}"])
    told: list[str] = []
    assert verify("environment:update", inventory, on_output=told.append) == 2
    assert any("site runs with other values of LATER" in line for line in told), told


def test_failed_restart_stops_before_the_next_host(hosts: Sequence[LabHost], inventory: Path) -> None:
    hosts[0].write("/etc/systemd/system/site.service.d/bad.conf", "[Service]\nExecStartPre=/bin/false\n")
    running = pids(hosts)
    for engine in ("ssh", "ansible"):  # the second time nothing is left to do but that restart
        report = opslib.run_playbook("opslib.runbook.update_environment", inventory, engine=engine)
        assert report.engine == engine
        assert statuses(report)[0] is Status.FAILED
        assert "site.service" in str(report.hosts["lab1"].failure)
        assert pids(hosts)[1] == running[1]
