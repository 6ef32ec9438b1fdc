"""Which of all good patches become the memory bank: how many, in which view, of all tiles or of each."""

import numpy as np

from blemish.arrays import Bools
from blemish.features.tiles import tile_of_cells
from blemish.images.transform import Transform
from blemish.memory.coreset import Coreset, greedy_coreset, random_projection
from blemish.memory.per_tile import coreset_per_tile
from blemish.memory.shards import ArrayShard
from blemish.memory.spill import patch_store, take_rows
from blemish.memory.training import TrainingPatches
from blemish.options.settings import Resources, Settings
from blemish.system.progress import Progress

__all__ = ["choose_rows", "coreset_rows", "coreset_shard"]

FEWEST_ROWS, MOST_ROWS = 1000, 3000
"""Of each of several looks, where the coreset is a share."""

PROJECTED_AT_ONCE = 65_536
"""Patches projected in one product, so that a projection needs no second copy of all of them."""


def choose_rows(
    patches: TrainingPatches,
    shard: ArrayShard,
    settings: Settings,
    transform: Transform,
    images: Bools | None,
    progress: Progress,
) -> Coreset:
    """The coreset of the patches of some images or of all: of all tiles together, or of each tile position."""
    among_N = np.ones(len(patches.image_N), np.bool_) if images is None else images[patches.image_N]
    total = int(among_N.sum())
    count = coreset_rows(total, settings.coreset, several_looks=bool(settings.looks))
    if count == total and settings.radius is None:
        # To keep all patches takes no choosing, which would take the longest here.
        return Coreset(np.flatnonzero(among_N), np.zeros(count, np.float32))
    if settings.tile_banks == "each":
        tile_N = tile_of_cells(transform, patches.grid)[patches.cell_N]
        return coreset_per_tile(shard, tile_N, count, among=among_N, seed=settings.seed, progress=progress)
    among = None if images is None else among_N
    return greedy_coreset(shard, count, radius=settings.radius, among=among, seed=settings.seed, progress=progress)


def coreset_shard(patches: TrainingPatches, settings: Settings, resources: Resources) -> ArrayShard:
    """The patches as the coreset sees them: in full, or in a random projection; made once for several coresets."""
    if settings.projection is None:
        return ArrayShard(patches.values_ND, threads=resources.threads)
    store = patch_store(len(patches.values_ND), settings.projection, resources)
    for start in range(0, len(patches.values_ND), PROJECTED_AT_ONCE):
        stop = min(start + PROJECTED_AT_ONCE, len(patches.values_ND))
        block_ND = take_rows(patches.values_ND, np.arange(start, stop))
        store.append(random_projection(block_ND, settings.projection, seed=settings.seed))
    return ArrayShard(store.patches(), threads=resources.threads)


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
