"""The coreset: the rows of a memory bank, chosen farthest point first.

Greedy k-centre (Gonzalez 1985; PatchCore, Roth et al. 2022, eq. 5): start somewhere, then always take
the patch farthest from the chosen ones. A patch's distance to its nearest chosen row only falls, so an
old value is an upper bound; only a pool of patches with the largest values is kept fresh, and as long
as its best is ahead of every bound outside, it is the choice among all (docs/kernels.md).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from blemish.arrays import Array, Bools, Doubles, Floats, Ints
from blemish.errors import OptionError
from blemish.kernels.best import best_kernels
from blemish.kernels.bound import Bound
from blemish.kernels.protocol import Kernels
from blemish.memory.shards import ArrayShard, Cut, LocalShards, Shards, Top
from blemish.system.progress import Progress, silent

__all__ = ["Coreset", "Round", "coreset_of", "greedy_coreset", "random_projection"]

POOL = 4096
"""Points that are kept fresh in a round, about."""
SAMPLE, SPARSEST = 2048, 256
"""The threshold is judged by so many points, evenly spread, or by every SPARSEST of very many."""
LARGEST_POOL = 8000
"""Points of a round whose patches are asked for, at most."""
FEWEST_TOLD = 16
"""Points that a shard may tell of at least, however many shards share the room for them."""
TO_THE_LAST = 2**62
"""A number behind all others of the same value."""


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
    if among is not None and among.shape != (len(shard),):
        raise OptionError(f"`among` must mark each of the {len(shard)} patches; it came as {among.shape}")
    return coreset_of(LocalShards([shard], among), rows, radius=radius, seed=seed, progress=progress, kernels=kernels)


@dataclass(frozen=True)
class Round:
    """What one round chose: the rows (R, d), their numbers, and the squared distance of each when it was chosen.

    Of the first row, which no distance chose, there is none: squared distances are one fewer over all rounds.
    """

    numbers_R: Ints
    centres_RD: Floats
    squared: list[float]


def no_keeping(done: Round) -> None:
    """Keep nothing of a round."""


def coreset_of(
    shards: Shards,
    rows: int,
    *,
    radius: float | None = None,
    seed: int = 0,
    begun: Sequence[Round] = (),
    keep: Callable[[Round], None] = no_keeping,
    progress: Progress = silent,
    kernels: Kernels | None = None,
) -> Coreset:
    """The coreset of the patches that take part in several shards: the same as of one array.

    `keep` is called with what each round chose; given as `begun`, the rounds of a run that was stopped, with the same
    patches however sharded, it goes on from there to the same result.
    """
    members = sum(shards.members)
    if not 1 <= rows <= members:
        raise OptionError(f"a coreset of {rows} rows was asked of {members} patches; ask for 1 to {members}")
    greedy = _Greedy(shards, rows, radius, keep, kernels or best_kernels(), progress)
    if begun:
        return greedy.run(begun)
    number, patch_1D = shards.member(int(np.random.default_rng(seed).integers(members)))
    first = Round(np.array([number]), patch_1D, [])
    keep(first)
    return greedy.run([first])


class _Greedy:
    """One run: rounds of a fresh pool, greedy choices inside it, and the new centres sent to the shards."""

    def __init__(
        self,
        shards: Shards,
        rows: int,
        radius: float | None,
        keep: Callable[[Round], None],
        kernels: Kernels,
        progress: Progress,
    ) -> None:
        self._shards, self._rows, self._keep = shards, rows, keep
        self._kernels, self._progress = kernels, progress
        self._enough = -1.0 if radius is None else float(radius) ** 2
        self._every = min(max(1, sum(shards.counts) // SAMPLE), SPARSEST)
        self._most = max(FEWEST_TOLD, 2 * LARGEST_POOL // len(shards.counts))
        self._known = 0
        self._pool_rows = LARGEST_POOL
        self._bound: Bound | None = None

    def run(self, begun: Sequence[Round]) -> Coreset:
        chosen = [done.numbers_R for done in begun]
        squared = [value for done in begun for value in done.squared]
        for done in begun[:-1]:
            self._meet(done)
        last = begun[-1]
        while len(squared) < self._rows and not (squared and squared[-1] <= self._enough):
            self._meet(last)
            last = self._round(self._rows - len(squared))
            chosen.append(last.numbers_R)
            squared += last.squared
            self._keep(last)
            self._progress("coreset", len(squared), self._rows)
        return self._result(np.concatenate(chosen), np.array(squared))

    def _meet(self, done: Round) -> None:
        self._pool_rows = max(1, int(min(LARGEST_POOL, self._shards.message / done.centres_RD[0].nbytes)))
        self._shards.meet(done.centres_RD, done.numbers_R, self._known)
        self._known += len(done.numbers_R)

    def _result(self, chosen: Ints, squared: Doubles) -> Coreset:
        enough = np.nonzero(squared <= self._enough)[0]
        rows = int(enough[0]) + 1 if len(enough) else self._rows
        self._progress("coreset", self._rows, self._rows)
        return Coreset(chosen[:rows], np.sqrt(squared[:rows]).astype(np.float32))

    def _round(self, wanted: int) -> Round:
        """The next choices."""
        tops = self._pool()
        numbers = np.concatenate([top.numbers_P for top in tops])
        pool_PD = np.concatenate([top.patches_PD for top in tops])
        values = np.concatenate([top.values_P for top in tops])
        if len(numbers) == 0:
            return Round(numbers, pool_PD, [0.0] * wanted)
        if self._bound is None:
            self._bound = Bound(pool_PD, kernels=self._kernels)
        pool = self._bound.view(pool_PD).packed()
        positions, squared = self._kernels.greedy_pool(
            self._bound.margins(pool), pool, numbers, _ahead(tops), wanted, values
        )
        return Round(numbers[positions], pool_PD[positions], squared.tolist())

    def _pool(self) -> Sequence[Top]:
        """The foremost points of all, about POOL, with their patches; of others a bound. Any such pool is correct.

        No shard tells more of its points than its share of what travels, so the cut lies before the last one told.
        """
        threshold = self._threshold()
        reaching = self._shards.reaching(threshold, self._most, self._known)
        values = np.concatenate([each.values_P for each in reaching])
        numbers = np.concatenate([each.numbers_P for each in reaching])
        ends = [Cut(float(each.values_P[-1]), int(each.numbers_P[-1])) for each in reaching if not each.whole]
        if len(numbers) > self._pool_rows:
            last = np.lexsort((numbers, -values))[self._pool_rows - 1]
            ends.append(Cut(float(values[last]), int(numbers[last])))
        cut = max(ends, key=lambda end: (end.value, -end.number), default=Cut(threshold, TO_THE_LAST))
        return self._shards.take(cut, self._known)

    def _threshold(self) -> float:
        """A value that about POOL of the patches reach, judged by a sample; any threshold is correct."""
        if sum(self._shards.counts) <= POOL:
            return 0.0
        keep = round(POOL / self._every)
        best = np.concatenate(self._shards.best(self._every, keep, self._known))
        return max(0.0, float(np.sort(best)[-min(keep, len(best))]))


def _ahead(tops: Sequence[Top]) -> tuple[float, int]:
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
