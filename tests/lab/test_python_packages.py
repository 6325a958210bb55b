"""The task `python_packages` on a real host: what pip does to an environment can be taken back, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from opslib import Fleet, HostResult, Status, tasks
from opslib.host.task import Task
from opslib.lab import Lab, LabHost
from opslib.lab.pytest_plugin import LabFactory
from support.apply import Apply, target_for
from support.arguments import Watched
from support.canaries import FOLDERS, files_on
from support.hosts import eventually, left_behind
from support.wheel import wheel
from support.witness import Witnesses
from systems.install import PACKAGES

VENV, WHEELS, PRISTINE = "/srv/app/venv", "/srv/wheels", "/srv/pristine"
CANARY = "canary-55d1e0c9aa"
SLOW = 1800
FIRST = {"alpha": "1.0", "beta": "1.0"}
SITE = "lib/python3.11/site-packages"


def packages(**parameters: Any) -> Task:
    return tasks.python_packages(**{"venv": VENV, "find_links": [WHEELS], "no_index": True, **parameters})


@pytest.fixture(scope="module")
def lab(lab_factory: LabFactory) -> Lab:
    """A lab whose host can make virtual environments."""
    return lab_factory(1, packages=PACKAGES)


@pytest.fixture(scope="module")
def pristine(server: LabHost) -> None:
    """An environment with two packages, to be copied, and a folder of wheels."""
    for name, version, requires, files in (
        ("alpha", "1.0", ["beta>=1"], 0),
        ("alpha", "2.0", ["beta>=1"], 0),
        ("beta", "1.0", [], 0),
        ("beta", "2.0", [], 0),
        ("gamma", "1.0", ["beta<2"], 0),
        ("slow", "1.0", [], SLOW),
    ):
        file, content = wheel(name, version, requires=requires, files=files)
        server.write(f"{WHEELS}/{file}", content)
    bad, content = wheel("bad", "1.0")
    server.write(f"{WHEELS}/{bad}", content.replace(b"__version__", b"__VERSION__"))  # as if cut on the way
    server.run(["systemctl", "stop", "postgresql"])  # which the image has for others, and which writes now and then
    server.run(["python3", "-m", "venv", PRISTINE])
    pip = [f"{PRISTINE}/bin/pip", "-q", "install", "--no-index", "--find-links", WHEELS]
    server.run([*pip, *(f"{name}=={version}" for name, version in FIRST.items())])


@pytest.fixture
def venv(server: LabHost, pristine: None) -> Iterator[None]:
    """The environment, which belongs to a user."""
    server.run(["bash", "-c", f"mkdir -p /srv/app; cp -a {PRISTINE} {VENV}; chown -R ops:ops /srv/app"])
    yield
    server.run(["rm", "-rf", "/srv/app"])


def installed(host: Any) -> dict[str, str]:
    """Return what is installed but pip itself, from the names of the folders that say so."""
    rows = host.check_output("ls %s", f"{VENV}/{SITE}").split()
    found = dict(row.removesuffix(".dist-info").split("-") for row in rows if row.endswith(".dist-info"))
    return {name: version for name, version in found.items() if name not in ("pip", "setuptools")}


def files(host: Any) -> str:
    """Return every file of the environment with owner, mode and checksum."""
    listed = "find %s -printf '%%p %%u %%m %%l\\n' | sort; find %s -type f -exec sha256sum {} + | sort"
    return str(host.check_output(listed, VENV, VENV))


def beside(host: Any) -> list[str]:
    return str(host.check_output("ls -A /srv/app")).split()


def changes(result: HostResult) -> list[tuple[str, Any, Any]]:
    return [(change.summary, change.before, change.after) for change in result.steps[0].changes]


def test_telling(server: LabHost, venv: None, rehearse: Apply, witness: Witnesses) -> None:
    told = rehearse(server, packages())
    assert told.status is Status.OK, told.failure
    data = told.steps[0].data
    rows = [row for row in data["outdated"] if row["name"] in FIRST]
    assert rows == [{"name": name, "installed": "1.0", "candidate": "2.0"} for name in ("alpha", "beta")]
    assert data["broken"] == []
    # Where packages come from may also stand in the owner's own configuration.
    server.write("/home/ops/.config/pip/pip.conf", f"[global]\nno-index = true\nfind-links = {WHEELS}\n")
    assert rehearse(server, tasks.python_packages(venv=VENV)).steps[0].data["outdated"] == data["outdated"]
    server.run(["rm", "-r", "/home/ops/.config"])
    server.run(["rm", "-r", f"{VENV}/{SITE}/beta-1.0.dist-info"])
    told = rehearse(server, packages(outdated=False))
    assert "constraints do not hold: alpha 1.0 requires beta, which is not installed." in str(told.failure)


def test_upgrade_and_restore(server: LabHost, venv: None, rehearse: Apply, apply: Apply, witness: Witnesses) -> None:
    seen = witness(server)
    planned = rehearse(server, packages(upgrade="all"))
    assert changes(planned) == [("change alpha", "1.0", "2.0"), ("change beta", "1.0", "2.0")]
    done = apply(server, packages(upgrade="all"))
    assert done.status is Status.CHANGED, done.failure
    assert installed(seen) == {"alpha": "2.0", "beta": "2.0"}
    (record,) = done.steps[0].data["records"]
    assert (seen.file(record).mode, seen.file(record).user) == (0o600, "ops")
    assert {"alpha==1.0", "beta==1.0"} < set(seen.file(record).content_string.split())
    assert beside(seen) == ["venv", record.rpartition("/")[2]]
    assert seen.check_output("find %s -not -user ops", VENV) == ""
    assert apply(server, packages(upgrade="all")).status is Status.OK
    restore = packages(restore="latest")
    assert changes(rehearse(server, restore)) == [("change alpha", "2.0", "1.0"), ("change beta", "2.0", "1.0")]
    assert apply(server, restore).status is Status.CHANGED
    assert installed(seen) == FIRST
    assert apply(server, restore).status is Status.OK


def test_named_and_requirements(server: LabHost, venv: None, apply: Apply, witness: Witnesses) -> None:
    assert apply(server, packages(upgrade="named", packages=["alpha>=1.5"])).status is Status.CHANGED
    assert installed(witness(server)) == {"alpha": "2.0", "beta": "1.0"}
    server.write("/srv/requirements.txt", "alpha==1.0\nbeta==2.0\n")
    task = packages(upgrade="requirements", requirements="/srv/requirements.txt", keep=1)
    assert apply(server, task).status is Status.CHANGED
    assert installed(witness(server)) == {"alpha": "1.0", "beta": "2.0"}
    assert apply(server, task).status is Status.OK
    assert len([name for name in beside(witness(server)) if "freeze" in name]) == 1


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (["gamma", "beta==2.0"], "conflicting dependencies"),
        (["alpha==9"], "No matching distribution found for alpha==9"),
    ],
)
def test_impossible_requirement(
    server: LabHost, venv: None, rehearse: Apply, apply: Apply, witness: Witnesses, wanted: list[str], words: str
) -> None:
    before = files(witness(server))
    for run in (rehearse, apply):
        result = run(server, packages(upgrade="named", packages=wanted))
        assert result.status is Status.FAILED
        assert words in str(result.failure)
    assert files(witness(server)) == before
    assert beside(witness(server)) == ["venv"]


def test_pip_fails_half_way(server: LabHost, venv: None, apply: Apply, witness: Witnesses) -> None:
    seen = witness(server)
    before = files(seen)
    result = apply(server, packages(upgrade="named", packages=["alpha==2.0", "bad"]))
    assert result.status is Status.FAILED
    assert f"{VENV} was put back as it was" in str(result.failure), result.failure
    assert files(seen) == before
    assert beside(seen) == ["venv"]


def test_newly_broken_constraints_are_taken_back(server: LabHost, venv: None, apply: Apply, witness: Witnesses) -> None:
    assert apply(server, packages(upgrade="named", packages=["gamma"])).status is Status.CHANGED
    before = files(witness(server))
    result = apply(server, packages(upgrade="named", packages=["beta==2.0"]))
    assert "constraints would no longer hold: gamma 1.0 has requirement beta<2, but you have beta 2.0." in str(
        result.failure
    )
    assert files(witness(server)) == before


def test_full_disk(server: LabHost, venv: None, apply: Apply, witness: Witnesses) -> None:
    before = files(witness(server))
    server.fill_disk(leave_bytes=4 << 20)
    try:
        result = apply(server, packages(upgrade="named", packages=["alpha==2.0"]))
    finally:
        server.free_disk()
    assert "cannot be copied aside, so it was left alone" in str(result.failure)
    assert files(witness(server)) == before


def half_way(server: LabHost) -> bool:
    """Whether pip has put some of the files of a package in place, but not all."""
    found = server.run(["sh", "-c", f"ls {VENV}/{SITE}/slow 2>/dev/null | wc -l"], check=False).stdout
    return 20 < int(found) < SLOW


@pytest.mark.parametrize("victim", ["-m pip install", "opslib-payload"])
def test_killed_half_way(lab: Lab, server: LabHost, venv: None, apply: Apply, witness: Witnesses, victim: str) -> None:
    seen = witness(server)
    before = files(seen)
    task = packages(upgrade="named", packages=["slow"])
    results = []

    def run() -> None:
        with Fleet([target_for(lab, server)], timeout=120) as fleet:
            results.append(fleet.run([task]).hosts[server.name])

    thread = threading.Thread(target=run)
    thread.start()
    assert eventually(lambda: half_way(server), 30)
    for process in server.pids():
        if victim in " ".join(process.command):
            os.kill(process.outer_pid, signal.SIGKILL)
    thread.join(60)
    assert not thread.is_alive()
    (result,) = results
    assert result.status in (Status.FAILED, Status.UNREACHABLE), result
    assert eventually(lambda: left_behind(server) == [])
    if victim == "opslib-payload":  # nobody was left to put it back: the next run does
        told = apply(server, packages(), check=True)
        assert "as it was before a run that was cut short" in changes(told)[0][0]
        assert apply(server, packages(outdated=False)).status is Status.CHANGED
    else:
        assert "killed by signal 9" in str(result.failure)
    assert files(seen) == before
    assert [name for name in beside(seen) if "freeze" not in name] == ["venv"]
    assert apply(server, task).status is Status.CHANGED
    assert installed(seen)["slow"] == "1.0"


def test_credentials_of_an_index_are_shown_nowhere(server: LabHost, venv: None, rehearse: Apply, apply: Apply) -> None:
    url = f"http://deploy:{CANARY}@127.0.0.1:9/simple"
    task = tasks.python_packages(venv=VENV, index_url=url, timeout=60)
    assert CANARY not in repr(task)
    with Watched(CANARY) as watched:
        told = apply(server, task)
    assert watched.looks > 5
    assert watched.found == set()
    assert told.status is Status.OK, told.failure
    assert told.steps[0].data["outdated"] is None
    assert "the index does not answer" in told.steps[0].warnings[0]
    failed = apply(
        server, tasks.python_packages(venv=VENV, index_url=url, upgrade="named", packages=["new"], timeout=60)
    )
    assert failed.status is Status.FAILED
    assert CANARY not in json.dumps([told.to_dict(), failed.to_dict()])
    assert files_on(server, [CANARY], folders=[*FOLDERS, "/dev/shm"]) == set()


def test_no_environment(server: LabHost, pristine: None, apply: Apply) -> None:
    assert "No such file" in str(apply(server, packages(venv="/srv/nowhere")).failure)
    assert "it has no pyvenv.cfg" in str(apply(server, packages(venv="/srv/wheels")).failure)
