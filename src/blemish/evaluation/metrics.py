"""How well image scores part defective from good: AUROC, average precision and the best F1.

All three follow from one sweep of the threshold from the highest score down, in which equal scores enter together.
R resamples (one row of weights each, see bootstrap.py), S samples, U distinct scores.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blemish.arrays import Array, Bools, Doubles
from blemish.errors import DataError

__all__ = ["F1Max", "Sweep", "auroc", "average_precision", "f1_max", "sweep"]


@dataclass(frozen=True)
class F1Max:
    """The best F1 that any threshold reaches, and that threshold: an oracle, for it is chosen on the test images."""

    value: float
    threshold: float
    """An image is called defective when its score is at least this."""


@dataclass(frozen=True)
class Sweep:
    """The weight of good and of defective images that enters at each distinct score, from the highest down."""

    thresholds_U: Doubles
    good_RU: Doubles
    defective_RU: Doubles

    def auroc_R(self) -> Doubles:
        """The chance that a defective image scores above a good one, ties counting half (Mann-Whitney)."""
        above_RU = self.defective_RU.cumsum(axis=1) - self.defective_RU / 2
        pairs_R = self.good_RU.sum(axis=1) * self.defective_RU.sum(axis=1)
        return _ratio((self.good_RU * above_RU).sum(axis=1), pairs_R)

    def average_precision_R(self) -> Doubles:
        """The precision at each score, weighted by the recall gained there: steps, never trapezoids."""
        found_RU = self.defective_RU.cumsum(axis=1)
        precision_RU = _ratio(found_RU, found_RU + self.good_RU.cumsum(axis=1))
        # A score without weight has gained nothing, whatever its precision.
        gained_RU = np.where(self.defective_RU > 0, self.defective_RU * precision_RU, 0.0)
        return _ratio(gained_RU.sum(axis=1), self.defective_RU.sum(axis=1))

    def f1_RU(self) -> Doubles:
        """F1 = 2 TP / (2 TP + FP + FN) with the threshold at each distinct score."""
        found_RU = self.defective_RU.cumsum(axis=1)
        called_RU = found_RU + self.good_RU.cumsum(axis=1)
        return _ratio(2 * found_RU, called_RU + self.defective_RU.sum(axis=1, keepdims=True))


def sweep(scores: Array | Sequence[float], labels: Array | Sequence[int], weights_RS: Doubles | None = None) -> Sweep:
    """Sort S scores (higher is more anomalous) with their labels (0 good, 1 defective), and join equal ones.

    Raises DataError, in words, for NaN scores and unless there are both good and defective images.
    """
    scores_S, defective_S = _checked(np.asarray(scores, np.float64), np.asarray(labels))
    weights_RS = np.ones((1, scores_S.size)) if weights_RS is None else weights_RS
    order_S = np.argsort(-scores_S, kind="stable")
    sorted_S, sorted_RS = scores_S[order_S], weights_RS[:, order_S]
    first_U = np.flatnonzero(np.concatenate([[True], sorted_S[1:] != sorted_S[:-1]]))
    return Sweep(
        thresholds_U=sorted_S[first_U],
        good_RU=np.add.reduceat(sorted_RS * ~defective_S[order_S], first_U, axis=1),
        defective_RU=np.add.reduceat(sorted_RS * defective_S[order_S], first_U, axis=1),
    )


def auroc(scores: Array | Sequence[float], labels: Array | Sequence[int]) -> float:
    """Area under the ROC curve, exact with ties. Raises DataError as `sweep`."""
    return float(sweep(scores, labels).auroc_R()[0])


def average_precision(scores: Array | Sequence[float], labels: Array | Sequence[int]) -> float:
    """Area under the precision-recall curve, in steps. Raises DataError as `sweep`."""
    return float(sweep(scores, labels).average_precision_R()[0])


def f1_max(scores: Array | Sequence[float], labels: Array | Sequence[int]) -> F1Max:
    """The best F1 over all thresholds; of equal ones, the highest threshold. Raises DataError as `sweep`."""
    swept = sweep(scores, labels)
    f1_U = swept.f1_RU()[0]
    best = int(f1_U.argmax())
    return F1Max(float(f1_U[best]), float(swept.thresholds_U[best]))


def _checked(scores_S: Doubles, labels_S: Array) -> tuple[Doubles, Bools]:
    """Scores, and which of them are of defective images, or DataError where no metric is defined."""
    if scores_S.ndim != 1 or scores_S.shape != labels_S.shape:
        raise DataError(f"{scores_S.size} scores came with {labels_S.size} labels; give one label for each score.")
    if np.isnan(scores_S).any():
        raise DataError(f"{np.isnan(scores_S).sum()} of {scores_S.size} scores are NaN; leave those images out.")
    if not np.isin(labels_S, (0, 1)).all():
        raise DataError("Labels are 0 for good and 1 for defective; others came.")
    defective_S = labels_S.astype(bool)
    if not defective_S.any() or defective_S.all():
        raise DataError(
            f"Image metrics need good and defective images; there are {int((~defective_S).sum())} good and "
            f"{int(defective_S.sum())} defective."
        )
    return scores_S, defective_S


def _ratio(over: Doubles, under: Doubles) -> Doubles:
    """Division that answers NaN, without a warning, where nothing is divided by nothing."""
    with np.errstate(invalid="ignore"):
        return np.asarray(over / under)
