"""Statements as they may be shown: on one line, without the values in them, which may be secrets."""

from __future__ import annotations

from opslib.host.words import printable

LONGEST = 400
_WORD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"


def folded(text: str) -> str:
    """Return a statement with each quoted value replaced by '?' and blanks and comments folded, cut to 400 characters.

    pg_stat_statements leaves the values of utility statements (ALTER ROLE … PASSWORD) as they were given.
    """
    out: list[str] = []
    place = 0
    while place < len(text) and len(out) <= LONGEST * 2:
        c = text[place]
        if c == "'":
            escapes = bool(out) and out[-1] in "eE" and (len(out) < 2 or out[-2] not in _WORD)
            place = _behind(text, place + 1, "'", escapes)
            out += "'?'"
        elif c == "$" and _tag(text, place) and (not out or out[-1] not in _WORD):
            tag = _tag(text, place)
            end = text.find(tag, place + len(tag))
            place = len(text) if end < 0 else end + len(tag)
            out += "'?'"
        elif c == '"':
            after = _behind(text, place + 1, '"', False)
            out += text[place:after]
            place = after
        elif text.startswith("--", place):
            end = text.find("\n", place)
            place = len(text) if end < 0 else end
        elif text.startswith("/*", place):
            place = _behind_comment(text, place)
        else:
            blank = c.isspace()
            if not blank or (out and out[-1] != " "):
                out.append(" " if blank else c)
            place += 1
    short = printable("".join(out).strip())
    return short if len(short) <= LONGEST else short[: LONGEST - 3] + "..."


def _behind_comment(text: str, place: int) -> int:
    """Return where a comment ends, which may hold others; all of the text when it does not end."""
    depth = 0
    while place < len(text):
        if text.startswith("/*", place):
            depth, place = depth + 1, place + 2
        elif text.startswith("*/", place):
            depth, place = depth - 1, place + 2
            if not depth:
                return place
        else:
            place += 1
    return place


def _behind(text: str, place: int, quote: str, escapes: bool) -> int:
    """Return where a quoted part ends; a doubled quote is part of it."""
    while place < len(text):
        if text[place] == "\\" and escapes:
            place += 2
        elif text[place] != quote:
            place += 1
        elif text[place + 1 : place + 2] == quote:
            place += 2
        else:
            return place + 1
    return len(text)


def _tag(text: str, place: int) -> str:
    """Return the tag of a dollar-quoted text that begins here ($$ or $word$), or an empty string; $1 is none."""
    end = text.find("$", place + 1, place + 66)
    word = text[place + 1 : end] if end > 0 else "1"
    plain = all(c in _WORD for c in word) and not word[:1].isdigit()
    return text[place : end + 1] if end > 0 and plain else ""
