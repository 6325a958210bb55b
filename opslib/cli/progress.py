"""What is shown while a run goes on, where lines cannot be rewritten: lines that follow one another, or nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Protocol

from opslib.cli.rows import Heading, heading_line, host_line, progress_lines, step_row
from opslib.cli.screen import Screen
from opslib.cli.tally import Tally
from opslib.events import Event, HostEnded, Notice, RunStarted, StepEnded, StepTold
from opslib.output.lines import Line, line

__all__ = ["LineByLine", "Picture", "Silence"]


class Picture(Protocol):
    """Shows a run. `take` may be called from any thread."""

    def take(self, event: Event) -> None:
        """Show what happened."""

    def say(self, text: str) -> None:
        """Show a remark."""

    def close(self) -> None:
        """Leave the terminal as it was found."""


class Silence:
    """Shows nothing but remarks."""

    def __init__(self, screen: Screen, tally: Tally) -> None:
        self._screen = screen
        self._tally = tally

    def take(self, event: Event) -> None:
        """Count."""
        self._tally.take(event)

    def say(self, text: str) -> None:
        """Show a remark."""
        self._screen.print(line((text, "bold")))

    def close(self) -> None:
        """Do nothing."""


class LineByLine:
    """Shows a line per host that ended, or with `verbose` also one per step."""

    def __init__(self, screen: Screen, tally: Tally, heading: Heading, *, verbose: bool) -> None:
        self._screen = screen
        self._tally = tally
        self._heading = heading
        self._verbose = verbose
        self._check = False
        self._lock = threading.Lock()

    def take(self, event: Event) -> None:
        """Show what happened."""
        with self._lock:
            self._tally.take(event)
            self._screen.print(*self._lines(event))

    def say(self, text: str) -> None:
        """Show a remark."""
        with self._lock:
            self._screen.print(line((text, "bold")))

    def close(self) -> None:
        """Do nothing: nothing is to be put back."""

    def _lines(self, event: Event) -> Iterator[Line]:
        match event:
            case RunStarted():
                self._check = event.check
                yield heading_line(self._heading, event)
            case StepEnded() if self._verbose:
                yield step_row(event.host, event.result, check=self._check)
            case HostEnded():
                place = f"{self._tally.done:>{len(str(len(self._tally.hosts)))}}/{len(self._tally.hosts)} "
                yield host_line(event.result, check=self._check, place=place)
            case StepTold():
                yield from progress_lines(event)
            case Notice():
                yield line((event.text, "dim"))
            case _:
                pass
