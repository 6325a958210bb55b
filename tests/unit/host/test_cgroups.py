"""Where the memory limit of a container stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from opslib.host.files import mounts
from opslib.host.units import cgroups

DATA = Path(__file__).parent / "data"
V1 = "9:name=systemd:/svcx/payload/init.scope\n8:pids:/svcx\n4:memory:/svcx\n1:cpu:/svcx\n0::/svcx/payload\n"
HOST = "4:memory:/user.slice\n0::/\n"


def mount(fstype, root, features, point="/sys/fs/cgroup"):
    return mounts.parse("30 25 0:26 %s %s rw - %s cgroup %s" % (root, point, fstype, features))


def test_version_1_of_a_real_container():
    table = mounts.parse((DATA / "mountinfo_nspawn.txt").read_text())
    assert cgroups.memory_folders(V1, V1, table) == (["/sys/fs/cgroup/memory"], 1)


def test_version_1_of_a_real_machine():
    table = mounts.parse((DATA / "mountinfo_binds.txt").read_text())
    assert cgroups.memory_folders("4:memory:/\n0::/\n", HOST, table) == (["/sys/fs/cgroup/memory"], 1)


@pytest.mark.parametrize(
    ("first", "own", "root", "folders"),
    [
        ("0::/init.scope", "0::/user.slice", "/", ["/sys/fs/cgroup/init.scope", "/sys/fs/cgroup"]),
        ("0::/", "0::/", "/", ["/sys/fs/cgroup"]),
        ("0::/docker/abc", "0::/docker/abc", "/docker/abc", ["/sys/fs/cgroup"]),
        ("0::/docker/abc/x", "0::/", "/docker/abc", ["/sys/fs/cgroup/x", "/sys/fs/cgroup"]),
        ("0::/docker/abcd", "0::/", "/docker/abc", ["/sys/fs/cgroup"]),
        ("0::/../../init.scope", "0::/job", "/", ["/sys/fs/cgroup/job", "/sys/fs/cgroup"]),
        ("", "", "/", ["/sys/fs/cgroup"]),
    ],
)
def test_version_2(first, own, root, folders):
    assert cgroups.memory_folders(first, own, mount("cgroup2", root, "rw,nsdelegate")) == (folders, 2)


def test_no_control_groups_no_folders():
    assert cgroups.memory_folders("0::/", "0::/", mount("ext4", "/", "rw")) == ([], 2)
    assert cgroups.memory_folders(HOST, HOST, mount("cgroup", "/", "rw,cpu")) == ([], 1)


def test_numbers_of_a_real_file():
    found = cgroups.numbers((DATA / "memory_stat_v1.txt").read_text())
    assert (found["total_inactive_file"], found["total_swap"]) == (55451648, 0)
    assert cgroups.numbers("low 0\nmax x\nhigh\n\noom_kill 3") == {"low": 0, "oom_kill": 3}


def limits(monkeypatch, tmp_path, version, files, groups="0::/a/b"):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    kind = ("cgroup2", "rw") if version == 2 else ("cgroup", "rw,memory")
    monkeypatch.setattr(mounts, "read_table", lambda: mount(kind[0], "/", kind[1], str(tmp_path)))
    real = cgroups.read
    monkeypatch.setattr(cgroups, "read", lambda path: groups if path.startswith("/proc") else real(path))
    return cgroups.memory()


def test_the_tightest_limit_counts(monkeypatch, tmp_path):
    found = limits(
        monkeypatch,
        tmp_path,
        2,
        {
            "a/memory.max": "1000\n",
            "a/b/memory.max": "max\n",
            "memory.max": "5000\n",
            "a/memory.current": "600\n",
            "a/memory.stat": "anon 1\ninactive_file 200\n",
            "a/memory.swap.max": "max\n",
            "a/memory.swap.current": "7\n",
            "a/memory.events": "low 0\noom_kill 3\n",
        },
    )
    assert found == {
        "version": 2,
        "path": str(tmp_path / "a"),
        "limit_bytes": 1000,
        "used_bytes": 600,
        "inactive_file_bytes": 200,
        "swap_limit_bytes": None,
        "swap_used_bytes": 7,
        "oom_kills": 3,
    }


def test_no_limit_is_none(monkeypatch, tmp_path):
    assert limits(monkeypatch, tmp_path, 2, {"memory.max": "max\n"}) is None
    files = {"a/memory.limit_in_bytes": "9223372036854771712\n"}
    assert limits(monkeypatch, tmp_path, 1, files, "4:memory:/a\n0::/\n") is None


def test_version_1_limit(monkeypatch, tmp_path):
    files = {
        "a/memory.limit_in_bytes": "4096\n",
        "a/memory.usage_in_bytes": "100\n",
        "a/memory.oom_control": "oom_kill 2",
    }
    found = limits(monkeypatch, tmp_path, 1, files, "4:memory:/a\n0::/\n")
    assert (found["version"], found["limit_bytes"], found["used_bytes"], found["oom_kills"]) == (1, 4096, 100, 2)
