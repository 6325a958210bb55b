"""What Ansible says of its own plugins is parsed once, and never believed when others could have written it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from opslib.engines.ansible_core import routing

BUILTIN = ("ansible.builtin", "runtime.yml")
TEXT = b"plugin_routing: {modules: {old: {redirect: some.where.new}}}\nversion: 1.20\n"
MEANING = {"plugin_routing": {"modules": {"old": {"redirect": "some.where.new"}}}, "version": "1.20"}


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """Give the texts that Ansible was asked to parse; the home is a folder of the test's."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    texts: list[Any] = []
    parse = routing._meta_yml_to_dict
    monkeypatch.setattr(routing, "_meta_yml_to_dict", lambda text, name: (texts.append(text), parse(text, name))[1])
    return texts


def kept(home: Path) -> list[Path]:
    """Return all files below the home."""
    return [path for path in home.rglob("*") if not path.is_dir()]


def test_the_same_text_is_parsed_once(parsed: list[Any], tmp_path: Path) -> None:
    assert [routing.read(text, BUILTIN) for text in (TEXT, TEXT, TEXT.decode())] == [MEANING] * 3
    assert parsed == [TEXT]
    (file,) = kept(tmp_path / ".cache/opslib")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_another_text_is_another_matter(parsed: list[Any]) -> None:
    routing.read(TEXT, BUILTIN)
    assert routing.read(b"version: 2", BUILTIN) == {"version": "2"}
    assert len(parsed) == 2


def test_other_collections_are_left_to_ansible(parsed: list[Any], tmp_path: Path) -> None:
    assert routing.read(TEXT, ("mine.own", "runtime.yml")) == MEANING
    assert kept(tmp_path) == []


def damaged(file: Path) -> None:
    file.write_text("{")


def no_mapping(file: Path) -> None:
    file.write_text("[]")


def writable_by_others(file: Path) -> None:
    file.chmod(0o666)


def a_link(file: Path) -> None:
    file.rename(file.with_suffix(".other"))
    file.symlink_to(file.with_suffix(".other"))


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize("harm", [damaged, no_mapping, writable_by_others, a_link, a_pipe])
def test_what_cannot_be_trusted_is_parsed_and_written_anew(parsed: list[Any], tmp_path: Path, harm: Any) -> None:
    routing.read(TEXT, BUILTIN)
    (file,) = kept(tmp_path)
    harm(file)
    assert routing.read(TEXT, BUILTIN) == MEANING
    assert len(parsed) == 2
    assert routing.read(TEXT, BUILTIN) == MEANING
    assert len(parsed) == 2
    assert file.is_file() and not file.is_symlink() and stat.S_IMODE(file.stat().st_mode) == 0o600


def test_without_a_home_nothing_is_made(parsed: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    assert routing.read(TEXT, BUILTIN) == MEANING
    assert not (tmp_path / "nobody").exists()


def test_a_folder_that_cannot_be_made_is_no_error(parsed: list[Any], tmp_path: Path) -> None:
    (tmp_path / ".cache").write_text("a file")
    assert routing.read(TEXT, BUILTIN) == MEANING
    assert (tmp_path / ".cache").read_text() == "a file"
