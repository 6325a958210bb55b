"""Old logs are archived and deleted; nothing is deleted unless it is safe, and nothing else is touched."""

from __future__ import annotations

import fnmatch
import os
import tarfile
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opslib.host.files.found import Found
from opslib.host.files.locked import Locked
from opslib.host.logs import archive as log_archive
from opslib.host.logs import deletion as log_deletion
from opslib.host.logs import old as old_logs
from opslib.host.logs import writers
from opslib.host.logs.index import Member
from opslib.host.logs.old import OldLogs
from opslib.host.logs.store import Store
from opslib.host.params import ParamError
from opslib.host.task import TaskError
from opslib.host.tasks import log_retention
from opslib.host.tasks.log_retention import LogRetention
from opslib.host.worker import run_step

DAY = 86400
HOSTILE = ["-oProxyCommand=x", "$(id)", "../x", "a\nb", "a\0b", "\udcff\x1b[31m", "", "x" * 70000]


def write(path, size=100, days=40, content=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size) if content is None else content)
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def step(root, check=False, **args):
    return run_step(LogRetention, dict({"root": str(root), "keep_free": 0}, **args), check)


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def members(folder):
    """What all finished archives of a folder hold, as an independent reader finds it."""
    held = {}
    for path in sorted(folder.glob("logs-*.tar.gz")):
        with tarfile.open(str(path)) as tar:
            held.update({info.name: tar.extractfile(info).read() for info in tar})
    return held


@pytest.fixture
def root(tmp_path):
    """A folder of logs: two are old, one is young, one is no rotated log, one is in a folder below."""
    write(tmp_path / "logs/app.log.1", days=3)
    write(tmp_path / "logs/app.log.2.gz", 5000)
    write(tmp_path / "logs/app.log", days=400)
    write(tmp_path / "logs/deep/er/web.log-20240101", 0, days=90)
    return tmp_path / "logs"


OLD = ["app.log.2.gz", "deep/er/web.log-20240101"]

# The parameters


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("root", ["logs", "/a/../b", True, ["/a"], {}, *HOSTILE]),
        ("older_than", ["soon", 0, "59s", -1, True, [], *HOSTILE]),
        (
            "patterns",
            [[], ["a/b"], [""], ["a\0"], ["a\nb"], ["\x1b"], [5.5, {}], {"a": 1}, 7, ["x" * 70000], ["x"] * 101],
        ),
        ("archive_to", ["archive", "/a/../b", True, ["/a"], {}, *HOSTILE]),
        ("delete", ["maybe", 2, [], *HOSTILE]),
        ("recurse", ["maybe", 2, [], *HOSTILE]),
        ("min_keep", ["all", -1, 1.5, True, 10**9, [], *HOSTILE]),
        ("open_files", ["close", True, 1, [], *HOSTILE]),
        ("max_files", ["all", 0, -1, 1.5, True, 10**9, [], *HOSTILE]),
        ("keep_free", ["much", -1, "5%", True, [], *HOSTILE]),
    ],
)
def test_bad_values_are_refused_by_name(name, values):
    for value in values:
        with pytest.raises(ParamError, match="^log_retention: %s: " % name):
            LogRetention(**dict({"root": "/logs", "delete": True}, **{name: value}))


@pytest.mark.parametrize("root", ["/", "/proc", "/sys", "/dev", "/proc/1", "/sys/kernel", "//", "/."])
def test_a_root_that_holds_no_logs_is_refused(root):
    with pytest.raises(ParamError, match="is no folder of logs"):
        LogRetention(root=root, delete=True)


def test_something_must_be_asked():
    with pytest.raises(ParamError, match="give archive_to, or delete: true, or both"):
        LogRetention(root="/logs")
    with pytest.raises(ParamError, match="root is required"):
        LogRetention(delete=True)


# The plan


class Status:
    def __init__(self, ino=1, size=10, mtime=0, nlink=1, uid=0):
        self.st_dev, self.st_ino, self.st_size, self.st_mtime_ns, self.st_ctime_ns = 1, ino, size, mtime, mtime
        self.st_nlink, self.st_blocks, self.st_uid = nlink, -(-size // 512), uid


NAMES = st.sampled_from(["a.log.1", "b.log.2", "c.log.3.gz", "d/a.log.1", "d/b.log.2", "d/e/a.log.1", "x\x1b\n.log.1"])


@st.composite
def states(draw):
    """States of a host as `probe` gives them."""
    found = OldLogs()
    paths = sorted(draw(st.sets(NAMES)))
    for number, path in enumerate(paths):
        mtime = draw(st.integers(0, 1000)) * 10**9
        links = draw(st.integers(1, 2))
        found.files.append(Found(path, Status(number, draw(st.integers(0, 10**6)), mtime, links)))
    some = st.sets(st.sampled_from(paths)) if paths else st.just(set())
    found.writers = {path: "app[1]" for path in draw(some)}
    found.readers = draw(some) - set(found.writers)
    found.unsure = draw(some)
    found.young = {"": draw(st.integers(0, 3)), "d": draw(st.integers(0, 3))}
    found.members = {
        path: Member(archive=draw(st.sampled_from(["there", "away"])), name=path, digest="0" * 64)
        for path in draw(some)
    }
    store = Store(
        identity=(1, 1), archives=["there"], free_bytes=10**9, leftovers=draw(st.sampled_from([[], [("p", 1)]]))
    )
    return {"now": 10.0**9, "outcome": {}, "store": store, "found": found}


TASKS = st.builds(
    lambda archive, delete, keep, open_files: LogRetention(
        root="/logs",
        archive_to="/arc" if archive or not delete else None,
        delete=delete,
        min_keep=keep,
        open_files=open_files,
        keep_free=0,
    ),
    st.booleans(),
    st.booleans(),
    st.integers(0, 3),
    st.sampled_from(["skip", "touch"]),
)


def given_store(task, state):
    return dict(state, store=state["store"] if task.archive_to else None)


def done(plan, state):
    """The state after all changes of a plan."""
    found = state["found"]
    after = OldLogs()
    after.__dict__.update(found.__dict__, members=dict(found.members))
    store = state["store"]
    for change in plan.changes:
        if "leftover" in change.detail:
            left = [item for item in store.leftovers if item[0] != change.detail["leftover"]]
            store = Store(**dict(store._values(), leftovers=left))
        elif "name" in change.detail:
            name = change.detail["name"]
            store = Store(**dict(store._values(), archives=[*store.archives, name]))
            new = {file.path: Member(archive=name, name=file.path, digest="") for file in change.detail["files"]}
            after.members.update(new)
        else:
            gone = {file.path for file in change.detail["files"]}
            after.files = [file for file in after.files if file.path not in gone]
            for each in (after.members, after.writers):
                for path in gone:
                    each.pop(path, None)
            after.readers = after.readers - gone
            after.unsure = after.unsure - gone
            # What stays are the newest, the open and those of others, of which deleting takes none away.
    return dict(state, found=after, store=store)


@given(TASKS, states())
def test_a_plan_is_deterministic_and_never_touches_what_it_must_not(task, state):
    state = given_store(task, state)
    plan = task.plan(state)
    assert repr(plan.changes) == repr(task.plan(state).changes)
    assert plan.data == task.plan(state).data
    found = state["found"]
    touched = {file.path for change in plan.changes if "files" in change.detail for file in change.detail["files"]}
    assert touched <= {file.path for file in found.files}
    if task.open_files == "skip":
        assert not touched & (set(found.writers) | found.unsure)
    assert not touched & old_logs.newest(found.files, found.young, task.min_keep)
    for change in plan.changes:
        assert change.summary.isprintable()
        assert all(line.isprintable() for text in (change.before, change.after) for line in (text or "").split("\n"))
        if change.kind == "remove" and task.archive_to and "files" in change.detail:
            archived = {path for path, member in found.members.items() if member.archive == "there"}
            archived |= {
                file.path for other in plan.changes if "name" in other.detail for file in other.detail["files"]
            }
            assert {file.path for file in change.detail["files"]} <= archived
    if not task.delete:
        assert all("leftover" in change.detail or change.kind == "create" for change in plan.changes)
    if not plan.changes:
        assert plan.reason


@given(TASKS, states())
def test_after_its_changes_a_plan_has_none(task, state):
    state = given_store(task, state)
    plan = task.plan(state)
    again = task.plan(done(plan, state))
    if task.min_keep and task.delete:
        # Deleting takes none of the newest, so no more become newest; they stay kept.
        assert again.data["kept_files"] == plan.data["kept_files"]
    assert [change.summary for change in again.changes] == []


@given(
    st.lists(st.tuples(st.sampled_from(["", "a"]), st.integers(0, 5)), max_size=12),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_the_newest_of_each_folder_are_kept(files, young, count):
    found = [Found((f + "/" if f else "") + "x%d" % n, Status(n, mtime=age)) for n, (f, age) in enumerate(files)]
    kept = old_logs.newest(found, {"a": young}, count)
    for folder, others in (("", 0), ("a", young)):
        inside = [file for file in found if file.folder == folder]
        mine = [file for file in inside if file.path in kept]
        assert len(mine) == min(max(count - others, 0), len(inside))
        assert all(file.mtime <= each.mtime for file in inside if file not in mine for each in mine)
    assert kept >= old_logs.newest(found, {"a": young}, max(count - 1, 0))


@settings(max_examples=1000)
@given(st.lists(st.text("ab.*?[]", min_size=1, max_size=6), min_size=1, max_size=3), st.text("ab.*?[]\n", max_size=8))
def test_names_match_as_everywhere(patterns, name):
    assert old_logs.matcher(patterns)(name) is any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def test_only_the_last_link_of_a_file_frees_space():
    both = [Found("a", Status(1, 512, nlink=2)), Found("b", Status(1, 512, nlink=2)), Found("c", Status(2, 512))]
    assert old_logs.freed_bytes(both, []) == 1024
    assert old_logs.freed_bytes(both[1:], []) == 512
    assert old_logs.freed_bytes(both, ["c"]) == 512


def test_too_many_files_too_little_space_and_no_folder_are_failures():
    task = LogRetention(root="/logs", archive_to="/arc", delete=True, keep_free="1G", max_files=1)
    found = OldLogs()
    found.files = [Found("a.log.1.gz", Status(size=10**9))]
    state = {"now": 1e9, "outcome": {}, "found": found, "store": Store(identity=(1, 1), free_bytes=10**9)}
    plan = task.plan(state)
    assert (list(plan.changes), plan.failure) == (
        [],
        "/arc has 953.7 MiB free; archiving takes about 953.7 MiB, and 1.0 GiB must stay free (keep_free)",
    )
    assert not task.plan(dict(state, store=Store(identity=(1, 1), free_bytes=3 * 10**9))).failure
    found.files = [Found("a.log.1", Status(size=10**9))]
    assert not task.plan(dict(state, store=Store(identity=(1, 1), free_bytes=1400 * 10**6))).failure
    assert task.plan(dict(state, store=Store(problem="no such folder"))).failure == "no such folder"
    found.more, found.more_bytes = 41, 5
    plan = task.plan(state)
    assert plan.failure == "42 files below /logs are old, more than max_files, 1: raise it, or narrow patterns"
    assert (plan.data["matched_files"], plan.data["matched_bytes"]) == (42, 10**9 + 5)


def test_a_long_list_is_cut_and_says_so():
    files = [Found("d%d/a.log.1" % (n % 3), Status(n, 1024)) for n in range(12345)]
    lines = old_logs.table(files).split("\n")
    assert len(lines) == old_logs.MOST_SHOWN + 1
    assert lines[0] == "1970-01-01     1.0 KiB  d0/a.log.1"
    assert lines[-1] == "and 12295 files (12.0 MiB) more in 3 folders"


# What it does


@pytest.mark.parametrize("how", [{"delete": True}, {"archive": True}, {"archive": True, "delete": True}])
def test_check_then_run_then_nothing_is_left_to_do(root, tmp_path, how):
    args = {"delete": how.get("delete", False)}
    if how.get("archive"):
        args["archive_to"] = str(tmp_path / "arc")
    before = tree(tmp_path)
    contents = {name: (root / name).read_bytes() for name in OLD}
    checked = step(root, check=True, **args)
    assert (checked["status"], checked["data"]["due_files"]) == ("changed", 2)
    assert tree(tmp_path) == before
    ran = step(root, **args)
    assert (ran["status"], ran["error"], ran["warnings"]) == ("changed", None, [])
    assert [change["kind"] for change in ran["changes"]] == [change["kind"] for change in checked["changes"]]
    assert [name for name in OLD if (root / name).exists()] == ([] if args["delete"] else OLD)
    assert (root / "app.log").exists() and (root / "app.log.1").exists()
    if how.get("archive"):
        assert members(tmp_path / "arc") == contents
        assert os.stat(ran["data"]["archive"]).st_mode & 0o7777 == 0o600
        assert os.stat(str(tmp_path / "arc")).st_mode & 0o7777 == 0o700
        assert ran["data"]["archive_bytes"] == os.stat(ran["data"]["archive"]).st_size
        assert ran["data"]["files_archived"] == 2
    if args["delete"]:
        assert (ran["data"]["files_deleted"], ran["data"]["bytes_freed"]) == (2, checked["data"]["bytes_to_free"])
    after = tree(tmp_path)
    again = step(root, **args)
    assert (again["status"], again["changes"], tree(tmp_path)) == ("ok", [], after)
    assert "older than 30 days and match" in again["reason"]


def test_a_renamed_file_is_known_and_a_new_one_is_archived_alone(root, tmp_path):
    arc = tmp_path / "arc"
    step(root, archive_to=str(arc))
    os.rename(str(root / "app.log.2.gz"), str(root / "app.log.3.gz"))
    assert step(root, archive_to=str(arc))["status"] == "ok"
    write(root / "app.log.2.gz")
    ran = step(root, archive_to=str(arc))
    assert (ran["data"]["files_archived"], len(list(arc.glob("*.tar.gz")))) == (1, 2)


def test_what_is_archived_already_is_deleted_only_when_the_archive_really_holds_it(root, tmp_path):
    arc = tmp_path / "arc"
    step(root, archive_to=str(arc))
    victim = root / "app.log.2.gz"
    status = victim.stat()
    victim.write_bytes(os.urandom(5000))
    os.utime(str(victim), ns=(status.st_mtime_ns, status.st_mtime_ns))
    ran = step(root, archive_to=str(arc), delete=True)
    assert (ran["status"], ran["data"]["files_deleted"], victim.exists()) == ("changed", 1, True)
    assert ran["warnings"] == ["app.log.2.gz is left alone: is not what is archived of it"]


def test_an_archive_that_was_taken_elsewhere_proves_nothing_but_is_remembered(root, tmp_path):
    arc = tmp_path / "arc"
    step(root, archive_to=str(arc))
    for path in arc.glob("*.tar.gz"):
        path.unlink()
    assert step(root, archive_to=str(arc))["status"] == "ok"
    ran = step(root, archive_to=str(arc), delete=True)
    assert (ran["data"]["files_archived"], ran["data"]["files_deleted"]) == (2, 2)
    assert sorted(members(arc)) == OLD


def test_a_broken_archive_proves_nothing(root, tmp_path):
    arc = tmp_path / "arc"
    archive = step(root, archive_to=str(arc))["data"]["archive"]
    with open(archive, "r+b") as file:
        file.seek(200)
        file.write(b"\0" * 20)
    ran = step(root, archive_to=str(arc), delete=True)
    assert ran["status"] == "failed"
    assert "cannot be read back" in ran["error"] and "remove it and its index" in ran["error"]
    assert all((root / name).exists() for name in OLD)


def test_links_are_neither_followed_nor_removed(root, tmp_path):
    outside = write(tmp_path / "outside/secret.log.1")
    os.symlink(str(outside), str(root / "link.log.1"))
    os.symlink(str(tmp_path / "outside"), str(root / "folder.log.1"))
    os.symlink(str(tmp_path / "outside"), str(root / "way"))
    ran = step(root, archive_to=str(tmp_path / "arc"), delete=True)
    assert ran["data"]["links_skipped"] == 2
    assert outside.exists() and (root / "link.log.1").is_symlink() and (root / "way").is_symlink()
    assert sorted(members(tmp_path / "arc")) == OLD


def test_only_regular_files_count(root):
    os.mkfifo(str(root / "pipe.log.1"))
    then = time.time() - 90 * DAY
    os.utime(str(root / "pipe.log.1"), (then, then))
    (root / "folder.log.1").mkdir()
    step(root, delete=True)
    assert (root / "pipe.log.1").exists() and (root / "folder.log.1").exists()


def test_folders_below_only_when_asked(root):
    assert step(root, delete=True, recurse=False)["data"]["files_deleted"] == 1
    assert (root / OLD[1]).exists()


def test_strange_names_survive_the_round_trip(tmp_path):
    names = [
        b"new\nline.log.1",
        b"byte\xff.log.1",
        b"back\\nslash.log.1",
        b"esc\x1b[31m.log.1",
        b"sp ace.log.1",
        b"-rf.log.1",
    ]
    root = tmp_path / "logs"
    root.mkdir()
    for name in names:
        path = os.path.join(os.fsencode(str(root)), name)
        with open(path, "wb") as file:
            file.write(name)
        os.utime(path, (0, 0))
    arc = tmp_path / "arc"
    checked = step(root, check=True, archive_to=str(arc))
    shown = checked["changes"][-1]["after"]
    assert all(line.isprintable() for line in shown.split("\n")) and len(shown.split("\n")) == len(names)
    step(root, archive_to=str(arc))
    assert step(root, archive_to=str(arc))["status"] == "ok"
    assert {os.fsencode(name): content for name, content in members(arc).items()} == {name: name for name in names}
    assert step(root, archive_to=str(arc), delete=True)["data"]["files_deleted"] == len(names)


def test_archives_below_the_root_are_no_logs(root):
    args = {"archive_to": str(root), "patterns": ["*"], "older_than": 60}
    assert step(root, **args)["data"]["files_archived"] == 4
    for path in root.glob("logs-*"):
        os.utime(str(path), (0, 0))
    assert step(root, **args)["status"] == "ok"
    assert step(root, delete=True, **args)["data"]["files_deleted"] == 4
    assert len(list(root.glob("logs-*"))) == 2


def test_hard_links_free_space_with_the_last_one(root):
    os.link(str(root / "app.log.2.gz"), str(root / "kept"))
    ran = step(root, delete=True)
    assert (ran["data"]["files_deleted"], ran["data"]["bytes_freed"]) == (2, 0)
    write(root / "twin.log.1", 5000)
    os.link(str(root / "twin.log.1"), str(root / "twin.log.2"))
    ran = step(root, delete=True)
    assert (ran["data"]["files_deleted"], ran["data"]["bytes_freed"] >= 5000) == (2, True)


def test_the_newest_stay_when_asked(root):
    for number in range(3, 9):
        write(root / ("app.log.%d" % number), days=40 + number)
    ran = step(root, delete=True, min_keep=4)
    assert sorted(path.name for path in root.glob("app.log.*")) == [
        "app.log.1",
        "app.log.2.gz",
        "app.log.3",
        "app.log.4",
    ]
    assert (ran["data"]["kept_files"], ran["data"]["files_deleted"]) == (4, 4)  # of deep/er, the only one is kept too


def test_a_missing_root_and_a_missing_place_for_archives_are_errors(tmp_path, root):
    assert step(tmp_path / "none", delete=True)["error"].startswith("root %s/none cannot be entered" % tmp_path)
    error = step(root, archive_to=str(tmp_path / "none/arc"))["error"]
    assert error.startswith("archive_to %s/none/arc cannot be used" % tmp_path)
    assert tree(tmp_path / "logs") == tree(root)


# Files that are open, or change meanwhile


def test_a_file_open_for_writing_is_left_alone(root, tmp_path):
    with (root / OLD[0]).open("ab"):
        for args in ({"archive_to": str(tmp_path / "arc")}, {"delete": True}):
            ran = step(root, **args)
            assert (ran["status"], ran["error"]) == ("changed", None)
            assert ran["data"]["open_files"][0]["path"] == OLD[0]
            assert "[%d]" % os.getpid() in ran["warnings"][0]
            assert (root / OLD[0]).exists()
        assert list(members(tmp_path / "arc")) == OLD[1:]
        assert step(root, delete=True, open_files="touch")["data"]["files_deleted"] == 1


def test_a_file_open_for_reading_goes_and_its_space_is_not_promised(root):
    with (root / OLD[0]).open("rb"):
        checked = step(root, check=True, delete=True)
        assert checked["data"]["bytes_to_free"] == 0
        assert "open for reading" in checked["warnings"][0]
        ran = step(root, delete=True)
        assert (ran["data"]["files_deleted"], ran["data"]["bytes_freed"]) == (2, 0)


def test_what_no_scan_shows_the_lease_finds(root, monkeypatch):
    monkeypatch.setattr(writers, "scan", lambda inodes, names: writers.Scan())
    with (root / OLD[0]).open("ab") as file:
        ran = step(root, delete=True)
        assert ran["status"] == "changed"
        assert ran["warnings"][0].startswith("%s is left alone: open for writing" % OLD[0])
        assert not file.closed and (root / OLD[0]).exists()


def test_where_leases_are_not_granted_the_scan_is_repeated(root, monkeypatch):
    folder = os.open(str(root), os.O_RDONLY)
    found = old_logs.search(folder, ["*.log.*"], time.time() - DAY)
    monkeypatch.setattr(writers, "lease", lambda fd: writers.UNKNOWN)
    with (root / OLD[0]).open("ab"):
        gone = log_deletion.delete(folder, found.files, digests={}, held=(), skip_open=True)
    assert (gone.left, gone.files) == ({OLD[0]: "open for writing"}, len(found.files) - 1)
    os.close(folder)


def test_without_sight_of_others_their_files_stay_and_ours_are_asked_for(root, monkeypatch):
    blind = writers.Scan()
    blind.blind = True
    monkeypatch.setattr(writers, "scan", lambda inodes, names: blind)
    asked = []
    monkeypatch.setattr(writers, "lease", lambda fd: asked.append(fd) or writers.FREE)
    ran = step(root, check=True, delete=True)
    assert (ran["data"]["due_files"], len(asked)) == (2, 2)
    monkeypatch.setattr(writers, "lease", lambda fd: writers.WRITTEN)
    ran = step(root, check=True, delete=True)
    assert (ran["status"], ran["data"]["open_files"][0]["by"]) == ("ok", old_logs.UNSEEN)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    ran = step(root, check=True, delete=True)
    assert ran["warnings"][0] == "%s is left alone: of another user, who may write to it" % OLD[0]
    assert step(root, check=True, delete=True, open_files="touch")["data"]["due_files"] == 2


def append(path):
    with path.open("ab") as log:
        log.write(b"more")


CHANGES = {
    "written to": append,
    "same size, same time": lambda path: (
        path.write_bytes(b"x" * path.stat().st_size),
        os.utime(str(path), ns=(path.stat().st_atime_ns, CHANGES["time"])),
    ),
    "replaced": lambda path: (path.unlink(), write(path, 5000)),
    "a link": lambda path: (path.unlink(), os.symlink("/etc/passwd", str(path))),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(str(path))),
    "gone": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("how", [name for name in CHANGES if name != "time"])
@pytest.mark.parametrize("when", ["before archiving", "before deleting"])
def test_a_file_that_changes_meanwhile_is_not_touched(root, tmp_path, how, when):
    victim = root / OLD[0]
    CHANGES["time"] = victim.stat().st_mtime_ns
    task = LogRetention(root=str(root), archive_to=str(tmp_path / "arc"), delete=True, keep_free=0)
    make, archive, delete = task.plan(task.probe()).changes
    task.apply(make)
    if when == "before archiving":
        CHANGES[how](victim)
        task.apply(archive)
        assert list(members(tmp_path / "arc")) == OLD[1:]
    else:
        task.apply(archive)
        CHANGES[how](victim)
    before = os.lstat(str(victim)) if how != "gone" else None
    task.apply(delete)
    assert not (root / OLD[1]).exists()
    plan = task.plan(task.probe())
    assert plan.data["files_deleted"] == 1
    if before is not None:
        assert os.lstat(str(victim)).st_ino == before.st_ino
        assert OLD[0] in plan.warnings[0]
    elif when == "before deleting":
        assert plan.warnings == []


def test_what_did_not_get_into_the_archive_is_not_deleted(root, tmp_path, monkeypatch):
    real = log_archive.write

    def forgetful(*words):
        done, length = real(*words)
        done.pop(OLD[1])
        return done, length

    monkeypatch.setattr(log_archive, "write", forgetful)
    task = LogRetention(root=str(root), archive_to=str(tmp_path / "arc"), delete=True, keep_free=0)
    for change in task.plan(task.probe()).changes:
        task.apply(change)
    assert [(root / name).exists() for name in OLD] == [False, True]


def test_a_name_that_comes_to_mean_something_else_at_the_last_moment_stays(root, monkeypatch):
    victim, real = root / OLD[0], writers.lease

    def swap(fd):
        if victim.exists() and not victim.is_symlink():
            os.link(str(victim), str(root / "moved"))
            victim.unlink()
            os.symlink("moved", str(victim))
        return real(fd)

    os.link(str(victim), str(root / "twin"))
    monkeypatch.setattr(writers, "lease", swap)
    ran = step(root, delete=True)
    assert victim.is_symlink() and ran["warnings"] == ["app.log.2.gz is left alone: changed meanwhile"]


def test_the_archive_is_durable_before_anything_is_deleted(root, tmp_path, monkeypatch):
    acts = []

    def watched(name, real):
        def call(*words, **named):
            folder = name == "fsync" and os.path.isdir("/proc/self/fd/%d" % words[0])
            acts.append("fsync folder" if folder else name)
            return real(*words, **named)

        return call

    for name in ("fsync", "rename", "unlink"):
        monkeypatch.setattr(os, name, watched(name, getattr(os, name)))
    step(root, archive_to=str(tmp_path / "arc"), delete=True)
    assert acts == [
        "fsync folder",
        "fsync",
        "fsync",
        "fsync folder",
        "rename",
        "rename",
        "fsync folder",
        "unlink",
        "unlink",
    ]


def test_a_folder_swapped_for_a_link_leads_nowhere(tmp_path):
    root = tmp_path / "logs"
    write(root / "sub/app.log.1", content=b"same")
    write(tmp_path / "outside/app.log.1", content=b"same")
    task = LogRetention(root=str(root), delete=True)
    (change,) = task.plan(task.probe()).changes
    os.rename(str(root / "sub"), str(root / "gone"))
    os.symlink(str(tmp_path / "outside"), str(root / "sub"))
    task.apply(change)
    assert (tmp_path / "outside/app.log.1").exists() and (root / "gone/app.log.1").exists()


def test_a_file_that_grows_while_it_is_archived_stops_the_run(root, tmp_path, monkeypatch):
    real = log_archive.open_found

    def opened(folder, file):
        result = real(folder, file)
        with (root / file.path).open("ab") as log:
            log.write(b"more")
        return result

    monkeypatch.setattr(log_archive, "open_found", opened)
    ran = step(root, archive_to=str(tmp_path / "arc"), delete=True)
    assert ran["error"] == "app.log.2.gz changed while it was archived; run again"
    assert tree(tmp_path / "arc") == [] and all((root / name).exists() for name in OLD)


def test_files_do_not_turn_old_while_the_task_works(root, tmp_path, monkeypatch):
    task = LogRetention(root=str(root), archive_to=str(tmp_path / "arc"))
    write(root / "late.log.1", days=29.5)
    for change in task.plan(task.probe()).changes:
        task.apply(change)
    tomorrow = time.time() + DAY
    monkeypatch.setattr(log_retention.time, "time", lambda: tomorrow)
    assert task.plan(task.probe()).changes == []
    assert len(LogRetention(root=str(root), archive_to=str(tmp_path / "arc")).probe()["found"].files) == 3


def test_what_cannot_be_deleted_is_named(root, monkeypatch):
    def unlink(name, *, dir_fd):
        raise PermissionError(1, "Operation not permitted", name)

    monkeypatch.setattr(log_deletion.os, "unlink", unlink)
    ran = step(root, delete=True)
    assert ran["error"].startswith("2 of 2 files could not be deleted: app.log.2.gz: Operation not permitted; deep/er")


# Runs that are cut short


POINTS = ("open", "write", "fsync", "rename", "unlink", "mkdir", "close")


def die_at(number, root, arc):
    """Run the task in a child that is gone at its so-many-th act. Returns whether it got to the end."""
    pid = os.fork()
    if pid == 0:
        count = [0]

        def mortal(real):
            def call(*args, **kwargs):
                count[0] += 1
                if count[0] == number:
                    os._exit(9)
                return real(*args, **kwargs)

            return call

        try:
            os.fsync = lambda _fd: None
            for name in POINTS:
                setattr(os, name, mortal(getattr(os, name)))
            result = step(root, archive_to=str(arc), delete=True)
        finally:
            os._exit(0 if result["status"] in ("ok", "changed") else 1)
    return os.WEXITSTATUS(os.waitpid(pid, 0)[1])


def test_killed_anywhere_either_originals_or_a_complete_archive_are_left(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _fd: None)  # slow, and nothing here loses its power
    contents = {"app.log.%d" % number: os.urandom(3000) for number in range(2)}
    for number in range(1, 400):
        here = tmp_path / str(number)
        for name, content in contents.items():
            write(here / "logs" / name, content=content)
        code = die_at(number, here / "logs", here / "arc")
        assert code in (0, 9)
        held = members(here / "arc")
        for name, content in contents.items():
            path = here / "logs" / name
            assert held.get(name, content) == content
            assert name in held or path.read_bytes() == content
        if code == 0:
            break
        ran = step(here / "logs", archive_to=str(here / "arc"), delete=True)
        assert ran["status"] in ("ok", "changed")
        assert (tree(here / "logs"), members(here / "arc")) == ([], contents)
        assert len(tree(here / "arc")) == 2  # one archive and its index: nothing half-done, nothing twice
    assert 20 < number < 399


def test_two_runs_do_not_get_into_each_others_way(root, tmp_path):
    arc = tmp_path / "arc"
    arc.mkdir()
    with Locked(str(arc)):
        ran = step(root, archive_to=str(arc), delete=True)
    assert ran["error"] == "another run is archiving to %s just now; run again when it is done" % arc
    assert all((root / name).exists() for name in OLD) and tree(arc) == []


def test_leftovers_are_removed_and_other_files_are_not(root, tmp_path):
    arc = tmp_path / "arc"
    for name in ("logs-20240101-000000.tar.gz.partial", "logs-20240101-000000.tar.gz.index.partial", "notes.partial"):
        write(arc / name)
    for path in (root / name for name in OLD):
        path.unlink()
    assert step(root, check=True, archive_to=str(arc))["status"] == "changed"
    assert len(tree(arc)) == 3
    assert step(root, archive_to=str(arc))["status"] == "changed"
    assert tree(arc) == ["notes.partial"]


def test_a_full_disk_leaves_the_originals_and_nothing_else(root, tmp_path, monkeypatch):
    monkeypatch.setattr(log_archive, "_WATCH", 1)
    task = LogRetention(root=str(root), archive_to=str(tmp_path / "arc"), delete=True, keep_free=0)
    plan = task.plan(task.probe())
    task.apply(plan.changes[0])
    object.__setattr__(task, "keep_free", 1 << 60)
    with pytest.raises(TaskError, match=r"less than 1024.0 PiB \(keep_free\) was left free"):
        task.apply(plan.changes[1])
    assert tree(tmp_path / "arc") == [] and all((root / name).exists() for name in OLD)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), max_size=8), st.integers(0, 3))
def test_after_a_run_nothing_old_is_left_but_what_is_kept(tmp_path_factory, files, keep):
    root = tmp_path_factory.mktemp("logs")
    for number, (folder, days) in enumerate(files):
        write(root / str(folder) / ("a.log.%d" % number), 10, days + 0.5)
    ran = step(root, delete=True, min_keep=keep)
    assert ran["error"] is None
    left = [path for path in root.rglob("a.log.*")]
    assert len(left) == len(files) - ran["data"]["files_deleted"]
    for folder in range(4):
        ages = sorted(days for where, days in files if where == folder)
        here = [path for path in left if path.parent.name == str(folder)]
        assert len(here) == max(sum(1 for days in ages if days < 30), min(keep, len(ages)))
    assert step(root, delete=True, min_keep=keep)["status"] == "ok"
    assert log_retention._span(30 * DAY) == "30 days"
