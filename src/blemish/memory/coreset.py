"""The coreset: the rows of a memory bank, chosen farthest point first.

Greedy k-centre (Gonzalez 1985; PatchCore, Roth et al. 2022, eq. 5): start somewhere, then always take
the patch farthest from the chosen ones. A patch's distance to its nearest chosen row only falls, so an
old value is an upper bound; only a pool of patches with the largest values is kept fresh, and as long
as its best is ahead of every bound outside, it is the choice among all (docs/kernels.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blemish.arrays import Array, Bools, Floats, Ints
from blemish.errors import OptionError
from blemish.kernels.best import best_kernels
from blemish.kernels.bound import Bound
from blemish.kernels.protocol import Kernels
from blemish.memory.shards import ArrayShard, Shard, Top
from blemish.system.progress import Progress, silent

__all__ = ["Coreset", "coreset_of_shards", "greedy_coreset", "random_projection"]

POOL = 4096
SAMPLE = 2048


@dataclass(frozen=True)
class Coreset:
    """The chosen rows in choosing order, and how well each prefix of them covers all patches."""

    indices: Ints
    radii: Floats
    """`radii[i]` is the largest distance of any patch to the nearest of the first i + 1 chosen rows."""


def greedy_coreset(
    patches_ND: Array | ArrayShard,
    rows: int,
    *,
    radius: float | None = None,
    among: Bools | None = None,
    seed: int = 0,
    progress: Progress = silent,
    threads: int | None = None,
    kernels: Kernels | None = None,
) -> Coreset:
    """Choose at most `rows` of the patches so that the farthest patch is as near as the greedy rule makes it.

    With `radius` it stops as soon as every patch is within that distance of a chosen row. `among` marks
    the patches that take part. The first row is drawn by the seed; ties go to the lowest index; the
    result does not depend on `threads`. For several coresets of the same patches make the ArrayShard
    once. Raises OptionError for patches that are not finite rows or for more rows than patches.
    """
    shard = patches_ND
    if not isinstance(shard, ArrayShard):
        shard = ArrayShard(shard, threads=threads, kernels=kernels)
    return coreset_of_shards([shard], rows, radius=radius, among=among, seed=seed, progress=progress, kernels=kernels)


def coreset_of_shards(
    shards: Sequence[Shard],
    rows: int,
    *,
    radius: float | None = None,
    among: Bools | None = None,
    seed: int = 0,
    progress: Progress = silent,
    kernels: Kernels | None = None,
) -> Coreset:
    """The coreset of patches that live in several shards, in order: the same as of one array."""
    count = sum(len(shard) for shard in shards)
    if among is not None and among.shape != (count,):
        raise OptionError(f"`among` must mark each of the {count} patches; it came as {among.shape}")
    members = np.arange(count) if among is None else np.nonzero(among)[0]
    if not 1 <= rows <= len(members):
        raise OptionError(f"a coreset of {rows} rows was asked of {len(members)} patches; ask for 1 to {len(members)}")
    for shard in shards:
        shard.start(None if among is None else among[shard.first : shard.first + len(shard)])
    first = int(members[np.random.default_rng(seed).integers(len(members))])
    home = next(shard for shard in shards if shard.first <= first < shard.first + len(shard))
    return _Greedy(shards, rows, radius, kernels or best_kernels(), progress).run(first, home.patch(first))


class _Greedy:
    """One run: rounds of a fresh pool, greedy choices inside it, and the new centres sent to the shards."""

    def __init__(
        self, shards: Sequence[Shard], rows: int, radius: float | None, kernels: Kernels, progress: Progress
    ) -> None:
        self._shards, self._rows, self._kernels, self._progress = shards, rows, kernels, progress
        self._enough = -1.0 if radius is None else float(radius) ** 2
        self._count = sum(len(shard) for shard in shards)
        self._bound: Bound | None = None

    def run(self, first: int, patch_1D: Floats) -> Coreset:
        chosen: list[Ints] = []
        squared: list[float] = []
        numbers, centres_RD = np.array([first]), patch_1D
        while True:
            for shard in self._shards:
                shard.meet(centres_RD, numbers)
            chosen.append(numbers)
            numbers, centres_RD, values = self._round(self._rows - len(squared))
            squared += values
            self._progress("coreset", len(squared), self._rows)
            if len(squared) >= self._rows or squared[-1] <= self._enough:
                break
        return self._result(np.concatenate([*chosen, numbers]), np.array(squared))

    def _result(self, chosen: Ints, squared: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Coreset:
        enough = np.nonzero(squared <= self._enough)[0]
        rows = int(enough[0]) + 1 if len(enough) else self._rows
        self._progress("coreset", self._rows, self._rows)
        return Coreset(chosen[:rows], np.sqrt(squared[:rows]).astype(np.float32))

    def _round(self, wanted: int) -> tuple[Ints, Floats, list[float]]:
        """The next choices: their numbers, patches, and squared distances when chosen."""
        threshold = self._threshold()
        tops = [shard.top(threshold, 4 * POOL) for shard in self._shards]
        numbers = np.concatenate([top.numbers_P for top in tops])
        pool_PD = np.concatenate([top.patches_PD for top in tops])
        values = np.concatenate([top.values_P for top in tops])
        if len(numbers) == 0:
            return numbers, pool_PD, [0.0] * wanted
        if self._bound is None:
            self._bound = Bound(pool_PD, kernels=self._kernels)
        pool = self._bound.view(pool_PD).packed()
        positions, squared = self._kernels.greedy_pool(
            self._bound.margins(pool), pool, numbers, _ahead(tops), wanted, values
        )
        return numbers[positions], pool_PD[positions], squared.tolist()

    def _threshold(self) -> float:
        """A value that about POOL of the patches reach, judged by a sample; any threshold is correct."""
        if self._count <= POOL:
            return 0.0
        samples = [shard.sample(round(SAMPLE * len(shard) / self._count)) for shard in self._shards]
        values = np.sort(np.concatenate(samples))
        return float(values[-max(1, round(POOL * len(values) / self._count))])


def _ahead(tops: list[Top]) -> tuple[float, int]:
    """The best of the points outside all pools: the largest value, then the lowest number."""
    return max((top.outside for top in tops), key=lambda outside: (outside[0], -outside[1]))


def random_projection(patches_ND: Floats, dimension: int = 128, *, seed: int = 0) -> Floats:
    """Patches times a random matrix (N, `dimension`), as the published code does before choosing its coreset.

    Weights are uniform in +-1 / sqrt(d), like those of a new linear layer in torch (patchcore-inspection,
    `ApproximateGreedyCoresetSampler`). The rows stored are the unprojected ones.
    """
    width = patches_ND.shape[1]
    reach = 1 / np.sqrt(width)
    weights = np.random.default_rng(seed).uniform(-reach, reach, size=(width, dimension)).astype(np.float32)
    return patches_ND @ weights
