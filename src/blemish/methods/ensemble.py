"""PatchCore with several networks: each has a memory bank of its own, and their scores add up on one scale.

PatchCore (Roth et al., CVPR 2022), section 4.2, table 1: ensembles. Ours differs in that

- scores and maps are weighed by how much they spread among good images that were held out for it, where the published
  code brings them to one range over the test set, which a production line does not have;
- any exported networks serve, by default at their own taps; patches keep all their values.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from blemish.arrays import Array, Bools, Doubles
from blemish.backbones.backbone import Backbone, load_backbone
from blemish.errors import DataError, OptionError
from blemish.features.patches import Features
from blemish.features.side_by_side import side_by_side
from blemish.images.transform import Transform
from blemish.methods.good_images import GoodImages
from blemish.methods.method import Fitted, Scores, TensorKind
from blemish.methods.patchcore import PatchCore, PatchCoreLearner
from blemish.options.settings import Settings
from blemish.system.progress import Progress, silent

__all__ = ["Ensemble", "spread_of"]

PATCHES = "patches"
ROWS = "KQRSTUVW"
"""Letters of the members' axes in the model file: rows K of k values, rows Q of q values, and so on."""
KEPT = ("bank.rows", "bank.image", "bank.cell", "bank.radii", "edges.scale")
FEWEST = 4


class Ensemble:
    """A PatchCore for each network, and by what its scores and maps are divided before they are averaged."""

    SCALES: ClassVar[Mapping[str, TensorKind]] = {
        "ensemble.image_scale": (np.float64, "e"),
        "ensemble.map_scale": (np.float64, "e"),
    }
    needs_backbone = True

    def __init__(
        self, members: Sequence[PatchCore], image_scale_E: Doubles, map_scale_E: Doubles, settings: Settings
    ) -> None:
        self.members = members
        self.image_scale_E = image_scale_E
        self.map_scale_E = map_scale_E
        self.settings = settings

    def score(self, features: Features, *, threads: int = 1) -> Scores:
        """The members' maps and scores, each over its scale, averaged; where patches match is told by the first."""
        answers = [
            member.score({PATCHES: features[f"{PATCHES}{number}"]}, threads=threads)
            for number, member in enumerate(self.members)
        ]
        maps = [answer.map_HW for answer in answers if answer.map_HW is not None]
        map_HW = np.mean([map_HW / scale for map_HW, scale in zip(maps, self.map_scale_E, strict=True)], axis=0)
        map_HW = map_HW.astype(np.float32)
        if self.settings.image_score == "peak":
            image = float(map_HW.max())
        else:
            image = float(np.mean([answer.image for answer in answers] / self.image_scale_E))
        return Scores(image, map_HW, answers[0].matches)

    @classmethod
    def tensor_kinds(cls, settings: Settings) -> Mapping[str, TensorKind]:
        kinds = dict(cls.SCALES)
        for number, letter in zip(range(1 + len(settings.more_backbones)), ROWS, strict=False):
            for name in KEPT:
                types, axes = PatchCore.TENSORS[name]
                kinds[f"member{number}.{name}"] = types, axes.replace("K", letter).replace("d", letter.lower())
        return kinds

    @classmethod
    def stride(cls, settings: Settings, backbone: Backbone | None) -> int:
        return max(PatchCore.stride(settings, network) for network in networks(settings, backbone))

    @classmethod
    def learn(cls, good: GoodImages) -> "EnsembleLearner":
        return EnsembleLearner(good)

    @classmethod
    def restore(cls, tensors: Mapping[str, Array], settings: Settings, transform: Transform) -> "Ensemble":
        members = [
            PatchCore.restore({name: tensors[f"member{number}.{name}"] for name in KEPT}, settings, transform)
            for number in range(1 + len(settings.more_backbones))
        ]
        image_scale_E, map_scale_E = (tensors[name] for name in cls.SCALES)
        return cls(members, image_scale_E, map_scale_E, settings)

    def tensors(self) -> dict[str, Array]:
        tensors: dict[str, Array] = dict(zip(self.SCALES, (self.image_scale_E, self.map_scale_E), strict=True))
        for number, member in enumerate(self.members):
            own = member.tensors()
            tensors |= {f"member{number}.{name}": own[name] for name in KEPT}
        return tensors

    def info(self) -> dict[str, Any]:
        scales = zip(self.members, self.image_scale_E, self.map_scale_E, strict=True)
        return {
            "members": [
                {**member.info()["bank"], "image_scale": float(image), "map_scale": float(map_)}
                for member, image, map_ in scales
            ]
        }

    @property
    def size(self) -> str:
        return f"{len(self.members)} banks of {sum(len(member.bank.rows_KD) for member in self.members):,} rows"

    def __str__(self) -> str:
        return f"{len(self.members)} banks: " + ", ".join(str(len(member.bank.rows_KD)) for member in self.members)


class EnsembleLearner:
    """What each network sees of the good images."""

    refits = True

    def __init__(self, good: GoodImages) -> None:
        settings = good.settings
        if len(good) < FEWEST:
            raise DataError(
                f"{len(good)} good images were given; an ensemble holds half of them out to weigh its networks, and "
                f"needs at least {FEWEST}."
            )
        seen = [replace(good, backbone=network) for network in networks(settings, good.backbone)]
        for each in seen:
            _check_size(each)
        self.members = [PatchCoreLearner(each) for each in seen]
        self.graph = side_by_side([member.graph for member in self.members])
        self.grid, self.digests = self.members[0].grid, self.members[0].digests
        self._settings = settings
        self._count = len(good)
        self._threads = good.threads

    def fit(self, images: Bools | None = None, progress: Progress = silent) -> Fitted:
        """A bank for each network; the scales come from banks of either half of the images, asked of the other."""
        chosen = np.ones(self._count, np.bool_) if images is None else images
        scales = [self._scales(member, chosen) for member in self.members]
        image_scale_E, map_scale_E = (np.array(scale) for scale in zip(*scales, strict=True))
        members = []
        for learner in self.members:
            member = learner.fit(images, progress).method
            assert isinstance(member, PatchCore), "fitted by its learner"
            members.append(member)
        return Fitted(Ensemble(members, image_scale_E, map_scale_E, self._settings), self.graph)

    def features(self, fitted: Fitted, images: Sequence[int]) -> Iterator[Features]:
        for image in images:
            yield {f"{PATCHES}{number}": member.patches.of_image(image) for number, member in enumerate(self.members)}

    def _scales(self, member: PatchCoreLearner, chosen_N: Bools) -> tuple[float, float]:
        """The spread of one member's image scores, and of its maps' peaks, among images it has not seen.

        Halves are divided in the images' order, in which pictures of one part usually follow each other.
        """
        answers = []
        for half in np.array_split(np.flatnonzero(chosen_N), 2):
            others_N = chosen_N.copy()
            others_N[half] = False
            if others_N.any():
                fitted = member.fit(others_N)
                asked = member.features(fitted, half.tolist())
                answers += [fitted.method.score(features, threads=self._threads) for features in asked]
        return spread_of([answer.image for answer in answers]), spread_of([answer.peak for answer in answers])


def networks(settings: Settings, backbone: Backbone | None) -> list[Backbone]:
    """All networks of an ensemble. Raises OptionError for fewer than two or more than the model file can name."""
    assert backbone is not None, "needs_backbone"
    if not 1 <= len(settings.more_backbones) < len(ROWS):
        raise OptionError(
            f"Option more_backbones must name 1 to {len(ROWS) - 1} networks for the method ensemble, such as resnet18."
        )
    return [backbone, *(load_backbone(name) for name in settings.more_backbones)]


def spread_of(scores: Sequence[float]) -> float:
    """The standard deviation; of scores that are all alike, or too few, their size, and at last 1."""
    if not scores:
        return 1.0
    deviation, size = float(np.std(scores)), float(np.mean(scores))
    return deviation if deviation > 1e-6 * size else size or 1.0


def _check_size(good: GoodImages) -> None:
    assert good.backbone is not None, "needs_backbone"
    manifest, transform = good.backbone.manifest, good.transform
    if manifest.size and manifest.size != (transform.height, transform.width):
        raise OptionError(
            f"The network {manifest.name} takes {manifest.size[0]}x{manifest.size[1]} only, and the ensemble's input "
            f"is {transform.height}x{transform.width}; leave it out, or give --size."
        )
