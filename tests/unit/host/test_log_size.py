"""The space that logs take is added up, each file once, and what grows or hides is pointed out."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.files import open_files, sizes
from opslib.host.params import ParamError
from opslib.host.tasks.log_size import LogSize
from opslib.host.worker import run_step

MIB = 1 << 20
HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="giving files to other users needs root")


def write(path, size=4096, age=0.0):
    """Write a file of random bytes, so that no file system saves space on it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(str(path), "wb") as file:
        file.write(os.urandom(size))
        file.flush()
        os.fsync(file.fileno())
    stamp = path.stat().st_mtime - age
    os.utime(str(path), (stamp, stamp))
    return path


def look(*paths, **args):
    return run_step(LogSize, dict(args, paths=[str(path) for path in paths]), True)


def found(*paths, **args):
    result = look(*paths, **args)
    assert result["status"] == "ok", result
    return [os.path.basename(file["path"]) for file in sorted(result["data"]["largest"], key=lambda file: file["path"])]


# The parameters


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("paths", [[], "", "relative/*", ["/a/../b"], ["/a\0b"], ["/a\nb"], [""], 5, {"a": 1}, ["/" + "x" * 5000]]),
        ("recurse", ["maybe", 2, [], *HOSTILE]),
        ("patterns", [["a/b"], ["../x"], ["a\0"], ["a\nb"], ["\x1b"], [""], 5, ["x"] * 1001]),
        ("warn", ["much", "90%", -1, [], True, "1e30", *HOSTILE]),
        ("fail", ["much", "90%", -1, [], True, "1e30", *HOSTILE]),
        ("file_warn", ["much", "90%", -1, [], True, "1e30", *HOSTILE]),
        ("file_fail", ["much", "90%", -1, [], True, "1e30", *HOSTILE]),
        ("suspect", ["much", "90%", -1, [], True, "1e30", *HOSTILE]),
        ("active", ["soon", -1, [], True, "1e30", *HOSTILE]),
        ("open_files", ["maybe", 2, [], *HOSTILE]),
        ("top", ["few", -1, 501, 1.5, [], True, *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^log_size: %s: " % name):
            LogSize(**{name: value})


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"warn": "2G", "fail": "1G"}, "log_size: warn 2.0 GiB must be below fail 1.0 GiB"),
        ({"file_warn": "1G", "file_fail": "1G"}, "log_size: file_warn 1.0 GiB must be below file_fail 1.0 GiB"),
    ],
)
def test_contradictions_are_refused(args, words):
    with pytest.raises(ParamError) as refused:
        LogSize(**args)
    assert str(refused.value) == words


def test_parameters_stay_the_same_when_checked_again():
    task = LogSize(paths="/var/log,/srv/x/*", patterns="*.log", suspect="1G", active="1h")
    assert LogSize(**task.args()) == task


# What is counted


def test_a_folder_is_added_up_and_nothing_is_touched(tmp_path):
    big, small = write(tmp_path / "app.log", 300000, 5000), write(tmp_path / "old" / "app.log.1", 10000)
    before = [(path.stat().st_mtime_ns, path.stat().st_atime_ns) for path in (big, small, tmp_path)]
    for check in (True, False, False):
        result = run_step(LogSize, {"paths": [str(tmp_path)]}, check)
        assert (result["status"], result["changed"], result["changes"]) == ("ok", False, [])
    assert [(path.stat().st_mtime_ns, path.stat().st_atime_ns) for path in (big, small, tmp_path)][:2] == before[:2]
    data = result["data"]
    assert (data["files"], data["size_bytes"], data["left_out"]) == (2, 310000, 0)
    assert data["disk_bytes"] == (big.stat().st_blocks + small.stat().st_blocks) * 512 == data["total_bytes"]
    assert data["largest"][0]["path"] == str(big)
    assert 5000 <= data["largest"][0]["age_seconds"] < 5900
    assert result["reason"].startswith("2 files take ")
    assert "the largest is %s with" % big in result["reason"]


def test_recursion_and_patterns(tmp_path):
    for name in ("a.log", "b.txt", "sub/c.log", "sub/d.txt", ".hidden.log"):
        write(tmp_path / name)
    assert found(tmp_path) == [".hidden.log", "a.log", "b.txt", "c.log", "d.txt"]
    assert found(tmp_path, recurse=False) == [".hidden.log", "a.log", "b.txt"]
    assert found(tmp_path, patterns=["*.log"]) == [".hidden.log", "a.log", "c.log"]
    assert found(tmp_path / "b.txt", patterns=["*.log"]) == ["b.txt"]
    assert found(tmp_path / "b*", patterns=["*.log"]) == ["b.txt"]


def test_paths_with_patterns(tmp_path):
    for name in ("one/logs/a.log", "two/logs/b.log", "two/logs/deep/c.txt", ".dot/logs/d.log", "two/logs/.e.log"):
        write(tmp_path / name)
    assert found(tmp_path / "*" / "logs" / "*.log") == ["a.log", "b.log"]
    assert found(tmp_path / "*" / "logs" / "*") == ["a.log", "b.log", "c.txt"]
    assert found(tmp_path / "two" / "logs" / "*", recurse=False) == ["b.log"]
    assert found(tmp_path / "t?o" / "logs") == [".e.log", "b.log", "c.txt"]
    assert found(tmp_path / "*" / "logs" / "a.log") == ["a.log"]
    assert found(tmp_path / "[ot]*" / "logs" / "[a-b].log") == ["a.log", "b.log"]


def test_a_name_with_pattern_signs_is_taken_as_it_is(tmp_path):
    write(tmp_path / "a[1].log")
    write(tmp_path / "a1.log")
    assert found(tmp_path / "a[1].log") == ["a[1].log"]


@pytest.mark.parametrize("order", [1, -1])
def test_files_found_in_two_ways_count_once(tmp_path, order):
    write(tmp_path / "a.log")
    write(tmp_path / "sub" / "b.log")
    paths = [tmp_path, tmp_path / "*", tmp_path / "sub", tmp_path / "sub" / "b.log", tmp_path / "*" / "b.log"][::order]
    assert found(*paths) == ["a.log", "b.log"]


@pytest.mark.parametrize("order", [1, -1])
def test_folders_within_folders_count_once(tmp_path, order):
    write(tmp_path / "a.log")
    write(tmp_path / "sub" / "b.log")
    assert found(*[tmp_path, tmp_path / "sub", tmp_path][::order]) == ["a.log", "b.log"]


def test_hard_links_count_once(tmp_path):
    first = write(tmp_path / "a.log")
    os.link(str(first), str(tmp_path / "b.log"))
    assert len(found(tmp_path)) == 1


def test_links_lead_nowhere(tmp_path):
    outside = write(tmp_path / "outside" / "big.log")
    inside = tmp_path / "inside"
    write(inside / "a.log")
    (inside / "folder").symlink_to(outside.parent)
    (inside / "file.log").symlink_to(outside)
    assert found(inside) == ["a.log"]
    assert found(inside / "*") == ["a.log"]
    assert look(inside)["data"]["links"] == 2


def test_a_path_that_is_a_link_is_resolved_once(tmp_path):
    target = write(tmp_path / "real" / "app-1.log")
    (tmp_path / "current.log").symlink_to(target)
    (tmp_path / "logs").symlink_to(target.parent)
    assert look(tmp_path / "current.log")["data"]["largest"][0]["path"] == str(target)
    assert found(tmp_path / "logs") == ["app-1.log"]


@as_root
def test_a_link_of_another_user_is_refused(tmp_path):
    write(tmp_path / "ours" / "a.log")
    (tmp_path / "link").symlink_to("ours")
    os.chown(str(tmp_path / "link"), 12345, 12345, follow_symlinks=False)
    result = look(tmp_path / "link")
    assert result["status"] == "failed"
    assert "a symbolic link of user 12345 leads to what belongs to user 0" in result["error"]


def test_missing_paths_fail_and_the_rest_is_told(tmp_path):
    write(tmp_path / "a.log")
    result = look(tmp_path, tmp_path / "nope", "/nonexistent/x*/y", "/dev/null")
    assert result["status"] == "failed"
    assert result["data"]["files"] == 1
    assert result["error"].split("; ") == [
        "%s does not exist" % (tmp_path / "nope"),
        "/nonexistent/x*/y: /nonexistent does not exist",
        "/dev/null is no file and no folder",
    ]


def test_a_pattern_that_matches_nothing_is_worth_a_warning(tmp_path):
    (tmp_path / "sub").mkdir()
    for pattern in ("*.log", "x*/a.log", "*/a.log", "x*/*.log"):
        result = look(tmp_path / pattern, open_files=False)
        assert (result["status"], result["warnings"]) == ("ok", ["%s matches nothing" % (tmp_path / pattern)])
    assert look(tmp_path)["reason"] == "0 files take 0 B"


def test_unreadable_folders_are_warnings(tmp_path, monkeypatch):
    write(tmp_path / "a.log")
    (tmp_path / "closed").mkdir()
    real = os.open

    def refuse(path, *args, **options):
        if path == "closed":
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **options)

    monkeypatch.setattr(os, "open", refuse)
    result = look(tmp_path, open_files=False)
    assert result["status"] == "ok"
    assert result["warnings"] == ["%s/closed: Permission denied" % tmp_path]


def test_hostile_names_are_reported_safely(tmp_path):
    folder = os.fsencode(str(tmp_path))
    with open(folder + b"/\xff\n\x1b[31m.log", "wb") as file:
        file.write(os.urandom(9000))
    result = look(tmp_path, file_fail="1B")
    assert os.fsencode(result["data"]["largest"][0]["path"]) == folder + b"/\xff\n\x1b[31m.log"
    assert "\\udcff\\n\\x1b[31m.log takes" in result["error"]
    assert result["error"].isprintable()
    assert result["reason"].isprintable()


def test_the_lists_are_bounded_and_the_totals_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(sizes, "KEPT", 10)
    for number in range(60):
        write(tmp_path / ("%02d.log" % number), 100 + number * 5000)
    result = look(tmp_path, top=3)
    assert [os.path.basename(file["path"]) for file in result["data"]["largest"]] == ["59.log", "58.log", "57.log"]
    assert (result["data"]["files"], result["data"]["left_out"]) == (60, 57)
    assert result["data"]["size_bytes"] == sum(100 + number * 5000 for number in range(60))


@given(st.lists(st.integers(0, 50), max_size=200))
def test_the_largest_are_kept(numbers):
    kept = sizes.Largest("size")
    for place, number in enumerate(numbers):
        kept.add({"size": number, "path": "/%03d" % place})
    assert [file["size"] for file in kept.sorted()] == sorted(numbers, reverse=True)[: sizes.KEPT]


# Suspects


def test_a_large_file_that_is_written_is_suspect(tmp_path):
    write(tmp_path / "now.log", 2 * MIB)
    write(tmp_path / "old.log", 2 * MIB, age=7200)
    write(tmp_path / "small.log", 4096)
    suspects = look(tmp_path, suspect="1M")["data"]["suspects"]
    assert [(os.path.basename(file["path"]), file["signs"]) for file in suspects] == [("now.log", ["active"])]
    assert look(tmp_path, suspect="1G")["data"]["suspects"] == []


def test_a_file_that_is_most_of_all_is_suspect(tmp_path):
    write(tmp_path / "huge.log", 4 * MIB, age=7200)
    write(tmp_path / "other.log", MIB, age=7200)
    result = look(tmp_path, suspect="1M", open_files=False)
    assert [file["signs"] for file in result["data"]["suspects"]] == [["dominant"]]
    assert "takes more than half of the whole" in result["warnings"][0]
    assert look(tmp_path / "huge.log", suspect="1M")["data"]["suspects"] == []


def test_a_file_with_holes_is_suspect(tmp_path):
    with open(str(tmp_path / "holes.log"), "wb") as file:
        file.truncate(50 * MIB)
    os.utime(str(tmp_path / "holes.log"), (1, 1))
    result = look(tmp_path, suspect="10M", open_files=False)
    assert [file["signs"] for file in result["data"]["suspects"]] == [["sparse"]]
    assert (result["data"]["size_bytes"], result["data"]["disk_bytes"] < MIB) == (50 * MIB, True)
    assert "has holes or is compressed (its size is 50.0 MiB)" in result["warnings"][0]


HOLD = "import sys,os; f=open(sys.argv[1],'ab'); f.write(os.urandom(200000)); f.flush(); os.fsync(f.fileno()); "
HOLD += "os.unlink(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


@pytest.fixture
def holder(tmp_path):
    """A process that holds a deleted file open."""
    path = tmp_path / "logs" / "gone.log"
    path.parent.mkdir()
    with subprocess.Popen(
        [sys.executable, "-IS", "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"held\n"
        yield path, process.pid
        process.stdin.close()


def test_a_deleted_file_that_is_still_open_takes_space(tmp_path, holder):
    path, pid = holder
    write(tmp_path / "logs" / "a.log")
    for asked in (path.parent, path.parent / "*", tmp_path, tmp_path / "*" / "*.log"):
        result = look(asked)
        (file,) = result["data"]["deleted"]
        assert (file["path"], file["size_bytes"], file["pids"]) == (str(path), 200000, [pid])
        assert file["command"].startswith("python")
        assert "pid %d" % pid in result["warnings"][-1]
    data = result["data"]
    assert data["deleted_disk_bytes"] >= 200000
    assert data["total_bytes"] == data["disk_bytes"] + data["deleted_disk_bytes"]
    assert look(path.parent, fail="150K")["status"] == "failed"


def test_a_file_whose_name_only_sounds_deleted_is_not(tmp_path):
    path = write(tmp_path / "a.log (deleted)")
    with open(str(path)):
        assert look(tmp_path)["data"]["deleted"] == []


def test_deleted_files_elsewhere_are_of_no_concern(tmp_path, holder):
    write(tmp_path / "other" / "a.log")
    assert look(tmp_path / "other")["data"]["deleted"] == []
    assert look(tmp_path, recurse=False)["data"]["deleted"] == []
    assert look(holder[0].parent / "*.txt")["data"]["deleted"] == []
    assert look(holder[0].parent, open_files=False)["data"]["deleted"] == []


def test_where_a_deleted_file_lay():
    roots = [("file", "/a/x[1].log", ""), ("some", "/b", "*.log"), ("whole", "/c", "")]
    inside = ["/a/x[1].log", "/b/y.log", "/b/y.log/deeper", "/c/z", "/c/d/z"]
    outside = ["/a/x1.log", "/a/x[1].log/z", "/b/y.txt", "/b", "/cc/z", "/c", "/"]
    assert [path for path in inside + outside if sizes.beneath(path, roots, True)] == inside
    assert [path for path in inside + outside if sizes.beneath(path, roots, False)] == [
        "/a/x[1].log",
        "/b/y.log",
        "/c/z",
    ]


def test_other_processes_that_hide_their_files_are_counted(monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(open_files.processes, "pids", lambda: [1, 2])
    monkeypatch.setattr(open_files.os, "listdir", refuse)
    assert open_files.deleted(lambda _path: True, {1}) == (
        [],
        "the open files of 2 processes are not ours to see (run as root to find deleted files)",
    )


# The plan

FILE = st.tuples(st.integers(0, 1 << 40), st.integers(0, 1 << 40), st.integers(0, 10**6))


def state(rows, deleted=0):
    files = [
        {"path": "/%03d" % number, "size_bytes": size, "disk_bytes": disk, "modified": 10.0**6 - age}
        for number, (size, disk, age) in enumerate(rows)
    ]
    return {
        "now": 10.0**6,
        "files": len(files),
        "size_bytes": sum(file["size_bytes"] for file in files),
        "disk_bytes": sum(file["disk_bytes"] for file in files),
        "links": 0,
        "largest": sorted(files, key=lambda file: -file["disk_bytes"]),
        "sparse": [],
        "deleted": [],
        "deleted_files": 0,
        "deleted_disk_bytes": deleted,
        "missing": [],
        "problems": [],
    }


@given(st.lists(FILE, max_size=6), st.integers(0, 1 << 41), st.integers(0, 1 << 40), st.integers(0, 1 << 40))
def test_a_laxer_limit_never_fails_more(rows, limit, more, deleted):
    given_state = state(rows, deleted)
    for name in ("fail", "file_fail"):
        lax = LogSize(**{name: limit + more}).plan(given_state)
        strict = LogSize(**{name: limit}).plan(given_state)
        assert not (lax.failure and not strict.failure)
        assert strict == LogSize(**{name: limit}).plan(given_state)
        assert not strict.changes


@pytest.mark.parametrize(
    ("args", "failure", "warning"),
    [
        ({}, "", ""),
        ({"warn": 5 * MIB}, "", "2 files take 6.0 MiB, the largest is /000 with 4.0 MiB (warn: 5.0 MiB)"),
        ({"warn": MIB, "fail": 5 * MIB}, "2 files take 6.0 MiB, the largest is /000 with 4.0 MiB (fail: 5.0 MiB)", ""),
        ({"fail": 6 * MIB}, "", ""),
        ({"file_warn": 3 * MIB}, "", "/000 takes 4.0 MiB (file_warn: 3.0 MiB)"),
        (
            {"file_warn": MIB, "file_fail": 3 * MIB},
            "/000 takes 4.0 MiB (file_fail: 3.0 MiB)",
            "/001 takes 2.0 MiB (file_warn: 1.0 MiB)",
        ),
    ],
)
def test_thresholds(args, failure, warning):
    plan = LogSize(**args).plan(state([(4 * MIB, 4 * MIB, 0), (2 * MIB, 2 * MIB, 0)]))
    assert (plan.failure, "; ".join(plan.warnings)) == (failure, warning)


def test_many_large_files_make_no_endless_message():
    plan = LogSize(file_fail=1).plan(state([(9, 9, 9)] * 400))
    assert plan.failure.endswith("and 395 more")
    assert len(plan.failure) < 1000


def test_a_file_from_the_future_is_of_no_age():
    plan = LogSize(suspect=1).plan(state([(9, 9, -50), (9, 9, 10**6)]))
    assert plan.data["largest"][0]["age_seconds"] == 0
    assert [file["signs"] for file in plan.data["suspects"]] == [["active"]]
