"""Gaussians of many places at once, in float64: what PaDiM is made of. The same in C is _kernels_gaussians.h.

For n good patches x of a place: mean m, covariance C = sum of (x - m)(x - m)^T over n - 1, and EPSILON on its diagonal.
"""

from typing import NamedTuple

import numpy as np

from blemish.arrays import Doubles, Floats, Ints

__all__ = [
    "EPSILON",
    "STRIP",
    "Gaussians",
    "Scatter",
    "cross_lengths",
    "estimate",
    "packed",
    "packed_numbers",
    "strips",
    "whitening",
]

EPSILON = 0.01
"""Added to the variances, so that few images make a Gaussian too."""
STRIP = 25
"""Rows of a factor that are kept and multiplied together, without the zeros right of their last one."""


class Gaussians(NamedTuple):
    """The Gaussians of some places, and how long their good patches are."""

    mean_PD: Floats
    factor_PF: Floats
    """Of each place the lower triangular W with W C W^T = I, strip by strip (`packed`)."""
    lengths_PN: Doubles | None
    """How long each good patch is (Mahalanobis) by the Gaussian of the images outside its fold, if there are folds."""


def estimate(good_PND: Floats, fold_of_N: Ints | None) -> Gaussians:
    """The Gaussians of n good patches at each place."""
    good = Scatter.of(good_PND.astype(np.float64))
    lengths_PN = None if fold_of_N is None else cross_lengths(good, fold_of_N)
    factor_PF = packed(whitening(good.covariance())).astype(np.float32)
    return Gaussians(good.mean_PD.astype(np.float32), factor_PF, lengths_PN)


class Scatter(NamedTuple):
    """n good patches at each place about their mean, and the sum of their outer products."""

    mean_PD: Doubles
    centred_PND: Doubles
    sum_PDD: Doubles

    @classmethod
    def of(cls, good_PND: Doubles) -> "Scatter":
        """How n good patches at each place lie about their mean."""
        mean_PD = good_PND.mean(axis=1)
        centred_PND = good_PND - mean_PD[:, None]
        return cls(mean_PD, centred_PND, np.matmul(centred_PND.transpose(0, 2, 1), centred_PND))

    def covariance(self) -> Doubles:
        """The regularised covariance (P, d, d) at each place; of one patch, the regularisation alone."""
        _, images, dimension = self.centred_PND.shape
        return np.asarray(self.sum_PDD / max(1, images - 1) + EPSILON * np.eye(dimension))


def cross_lengths(good: Scatter, fold_of_N: Ints) -> Doubles:
    """The Mahalanobis length (P, n) of each good patch under the Gaussian of the images outside its fold.

    The scatter of the others is that of all less what the fold adds to it, U^T U: its patches about the mean of all,
    and the shift of that mean. With B = the scatter of all, regularised, and G = U B^-1 U^T, the Woodbury identity
    brings the lengths down to entries of (I - G)^-1, a matrix as large as the fold, not as the patches.
    """
    _, centred_PND, scatter_PDD = good
    places, images, dimension = centred_PND.shape
    factor_of: dict[int, Doubles] = {}
    lengths_PN = np.empty((places, images))
    for fold in np.unique(fold_of_N):
        members = np.flatnonzero(fold_of_N == fold)
        others = images - len(members)
        divisor = max(1, others - 1)
        if others not in factor_of:
            factor_of[others] = whitening(scatter_PDD + EPSILON * divisor * np.eye(dimension))
        fold_PMD = np.matmul(centred_PND[:, members], factor_of[others].transpose(0, 2, 1))
        shift_P1D = -fold_PMD.sum(axis=1, keepdims=True) / np.sqrt(others)
        removed_PMD = np.concatenate([fold_PMD, shift_P1D], axis=1)
        gram_PMM = np.matmul(removed_PMD, removed_PMD.transpose(0, 2, 1))
        # With R (I - G) R^T = I and R lower triangular, (I - G)^-1 = R^T R, whose last column is that of R alone.
        root_PMM = whitening(np.eye(len(members) + 1) - gram_PMM)
        own_PM = np.einsum("pkm,pkm->pm", root_PMM, root_PMM)[:, :-1]
        last_PM = root_PMM[:, -1] * root_PMM[:, -1, -1:]
        # A patch less the others' mean is its own row less the last one over the root of `others`.
        squared_PM = own_PM - 2 * last_PM[:, :-1] / np.sqrt(others) + last_PM[:, -1:] / others
        lengths_PN[:, members] = np.sqrt(np.maximum(0, divisor * (squared_PM - 1 - 1 / others)))
    return lengths_PN


def whitening(covariance_PDD: Doubles) -> Doubles:
    """The lower triangular W with W C W^T = I, so that |W x| is the Mahalanobis length of x.

    It is C's inverted Cholesky factor. The lower half of C alone is read: that rounding makes C a little asymmetric
    does not matter.
    """
    return np.asarray(np.tril(np.linalg.inv(np.linalg.cholesky(covariance_PDD))), np.float64)


def strips(dimension: int) -> list[tuple[int, int]]:
    """Rows and columns of each strip of a lower triangular matrix: the last row's diagonal ends a strip."""
    ends = [*range(STRIP, dimension, STRIP), dimension]
    return [(end - start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def packed_numbers(dimension: int) -> int:
    """So many numbers has a packed triangle."""
    return sum(rows * columns for rows, columns in strips(dimension))


def packed(lower_PDD: Doubles) -> Doubles:
    """Lower triangular matrices strip by strip, as one row (P, f) each."""
    parts, first = [], 0
    for rows, columns in strips(lower_PDD.shape[1]):
        parts.append(lower_PDD[:, first : first + rows, :columns].reshape(len(lower_PDD), -1))
        first += rows
    return np.concatenate(parts, axis=1)
