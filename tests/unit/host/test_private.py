"""Small files that are replaced in one step."""

from __future__ import annotations

import os

import pytest

from opslib.host.files import private


@pytest.fixture
def folder(tmp_path):
    opened = os.open(str(tmp_path), os.O_RDONLY | os.O_DIRECTORY)
    yield opened
    os.close(opened)


def test_a_file_comes_in_place_of_another_with_its_mode(folder, tmp_path):
    for text in ("one", "caf\udce9"):
        private.replace(folder, "file", text, 0o640)
    assert os.listdir(str(tmp_path)) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"caf\xe9"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_what_a_killed_run_left_is_in_nobodys_way(folder, tmp_path):
    (tmp_path / ("file" + private.ASIDE)).write_text("ha")
    private.replace(folder, "file", "whole", 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_link_is_replaced_and_not_followed(folder, tmp_path):
    (tmp_path / "other").write_text("other's")
    for name in ("file", "file" + private.ASIDE):
        (tmp_path / name).symlink_to("other")
    private.replace(folder, "file", "mine", 0o600)
    assert not (tmp_path / "file").is_symlink()
    assert (tmp_path / "other").read_text() == "other's"


def test_a_failure_half_way_leaves_what_was_there(folder, tmp_path, monkeypatch):
    private.replace(folder, "file", "before", 0o600)

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        private.replace(folder, "file", "after", 0o600)
    assert os.listdir(str(tmp_path)) == ["file"]
    assert (tmp_path / "file").read_text() == "before"
