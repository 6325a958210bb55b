"""What apt and dpkg say is understood, and the plan of an upgrade says what it knows and what it does not."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.command import Completed
from opslib.host.packages import apt, due, lock
from opslib.host.params import ParamError
from opslib.host.system import processes
from opslib.host.task import TaskError
from opslib.host.tasks.os_packages import OsPackages

HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]
# Debian 12: apt-get -s -q dist-upgrade
SIMULATED = """NOTE: This is only a simulation!
      apt-get needs root privileges for real execution.
Reading package lists...
Building dependency tree...
Calculating upgrade...
The following packages will be REMOVED:
  libold1
The following packages have been kept back:
  grub-common
The following packages will be upgraded:
  base-files libssl3 openssl
3 upgraded, 1 newly installed, 1 to remove and 1 not upgraded.
Remv libold1 [1.2-3]
Inst base-files [12.4+deb12u11] (12.4+deb12u12 Debian:12.12/oldstable [amd64])
Conf base-files (12.4+deb12u12 Debian:12.12/oldstable [amd64])
Inst libssl3 [3.0.16-1~deb12u1] (3.0.17-1~deb12u2 Debian-Security:12/oldstable-security [amd64]) []
Inst openssl [3.0.16-1~deb12u1] (3.0.17-1~deb12u2 Debian:12.12/oldstable, Debian-Security:12/oldstable-security [amd64])
Inst libnew1 (2.0-1 Debian:12.12/oldstable [amd64])
Inst security-notes [1] (2 Debian:12.12/oldstable [all])
Conf libssl3 (3.0.17-1~deb12u2 Debian-Security:12/oldstable-security [amd64])
"""
INSTALLED = "ii \tadduser\tall\t3.134\nhi \tnginx\tamd64\t1.22.1-9\nrc \tgone\tamd64\t1.0\niF \thalf\tamd64\t2.0\n"
# Debian 12: /proc/PID/maps of a service whose library was upgraded
MAPS = b"""55d0a1a00000-55d0a1a02000 r-xp 00000000 00:1f 1042 /usr/sbin/nginx
7f2b50000000-7f2b50021000 rw-p 00000000 00:00 0
7f2b54a00000-7f2b54c00000 r-xp 00000000 00:1f 2001 /usr/lib/x86_64-linux-gnu/libssl.so.3 (deleted)
7f2b54d00000-7f2b54d10000 r--p 00000000 00:1f 2002 /usr/lib/locale/C.utf8/LC_CTYPE (deleted)
7f2b54e00000-7f2b54e10000 r-xp 00000000 00:01 77 /memfd:jit (deleted)
7ffc0a5e0000-7ffc0a5e2000 r-xp 00000000 00:00 0 [vdso]
"""


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("upgrade", ["some", True, [], *HOSTILE]),
        ("packages", [["a-"], ["A"], ["+a"], ["a=1"], ["a*"], [""], 5, *([word] for word in HOSTILE)]),
        ("refresh_after", ["soon", -1, [], True, *HOSTILE]),
        ("removals", ["maybe", 2, [], *HOSTILE]),
        ("lock_timeout", ["soon", -1, [], True, *HOSTILE]),
        ("timeout", ["soon", 0, [], True, *HOSTILE]),
        ("security_fail", [0, "few", 1.5, [], True, *HOSTILE]),
        ("outdated_fail", [0, "few", 1.5, [], True, *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^os_packages: %s: " % name):
            OsPackages(**{name: value})


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"upgrade": "named"}, "needs packages"),
        ({"packages": ["openssl"]}, "packages goes with upgrade: named"),
        ({"upgrade": "all", "security_fail": 1}, "are for telling"),
    ],
)
def test_contradictions_are_refused(args, words):
    with pytest.raises(ParamError, match=words):
        OsPackages(**args)


def test_simulation_is_understood():
    found = [(step.verb, step.name, step.before, step.after, step.security) for step in apt.parse_simulation(SIMULATED)]
    assert found == [
        ("remove", "libold1", "1.2-3", "", False),
        ("install", "base-files", "12.4+deb12u11", "12.4+deb12u12", False),
        ("install", "libssl3", "3.0.16-1~deb12u1", "3.0.17-1~deb12u2", True),
        ("install", "openssl", "3.0.16-1~deb12u1", "3.0.17-1~deb12u2", True),
        ("install", "libnew1", "", "2.0-1", False),
        ("install", "security-notes", "1", "2", False),
    ]


@given(st.text(max_size=300))
def test_any_output_is_survived(text):
    apt.parse_simulation("Inst " + text)
    apt.parse_installed(text, [])
    due.replaced(text.encode())


def test_installed_held_and_half_done():
    found = apt.parse_installed(INSTALLED, [])
    assert (found.versions["adduser"], found.versions["nginx:amd64"], found.versions["half"]) == (
        "3.134",
        "1.22.1-9",
        "2.0",
    )
    assert "gone" not in found.versions
    assert (found.held, found.half) == (["nginx"], ["half"])
    assert apt.parse_installed("ii \ta\tall\t1\n", ["0001"]).half == ["dpkg's journal"]


def test_the_whole_of_a_long_file_is_read():
    """The kernel gives a page of it at a time."""
    whole = processes.read(os.getpid(), "maps", 1 << 24)
    assert b"[stack]" in whole
    assert len(whole) > 8192
    assert len(processes.read(os.getpid(), "maps", 5000)) == 5000


def test_replaced_code_and_new_kernels():
    assert due.replaced(MAPS) == ["/usr/lib/x86_64-linux-gnu/libssl.so.3"]
    found = [("6.1.0-38-amd64", 100.0), ("6.1.0-40-amd64", 900.0), ("6.1.0-39-amd64", 400.0)]
    assert due.newer_kernels("6.1.0-38-amd64", found, 500.0) == ["6.1.0-40-amd64"]
    assert due.newer_kernels("6.1.0-40-amd64", found, 500.0) == []


def state(**changes):
    simulated = apt.parse_simulation(SIMULATED)
    found = {
        "root": True,
        "versions": {"openssl": "3.0.16-1~deb12u1"},
        "half": [],
        "held": [],
        "age": 60,
        "lock": None,
        "reboot": [],
        "restarts": [],
        "all": simulated,
        "plain": simulated[1:4],
        "steps": simulated[1:4],
    }
    return dict(found, **changes)


def test_telling():
    plan = OsPackages().plan(state(steps=[]))
    assert (plan.changes, plan.failure) == ([], "")
    assert plan.reason == "4 packages outdated, 2 of them for security"
    assert [row["name"] for row in plan.data["outdated"]] == ["libssl3", "openssl", "base-files", "security-notes"]
    assert plan.data["kept_back"] == ["security-notes"]
    assert OsPackages(security_fail=3).plan(state()).failure == ""
    assert "2 packages without a security fix" in OsPackages(security_fail=2).plan(state()).failure
    assert "4 packages outdated" in OsPackages(outdated_fail=4).plan(state()).failure


def test_an_upgrade_names_each_package_and_is_carried_out_once():
    plan = OsPackages(upgrade="all").plan(state())
    assert [(change.kind, change.summary, change.before, change.certain) for change in plan.changes] == [
        ("modify", "upgrade base-files", "12.4+deb12u11", True),
        ("modify", "upgrade libssl3 (security)", "3.0.16-1~deb12u1", True),
        ("modify", "upgrade openssl (security)", "3.0.16-1~deb12u1", True),
    ]
    assert [change.detail for change in plan.changes] == [("upgrade",), None, None]
    assert "kept back, since others would have to go: security-notes" in plan.warnings
    assert "root only" in OsPackages(upgrade="all").plan(state(root=False)).failure


def test_what_cannot_be_foreseen_is_said():
    plan = OsPackages(upgrade="all", refresh_after="1m").plan(state())
    assert [(change.kind, change.certain) for change in plan.changes] == [("action", True), ("modify", False)]
    # Nothing known yet: an act, so that a run which finds nothing newer is none that did not converge.
    plan = OsPackages(upgrade="all", refresh_after=0).plan(state(steps=[]))
    assert [change.kind for change in plan.changes] == ["action", "action"]
    assert OsPackages(upgrade="all", refresh_after="2m").plan(state(steps=[])).changes == []
    never = OsPackages().plan(state(age=None, all=[], plain=[]))
    unknown = "the package lists were never fetched, or are dated in the future"
    assert unknown + ", so nobody knows what is outdated" in never.warnings
    assert never.reason == "nothing is known to be outdated: " + unknown
    assert never.failure == ""


@pytest.mark.parametrize("limit", ["security_fail", "outdated_fail"])
def test_what_nobody_knows_is_no_success(limit):
    plan = OsPackages(**{limit: 1}).plan(state(age=None, all=[], plain=[]))
    assert ", so nobody knows what is outdated; refresh_after fetches them" in plan.failure
    assert OsPackages(**{limit: 1}).plan(state(all=[], plain=[])).failure == ""
    first = OsPackages(**{limit: 1}, refresh_after="1d").plan(state(age=None, all=[], plain=[]))
    assert (first.failure, len(first.changes)) == ("", 1)


def test_half_done_packages_come_first():
    plan = OsPackages(upgrade="all").plan(state(half=["tiny"], all=[], plain=[], steps=[]))
    assert [change.summary for change in plan.changes] == [
        "finish what an interrupted dpkg left: tiny",
        "upgrade all packages",
    ]
    assert "tiny half-done" in OsPackages().plan(state(half=["tiny"], all=[], plain=[], steps=[])).failure


def test_lock_holder_is_found_and_waited_for(tmp_path):
    path = str(tmp_path / "lock")
    hold = "import fcntl, sys\nf = open(sys.argv[1], 'w')\nfcntl.lockf(f, fcntl.LOCK_EX)\nprint(1, flush=True)\nsys.stdin.read()"
    assert lock.holder([path]) is None
    child = subprocess.Popen([sys.executable, "-c", hold, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout.read(1) == b"1"
    told = []
    try:
        assert lock.holder([path])["pid"] == child.pid
        with pytest.raises(TaskError, match=r"is held by python\S* \(pid %d\), and was for 0.2 seconds" % child.pid):
            lock.wait(0.2, told.append, [path])
    finally:
        child.communicate()
    assert len(told) == 1
    assert lock.wait(0.2, told.append, [path]) >= 0
    with open(path, "w") as file:  # our own lock is no obstacle
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert lock.holder([path]) is None
    assert os.listdir(str(tmp_path)) == ["lock"]


def test_lists_that_this_run_fetched_are_new_whatever_time_that_took():
    step = apt.Step(verb="install", name="openssl", before="1", after="2", security=True)
    task = OsPackages(refresh_after=0, security_fail=1)
    found = state(all=[step], plain=[step], age=0, root=True)
    assert [change.detail[0] for change in task.plan(found).changes] == ["refresh"]
    object.__setattr__(task, "_fetched", True)
    after = task.plan(found)
    assert (list(after.changes), "without a security fix" in after.failure) == ([], True)


def test_a_package_on_hold_is_so_under_its_full_name():
    task = OsPackages(upgrade="named", packages=["openssl:amd64"])
    assert task._words({"versions": {"openssl:amd64": "1"}, "held": ["openssl"], "all": []}) == ()


def test_lists_that_were_fetched_in_part_are_as_old_as_before(tmp_path, monkeypatch):
    monkeypatch.setattr(apt, "LISTS", str(tmp_path))
    os.utime(str(tmp_path), (1000, 1000))

    def fetch(*_words, **_more):
        (tmp_path / "x_Packages").write_text("")
        return Completed(argv=("apt-get",), code=100, out="", err="E: Failed to fetch http://b/", cut=False)

    monkeypatch.setattr(apt, "run", fetch)
    with pytest.raises(TaskError, match="cannot be fetched"):
        apt.refresh(1, 1)
    assert os.stat(str(tmp_path)).st_mtime == 1000
