"""Deployments and rollbacks of the sample service on a real host: what serves afterwards, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from opslib import HostResult, Status, tasks
from opslib.host.task import Task
from opslib.lab import LabHost
from support.arguments import Watched
from support.canaries import files_on
from support.hosts import eventually
from support.system import System

APP = "ai-cost-dashboard"
RECORDS = f"/var/lib/opslib/releases/{APP}"
MIGRATE = ["python", "-m", "dashboard.migrate"]
V1_1 = "1.1.0"
V1_2 = "1.2.0"
OK = 200


def common(system: System, **changes: Any) -> dict[str, Any]:
    """Return what all tasks are told of the application, with the strategy in_place."""
    given: dict[str, Any] = {
        "app": APP,
        "path": system.folder,
        "strategy": "in_place",
        "unit": system.unit,
        "port": system.port,
        "http": {"url": system.url("/health/detailed"), "json": {"status": "healthy"}},
        "settle": 1.5,
        "start_timeout": 25,
        "env_file": system.env_file,
        "migrate": MIGRATE,
    }
    return {**given, **changes}


def deploy(system: System, ref: str, **changes: Any) -> Task:
    return tasks.deploy(**common(system, **{"repository": system.remote, "ref": ref, **changes}))


def rollback(system: System, **changes: Any) -> Task:
    return tasks.rollback(**common(system, **changes))


def failure(result: HostResult) -> str:
    assert result.status is Status.FAILED, result
    return str(result.failure)


def good(result: HostResult) -> Any:
    assert result.failure is None, result.failure
    return result.steps[0]


def events(system: System) -> list[dict[str, Any]]:
    return [json.loads(line) for line in str(system.host.read(f"{RECORDS}/history.jsonl")).splitlines()]


def is_serving(system: System, version: str, folder: str = "") -> None:
    """Say, by means that are not ours, that this version serves, whole: answer, code, package and unit."""
    seen, place = system.witness, folder or system.folder
    assert system.json("/health")["api_version"] == version
    assert seen.service(system.unit).is_running
    assert f'VERSION = "{version}"' in seen.file(f"{place}/dashboard/release.py").content_string
    package = {V1_1: "1.0", V1_2: "1.1"}[version]
    assert seen.check_output("%s -c %s", f"{place}/venv/bin/python", PACKAGE) == package
    pid = seen.check_output("systemctl show --value -p MainPID %s", system.unit)
    assert seen.file(f"/proc/{pid}/cwd").linked_to == seen.check_output("readlink -e %s", place)


PACKAGE = "import trendcast; print(trendcast.__version__)"


def schema(system: System) -> int:
    return int(system.sql("SELECT max(version) FROM schema_migrations"))


def is_tidy(system: System) -> None:
    """Nothing that a run was about to do, or has left, lies about."""
    seen = system.witness
    assert not seen.file(f"{RECORDS}/pending").exists
    found = seen.run("find /srv %s -name '*.partial' -o -name '*.broken' -o -name '*.lock' -type f", RECORDS)
    assert [line for line in found.stdout.splitlines() if "/site-packages/" not in line] == []


def test_in_place_and_back(system: System) -> None:
    to_v1_2, back = deploy(system, "v1.2.0"), rollback(system, migrate_down=[*MIGRATE, "--to", "2"])
    planned = good(system.rehearse(to_v1_2))
    assert planned.status is Status.CHANGED
    assert any(
        change.summary.startswith("switch from ") and "to v1.2.0" in change.summary for change in planned.changes
    )
    is_serving(system, V1_1)
    with Watched(system.password) as watched:
        done = good(system.apply(to_v1_2, login="ops"))
    assert done.status is Status.CHANGED
    is_serving(system, V1_2)
    assert schema(system) == 3
    assert watched.found == set()
    assert system.password not in json.dumps(done.data)
    folders = ["/srv", "/tmp", "/root", "/var/lib/opslib", "/home"]
    assert files_on(system.host, [system.password], folders=folders) == set()
    assert system.password not in system.host.run(["journalctl", "--no-pager"]).stdout
    assert [(row["act"], row["outcome"], row["who"]) for row in events(system)] == [
        ("found", "found", ""),
        ("deploy", "good", "ops"),
    ]
    assert events(system)[-1]["commit"] == system.commit("v1.2.0")
    assert "trendcast==1.1" in events(system)[-1]["packages"]
    assert str(events(system)[-1]["at"]).startswith(system.witness.check_output("date -u +%F"))
    seen = system.witness
    assert (seen.file(RECORDS).mode, seen.file(f"{RECORDS}/history.jsonl").mode) == (0o750, 0o640)
    for look in (system.rehearse, system.apply):
        again = good(look(to_v1_2))
        assert again.status is Status.OK
        assert "v1.2.0" in again.reason
        assert "is deployed already" in again.reason
    assert good(system.rehearse(back)).status is Status.CHANGED
    assert good(system.apply(back)).status is Status.CHANGED
    is_serving(system, V1_1)
    assert schema(system) == 2
    assert good(system.apply(back)).status is Status.OK
    assert good(system.rehearse(back)).status is Status.OK
    assert good(system.rehearse(tasks.releases(app=APP, path=system.folder, strategy="in_place"))).status is Status.OK
    is_tidy(system)


@pytest.fixture
def steady(standing_system: System) -> Iterator[System]:
    """The system at v1.1.0, before and after; what a test leaves broken is not the next one's trouble."""
    if standing_system.get("/health")[0] != OK:
        standing_system.reset()
    is_serving(standing_system, V1_1)
    yield standing_system
    standing_system.await_up()
    is_serving(standing_system, V1_1)
    is_tidy(standing_system)


@pytest.mark.parametrize(
    ("branch", "words"),
    [
        ("migration", ["migration 004_invoices.sql failed", "may have been changed in part"]),
        ("package", ["no-such-package-anywhere"]),
        ("crash-at-start", ["serves again", "the schema was taken back", "exit code 3|crash loop|start limit"]),
        ("environment", ["exit code 1|crash loop|start limit"]),
        ("error-500", ["it answered 500"]),
    ],
)
def test_bad_releases_in_place(steady: System, branch: str, words: list[str]) -> None:
    task = deploy(steady, f"refs/heads/bad/{branch}", migrate_down=[*MIGRATE, "--to", "2"], start_timeout=8)
    result = steady.apply(task)
    said = failure(result)
    for each in words:
        assert any(word in said for word in each.split("|")), said
    assert "serves again" in said
    assert steady.password not in said + json.dumps(events(steady))
    assert events(steady)[-1]["outcome"] == "failed"
    if branch == "environment":
        assert "missing environment variable: BILLING_API_KEY" in json.dumps(result.steps[0].data["log"])
    if branch == "crash-at-start":
        assert schema(steady) == 2
    assert good(steady.apply(rollback(steady))).status is Status.OK


def test_nothing_is_touched_when_nothing_can_be_done(steady: System) -> None:
    release = f"{steady.folder}/dashboard/release.py"
    before = steady.look()
    elsewhere = deploy(steady, "v1.2.0").args()
    for wrong, words in [
        (deploy(steady, "v9"), "has no branch and no tag called v9"),
        (tasks.deploy(**{**elsewhere, "repository": "/srv/git/nothing.git"}), "cannot be read"),
        (tasks.deploy(**{**elsewhere, "repository": "https://10.255.255.1/x", "timeout": 1}), "cannot be read"),
        (tasks.deploy(**{**elsewhere, "unit": "nothing"}), "nothing.service does not exist"),
        (tasks.deploy(**{**elsewhere, "user": "nobody-here"}), "does not exist on this host"),
    ]:
        assert words in failure(steady.apply(wrong, check=True))
        assert words in failure(steady.apply(wrong))
    assert {key for key, value in steady.look().items() if before.get(key) != value} == set()
    text = steady.host.read(release)
    steady.host.write(release, "# mended at night\n")
    try:
        said = failure(steady.apply(deploy(steady, "v1.2.0")))
        assert "has local changes (dashboard/release.py)" in said
        assert steady.host.read(release) == "# mended at night\n"
    finally:
        steady.host.write(release, text)


def test_a_branch_that_was_pushed_over(steady: System) -> None:
    newest = steady.commit("main")
    assert good(steady.apply(deploy(steady, "main", migrate=[]))).status is Status.CHANGED
    steady.push("refs/heads/main", {"notes.txt": "begun anew\n"}, "v1.1.0")
    for _ in range(2):  # at first it has to be fetched to be known
        said = failure(steady.apply(deploy(steady, "main", migrate=[])))
        assert f"main was rewritten (a forced push, or a tag that moved): {newest[:12]}" in said
    is_serving(steady, V1_2)
    steady.host.run(["git", "-C", steady.remote, "update-ref", "refs/heads/main", newest])
    assert good(steady.apply(rollback(steady))).status is Status.CHANGED


def test_pip_that_dies_half_way(steady: System) -> None:
    steady.host.write("/usr/local/bin/pip-dies", DIES, 0o755)
    steady.host.run(["systemd-run", "-q", "--unit=reaper", "/usr/local/bin/pip-dies"])
    said = failure(steady.apply(deploy(steady, "v1.2.0")))
    assert "pip install" in said
    assert "serves again" in said
    assert events(steady)[-1]["outcome"] == "failed"


DIES = """#!/bin/sh
while ! pid=$(pgrep -f '^[^ ]*python[^ ]* -m pip install'); do sleep 0.02; done
kill -KILL $pid
"""


def test_full_disk(steady: System) -> None:
    steady.host.fill_disk(leave_bytes=12 << 20)
    try:
        said = failure(steady.apply(deploy(steady, "v1.2.0")))
    finally:
        steady.host.free_disk()
    assert "No space left on device" in said


def test_killed_in_the_middle(steady: System) -> None:
    """A run whose processes all die while pip works leaves a half-done checkout; the next run puts it right."""
    steady.host.write("/usr/local/bin/pip-waits", WAITS, 0o755)
    steady.host.run(["systemd-run", "-q", "--unit=watcher", "/usr/local/bin/pip-waits"])
    said = failure(steady.apply(deploy(steady, "v1.2.0")))
    assert "signal 9" in said or "did not" in said or "lost" in said, said
    assert steady.host.read(f"{RECORDS}/pending")
    check = tasks.releases(app=APP, path=steady.folder, strategy="in_place")
    assert "was cut short" in failure(steady.rehearse(check))
    assert good(steady.rehearse(rollback(steady))).status is Status.CHANGED
    done = good(steady.apply(rollback(steady)))
    assert done.status is Status.CHANGED
    assert "put right what the deploy of v1.2.0" in done.changes[0].summary


# Kills the run when its pip is at work: the process that started it, which does the steps.
WAITS = """#!/bin/sh
while ! pid=$(pgrep -f 'pip install.*requirements.txt'); do sleep 0.02; done
kill -KILL $(ps -o ppid= -p $(echo $pid | cut -d' ' -f1))
"""

DROP_IN = """[Service]
WorkingDirectory=/srv/dashboard/current
ExecStart=
ExecStart=/srv/dashboard/current/venv/bin/uvicorn dashboard.app:app --host 0.0.0.0 --port ${PORT}
"""


def test_releases_side_by_side(system: System) -> None:
    system.host.write(f"/etc/systemd/system/{system.unit}.d/releases.conf", DROP_IN)
    system.host.run(["systemctl", "daemon-reload"])
    system.host.run(["install", "-d", "-o", "ops", "-g", "ops", "/srv/dashboard"])
    system.host.write("/home/ops/.gitconfig", f"[safe]\n\tdirectory = {system.remote}\n")
    changes: dict[str, Any] = {"path": "/srv/dashboard", "strategy": "releases", "settle": 0.5}
    first = deploy(system, "v1.1.0", **changes)
    assert good(system.rehearse(first)).status is Status.CHANGED
    assert good(system.apply(first)).status is Status.CHANGED
    is_serving(system, V1_1, "/srv/dashboard/current")
    seen = system.witness
    one = seen.check_output("readlink /srv/dashboard/current").rpartition("/")[2]
    owners = seen.check_output("find /srv/dashboard/ -mindepth 2 -not -user ops -print -quit")
    assert owners == ""  # git and pip ran as the folder's owner
    late = deploy(system, "crash-after-3s", watch=12, **changes)
    said = failure(system.apply(late))
    assert "v1.1.0" in said
    assert "serves again" in said
    assert "the schema stays as it is now" in said
    bad = deploy(system, "refs/heads/bad/migration", **changes)
    assert "migration 004_invoices.sql failed" in failure(system.apply(bad))
    is_serving(system, V1_1, "/srv/dashboard/current")
    assert seen.check_output("ls /srv/dashboard/releases") == one
    assert good(system.apply(rollback(system, **changes))).status is Status.OK
    is_tidy(system)
    assert good(system.apply(deploy(system, "v1.2.0", **changes))).status is Status.CHANGED
    is_serving(system, V1_2, "/srv/dashboard/current")
    assert len(seen.check_output("ls /srv/dashboard/releases").split()) == 2
    named = rollback(system, to="v1.1.0", **changes)
    assert good(system.rehearse(named)).status is Status.CHANGED
    assert good(system.apply(named)).status is Status.CHANGED
    is_serving(system, V1_1, "/srv/dashboard/current")
    assert seen.check_output("readlink /srv/dashboard/current") == f"releases/{one}"
    assert good(system.apply(named)).status is Status.OK
    assert good(system.apply(deploy(system, "v1.2.0", keep=1, **changes))).status is Status.CHANGED
    is_serving(system, V1_2, "/srv/dashboard/current")
    left = seen.check_output("ls /srv/dashboard/releases").split()
    assert len(left) == 1
    assert one not in left
    assert "v1.1.0" in failure(system.apply(named))
    is_tidy(system)


BRINGS = "deploy/ai-cost-dashboard.service"


def test_the_unit_file_comes_and_goes_with_its_release(system: System) -> None:
    """A new release brings a unit file; a bad one after it is taken back with its own; a rollback brings back the first."""
    path = f"/etc/systemd/system/{system.unit}"
    first = system.host.read(path)
    texts = [first.replace("[Service]", f"[Service]\nEnvironment=BROUGHT_BY={name}") for name in ("good", "bad")]
    texts[1] = texts[1].replace("dashboard.app:app", "dashboard.app:nothing")
    system.push("refs/tags/v1.3.0", {BRINGS: texts[0]})
    system.push("refs/tags/v1.4.0", {BRINGS: texts[1]}, "v1.3.0")
    more: dict[str, Any] = {"unit_file": BRINGS}
    planned = good(system.rehearse(deploy(system, "v1.3.0", **more)))
    assert [change.summary for change in planned.changes if not change.certain] == [
        f"install {BRINGS} of the release as {system.unit}, if it differs"
    ]
    assert good(system.apply(deploy(system, "v1.3.0", **more))).status is Status.CHANGED
    brought = f"tr '\\0' '\\n' < /proc/$(systemctl show --value -p MainPID {system.unit})/environ | grep BROUGHT_BY"
    seen = system.witness
    assert seen.check_output(brought) == "BROUGHT_BY=good"
    assert (seen.file(path).content_string, seen.file(path).mode) == (texts[0], 0o644)
    said = failure(system.apply(deploy(system, "v1.4.0", **more)))
    assert "v1.3.0" in said
    assert "serves again" in said
    assert seen.file(path).content_string == texts[0]
    assert seen.check_output(brought) == "BROUGHT_BY=good"
    for check in (True, False):
        assert good(system.apply(deploy(system, "v1.3.0", **more), check=check)).status is Status.OK
    system.host.write(path, first + "# mended by hand\n")
    told = tasks.releases(app=APP, path=system.folder, strategy="in_place", unit=system.unit, **more)
    assert "is not the one that v1.3.0" in failure(system.rehearse(told))
    assert good(system.apply(deploy(system, "v1.3.0", **more))).status is Status.CHANGED
    assert seen.file(path).content_string == texts[0]
    assert good(system.apply(rollback(system, to="v1.3.0", **more))).status is Status.OK
    assert good(system.apply(rollback(system, to="main", **more))).status is Status.CHANGED
    is_serving(system, V1_1)
    assert seen.file(path).content_string == first
    assert seen.run(brought).rc == 1
    is_tidy(system)


def test_what_would_be_deployed_in_part_is_refused(steady: System) -> None:
    modules = '[submodule "ui"]\n\tpath = vendor/ui\n\turl = https://git.example.com/ui.git\n'
    steady.push("refs/heads/with-submodules", {".gitmodules": modules})
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    steady.push("refs/heads/with-lfs", {".gitattributes": "*.bin filter=lfs -text\n", "model/a.bin": pointer})
    for ref, words in (("with-submodules", "has submodules (vendor/ui)"), ("with-lfs", "in Git LFS (model/a.bin)")):
        assert words in failure(steady.apply(deploy(steady, ref)))


REMOTES = {
    "ssh": "ssh://ops@localhost/srv/git/ai-cost-dashboard.git",
    "https": "https://localhost:8443/ai-cost-dashboard.git",
}
OFFERS = {
    "ssh": """
install -d -m 700 /root/.ssh && ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
cat /root/.ssh/id_ed25519.pub >> /home/ops/.ssh/authorized_keys
printf '[safe]\n\tdirectory = *\n' > /home/ops/.gitconfig
""",
    "https": """
mkdir /srv/ca && cd /srv/ca
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -keyout key -out ca.pem 2>/dev/null
git -C /srv/git/ai-cost-dashboard.git update-server-info
printf '%s\n' 'import http.server, ssl' 'context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)' \
    'context.load_cert_chain("/srv/ca/ca.pem", "/srv/ca/key")' \
    'server = http.server.ThreadingHTTPServer(("127.0.0.1", 8443), http.server.SimpleHTTPRequestHandler)' \
    'server.socket = context.wrap_socket(server.socket, server_side=True)' 'server.serve_forever()' > serve.py
systemd-run -q --unit=git-server --working-directory=/srv/git python3 /srv/ca/serve.py
until ss -Htln | grep -q :8443; do sleep 0.05; done
""",
}
TRUSTS = {
    "ssh": "(printf 'localhost '; cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub) > /root/.ssh/known_hosts",
    "https": "git config --global http.sslCAInfo /srv/ca/ca.pem",
}
ENDS = {
    "ssh": "rm -r /root/.ssh/id_* /root/.ssh/known_hosts /home/ops/.gitconfig; sed -i '$d' /home/ops/.ssh/authorized_keys",
    "https": "systemctl stop git-server; rm -r /srv/ca /root/.gitconfig",
}


@pytest.mark.parametrize(("way", "words"), [("ssh", "Host key verification failed"), ("https", "certificate")])
def test_a_remote_that_is_reached_over_the_network(steady: System, way: str, words: str) -> None:
    """A stranger's key or certificate is refused, and nobody is asked; one that the user trusts opens the remote."""
    host, remote = steady.host, {"repository": REMOTES[way], "migrate": []}
    host.run(["sh", "-ec", OFFERS[way]])
    try:
        refused = failure(steady.apply(deploy(steady, "v1.2.0", **remote)))
        assert "the remote repository cannot be read" in refused
        assert words in refused
        host.run(["sh", "-ec", TRUSTS[way]])
        assert good(steady.rehearse(deploy(steady, "v1.2.0", **remote))).status is Status.CHANGED
        for ref, status in (("v1.2.0", Status.CHANGED), ("v1.2.0", Status.OK), ("v1.1.0", Status.CHANGED)):
            assert good(steady.apply(deploy(steady, ref, **remote))).status is status
            is_serving(steady, {"v1.2.0": V1_2, "v1.1.0": V1_1}[ref])
    finally:
        host.run(["sh", "-c", ENDS[way]], check=False)


def test_two_at_once(steady: System) -> None:
    """The lock is held while a run works, and free once its process is dead."""
    holder: LabHost = steady.host
    holder.run(["mkdir", "-p", RECORDS])
    holder.run(["systemd-run", "-q", "--unit=holder", "flock", f"{RECORDS}/lock", "sleep", "60"])
    assert eventually(lambda: holder.run(["flock", "-n", f"{RECORDS}/lock", "true"], check=False).returncode == 1)
    assert "is at work on" in failure(steady.apply(deploy(steady, "v1.2.0")))
    holder.run(["systemctl", "kill", "--signal=KILL", "holder"])
    assert eventually(lambda: holder.run(["flock", "-n", f"{RECORDS}/lock", "true"], check=False).returncode == 0)
    assert good(steady.rehearse(deploy(steady, "v1.2.0"))).status is Status.CHANGED
