"""What inspection answers."""

import math
from dataclasses import dataclass, field, fields
from enum import StrEnum
from html import escape
from typing import Any, Protocol

import numpy as np

from blemish.arrays import Array, Bools, Bytes, Floats, Ints
from blemish.errors import DataError, OptionError

__all__ = ["Box", "Matches", "Nearest", "Picture", "Region", "Result", "Verdict"]


class Verdict(StrEnum):
    """The decision on one image: NG above the threshold, REVIEW above the review threshold, else OK; or ERROR."""

    OK = "OK"
    NG = "NG"
    REVIEW = "REVIEW"
    ERROR = "ERROR"


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels; `x` and `y` are counted from the upper left corner of the image."""

    x: int
    """The first column inside."""
    y: int
    """The first row inside."""
    width: int
    """How many columns it covers."""
    height: int
    """How many rows it covers."""


@dataclass(frozen=True, repr=False)
class Nearest:
    """A good patch that is nearest to one of the image: where both were seen, and how far apart they are."""

    path: str
    """The training image, as it was named at fit."""
    x: int
    y: int
    """The good patch's centre, in pixels of that training image."""
    distance: float
    """Euclidean distance of the two patches in feature space; it has no unit."""
    at: tuple[int, int]
    """Centre (x, y) of the patch it is nearest to, in pixels of the inspected image."""

    def __repr__(self) -> str:
        x, y = self.at
        return f"Nearest({self.path} at {self.x},{self.y}, {self.distance:.4g} from the patch at {x},{y})"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        x, y = self.at
        return {"path": self.path, "x": self.x, "y": self.y, "distance": self.distance, "at": {"x": x, "y": y}}


@dataclass(frozen=True, repr=False)
class Region:
    """A connected blob of the anomaly map over its threshold, in pixels of the original image."""

    box: Box
    """The smallest rectangle around it."""
    area: int
    """How many pixels it covers."""
    score: float
    """The highest value of the anomaly map inside the region."""
    outline: list[tuple[int, int]]
    """The outer contour as (x, y) corners."""
    nearest: list[Nearest] = field(default_factory=list)
    """The good patches nearest to those of the region, up to three, the farthest first."""

    def __repr__(self) -> str:
        box = self.box
        return f"Region({box.width} x {box.height} at {box.x},{box.y}, {self.area} pixels, score {self.score:.4g})"

    def __hash__(self) -> int:
        return hash((self.box, self.area, self.score))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "x": self.box.x,
            "y": self.box.y,
            "width": self.box.width,
            "height": self.box.height,
            "area": self.area,
            "score": self.score,
            "outline": self.outline,
            "nearest": [nearest.to_dict() for nearest in self.nearest],
        }


@dataclass(frozen=True, eq=False, repr=False)
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

    def __repr__(self) -> str:
        return f"Matches({len(self.at_Q)} patches of a {self.grid[0]} x {self.grid[1]} grid)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Matches) and _same_fields(self, other)

    def __hash__(self) -> int:
        return hash((self.grid, len(self.at_Q)))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, the arrays as lists."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}


class Picture(Protocol):
    """The pixels that a result is about, and how it is drawn over them; given by the detector."""

    def image(self) -> Bytes:
        """The pixels that were scored, uint8 RGB (H x W x 3)."""
        ...

    def heat(self, result: "Result") -> Bytes:
        """Heat and outlines over them, uint8 RGB (H x W x 3)."""
        ...

    def overlay(self, result: "Result") -> Bytes:
        """The same above a strip that says verdict and score, uint8 RGB."""
        ...

    def html(self, result: "Result") -> str:
        """Picture, score, regions and the nearest good part as HTML."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """The answer for one image; higher scores mean more anomalous.

    With verdict ERROR, `error` says why, `score` is NaN and the arrays are None. Two results are equal where all they
    say is equal, arrays included and NaN equal to NaN; how long it took (`timings`) and `picture` do not count.
    """

    path: str
    """The image's path, or what stands for it where it came without one."""
    verdict: Verdict
    """OK, NG, REVIEW or ERROR."""
    score: float
    """The image score: Euclidean distance in feature space from what is good (Roth et al. 2022, equations 6 and 7); of
    several looks, joined, deviations above good images, which may lie below zero."""
    threshold: float
    """Scores above it are NG."""
    anomaly_map: Floats | None = None
    """Patch scores at image resolution, float32, H x W of the original image; NaN where it was not looked at."""
    mask: Bools | None = None
    """Bool, H x W, true inside regions."""
    regions: list[Region] = field(default_factory=list)
    nearest: Nearest | None = None
    """The good patch nearest to the most anomalous one."""
    matches: Matches | None = None
    """The good patch nearest to each patch, where the method keeps good patches."""
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds per step: read, network, search, map."""
    error: str | None = None
    """Why the image could not be inspected; None for every other verdict."""
    review_threshold: float = float("nan")
    """Where REVIEW begins; the threshold itself where the model has no such band."""
    percentile: float = float("nan")
    """The share, in per cent, of good images unseen by the memory that score no higher."""
    picture: Picture | None = None
    """The pixels that were scored: a file's bytes as they were read, or a copy of the array; None for an ERROR."""
    model: str = ""
    """The version of the model that judged: `Detector.model.version`."""
    unmeasured: int = 0
    """So many of the image's pixels were not measured (no data, NaN), and were not looked at."""
    note: str | None = None
    """What else makes the image one to look at: it is REVIEW where its score alone would be OK."""
    is_distance: bool = True
    """Whether the score is a distance, so that its multiples mean something; those of joined looks do not."""

    @property
    def times_threshold(self) -> float:
        """The score as a multiple of the threshold; NaN where it is no distance, or the threshold not above 0."""
        return self.score / self.threshold if self.is_distance and self.threshold > 0 else float("nan")

    @property
    def from_threshold(self) -> str:
        """How far from the threshold the score is: `1.74 x threshold`; where that says nothing, the difference."""
        if not math.isnan(self.times_threshold):
            return f"{self.times_threshold:.2f} x threshold"
        side = "above" if self.score > self.threshold else "below"
        return f"{abs(self.score - self.threshold):.3g} {side} the threshold {self.threshold:.3g}"

    def __repr__(self) -> str:
        if self.error is not None:
            return f"Result({self.verdict}, {self.error})"
        count = len(self.regions)
        return f"Result({self.verdict}, {self.score_in_words}, {count or 'no'} region{'' if count == 1 else 's'})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Result) and _same_fields(self, other, but=("timings", "picture"))

    def __hash__(self) -> int:
        return hash((self.path, self.verdict, finite(self.score), self.error))

    @property
    def score_in_words(self) -> str:
        """The score, and how far from the threshold it is."""
        return f"{self.score:.3g}{', ' if math.isnan(self.times_threshold) else ' = '}{self.from_threshold}"

    def to_dict(self, *, arrays: bool = False) -> dict[str, Any]:
        """Plain values for JSON; what is not a number, as the score of an ERROR, is None.

        `arrays=True` adds `anomaly_map` and `mask` (lists of H rows of W values) and `matches`: some 20 bytes a pixel.
        """
        plain: dict[str, Any] = {
            "path": self.path,
            "verdict": str(self.verdict),
            "score": finite(self.score),
            "threshold": finite(self.threshold),
            "review_threshold": finite(self.review_threshold),
            "times_threshold": finite(self.times_threshold),
            "percentile": finite(self.percentile),
            "model": self.model,
            "regions": [region.to_dict() for region in self.regions],
            "nearest": self.nearest and self.nearest.to_dict(),
            "timings": dict(self.timings),
            "error": self.error,
            "unmeasured": self.unmeasured,
            "note": self.note,
        }
        if arrays:
            plain["anomaly_map"], plain["mask"] = _plain(self.anomaly_map), _plain(self.mask)
            plain["matches"] = self.matches and self.matches.to_dict()
        return plain

    def image(self) -> Bytes:
        """The pixels that were scored, uint8 RGB (H x W x 3); 16-bit and float values through the model's range.

        Raises DataError where there are none, as for an ERROR.
        """
        return self._drawable().image()

    def overlay(self, *, caption: bool = True) -> Bytes:
        """The picture that `blemish inspect --overlays` writes, uint8 RGB: heat, outlines and a strip with the score.

        It is drawn over the pixels that were scored, whatever has become of the file since. The strip stands below the
        image; `caption=False` leaves it out, so that the picture is as large as the image (H x W x 3).
        Raises DataError where there are no pixels, as for an ERROR.
        """
        picture = self._drawable()
        return picture.overlay(self) if caption else picture.heat(self)

    def plot(self, axes: Any = None) -> Any:
        """Draw heat and outlines with matplotlib, into `axes` or new ones, under the score; returns the axes.

        Raises OptionError where matplotlib is not installed, DataError where there are no pixels.
        """
        drawn = self.overlay(caption=False)
        try:
            from matplotlib import pyplot
        except ImportError:
            raise OptionError("plot() needs matplotlib, which is not installed: pip install 'blemish[plot]'") from None
        axes = pyplot.subplots()[1] if axes is None else axes
        axes.imshow(drawn)
        axes.set_title(f"{self.verdict}  {self.score_in_words}")
        axes.set_axis_off()
        return axes

    def _repr_html_(self) -> str:
        """What notebooks show."""
        return self.picture.html(self) if self.picture else f"<pre>{escape(repr(self))}</pre>"

    def _drawable(self) -> Picture:
        if self.picture is None:
            why = self.error or "the result was not made by a detector."
            raise DataError(f"There is no picture of {self.path}: {why}")
        return self.picture


def finite(value: float) -> float | None:
    """The value; None for what JSON has no number for."""
    return float(value) if math.isfinite(value) else None


def _plain(value: Array | tuple[int, ...] | None) -> Any:
    """An array as lists, NaN and infinity as None."""
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind != "f" or np.isfinite(value).all():
        return value.tolist()
    plain = value.astype(object)
    plain[~np.isfinite(value)] = None
    return plain.tolist()


def _same_fields(one: Any, other: Any, but: tuple[str, ...] = ()) -> bool:
    names = (each.name for each in fields(one) if each.name not in but)
    return all(_same(getattr(one, name), getattr(other, name)) for name in names)


def _same(one: object, other: object) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return type(one) is type(other) and bool(one == other)
