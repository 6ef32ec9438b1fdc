"""The way of one image, from what came to its result: looked at, scored by the method, judged and explained.

`Inspector` walks all of it for a model; its last part, `judged`, is that of exports as well (export/artefact.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from blemish.calibration.held_out import HeldOut
from blemish.errors import ImageError
from blemish.features.patches import AnyExtractor, Clock, Look, look
from blemish.images.read import Channels, Source, image_name, read_image
from blemish.images.training_image import TrainingImage
from blemish.images.transform import View, Viewer, pixels_digest
from blemish.language.numbers import percent
from blemish.methods.method import Scores
from blemish.model.model import Model
from blemish.result import Result, Verdict
from blemish.scoring.heatmap import Reasons, find_regions
from blemish.scoring.picture import InspectedImage, Levels

__all__ = ["Inspector", "Thresholds", "Usual", "digest_of", "drawn_in", "judged", "verdict_of"]

LEAST_MEASURED = 0.5
"""An image of which less was measured than this share of what the least measured good image has is an error."""
LEAST_END = 1 / 32
"""A constant end is named from this share of the height or the width on: a row of JPEG blocks in 512 pixels."""
LONGER_END = 2.0
"""Where good images have constant ends, from this multiple of the longest of them on."""


class Thresholds(Levels, Protocol):
    """Where good ends: what a calibration says, and an export."""

    @property
    def threshold(self) -> float: ...
    @property
    def review_threshold(self) -> float: ...
    @property
    def map_floor(self) -> float | None: ...
    @property
    def rise(self) -> float: ...


@dataclass(frozen=True)
class Usual:
    """What the good images of a model lack themselves."""

    end: float | None
    """Their longest constant end, as a share; None where the model is older than that."""
    measured: float | None
    """The share of pixels that was measured of the one with the fewest; None likewise."""

    @classmethod
    def of(cls, images: Iterable[TrainingImage]) -> "Usual":
        """Of all images that the model knows."""
        known = list(images)
        ends, measured = (_all_known([getattr(each, name) for each in known]) for name in ("end", "measured"))
        return cls(max(ends, default=None), min(measured, default=None))

    def check_measured(self, view: View) -> None:
        """Raise ImageError where so little of an image was measured that no verdict can be given."""
        least = LEAST_MEASURED * (1.0 if self.measured is None else self.measured)
        pixels = view.image_height * view.image_width
        seen = pixels - view.unmeasured
        if seen < least * pixels:
            raise ImageError(
                f"{view.name} was measured at {percent(seen / pixels)} of its pixels only; a verdict takes "
                f"{percent(least)}, half of what the least measured good image has. Take it again."
            )

    def doubt(self, end: float) -> str | None:
        """Why an image with such a constant end needs a look; None where it does not."""
        if self.end is None or end < max(LEAST_END, LONGER_END * self.end):
            return None
        return f"The last {percent(end)} of the image are one constant value, as in no good image: was it taken whole?"


def _all_known(values: Sequence[float | None]) -> list[float]:
    """The values; none where one is not known."""
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else []


@dataclass(frozen=True, eq=False)
class Inspector:
    """Inspects single images by one model, each on the extractor that it is given."""

    model: Model
    viewer: Viewer
    """How every image is read and looked at."""

    @cached_property
    def usual(self) -> Usual:
        """What the good images lack themselves."""
        return Usual.of(self.model.manifest.images)

    def inspect(self, image: Source, extractor: AnyExtractor, channels: Channels = "RGB") -> Result:
        """The whole way of one image. Raises ImageError where it cannot be used."""
        clock, model = Clock(), self.model
        try:
            answer, seen = self.score(image, extractor, channels, clock)
            return judged(
                answer,
                seen.kept,
                seen.view,
                self.viewer,
                thresholds=model.manifest.calibration,
                images=model.manifest.images,
                good=model.held_out,
                usual=self.usual,
                clock=clock,
                version=model.version,
            )
        except MemoryError:
            raise ImageError(f"{image_name(image)} does not fit in memory; tile or shrink it first.") from None

    def inspect_or_error(self, image: Source, extractor: AnyExtractor, channels: Channels = "RGB") -> Result:
        """The same, where an image that cannot be used has the verdict ERROR."""
        try:
            return self.inspect(image, extractor, channels)
        except ImageError as error:
            name, model = image_name(image), self.model
            threshold = model.manifest.calibration.threshold
            return Result(name, Verdict.ERROR, float("nan"), threshold, error=str(error), model=model.version)

    def score(
        self, image: Source, extractor: AnyExtractor, channels: Channels = "RGB", clock: Clock | None = None
    ) -> tuple[Scores, Look]:
        """What the method says of one image, and what was looked at. Raises ImageError."""
        clock = clock or Clock()
        seen = look(image, self.viewer, extractor, channels=channels, clock=clock)
        self.usual.check_measured(seen.view)
        try:
            answer = self.model.method.score(seen.features, threads=extractor.threads)
        except ImageError as error:
            raise ImageError(f"{image_name(image)} {error}") from None
        clock.lap("search")
        return answer, seen


def digest_of(viewer: Viewer, image: Source) -> str:
    """The digest of an image's pixels as the network sees them; empty where it cannot be read."""
    try:
        return pixels_digest(viewer(read_image(image, rules=viewer.rules), image_name(image))[0])
    except ImageError:
        return ""


def judged(
    answer: Scores,
    kept: Source,
    view: View,
    viewer: Viewer,
    *,
    thresholds: Thresholds,
    images: Sequence[TrainingImage],
    good: HeldOut,
    usual: Usual,
    clock: Clock,
    version: str,
) -> Result:
    """The result of one image that a method has scored.

    Args:
        answer: What the method says of it.
        kept: Gives its pixels again, to draw on.
        view: How it was looked at.
        viewer: How every image is looked at.
        thresholds: Where good ends.
        images: The good images, by the numbers that `answer.matches` has.
        good: What good images score by a memory that has not seen them.
        usual: What good images lack themselves; an image that lacks more is REVIEW at least.
        clock: What times the steps.
        version: The version of the model.

    Raises:
        ImageError: The score is not finite.
    """
    if not np.isfinite(answer.image):
        raise ImageError(f"{view.name} scores {answer.image}, which is not finite; it cannot be judged.")
    verdict, note = verdict_of(answer.image, thresholds), usual.doubt(view.end)
    map_HW = None if answer.map_HW is None else view.to_image(answer.map_HW)
    rise = drawn_in(answer.floor, thresholds) if answer.peak > thresholds.map_threshold else 0.0
    levels = thresholds.map_threshold, thresholds.map_extent, rise
    mask_HW, regions = (None, []) if map_HW is None else find_regions(map_HW, *levels)
    clock.lap("map")
    reasons = Reasons(answer.matches, view, viewer, images) if answer.matches else None
    return Result(
        path=view.name,
        verdict=Verdict.REVIEW if note and verdict is Verdict.OK else verdict,
        score=answer.image,
        threshold=thresholds.threshold,
        review_threshold=thresholds.review_threshold,
        percentile=good.percentile(answer.image),
        anomaly_map=map_HW,
        mask=mask_HW,
        regions=[reasons.explain(region) for region in regions] if reasons else regions,
        nearest=reasons.nearest() if reasons else None,
        matches=answer.matches,
        timings=clock.seconds,
        picture=InspectedImage(kept, viewer.transform, thresholds, viewer.rules, rise),
        model=version,
        unmeasured=view.unmeasured,
        note=note,
        is_distance=answer.is_distance,
    )


def verdict_of(score: float, thresholds: Thresholds) -> Verdict:
    """OK up to the review threshold, REVIEW up to the threshold, NG above it."""
    if score > thresholds.threshold:
        return Verdict.NG
    return Verdict.REVIEW if score > thresholds.review_threshold else Verdict.OK


def drawn_in(floor: float, thresholds: Thresholds) -> float:
    """By how much regions end higher in an image whose map has this floor (`Scores.floor`).

    Where even the calmest part of an image lies above that of good ones, all of it deviates (its light, its whole
    surface), and what passes the extent of good parts is the image, not the defect.
    """
    return 0.0 if thresholds.map_floor is None else thresholds.rise * max(0.0, floor - thresholds.map_floor)
