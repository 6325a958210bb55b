"""Screens: colour and wrapping on a terminal, plain lines elsewhere, and no trouble with closed pipes."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pytest

from opslib.cli.screen import Screen
from opslib.output.lines import line

HOSTILE = "\x1b[2J \x07 \u202e [bold]x[/bold] :smile:"


class Terminal(io.StringIO):
    """A stream that says it is a terminal of 40 columns."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _forty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("terminal", "choice", "environ", "live", "color"),
    [
        (True, "auto", {"TERM": "xterm"}, True, True),
        (True, "auto", {"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        (True, "auto", {"TERM": "xterm", "NO_COLOR": ""}, True, True),
        (True, "auto", {"TERM": "dumb"}, False, False),
        (True, "auto", {}, False, False),
        (True, "never", {"TERM": "xterm"}, True, False),
        (False, "auto", {"TERM": "xterm"}, False, False),
        (False, "always", {"TERM": "xterm", "NO_COLOR": "1"}, False, True),
    ],
)
def test_when_it_is_live_and_in_colour(
    terminal: bool, choice: str, environ: dict[str, str], live: bool, color: bool
) -> None:
    screen = Screen(Terminal() if terminal else io.StringIO(), choice, environ)  # type: ignore[arg-type]
    assert (screen.live, screen.color) == (live, color)


def test_plain_lines_are_not_wrapped_and_need_no_rich() -> None:
    out = io.StringIO()
    screen = Screen(out)
    screen.print(line(("a" * 50, "failed"), " ", "b" * 50), HOSTILE)
    assert out.getvalue() == "a" * 50 + " " + "b" * 50 + "\n\\x1b[2J \\x07 \\u202e [bold]x[/bold] :smile:\n"


def shown(*rows: object, term: str = "xterm", **environ: str) -> str:
    out = Terminal()
    Screen(out, environ={"TERM": term, **environ}).print(*rows)  # type: ignore[arg-type]
    return out.getvalue()


def test_a_terminal_gets_colours_but_no_markup_of_ours_or_theirs() -> None:
    text = shown(line(("bad", "failed"), f" {HOSTILE}"))
    assert "\x1b[1;31mbad\x1b[0m" in text
    rest = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert rest == "bad \\x1b[2J \\x07 \\u202e [bold]x[/bold]\n:smile:\n"


def test_long_lines_hang() -> None:
    text = shown(line("  name  ", "one two three four five six seven eight nine ten eleven", hang=8), NO_COLOR="1")
    assert text.splitlines() == [
        "  name  one two three four five six",
        "        seven eight nine ten eleven",
    ]
    assert "\x1b" not in text


def test_words_longer_than_a_line_are_folded_and_nothing_is_lost() -> None:
    word = "0123456789" * 12
    text = shown(line("name: ", word, hang=6), NO_COLOR="1")
    assert all(len(row) <= 40 for row in text.splitlines())
    assert "".join(text.split()).removeprefix("name:") == word


def test_wide_characters_are_wrapped_by_columns() -> None:
    text = shown(line("日本語" * 20, hang=2), NO_COLOR="1")
    assert all(2 * len(row.strip()) + 2 <= 40 or not row.startswith(" ") for row in text.splitlines())
    assert "".join(text.split()) == "日本語" * 20


def test_a_hang_wider_than_half_the_screen_gives_way() -> None:
    text = shown(line("x" * 38, " and more words that follow it here", hang=38), NO_COLOR="1")
    assert all(len(row) <= 40 for row in text.splitlines())


def test_a_closed_stream_is_no_trouble() -> None:
    screen = Screen(None)
    screen.print("text")
    assert screen.write("text")


def test_a_reader_that_went_away_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        screen = Screen(stream)
        screen.print("text")
        screen.print("more")
        assert screen.problem is None


def test_a_full_disk_is_remembered() -> None:
    with Path("/dev/full").open("w") as stream:
        screen = Screen(stream)
        assert not screen.write("text")
        assert screen.problem == "No space left on device"
        assert screen.write("more")
