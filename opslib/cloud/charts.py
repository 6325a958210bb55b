"""Charts of values over time: as a page with a drawing in it (no script, nothing loaded), or as PNG."""

from __future__ import annotations

import contextlib
import html
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from opslib.cloud.libraries import load
from opslib.host.task import TaskError
from opslib.host.words import printable

__all__ = ["Chart", "Curve", "as_html", "as_png", "write"]

_WIDTH, _HEIGHT = 960, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 20, 24, 44
_COLORS = ("#1f77b4", "#d95f02", "#2ca02c", "#7570b3", "#e7298a", "#66a61e", "#a6761d", "#666666")
_STEPS = (60, 300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400, 365 * 86400)
_MOST_LABELS = 8
_STYLE = """body{font:14px system-ui,sans-serif;margin:24px;color:#222}svg{max-width:100%;height:auto}
.grid{stroke:#ddd}.target{stroke:#c00;stroke-dasharray:6 4}text{font:12px system-ui,sans-serif;fill:#444}
polyline{fill:none;stroke-width:1.6}table{border-collapse:collapse}td,th{padding:2px 12px;text-align:right}
th:first-child,td:first-child{text-align:left}"""


@dataclass(frozen=True, slots=True)
class Curve:
    """Values by time (seconds since 1970), the oldest first."""

    label: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Chart:
    """What to draw. period: seconds between two values, more is a gap; target: a line across, None for none."""

    title: str
    curves: Sequence[Curve]
    begin: float
    end: float
    period: float
    unit: str = ""
    target: float | None = None

    @property
    def top(self) -> float:
        """The upper end of the scale; the lower is 0, or the least value below it."""
        highest = max([*self._values(), self.target or 0.0, 0.0])
        return highest * 1.05 if highest > 0 else 1.0

    @property
    def low(self) -> float:
        """The lower end of the scale."""
        return min([*self._values(), self.target or 0.0, 0.0])

    def _values(self) -> Iterator[float]:
        for curve in self.curves:
            yield from (value for _when, value in curve.points)


def as_html(chart: Chart) -> str:
    """Return a chart as a page that needs nothing else."""
    title = _text(chart.title)
    rows = "".join(_row(number, curve) for number, curve in enumerate(chart.curves))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>\n{_svg(chart)}\n"
        f"<table><tr><th>{_text(chart.unit)}</th><th>newest</th><th>average</th><th>least</th><th>greatest</th>"
        f"<th>values</th></tr>{rows}</table>\n<p>{_stamp(chart.begin)} to {_stamp(chart.end)}</p></body></html>\n"
    )


def as_png(chart: Chart) -> bytes:
    """Return a chart as PNG. Raises MissingLibraryError without matplotlib."""
    import io

    figures, agg = load("matplotlib.figure", "charts"), load("matplotlib.backends.backend_agg", "charts")
    dates = load("matplotlib.dates", "charts")
    with load("matplotlib", "charts").rc_context({"text.usetex": False, "text.parse_math": False}):
        figure = figures.Figure(figsize=(9.6, 4.0), dpi=100, layout="constrained")
        agg.FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        for number, curve in enumerate(chart.curves):
            label = printable(curve.label)
            for part in _parts(curve.points, chart.period):
                times = [datetime.fromtimestamp(when, UTC) for when, _value in part]
                values = [value for _when, value in part]
                marker = "." if len(part) == 1 else None
                axes.plot(times, values, color=_color(number), linewidth=1.4, marker=marker, label=label)
                label = "_nolegend_"
        if chart.target is not None:
            axes.axhline(chart.target, color="#c00", linestyle="--", linewidth=1, label=f"target {chart.target:g}")
        axes.set_title(printable(chart.title))
        axes.set_ylabel(printable(chart.unit))
        axes.set_ylim(chart.low, chart.top)
        axes.set_xlim(datetime.fromtimestamp(chart.begin, UTC), datetime.fromtimestamp(chart.end, UTC))
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(axes.xaxis.get_major_locator(), tz=UTC))
        axes.grid(color="#ddd")
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="best", fontsize="small")
        out = io.BytesIO()
        figure.savefig(out, format="png")
    return out.getvalue()


def write(path: str, data: bytes) -> None:
    """Write a file that only its owner can read: whole, or as it was before. Raises TaskError."""
    place = Path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{place.name[:100]}.", dir=place.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(place)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise TaskError(f"cannot write {printable(path)}: {error.strerror}") from error


def _svg(chart: Chart) -> str:
    rows = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{_text(chart.title)}">']
    for value in _ticks(chart.low, chart.top):
        y = _y(chart, value)
        rows.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        rows.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    for when, label in _moments(chart.begin, chart.end):
        x = _x(chart, when)
        rows.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>')
        rows.append(f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{label}</text>')
    if chart.target is not None:
        y = _y(chart, chart.target)
        rows.append(f'<line class="target" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
    for number, curve in enumerate(chart.curves):
        rows += [_line(chart, part, _color(number)) for part in _parts(curve.points, chart.period)]
    return "\n".join([*rows, "</svg>"])


def _line(chart: Chart, part: Sequence[tuple[float, float]], color: str) -> str:
    places = [(_x(chart, when), _y(chart, value)) for when, value in part]
    if len(places) == 1:
        return f'<circle cx="{places[0][0]:.1f}" cy="{places[0][1]:.1f}" r="2" fill="{color}"/>'
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return f'<polyline stroke="{color}" points="{points}"/>'


def _row(number: int, curve: Curve) -> str:
    values = [value for _when, value in curve.points]
    told = [values[-1], sum(values) / len(values), min(values), max(values)] if values else []
    cells = "".join(f"<td>{value:.6g}</td>" for value in told) or "<td></td>" * 4
    mark = f'<span style="color:{_color(number)}">&#9632;</span>'
    return f"<tr><td>{mark} {_text(curve.label)}</td>{cells}<td>{len(values)}</td></tr>"


def _parts(points: Sequence[tuple[float, float]], period: float) -> Iterator[list[tuple[float, float]]]:
    """Yield what is to be drawn in one line: without values there is no line."""
    part: list[tuple[float, float]] = []
    for when, value in points:
        if part and when - part[-1][0] > 1.5 * period:
            yield part
            part = []
        part.append((when, value))
    if part:
        yield part


def _ticks(low: float, high: float) -> list[float]:
    """Return round values between two."""
    raw = (high - low) / 6
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor(high / step) + 1)]


def _moments(begin: float, end: float) -> Iterator[tuple[float, str]]:
    """Yield round moments between two, and how to write them."""
    step = next((step for step in _STEPS if (end - begin) / step <= _MOST_LABELS), end - begin)
    form = "%H:%M" if step < 86400 else "%Y-%m-%d"
    when = math.ceil(begin / step) * step
    while when <= end:
        yield when, f"{datetime.fromtimestamp(when, UTC):{form}}"
        when += step


def _x(chart: Chart, when: float) -> float:
    return _LEFT + (when - chart.begin) / max(chart.end - chart.begin, 1) * (_WIDTH - _LEFT - _RIGHT)


def _y(chart: Chart, value: float) -> float:
    return _HEIGHT - _BOTTOM - (value - chart.low) / (chart.top - chart.low) * (_HEIGHT - _TOP - _BOTTOM)


def _color(number: int) -> str:
    return _COLORS[number % len(_COLORS)]


def _text(words: str) -> str:
    return html.escape(printable(words))


def _stamp(when: float) -> str:
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M UTC}"
