"""SPADE: the good images nearest to an image, and each of its patches against the patches of those.

Cohen and Hoshen, "Sub-Image Anomaly Detection with Deep Pyramid Correspondences" (arXiv 2005.02357). As published:
the image score is the mean distance to the K nearest images by globally pooled features; every position of three levels
is compared with all positions of those K images (kappa = 1 nearest), and the levels' distance maps are averaged and
blurred with sigma 4. Ours differs in that

- neighbours are exact, over the whole gallery (a known reimplementation drops the last part of its last chunk);
- the pooled features are those of the backbone's deepest tap, of the part of the input that shows the image;
- any backbone serves, by default the built-in one; the preset `paper` has the published crop of 224.

The model file holds every patch of every good image: some 0.5 MB an image with the built-in backbone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Annotated, Any, ClassVar

import numpy as np

from blemish.arrays import Array, Bools, Floats, Ints
from blemish.backbones.backbone import Backbone, Tap
from blemish.errors import OptionError
from blemish.features.graph import Grid, build_graph, choose_taps
from blemish.features.patches import Features, ImagePatches
from blemish.images.transform import Transform
from blemish.memory.spill import patch_store, take_rows
from blemish.memory.training import Gathering, TrainingPatches
from blemish.methods.good_images import GoodImages
from blemish.methods.method import Fitted, Scores
from blemish.methods.nearest_image import deepest_tap, pooled
from blemish.methods.state import Parts, State, Tensor
from blemish.options.settings import Settings
from blemish.result import Matches
from blemish.scoring.heatmap import anomaly_map, on_grid
from blemish.search.exact import ExactSearch
from blemish.system.progress import Progress, silent

__all__ = ["SPADE", "Level"]

WHOLE = "whole"
"""The output that is pooled; the others are level0, level1, ..."""
ONE = np.ones((1, 1), np.bool_)
SAMPLE = 4096
ROWS = "RSTUVW"
"""Letters of the levels' axes in the model file: rows R of r values at level 0, and so on."""


@dataclass(frozen=True)
class Level:
    """The patches of all good images at one level, image after image."""

    rows_ND: Annotated[Array, Tensor("rows", np.float32, "Nd")]
    image_N: Annotated[Ints, Tensor("image", np.int64, "N")]
    cell_N: Annotated[Ints, Tensor("cell", np.int64, "N")]

    def of_images(self, images: Sequence[int]) -> tuple[Floats, Ints]:
        """The patches of these images (R, d), and their numbers at this level (R,)."""
        numbers_R = np.concatenate([np.arange(*np.searchsorted(self.image_N, [i, i + 1])) for i in images])
        return take_rows(self.rows_ND, numbers_R), numbers_R

    @cached_property
    def search(self) -> ExactSearch:
        """A search of some rows from all over, whose axes serve every choice of images.

        Finding them anew for each image took most of its time.
        """
        return ExactSearch(take_rows(self.rows_ND, np.arange(0, len(self.rows_ND), -(-len(self.rows_ND) // SAMPLE))))


def _levels(settings: Settings) -> int:
    return len(settings.taps)


@dataclass(frozen=True, eq=False, repr=False)
class SPADE(State):
    """K good images: one pooled vector each, and their patches level by level."""

    vectors_KD: Annotated[Floats, Tensor("gallery.vectors", np.float32, "Kd")]
    image_K: Annotated[Ints, Tensor("gallery.image", np.int64, "K")]
    levels: Annotated[Sequence[Level], Parts("level", Level, ROWS, _levels)]
    settings: Settings
    transform: Transform
    needs_backbone: ClassVar = True

    @cached_property
    def search(self) -> ExactSearch:
        """Of the vectors."""
        return ExactSearch(self.vectors_KD)

    def score(self, features: Features, *, threads: int = 1) -> Scores:
        """The mean distance to the nearest images (section 3.2), and the map of what they do not explain (3.3, 3.4)."""
        count = min(self.settings.nearest_images, len(self.vectors_KD))
        distances, rows = self.search.query(pooled({WHOLE: features[WHOLE]})[None], count, threads=threads)
        images = sorted(int(image) for image in self.image_K[rows[0]])
        answers = [self._compare(level, features[f"level{i}"], images, threads) for i, level in enumerate(self.levels)]
        mean_HW = np.mean(np.stack([map_HW for map_HW, _ in answers]), axis=0)
        map_HW = anomaly_map(mean_HW, self.transform.height, self.transform.width, self.settings.sigma)
        return Scores(float(distances[0].mean(dtype=np.float64)), map_HW, answers[0][1])

    def _compare(
        self, level: Level, patches: ImagePatches, images: Sequence[int], threads: int
    ) -> tuple[Floats, Matches]:
        """One level's distances to the nearest patch of the images as a map, and where those patches were seen."""
        gallery_RD, number_R = level.of_images(images)
        search = level.search.over(gallery_RD)
        distances_Q1, nearest_Q1 = search.query(patches.values_QD, threads=threads)
        distances_Q, row_Q = distances_Q1[:, 0], number_R[nearest_Q1[:, 0]]
        map_HW = anomaly_map(on_grid(distances_Q, patches.seen_hw), self.transform.height, self.transform.width, 0)
        at_Q = np.flatnonzero(patches.seen_hw)
        return map_HW, Matches(at_Q, level.image_N[row_Q], level.cell_N[row_Q], distances_Q, patches.grid)

    @classmethod
    def stride(cls, settings: Settings, backbone: Backbone | None) -> int:
        assert backbone is not None, "needs_backbone"
        return max(tap.stride for tap in (*level_taps(backbone, settings), deepest_tap(backbone)))

    @classmethod
    def learn(cls, good: GoodImages) -> "SPADELearner":
        return SPADELearner(good)

    def info(self) -> dict[str, Any]:
        patches = [len(level.image_N) for level in self.levels]
        return {"gallery": {"images": len(self.image_K), "patches": patches}}

    @property
    def size(self) -> str:
        return f"{sum(len(level.image_N) for level in self.levels):,} patches of {len(self.levels)} levels"

    def __str__(self) -> str:
        patches = sum(len(level.image_N) for level in self.levels)
        return f"gallery: {len(self.image_K):,} images, {patches:,} patches of {len(self.levels)} levels"


class SPADELearner:
    """All patches of all good images."""

    refits = True

    def __init__(self, good: GoodImages) -> None:
        assert good.backbone is not None, "needs_backbone"
        taps = level_taps(good.backbone, good.settings)
        grids = {f"level{i}": Grid([tap], patch_size=1) for i, tap in enumerate(taps)}
        whole = {WHOLE: Grid([deepest_tap(good.backbone)], patch_size=1)}
        self.graph = build_graph(good.backbone, grids | whole, pixels=good.transform.codes)
        gathering = [Gathering(len(good), partial(patch_store, resources=good.resources)) for _ in taps]
        vectors = []
        self.digests: list[str] = []
        for number, (features, digest) in enumerate(good.seen_by(self.graph)):
            vectors.append(pooled({WHOLE: features[WHOLE]}))
            self.digests.append(digest)
            for i, level in enumerate(gathering):
                level.add(features[f"level{i}"])
            good.progress("patches", number + 1, len(good))
        self.vectors_ND = np.stack(vectors)
        self.patches: list[TrainingPatches] = [level.patches() for level in gathering]
        self.levels = [Level(level.values_ND, level.image_N, level.cell_N) for level in self.patches]
        self.grid = self.patches[0].grid
        self._good = good

    def fit(self, images: Bools | None = None, progress: Progress = silent) -> Fitted:
        image_K = np.arange(len(self.vectors_ND)) if images is None else np.flatnonzero(images)
        method = SPADE(self.vectors_ND[image_K], image_K, self.levels, self._good.settings, self._good.transform)
        return Fitted(method, self.graph)

    def features(self, fitted: Fitted, images: Sequence[int]) -> Iterator[Features]:
        for image in images:
            whole = {WHOLE: ImagePatches(self.vectors_ND[[image]], ONE)}
            yield whole | {f"level{i}": level.of_image(image) for i, level in enumerate(self.patches)}


def level_taps(backbone: Backbone, settings: Settings) -> list[Tap]:
    """One tap for each that was asked for, finest first: of a level with several, the deepest."""
    if not 1 <= len(settings.taps) <= len(ROWS):
        raise OptionError(f"Option taps must name 1 to {len(ROWS)} taps for the method spade, such as 1,2,3.")
    taps = [choose_taps(backbone, [tap])[-1] for tap in settings.taps]
    return sorted(taps, key=lambda tap: (tap.stride, tap.level))
