"""Whether a file is open for writing is told by /proc, with who it is, and by the kernel's leases."""

from __future__ import annotations

import mmap
import os
import select

import pytest

from opslib.host.logs import writers

# Captured from /proc/PID/fdinfo of a log opened for appending, for reading, for both, and through O_PATH.
APPENDING = b"pos:\t0\nflags:\t0102001\nmnt_id:\t29\nino:\t2229285\n"
READING = b"pos:\t5120\nflags:\t0100000\nmnt_id:\t29\nino:\t2229285\n"
BOTH = (
    b"pos:\t0\nflags:\t02100002\nmnt_id:\t29\nino:\t2229285\nlock:\t1: FLOCK  ADVISORY  WRITE 17 00:1d:2229285 0 EOF\n"
)
NAMED = b"pos:\t0\nflags:\t010000000\nmnt_id:\t29\n"


@pytest.mark.parametrize(
    ("text", "answer"),
    [(APPENDING, True), (BOTH, True), (READING, False), (NAMED, False), (b"", False), (b"x\n", False)],
)
def test_what_the_flags_of_a_descriptor_say(text, answer):
    assert writers.writable(text) is answer


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "app.log.1"
    path.write_bytes(b"line\n")
    return path


def inode(path):
    status = path.stat()
    return status.st_dev, status.st_ino


def scan(path, names=("app.log.1",)):
    return writers.scan({inode(path)}, names)


def test_a_writer_is_named_and_a_reader_is_told_from_it(log):
    assert not scan(log).writers and not scan(log).readers
    with log.open("rb"):
        assert (scan(log).writers, scan(log).readers) == ({}, {inode(log)})
        with log.open("ab"):
            found = scan(log)
    assert found.readers == set()
    assert found.writers[inode(log)].endswith("[%d]" % os.getpid())


def test_another_name_of_the_file_is_found_when_names_are_not_given(log, tmp_path):
    os.link(str(log), str(tmp_path / "other"))
    with (tmp_path / "other").open("ab"):
        assert not scan(log).writers
        assert scan(log, None).writers


def test_who_is_not_root_is_blind(log, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert scan(log).blind


def test_a_process_that_hides_its_files_makes_blind(log, monkeypatch):
    def listdir(path, real=os.listdir):
        if path == "/proc/%d/fd" % os.getpid():
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    assert scan(log).blind


def test_a_lease_is_granted_only_while_nobody_can_write(log):
    fd = os.open(str(log), os.O_RDONLY)
    try:
        assert writers.lease(fd) == writers.FREE
        writers.release(fd)
        with log.open("rb"):
            assert writers.lease(fd) == writers.FREE
            writers.release(fd)
        with log.open("ab"):
            assert writers.lease(fd) == writers.WRITTEN
        with log.open("r+b") as file:
            mapped = mmap.mmap(file.fileno(), 5)
        assert writers.lease(fd) == writers.WRITTEN
        mapped.close()
    finally:
        os.close(fd)


def test_where_there_are_no_leases_nothing_is_claimed():
    reader, writer = os.pipe()
    assert writers.lease(reader) == writers.UNKNOWN
    writers.release(reader)
    os.close(reader)
    os.close(writer)


def test_who_wants_to_write_waits_for_the_lease_and_does_us_no_harm(log):
    fd = os.open(str(log), os.O_RDONLY)
    assert writers.lease(fd) == writers.FREE
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(fd)
            os.write(told, b"1")
            with log.open("ab"):
                os.write(told, b"2")
        finally:
            os._exit(0)
    assert os.read(ready, 1) == b"1"
    assert not select.select([ready], [], [], 0.1)[0]
    os.close(fd)
    assert os.read(ready, 1) == b"2"
    os.waitpid(pid, 0)
    os.close(ready)
    os.close(told)  # we are still here: SIGIO would have ended this process
