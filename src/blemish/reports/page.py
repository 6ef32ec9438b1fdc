"""A page of inspected images: each part, its overlay, its score and verdict, most anomalous first."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blemish.detector import Detector
from blemish.evaluation.trades import HEADS, Trade
from blemish.language.numbers import percent
from blemish.reports.html import Html, element, facts, picture, table, write_page_file
from blemish.result import Result

__all__ = ["write_page"]


def write_page(
    path: Path,
    detector: Detector,
    images: Sequence[Path],
    *,
    title: str,
    numbers: Mapping[str, Any],
    points: Sequence[Trade] = (),
) -> None:
    """Inspect `images` and write them with their overlays, most anomalous first, under numbers and operating points."""
    results = sorted(detector.inspect_many(images), key=_most_anomalous_first)
    says = (
        "Left: the image. Right: its overlay; magenta to yellow where the map is above a level that nine in ten good "
        f"parts never reach, regions outlined in blue. Scores above {detector.threshold:.4g} are NG."
    )
    write_page_file(
        path,
        title,
        element("h1", title),
        facts((name, figure(name, value)) for name, value in numbers.items()),
        table(HEADS, [each.cells() for each in points]) if points else None,
        element("p", says),
        element("main", *(_case(result) for result in results), class_="gallery"),
    )


def _most_anomalous_first(result: Result) -> float:
    """Errors, whose score is NaN, come before all."""
    return -math.inf if result.error else -result.score


def _case(result: Result) -> Html:
    name = Path(result.path).name
    judged = element("span", result.verdict, class_=f"verdict {result.verdict}")
    if result.error:
        return element("figure", element("figcaption", judged, f" {name}: {result.error}"), class_="case")
    image, drawn = result.image(), result.overlay(caption=False)
    pictures = element("div", picture(image, "image"), picture(drawn, "overlay"), class_="pictures")
    return element("figure", element("figcaption", judged, f" {_scale(result)} {name}"), pictures, class_="case")


def _scale(result: Result) -> str:
    """The score, and on the two scales that people can read."""
    of_good = f"{percent(result.percentile / 100)} of good score no higher"
    return f"{result.score:.4g} ({result.from_threshold}, {of_good})"


def figure(name: str, value: Any) -> str:
    """A number as people read it: seconds with their decimals, shares in per cent, counts as they are."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3f}" if name.startswith("seconds") else percent(value)
