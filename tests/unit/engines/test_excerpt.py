"""Cutting plays out of a playbook without touching what they say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from opslib.engines import excerpt
from opslib.engines.work import Play
from opslib.errors import PlaybookError

THREE = """\
# all of them
---
- name: one   # line 3
  hosts: web
  vars:
    secret: !vault |
      $ANSIBLE_VAULT;1.1;AES256
      3162
  tasks:
    - debug: msg="{{ one }}"

# about two
-
  # still about two
  name: two   # line 15
  hosts: db
  tasks:
    - debug: msg=two
- {name: three, hosts: all}   # line 19
...
"""


def play(path: Path, line: int, name: str = "p") -> Play:
    """Return a play that begins in this line."""
    return Play(index=0, name=name, source=path, line=line, hosts=("a",), batches=(("a",),))


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Return a playbook with neighbours."""
    above = tmp_path / "repo"
    folder = above / "books"
    folder.mkdir(parents=True)
    (above / "files").mkdir()
    (folder / "roles").mkdir()
    path = folder / "site.yml"
    path.write_text(THREE)
    return path


def cut(book: Path, lines: list[int], end_mark: str = "", before: dict[str, object] | None = None) -> str:
    """Cut plays out and return the text."""
    with excerpt.beside(book, [play(book, line) for line in lines], before=before, end_mark=end_mark) as path:
        return path.read_text()


@pytest.mark.parametrize(
    ("lines", "names"),
    [([3], ["one"]), ([15], ["two"]), ([19], ["three"]), ([3, 19], ["one", "three"]), ([3, 15, 19], 3)],
)
def test_only_these_plays_are_left(book: Path, lines: list[int], names: object) -> None:
    text = cut(book, lines)
    found = [dict(item)["name"] for item in yaml.load(text.replace("!vault", ""), yaml.SafeLoader)]
    assert found == (["one", "two", "three"] if names == 3 else names)


def test_text_and_line_numbers_survive(book: Path) -> None:
    kept = cut(book, [3, 19]).splitlines()
    before = THREE.splitlines()
    assert kept[2:12] == before[2:12]
    assert kept[18] == before[18]
    assert set(kept[12:18]) == {"#"}


def test_end_mark_comes_last(book: Path) -> None:
    text = cut(book, [19], end_mark="the-end")
    assert [item["name"] for item in yaml.safe_load(text)] == ["three", "the-end"]


def test_a_play_before_the_others_stands_where_the_first_stood(book: Path) -> None:
    kept = cut(book, [19], before={"name": "before", "hosts": ["a"]}).splitlines()
    assert [item["name"] for item in yaml.safe_load("\n".join(kept))] == ["before", "three"]
    assert kept[18] == THREE.splitlines()[18]
    assert [item["name"] for item in yaml.safe_load(cut(book, [3], before={"name": "x"}).replace("!vault", ""))] == [
        "x",
        "one",
    ]


def test_end_mark_is_indented_as_the_list_is(book: Path) -> None:
    book.write_text("  - name: one\n    hosts: a\n  - name: two\n    hosts: b\n")
    text = cut(book, [3], end_mark="the-end")
    assert [item["name"] for item in yaml.safe_load(text)] == ["two", "the-end"]


def test_text_that_keeps_its_empty_lines_gets_no_more_of_them(book: Path) -> None:
    book.write_text("- name: one\n  hosts: a\n  vars:\n    x: |+\n      text\n\n- name: two\n  hosts: b\n")
    text = cut(book, [1], end_mark="the-end")
    assert yaml.safe_load(text)[0]["vars"] == {"x": "text\n\n"}


def test_it_stands_beside_the_original_for_a_while_and_for_us_alone(
    book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with excerpt.beside(book, [play(book, 3)]) as path:
        assert path.parent == book.parent
        assert path.stat().st_mode & 0o777 == 0o600
    with excerpt.beside(book, [play(book, 3)]) as read:
        read.unlink()
    assert sorted(each.name for each in book.parent.iterdir()) == ["roles", "site.yml"]
    monkeypatch.setattr(os, "access", lambda place, _mode: place != book.parent)
    assert str(excerpt.obstacle(book, [play(book, 3)])).startswith(f"in {book.parent} no file can be made")


def test_anchor_of_another_play(book: Path) -> None:
    book.write_text("- name: one\n  hosts: a\n  vars: &v {x: 1}\n- name: two\n  hosts: b\n  vars: *v\n")
    assert excerpt.obstacle(book, [play(book, 4)]) == "the play in line 4 uses a YAML anchor of the play in line 1"
    assert excerpt.obstacle(book, [play(book, 1)]) is None
    assert excerpt.obstacle(book, [play(book, 1), play(book, 4)]) is None
    with pytest.raises(PlaybookError, match="cannot be run apart"):
        cut(book, [4])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[{hosts: a}, {hosts: b}]", "not a list of plays"),
        ("hosts: a", "not a list of plays"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6162", "not a list of plays"),
        ("", "not a list of plays"),
        ("- hosts: a\n---\n- hosts: b\n", "not a list of plays"),
        ("\n- hosts: a\n", "no play begins in line 1"),
    ],
)
def test_other_obstacles(book: Path, text: str, words: str) -> None:
    book.write_text(text)
    assert words in str(excerpt.obstacle(book, [play(book, 1)]))


def test_imported_play(book: Path) -> None:
    other = play(book.parent / "other.yml", 1, "theirs")
    assert "by import_playbook" in str(excerpt.obstacle(book, [other]))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"- {", b"- \x00"])
def test_no_text(book: Path, content: bytes) -> None:
    book.write_bytes(content)
    with pytest.raises(PlaybookError, match="no YAML text"):
        excerpt.obstacle(book, [play(book, 1)])


def test_missing(tmp_path: Path) -> None:
    gone = tmp_path / "gone.yml"
    with pytest.raises(PlaybookError, match="No such file"):
        excerpt.obstacle(gone, [play(gone, 1)])


def test_odd_line_ends(book: Path) -> None:
    """YAML ends lines where Python's splitlines does, but not everywhere else it does."""
    book.write_bytes("- name: 'one\u2028'\r\n  hosts: 'a\x85'\r\n- name: two\r\n  hosts: b # \ufeff\r\n".encode())
    text = cut(book, [5])
    assert yaml.safe_load(text) == [{"name": "two", "hosts": "b"}]
