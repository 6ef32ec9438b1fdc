"""The kernels in NumPy: the reference for the compiled ones, and their stand-in where no compiler was at hand."""

import numpy as np

from blemish.arrays import Array, Bools, Doubles, Floats, Ints
from blemish.kernels.distance import squared_distances
from blemish.kernels.gaussians import Gaussians, estimate
from blemish.kernels.points import NO_VALUES, TINY, UNIT, Axes, Kind, Margins, Points
from blemish.system.blas import blas_threads

__all__ = ["Pure"]

ROWS, QUERIES = 4096, 256
FAR = 2.0**60


class Pure:
    """The kernels in NumPy."""

    name = "numpy"
    described = "NumPy (no compiled extension is installed; the results are the same, slower)"
    kind = Kind.FLOAT32

    def workers(self, threads: int | None) -> int:
        """One: images are searched side by side."""
        return 1

    def exact_pairs(self, left_ND: Floats, right_ND: Floats) -> Doubles:
        return squared_distances(left_ND, right_ND)

    def view(self, axes: Axes, patches_ND: Floats) -> tuple[Array, Floats, Floats, Doubles, Doubles]:
        axes_MD = axes.panels.transpose(0, 2, 1).reshape(-1, patches_ND.shape[1]).astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            centred_ND = (patches_ND - axes.mean_D) * axes.scale
            projected_NM = (centred_ND @ axes_MD.T).astype(np.float32)
            norms_N = np.einsum("nd,nd->n", centred_ND, centred_ND)
        far_N = ~(norms_N < FAR)
        projected_NM[far_N], norms_N[far_N] = 0.0, 0.0
        shorts_NW, slips_N = _shorten(axes, projected_NM, norms_N, axes.axes, axes.width)
        sketches_NS = np.empty((len(shorts_NW), 0), np.float32)
        if axes.sketch:
            sketches_NS, more_N = _shorten(axes, projected_NM, norms_N, axes.sketch_axes, axes.sketch)
            slips_N = np.maximum(slips_N, more_N)
        slips_N[far_N] = np.inf
        squares_N = np.einsum("nw,nw->n", shorts_NW, shorts_NW, dtype=np.float64)
        return shorts_NW, NO_VALUES, sketches_NS, slips_N, squares_N

    def nearest(
        self,
        margins: Margins,
        queries: Points,
        at_Q: Ints,
        rows: Points,
        met_Q: Ints,
        hints_QK: Ints | None,
        best_QK: Doubles,
        numbers_QK: Ints,
    ) -> None:
        worst_Q = np.full(len(at_Q), np.inf)
        if hints_QK is not None:
            for hint_Q in hints_QK.T:
                squared_Q = squared_distances(queries.full[at_Q], rows.full[hint_Q])
                worst_Q = np.maximum(squared_Q, np.where(np.isinf(worst_Q), 0, worst_Q))
        for first in range(0, len(at_Q), QUERIES):
            part = slice(first, first + QUERIES)
            with blas_threads(1):  # images are searched side by side
                for start in range(int(met_Q[part].min()), len(rows.full), ROWS):
                    block = slice(start, start + ROWS)
                    _settle(margins, queries, at_Q[part], rows, block, worst_Q[part], best_QK[part], numbers_QK[part])

    def gaussians(self, good_PND: Floats, fold_of_N: Ints | None) -> Gaussians:
        with blas_threads(1):  # places are worked on side by side
            return estimate(good_PND, fold_of_N)

    def greedy_pool(
        self, margins: Margins, pool: Points, numbers: Ints, outside: tuple[float, int], wanted: int, values: Doubles
    ) -> tuple[Ints, Doubles]:
        chosen: list[int] = []
        squared: list[float] = []
        while len(chosen) < wanted:
            x = int(np.argmax(values))
            behind = values[x] < outside[0] or (values[x] == outside[0] and numbers[x] > outside[1])
            if behind or values[x] < 0:
                break
            chosen.append(x)
            squared.append(float(values[x]))
            values[x] = -1.0
            reach = _reach(margins, np.maximum(values, 0.0), pool.slips)
            bounds = pool.half[: len(values)] - pool.shorts @ pool.shorts[x]
            error = margins.rounding * 1.5 * margins.norm**2 + TINY
            near = np.nonzero((bounds <= (reach**2 - pool.norms[x]) / 2 + error) & (values >= 0))[0]
            fresh = squared_distances(pool.full[near], pool.full[[x]])
            values[near] = np.minimum(values[near], fresh)
        return np.array(chosen, np.int64), np.array(squared)


def _shorten(axes: Axes, projected_NM: Floats, norms_N: Doubles, count: int, width: int) -> tuple[Floats, Doubles]:
    """The first coordinates and the norm of the rest, padded to `width`; and their slips."""
    head = projected_NM[:, :count]
    square = (1 + axes.eta) * norms_N - np.einsum("nw,nw->n", head, head, dtype=np.float64)
    rest = np.sqrt(np.maximum(square, 0.0))
    error = np.sqrt(count) * axes.step + 3 * UNIT
    doubt = 3 * (error + UNIT) * norms_N
    slip = np.minimum(np.sqrt(doubt), doubt / np.maximum(rest, 1e-300))
    short = np.zeros((len(projected_NM), width), np.float32)
    short[:, :count], short[:, count] = head, rest
    return short, np.sqrt(error**2 * norms_N + slip**2) + 4 * UNIT * np.sqrt(norms_N) + TINY


def _reach(margins: Margins, squared: Doubles, slips: Doubles) -> Doubles:
    """No pair at these squared distances is farther apart than this among the shorts."""
    return np.sqrt(squared) * margins.scale + slips + margins.slip


def _possible(margins: Margins, queries: Points, at_Q: Ints, bounds_QR: Floats, worst_Q: Doubles) -> Bools:
    """Which rows may be as near as `worst_Q`."""
    reach_Q = _reach(margins, worst_Q, queries.slips[at_Q])
    norms_Q = queries.norms[at_Q]
    error_Q = margins.rounding * (margins.norm**2 / 2 + np.sqrt(norms_Q) * margins.norm) + TINY
    possible: Bools = bounds_QR <= ((reach_Q**2 - norms_Q) / 2 + error_Q)[:, None]
    return possible


def _settle(
    margins: Margins,
    queries: Points,
    at_Q: Ints,
    rows: Points,
    block: slice,
    worst_Q: Doubles,
    best_QK: Doubles,
    numbers_QK: Ints,
) -> None:
    """Improve the k best by one block of rows: the k of smallest bound first, then all that may still matter."""
    bounds_QR = rows.half[: len(rows.full)][block] - queries.shorts[at_Q] @ rows.shorts[block].T
    k = best_QK.shape[1]
    likely_QK = np.argpartition(bounds_QR, min(k, bounds_QR.shape[1]) - 1, axis=1)[:, :k]
    worst_Q = np.minimum(worst_Q, best_QK[:, -1])
    if likely_QK.shape[1] == k:
        measured = _measure(queries, at_Q, rows, block, np.repeat(np.arange(len(at_Q)), k), likely_QK.ravel())
        worst_Q = np.minimum(worst_Q, measured.reshape(-1, k).max(axis=1))
    where_q, where_r = np.nonzero(_possible(margins, queries, at_Q, bounds_QR, worst_Q))
    squared = _measure(queries, at_Q, rows, block, where_q, where_r)
    all_q = np.concatenate([np.repeat(np.arange(len(at_Q)), k), where_q])
    all_squared = np.concatenate([best_QK.ravel(), squared])
    all_numbers = np.concatenate([numbers_QK.ravel(), where_r + block.start])
    order = np.lexsort((all_numbers, all_squared, all_q))
    chosen_QK = order[np.searchsorted(all_q[order], np.arange(len(at_Q)))[:, None] + np.arange(k)]
    best_QK[:], numbers_QK[:] = all_squared[chosen_QK], all_numbers[chosen_QK]


def _measure(queries: Points, at_Q: Ints, rows: Points, block: slice, where_q: Ints, where_r: Ints) -> Doubles:
    return squared_distances(queries.full[at_Q[where_q]], rows.full[where_r + block.start])
