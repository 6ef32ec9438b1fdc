"""The coreset: the rows of a memory bank, chosen farthest point first.

Greedy k-centre (Gonzalez 1985; PatchCore, Roth et al. 2022, eq. 5): start somewhere, then always take
the patch farthest from the chosen ones. A patch's distance to its nearest chosen row only falls, so an
old value is an upper bound, and only a pool of the patches with the largest bounds is kept fresh.
"""

from dataclasses import dataclass

import numpy as np

from blemish.arrays import Doubles, Floats, Ints
from blemish.errors import OptionError
from blemish.progress import Progress, silent
from blemish.search.distance import squared_distances
from blemish.search.exact import ExactSearch

__all__ = ["Coreset", "greedy_coreset"]

POOL = 2048


@dataclass(frozen=True)
class Coreset:
    """The chosen rows in choosing order, and how well each prefix of them covers all patches."""

    indices: Ints
    radii: Floats
    """`radii[i]` is the largest distance of any patch to the nearest of the first i + 1 chosen rows."""


def greedy_coreset(
    patches_ND: Floats, rows: int, *, seed: int = 0, progress: Progress = silent, threads: int | None = None
) -> Coreset:
    """Choose `rows` of the patches so that the farthest patch is as near as the greedy rule makes it.

    The first row is drawn by the seed; ties go to the lowest index; the result does not depend on
    `threads`. Raises OptionError for patches that are not finite rows or for more rows than patches.
    """
    _check(patches_ND, rows)
    patches_ND = np.ascontiguousarray(patches_ND, np.float32)
    first = int(np.random.default_rng(seed).integers(len(patches_ND)))
    chosen = [first]
    squared: list[float] = []
    bound_N = squared_distances(patches_ND, patches_ND[[first]])
    bound_N[first] = -1.0
    met_N = np.ones(len(patches_ND), np.int64)
    while len(squared) < rows:
        pool, outside = _freshest(patches_ND, bound_N, met_N, chosen)
        _greedy_in_pool(patches_ND[pool], pool, bound_N, outside, chosen, squared, rows)
        met_N[pool] = len(chosen)
        progress("coreset", len(squared), rows)
    radii = np.sqrt(np.maximum(np.array(squared[:rows]), 0.0)).astype(np.float32)
    return Coreset(np.array(chosen[:rows], np.int64), radii)


def _check(patches_ND: Floats, rows: int) -> None:
    if patches_ND.ndim != 2 or 0 in patches_ND.shape:
        raise OptionError(f"a coreset needs patches (N x d), both at least 1; they came as {patches_ND.shape}")
    if not 1 <= rows <= len(patches_ND):
        raise OptionError(f"a coreset of {rows} rows was asked of {len(patches_ND)} patches; ask for 1 to that many")
    if not np.isfinite(patches_ND).all():
        raise OptionError("the patches hold NaN or infinity; leave out the image they come from")


def _ahead(values: Doubles, indices: Ints) -> Ints:
    """Positions in the order of choice: the largest value first, ties to the lowest index."""
    return np.lexsort((indices, -values))


def _freshest(patches_ND: Floats, bound_N: Doubles, met_N: Ints, chosen: list[int]) -> tuple[Ints, tuple[float, int]]:
    """Bring patches up to date until the pool of largest bounds is all fresh.

    Returns the pool, ascending, and the (value, index) of the largest bound outside it.
    """
    while True:
        order = _ahead(bound_N, np.arange(len(bound_N)))
        pool = np.sort(order[:POOL])
        stale = pool[met_N[pool] < len(chosen)]
        if len(stale) == 0:
            after = int(order[POOL]) if len(order) > POOL else -1
            return pool, (float(bound_N[after]) if after >= 0 else -np.inf, after)
        for age in np.unique(met_N[stale]):
            group = stale[met_N[stale] == age]
            _, nearest = ExactSearch(patches_ND[chosen[age:]]).query(patches_ND[group])
            fresh = squared_distances(patches_ND[group], patches_ND[chosen[age:]][nearest[:, 0]])
            bound_N[group] = np.minimum(bound_N[group], fresh)
        met_N[stale] = len(chosen)


def _greedy_in_pool(
    pool_PD: Floats,
    pool: Ints,
    bound_N: Doubles,
    outside: tuple[float, int],
    chosen: list[int],
    squared: list[float],
    rows: int,
) -> None:
    """Run the plain greedy loop on the pool for as long as its choice is the choice among all patches."""
    value_P = bound_N[pool]
    while len(squared) < rows:
        best = int(np.argmax(value_P))
        if (-value_P[best], pool[best]) > (-outside[0], outside[1]):
            break
        squared.append(float(value_P[best]))
        chosen.append(int(pool[best]))
        value_P = np.minimum(value_P, squared_distances(pool_PD, pool_PD[[best]]))
        value_P[best] = -1.0
    bound_N[pool] = value_P
