"""Text that came from outside (hosts, inventories, playbooks), made safe to show on a terminal or in a file."""

from __future__ import annotations

import unicodedata

__all__ = ["duration", "shorten", "visible", "visible_lines", "width"]

MAX_MARKS = 4
_MARKS = ("Mn", "Me")


def visible(text: str) -> str:
    r"""Return text on one line in which nothing is hidden and nothing acts on a terminal.

    Control characters (line breaks and the beginning of every ANSI sequence among them), the marks that turn the
    direction of writing round, invisible and unassigned characters and lone surrogates are written as escapes, such
    as `\x1b`; so are combining marks that pile up, since they would cover the lines above. Idempotent.
    """
    if text.isprintable() and text.isascii():
        return text
    out: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        marks = marks + 1 if category in _MARKS else 0
        if marks > MAX_MARKS or (marks and not out) or category[0] == "C" or category in ("Zl", "Zp"):
            out.append(_escape(char))
        else:
            out.append(char)
    return "".join(out)


def visible_lines(text: str) -> list[str]:
    """Return the lines of a text, each made `visible`; tabs become spaces and a last line break is dropped."""
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    return [visible(line.expandtabs(4)) for line in lines]


def shorten(text: str, limit: int) -> str:
    """Return text that has at most `limit` characters, its end replaced by "..." when it had more."""
    return text if len(text) <= limit else text[: max(limit - 3, 0)] + "..."


def width(text: str) -> int:
    """Return how many columns a terminal gives a visible text."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.category(char) in _MARKS for char in text)


def duration(seconds: float) -> str:
    """Return a time span in words: "0.02 s", "8.3 s", "42 s", "2 min 5 s", "1 h 3 min"."""
    if not seconds >= 0:
        return "0 s"
    if seconds < 10:
        return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds:.2f} s"
    minutes, rest = divmod(round(min(seconds, 1e9)), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _escape(char: str) -> str:
    code = ord(char)
    if char in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[char]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8, as `os.fsdecode` gives it
        return f"\\x{code & 0xFF:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
