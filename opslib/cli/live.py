"""What a terminal shows while a run goes on: a few lines, rewritten in place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from opslib.cli.rows import Heading, heading_line, host_line, progress_lines, short_name, step_row
from opslib.cli.screen import Screen
from opslib.cli.tally import Tally
from opslib.events import Event, HostEnded, Notice, RunStarted, StepEnded, StepTold
from opslib.output.detail import STYLES
from opslib.output.lines import Line, Style, line
from opslib.output.text import duration, shorten, visible, width
from opslib.result import Status

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

__all__ = ["LivePicture", "picture"]

MAX_STEPS = 5
MAX_ALOUD = 20
PATIENCE = 10.0
PER_SECOND = 5
BAR = 28
NAME = 48


class LivePicture:
    """Shows a few lines that are rewritten in place; above them what failed, or with `verbose` every step."""

    def __init__(self, screen: Screen, tally: Tally, heading: Heading, *, verbose: bool) -> None:
        self._screen = screen
        self._tally = tally
        self._heading = heading
        self._verbose = verbose
        self._check = False
        self._lock = threading.Lock()
        self._live: Live | None = None
        self._aloud = 0
        self._tallest = 0
        self._remark = ""

    def take(self, event: Event) -> None:
        """Show what happened."""
        with self._lock:
            self._tally.take(event)
            above = list(self._above(event))
        # Not under the lock: rich holds its own while it asks for the picture, which takes ours.
        if above:
            self._screen.print(*above)
        if isinstance(event, RunStarted) and self._live is None:
            self._open()

    def say(self, text: str) -> None:
        """Show a remark, and keep it in sight."""
        with self._lock:
            self._remark = text
        if self._live is None:
            self._screen.print(line((text, "bold")))

    def close(self) -> None:
        """Take the lines away and show the cursor."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()
        if self._remark:
            self._screen.print(line((self._remark, "bold")))

    def _open(self) -> None:
        from rich.live import Live

        self._live = Live(
            get_renderable=self._render,
            console=self._screen.console(),
            refresh_per_second=PER_SECOND,
            transient=True,
            redirect_stdout=False,
        )
        self._live.start()

    def _above(self, event: Event) -> Iterator[Line]:
        match event:
            case RunStarted():
                self._check = event.check
                yield heading_line(self._heading, event)
            case StepEnded() if self._verbose:
                yield step_row(event.host, event.result, check=self._check)
            case HostEnded() if event.result.status in (Status.FAILED, Status.UNREACHABLE) and not self._remark:
                self._aloud += 1
                if self._aloud <= MAX_ALOUD or self._verbose:
                    yield host_line(event.result, check=self._check)
                elif self._aloud == MAX_ALOUD + 1:
                    yield line(("more hosts failed; the summary will tell", "dim"))
            case StepTold():
                yield from progress_lines(event)
            case Notice():
                yield line((event.text, "dim"))
            case _:
                pass

    def _render(self) -> Group:
        from rich.console import Group

        with self._lock:
            rows = list(picture(self._tally, check=self._check, bar="━" if self._screen.unicode else "#"))
            if self._remark:
                rows.append(line((self._remark, "bold")))
        # A picture that keeps its height does not make the terminal jump.
        self._tallest = max(self._tallest, len(rows))
        rows += [line("")] * (self._tallest - len(rows))
        return Group(*(part for row in rows for part in self._screen.fitted(row)[:1]))


def picture(tally: Tally, *, check: bool, bar: str = "━") -> Iterator[Line]:
    """Yield the lines of the live picture: how far the run is, how hosts ended, and what is running now."""
    total = len(tally.hosts)
    filled = BAR * tally.done // total if total else 0
    hosts = f"  {tally.done}/{total} hosts  "
    rest = bar if bar != "#" else "."
    yield line((bar * filled, "ok"), (rest * (BAR - filled), "dim"), hosts, (_clock(tally.elapsed), "dim"))
    pieces: list[str | tuple[str, Style]] = []
    for status, count in tally.counts().items():
        word = "would change" if check and status is Status.CHANGED else status.value
        pieces += [(f"{count} {word}", STYLES[status]), "  "]
    waiting = total - tally.done - tally.running
    now = [f"{count} {word}" for count, word in ((tally.running, "running"), (waiting, "waiting")) if count > 0]
    yield line(*pieces, ("  ".join(now), "dim"))
    steps = list(tally.steps().items())
    names = max((width(visible(short_name(name))) for name, _count in steps[:MAX_STEPS]), default=0)
    for name, count in steps[:MAX_STEPS]:
        shown = shorten(visible(short_name(name)), NAME)
        pad = " " * max(min(names, NAME) - width(shown), 0)
        yield line(f"  {shown}{pad}  ", (f"{count} host{'s' * (count > 1)}", "dim"))
    if len(steps) > MAX_STEPS:
        yield line((f"  and {len(steps) - MAX_STEPS} more steps", "dim"))
    slowest = tally.slowest()
    if slowest is not None and slowest.seconds >= PATIENCE:
        yield line((f"  longest: {slowest.host}, {duration(slowest.seconds)} at {short_name(slowest.step)}", "dim"))


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
