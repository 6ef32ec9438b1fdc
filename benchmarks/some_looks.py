"""Standard's looks, fitted alone or with others, and what some of them say of an image: part of other benchmarks."""

from collections.abc import Sequence

from blemish.data.samples import Sample
from blemish.detector import Detector
from blemish.features.looks import grid_names
from blemish.features.patches import Features
from blemish.fitting import fit
from blemish.methods.patchcore import PatchCore

__all__ = ["LOOKS", "THREADS", "fitted", "says"]

THREADS = 2
LOOKS = ["448:2+3", "224:2+3:even", "224:3+4:even"]
"""Of standard."""


def fitted(samples: Sequence[Sample], looks: Sequence[str], seed: int) -> Detector:
    """Fitted on the training images of a set."""
    train = [sample for sample in samples if sample.split == "train"]
    paths, groups = [sample.path for sample in train], [sample.group for sample in train]
    return fit(paths, groups=groups, looks=looks, seed=seed, threads=THREADS, progress=False)


def says(detector: Detector, features: Features, chosen: Sequence[int]) -> float:
    """What some of the looks say of an image, joined as if there were no others."""
    method = detector.model.method
    assert isinstance(method, PatchCore), "looks are PatchCore's"
    names = grid_names(len(method.looks))
    settings = method.settings.with_looks([method.settings.looks[number] for number in chosen])
    part = PatchCore([method.looks[number] for number in chosen], settings, method.transform)
    own = {name: features[names[number]] for name, number in zip(grid_names(len(chosen)), chosen, strict=True)}
    return part.score(own, threads=THREADS).image
