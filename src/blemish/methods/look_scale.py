"""What brings a look to scale: good images it has not seen, each scored by its bank without the rows of their fold.

They tell how far good patches usually lie from each row, and where looks are joined, what their maps say.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from blemish.arrays import Floats, Ints
from blemish.errors import DataError
from blemish.features.patches import ImagePatches
from blemish.memory.training import Patches
from blemish.methods.look import Look, Scale
from blemish.methods.patchcore import PatchScores, compare
from blemish.scoring.heatmap import map_score
from blemish.scoring.score import row_scale

__all__ = ["OVERALL", "Unseen", "look_unseen", "with_peak_scale", "with_row_scale"]

FOLDS = 20
"""Parts the images of a memory are divided into, so that a bank without one is nearly the one that inspects."""
IMAGES = 120
"""Images, evenly spread, that tell the scales: enough for the deviation of a look's peaks known to 7 %."""
OVERALL = 0.75
"""How much the mean of a map counts beside its peak, where looks are joined: chosen on halves of four data sets, where
all of 0.5 to 1 find nearly the same (docs/methods.md)."""
AROUND = 10
"""Rows that speak for each other, since few good patches come nearest to any one of them."""

DrawMap = Callable[[Look, ImagePatches, PatchScores], Floats]


@dataclass(frozen=True)
class Unseen:
    """A good image as the bank without its fold answers it."""

    image: int
    answer: PatchScores
    """Its nearest rows are those of the whole bank, by number."""


def look_unseen(look: Look, patches: Patches, images: Ints, part_of: Ints, threads: int) -> list[Unseen]:
    """Score some of these images, which the look was fitted on, each without the rows of its fold.

    `part_of` numbers the part that each image shows; images of a fold that holds all rows are left out.
    """
    some, fold_of = images[:: -(-len(images) // IMAGES)], _folds(part_of)
    answers: list[Unseen] = []
    for fold in range(fold_of.max() + 1):
        gone = images[fold_of == fold]
        if (other := look.without(gone)) is None:
            continue
        kept = np.flatnonzero(~np.isin(look.bank.image_K, gone))
        own = some[np.isin(some, gone)].tolist()
        answers += patches.each(partial(_answer, other, kept), own, threads=threads)
    return answers


def with_row_scale(look: Look, unseen: Sequence[Unseen], threads: int) -> Look:
    """The look with the scale of each row."""
    if not unseen:
        return look
    rows_KD = np.asarray(look.bank.rows_KD, np.float32)
    _, around_Kn = look.search.query(rows_KD, min(AROUND, len(rows_KD)), threads=threads)
    scores_Q = np.concatenate([each.answer.scores_Q for each in unseen])
    scale_K = row_scale(scores_Q, np.concatenate([each.answer.nearest_Q for each in unseen]), around_Kn)
    return replace(look, bank=replace(look.bank, scale_K=scale_K))


def with_peak_scale(look: Look, patches: Patches, unseen: Sequence[Unseen], draw: DrawMap, threads: int) -> Look:
    """The look with mean and deviation of its map's peaks, and of what its maps over the scale of its rows say.

    Raises DataError where all are 0.
    """
    answer_of = {each.image: each.answer for each in unseen}
    of_images = list(patches.each(partial(_peaks, look, draw, answer_of), list(answer_of), threads=threads))
    if not any(plain for plain, _ in of_images):
        raise DataError(
            f"The {len(unseen)} good images are copies of each other to the last patch; "
            f"leave copies out, and give one group to the images of one part."
        )
    scale, peak_scale = (_scale(column) for column in zip(*of_images, strict=True))
    return look.scaled(scale, peak_scale, OVERALL)


def _answer(other: Look, kept_K: Ints, image: int, patches: ImagePatches) -> Unseen:
    """What the bank without its fold answers an image, `kept_K` being the numbers of its rows in the whole bank."""
    found = compare(other, patches, 1)
    return Unseen(image, replace(found, nearest_Q=kept_K[found.nearest_Q]))


def _peaks(
    look: Look, draw: DrawMap, answer_of: Mapping[int, PatchScores], image: int, patches: ImagePatches
) -> tuple[float, float]:
    """The peak of the map of one image, and what its map over the scale of the rows says."""
    plain, over = (draw(look, patches, each) for each in (answer_of[image], answer_of[image].over(look.bank.scale_K)))
    return float(plain.max()), map_score(over, OVERALL)


def _scale(peaks: Sequence[float]) -> Scale:
    mean, deviation = float(np.mean(peaks)), float(np.std(peaks))
    return mean, deviation if deviation > 1e-6 * mean else mean


def _folds(part_of: Ints) -> Ints:
    """The fold of each image: parts are dealt out in order, never divided unless there is one only."""
    _, part_of = np.unique(part_of, return_inverse=True)
    if part_of.max() == 0:
        part_of = np.arange(len(part_of))
    return np.asarray(part_of % FOLDS, np.int64)
