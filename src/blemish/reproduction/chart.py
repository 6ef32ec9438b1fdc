"""Charts as SVG: panels of points with their spread, joined to lines or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Panel", "Point", "Series", "draw"]

WIDTH, HEIGHT = 420, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 34, 74
COLOURS = ("#0b6e99", "#c2571a", "#4d7c3a", "#7a4c9e", "#8a8a8a", "#a3324c")


@dataclass(frozen=True)
class Point:
    """A value over one of the panel's labels, with the range of its runs."""

    label: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Series:
    """Points of one name; those of a paper are drawn hollow and dashed."""

    name: str
    points: Sequence[Point]
    of_paper: bool = False


@dataclass(frozen=True)
class Panel:
    """One set of axes: labels from left to right, values upwards."""

    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    joined: bool
    paper: str = "the paper"
    """What hollow points are."""


def draw(panels: Sequence[Panel], *, columns: int = 3) -> str:
    """The whole picture; a panel without points is left out."""
    panels = [panel for panel in panels if any(series.points for series in panel.series)]
    rows = -(-len(panels) // columns) or 1
    width, height = WIDTH * min(columns, max(1, len(panels))), HEIGHT * rows
    parts = [
        f'<g transform="translate({WIDTH * (i % columns)} {HEIGHT * (i // columns)})">{_panel(panel)}</g>'
        for i, panel in enumerate(panels)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="11"><rect width="{width}" height="{height}" fill="white"/>{"".join(parts)}</svg>\n'
    )


class _Axes:
    """Where labels and values lie on a panel."""

    def __init__(self, panel: Panel) -> None:
        ends = [end for series in panel.series for point in series.points for end in (point.low, point.high)]
        spare = max(0.5, 0.06 * (max(ends) - min(ends)))
        self.low, self.high = min(ends) - spare, min(max(ends) + spare, max(100.0, max(ends)))
        self._step = (WIDTH - LEFT - RIGHT) / len(panel.labels)
        # Long labels are turned, so that neighbours do not meet.
        self._turned = max(map(len, panel.labels)) * 6.5 > self._step
        self._place = {label: number for number, label in enumerate(panel.labels)}

    def x(self, label: str) -> float:
        return LEFT + (self._place[label] + 0.5) * self._step

    def y(self, value: float) -> float:
        return TOP + (self.high - value) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)

    def label(self, label: str) -> str:
        x, y = self.x(label), HEIGHT - BOTTOM + (12 if self._turned else 16)
        turn = f'text-anchor="end" transform="rotate(-25 {x:.1f} {y})"' if self._turned else 'text-anchor="middle"'
        return f'<text x="{x:.1f}" y="{y}" {turn}>{escape(label)}</text>'

    def ticks(self) -> list[float]:
        """Round values, four to eight of them."""
        span = self.high - self.low
        step = next(step for step in (0.5, 1, 2, 5, 10, 20) if span / step <= 8)
        first = int(self.low / step) * step
        return [first + i * step for i in range(20) if self.low <= first + i * step <= self.high]


def _panel(panel: Panel) -> str:
    axes = _Axes(panel)
    grid = "".join(
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{axes.y(tick):.1f}" y2="{axes.y(tick):.1f}" stroke="#ddd"/>'
        f'<text x="{LEFT - 6}" y="{axes.y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        for tick in axes.ticks()
    )
    labels = "".join(axes.label(label) for label in panel.labels)
    names = list(dict.fromkeys(series.name for series in panel.series))
    colour_of = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
    drawn = "".join(_series(series, axes, colour_of[series.name], panel.joined) for series in panel.series)
    title = f'<text x="{LEFT}" y="18" font-size="12" font-weight="bold">{escape(panel.title)}</text>'
    return title + grid + labels + drawn + _legend(panel, names)


def _series(series: Series, axes: _Axes, colour: str, joined: bool) -> str:
    places = [(axes.x(point.label), axes.y(point.value)) for point in series.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dash = ' stroke-dasharray="4 3"' if series.of_paper else ""
    line = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>' if joined else ""
    ends = [
        (x, axes.y(p.low), axes.y(p.high)) for (x, _), p in zip(places, series.points, strict=True) if p.low < p.high
    ]
    bars = "".join(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="{colour}"/>' for x, low, high in ends
    )
    fill = "white" if series.of_paper else colour
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{fill}" stroke="{colour}"/>' for x, y in places)
    return line + bars + dots


def _legend(panel: Panel, names: Sequence[str]) -> str:
    """Names in their colours; hollow is said once."""
    items, x = [], float(LEFT)
    for number, name in enumerate(names):
        colour = COLOURS[number % len(COLOURS)]
        items.append(
            f'<circle cx="{x:.0f}" cy="{HEIGHT - 18}" r="4" fill="{colour}"/>'
            f'<text x="{x + 8:.0f}" y="{HEIGHT - 14}">{escape(name)}</text>'
        )
        x += 22 + 6.4 * len(name)
    if any(series.of_paper for series in panel.series):
        place = f'x="{WIDTH - RIGHT}" y="{TOP - 6}" text-anchor="end"'
        items.append(f'<text {place} fill="#555">hollow: {escape(panel.paper)}</text>')
    return "".join(items)
