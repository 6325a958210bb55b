"""The mount table is read as the kernel means it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.host.files import mounts

DATA = Path(__file__).parent / "data"
BINDS = mounts.parse((DATA / "mountinfo_binds.txt").read_text())
NSPAWN = mounts.parse((DATA / "mountinfo_nspawn.txt").read_text())


def line(point, fstype="ext4", source="/dev/sda1", device="8:1", root="/", number=2, parent=1, options="rw"):
    return "%d %d %s %s %s %s - %s %s rw" % (number, parent, device, root, point, options, fstype, source)


def chosen(*lines):
    return [group[0].point for group in mounts.real(mounts.parse("\n".join(lines)))]


def test_every_line_of_a_real_table_is_read():
    lines = (DATA / "mountinfo_binds.txt").read_text().splitlines()
    assert len(BINDS) == len(lines)
    root = BINDS[0]
    assert (root.point, root.fstype, root.source, root.device) == ("/", "ext4", "/dev/vda", "254:0")
    assert list(root.options) == ["rw", "relatime"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("with\\040space", "with space"),
        ("tab\\011bs\\134x", "tab\tbs\\x"),
        ("new\\012line\\043", "new\nline#"),
        ("plain", "plain"),
        ("\\", "\\"),
        ("a\\9", "a\\9"),
        ("\\04", "\\04"),
        ("\\134040", "\\040"),
    ],
)
def test_escapes_are_decoded_once(word, meant):
    assert mounts.unescape(word) == meant


@given(st.text(st.characters(blacklist_characters="\0"), max_size=30))
def test_a_name_comes_back_as_it_was(name):
    escaped = "".join("\\%03o" % ord(c) if c in " \t\n\\#" else c for c in name)
    assert mounts.unescape(escaped) == name


@given(st.text(max_size=400))
def test_any_text_is_survived(text):
    table = mounts.parse(text)
    mounts.real(table)
    mounts.holding(text, mounts.on_top(table))


def test_file_systems_that_hold_data_are_counted_once():
    assert [group[0].point for group in mounts.real(BINDS)] == ["/", "/srv/try/a/ext"]
    assert [[mount.point for mount in group] for group in mounts.real(BINDS)][0] == [
        "/",
        "/run/netns",
        "/srv/try/f",
    ]


def test_a_container_sees_its_root_and_not_what_its_manager_lends():
    assert [group[0].point for group in mounts.real(NSPAWN)] == ["/"]


@pytest.mark.parametrize(
    ("path", "point"),
    [
        ("/", "/"),
        ("/etc/passwd", "/"),
        ("/srv/try/a", "/srv/try/a"),
        ("/srv/try/a/ext/deep/er", "/srv/try/a/ext"),
        ("/srv/try/able", "/"),
        ("/srv/try/with space/x", "/srv/try/with space"),
        ("/dev/shm", "/dev/shm"),
    ],
)
def test_a_path_lies_on_the_nearest_mount(path, point):
    assert mounts.holding(path, mounts.on_top(BINDS)).point == point


def test_a_covered_mount_is_not_seen():
    inner = mounts.holding("/srv/try/over/in", mounts.on_top(BINDS))
    assert inner.source == "inner"
    assert [mount.source for mount in BINDS if mount.point == "/srv/try/over/in"] == ["hidden1", "inner"]


@pytest.mark.parametrize(
    ("fstype", "source", "counted"),
    [
        ("ext4", "/dev/sda1", True),
        ("nfs4", "server:/export", True),
        ("fuse.sshfs", "me@host:/", True),
        ("zfs", "pool/data", True),
        ("virtiofs", "share", True),
        ("squashfs", "/dev/loop3", False),
        ("iso9660", "/dev/sr0", False),
        ("tmpfs", "tmpfs", False),
        ("overlay", "overlay", False),
        ("autofs", "systemd-1", False),
        ("cgroup2", "cgroup2", False),
        ("fuse.lxcfs", "lxcfs", False),
    ],
)
def test_kinds(fstype, source, counted):
    assert chosen(line("/data", fstype, source)) == (["/data"] if counted else [])


def test_the_root_counts_whatever_it_is_and_so_does_a_tmpfs_for_temporary_files():
    assert chosen(line("/", "overlay", "overlay", "0:30")) == ["/"]
    assert chosen(line("/tmp", "tmpfs", "tmpfs", "0:30")) == ["/tmp"]


def test_the_most_telling_mount_stands_for_a_file_system():
    part = line("/a", root="/sub", number=3)
    locked = line("/b", options="ro,relatime", number=4)
    longer = line("/data/long", number=5)
    assert chosen(part, locked, longer) == ["/data/long"]
    assert chosen(part, locked) == ["/b"]


def test_a_mount_point_that_was_removed_is_left_out():
    assert chosen(line("/gone//deleted")) == []


def test_the_first_root_of_a_machine_may_be_its_own_parent():
    table = mounts.parse(line("/", "rootfs", "rootfs", "0:2", number=1) + "\n" + line("/", number=2, parent=1))
    assert mounts.holding("/x", mounts.on_top(table)).fstype == "ext4"


def test_a_table_that_goes_round_in_circles_ends():
    rows = [line("/", number=1, parent=0), line("/", number=2, parent=1), line("/", number=1, parent=2)]
    assert mounts.holding("/x", mounts.on_top(mounts.parse("\n".join(rows)))) is None


@pytest.mark.parametrize(
    ("lines", "points"),
    [
        (["/ ext4", "/var xfs", "/proc proc"], {"/", "/var"}),
        (["/ overlay", "/mnt nfs4", "/mnt/disk ext4", "/mnt2 ext4"], {"/", "/mnt2"}),
        (["/ nfs", "/var ext4"], set()),
        (["/ ext4", "/data ext4", "/data fuse.sshfs"], {"/"}),
    ],
)
def test_mount_points_that_answer_at_once(lines, points):
    """Local file systems with local ones only above them, and nothing else in their place."""
    rows = ["%d 1 8:%d / %s rw - %s x rw" % (n + 2, n, *line.split()) for n, line in enumerate(lines)]
    assert mounts.quick(mounts.parse("\n".join(rows))) == points
