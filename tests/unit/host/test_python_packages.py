"""What pip says is understood, and the plan of an upgrade says what would change."""

from __future__ import annotations

import os
import pathlib
import stat
import subprocess
import sys
import threading
import venv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.command import Completed
from opslib.host.packages import frozen, pip, venv_aside
from opslib.host.packages.pip import Venv
from opslib.host.params import ParamError
from opslib.host.tasks.python_packages import PythonPackages
from opslib.host.worker import run_step
from support.hosts import eventually

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]
VENV = "/srv/app/venv"
# pip 23.0.1 freeze --all
FROZEN = """# Editable install with no version control (app==0.1)
-e /srv/app
fastapi==0.110.0
pip==23.0.1
Typing_Extensions==4.9.0
wheelhouse @ file:///srv/wheels/wheelhouse-1.0-py3-none-any.whl#sha256=00ff
"""


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("venv", ["venv", "/a/../b", 5, [], *HOSTILE]),
        ("upgrade", ["some", True, [], *HOSTILE]),
        ("packages", [["-r x"], ["a @ http://x"], ["a b"], ["a;b"], [""], 5, *([word] for word in HOSTILE)]),
        ("requirements", ["x", 5, [], *HOSTILE]),
        ("constraints", ["x", 5, [], *HOSTILE]),
        ("restore", [[], "a\nb", "a\0b", "\x1b", "", "x" * 70000]),
        ("index_url", ["ftp://x", "x", "http://", "http://a b/", 5, *HOSTILE]),
        ("find_links", [["x"], ["ftp://x"], ["/a b"], 5, *([word] for word in HOSTILE)]),
        ("no_index", ["maybe", 2, *HOSTILE]),
        ("outdated", ["maybe", 2, *HOSTILE]),
        ("outdated_fail", [0, "few", 1.5, [], *HOSTILE]),
        ("keep", [0, "few", 1.5, [], *HOSTILE]),
        ("timeout", ["soon", 0, [], *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^python_packages: %s: " % name):
            PythonPackages(**dict({"venv": VENV}, **{name: value}))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"upgrade": "all", "restore": "latest"}, "cannot be done at once"),
        ({"upgrade": "named"}, "named and packages go together"),
        ({"packages": ["x"]}, "named and packages go together"),
        ({"upgrade": "requirements"}, "go together"),
        ({"no_index": True}, "no_index goes with find_links"),
        ({"venv": "/"}, "cannot be the root folder"),
        ({"restore": "/etc/passwd"}, "a record beside the environment"),
        ({"restore": "-r"}, "a record beside the environment"),
    ],
)
def test_contradictions_are_refused(args, words):
    with pytest.raises(ParamError, match=words):
        PythonPackages(**dict({"venv": VENV}, **args))


def test_credentials_are_secrets():
    task = PythonPackages(venv=VENV, index_url="https://deploy:canary-1/x@pypi.example.org/simple".replace("/x", ""))
    assert set(task.secrets()) == {
        "https://deploy:canary-1@pypi.example.org/simple",
        "deploy:canary-1",
        "deploy",
        "canary-1",
    }
    assert "canary" not in repr(task)
    with pytest.raises(ParamError) as refused:
        PythonPackages(venv=VENV, index_url="ftp://deploy:canary-1@x")
    assert "canary" not in str(refused.value)


def test_frozen_packages_are_understood():
    assert pip.pins(FROZEN) == {
        "fastapi": ("fastapi", "0.110.0"),
        "pip": ("pip", "23.0.1"),
        "typing-extensions": ("Typing_Extensions", "4.9.0"),
        "wheelhouse": ("wheelhouse", "@ file:///srv/wheels/wheelhouse-1.0-py3-none-any.whl#sha256=00ff"),
    }


@given(st.text(max_size=200))
def test_any_text_is_survived(text):
    pip.pins(text)
    assert pip.normal(pip.normal(text)) == pip.normal(text)


@pytest.mark.parametrize(
    ("code", "err", "words"),
    [
        (
            1,
            "ERROR: Could not find a version\nERROR: No matching distribution found for x==9\n",
            "Could not find a version; No",
        ),
        (-9, "", "killed by signal 9"),
        (2, "", "exit code 2"),
        (1, "Traceback\nOSError: \x1b[31mbad", "\\x1b[31mbad"),
    ],
)
def test_what_pip_said(code, err, words):
    assert words in pip.said(Completed(argv=("pip",), code=code, out="", err=err))


def state(**changes):
    found = {
        "left": [],
        "now": 0.0,
        "records": [],
        "cut_short": False,
        "frozen": FROZEN,
        "broken": [],
        "outdated": None,
        "why": "",
        "wanted": None,
        "record": None,
        "problem": "",
    }
    return dict(found, **changes)


def test_plans():
    told = PythonPackages(venv=VENV).plan(
        state(outdated=[{"name": "fastapi", "installed": "0.110.0", "candidate": "1"}])
    )
    assert (told.changes, told.reason) == ([], "4 packages in /srv/app/venv, 1 outdated")
    assert "do not hold: a needs b" in PythonPackages(venv=VENV).plan(state(broken=["a needs b"])).failure
    assert "1 package outdated" in PythonPackages(venv=VENV, outdated_fail=1).plan(state(outdated=[{}])).failure
    task = PythonPackages(venv=VENV, upgrade="all")
    plan = task.plan(state(wanted=[("typing-extensions", "4.10.0"), ("new", "1.0")]))
    assert [(change.kind, change.summary, change.before, change.after) for change in plan.changes] == [
        ("modify", "change typing-extensions", "4.9.0", "4.10.0"),
        ("create", "install new", None, "1.0"),
    ]
    assert [bool(change.detail) for change in plan.changes] == [True, False]
    (unsure,) = task.plan(state(wanted=None)).changes
    assert (unsure.kind, unsure.certain) == ("action", False)
    assert task.plan(state(wanted=[], problem="pip refuses: x")).failure == "pip refuses: x"
    cut = task.plan(state(cut_short=True))
    assert [change.certain for change in cut.changes] == [True, False]
    assert task._words(FROZEN) == ["--upgrade", "--", "fastapi", "pip", "Typing_Extensions"]


def test_restoring_names_each_difference():
    record = "fastapi==0.109.0\npip==23.0.1\nolder==1\n"
    plan = PythonPackages(venv=VENV, restore="latest").plan(state(record=record))
    assert [(change.kind, change.summary) for change in plan.changes] == [
        ("modify", "change fastapi"),
        ("create", "install older"),
        ("remove", "remove Typing_Extensions"),
        ("remove", "remove wheelhouse"),
    ]


def test_copy_and_way_back(tmp_path):
    place = tmp_path / "venv"
    place.mkdir()
    (place / "pyvenv.cfg").write_text("old")
    kept = Venv(path=str(place), uid=os.geteuid(), gid=os.getegid(), index={})
    venv_aside.copy(kept)
    (place / "pyvenv.cfg").write_text("new")
    assert sorted(os.listdir(str(tmp_path))) == [".venv.opslib-before", "venv"]
    venv_aside.put_back(kept)
    assert (place / "pyvenv.cfg").read_text() == "old"
    assert os.listdir(str(tmp_path)) == ["venv"]
    venv_aside.copy(kept)
    place.rename(tmp_path / "gone")  # killed between the two renames of putting back
    venv_aside.put_back(kept)
    assert (place / "pyvenv.cfg").read_text() == "old"
    venv_aside.copy(kept)
    venv_aside.done(kept)
    assert sorted(os.listdir(str(tmp_path))) == ["gone", "venv"]


def test_an_environment_is_told_of_and_not_touched(tmp_path):
    place = str(tmp_path / "venv")
    venv.EnvBuilder(symlinks=True, with_pip=False).create(place)
    missing = run_step(PythonPackages, {"venv": place, "outdated": False}, False)
    assert "has no pip; make the environment with it" in missing["error"], missing
    os.unlink(place + "/bin/python")
    assert "has no working Python" in run_step(PythonPackages, {"venv": place}, False)["error"]
    (tmp_path / "link").symlink_to(sys.prefix)
    odd = run_step(PythonPackages, {"venv": str(tmp_path / "link")}, False)["error"]
    assert "is a symbolic link" in odd or "it has no pyvenv.cfg" in odd
    assert subprocess.run(["ls", "-A", str(tmp_path)], stdout=subprocess.PIPE, check=True).stdout == b"link\nvenv\n"
    assert stat.S_ISDIR(os.stat(place).st_mode)


FAKE = """#!%s
import json, os, sys, time
have = open("%s/pkgs").read().split()
if "freeze" in sys.argv:
    print("\\n".join(have))
elif "--dry-run" in sys.argv:
    wanted = [{"metadata": {"name": name, "version": "2"}} for name in "ab" if name + "==2" not in have]
    print(json.dumps({"install": wanted}))
elif "install" in sys.argv:
    open("%s/begun", "w").close()
    while os.path.exists("%s/wait"):
        time.sleep(0.01)
    open("%s/pkgs", "w").write("pip==1\\na==2\\nb==2\\n")
"""


@pytest.fixture
def fake(tmp_path):
    """An environment whose pip upgrades two packages, once `wait` is gone from its folder."""
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text("")
    (venv / "pkgs").write_text("pip==1\na==1\nb==1\n")
    (venv / "bin" / "python").write_text(FAKE % (sys.executable, *[venv] * 4))
    (venv / "bin" / "python").chmod(0o755)
    return venv


def test_two_runs_do_not_work_on_one_environment(fake):
    """Nor does one that only looks take the copy of a living run for what a dead one left."""
    (fake / "wait").write_text("")
    results = []
    args = {"venv": str(fake), "upgrade": "all"}
    first = threading.Thread(target=lambda: results.append(run_step(PythonPackages, args, False)))
    first.start()
    try:
        assert eventually(lambda: (fake / "begun").exists())
        for other in ({"venv": str(fake)}, args):
            for check in (True, False):
                found = run_step(PythonPackages, other, check)
                assert "another run is at work on an environment in" in found["error"]
    finally:
        (fake / "wait").unlink()
        first.join()
    assert (results[0]["status"], results[0]["error"]) == ("changed", None)
    assert (fake / "pkgs").read_text().split() == ["pip==1", "a==2", "b==2"]


def test_records_that_are_cut_short_are_not_believed(fake):
    assert run_step(PythonPackages, {"venv": str(fake), "upgrade": "all"}, False)["status"] == "changed"
    (record,) = frozen.records(str(fake))
    assert frozen.read(record) == "pip==1\na==1\nb==1\n"
    pathlib.Path(record).write_text("pip==1\na=")
    found = run_step(PythonPackages, {"venv": str(fake), "restore": "latest"}, False)
    assert "is cut short, or no record" in found["error"]


def test_the_record_of_this_run_stays_whatever_a_wrong_clock_has_dated(tmp_path):
    names = ["venv.freeze-2%03d0101-000000.txt" % year for year in (25, 26, 99)]
    for name in names:
        (tmp_path / name).write_text("pip==1\n")
    frozen.keep(str(tmp_path / "venv"), 1, str(tmp_path / names[1]))
    assert os.listdir(str(tmp_path)) == [names[1]]


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files to other users needs root")
def test_what_root_left_in_a_copy_hinders_nobody(tmp_path):
    """Its owner cannot remove it, nor may a look at what is left fail for it."""
    tmp_path.chmod(0o755)
    around = tmp_path / "app"
    trash = around / ".venv.opslib-trash" / "of-root"
    trash.mkdir(parents=True)
    (trash / "file").write_text("")
    trash.chmod(0o700)
    for path in (around, trash.parent):
        os.chown(str(path), 12345, 12345)
    venv_aside.clear(Venv(path=str(around / "venv"), uid=12345, gid=12345, index={}))
    assert os.listdir(str(around)) == []
