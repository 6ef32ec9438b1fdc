"""What inspection answers."""

from dataclasses import dataclass, field
from enum import StrEnum

from blemish.arrays import Bools, Floats, Ints

__all__ = ["Box", "Matches", "Nearest", "Region", "Result", "Verdict"]


class Verdict(StrEnum):
    """The decision on one image: NG above the threshold, REVIEW above the review threshold, else OK; or ERROR."""

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
class Nearest:
    """A good patch that is nearest to one of the image: where both were seen, and how far apart they are."""

    path: str
    """The training image, as it was named at fit."""
    x: int
    y: int
    """The good patch's centre, in pixels of that training image."""
    distance: float
    at: tuple[int, int]
    """Centre (x, y) of the patch it is nearest to, in pixels of the inspected image."""


@dataclass(frozen=True)
class Region:
    """A connected blob of the anomaly map over its threshold, in pixels of the original image."""

    box: Box
    area: int
    score: float
    """The highest value of the anomaly map inside the region."""
    outline: list[tuple[int, int]]
    """The outer contour as (x, y) corners."""
    nearest: list[Nearest] = field(default_factory=list)
    """The good patches nearest to those of the region, up to three, the farthest first."""


@dataclass(frozen=True)
class Matches:
    """Each patch of an image that was looked at, with the good patch nearest to it; all of length Q."""

    at_Q: Ints
    """The patch's place on the grid: row * w + column."""
    image_Q: Ints
    """The training image its nearest good patch was seen in, by number."""
    cell_Q: Ints
    """That patch's place on the grid of its image."""
    distance_Q: Floats
    grid: tuple[int, int]
    """Rows and columns, h and w, of both grids."""


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
    """The good patch nearest to the most anomalous one."""
    matches: Matches | None = None
    """The good patch nearest to each patch, where the method keeps good patches."""
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds per step: read, network, search, map."""
    error: str | None = None
    review_threshold: float = float("nan")
    """Where REVIEW begins; the threshold itself where the model has no such band."""
    percentile: float = float("nan")
    """Of 100 good images that the memory has not seen, so many score no higher."""

    @property
    def times_threshold(self) -> float:
        """The score as a multiple of the threshold; NaN for thresholds that are not above zero, which have none."""
        return self.score / self.threshold if self.threshold > 0 else float("nan")
