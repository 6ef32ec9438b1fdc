"""Good images that the memory has not seen: which of them, and what they score.

The unit is the group (the part). Pictures of one part resemble each other, so a group is never divided: either the
memory has seen it, or it has not.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from blemish.arrays import Bools, Doubles, Ints
from blemish.calibration.promise import parts_needed
from blemish.calibration.suspects import joint_suspicion, suspicion
from blemish.errors import DataError, OptionError
from blemish.options.settings import Settings
from blemish.system.progress import Progress, silent

__all__ = ["HeldOut", "check_unseen", "cross_scores", "divide", "group_scores", "hold_out"]


MOST_CROSSED = 20_000
"""Parts that are scored fold after fold, at most; the parts that split holds out of so many allow a promise."""


@dataclass(frozen=True)
class HeldOut:
    """What good images score by a memory that has not seen their group."""

    image_M: Ints
    """The images, by number."""
    scores_M: Doubles
    peaks_M: Doubles
    """The highest value of each map; the score again where the method draws none."""
    floors_M: Doubles | None = None
    """What a twentieth of each map does not exceed (`Scores.floor`); None where a model file told, which keeps one."""
    rows_M: Doubles | None = None
    """How many rows each gave to the memory, NaN where it was not fitted on it; None where the method has no rows, or
    a model file told, which names the suspects."""

    @classmethod
    def answered(cls, image_M: Ints, numbers: Iterable[tuple[float, float, float]]) -> "HeldOut":
        """Of score, peak and floor of each image."""
        scores, peaks, floors = zip(*numbers, strict=True)
        return cls(image_M, np.array(scores), np.array(peaks), np.array(floors))

    @property
    def floor(self) -> float | None:
        """What nine in ten of the floors do not exceed."""
        return None if self.floors_M is None else float(np.sort(self.floors_M)[-1 - len(self.floors_M) // 10])

    def only(self, images_N: Bools) -> "HeldOut":
        """The scores of the images marked, of all images of the fit."""
        kept_M = images_N[self.image_M]
        floors_M, rows_M = (None if each_M is None else each_M[kept_M] for each_M in (self.floors_M, self.rows_M))
        return HeldOut(self.image_M[kept_M], self.scores_M[kept_M], self.peaks_M[kept_M], floors_M, rows_M)

    @property
    def suspicion_M(self) -> Doubles:
        """How much each looks like a defect (calibration/suspects.py)."""
        return suspicion(self.scores_M) if self.rows_M is None else joint_suspicion(self.scores_M, self.rows_M)

    def percentile(self, score: float) -> float:
        """The share, in per cent, of these images that score no higher than `score`."""
        return 100 * float((self.scores_M <= score).mean())


Unseen = Callable[[Bools], HeldOut]
"""Given which images are held out: what they score by a memory of the others."""


def hold_out(groups: Sequence[str], settings: Settings, *, refits: bool) -> Bools:
    """Which images are kept from the memory to calibrate on; none of them to cross-fit.

    `refits` says whether the method can be fitted once more for every fold. Raises DataError for fewer than two
    groups or where none would be left to fit on, OptionError where the method cannot be cross-fitted.
    """
    names = _group_names(groups)
    held = int(len(names) * settings.held_out) if settings.held_out < 1 else int(settings.held_out)
    enough = held >= parts_needed(settings.false_rejects, settings.confidence)
    if settings.calibration == "cross" and not refits:
        raise OptionError(
            f"Option calibration=cross cannot be used with the method {settings.method}: it would be trained once for "
            f"every fold; leave it out."
        )
    if settings.calibration == "cross" and len(names) > MOST_CROSSED and enough:
        raise OptionError(
            f"Option calibration=cross cannot be used with {len(names)} good parts: it only estimates, with a memory "
            f"bank or a fit for every fold, where split makes a promise; leave it out."
        )
    if settings.calibration == "cross" or (settings.calibration == "auto" and refits and not enough):
        return np.zeros(len(groups), np.bool_)
    if held >= len(names):
        raise DataError(
            f"Option held_out={held} leaves none of the {len(names)} good parts to learn from; give fewer, or more "
            f"good images."
        )
    order = np.random.default_rng(settings.seed).permutation(len(names))
    chosen = {names[group] for group in order[: max(1, held)]}
    return np.array([group in chosen for group in groups], np.bool_)


def divide(groups: Sequence[str], folds: int, seed: int) -> Ints:
    """The fold of each image: groups are dealt out in random order, never divided. Raises DataError for one group."""
    names = _group_names(groups)
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = {names[group]: position % min(folds, len(names)) for position, group in enumerate(order)}
    return np.array([fold_of[group] for group in groups], np.int64)


def _group_names(groups: Sequence[str]) -> list[str]:
    names = sorted(set(groups))
    if len(names) < 2:
        raise DataError(
            f"The {len(groups)} good image(s) form {len(names)} group(s); at least 2 good images of different parts "
            f"are needed to set a threshold, and 20 or more to trust it."
        )
    return names


def cross_scores(
    score: Unseen, groups: Sequence[str], *, folds: int, seed: int, progress: Progress = silent
) -> HeldOut:
    """What all good images score, each fold by a memory of the others."""
    fold_of = divide(groups, folds, seed)
    count = int(fold_of.max()) + 1
    scores, peaks, floors = np.empty(len(groups)), np.empty(len(groups)), np.full(len(groups), np.nan)
    for fold in range(count):
        unseen = score(fold_of == fold)
        scores[unseen.image_M], peaks[unseen.image_M] = unseen.scores_M, unseen.peaks_M
        if unseen.floors_M is not None:
            floors[unseen.image_M] = unseen.floors_M
        progress("threshold", fold + 1, count)
    return HeldOut(np.arange(len(groups)), scores, peaks, None if np.isnan(floors).any() else floors)


def check_unseen(scores: Doubles) -> None:
    """Raise DataError where scores of 0 show that the memory has seen every image before."""
    if not scores.any():
        raise DataError(
            f"The {len(scores)} good image(s) that set the threshold all score 0: the memory holds a copy of each. "
            f"Leave copies out, and give one group to the images of one part."
        )


def group_scores(scores: Doubles, groups: Sequence[str]) -> Doubles:
    """The highest score of each group, in the order of their names."""
    _, group_of = np.unique(np.asarray(groups), return_inverse=True)
    highest = np.full(group_of.max() + 1, -np.inf)
    np.maximum.at(highest, group_of, scores)
    return highest
