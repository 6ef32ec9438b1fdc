"""Thresholds from held-out good images: every image is scored by a memory that never saw its group."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from blemish.arrays import Bools, Doubles, Ints
from blemish.errors import DataError
from blemish.progress import Progress, silent

__all__ = ["Calibration", "HeldOut", "calibrate", "divide"]

HeldOutScores = Callable[[Bools], tuple[Doubles, Doubles]]
"""Given which images are held out: their image scores and map peaks, by a memory of the others."""


class Calibration(BaseModel):
    """Where good ends: the stated quantile of held-out good images' scores, and of the peaks of their maps."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float
    map_threshold: float
    quantile: float
    folds: int
    images: int
    groups: int

    def __str__(self) -> str:
        return (
            f"threshold {self.threshold:.4g}: the {self.quantile:.1%} quantile of {self.images} good images "
            f"({self.groups} groups), each scored by a memory without its fold ({self.folds} folds)"
        )


@dataclass(frozen=True)
class HeldOut:
    """What good training images score by a memory that never saw their group."""

    image_M: Ints
    """The images, by number: all of them, or those of the one fold held out for good."""
    scores_M: Doubles
    peaks_M: Doubles
    """The highest value of each map; the score again where the method draws none."""


def divide(groups: Sequence[str], folds: int, seed: int) -> Ints:
    """The fold of each image: groups are dealt out in random order, never divided. Raises DataError for one group."""
    names = sorted(set(groups))
    if len(names) < 2:
        raise DataError(
            f"The {len(groups)} good image(s) form {len(names)} group(s); at least 2 good images of different parts "
            f"are needed to set a threshold, and 20 or more to trust it."
        )
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[group]: position % min(folds, len(names)) for position, group in enumerate(order)}
    return np.array([fold_of[group] for group in groups], np.int64)


def calibrate(
    score_held_out: HeldOutScores,
    groups: Sequence[str],
    *,
    quantile: float,
    folds: int,
    seed: int,
    once: bool = False,
    progress: Progress = silent,
) -> tuple[Calibration, HeldOut]:
    """Score each fold of good images by a memory of the others; only the first where that can be done just `once`."""
    fold_of = divide(groups, folds, seed)
    count = int(fold_of.max()) + 1
    scores, peaks = np.empty(len(groups)), np.empty(len(groups))
    for fold in range(1 if once else count):
        held_out = fold_of == fold
        scores[held_out], peaks[held_out] = score_held_out(held_out)
        progress("threshold", fold + 1, 1 if once else count)
    image_M = np.flatnonzero(fold_of == 0) if once else np.arange(len(groups))
    scores, peaks = scores[image_M], peaks[image_M]
    calibration = Calibration(
        # "higher" takes a score that was seen: no interpolation towards a smaller one.
        threshold=float(np.quantile(scores, quantile, method="higher")),
        map_threshold=float(np.quantile(peaks, quantile, method="higher")),
        quantile=quantile,
        folds=count,
        images=len(image_M),
        groups=len({groups[int(image)] for image in image_M}),
    )
    return calibration, HeldOut(image_M, scores, peaks)
