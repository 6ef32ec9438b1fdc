"""Charts drawn by hand: scores as strips of bars on one axis, and curves in a square. Text stays outside the SVG."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from blemish.arrays import Array, Doubles
from blemish.evaluation.metrics import Sweep
from blemish.reports.html import Html, element, packed

__all__ = ["Axis", "curve", "hatching", "pr_points", "roc_points", "score_axis", "strip", "ticks"]

BARS = 60
"""Bars of a strip."""
WIDE, HIGH = 600, 100
"""A strip's own units; the page stretches them."""
FINENESS = 2
"""Decimals of a curve's points, in percent of its square: finer than any screen."""


class Axis(NamedTuple):
    """The scores a chart spans."""

    low: float
    high: float

    def share(self, value: float) -> float:
        """How far along the axis a value lies, 0 to 1."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


def score_axis(scores: Sequence[Doubles], threshold: float) -> Axis:
    """From the lowest to the highest of all scores and the threshold, with a little room at both ends."""
    everything = np.concatenate([*scores, [threshold]])
    low, high = float(everything.min()), float(everything.max())
    room = (high - low) * 0.02 or max(abs(high), 1.0) * 0.02
    return Axis(low - room, high + room)


def strip(label: str, scores: Doubles, axis: Axis, kind: str) -> Html:
    """How many scores lie where, the fullest bar at full height; `kind` is good or bad."""
    counts, _ = np.histogram(scores, bins=BARS, range=axis)
    tallest, width = max(int(counts.max()), 1), WIDE / BARS
    bars = (
        element("rect", x=f"{bar * width + 0.5:g}", y=f"{HIGH - high:g}", width=f"{width - 1:g}", height=f"{high:g}")
        for bar, count in enumerate(counts)
        if (high := round(float(count) / tallest * (HIGH - 4), 1))
    )
    drawing = element(
        "svg",
        element("g", *bars, class_=f"bars-{kind}"),
        viewBox=f"0 0 {WIDE} {HIGH}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{label}: {len(scores)}",
    )
    return element("div", element("span", f"{label}: {len(scores)}"), drawing, class_="strip")


def hatching() -> Html:
    """The pattern of defective bars, so that they differ in more than colour."""
    line = element("path", d="M-1 9 L9 -1 M-1 1 L1 -1 M7 9 L9 7", class_="hatch")
    pattern = element("pattern", line, id="hatch", width=8, height=8, patternUnits="userSpaceOnUse")
    return element("svg", element("defs", pattern), width=0, height=0, aria_hidden="true", style="position:absolute")


def ticks(axis: Axis) -> Html:
    """Round values along an axis, at most six."""
    step = _round_step((axis.high - axis.low) / 5)
    first = int(np.ceil(axis.low / step))
    values = [number * step for number in range(first, int(np.floor(axis.high / step)) + 1)]
    marks = (element("span", f"{value:.4g}", style=f"left:{100 * axis.share(value):.2f}%") for value in values)
    return element("div", *marks, class_="ticks", aria_hidden="true")


def _round_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below `least`."""
    power = 10.0 ** np.floor(np.log10(least))
    return float(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * 0.999))


def roc_points(swept: Sweep) -> Array:
    """False reject rate and share of defects found (U + 1, 2), from the highest score down."""
    x_U, y_U = (np.concatenate([[0], values_U.cumsum()]) for values_U in (swept.good_RU[0], swept.defective_RU[0]))
    return np.stack([x_U / x_U[-1], y_U / y_U[-1]], axis=1)


def pr_points(swept: Sweep) -> Array:
    """Share of defects found and precision, in steps: average precision is the area under them."""
    good_U, found_U = swept.good_RU[0].cumsum(), swept.defective_RU[0].cumsum()
    recall_U, precision_U = found_U / found_U[-1], found_U / (found_U + good_U)
    before_U = np.concatenate([[0], recall_U[:-1]])
    return np.stack([np.stack([before_U, precision_U], 1), np.stack([recall_U, precision_U], 1)], 1).reshape(-1, 2)


def curve(title: str, axes: str, name: str, points: Array, at: tuple[float, float], *, chance: bool) -> Html:
    """A curve in the unit square, with a point on it that the threshold moves."""
    drawn = np.round(100 * np.stack([points[:, 0], 1 - points[:, 1]], axis=1), FINENESS)
    kept = np.concatenate([[True], (drawn[1:] != drawn[:-1]).any(axis=1)])
    path = "M" + "L".join(f"{x:g} {y:g}" for x, y in drawn[kept])
    lines = [element("path", d="M0 100L100 0", class_="chance")] if chance else []
    drawing = element(
        "svg",
        *lines,
        element("path", d=path, class_="line"),
        viewBox="0 0 100 100",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{title}; {axes}",
    )
    place = f"--x:{100 * at[0]:.2f}%;--y:{100 * (1 - at[1]):.2f}%"
    here = element("div", class_="here", style=place, data_point=name)
    ends = packed(element("i", text, class_=where) for where, text in (("x0", 0), ("x1", 1), ("y0", 0), ("y1", 1)))
    return element(
        "figure",
        element("figcaption", title),
        element("div", drawing, ends, here, class_="plot"),
        element("div", axes, class_="axes"),
        class_="curve",
    )
