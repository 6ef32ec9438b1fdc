"""What inspection answers."""

from dataclasses import dataclass, field
from enum import StrEnum

from blemish.arrays import Bools, Floats

__all__ = ["Box", "Nearest", "Region", "Result", "Verdict"]


class Verdict(StrEnum):
    """The decision on one image."""

    OK = "OK"
    NG = "NG"
    REVIEW = "REVIEW"
    ERROR = "ERROR"


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels: left and top edge, width and height."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Region:
    """A connected blob of the anomaly map over its threshold, in pixels of the original image."""

    box: Box
    area: int
    score: float
    """The highest value of the anomaly map inside the region."""
    outline: list[tuple[int, int]]
    """The outer contour as (x, y) corners."""


@dataclass(frozen=True)
class Nearest:
    """The good patch nearest to the most anomalous one: where it was seen, and how far away it is."""

    path: str
    """The training image, as it was named at fit."""
    x: int
    y: int
    """Its centre, in pixels of that training image."""
    distance: float


@dataclass(frozen=True)
class Result:
    """The answer for one image; higher scores mean more anomalous.

    With verdict ERROR, `error` says why, `score` is NaN and the arrays are None.
    """

    path: str
    verdict: Verdict
    score: float
    threshold: float
    anomaly_map: Floats | None = None
    """H x W of the original image; NaN where the image was not looked at (outside a centre crop)."""
    mask: Bools | None = None
    """H x W, true inside regions."""
    regions: list[Region] = field(default_factory=list)
    nearest: Nearest | None = None
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds per step: read, network, search, map."""
    error: str | None = None
