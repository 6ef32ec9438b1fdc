"""Run an export beside its model on the user's images: the largest differences of score and map, and every verdict."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from blemish.arrays import Floats
from blemish.detector import Detector
from blemish.errors import DataError, ImageError
from blemish.export.artefact import Artefact
from blemish.images.read import Source, image_name
from blemish.result import Result

__all__ = ["Agreement", "compare"]

MOST = 1e-5
"""The largest relative difference of scores and maps that an export in float32 may have."""


@dataclass(frozen=True)
class Agreement:
    """How far an export and its model are apart on some images."""

    images: int
    score: float
    """The largest difference of two scores, over the model's."""
    map: float
    """The largest difference of two maps anywhere, over the largest value of the model's map; 0 without maps."""
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


def compare(detector: Detector, artefact: Artefact, images: Iterable[Source]) -> Agreement:
    """Inspect images by both. Raises DataError for an image that only one of them refuses, and where none is judged."""
    count = refused = 0
    score = map_ = 0.0
    verdicts = []
    for name, ours, theirs in _both(detector, artefact, images):
        if ours is None or theirs is None:
            refused += 1
            continue
        count += 1
        score = max(score, apart(np.float32(ours.score), np.float32(theirs.score)))
        if ours.anomaly_map is not None and theirs.anomaly_map is not None:
            map_ = max(map_, apart(ours.anomaly_map, theirs.anomaly_map))
        if ours.verdict is not theirs.verdict:
            verdicts.append(name)
    if not count:
        raise DataError("No image could be compared: the model refuses all of them.")
    return Agreement(count, score, map_, verdicts, refused)


def apart(ours: Floats | np.float32, theirs: Floats | np.float32) -> float:
    """The largest difference over the largest value of ours; NaN, where nothing was looked at, must be in both."""
    seen = np.isfinite(ours)
    if not np.array_equal(seen, np.isfinite(theirs)):
        return float("inf")
    if not seen.any():
        return 0.0
    ours_P, theirs_P = (np.asarray(each, np.float64)[seen] for each in (ours, theirs))
    difference, largest = float(np.abs(ours_P - theirs_P).max()), float(np.abs(ours_P).max())
    return difference / largest if largest else difference


def _both(
    detector: Detector, artefact: Artefact, images: Iterable[Source]
) -> Iterator[tuple[str, Result | None, Result | None]]:
    for image in images:
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
        yield image_name(image), results[0], results[1]
