"""How full a file system is, is said as df says it; one that hangs is named and the others are still reported."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.files import mounts
from opslib.host.params import ParamError
from opslib.host.tasks import disk_usage
from opslib.host.tasks.disk_usage import DiskUsage, percent
from opslib.host.worker import run_step

GIB = 1 << 30
HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]


def table(*points, slow=()):
    rows = [
        "%d 1 8:%d / %s rw - %s /dev/sd%d rw" % (number + 2, number, p, "nfs4" if p in slow else "ext4", number)
        for number, p in enumerate(points)
    ]
    return mounts.parse("\n".join(rows))


def facts(used=50, free=50, files=100, files_free=50, reserved=0, point="/"):
    mount = table(point)[0]
    return disk_usage._facts(mount, [point], (GIB, used + free + reserved, free + reserved, free, files, files_free))


def state(*found, problems=()):
    return {"mounts": list(found), "problems": list(problems)}


# The parameters


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (
            "paths",
            ["relative", "/a/../b", ["/ok", "-x"], ["/a\0b"], ["/a\nb"], [""], [5], {"a": 1}, ["/" + "x" * 5000]],
        ),
        ("warn", ["ninety", "101%", "-5%", "-1", "5 parrots", [], True, "", "1e30", *HOSTILE]),
        ("fail", ["ninety", "101%", "-5%", "-1", "5 parrots", [], True, "", "1e30", *HOSTILE]),
        ("inodes_warn", ["many", "101%", 101, -1, True, [], "5G", *HOSTILE]),
        ("inodes_fail", ["many", "101%", 101, -1, True, [], "5G", *HOSTILE]),
        ("exclude", [["a\0"], ["a\nb"], ["\x1b"], [""], 5, {"a": 1}, ["x"] * 1001, ["x" * 70000]]),
        ("timeout", [0, "0.05s", -1, "soon", [], True, "", "1e30", *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^disk_usage: %s: " % name):
            DiskUsage(**{name: value})


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"warn": "95%", "fail": "90%"}, "warn 95% must be below fail 90%"),
        ({"warn": "90%", "fail": "90%"}, "warn 90% must be below fail 90%"),
        ({"warn": "97%"}, "warn 97% must be below fail 95%"),
        ({"warn": "1G", "fail": "2G"}, "warn 1.0 GiB free must be above fail 2.0 GiB free"),
        ({"warn": "2G", "fail": "2G"}, "warn 2.0 GiB free must be above fail 2.0 GiB free"),
        ({"inodes_warn": 96}, "inodes_warn 96% must be below inodes_fail 95%"),
        ({"paths": ["/"], "exclude": ["nfs*"]}, "cannot be given together with paths"),
    ],
)
def test_contradictions_are_refused(args, words):
    with pytest.raises(ParamError) as refused:
        DiskUsage(**args)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "args", [{}, {"fail": "80%"}, {"fail": "2G"}, {"warn": "5G", "fail": "2G"}, {"inodes_fail": 50}]
)
def test_a_stricter_fail_needs_no_warn(args):
    task = DiskUsage(**args)
    assert DiskUsage(**task.args()) == task


# The numbers


@pytest.mark.parametrize(
    ("used", "available", "shown"),
    # of df: 22951248 and 83439664 blocks are 22%, 164 and 65372 are 1%, 14 and 12913 are 1%
    [(22951248, 83439664, 22), (164, 65372, 1), (14, 12913, 1), (0, 8192, 0), (100, 0, 100), (99, 1, 99), (0, 0, None)],
)
def test_percentages_are_those_of_df(used, available, shown):
    assert percent(used, available) == shown


def test_blocks_reserved_for_root_count_as_taken():
    found = facts(used=45, free=5, reserved=50)
    assert (found["used_percent"], found["free_bytes"], found["used_bytes"]) == (90, 5 * GIB, 45 * GIB)


def test_less_than_nothing_available_is_nothing():
    found = disk_usage._facts(table("/")[0], ["/"], (4096, 100, 3, (1 << 64) - 2, 0, 0))
    assert (found["used_percent"], found["free_bytes"], found["inodes_used_percent"]) == (100, 0, None)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_percentage_is_never_too_small(used, available):
    shown = percent(used, available)
    if used + available:
        assert shown * (used + available) >= used * 100 > (shown - 1) * (used + available)


# The plan


def test_the_fullest_is_the_reason():
    plan = DiskUsage().plan(state(facts(12, 88), facts(41, 59, point="/data")))
    assert plan.reason == "/data is 41% full, 59.0 GiB free, the fullest of 2 file systems"
    assert (plan.changes, plan.failure, plan.warnings) == ((), "", [])
    assert [mount["mount"] for mount in plan.data["mounts"]] == ["/data", "/"]


@pytest.mark.parametrize(
    ("args", "failure", "warning"),
    [
        ({}, "", ""),
        ({"warn": "70%", "fail": "71%"}, "", "/ is 70% full, 30.0 GiB free (warn: 70%)"),
        ({"warn": "60%", "fail": "70%"}, "/ is 70% full, 30.0 GiB free (fail: 70%)", ""),
        ({"warn": "31G", "fail": "30G"}, "", "/ is 70% full, 30.0 GiB free (warn: less than 31.0 GiB free)"),
        ({"fail": "31G"}, "/ is 70% full, 30.0 GiB free (fail: less than 31.0 GiB free)", ""),
        ({"inodes_warn": 50}, "", "/ has 50% of its inodes used (warn: 50%)"),
        ({"inodes_fail": "50%"}, "/ has 50% of its inodes used (fail: 50%)", ""),
    ],
)
def test_thresholds(args, failure, warning):
    plan = DiskUsage(**args).plan(state(facts(70, 30)))
    assert (plan.failure, "; ".join(plan.warnings)) == (failure, warning)


def test_a_file_system_without_inodes_is_not_judged_by_them():
    for files, free in ((0, 0), (0, 5), (5, 6)):
        plan = DiskUsage(inodes_fail=1, inodes_warn=0).plan(state(facts(files=files, files_free=free)))
        assert plan.failure == ""
        assert plan.data["mounts"][0]["inodes_used_percent"] is None


def test_silence_fails_and_the_rest_is_still_told():
    dead = {"path": "/mnt/dead", "error": "did not answer within 5 seconds", "denied": False}
    private = {"path": "/run/user/1/x", "error": "cannot be looked at: Permission denied", "denied": True}
    plan = DiskUsage().plan(state(facts(), problems=[dead, private]))
    assert plan.failure == "/mnt/dead did not answer within 5 seconds"
    assert plan.warnings == ["/run/user/1/x cannot be looked at: Permission denied"]
    assert plan.reason.startswith("/ is 50% full")
    assert plan.data["problems"][0] == {"path": "/mnt/dead", "error": "did not answer within 5 seconds"}


def test_a_file_system_that_turned_read_only_is_worth_a_warning():
    mount = mounts.parse("2 1 8:1 / /data rw - ext4 /dev/sda1 ro,errors=remount-ro")[0]
    found = disk_usage._facts(mount, ["/data"], (4096, 100, 50, 50, 10, 5))
    assert found["read_only"] is True
    assert "/data turned read-only" in DiskUsage().plan(state(found)).warnings[0]


def test_to_find_nothing_is_no_success():
    assert "no file system" in DiskUsage(exclude=["*"]).plan(state()).failure


def test_names_cannot_colour_the_screen():
    assert "\x1b" not in repr(DiskUsage().plan(state(facts(99, 1, point="/\x1b[31mred")))).replace("\\x1b", "")
    assert "\x1b" not in DiskUsage().plan(state(facts(99, 1, point="/\x1b[31mred"))).failure


def test_the_data_is_bounded():
    plan = DiskUsage().plan(state(*[facts(point="/%d" % number) for number in range(300)]))
    assert (len(plan.data["mounts"]), plan.data["left_out"]) == (200, 100)


used_free = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))


@given(st.lists(used_free, max_size=5), st.integers(2, 99), st.integers(1, 98))
def test_a_plan_is_deterministic_and_a_laxer_limit_never_fails_more(rows, limit, less):
    found = state(*[facts(a, b, c + 1, min(c, d), point="/%d" % number) for number, (a, b, c, d) in enumerate(rows)])
    lax = DiskUsage(warn="1%", fail="%d%%" % limit, inodes_warn=0, inodes_fail=100).plan(found)
    strict = DiskUsage(warn="0%", fail="%d%%" % max(limit - less, 1), inodes_warn=0, inodes_fail=100).plan(found)
    assert lax == DiskUsage(warn="1%", fail="%d%%" % limit, inodes_warn=0, inodes_fail=100).plan(found)
    assert not lax.changes
    assert not (lax.failure and not strict.failure)


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.integers(1, 10**6))
def test_asking_for_less_free_space_never_fails_more(free, low, more):
    found = state(facts(10, free))
    assert not (
        DiskUsage(fail=low * GIB).plan(found).failure and not DiskUsage(fail=(low + more) * GIB).plan(found).failure
    )


# The host


def test_a_path_is_measured_and_nothing_is_touched(tmp_path):
    (tmp_path / "file").write_text("x")
    before = os.stat(str(tmp_path))
    args = {"paths": [str(tmp_path), str(tmp_path / "file")], "warn": "0", "fail": "0", "inodes_fail": 100}
    for check in (True, False, False):
        result = run_step(DiskUsage, args, check)
        assert (result["status"], result["changed"], result["error"]) == ("ok", False, None), result
    assert os.stat(str(tmp_path)).st_mtime_ns == before.st_mtime_ns
    (mount,) = result["data"]["mounts"]
    assert mount["paths"] == args["paths"]
    seen = os.statvfs(str(tmp_path))
    assert mount["size_bytes"] == seen.f_blocks * seen.f_frsize


def test_a_full_file_system_fails_with_its_name(tmp_path):
    result = run_step(DiskUsage, {"paths": [str(tmp_path)], "fail": "800000T"}, True)
    assert result["status"] == "failed"
    assert "fail: less than" in result["error"]
    assert result["reason"]


def test_a_missing_path_is_named_and_the_others_are_reported(tmp_path):
    missing = str(tmp_path / "nope")
    result = run_step(DiskUsage, {"paths": [missing, str(tmp_path)], "fail": "0"}, True)
    assert result["error"] == missing + " does not exist"
    assert len(result["data"]["mounts"]) == 1


def test_a_link_is_followed_to_its_file_system(tmp_path):
    (tmp_path / "link").symlink_to("/proc")
    result = run_step(DiskUsage, {"paths": [str(tmp_path / "link")]}, True)
    assert result["error"] == "%s (proc) has no size" % (tmp_path / "link")


def test_a_hung_file_system_is_reported_and_the_others_too(tmp_path, monkeypatch):
    for name in ("a", "dead", "b"):
        (tmp_path / name).mkdir()
    points = [str(tmp_path / name) for name in ("a", "dead", "b")]
    real = disk_usage._usage

    def sometimes(path):
        if path.endswith("dead"):
            time.sleep(60)
        return real(path)

    monkeypatch.setattr(disk_usage, "_usage", sometimes)
    monkeypatch.setattr(mounts, "read_table", lambda: table(*points, slow=points[1:2]))
    result = run_step(DiskUsage, {"timeout": 1, "fail": "0", "inodes_fail": 100}, True)
    assert result["error"] == points[1] + " did not answer within 1 second (nfs4 from /dev/sd1)"
    assert sorted(mount["mount"] for mount in result["data"]["mounts"]) == [points[0], points[2]]
    result = run_step(DiskUsage, {"timeout": 0.3, "paths": points, "fail": "0"}, True)
    assert points[1] + " did not answer within 0.3 seconds" in result["error"]


def test_all_file_systems_but_the_excluded(tmp_path, monkeypatch):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("")
    points = [str(tmp_path / name) for name in ("a", "b", "c", "file")]
    monkeypatch.setattr(mounts, "read_table", lambda: table(*points))

    def seen(**args):
        result = run_step(DiskUsage, dict(args, fail="0", inodes_fail=100), True)
        return sorted(mount["mount"] for mount in result["data"]["mounts"]), result["status"]

    assert seen() == (points[:3], "ok")
    assert seen(exclude=[str(tmp_path) + "/[bc]"]) == (points[:1], "ok")
    assert seen(exclude=["ext*"]) == ([], "failed")
    assert seen(exclude=["ext"]) == (points[:3], "ok")


def test_this_host_has_at_least_its_root():
    result = run_step(DiskUsage, {"fail": "0", "warn": "1B", "inodes_fail": 100}, True)
    assert "/" in [mount["mount"] for mount in result["data"]["mounts"]]


def test_a_file_system_without_a_size_is_not_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(mounts, "read_table", lambda: table(str(tmp_path), "/proc"))
    result = run_step(DiskUsage, {"fail": "0", "inodes_fail": 100}, True)
    assert [mount["mount"] for mount in result["data"]["mounts"]] == [str(tmp_path)]
    assert result["status"] == "ok"
