"""What is shown while a run goes on: lines that follow one another, or a few that are rewritten in place."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from opslib.cli.screen import Screen
from opslib.cli.tally import Tally
from opslib.events import Event, HostEnded, Notice, RunStarted, StepEnded
from opslib.output.detail import STYLES, short_names, step_line
from opslib.output.lines import Line, Style, line
from opslib.output.names import listed
from opslib.output.text import duration, shorten, visible, width
from opslib.result import HostResult, Status, StepResult

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

__all__ = ["Heading", "LineByLine", "LivePicture", "Picture", "Silence", "heading_line", "host_line", "picture"]

MAX_STEPS = 5
MAX_ALOUD = 20
PATIENCE = 10.0
PER_SECOND = 5
BAR = 28
MAX_REASON = 300
MAX_HOSTS_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What is to be done, in words, and by which engine."""

    what: str
    engine: str


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
                yield _step_of(event.host, event.result, check=self._check)
            case HostEnded():
                place = f"{self._tally.done:>{len(str(len(self._tally.hosts)))}}/{len(self._tally.hosts)} "
                yield host_line(event.result, check=self._check, place=place)
            case Notice():
                yield line((event.text, "dim"))
            case _:
                pass


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
                yield _step_of(event.host, event.result, check=self._check)
            case HostEnded() if event.result.status in (Status.FAILED, Status.UNREACHABLE):
                self._aloud += 1
                if self._aloud <= MAX_ALOUD or self._verbose:
                    yield host_line(event.result, check=self._check)
                elif self._aloud == MAX_ALOUD + 1:
                    yield line(("more hosts failed; the summary will tell", "dim"))
            case Notice():
                yield line((event.text, "dim"))
            case _:
                pass

    def _render(self) -> Group:
        from rich.console import Group

        with self._lock:
            rows = list(picture(self._tally, check=self._check))
            if self._remark:
                rows.append(line((self._remark, "bold")))
        # A picture that keeps its height does not make the terminal jump.
        self._tallest = max(self._tallest, len(rows))
        rows += [line("")] * (self._tallest - len(rows))
        return Group(*(part for row in rows for part in self._screen.fitted(row)[:1]))


def picture(tally: Tally, *, check: bool) -> Iterator[Line]:
    """Yield the lines of the live picture: how far the run is, how hosts ended, and what is running now."""
    total = len(tally.hosts)
    filled = BAR * tally.done // total if total else 0
    hosts = f"  {tally.done}/{total} hosts  "
    yield line(("━" * filled, "ok"), ("━" * (BAR - filled), "dim"), hosts, (_clock(tally.elapsed), "dim"))
    pieces: list[str | tuple[str, Style]] = []
    for status, count in tally.counts().items():
        word = "would change" if check and status is Status.CHANGED else status.value
        pieces += [(f"{count} {word}", STYLES[status]), "  "]
    waiting = total - tally.done - tally.running
    now = [f"{count} {word}" for count, word in ((tally.running, "running"), (waiting, "waiting")) if count > 0]
    yield line(*pieces, ("  ".join(now), "dim"))
    steps = list(tally.steps().items())
    names = max((width(visible(_short(name))) for name, _count in steps[:MAX_STEPS]), default=0)
    for name, count in steps[:MAX_STEPS]:
        shown = shorten(visible(_short(name)), 48)
        yield line(f"  {shown}{' ' * max(min(names, 48) - width(shown), 0)}  ", (f"{count} host{'s' * (count > 1)}", "dim"))
    if len(steps) > MAX_STEPS:
        yield line((f"  and {len(steps) - MAX_STEPS} more steps", "dim"))
    slowest = tally.slowest()
    if slowest is not None and slowest.seconds >= PATIENCE:
        yield line((f"  longest: {slowest.host}, {duration(slowest.seconds)} at {_short(slowest.step)}", "dim"))


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def heading_line(heading: Heading, event: RunStarted) -> Line:
    """Return the line that says, before anything happens, what will be done, where, and whether for real."""
    count = len(event.hosts)
    verb, how = ("Checking", "nothing will be changed") if event.check else ("Running", "for real")
    hosts = f"on {count} host{'s' * (count != 1)} ({listed(event.hosts, MAX_HOSTS_NAMED)})"
    style: Style = "ok" if event.check else "changed"
    return line((verb, "bold"), f" {heading.what} {hosts}, engine {heading.engine}: ", (how, style))


def host_line(host: HostResult, *, check: bool, place: str = "") -> Line:
    """Return how a host ended, in one line."""
    word = "would change" if check and host.status is Status.CHANGED else host.status.value
    pieces: list[str | tuple[str, Style]] = [(place, "dim"), (host.name, "place"), ": ", (word, STYLES[host.status])]
    if host.failure and host.status in (Status.FAILED, Status.UNREACHABLE):
        pieces.append(f": {shorten(' '.join(host.failure.split()), MAX_REASON)}")
    elif host.status is Status.CHANGED:
        pieces.append(f": {shorten(_changed(host.steps), MAX_REASON)}")
    warnings = sum(len(step.warnings) for step in host.steps)
    if warnings:
        pieces.append((f" ({warnings} warning{'s' * (warnings > 1)})", "warning"))
    pieces.append((f"  {duration(host.seconds)}", "dim"))
    return line(*pieces, hang=4)


def _changed(steps: Sequence[StepResult]) -> str:
    summaries = [change.summary for step in steps for change in step.changes]
    return "; ".join(summaries) or ", ".join(step.name for step in steps if step.changed)


def _short(name: str) -> str:
    """Return a step's name without the role that Ansible puts before it."""
    return short_names([name])[name]


def _step_of(host: str, step: StepResult, *, check: bool) -> Line:
    said = step.error or step.reason or _changed([step])
    row = step_line(replace(step, name=_short(step.name)), check=check, indent=0)
    more = line(f": {shorten(' '.join(said.split()), MAX_REASON)}") if said else line("")
    return Line((*line((host, "place"), ": ").pieces, *row.pieces, *more.pieces), hang=4)
