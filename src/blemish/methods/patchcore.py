"""The page to read first: PatchCore (Roth et al., CVPR 2022), from the patches of good images to a score.

The whole way of an image, and where each step lives:

    pixels            images/read.py, images/transform.py      decode, size (and the way back for the map)
    patches           features/graph.py, features/extract.py   normalise, network, neighbourhoods, merge
    memory bank       memory/coreset.py, memory/bank.py        greedy k-centre subset of all good patches
    patch scores      search/exact.py                          distance to the nearest row of the bank
    image score, map  scoring/score.py                         one number; one value a pixel
    verdict           calibration/thresholds.py                thresholds from held-out good images

This file joins the steps in the middle: `fit` makes the bank, `score` compares with it and draws the map.
`fitting.py` and `detector.py` walk the whole way, for many good images and for one image to inspect; methods/method.py
says what they ask of PatchCore as of any other method.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from blemish.arrays import Array, Bools, Floats, Ints
from blemish.backbones.backbone import Backbone
from blemish.features.graph import Grid, build_graph, choose_taps
from blemish.features.patches import Features, ImagePatches
from blemish.features.tiles import tile_of_cells
from blemish.images.transform import Transform
from blemish.memory.bank import Bank
from blemish.memory.candidates import Candidates, find_candidates
from blemish.memory.choose import choose_rows, coreset_shard
from blemish.memory.shards import ArrayShard
from blemish.memory.spill import patch_store
from blemish.memory.training import TrainingPatches, gather
from blemish.methods.good_images import GoodImages
from blemish.methods.method import Fitted, Scores, TensorKind
from blemish.options.settings import Settings
from blemish.result import Matches
from blemish.scoring.score import (
    anomaly_map,
    edge_scale,
    maximum,
    no_edges,
    on_grid,
    reweighted_maximum,
    ring_of_cells,
    some_cells,
    top_mean,
)
from blemish.search.search import PerTileSearch, make_search
from blemish.system.progress import Progress, silent
from blemish.system.stream import stream

__all__ = ["PatchCore"]

EDGE_IMAGES = 8
"""The number of images, evenly spread, that tell how much stranger good patches are along the edges."""


class PatchCore:
    """A memory bank of good patches; new patches are scored by their distance to it."""

    TENSORS: ClassVar[Mapping[str, TensorKind]] = {
        "bank.rows": ((np.float32, np.float16), "Kd"),
        "bank.image": (np.int64, "K"),
        "bank.cell": (np.int64, "K"),
        "bank.radii": (np.float32, "K"),
        "bank.radius": (np.float64, "r"),
        "candidates.rows": (np.float32, "Cd"),
        "candidates.image": (np.int64, "C"),
        "candidates.cell": (np.int64, "C"),
        "edges.scale": (np.float32, "g"),
    }
    needs_backbone = True

    def __init__(
        self,
        bank: Bank,
        settings: Settings,
        transform: Transform,
        candidates: Candidates | None = None,
        edges_R: Floats | None = None,
    ) -> None:
        self.bank = bank
        self.edges_R = no_edges() if edges_R is None else edges_R
        self.candidates = candidates or Candidates.none(bank.rows_KD.shape[1])
        self.settings = settings
        self.transform = transform
        self.search = make_search(bank.rows_KD, settings.search)
        self._per_tile: PerTileSearch | None = None

    @classmethod
    def fit(
        cls,
        patches: TrainingPatches,
        shard: ArrayShard,
        settings: Settings,
        transform: Transform,
        *,
        images: Bools | None = None,
        threads: int = 1,
        progress: Progress = silent,
    ) -> "PatchCore":
        """Keep a coreset of the good patches (equations 4 and 5, algorithm 1), of some `images` or of all.

        `shard` holds the patches as the coreset sees them, in the same order; see `coreset_shard`.
        """
        coreset = choose_rows(patches, shard, settings, transform, images, progress)
        bank = Bank.of(patches, coreset, settings.bank_type, projected=settings.projection is not None)
        method = cls(bank, settings, transform)
        if transform.tiling:
            method.edges_R = method.measured_edges(patches, threads)
        return method

    def measured_edges(self, patches: TrainingPatches, threads: int) -> Floats:
        """The scale of the edges (scoring/score.py), from some images of the bank and a bank without each."""
        known = np.unique(self.bank.image_K)
        distances, rings = [], []
        for image in known[:: -(-len(known) // EDGE_IMAGES)].tolist():
            others = self.bank.without(image)
            if len(others.image_K):
                good = patches.of_image(image, some_cells(patches.grid))
                distances.append(self.search.over(others.rows_KD).query(good.values_QD, threads=threads)[0][:, 0])
                rings.append(ring_of_cells(good.grid)[good.seen_hw])
        return edge_scale(np.concatenate(distances), np.concatenate(rings)) if distances else no_edges()

    def score(self, features: Features, *, threads: int = 1) -> Scores:
        """Compare an image's patches with the bank: distances, map, image score (equations 6 and 7, section 3.3)."""
        patches = features["patches"]
        distances_Q, nearest_Q = self._nearest(patches, threads)
        scores_Q = distances_Q / self.edges_R[ring_of_cells(patches.grid)[patches.seen_hw]]
        scores_hw = on_grid(scores_Q, patches.seen_hw)
        map_HW = anomaly_map(scores_hw, self.transform.height, self.transform.width, self.settings.sigma)
        image = self._image_score(scores_Q, nearest_Q, patches.values_QD, map_HW)
        return Scores(image, map_HW, self._matches(patches, distances_Q, nearest_Q))

    def _matches(self, patches: ImagePatches, distances_Q: Floats, nearest_Q: Ints) -> Matches:
        """Where each patch lies, and where its nearest row was seen."""
        at_Q = np.flatnonzero(patches.seen_hw)
        bank = self.bank
        return Matches(at_Q, bank.image_K[nearest_Q], bank.cell_K[nearest_Q], distances_Q, patches.grid)

    def _nearest(self, patches: ImagePatches, threads: int) -> tuple[Floats, Ints]:
        """The distance of each patch to its nearest row, of all or of its own tile, and that row."""
        if self.settings.tile_banks == "one":
            distances_Q1, nearest_Q1 = self.search.query(patches.values_QD, threads=threads)
            return distances_Q1[:, 0], nearest_Q1[:, 0]
        tile_of = tile_of_cells(self.transform, patches.grid)
        if self._per_tile is None:  # made at the first image, whose grid says where the tiles lie
            self._per_tile = PerTileSearch(self.bank.rows_KD, tile_of[self.bank.cell_K])
        return self._per_tile.query(patches.values_QD, tile_of[np.flatnonzero(patches.seen_hw)], threads=threads)

    def over(self, bank: Bank) -> "PatchCore":
        """The same method over another bank, without candidates."""
        method = copy(self)
        method.bank, method.search = bank, self.search.over(bank.rows_KD)
        method.candidates = Candidates.none(bank.rows_KD.shape[1])
        return method

    def keeping(self, candidates: Candidates) -> "PatchCore":
        """The same memory with these candidates beside the bank."""
        method = copy(self)
        method.candidates = candidates
        return method

    @classmethod
    def tensor_kinds(cls, settings: Settings) -> Mapping[str, TensorKind]:
        return cls.TENSORS

    @classmethod
    def stride(cls, settings: Settings, backbone: Backbone | None) -> int:
        assert backbone is not None, "needs_backbone"
        return max(tap.stride for tap in choose_taps(backbone, settings.taps))

    @classmethod
    def learn(cls, good: GoodImages) -> "PatchCoreLearner":
        return PatchCoreLearner(good)

    @classmethod
    def restore(cls, tensors: Mapping[str, Array], settings: Settings, transform: Transform) -> "PatchCore":
        rows, image, cell, radii = (tensors[f"bank.{column}"] for column in ("rows", "image", "cell", "radii"))
        radius = np.inf if settings.projection else radii[-1]
        bank = Bank(rows, image, cell, radii, float(tensors.get("bank.radius", [radius])[0]))
        candidates = None
        if "candidates.rows" in tensors:
            candidates = Candidates(*(tensors[f"candidates.{column}"] for column in ("rows", "image", "cell")))
        return cls(bank, settings, transform, candidates, tensors.get("edges.scale"))

    def tensors(self) -> dict[str, Array]:
        bank, candidates = self.bank, self.candidates
        tensors: dict[str, Array] = {
            "bank.rows": bank.rows_KD,
            "bank.image": bank.image_K,
            "bank.cell": bank.cell_K,
            "bank.radii": bank.radii_K,
            "edges.scale": self.edges_R,
        }
        if np.isfinite(bank.radius):
            tensors["bank.radius"] = np.array([bank.radius])
        if len(candidates.rows_CD):
            tensors |= {
                "candidates.rows": candidates.rows_CD,
                "candidates.image": candidates.image_C,
                "candidates.cell": candidates.cell_C,
            }
        return tensors

    def info(self) -> dict[str, Any]:
        rows, dimension = self.bank.rows_KD.shape
        return {
            "bank": {"rows": rows, "dimension": dimension, "rounding": self.bank.rounding},
            "radius": float(self.bank.radii_K[-1]),
            "search": str(self.search),
            "candidates": len(self.candidates.rows_CD),
            "edges": float(self.edges_R.max()),
        }

    @property
    def size(self) -> str:
        rows, dimension = self.bank.rows_KD.shape
        return f"{rows:,} rows x {dimension}"

    @property
    def can_learn(self) -> bool:
        """Banks of tiles would each need candidates of their own."""
        return self.settings.tile_banks == "one"

    def __str__(self) -> str:
        rows, dimension = self.bank.rows_KD.shape
        return f"bank: {rows} patches of {dimension} values, radius {self.bank.radii_K[-1]:.4g}; {self.search}"

    def _image_score(self, scores_Q: Floats, nearest_Q: Ints, patches_QD: Floats, map_HW: Floats) -> float:
        settings = self.settings
        if settings.image_score == "peak":
            return float(map_HW.max())
        if settings.image_score == "max":
            return maximum(scores_Q)
        if settings.image_score == "top":
            return top_mean(scores_Q, settings.top)
        return reweighted_maximum(scores_Q, nearest_Q, patches_QD, self.search, settings.neighbours)


class PatchCoreLearner:
    """The patches of all good images, and the same as the coreset sees them."""

    refits = True

    def __init__(self, good: GoodImages) -> None:
        assert good.backbone is not None, "needs_backbone"
        settings = good.settings
        grid = Grid(
            choose_taps(good.backbone, settings.taps), settings.patch_size, settings.patch_stride, settings.merge
        )
        self.graph = build_graph(good.backbone, {"patches": grid}, pixels=good.transform.codes)
        self.digests: list[str] = []
        room = partial(patch_store, resources=good.resources)
        self.patches = gather(self._look(good), len(good), room, progress=good.progress)
        self.grid = self.patches.grid
        self._shard = coreset_shard(self.patches, settings, good.resources)
        self._good = good

    def _look(self, good: GoodImages) -> Iterator[ImagePatches]:
        for image in good.seen_by(self.graph):
            self.digests.append(image.digest)
            yield image.features["patches"]

    def fit(self, images: Bools | None = None, progress: Progress = silent) -> Fitted:
        good = self._good
        method = PatchCore.fit(
            self.patches,
            self._shard,
            good.settings,
            good.transform,
            images=images,
            threads=good.threads,
            progress=progress,
        )
        return Fitted(method, self.graph)

    def with_candidates(self, fitted: Fitted, images: Bools | None = None, progress: Progress = silent) -> Fitted:
        """The method that was fitted on these images or all, with the patches that let one of them go again."""
        method, good = fitted.method, self._good
        assert isinstance(method, PatchCore), "fitted by this learner"
        if good.settings.tile_banks == "each":
            return fitted  # whose banks would each need candidates of their own
        numbers = range(len(good)) if images is None else np.flatnonzero(images).tolist()
        if method.bank.radius == np.inf:
            method = method.over(self._measured(method, numbers))
        bank = method.bank
        candidates = find_candidates(
            bank, method.search, self.patches, numbers, most=len(bank.image_K), threads=good.threads, progress=progress
        )
        return Fitted(method.keeping(candidates), fitted.graph)

    def _measured(self, method: PatchCore, numbers: Sequence[int]) -> Bank:
        """A bank that was chosen in a projection, with its radius among the patches themselves."""

        def farthest(image: int) -> float:
            return float(method.search.query(self.patches.of_image(image).values_QD, threads=1)[0].max())

        return replace(method.bank, radius=max(stream(farthest, numbers, threads=self._good.threads)))

    def features(self, fitted: Fitted, images: Sequence[int]) -> Iterator[Features]:
        return ({"patches": self.patches.of_image(image)} for image in images)
