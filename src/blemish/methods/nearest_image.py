"""1-NN: the distance of an image's pooled, normalised features to those of the nearest good image.

Nazare, de Mello and Ponti, "Are pre-trained CNNs good feature extractors for anomaly detection in surveillance videos?"
(arXiv 1811.08495); the row "1-NN" of PatchCore's table 6. They describe patches of video frames by four ImageNet
networks and find that normalisation decides. Ours differs in that

- one vector describes a whole image: the mean of the tap's patches that count, never of padding; no PCA;
- values are z-scored by the good images' statistics, the normalisation they found best;
- the tap is the deepest of any backbone, or the `taps` asked for, one after the other.

There is no anomaly map: the method says that an image deviates, not where.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar

import numpy as np

from blemish.arrays import Bools, Doubles, Floats, Ints
from blemish.backbones.backbone import Backbone, Tap
from blemish.features.graph import Grid, build_graph, choose_taps
from blemish.features.patches import Features, ImagePatches
from blemish.methods.good_images import GoodImages
from blemish.methods.method import Fitted, Scores
from blemish.methods.state import State, Tensor
from blemish.options.settings import Settings
from blemish.result import Matches
from blemish.search.exact import ExactSearch
from blemish.system.progress import Progress, silent

__all__ = ["NearestImage", "deepest_tap", "pooled"]

ONE = np.ones((1, 1), np.bool_)


@dataclass(frozen=True, eq=False, repr=False)
class NearestImage(State):
    """One row a good image; others are scored by the distance to the nearest row."""

    rows_KD: Annotated[Floats, Tensor("gallery.rows", np.float32, "Kd")]
    image_K: Annotated[Ints, Tensor("gallery.image", np.int64, "K")]
    mean_D: Annotated[Doubles, Tensor("gallery.mean", np.float64, "d")]
    deviation_D: Annotated[Doubles, Tensor("gallery.deviation", np.float64, "d")]
    needs_backbone: ClassVar = True

    @cached_property
    def search(self) -> ExactSearch:
        """Of the rows."""
        return ExactSearch(self.rows_KD)

    @classmethod
    def fit(cls, vectors_ND: Floats, image_N: Ints) -> "NearestImage":
        """Z-score the good images' vectors; a value that never varies is left as it is."""
        mean_D = vectors_ND.mean(axis=0, dtype=np.float64)
        deviation_D = vectors_ND.std(axis=0, dtype=np.float64)
        deviation_D[deviation_D == 0] = 1.0
        return cls(_normalised(vectors_ND, mean_D, deviation_D), image_N, mean_D, deviation_D)

    def score(self, features: Features, *, threads: int = 1) -> Scores:
        query_1D = _normalised(pooled(features)[None], self.mean_D, self.deviation_D)
        distances, rows = self.search.query(query_1D, threads=threads)
        cell_Q = np.zeros(1, np.int64)
        matches = Matches(cell_Q, self.image_K[rows[0]], cell_Q, distances[0], (1, 1))
        return Scores(float(distances[0, 0]), None, matches)

    @classmethod
    def stride(cls, settings: Settings, backbone: Backbone | None) -> int:
        assert backbone is not None, "needs_backbone"
        return max(tap.stride for tap in image_taps(backbone, settings))

    @classmethod
    def learn(cls, good: GoodImages) -> "NearestImageLearner":
        return NearestImageLearner(good)

    def info(self) -> dict[str, Any]:
        rows, dimension = self.rows_KD.shape
        return {"gallery": {"images": rows, "dimension": dimension}}

    @property
    def size(self) -> str:
        rows, dimension = self.rows_KD.shape
        return f"{rows:,} vectors x {dimension}"

    def __str__(self) -> str:
        rows, dimension = self.rows_KD.shape
        return f"gallery: {rows:,} images of {dimension} values"


class NearestImageLearner:
    """The vectors of all good images."""

    refits = True
    grid = 1, 1

    def __init__(self, good: GoodImages) -> None:
        assert good.backbone is not None, "needs_backbone"
        grids = {f"tap{i}": Grid([tap], patch_size=1) for i, tap in enumerate(image_taps(good.backbone, good.settings))}
        self.graph = build_graph(good.backbone, grids, pixels=good.transform.codes)
        vectors = []
        self.digests: list[str] = []
        for number, (features, digest) in enumerate(good.seen_by(self.graph)):
            vectors.append(pooled(features))
            self.digests.append(digest)
            good.progress("images", number + 1, len(good))
        self.vectors_ND = np.stack(vectors)

    def fit(self, images: Bools | None = None, progress: Progress = silent) -> Fitted:
        image_N = np.arange(len(self.vectors_ND)) if images is None else np.flatnonzero(images)
        return Fitted(NearestImage.fit(self.vectors_ND[image_N], image_N), self.graph)

    def features(self, fitted: Fitted, images: Sequence[int]) -> Iterator[Features]:
        # A vector that is pooled again stays as it is.
        return ({"image": ImagePatches(self.vectors_ND[[image]], ONE)} for image in images)


def image_taps(backbone: Backbone, settings: Settings) -> list[Tap]:
    """The taps asked for, or the deepest one."""
    return choose_taps(backbone, settings.taps or [deepest_tap(backbone).name])


def deepest_tap(backbone: Backbone) -> Tap:
    """The tap of the largest stride; of several, that of the highest level."""
    return max(backbone.manifest.taps, key=lambda tap: (tap.stride, tap.level))


def pooled(features: Features) -> Floats:
    """One vector of an image: the mean patch of each grid, one after the other."""
    means = [patches.values_QD.mean(axis=0, dtype=np.float64) for patches in features.values()]
    return np.concatenate(means).astype(np.float32)


def _normalised(vectors_ND: Floats, mean_D: Doubles, deviation_D: Doubles) -> Floats:
    return np.asarray((vectors_ND - mean_D) / deviation_D, np.float32)
