"""Text from outside: nothing in it acts on a terminal, hides, or gets lost."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opslib.output.names import compact, listed
from opslib.output.text import duration, shorten, visible, visible_lines, width

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("plain text, 100%", "plain text, 100%"),
        ("Größe: 5 µs, 日本語", "Größe: 5 µs, 日本語"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("\x9b31m", "\\x9b31m"),
        ("evil\u202etxt.exe", "evil\\u202etxt.exe"),
        ("\u2066hidden\u2069", "\\u2066hidden\\u2069"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("two\u2028lines", "two\\u2028lines"),
        ("\U000e0041tag", "\\U000e0041tag"),
        ("not utf-8: \udcff", "not utf-8: \\xff"),
        ("\ud83d alone", "\\ud83d alone"),
        ("NUL\0", "NUL\\x00"),
        ("\u0301first", "\\u0301first"),
        ("Z" + "\u0301" * 6, "Z" + "\u0301" * 4 + "\\u0301" * 2),
        ("[bold]no markup[/bold] :smile:", "[bold]no markup[/bold] :smile:"),
    ],
)
def test_visible(hostile: str, shown: str) -> None:
    assert visible(hostile) == shown


@given(ANY_TEXT)
def test_visible_text_holds_nothing_that_acts(text: str) -> None:
    shown = visible(text)
    assert not any(unicodedata.category(char)[0] == "C" or char in "\u2028\u2029" for char in shown)
    shown.encode("utf-8")


@given(ANY_TEXT)
def test_visible_is_idempotent(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs"))))
def test_visible_keeps_what_is_harmless(text: str) -> None:
    assert visible(text) == text


@given(ANY_TEXT)
def test_lines_are_visible_and_none_is_lost(text: str) -> None:
    lines = visible_lines(text)
    assert len(lines) == text.replace("\r\n", "\n").removesuffix("\n").count("\n") + 1
    assert all(visible(line) == line for line in lines)


def test_lines_expand_tabs_and_take_both_line_breaks() -> None:
    assert visible_lines("a\tb\r\n\nc\rd\n") == ["a   b", "", "c\\rd"]


@given(ANY_TEXT, st.integers(0, 40))
def test_shorten_keeps_the_limit(text: str, limit: int) -> None:
    assert len(shorten(text, limit)) <= max(limit, 3)


@pytest.mark.parametrize(("text", "columns"), [("", 0), ("abc", 3), ("日本", 4), ("e\u0301", 1), ("ä", 1)])
def test_width(text: str, columns: int) -> None:
    assert width(text) == columns


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.00 s"),
        (0.049, "0.05 s"),
        (1.0, "1.0 s"),
        (9.94, "9.9 s"),
        (42.4, "42 s"),
        (125, "2 min 5 s"),
        (3780, "1 h 3 min"),
        (-1, "0 s"),
        (float("nan"), "0 s"),
        (float("inf"), "277777 h 46 min"),
    ],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([], []),
        (["web1"], ["web1"]),
        (["web1", "web2"], ["web1", "web2"]),
        (["web1", "web2", "web3"], ["web1..web3"]),
        (["web1", "web2", "web3", "web5", "db"], ["web1..web3", "web5", "db"]),
        (["web08", "web09", "web10"], ["web08..web10"]),
        (["web8", "web9", "web10"], ["web8..web10"]),
        (["web09", "web010", "web011"], ["web09", "web010", "web011"]),
        (["web3", "web2", "web1"], ["web3", "web2", "web1"]),
        (["a1.example", "a2.example", "a3.example"], ["a1.example..a3.example"]),
        (["a1.x", "a2.y", "a3.x"], ["a1.x", "a2.y", "a3.x"]),
        (["10.0.0.9", "10.0.0.10", "10.0.0.11"], ["10.0.0.9..10.0.0.11"]),
        (["evil\x1b[2J"], ["evil\\x1b[2J"]),
    ],
)
def test_compact(names: list[str], words: list[str]) -> None:
    assert compact(names) == words


def test_listed_says_how_many_more() -> None:
    names = ["web1", "web2", "web3", "db1", "x", "y", "z"]
    assert listed(names) == "web1..web3, db1, x, y, z"
    assert listed(names, 2) == "web1..web3, db1 and 3 more"
    assert listed(names, None) == listed(names)
    assert listed(["a", "b"], 0) == "2 hosts"


@given(st.lists(st.text(min_size=1), unique=True), st.integers(0, 5))
def test_listed_counts_every_name_once(names: list[str], most: int) -> None:
    words = listed(names, most)
    assert bool(words) == bool(names)
    assert visible(words) == words
