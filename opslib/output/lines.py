"""Lines of output before they meet a terminal: text in named styles, and how far a wrapped line hangs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from opslib.output.text import visible

__all__ = ["BLANK", "Line", "Style", "line"]

Style = Literal[
    "plain", "bold", "dim", "ok", "changed", "failed", "unreachable", "skipped", "warning", "added", "removed", "place"
]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: pieces of visible text, each with a style. `hang`: the column at which it goes on when wrapped."""

    pieces: tuple[tuple[str, Style], ...]
    hang: int = 0

    @property
    def text(self) -> str:
        """The line without its styles."""
        return "".join(text for text, _style in self.pieces).rstrip()


BLANK = Line(())


def line(*pieces: str | tuple[str, Style], hang: int = 0) -> Line:
    """Make a line; a piece without a style is plain. Every piece is made visible here, whatever it comes from."""
    pairs: list[tuple[str, Style]] = [(piece, "plain") if isinstance(piece, str) else piece for piece in pieces]
    return Line(tuple((visible(text), style) for text, style in pairs), hang)
