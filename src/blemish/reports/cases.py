"""The images a report shows: each with its map, the part as the memory would have it, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blemish.arrays import Bytes
from blemish.data.samples import Sample
from blemish.detector import Detector
from blemish.errors import ImageError
from blemish.evaluation.evaluation import Prediction
from blemish.evaluation.masks import sample_mask
from blemish.reports.html import Html, element, picture
from blemish.reports.reconstruction import GoodPictures, as_remembered, pair
from blemish.reports.words import Words
from blemish.result import Result
from blemish.scoring.heatmap import find_regions
from blemish.scoring.picture import outlined

__all__ = ["Cases", "verdict"]

REGIONS = 2
"""The number of regions of a case that are set beside their nearest good patches."""


@dataclass
class Cases:
    """Draws images of one detector, and remembers how long each step took."""

    detector: Detector
    words: Words
    masked: Mapping[str, Sample]
    """The samples whose defects a mask marks, by the path of their image."""

    def __post_init__(self) -> None:
        self.timings: list[dict[str, float]] = []
        self.without_maps = False
        """Whether the method draws none, as those do that score an image as a whole."""
        self._good = GoodPictures(self.detector.manifest)

    @property
    def missing(self) -> list[str]:
        """Training images that were asked for and are not there any more."""
        return sorted(self._good.missing)

    def drawn(self, predictions: Sequence[Prediction]) -> Html:
        """The images of these predictions, inspected once more, in order."""
        if not predictions:
            return element("p", self.words("none"))
        return element("div", *(self._case(each) for each in predictions), class_="cases")

    def _case(self, prediction: Prediction) -> Html:
        try:
            result = self.detector.inspect(prediction.path)
        except ImageError as error:  # it was there a moment ago
            return element(
                "figure", element("figcaption", prediction.path, ": ", self.words.sentence(str(error))), class_="case"
            )
        self.timings.append(result.timings)
        image = result.image()
        shown = [(picture(image, self.words("image")), self.words("image"))]
        if result.anomaly_map is None:
            self.without_maps = True
        else:
            shown.append((picture(result.overlay(caption=False), self.words("overlay")), self.words("overlay")))
        if prediction.path in self.masked:
            known = _marked(image, self.masked[prediction.path])
            shown.append((picture(known, self.words("known")), self.words("known")))
        if result.matches is not None:
            remembered = as_remembered(image, result.matches, self._good)
            name = self.words("nearest image") if _as_a_whole(result) else self.words("remembered")
            shown.append((picture(remembered, name), name))
        return element(
            "figure",
            element("figcaption", verdict(result), " ", *self._named(prediction)),
            _row(shown),
            self._why(image, result),
            class_="case",
        )

    def _named(self, prediction: Prediction) -> list[object]:
        kind = f" · {prediction.defect}" if prediction.label else ""
        return [f"{prediction.score:.4g}{kind} · ", element("code", Path(prediction.path).name, title=prediction.path)]

    def _why(self, image: Bytes, result: Result) -> Html | None:
        """The most anomalous patch of each region, or of the image where it has none, beside the nearest good one."""
        if _as_a_whole(result):
            return None
        nearest = [region.nearest[0] for region in result.regions[:REGIONS] if region.nearest]
        if not nearest and result.nearest is not None:
            nearest = [result.nearest]
        shown = []
        for each in (pair(image, good, self._good) for good in nearest):
            shown.append((picture(each.image_SS3, self.words("deviates")), self.words("deviates")))
            if each.good_SS3 is not None:
                label = f"{self.words('nearest good')} ({self.words('distance')} {each.nearest.distance:.3g})"
                shown.append((picture(each.good_SS3, f"{label}: {Path(each.nearest.path).name}"), label))
        return _row(shown) if shown else None


def _as_a_whole(result: Result) -> bool:
    """Whether the image was compared with good ones as a whole, not patch by patch."""
    return result.matches is not None and result.matches.grid == (1, 1)


def _marked(image: Bytes, sample: Sample) -> Bytes:
    """The image with its known defects outlined."""
    return outlined(image, find_regions(sample_mask(sample, image.shape[:2]).astype(np.float32), 0.5)[1])


def verdict(result: Result) -> Html:
    """The verdict in words, coloured beside."""
    return element("span", result.verdict, class_=f"verdict {result.verdict}")


def _row(pictures: Sequence[tuple[Html, str]]) -> Html:
    cells = (element("div", drawn, element("span", label)) for drawn, label in pictures)
    return element("div", *cells, class_=f"pictures of-{len(pictures)}")
