"""A folder is walked without ever leaving it."""

from __future__ import annotations

import os
import stat

import pytest

from opslib.host.files import tree

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="giving files to other users needs root")


@pytest.fixture
def folder(tmp_path):
    root = tree.open_folder(str(tmp_path))
    yield root
    os.close(root)


def paths(root, **options):
    return sorted(entry.path for entry in tree.walk(root, **options))


def open_descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_everything_below_is_found(tmp_path, folder):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "deep.log").write_text("x")
    (tmp_path / "top.log").write_text("xyz")
    assert paths(folder) == ["a", "a/b", "a/b/deep.log", "top.log"]
    entry = next(entry for entry in tree.walk(folder) if entry.name == "top.log")
    assert (entry.depth, entry.stat.st_size, stat.S_ISREG(entry.stat.st_mode)) == (1, 3, True)


def test_a_folder_comes_before_what_it_holds(tmp_path, folder):
    (tmp_path / "a" / "b").mkdir(parents=True)
    found = [entry.path for entry in tree.walk(folder)]
    assert found.index("a") < found.index("a/b")


def test_depth_limits_without_a_word_where_it_was_asked_for(tmp_path, folder):
    (tmp_path / "a" / "b").mkdir(parents=True)
    said = []
    assert paths(folder, depth=1, problem=said.append) == ["a"]
    assert paths(folder, depth=2, problem=said.append) == ["a", "a/b"]
    assert said == []


def test_the_deepest_folder_is_named(tmp_path, folder):
    here = os.open(str(tmp_path), os.O_RDONLY)
    for _level in range(tree.DEEPEST + 3):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    said = []
    assert len(paths(folder, problem=said.append)) == tree.DEEPEST
    assert len(said) == 1
    assert "deeper than 64 folders" in said[0]


def test_links_are_shown_and_not_followed(tmp_path, folder):
    outside = tmp_path.parent / (tmp_path.name + "-outside")
    outside.mkdir()
    (outside / "secret").write_text("x")
    (tmp_path / "link").symlink_to(outside)
    (tmp_path / "loop").symlink_to(".")
    assert paths(folder) == ["link", "loop"]


def test_a_folder_swapped_for_a_link_is_not_entered(tmp_path, folder):
    outside = tmp_path.parent / (tmp_path.name + "-outside")
    outside.mkdir()
    (outside / "secret").write_text("x")
    (tmp_path / "a").mkdir()
    found = []
    for entry in tree.walk(folder):
        found.append(entry.path)
        if entry.path == "a":
            os.rmdir(str(tmp_path / "a"))
            (tmp_path / "a").symlink_to(outside)
    assert found == ["a"]


def test_what_vanishes_is_left_out(tmp_path, folder):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("")
    said = []
    for entry in tree.walk(folder, problem=said.append):
        if entry.path == "a":
            os.unlink(str(tmp_path / "a" / "x"))
            os.rmdir(str(tmp_path / "a"))
    assert said == []


def test_names_of_any_bytes_survive(tmp_path, folder):
    name = b"\xff\n\x1b[31m.log"
    with open(os.path.join(os.fsencode(str(tmp_path)), name), "w"):
        pass
    entry = next(iter(tree.walk(folder)))
    assert os.fsencode(entry.path) == name
    os.unlink(entry.name, dir_fd=entry.folder)
    assert paths(folder) == []


def test_enter_decides_where_to_look(tmp_path, folder):
    for name in ("yes", "no"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("")
    assert paths(folder, enter=lambda entry: entry.name == "yes") == ["no", "yes", "yes/x"]


def test_nothing_stays_open(tmp_path, folder):
    (tmp_path / "a" / "b").mkdir(parents=True)
    before = open_descriptors()
    list(tree.walk(folder))
    walk = tree.walk(folder)
    next(walk)
    walk.close()
    for path in ("/nonexistent/x", "/dev/null/x", "/dev/null"):
        with pytest.raises(OSError):
            tree.open_folder(path)
    assert open_descriptors() == before


def test_another_file_system_is_not_entered(tmp_path, folder, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("")
    real = os.fstat
    calls = []

    def elsewhere(file):
        calls.append(file)
        status = list(real(file))
        status[2] += len(calls)
        return os.stat_result(status)

    monkeypatch.setattr(os, "fstat", elsewhere)
    said = []
    assert paths(folder, problem=said.append) == ["a"]
    assert said == ["a: another file system, not looked into"]
    assert paths(folder, same_device=False) == ["a", "a/x"]


def test_an_unreadable_folder_is_named(tmp_path, folder, monkeypatch):
    (tmp_path / "bad\n").mkdir()
    real = os.scandir

    def refuse(file):
        if file != folder:
            raise PermissionError(13, "Permission denied")
        return real(file)

    monkeypatch.setattr(os, "scandir", refuse)
    said = []
    assert paths(folder, problem=said.append) == ["bad\n"]
    assert said == ["bad\\n: Permission denied"]


def test_beneath_follows_no_link(tmp_path, folder):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "file").write_text("")
    below = tree.open_beneath(folder, "a/b")
    assert os.path.samestat(os.fstat(below), os.stat(str(tmp_path / "a" / "b")))
    os.close(below)
    itself = tree.open_beneath(folder, "")
    assert os.path.samestat(os.fstat(itself), os.fstat(folder))
    os.close(itself)
    before = open_descriptors()
    for path in ("link", "link/b", "file", "a/../a", "..", "missing"):
        with pytest.raises(OSError):
            tree.open_beneath(folder, path)
    assert open_descriptors() == before


def test_links_of_our_own_on_the_way_are_followed(tmp_path):
    (tmp_path / "real" / "logs").mkdir(parents=True)
    (tmp_path / "up").symlink_to("real/../real")
    (tmp_path / "all").symlink_to(str(tmp_path / "up"))
    opened = tree.open_folder(str(tmp_path / "all" / "logs"))
    assert os.path.samestat(os.fstat(opened), os.stat(str(tmp_path / "real" / "logs")))
    os.close(opened)


def test_a_link_that_leads_to_itself_is_an_error(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        tree.open_folder(str(tmp_path / "loop"))


@as_root
def test_a_link_of_another_user_leads_only_to_what_is_his(tmp_path):
    (tmp_path / "his").mkdir()
    (tmp_path / "ours").mkdir()
    (tmp_path / "file").write_text("")
    os.chown(str(tmp_path / "his"), 12345, 12345)
    for name in ("his", "ours", "file"):
        (tmp_path / ("to-" + name)).symlink_to(name)
        os.chown(str(tmp_path / ("to-" + name)), 12345, 12345, follow_symlinks=False)
    os.close(tree.open_folder(str(tmp_path / "to-his")))
    (tmp_path / "his" / "sub").mkdir()
    os.close(tree.open_folder(str(tmp_path / "to-his" / "sub")))
    (tmp_path / "trusted").symlink_to("his")
    os.close(tree.open_folder(str(tmp_path / "trusted")))
    with pytest.raises(tree.UnsafePath, match="link of user 12345 leads to what belongs to user 0"):
        tree.open_folder(str(tmp_path / "to-ours"))
    with pytest.raises(tree.UnsafePath):
        tree.open_file(str(tmp_path / "to-file"))


@as_root
def test_a_chain_of_links_is_judged_link_by_link(tmp_path):
    (tmp_path / "ours").mkdir()
    (tmp_path / "second").symlink_to("ours")
    (tmp_path / "first").symlink_to("second")
    os.chown(str(tmp_path / "first"), 12345, 12345, follow_symlinks=False)
    with pytest.raises(tree.UnsafePath):
        tree.open_folder(str(tmp_path / "first"))


def test_a_pipe_is_looked_at_without_waiting_for_its_writer(tmp_path):
    os.mkfifo(str(tmp_path / "pipe"))
    file = tree.open_file(str(tmp_path / "pipe"))
    assert stat.S_ISFIFO(os.fstat(file).st_mode)
    os.close(file)
