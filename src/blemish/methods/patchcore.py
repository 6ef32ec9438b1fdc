"""The page to read first: PatchCore (Roth et al., CVPR 2022), from the patches of good images to a score.

The whole way of an image, and where each step lives:

    pixels            images/read.py, images/transform.py      decode, size (and the way back for the map)
    patches           features/looks.py, features/patches.py   normalise, networks, neighbourhoods, merge
    memory bank       memory/coreset.py, memory/bank.py        greedy k-centre subset of all good patches
    patch scores      `compare` below, search/exact.py         distance to the nearest row of the bank
    image score, map  scoring/score.py, scoring/heatmap.py     one number; one value a pixel
    verdict           model/inspection.py                      by thresholds from held-out good images

This file joins the steps in the middle: `fit` makes the bank of each look, `score` compares with them and draws the
map. A look is one network at one size with its levels; the paper has one, or several networks (section 4.2).
`fitting.py` and `detector.py` walk the whole way, for many good images and for one image to inspect.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from blemish.arrays import Array, Bools, Floats, Ints
from blemish.features.looks import grid_names
from blemish.features.patches import Features, ImagePatches
from blemish.images.transform import Transform
from blemish.memory.bank import Bank
from blemish.memory.choose import Choosable, choose_rows
from blemish.memory.training import Patches
from blemish.methods.look import Look
from blemish.methods.method import Scores
from blemish.options.looks import LookOption
from blemish.options.settings import Settings
from blemish.result import Matches
from blemish.scoring.heatmap import anomaly_map, join_maps, join_peaks, map_score, on_grid, on_scale
from blemish.scoring.score import maximum, reweighted_maximum, ring_of_cells, top_mean
from blemish.system.progress import Progress, silent

__all__ = ["PatchCore", "PatchScores", "compare"]


@dataclass(frozen=True)
class PatchScores:
    """What one look says of the patches of an image."""

    scores_Q: Floats
    """Distances to the bank, those along the edges brought to the scale of the middle."""
    distances_Q: Floats
    nearest_Q: Ints
    """The bank's row nearest to each patch."""

    def over(self, scale_K: Floats | None) -> "PatchScores":
        """With the scores over the scale of their nearest rows, where the look has one."""
        return self if scale_K is None else replace(self, scores_Q=self.scores_Q / scale_K[self.nearest_Q])


@dataclass(frozen=True, eq=False)
class PatchCore:
    """A memory bank of good patches for each look; new patches are scored by their distance to it."""

    looks: Sequence[Look]
    settings: Settings
    transform: Transform

    @classmethod
    def fit(
        cls,
        patches: Sequence[Patches],
        shards: Sequence[Choosable],
        settings: Settings,
        transform: Transform,
        *,
        images: Bools | None = None,
        threads: int = 1,
        progress: Progress = silent,
    ) -> "PatchCore":
        """Keep a coreset of the good patches of each look (equations 4 and 5, algorithm 1), of some `images` or of all.

        `shards` hold the patches as the coreset sees them, in the same order; see `coreset_shard`.
        """
        looks = []
        for own, shard, reduction in zip(patches, shards, reductions(settings), strict=True):
            coreset = choose_rows(own, shard, settings, transform, images, progress)
            bank = Bank.of(own, coreset, settings.bank_type, projected=settings.projection is not None)
            look = Look.of(bank, settings, transform, reduction)
            looks.append(look.with_edges(own, threads) if transform.tiling else look)
        return cls(looks, settings, transform)

    def score(self, features: Features, *, threads: int = 1) -> Scores:
        """Compare an image's patches with the banks: distances, map, image score (equations 6 and 7, section 3.3)."""
        grids = [features[name] for name in grid_names(len(self.looks))]
        answers = [compare(look, patches, threads) for look, patches in zip(self.looks, grids, strict=True)]
        each = list(zip(self.looks, grids, answers, strict=True))
        matches = _matches(*each[0])
        if not self.settings.looks:
            map_HW = self.map_of(*each[0])
            return Scores(self._image_score(answers[0], grids[0], map_HW), map_HW, matches)
        rule, drawn = self.settings.join, [self.map_of(*one) for one in each]
        peaks = [self._map_score(*one, map_HW) for one, map_HW in zip(each, drawn, strict=True)]
        image = join_peaks(peaks, [look.weight for look in self.looks], rule)
        maps = [on_scale(map_HW, look.scale) for map_HW, look in zip(drawn, self.looks, strict=True)]
        joined = join_maps(maps, [look.map_weight for look in self.looks], rule)
        map_HW = anomaly_map(joined, self.transform.height, self.transform.width, 0)
        return Scores(image, map_HW, matches, is_distance=len(self.looks) == 1)

    def map_of(self, look: Look, patches: ImagePatches, answer: PatchScores) -> Floats:
        """The smooth map of one look: as large as the input, or half as large where looks are joined."""
        part = 1 if len(self.looks) == 1 else 2
        height, width = self.transform.height // part, self.transform.width // part
        scores_hw = on_grid(answer.scores_Q, patches.seen_hw)
        return anomaly_map(scores_hw, height, width, self.settings.sigma * look.reduction / part)

    def _map_score(self, look: Look, patches: ImagePatches, answer: PatchScores, map_HW: Floats) -> float:
        """What the image scores by one look: what its map says, were all rows as far from good patches, on its scale.

        The map that is shown stays one of distances: where parts vary, it shows that they do.
        """
        if look.bank.scale_K is not None:
            map_HW = self.map_of(look, patches, answer.over(look.bank.scale_K))
        mean, deviation = look.peak_scale
        return (map_score(map_HW, look.overall) - mean) / deviation

    def _image_score(self, answer: PatchScores, patches: ImagePatches, map_HW: Floats) -> float:
        """Of one look: the peak of its map, or another number from its patches where that was asked for."""
        settings, look = self.settings, self.looks[0]
        if settings.image_score == "peak":
            return float(map_HW.max())
        if settings.image_score == "max":
            return maximum(answer.scores_Q)
        if settings.image_score == "top":
            return top_mean(answer.scores_Q, settings.top)
        return reweighted_maximum(
            answer.scores_Q, answer.nearest_Q, patches.values_QD, look.search, settings.neighbours
        )

    @property
    def zero(self) -> tuple[float, float]:
        """Score and map of an image at no distance from the banks: 0, but where looks are joined on a scale."""
        if len(self.looks) == 1:
            return 0.0, 0.0
        scores = [-mean / deviation for mean, deviation in (look.peak_scale for look in self.looks)]
        pixels = [-mean / deviation for mean, deviation in (look.scale for look in self.looks)]
        score = join_peaks(scores, [look.weight for look in self.looks], self.settings.join)
        return score, join_peaks(pixels, [look.map_weight for look in self.looks], self.settings.join)

    def without(self, images: Ints) -> "PatchCore":
        """The same method without the rows of some images; a look that would have none keeps all."""
        return self.with_looks([look.without(images) or look for look in self.looks])

    @property
    def can_learn(self) -> bool:
        """Banks of tiles would each need candidates of their own."""
        return self.settings.tile_banks == "one"

    def with_looks(self, looks: Sequence[Look]) -> "PatchCore":
        """The same method with what other looks have learnt."""
        return replace(self, looks=looks)

    def tensors(self) -> dict[str, Array]:
        return {name: tensor for number, look in enumerate(self.looks) for name, tensor in look.tensors(number).items()}

    def info(self) -> dict[str, Any]:
        if len(self.looks) == 1:
            return self.looks[0].info()
        asked = zip(self.settings.looks, self.looks, strict=True)
        return {"looks": {name: look.info() for name, look in asked}}

    @property
    def size(self) -> str:
        rows = sum(len(look.bank.rows_KD) for look in self.looks)
        if len(self.looks) == 1:
            return f"{rows:,} rows x {self.looks[0].bank.rows_KD.shape[1]}"
        return f"{len(self.looks)} looks, {rows:,} rows"

    def __str__(self) -> str:
        names = self.settings.looks or ["memory bank"]
        return "\n".join(f"{name}: {look}" for name, look in zip(names, self.looks, strict=True))


def compare(look: Look, patches: ImagePatches, threads: int) -> PatchScores:
    """The distance of each patch of an image to the nearest row of the bank (equation 6), or of its own tile's rows."""
    if look.per_tile:
        distances_Q, nearest_Q = look.nearest_of_tiles(patches, threads)
    else:
        distances_Q1, nearest_Q1 = look.search.query(patches.values_QD, threads=threads)
        distances_Q, nearest_Q = distances_Q1[:, 0], nearest_Q1[:, 0]
    scores_Q = distances_Q
    if look.edges_R.max() > 1:
        scores_Q = distances_Q / look.edges_R[ring_of_cells(patches.grid)[patches.seen_hw]]
    return PatchScores(scores_Q, distances_Q, nearest_Q)


def _matches(look: Look, patches: ImagePatches, answer: PatchScores) -> Matches:
    """Where each patch lies, and where its nearest row was seen."""
    at_Q, bank, nearest_Q = np.flatnonzero(patches.seen_hw), look.bank, answer.nearest_Q
    return Matches(at_Q, bank.image_K[nearest_Q], bank.cell_K[nearest_Q], answer.distances_Q, patches.grid)


def reductions(settings: Settings) -> list[int]:
    """By how much each look averages the sized image down; [1] for one look."""
    sides = [LookOption.parse(look).side for look in settings.looks]
    return [max(sides) // side for side in sides] or [1]
