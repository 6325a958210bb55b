"""A stream for people: colours and wrapping on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, TextIO

from opslib.output.lines import Line, Style, line
from opslib.output.text import width

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["UNWRITTEN", "ColorChoice", "Screen", "written"]

ColorChoice = Literal["auto", "always", "never"]

UNWRITTEN = 74  # EX_IOERR of sysexits.h
NARROWEST = 30
_COLORS: Mapping[Style, str] = {
    "plain": "",
    "bold": "bold",
    "dim": "dim",
    "ok": "green",
    "changed": "yellow",
    "failed": "bold red",
    "unreachable": "bold magenta",
    "skipped": "cyan",
    "warning": "yellow",
    "added": "green",
    "removed": "red",
    "place": "cyan",
}


class Screen:
    """Writes lines to a stream, in colour and wrapped where that is a terminal. Never raises for a closed pipe.

    stream: None stands for one that is closed; color: `auto` means on a terminal, unless NO_COLOR is set or TERM is
    `dumb`. live: whether lines may be rewritten; unicode: whether it takes all characters; gone: whether it takes no
    more text; problem: why, unless its reader simply went away.
    """

    def __init__(
        self, stream: TextIO | None, color: ColorChoice = "auto", environ: Mapping[str, str] = os.environ
    ) -> None:
        self.stream = stream if stream is not None else io.StringIO()
        terminal = _is_terminal(self.stream)
        self.live = terminal and environ.get("TERM", "dumb") not in ("", "dumb", "unknown")
        self.color = color == "always" or (color == "auto" and self.live and not environ.get("NO_COLOR"))
        self.unicode = (getattr(self.stream, "encoding", None) or "").lower().startswith("utf")
        self._wrap = terminal
        self._console: Console | None = None
        self.problem: str | None = None
        self.gone = False

    def console(self) -> Console:
        """Return rich's console on this stream; it is loaded when it is first needed."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(
                file=self.stream,
                force_terminal=self.live or self.color,
                color_system=("auto" if self.live else "standard") if self.color else None,
                no_color=not self.color,
                markup=False,
                emoji=False,
                highlight=False,
                soft_wrap=True,
            )
        return self._console

    def print(self, *lines: Line | str) -> None:
        """Write lines; a plain text becomes a line of its own, made visible."""
        for row in lines:
            shown = line(row) if isinstance(row, str) else row
            if self.color or self._wrap:
                for part in self.fitted(shown):
                    self._safely(lambda part=part: self._put(part))  # type: ignore[misc]
            else:
                self.write(shown.text + "\n")
        self._safely(self.stream.flush)

    def write(self, text: str) -> bool:
        """Write text as it is and return whether that worked."""
        return self._safely(lambda: self.stream.write(text)) and self._safely(self.stream.flush)

    def fitted(self, row: Line) -> list[Text]:
        """Return a line as rich's text, cut up to the width of the terminal, its later parts hanging."""
        from rich.text import Text

        text = Text.assemble(*((piece, _COLORS[style]) for piece, style in row.pieces if piece))
        text.rstrip()
        columns = max(self.console().width, NARROWEST)
        if not self._wrap or text.cell_len <= columns:
            return [text]
        hang = min(row.hang, columns // 2)
        first = _prefix(text.plain, hang)
        head, body = text.divide([first]) if 0 < first < len(text) else (Text(), text)
        parts = body.wrap(self.console(), columns - hang, overflow="fold")
        for part in parts:
            part.rstrip()
        return [(head if number == 0 and len(head) else Text(" " * hang)) + part for number, part in enumerate(parts)]

    def _put(self, text: Text) -> None:
        self.console().print(text, overflow="ignore", no_wrap=True, crop=False)

    def _safely(self, action: Callable[[], object]) -> bool:
        """Write; a reader that went away (`opslib run ... | head`) or a full disk ends this stream's output only."""
        try:
            action()
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.problem = error.strerror or str(error)
            self.gone = True
            with contextlib.suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, self.stream.fileno())
                os.close(null)
            return False
        return True


def written(screen: Screen) -> int:
    """Return the exit code of a command that did nothing but write: 0, or when that failed 74, after saying why."""
    if screen.problem is None:
        return 0
    Screen(sys.stderr).print(f"opslib: standard output: {screen.problem}")
    return UNWRITTEN


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        return False


def _prefix(text: str, columns: int) -> int:
    """Return how many characters of a text fill so many columns."""
    taken = 0
    for number, char in enumerate(text):
        if taken >= columns:
            return number
        taken += width(char)
    return len(text)
