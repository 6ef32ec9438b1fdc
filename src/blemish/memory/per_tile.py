"""A coreset of its own for every tile position."""

import numpy as np

from blemish.arrays import Bools, Ints
from blemish.memory.coreset import Coreset, greedy_coreset
from blemish.memory.shards import ArrayShard
from blemish.system.progress import Progress, silent

__all__ = ["coreset_per_tile"]


def coreset_per_tile(
    shard: ArrayShard, tile_N: Ints, rows: int, *, among: Bools, seed: int, progress: Progress = silent
) -> Coreset:
    """Share `rows` out among the tiles by their patches, and choose greedily within each.

    Rows are listed in turns, one of each tile. `radii[i]` is then the largest distance of any patch to the nearest row
    of its own tile, once every tile has as many rows as the one that row i belongs to.
    """
    tiles, counts = np.unique(tile_N[among], return_counts=True)
    coresets = [
        greedy_coreset(
            shard,
            max(1, int(rows * count / counts.sum())),
            among=among & (tile_N == tile),
            seed=seed,
            progress=progress,
        )
        for tile, count in zip(tiles, counts, strict=True)
    ]
    turn_K = np.concatenate([np.arange(len(coreset.indices)) for coreset in coresets])
    order = np.argsort(turn_K, kind="stable")
    last = [len(coreset.radii) - 1 for coreset in coresets]
    widest = [
        max(coreset.radii[min(turn, end)] for coreset, end in zip(coresets, last, strict=True))
        for turn in range(max(last) + 1)
    ]
    indices = np.concatenate([coreset.indices for coreset in coresets])[order]
    return Coreset(indices, np.array(widest, np.float32)[turn_K[order]])
