"""An archive counts only when it holds what went in; its index tells what that was."""

from __future__ import annotations

import io
import os
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.files.found import Found
from opslib.host.logs import archive as log_archive
from opslib.host.logs import index as log_index
from opslib.host.logs import store as log_store
from opslib.host.logs.index import Member
from opslib.host.task import TaskError

NAME = "logs-20250131-040500.tar.gz"
PATHS = st.binary(min_size=1, max_size=30).filter(lambda name: b"\0" not in name).map(os.fsdecode)


class Status:
    st_dev, st_ino, st_size, st_mtime_ns, st_ctime_ns, st_nlink, st_blocks, st_uid = 1, 2, 3, 4, 5, 1, 8, 0


@pytest.mark.parametrize(
    ("now", "taken", "name"),
    [
        (1738296300, [], NAME),
        (1738296300.9, [], NAME),
        (1738296300, [NAME], "logs-20250131-040501.tar.gz"),
        (1738296300, [NAME, "logs-20250131-040501.tar.gz"], "logs-20250131-040502.tar.gz"),
        (0, [], "logs-19700101-000000.tar.gz"),
    ],
)
def test_an_archive_is_named_by_its_time_and_never_like_another(now, taken, name):
    assert log_store.name_for(now, taken) == name


@pytest.mark.parametrize("ending", ["", ".partial", ".index", ".index.partial"])
def test_our_names_are_known(ending):
    assert log_store.is_ours(NAME + ending)


@pytest.mark.parametrize(
    "name",
    [
        "logs-.tar.gz",
        "logs-20250131-040500.tar",
        "logs-20250131_040500.tar.gz",
        "xlogs-20250131-040500.tar.gz",
        "a.partial",
    ]
    + ["logs-2025013\u0661-040500.tar.gz", NAME + ".bak", NAME + ".partial.index", "", "logs-20250131-0405000.tar.gz"],
)
def test_other_names_are_not_ours(name):
    assert not log_store.is_ours(name)


@given(st.lists(PATHS, max_size=5), st.text("0123456789abcdef", min_size=64, max_size=64))
def test_what_is_written_to_an_index_is_read_from_it(paths, digest):
    lines = b"".join(log_index.entry(Found(path, Status), digest) for path in paths)
    assert list(log_index.entries(io.BytesIO(lines), NAME)) == [
        ((2, 3, 4), Member(archive=NAME, name=log_index.member_name(path), digest=digest)) for path in paths
    ]


@given(st.binary(max_size=200))
def test_an_index_that_makes_no_sense_does_no_harm(noise):
    for key, member in log_index.entries([noise, b"a" * 64 + b" 1 2 3 " + noise.replace(b"\n", b"")], NAME):
        assert len(key) == 3 and isinstance(member, Member)


@pytest.fixture
def place(tmp_path):
    """Descriptors of a root with two logs and of an archive folder."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "arc").mkdir()
    for name, content in (("a.log.1", b"a" * 300000), ("b.log.1", b"")):
        (tmp_path / "logs" / name).write_bytes(content)
    root, folder = (os.open(str(tmp_path / name), os.O_RDONLY) for name in ("logs", "arc"))
    yield root, folder
    os.close(root)
    os.close(folder)


def found(root):
    return [Found(name, os.stat(name, dir_fd=root)) for name in sorted(os.listdir(root))]


def test_an_archive_holds_what_went_in(place, tmp_path):
    root, folder = place
    done, length = log_archive.write(folder, NAME, root, found(root), 0)
    assert sorted(done) == ["a.log.1", "b.log.1"] and length == os.stat(NAME, dir_fd=folder).st_size
    assert log_archive.digests(folder, NAME, ["a.log.1", "none"]) == {"a.log.1": done["a.log.1"]}
    with tarfile.open(str(tmp_path / "arc" / NAME)) as tar:
        assert tar.getnames() == ["a.log.1", "b.log.1"]
        assert tar.getmember("a.log.1").mtime == int(os.stat("a.log.1", dir_fd=root).st_mtime)
    store = log_store.look(str(tmp_path / "arc"))
    assert (store.archives, store.indexes, store.leftovers) == ([NAME], [(NAME + ".index", NAME)], [])
    keys = {file.key: file.path for file in found(root)}
    known = log_index.known(folder, store.indexes, keys)
    assert {keys[key]: (member.archive, member.digest) for key, member in known.items()} == {
        path: (NAME, digest) for path, digest in done.items()
    }


def test_no_archive_replaces_another(place):
    root, folder = place
    log_archive.write(folder, NAME, root, found(root), 0)
    size = os.stat(NAME, dir_fd=folder).st_size
    with pytest.raises(TaskError, match="there is an archive .* already"):
        log_archive.write(folder, NAME, root, found(root)[:1], 0)
    assert os.stat(NAME, dir_fd=folder).st_size == size


def test_a_run_that_finds_every_file_changed_leaves_no_archive(place):
    root, folder = place
    files = found(root)
    for file in files:
        os.utime(file.path, (0, 0), dir_fd=root)
    assert log_archive.write(folder, NAME, root, files, 0) == ({}, 0)
    assert os.listdir(folder) == []


def damage(fd, at, data):
    end = os.lseek(fd, 0, os.SEEK_END)
    os.pwrite(fd, data, end + at if at < 0 else at)


@pytest.mark.parametrize(
    "harm",
    [
        lambda fd: os.ftruncate(fd, os.fstat(fd).st_size - 4),
        lambda fd: os.ftruncate(fd, 0),
        lambda fd: damage(fd, -8, b"\0\0\0\0"),
        lambda fd: damage(fd, 0, b"nogz"),
        lambda fd: damage(fd, 60, b"\xff\xff\xff\xff"),
    ],
)
def test_an_archive_that_reached_the_disk_damaged_is_found_out(place, monkeypatch, harm):
    root, folder = place
    real = os.posix_fadvise

    def advise(fd, *words):
        harm(fd)
        return real(fd, *words)

    monkeypatch.setattr(os, "posix_fadvise", advise)
    with pytest.raises(TaskError, match="cannot be read back|does not hold what went in"):
        log_archive.write(folder, NAME, root, found(root), 0)
    assert os.listdir(folder) == []


@pytest.mark.parametrize("change", ["content", "missing", "more", "twice"])
def test_an_archive_that_holds_something_else_is_found_out(place, monkeypatch, change):
    root, folder = place
    real = log_archive._members

    def members(fd, archive):
        told = list(real(fd, archive))
        if change == "content":
            told[0] = (told[0][0], told[0][1], "0" * 64)
        elif change == "missing":
            told.pop()
        else:
            told.append(told[0] if change == "twice" else ("c.log.1", 0, told[1][2]))
        return iter(told)

    monkeypatch.setattr(log_archive, "_members", members)
    with pytest.raises(TaskError, match="does not hold what went in"):
        log_archive.write(folder, NAME, root, found(root), 0)
    assert os.listdir(folder) == []


def test_an_index_of_a_run_killed_between_two_names_is_believed(place, tmp_path):
    root, folder = place
    log_archive.write(folder, NAME, root, found(root), 0)
    os.rename(NAME + ".index", NAME + ".index.partial", src_dir_fd=folder, dst_dir_fd=folder)
    store = log_store.look(str(tmp_path / "arc"))
    assert (store.indexes, store.leftovers) == ([(NAME + ".index.partial", NAME)], [])
    assert len(log_index.known(folder, store.indexes, {file.key for file in found(root)})) == 2


def test_an_index_that_is_a_link_or_of_someone_else_is_not_believed(place, tmp_path, monkeypatch):
    root, folder = place
    log_archive.write(folder, NAME, root, found(root), 0)
    keys = {file.key for file in found(root)}
    if os.geteuid() == 0:
        os.chown(NAME + ".index", 12345, 0, dir_fd=folder)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert log_index.known(folder, [(NAME + ".index", NAME)], keys) == {}
    os.rename(str(tmp_path / "arc" / (NAME + ".index")), str(tmp_path / "elsewhere"))
    os.symlink(str(tmp_path / "elsewhere"), str(tmp_path / "arc" / (NAME + ".index")))
    assert log_index.known(folder, [(NAME + ".index", NAME)], keys) == {}


def test_the_folder_that_is_missing_is_told_from_one_that_cannot_be_made(tmp_path):
    store = log_store.look(str(tmp_path / "arc"))
    assert (store.identity, store.problem, store.free_bytes > 0) == (None, "", True)
    assert "cannot be used" in log_store.look(str(tmp_path / "none/arc")).problem
    (tmp_path / "file").write_text("")
    assert "cannot be used" in log_store.look(str(tmp_path / "file")).problem
