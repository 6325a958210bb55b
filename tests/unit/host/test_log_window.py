"""What a window holds is found by bisecting just as by reading everything."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tempfile
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from opslib.host.logs import window as log_window
from opslib.host.logs.files import LogFile, LogFiles, is_rotated
from opslib.host.logs.times import Clock
from opslib.host.logs.window import Window

NOW = 1767323045
SMALL = {"_PROBE": 64, "_NEAR": 128, "_FAR": 1024, "_BLOCK": 200, "_LONGEST": 4096}


def line(when, words):
    return time.strftime("%Y-%m-%d %H:%M:%S ", time.gmtime(when)).encode() + words + b"\n"


def look(path, since, until, hints=(b"ERROR",), limit=1 << 30, slack=60):
    found = []
    window = Window(
        Clock(NOW, 0), since, until, hints, lambda raw, when, _path: found.append((when, raw)), limit=limit, slack=slack
    )
    fd = os.open(str(path), os.O_RDONLY)
    try:
        status = os.fstat(fd)
        window.read(LogFile(path=str(path), fd=fd, size=status.st_size, modified=status.st_mtime))
    finally:
        os.close(fd)
    return window, found


@pytest.fixture
def small(monkeypatch):
    for name, value in SMALL.items():
        monkeypatch.setattr(log_window, name, value)


step = st.tuples(
    st.integers(0, 300),
    st.integers(-50, 50),
    st.sampled_from(
        [b"INFO fine", b"ERROR bad", b"INFO x\n  at ERROR\n  more", b"ERROR x\nTraceback\n  y\nE: ERROR", b""]
    ),
)


@settings(max_examples=150)
@given(st.lists(step, max_size=60), st.integers(0, 9000), st.integers(0, 9000), st.booleans())
@example([(100, 0, b"ERROR bad")] * 50, 2000, 2600, True)
def test_a_window_holds_what_a_full_reading_finds(steps, first, last, ended):
    """Lines are out of order by up to 50 seconds on either side of the running time; the slack is above 100."""
    when, entries = NOW - 10000, []
    for wait, off, words in steps:
        when += wait
        entries.append((when + off, line(when + off, words)))
    data = b"".join(raw for _when, raw in entries)
    since, until = NOW - 10000 + min(first, last), NOW - 10000 + max(first, last)
    wanted = [(float(when), raw) for when, raw in entries if b"ERROR" in raw and since <= when <= until]
    before = {name: getattr(log_window, name) for name in SMALL}
    try:
        for name, value in SMALL.items():
            setattr(log_window, name, value)
        with tempfile.NamedTemporaryFile() as file:
            file.write(data if ended else data[:-1])
            file.flush()
            found = look(file.name, since, until, slack=101)[1]
    finally:
        for name, value in before.items():
            setattr(log_window, name, value)
    assert [(when, raw.rstrip(b"\n")) for when, raw in found] == [(when, raw.rstrip(b"\n")) for when, raw in wanted]


def long_log(path, lines=200000, gap=12):
    with open(str(path), "wb") as file:
        for number in range(lines):
            words = b"ERROR bad %d" % number if number % 10 == 0 else b"INFO request %d took 12 ms" % number
            file.write(line(NOW - (lines - 1 - number) * gap, words))
    return path.stat().st_size


def test_little_is_read_of_a_long_log(tmp_path):
    path = tmp_path / "app.log"
    size = long_log(path)
    window, found = look(path, NOW - 3600, NOW)
    assert len(found) == 30
    assert window.bytes_read < size // 20
    assert window.newest == NOW
    assert window.lines_read < 3000


def test_a_window_that_ends_early_is_not_read_to_the_end(tmp_path):
    path = tmp_path / "app.log"
    size = long_log(path)
    window, found = look(path, NOW - 1203600, NOW - 1200000)
    assert len(found) == 30
    assert window.bytes_read < size // 10
    assert window.newest == NOW


def test_every_entry_without_hints(tmp_path, small):
    path = tmp_path / "app.log"
    path.write_bytes(b"".join(line(NOW - 100 + n, b"x\n more") for n in range(100)))
    assert len(look(path, NOW - 50, NOW, hints=())[1]) == 50


def test_holes_are_skipped(tmp_path):
    path = tmp_path / "app.log"
    with open(str(path), "wb") as file:
        file.write(line(NOW - 9000, b"ERROR old"))
        file.seek(1 << 30)
        file.write(b"\0" * 100 + line(NOW - 10, b"ERROR new"))
    window, found = look(path, NOW - 3600, NOW)
    assert [raw.split()[-1] for _when, raw in found] == [b"new"]
    assert window.bytes_read < 8 << 20


def test_a_file_without_times_is_not_read_through(tmp_path):
    path = tmp_path / "app.log"
    path.write_bytes(b"ERROR no time at all here\n" * 400000)
    window, found = look(path, NOW - 3600, NOW)
    assert (found, window.dated, window.newest) == ([], [], None)
    assert window.bytes_read < 9 << 20


def test_a_long_entry_between_others(tmp_path, small):
    path = tmp_path / "app.log"
    path.write_bytes(
        line(NOW - 50, b"INFO a") + line(NOW - 40, b"ERROR b" + b"\n  x" * 3000) + line(NOW - 30, b"ERROR c")
    )
    assert [raw[20:27] for _when, raw in look(path, NOW - 60, NOW)[1]] == [b"ERROR b", b"ERROR c"]


def test_a_limit_leaves_out_the_older_part(tmp_path):
    path = tmp_path / "app.log"
    long_log(path, 20000)
    window, found = look(path, NOW - 10000000, NOW, limit=100000)
    assert window.cut == [str(path)]
    assert found[-1][0] == NOW - 9 * 12
    assert 0 < len(found) < 2000


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.open), (".bz2", bz2.open), (".xz", lzma.open)])
def test_compressed_files_are_streamed(tmp_path, ending, pack):
    path = tmp_path / ("app.log" + ending)
    with pack(str(path), "wb") as file:
        for number in range(20000):
            file.write(line(NOW - 20000 + number, b"ERROR %d" % number))
    window, found = look(path, NOW - 100, NOW)
    assert len(found) == 100
    assert 0 < window.bytes_read <= path.stat().st_size
    path.write_bytes(path.read_bytes()[:-40])
    window, found = look(path, NOW - 20000, NOW)
    assert "damaged" in window.problems[0] or len(found) == 20000
    path.write_bytes(b"no archive at all")
    assert look(path, NOW - 100, NOW)[0].problems


# Which files


@pytest.mark.parametrize(
    ("name", "of", "rotated"),
    [
        ("app.log.1", "app.log", True),
        ("app.log.2.gz", "app.log", True),
        ("app.log-20260101", "app.log", True),
        ("app.log-20260101.gz", "app.log", True),
        ("app.log-20260101-0304.xz", "app.log", True),
        ("app.log.2026-01-01", "app.log", True),
        ("app-20260101.log", "app.log", True),
        ("app.1.log.bz2", "app.log", True),
        ("app.log", "app.log", False),
        ("app.log.bak", "app.log", False),
        ("app.log.gz", "app.log", False),
        ("app.logs.1", "app.log", False),
        ("app-error.log", "app.log", False),
        ("app2.log", "app.log", False),
        ("other.log.1", "app.log", False),
    ],
)
def test_rotated_neighbours(name, of, rotated):
    assert is_rotated(name, of) is rotated


def files(*paths, since=0):
    found = LogFiles(since)
    return [os.path.basename(file.path) for file in found.find([str(path) for path in paths])], found


def test_neighbours_are_found_once_and_only_young_ones(tmp_path):
    for name in ("app.log", "app.log.1", "app.log.2.gz", "app.log.3.gz", "app.log.bak", "b.log"):
        (tmp_path / name).write_bytes(b"x\n")
    os.utime(str(tmp_path / "app.log.3.gz"), (1000, 1000))
    os.utime(str(tmp_path / "app.log"), (1000, 1000))
    names = ["app.log", "app.log.1", "app.log.2.gz"]
    assert files(tmp_path / "app.log", since=5000)[0] == names
    assert files(tmp_path / "app.log*", tmp_path / "app.log", since=5000)[0] == [
        "app.log",
        "app.log.1",
        "app.log.2.gz",
        "app.log.bak",
    ]
    assert files(tmp_path, since=5000)[0] == ["app.log", "b.log", "app.log.1", "app.log.2.gz"]


def test_links_pipes_and_what_is_missing(tmp_path):
    outside = tmp_path / "secret"
    outside.write_bytes(b"x\n")
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "app.log").write_bytes(b"x\n")
    (logs / "app.log.1").symlink_to(outside)
    (logs / "current.log").symlink_to(logs / "app.log")
    os.mkfifo(str(logs / "app.log.2"))
    (logs / "a\n\x1b.log").write_bytes(b"x\n")
    assert files(logs / "app.log")[0] == ["app.log"]
    assert files(logs / "current.log")[0] == ["current.log"]
    assert sorted(files(logs / "*.log")[0]) == ["a\n\x1b.log", "app.log"]
    names, found = files(logs / "gone.log", logs / "*.txt", tmp_path / "no" / "*.log")
    assert names == []
    assert [words.split(" ", 1)[1] for words in found.missing] == [
        "does not exist",
        "matches nothing",
        "matches nothing",
    ]
