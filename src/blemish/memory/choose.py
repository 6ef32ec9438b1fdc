"""Which of all good patches become the memory bank: how many, in which view, of all tiles or of each."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from blemish.arrays import Bools, Ints
from blemish.features.tiles import tile_of_cells
from blemish.images.transform import Transform
from blemish.memory.coreset import Coreset, greedy_coreset, random_projection
from blemish.memory.per_tile import coreset_per_tile
from blemish.memory.shards import ArrayShard
from blemish.memory.spill import patch_store, take_rows
from blemish.memory.training import Patches, TrainingPatches
from blemish.options.settings import Resources, Settings
from blemish.system.progress import Progress

__all__ = ["Choosable", "ShardHere", "choose_rows", "coreset_rows", "coreset_shard"]

FEWEST_ROWS, MOST_ROWS = 1000, 3000
"""Of each of several looks, where the coreset is a share."""

PROJECTED_AT_ONCE = 65_536
"""Patches projected in one product, so that a projection needs no second copy of all of them."""


class Choosable(Protocol):
    """The patches of one look as the coreset sees them, in full or projected, wherever they live."""

    def coreset(self, images: Bools | None, rows: int, radius: float | None, seed: int, progress: Progress) -> Coreset:
        """The coreset (`coreset_of`) of the patches of the images marked, or of all."""

    def all(self, images: Bools | None) -> Ints:
        """The numbers of these patches, to keep every one."""


@dataclass(frozen=True)
class ShardHere:
    """Those of this process."""

    shard: ArrayShard
    patches: TrainingPatches

    def coreset(self, images: Bools | None, rows: int, radius: float | None, seed: int, progress: Progress) -> Coreset:
        among_N = None if images is None else self._marked(images)
        return greedy_coreset(self.shard, rows, radius=radius, among=among_N, seed=seed, progress=progress)

    def all(self, images: Bools | None) -> Ints:
        return np.flatnonzero(self._marked(images))

    def of_each_tile(self, tile_C: Ints, images: Bools | None, rows: int, seed: int, progress: Progress) -> Coreset:
        """A coreset for each tile; `tile_C` is that of each cell of the grid."""
        tile_N, among_N = tile_C[self.patches.cell_N], self._marked(images)
        return coreset_per_tile(self.shard, tile_N, rows, among=among_N, seed=seed, progress=progress)

    def _marked(self, images: Bools | None) -> Bools:
        count = len(self.patches.image_N)
        return np.ones(count, np.bool_) if images is None else images[self.patches.image_N]


def choose_rows(
    patches: Patches,
    shard: Choosable,
    settings: Settings,
    transform: Transform,
    images: Bools | None,
    progress: Progress,
) -> Coreset:
    """The coreset of the patches of some images or of all: of all tiles together, or of each tile position."""
    total = patches.count(images)
    count = coreset_rows(total, settings.coreset, several_looks=bool(settings.looks))
    if count == total and settings.radius is None:
        # To keep all patches takes no choosing, which would take the longest here.
        return Coreset(shard.all(images), np.zeros(count, np.float32))
    if settings.tile_banks == "each":
        assert isinstance(shard, ShardHere), "a cluster refuses it before it looks"
        tile_C = tile_of_cells(transform, patches.grid)
        return shard.of_each_tile(tile_C, images, count, settings.seed, progress)
    return shard.coreset(images, count, settings.radius, settings.seed, progress)


def coreset_shard(patches: TrainingPatches, settings: Settings, resources: Resources, *, first: int = 0) -> ShardHere:
    """The patches as the coreset sees them: in full, or in a random projection; made once for several coresets.

    `first` is the number of the first of them, where others are elsewhere.
    """
    if settings.projection is None:
        return ShardHere(ArrayShard(patches.values_ND, first=first, threads=resources.threads), patches)
    store = patch_store(len(patches.values_ND), settings.projection, resources)
    for start in range(0, len(patches.values_ND), PROJECTED_AT_ONCE):
        stop = min(start + PROJECTED_AT_ONCE, len(patches.values_ND))
        block_ND = take_rows(patches.values_ND, np.arange(start, stop))
        store.append(random_projection(block_ND, settings.projection, seed=settings.seed))
    return ShardHere(ArrayShard(store.patches(), first=first, threads=resources.threads), patches)


def coreset_rows(patches: int, coreset: float, *, several_looks: bool = False) -> int:
    """How many rows to keep of so many patches.

    Args:
        patches: The number of patches to choose from.
        coreset: A share of them up to 1, or a number of rows above it.
        several_looks: Whether the bank is one of several: a share then gives it no more rows than its search may cost,
            and enough to know small sets by.

    Returns:
        The number of rows, at least one and at most all patches.
    """
    if coreset > 1:
        return min(patches, int(coreset))
    share = max(1, int(patches * coreset))
    return min(patches, max(FEWEST_ROWS, min(MOST_ROWS, share)) if several_looks else share)
