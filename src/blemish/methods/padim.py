"""PaDiM: one Gaussian per place of the grid, and the Mahalanobis distance of a patch to the one of its place.

Defard, Setkov, Loesch and Audigier, "PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection and
Localization" (arXiv 2011.08785). As published: taps of levels 1, 2 and 3 with deeper cells repeated, random dimensions
of their stack, covariance + 0.01 I, map blurred with sigma 4, image score its maximum. Ours differs in that

- dimensions are drawn before the taps are resized, with the seed of the settings;
- the map is resized bilinearly, as in the authors' code, not bicubically as in the paper;
- any backbone serves, by default the built-in one; the preset `paper` has the published size, crop and 100 dimensions;
- the inverse of each covariance's Cholesky factor is kept, not that of the covariance: a little more than half as much,
  and a distance is a sum of squares that rounding cannot make negative.

A place must mean the same in every image: images whose aspects differ are refused unless they are stretched or cropped.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Annotated, Any, ClassVar

import numpy as np

from blemish.arrays import Bools, Floats, Ints
from blemish.backbones.backbone import Backbone, Tap
from blemish.errors import DataError, ImageError
from blemish.features.graph import Grid, build_graph, choose_taps
from blemish.features.patches import Features, ImagePatches
from blemish.images.read import image_name
from blemish.images.transform import Transform
from blemish.kernels.best import best_kernels
from blemish.kernels.gaussians import Gaussians, packed_numbers, strips
from blemish.memory.spill import patch_store, take_rows
from blemish.memory.training import TrainingPatches, gather
from blemish.methods.good_images import GoodImages
from blemish.methods.method import Fitted, Numbers, Scores
from blemish.methods.state import State, Tensor
from blemish.options.settings import Settings
from blemish.scoring.heatmap import anomaly_map, on_grid
from blemish.system.blas import blas_threads
from blemish.system.progress import Progress, silent
from blemish.system.stream import stream

__all__ = ["PaDiM"]

PLACES = 32
"""Places that a thread works on at once; a multiple of those that a register holds."""
REMEDY = "and PaDiM compares place by place; give images of one aspect, or bring them to one with --resize stretch."


@dataclass(frozen=True, eq=False, repr=False)
class PaDiM(State):
    """P places of the grid, each with the mean of its good patches and the factor that makes their covariance one."""

    mean_PD: Annotated[Floats, Tensor("gaussian.mean", np.float32, "Pd")]
    factor_PF: Annotated[Floats, Tensor("gaussian.factor", np.float32, "Pf")]
    cell_P: Annotated[Ints, Tensor("gaussian.cell", np.int64, "P")]
    settings: Settings
    transform: Transform
    needs_backbone: ClassVar = True

    @classmethod
    def fit(
        cls,
        patches: TrainingPatches,
        settings: Settings,
        transform: Transform,
        *,
        images: Bools | None = None,
        threads: int = 1,
        progress: Progress = silent,
    ) -> "PaDiM":
        """Estimate mean and covariance at every place, from some of the images or all (section III-B)."""
        numbers = np.arange(len(patches.seen)) if images is None else np.flatnonzero(images)
        cell_P = common_cells(patches)
        found = place_by_place(patches, cell_P, numbers, None, threads=threads, progress=progress)
        return cls(found.mean_PD, found.factor_PF, cell_P, settings, transform)

    def score(self, features: Features, *, threads: int = 1) -> Scores:
        """Mahalanobis distance at every place, the map they make, and its peak (section III-C)."""
        patches = features["patches"]
        shown_P = patches.seen_hw.ravel()[self.cell_P]
        alike = shown_P.all() and len(shown_P) == len(patches.values_QD)
        # Only alignment lets an image lack places at its edges, or show some that a good image lacked.
        if not shown_P.any() or (self.settings.align == "none" and not alike):
            raise ImageError(f"has another aspect than the good images, {REMEDY}")
        if alike:
            difference_PD = patches.values_QD - self.mean_PD
        else:
            row_of_cell = np.cumsum(patches.seen_hw) - 1
            difference_PD = np.zeros_like(self.mean_PD)
            difference_PD[shown_P] = patches.values_QD[row_of_cell[self.cell_P[shown_P]]] - self.mean_PD[shown_P]
        lengths_P = self._lengths(difference_PD, threads)
        return scores_of(lengths_P[shown_P], self.cell_P[shown_P], patches.grid, self.settings, self.transform)

    def _lengths(self, difference_PD: Floats, threads: int) -> Floats:
        """The Mahalanobis length of a difference at each place: that of factor times difference."""

        def work(part: slice) -> Floats:
            squared_P = np.zeros(part.stop - part.start, np.float32)
            start = 0
            for rows, columns in strips(difference_PD.shape[1]):
                strip = self.factor_PF[part, start : start + rows * columns].reshape(-1, rows, columns)
                whitened = np.matmul(strip, difference_PD[part, :columns, None])[:, :, 0]
                squared_P += np.einsum("pr,pr->p", whitened, whitened)
                start += rows * columns
            return np.sqrt(squared_P)

        edges = np.linspace(0, len(difference_PD), threads + 1).astype(int)
        parts = [slice(*edge) for edge in pairwise(edges)]
        # Products so small are slower on several threads. A pool starts no thread that has nothing to do.
        with blas_threads(1), ThreadPoolExecutor(max(1, threads - 1), thread_name_prefix="blemish-padim") as pool:
            others = pool.map(work, parts[1:])
            return np.concatenate([work(parts[0]), *others])

    @classmethod
    def stride(cls, settings: Settings, backbone: Backbone | None) -> int:
        assert backbone is not None, "needs_backbone"
        return max(tap.stride for tap in choose_taps(backbone, settings.taps))

    @classmethod
    def learn(cls, good: GoodImages) -> "PaDiMLearner":
        return PaDiMLearner(good)

    def info(self) -> dict[str, Any]:
        places, dimension = self.mean_PD.shape
        return {"gaussians": {"places": places, "dimension": dimension}}

    @property
    def size(self) -> str:
        places, dimension = self.mean_PD.shape
        return f"{places:,} places x {dimension}"

    def __str__(self) -> str:
        places, dimension = self.mean_PD.shape
        return f"Gaussians: {places:,} places of {dimension} dimensions"


class PaDiMLearner:
    """The random dimensions of all good images' patches."""

    refits = True
    across = True
    spares = False
    folds = 5

    def __init__(self, good: GoodImages) -> None:
        assert good.backbone is not None, "needs_backbone"
        if good.settings.resize == "auto" and good.transform.resize == "stretch":
            raise DataError(f"The aspects of the good images vary, {REMEDY}")
        taps = choose_taps(good.backbone, good.settings.taps)
        grid = Grid(taps, merge="repeat", channels=draw_dimensions(taps, good.settings))
        self.graph = build_graph(good.backbone, {"patches": grid}, pixels=good.transform.codes)
        self.digests: list[str] = []
        room = partial(patch_store, resources=good.resources)
        self.patches = gather(self._look(good), len(good), room, progress=good.progress)
        self.grid = self.patches.grid
        self._good = good
        for number, seen_hw in enumerate(self.patches.seen):
            if good.settings.align == "none" and not np.array_equal(seen_hw, self.patches.seen[0]):
                name, first = image_name(good.sources[number]), image_name(good.sources[0])
                raise DataError(f"{name} has another aspect than {first}, {REMEDY}")

    def _look(self, good: GoodImages) -> Iterator[ImagePatches]:
        for image in good.seen_by(self.graph):
            self.digests.append(image.digest)
            yield image.features["patches"]

    def fit(self, images: Bools | None = None, progress: Progress = silent) -> Fitted:
        good = self._good
        method = PaDiM.fit(
            self.patches, good.settings, good.transform, images=images, threads=good.threads, progress=progress
        )
        return Fitted(method, self.graph)

    def fit_across(self, fold_of_N: Ints, progress: Progress = silent) -> tuple[Fitted, list[Numbers]]:
        """Fit on all images, and score each by the Gaussians of those outside its fold; both in one pass."""
        good, cell_P = self._good, common_cells(self.patches)
        everyone = np.arange(len(fold_of_N))
        found = place_by_place(self.patches, cell_P, everyone, fold_of_N, threads=good.threads, progress=progress)
        assert found.lengths_PN is not None, "folds were given"
        method = PaDiM(found.mean_PD, found.factor_PF, cell_P, good.settings, good.transform)
        draw = partial(scores_of, cell_P=cell_P, grid=self.grid, settings=good.settings, transform=good.transform)
        answers = stream(draw, found.lengths_PN.T.astype(np.float32), threads=good.threads)
        return Fitted(method, self.graph), [scores.numbers for scores in answers]

    def features(self, fitted: Fitted, images: Sequence[int]) -> Iterator[Features]:
        return ({"patches": self.patches.of_image(image)} for image in images)


def place_by_place(
    patches: TrainingPatches,
    cell_P: Ints,
    numbers: Ints,
    fold_of_N: Ints | None,
    *,
    threads: int,
    progress: Progress,
) -> Gaussians:
    """The Gaussians of some images' patches at these cells; with folds, also the patches' lengths across them."""
    kernels, row_nP = best_kernels(), rows_at(cell_P, patches)
    places, dimension = len(cell_P), patches.values_ND.shape[1]
    found = Gaussians(
        np.empty((places, dimension), np.float32),
        np.empty((places, packed_numbers(dimension)), np.float32),
        None if fold_of_N is None else np.empty((places, len(numbers))),
    )

    def work(first: int) -> None:
        part = slice(first, min(first + PLACES, places))
        rows = row_nP[numbers, part].T
        good_PND = take_rows(patches.values_ND, rows.ravel()).reshape(*rows.shape, dimension)
        for whole, own in zip(found, kernels.gaussians(good_PND, fold_of_N), strict=True):
            if whole is not None and own is not None:
                whole[part] = own

    with ThreadPoolExecutor(threads, thread_name_prefix="blemish-padim") as pool:
        for done, _ in enumerate(pool.map(work, range(0, places, PLACES))):
            progress("gaussians", min((done + 1) * PLACES, places), places)
    return found


def scores_of(
    lengths_P: Floats, cell_P: Ints, grid: tuple[int, int], settings: Settings, transform: Transform
) -> Scores:
    """The map of the lengths at these cells, and its peak."""
    known_hw = np.zeros(grid, np.bool_)
    known_hw.flat[cell_P] = True
    map_HW = anomaly_map(on_grid(lengths_P, known_hw), transform.height, transform.width, settings.sigma)
    return Scores(float(map_HW.max()), map_HW)


def draw_dimensions(taps: Sequence[Tap], settings: Settings) -> list[int] | None:
    """Random channels of the stacked taps, in rising order; None for all."""
    channels = sum(tap.channels for tap in taps)
    if settings.dimensions is None or settings.dimensions >= channels:
        return None
    drawn = np.random.default_rng(settings.seed).permutation(channels)[: settings.dimensions]
    return sorted(int(channel) for channel in drawn)


def common_cells(patches: TrainingPatches) -> Ints:
    """The cells (P,) that every image shows."""
    return np.flatnonzero(np.logical_and.reduce(patches.seen))


def rows_at(cell_P: Ints, patches: TrainingPatches) -> Ints:
    """The row (n, P) of each image's patch at these cells."""
    first_n = np.searchsorted(patches.image_N, np.arange(len(patches.seen)))
    rows = [first + np.cumsum(seen_hw)[cell_P] - 1 for first, seen_hw in zip(first_n, patches.seen, strict=True)]
    return np.stack(rows)
