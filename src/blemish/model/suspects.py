"""The good images of a model that look like defects: who they are, what they do to the threshold, leaving them out."""

from collections.abc import Sequence

import numpy as np

from blemish.arrays import Bools
from blemish.calibration.cross_fit import thresholds_of
from blemish.calibration.held_out import HeldOut
from blemish.calibration.suspects import suspect_places
from blemish.calibration.thresholds import Calibration
from blemish.images.training_image import TrainingImage
from blemish.model.feedback import removed
from blemish.model.manifest import Change
from blemish.model.model import Model

__all__ = ["calibration_without", "marked", "suspects", "tell_left_out", "tell_suspects", "without_suspects"]

TOLD = 5
"""Suspects that a sentence names."""


def marked(images: Sequence[TrainingImage], seen: HeldOut) -> list[TrainingImage]:
    """The images, with the score of each suspect; `seen` holds what they score by a memory without them."""
    score_of = {int(seen.image_M[place]): float(seen.scores_M[place]) for place in suspect_places(seen.suspicion_M)}
    return [
        image.model_copy(update={"suspect": score_of[number]}) if number in score_of else image
        for number, image in enumerate(images)
    ]


def suspects(images: Sequence[TrainingImage]) -> list[TrainingImage]:
    """Those of the images that look like defects, the highest score first."""
    return sorted((image for image in images if image.suspect is not None), key=lambda image: -(image.suspect or 0.0))


def without_suspects(model: Model, *, who: str | None = None) -> Model:
    """The model without the suspects in memory and calibration. Raises DataError where no image would remain."""
    return removed(model, np.flatnonzero(_suspected(model)), who=who)


def calibration_without(model: Model) -> Calibration:
    """The thresholds that the scores of all images but the suspects would give."""
    images, now = model.manifest.images, model.manifest.calibration
    rest = model.held_out.only(~_suspected(model))
    return thresholds_of(rest, [image.group for image in images], now.wanted, now.mode, was=now)


def tell_suspects(model: Model) -> str:
    """Who looks like a defect, and what the threshold would be without them; empty where nobody does."""
    found = suspects(model.manifest.images)
    if not found:
        return ""
    now, then = model.manifest.calibration.threshold, calibration_without(model).threshold
    return (
        f"{len(found)} of {len(model.manifest.images)} good images look like defects: {_named(found)}. "
        f"The threshold is {now:.4g}; without them it would be {then:.4g}."
    )


def tell_left_out(changes: Sequence[Change], model: str) -> str:
    """Which suspects these changes of a model, as its file is typed, left out, and how they come back; or nothing."""
    images = [image for change in changes for image in change.images]
    if not images:
        return ""
    named = _named(suspects(images))
    return f"Left out, as they look like defects: {named}. They come back by: blemish feedback undo {model}"


def _named(found: Sequence[TrainingImage]) -> str:
    """The first of them with their scores, and how many more there are."""
    names = ", ".join(f"{image.path} ({image.suspect:.4g})" for image in found[:TOLD])
    return f"{names} and {len(found) - TOLD} more" if len(found) > TOLD else names


def _suspected(model: Model) -> Bools:
    return np.array([image.suspect is not None for image in model.manifest.images], np.bool_)
