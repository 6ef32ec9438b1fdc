"""What one look has learnt of good images: its memory bank, and what stands beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from blemish.arrays import Array, Floats, Ints
from blemish.features.patches import ImagePatches
from blemish.features.tiles import tile_of_cells
from blemish.images.transform import Transform
from blemish.memory.bank import Bank
from blemish.memory.candidates import Candidates
from blemish.memory.training import Patches
from blemish.options.settings import Settings
from blemish.scoring.score import edge_scale, no_edges, ring_of_cells, some_cells
from blemish.search.search import PerTileSearch, Search, make_search

__all__ = ["PLAIN", "Look", "Scale"]

Scale: TypeAlias = tuple[float, float]
"""Mean and deviation of what is brought to scale."""
PLAIN: Scale = 0.0, 1.0
"""Of what stays as it is."""

EDGE_IMAGES = 8
"""Images, evenly spread, that tell how much stranger good patches are along the edges."""


@dataclass(frozen=True, eq=False)
class Look:
    """The memory bank of one look, with what stands beside it."""

    bank: Bank
    search: Search
    """Of the bank's rows."""
    candidates: Candidates
    """Patches that stand by to enter the bank when an image leaves it."""
    transform: Transform
    reduction: int = 1
    """By how much the sized image is averaged down for it."""
    per_tile: bool = False
    """Whether each tile position has a bank of its own."""
    edges_R: Floats = field(default_factory=no_edges)
    """By what scores along the edges are divided, ring by ring."""
    scale: Scale = PLAIN
    """Mean and deviation of the map's peak among good images that the look has not seen; of a single look 0 and 1."""
    peak_scale: Scale = PLAIN
    """The same of what the map says of the image (`map_score`), where distances are over the scale of their rows."""
    overall: float = 0.0
    """How much the mean of that map counts beside its peak."""
    _tiles: dict[tuple[int, int], PerTileSearch] = field(default_factory=dict)

    @classmethod
    def of(cls, bank: Bank, settings: Settings, transform: Transform, reduction: int = 1) -> "Look":
        """A look with this bank and nothing beside it."""
        search = make_search(bank.rows_KD, settings.search)
        none = Candidates.none(bank.rows_KD.shape[1])
        return cls(bank, search, none, transform, reduction, settings.tile_banks == "each")

    def with_edges(self, patches: Patches, threads: int) -> "Look":
        """The look with the scale of the edges (scoring/score.py), from some of its images and a bank without each."""
        known = np.unique(self.bank.image_K)
        distances, rings = [], []
        for image in known[:: -(-len(known) // EDGE_IMAGES)].tolist():
            if (others := self.without([image])) is not None:
                good = patches.of_image(image, some_cells(patches.grid))
                distances.append(others.search.query(good.values_QD, threads=threads)[0][:, 0])
                rings.append(ring_of_cells(good.grid)[good.seen_hw])
        if not distances:
            return self
        return replace(self, edges_R=edge_scale(np.concatenate(distances), np.concatenate(rings)))

    @property
    def weight(self) -> float:
        """What it counts in the mean of several looks' peaks: the finer one sees more."""
        return 1 / self.reduction

    @property
    def map_weight(self) -> float:
        """What it counts in the mean of several looks' maps, by the number of its cells: the finer one sees where."""
        return self.weight**2

    def over(self, bank: Bank) -> "Look":
        """The same look over another bank, without candidates."""
        none, search = Candidates.none(bank.rows_KD.shape[1]), self.search.over(bank.rows_KD)
        return replace(self, bank=bank, search=search, candidates=none, _tiles={})

    def keeping(self, candidates: Candidates) -> "Look":
        """The same look with these candidates beside its bank."""
        return replace(self, candidates=candidates)

    def scaled(self, scale: Scale, peak_scale: Scale, overall: float) -> "Look":
        """The same look with what brings its maps, and what they say of the image, to one scale with others."""
        return replace(self, scale=scale, peak_scale=peak_scale, overall=overall)

    def without(self, images: Ints | Sequence[int]) -> "Look | None":
        """The same look without the rows of some images; None where no row would be left."""
        kept_K = ~np.isin(self.bank.image_K, images)
        return self.over(self.bank.rows_at(kept_K)) if kept_K.any() else None

    def nearest_of_tiles(self, patches: ImagePatches, threads: int) -> tuple[Floats, Ints]:
        """The distance of each patch to the nearest row of its own tile, and that row."""
        tile_of = tile_of_cells(self.transform, patches.grid)
        if patches.grid not in self._tiles:  # made at the first image, whose grid says where the tiles lie
            self._tiles[patches.grid] = PerTileSearch(self.bank.rows_KD, tile_of[self.bank.cell_K])
        own_Q = tile_of[np.flatnonzero(patches.seen_hw)]
        return self._tiles[patches.grid].query(patches.values_QD, own_Q, threads=threads)

    def tensors(self, number: int) -> dict[str, Array]:
        """What the model file keeps of look number `number` (methods/look_tensors.py)."""
        bank, candidates, n = self.bank, self.candidates, number or ""
        tensors: dict[str, Array] = {
            f"bank{n}.rows": bank.rows_KD,
            f"bank{n}.image": bank.image_K,
            f"bank{n}.cell": bank.cell_K,
            f"bank{n}.radii": bank.radii_K,
            f"edges{n}.scale": self.edges_R,
        }
        if self.scale != PLAIN:
            tensors[f"look{n}.scale"] = np.array(self.scale)
            tensors[f"look{n}.peaks"] = np.array(self.peak_scale)
            tensors[f"look{n}.overall"] = np.array([self.overall])
        if bank.scale_K is not None:
            tensors[f"bank{n}.scale"] = bank.scale_K
        if np.isfinite(bank.radius):
            tensors[f"bank{n}.radius"] = np.array([bank.radius])
        if len(candidates.rows_CD):
            tensors |= {
                f"candidates{n}.rows": candidates.rows_CD,
                f"candidates{n}.image": candidates.image_C,
                f"candidates{n}.cell": candidates.cell_C,
            }
        return tensors

    def info(self) -> dict[str, Any]:
        """What it has learnt, for people and programs."""
        rows, dimension = self.bank.rows_KD.shape
        return {
            "bank": {"rows": rows, "dimension": dimension, "rounding": self.bank.rounding},
            "radius": float(self.bank.radii_K[-1]),
            "search": str(self.search),
            "candidates": len(self.candidates.rows_CD),
            "edges": float(self.edges_R.max()),
        }

    def __str__(self) -> str:
        rows, dimension = self.bank.rows_KD.shape
        return f"{rows:,} rows x {dimension}, radius {self.bank.radii_K[-1]:.4g}; {self.search}"
