"""How PatchCore begins: what it sees of the good images of a fit, and how often it is fitted on some of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import starmap
from typing import Any

import numpy as np

from blemish.arrays import Array, Bools, Doubles, Ints
from blemish.backbones.backbone import Backbone
from blemish.features.looks import graph_of, grid_names, plan_looks
from blemish.features.patches import Features, ImagePatches
from blemish.images.transform import Transform
from blemish.memory.bank import Bank
from blemish.memory.candidates import find_candidates
from blemish.memory.training import Patches
from blemish.methods.gathered import GatheredHere
from blemish.methods.good_images import GoodImages
from blemish.methods.look import Look
from blemish.methods.look_scale import look_unseen, with_peak_scale, with_row_scale
from blemish.methods.look_tensors import look_of, look_tensor_kinds
from blemish.methods.method import KEPT, Fitted, Numbers, TensorKind
from blemish.methods.patchcore import PatchCore, reductions
from blemish.options.settings import Settings
from blemish.system.progress import Progress, silent

__all__ = ["PatchCoreKind", "PatchCoreLearner"]


class PatchCoreKind:
    """PatchCore before any image, as methods are found by their names."""

    needs_backbone = True

    @staticmethod
    def learn(good: GoodImages) -> "PatchCoreLearner":
        """Look at the good images."""
        return PatchCoreLearner(good)

    @staticmethod
    def stride(settings: Settings, backbone: Backbone | None) -> int:
        """The input's height and width are multiples of it."""
        assert backbone is not None, "needs_backbone"
        return max(look.stride for look in plan_looks(settings, backbone))

    @staticmethod
    def tensor_kinds(settings: Settings) -> Mapping[str, TensorKind]:
        """The tensors it keeps in the model file."""
        return look_tensor_kinds(len(reductions(settings)))

    @staticmethod
    def restore(tensors: Mapping[str, Array], settings: Settings, transform: Transform) -> PatchCore:
        """The method that these tensors make."""
        looks = [
            look_of(tensors, number, settings, transform, reduction)
            for number, reduction in enumerate(reductions(settings))
        ]
        return PatchCore(looks, settings, transform)


class PatchCoreLearner:
    """The patches of all good images at every look, and the same as the coreset sees them."""

    refits = True
    spares = True
    folds = 20

    def __init__(self, good: GoodImages) -> None:
        settings = good.settings
        self.across = settings.tile_banks == "one"
        self.graph = graph_of(good.looks, settings, good.transform.codes)
        names = grid_names(len(good.looks))
        gather = good.workers.gather if good.workers else GatheredHere
        self._gathered = gather(good, self.graph, names)
        self.digests = self._gathered.digests
        self.patches = self._gathered.looks
        self.grid = self.patches[names[0]].grid
        self._good = good

    def fit(self, images: Bools | None = None, progress: Progress = silent) -> Fitted:
        """The banks of all looks; those that were named are brought to scale."""
        good = self._good
        patches, settings, transform = list(self.patches.values()), good.settings, good.transform
        method = PatchCore.fit(
            patches, self._gathered.shards, settings, transform, images=images, threads=good.threads, progress=progress
        )
        if settings.looks:
            numbers = self._numbers(images)
            method = method.with_looks([self._scaled(method, look, numbers) for look in range(len(method.looks))])
        return Fitted(method, self.graph)

    def fit_across(self, fold_of_N: Ints, progress: Progress = silent) -> tuple[Fitted, list[Numbers]]:
        """Fit on all images but those of fold KEPT; and what each scores by the banks without the rows of its fold.

        No fold is fitted anew: the rows of the others stay as they were chosen. So a bank of many folds, each a small
        part of the images, is nearly the one that inspects.
        """
        fitted = self.fit(None if (fold_of_N != KEPT).all() else fold_of_N != KEPT, progress)
        method = fitted.method
        assert isinstance(method, PatchCore), "fitted by this learner"
        answers = []
        scores = self._gathered.each(ScoreWithout(method, fold_of_N), range(len(fold_of_N)))
        for number, answer in enumerate(scores, start=1):
            answers.append(answer)
            progress("threshold", number, len(fold_of_N))
        return fitted, answers

    def rows_given(self, fitted: Fitted) -> Doubles:
        """How many rows of the banks each image gave, had all as many patches as the largest."""
        method, count = fitted.method, len(self._good)
        assert isinstance(method, PatchCore), "fitted by this learner"
        rows_N, patches_N = np.zeros(count), np.zeros(count)
        for look, patches in zip(method.looks, self.patches.values(), strict=True):
            rows_N += np.bincount(look.bank.image_K, minlength=count)
            patches_N += np.diff([patches.first(image) for image in range(count + 1)])
        return np.asarray(rows_N * (patches_N.max() / patches_N), np.float64)

    def with_candidates(self, fitted: Fitted, images: Bools | None = None, progress: Progress = silent) -> Fitted:
        """The method that was fitted on these images or all, with the patches that let one of them go again."""
        method = fitted.method
        assert isinstance(method, PatchCore), "fitted by this learner"
        if not method.can_learn:
            return fitted
        numbers = self._numbers(images).tolist()
        keep = partial(self._keeping, numbers=numbers, progress=progress)
        looks = list(starmap(keep, zip(method.looks, self.patches.values(), strict=True)))
        return Fitted(method.with_looks(looks), fitted.graph)

    def features(self, fitted: Fitted, images: Sequence[int]) -> Iterator[Features]:
        """What the graph answered for these good images."""
        return map(self._gathered.of_image, images)

    def _numbers(self, images: Bools | None) -> Ints:
        return np.arange(len(self._good)) if images is None else np.flatnonzero(images)

    def _keeping(self, look: Look, patches: Patches, *, numbers: Sequence[int], progress: Progress) -> Look:
        """A look with its candidates."""
        if look.bank.radius == np.inf:
            look = look.over(self._measured(look, patches, numbers))
        most, threads = len(look.bank.image_K), self._good.threads
        candidates = find_candidates(
            look.bank, look.search, patches, numbers, most=most, threads=threads, progress=progress
        )
        return look.keeping(candidates)

    def _measured(self, look: Look, patches: Patches, numbers: Sequence[int]) -> Bank:
        """A bank that was chosen in a projection, with its radius among the patches themselves."""
        farthest = patches.each(partial(_farthest, look), numbers, threads=self._good.threads)
        return replace(look.bank, radius=max(farthest))

    def _scaled(self, method: PatchCore, number: int, numbers: Ints) -> Look:
        """One look with the scale of its rows and, among several, that of its map's peak."""
        look, patches, threads = method.looks[number], list(self.patches.values())[number], self._good.threads
        unseen = look_unseen(look, patches, numbers, self._good.part_N[numbers], threads)
        look = with_row_scale(look, unseen, threads)
        return look if len(method.looks) == 1 else with_peak_scale(look, patches, unseen, method.map_of, threads)


class ScoreWithout:
    """Scores each image by the banks without the rows of its fold; these are made where it is called."""

    def __init__(self, method: PatchCore, fold_of_N: Ints) -> None:
        self._method, self._fold_of_N = method, fold_of_N
        folds = np.unique(fold_of_N).tolist()
        self._without = {fold: method.without(np.flatnonzero(fold_of_N == fold)) for fold in folds}

    def __call__(self, image: int, features: Features) -> Numbers:
        return self._without[int(self._fold_of_N[image])].score(features, threads=1).numbers

    def __reduce__(self) -> tuple[Any, ...]:
        return ScoreWithout, (self._method, self._fold_of_N)


def _farthest(look: Look, image: int, patches: ImagePatches) -> float:
    """How far an image's farthest patch is from the bank."""
    return float(look.search.query(patches.values_QD, threads=1)[0].max())
