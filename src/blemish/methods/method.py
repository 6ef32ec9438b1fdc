"""What a method is to the rest of blemish: it learns from good images, scores others, and lives in a model file.

    learn       MethodKind.learn     looks at the good images once, and returns a learner
    fit         Learner.fit          fits on some of them or all, as often as held-out scoring asks
    score       Method.score         one image, from what the graph answers: image score, map, nearest good patch
    save, load  Method.tensors       the method's part of the model file, and MethodKind.restore, the way back

Every method comes with a graph: an ONNX network from sized pixels ("image", height x width x 3, uint8 or uint16) to one
or more named grids (h x w x d, float32). A method that looks at patches has features/graph.py join it; one that trains
a network exports that, so that inspecting needs no training framework. A single number or vector is a grid of 1 x 1.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np

from blemish.arrays import Array, Bools, Doubles, Floats, Ints
from blemish.backbones.backbone import Backbone
from blemish.features.patches import Features
from blemish.images.transform import Transform
from blemish.methods.good_images import GoodImages
from blemish.methods.look import Look
from blemish.options.settings import Settings
from blemish.result import Matches
from blemish.scoring.heatmap import floor_of
from blemish.system.progress import Progress, silent

__all__ = [
    "KEPT",
    "Fitted",
    "GivesRows",
    "KeepsCandidates",
    "Learner",
    "Learns",
    "Method",
    "MethodKind",
    "Numbers",
    "Scores",
    "TensorKind",
]

TensorKind: TypeAlias = tuple[type[np.generic] | tuple[type[np.generic], ...], str]
"""Type (or types) and axes of a tensor in the model file, one letter an axis; axes of one letter have one length."""


Numbers: TypeAlias = tuple[float, float, float]
"""Image score, peak and floor of the map of one image."""


@dataclass(frozen=True)
class Scores:
    """What a method says of one image."""

    image: float
    """The image score; higher is more anomalous."""
    map_HW: Floats | None
    """The anomaly map, as large as the network's input; None where the method draws none."""
    matches: Matches | None = None
    """The good patch nearest to each patch, where the method keeps good patches."""
    is_distance: bool = True
    """Whether the image score is a distance, so that its multiples mean something; those of joined looks do not."""

    @property
    def peak(self) -> float:
        """The highest value of the map, or the image score where there is none."""
        return self.image if self.map_HW is None else float(self.map_HW.max())

    @property
    def floor(self) -> float:
        """What a twentieth of the map does not exceed; the image score where there is none.

        A defect leaves most of the image as it was. Where even its calmest part lies high, all of it deviates.
        """
        return self.image if self.map_HW is None else floor_of(self.map_HW)

    @property
    def numbers(self) -> Numbers:
        """Image score, peak and floor: what thresholds rest on."""
        return self.image, self.peak, self.floor


class Method(Protocol):
    """A fitted method. Its `str` is one phrase for people: what it has kept of the good images."""

    @property
    def size(self) -> str:
        """What it has kept, in a few words: `1,568 rows x 152`."""

    def score(self, features: Features, *, threads: int = 1) -> Scores:
        """Score one image; `threads` may work on it. Raises ImageError, whose sentence lacks the image's name."""

    def tensors(self) -> dict[str, Array]:
        """What to keep in the model file, by the names of the method's kind."""

    def info(self) -> dict[str, Any]:
        """What `blemish info` says of it, as JSON."""


@runtime_checkable
class Learns(Method, Protocol):
    """A method whose memory may change after fitting: a bank of rows, and candidates that stand by to enter it."""

    @property
    def can_learn(self) -> bool:
        """Whether this one's memory can change, with the options it was fitted with."""

    @property
    def looks(self) -> Sequence[Look]:
        """What each look has learnt."""

    @property
    def settings(self) -> Settings: ...

    def with_looks(self, looks: Sequence[Look]) -> "Learns":
        """The same method with what other looks have learnt."""


class Fitted(NamedTuple):
    """A fitted method and the graph whose answers it scores."""

    method: Method
    graph: bytes


class Learner(Protocol):
    """A method that has looked at the good images, and can be fitted on any of them."""

    grid: tuple[int, int]
    """Rows and columns of the grid that patches are counted on; (1, 1) where the method knows no patches."""
    digests: Sequence[str]
    """The sha256 of each good image's pixels as they were sized, by which a copy is known under any name."""
    refits: bool
    """Whether fitting is cheap enough to do it again for every fold; if not, one fold is held out for good."""

    def fit(self, images: Bools | None = None, progress: Progress = silent) -> Fitted:
        """Fit on the images marked, or on all."""

    def features(self, fitted: Fitted, images: Sequence[int]) -> Iterator[Features]:
        """What the graph answers for these good images, by number, in order."""


@runtime_checkable
class KeepsCandidates(Protocol):
    """A learner whose method can let single images go again, if it keeps something in their stead."""

    def with_candidates(self, fitted: Fitted, images: Bools | None = None, progress: Progress = silent) -> Fitted:
        """What was fitted on the images marked, or on all, with what lets one of them go."""


KEPT = -1
"""The fold of images that are kept from the memory for good."""


@runtime_checkable
class FitsAcross(Protocol):
    """A learner that can fit and cross-fit at once, sooner than by fitting without each fold."""

    across: bool
    """Whether it can with these settings."""
    spares: bool
    """Whether it takes images of fold KEPT."""
    folds: int
    """Parts that the good images are held out in, where settings do not say."""

    def fit_across(self, fold_of_N: Ints, progress: Progress = silent) -> tuple[Fitted, list[Numbers]]:
        """Fit on all images; and image score, peak and floor of each by what is learnt of the images outside its fold.

        Images of fold KEPT are not fitted on.
        """


@runtime_checkable
class GivesRows(Protocol):
    """A learner that fills a memory with patches of the good images."""

    def rows_given(self, fitted: Fitted) -> Doubles:
        """How many rows each good image gave to the memory, had all as many patches as the largest."""


class MethodKind(Protocol):
    """A method before any image: the class that fits, and that a model file names."""

    needs_backbone: bool

    def tensor_kinds(self, settings: Settings) -> Mapping[str, TensorKind]:
        """The tensors it keeps in the model file; axes `m` (held-out images) and `b` (bytes) are taken."""

    def stride(self, settings: Settings, backbone: Backbone | None) -> int:
        """The input's height and width are multiples of it."""

    def learn(self, good: GoodImages) -> Learner:
        """Look at the good images."""

    def restore(self, tensors: Mapping[str, Array], settings: Settings, transform: Transform) -> Method:
        """Make a method again from its tensors, which were checked against their kinds."""
