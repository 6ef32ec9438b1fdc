"""Run an export beside its model on the user's images: the largest differences of score and map, and every verdict."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from blemish.arrays import Floats
from blemish.detector import Detector
from blemish.errors import DataError, ImageError
from blemish.export.artefact import Artefact
from blemish.images.read import Source, image_name
from blemish.methods.patchcore import PatchCore
from blemish.result import Result, Verdict

__all__ = ["Agreement", "Judged", "Tally", "both", "compare"]

MOST = 1e-5
"""The largest relative difference of scores and maps that an export in float32 may have."""


class Judged(NamedTuple):
    """What is compared of one image; the map is at the image's own size, None where a method has none."""

    score: float
    map: Floats | None
    verdict: Verdict

    @classmethod
    def of(cls, result: Result) -> "Judged":
        """What a detector or an artefact says."""
        return cls(result.score, result.anomaly_map, result.verdict)


@dataclass(frozen=True)
class Agreement:
    """How far an export and its model are apart on some images."""

    images: int
    score: float
    """The largest difference of two scores, over the model's."""
    map: float
    """The largest difference of two maps anywhere, over the largest value of the model's map; 0 without maps.

    Both are counted from what an image at no distance from the memory has, which is 0 but where looks are joined.
    """
    verdicts: list[str]
    """The images whose verdicts differ; at the threshold itself, rounding can decide."""
    refused: int
    """Images that both refuse; not among those counted."""

    @property
    def good(self) -> bool:
        """Whether nothing is farther apart than MOST, and no verdict differs."""
        return max(self.score, self.map) <= MOST and not self.verdicts

    def __str__(self) -> str:
        refused = f"; {self.refused} refused by both" if self.refused else ""
        differing = f": {', '.join(self.verdicts[:3])}" if self.verdicts else ""
        return (
            f"{self.images} images: scores differ by at most {self.score:.1e} of their size, maps by {self.map:.1e} of "
            f"their peak, {len(self.verdicts)} verdicts{differing}{refused}"
        )


@dataclass
class Tally:
    """Collects an agreement image by image."""

    zero: tuple[float, float] = (0.0, 0.0)
    """Score and map of an image at no distance from the memory."""
    score: float = 0.0
    map: float = 0.0
    count: int = 0
    refused: int = 0
    verdicts: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, detector: Detector) -> "Tally":
        """A tally of what this model says; scores of joined looks are distances on a scale whose zero is elsewhere."""
        method = detector.model.method
        return cls(method.zero) if isinstance(method, PatchCore) else cls()

    def add(self, name: str, ours: Judged, theirs: Judged) -> None:
        """Compare what the model (ours) and an export say of one image."""
        self.count += 1
        score, pixel = self.zero
        self.score = max(self.score, apart(np.float32(ours.score), np.float32(theirs.score), score))
        if ours.map is not None and theirs.map is not None:
            self.map = max(self.map, apart(ours.map, theirs.map, pixel))
        if ours.verdict is not theirs.verdict:
            self.verdicts.append(name)

    def found(self) -> Agreement:
        """Raises DataError where no image was judged."""
        if not self.count:
            raise DataError("No image could be compared: the model refuses all of them.")
        return Agreement(self.count, self.score, self.map, self.verdicts, self.refused)


def compare(detector: Detector, artefact: Artefact, images: Iterable[Source]) -> Agreement:
    """Inspect images by both. Raises DataError for an image that only one of them refuses, and where none is judged."""
    tally = Tally.of(detector)
    for image in images:
        ours, theirs = both(detector, artefact, image)
        if ours is None or theirs is None:
            tally.refused += 1
        else:
            tally.add(image_name(image), Judged.of(ours), Judged.of(theirs))
    return tally.found()


def apart(ours: Floats | np.float32, theirs: Floats | np.float32, zero: float = 0.0) -> float:
    """The largest difference over the largest value of ours from `zero`; NaN (not looked at) must be in both."""
    seen = np.isfinite(ours)
    if not np.array_equal(seen, np.isfinite(theirs)):
        return float("inf")
    if not seen.any():
        return 0.0
    ours_P, theirs_P = (np.asarray(each, np.float64)[seen] for each in (ours, theirs))
    difference, largest = float(np.abs(ours_P - theirs_P).max()), float(np.abs(ours_P - zero).max())
    return difference / largest if largest else difference


def both(detector: Detector, artefact: Artefact, image: Source) -> tuple[Result | None, Result | None]:
    """What model and export say of an image; None where they refuse it. Raises DataError where only one does."""
    results: list[Result | None] = []
    sentences = []
    for inspect in (detector.inspect, artefact.inspect):
        try:
            results.append(inspect(image))
        except ImageError as error:
            results.append(None)
            sentences.append(str(error))
    if len(sentences) == 1:
        raise DataError(f"Only one of model and export judges {image_name(image)}: {sentences[0]}")
    return results[0], results[1]
