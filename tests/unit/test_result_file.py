"""Result files: whole or untouched, private, and never where they should not be."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from opslib.errors import UsageError
from opslib.result_file import ResultFile


def test_a_new_file_is_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        file = ResultFile(str(tmp_path / "r"), "--json")
        assert list(tmp_path.iterdir()) == []
        file.write("text ä\n")
    finally:
        os.umask(old)
    assert (tmp_path / "r").read_text("utf-8") == "text ä\n"
    assert stat.S_IMODE((tmp_path / "r").stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [tmp_path / "r"]


def test_a_link_keeps_pointing(tmp_path: Path) -> None:
    place = tmp_path / "deep"
    place.mkdir()
    (tmp_path / "link").symlink_to(place / "real")
    ResultFile(str(tmp_path / "link"), "--json").write("x")
    assert (tmp_path / "link").is_symlink()
    assert (place / "real").read_text() == "x"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "r").write_text("old")
    file = ResultFile(str(tmp_path / "r"), "--json")

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        file.write("new")
    assert (tmp_path / "r").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "r"]


def test_a_pipe_is_written_to_directly(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_text()))
    reader.start()
    ResultFile(str(tmp_path / "pipe"), "--json").write("through")
    reader.join(10)
    assert got == ["through"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_pipe_without_a_name_is_written_to() -> None:
    """`--json >(jq ...)` and `--json /dev/stdout | jq ...`."""
    reader, writer = os.pipe()
    with os.fdopen(reader) as stream:
        ResultFile(f"/dev/fd/{writer}", "--json").write("through")
        os.close(writer)
        assert stream.read() == "through"


def test_surrogates_do_not_stop_it(tmp_path: Path) -> None:
    ResultFile(str(tmp_path / "r"), "--json").write("a\udcffb")
    assert (tmp_path / "r").read_text() == "a\\udcffb"


@pytest.mark.parametrize("path", ["", "a\0b", "/", "/no/such/folder/file", "/dev/null/file", "x" * 5000])
def test_what_cannot_be_written_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match="--junit"):
        ResultFile(path, "--junit")
