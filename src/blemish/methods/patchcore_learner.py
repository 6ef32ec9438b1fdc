"""How PatchCore begins: what it sees of the good images of a fit, and how often it is fitted on some of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import starmap

import numpy as np

from blemish.arrays import Array, Bools, Ints
from blemish.backbones.backbone import Backbone
from blemish.features.looks import graph_of, grid_names, plan_looks
from blemish.features.patches import Features
from blemish.images.transform import Transform
from blemish.memory.bank import Bank
from blemish.memory.candidates import find_candidates
from blemish.memory.choose import coreset_shard
from blemish.memory.spill import patch_store
from blemish.memory.training import Gathering, TrainingPatches
from blemish.methods.good_images import GoodImages
from blemish.methods.look import Look
from blemish.methods.look_scale import look_unseen, with_peak_scale, with_row_scale
from blemish.methods.look_tensors import look_of, look_tensor_kinds
from blemish.methods.method import KEPT, Fitted, Numbers, Scores, TensorKind
from blemish.methods.patchcore import PatchCore, reductions
from blemish.options.settings import Settings
from blemish.system.progress import Progress, silent
from blemish.system.stream import stream

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
        room = partial(patch_store, resources=good.resources)
        gatherings = {name: Gathering(len(good), room) for name in names}
        self.digests: list[str] = []
        for number, image in enumerate(good.seen_by(self.graph)):
            for name, gathering in gatherings.items():
                gathering.add(image.features[name])
            self.digests.append(image.digest)
            good.progress("patches", number + 1, len(good))
        self.patches = {name: gathering.patches() for name, gathering in gatherings.items()}
        self.grid = self.patches[names[0]].grid
        self._shards = [coreset_shard(patches, settings, good.resources) for patches in self.patches.values()]
        self._good = good

    def fit(self, images: Bools | None = None, progress: Progress = silent) -> Fitted:
        """The banks of all looks; those that were named are brought to scale."""
        good = self._good
        patches, settings, transform = list(self.patches.values()), good.settings, good.transform
        method = PatchCore.fit(
            patches, self._shards, settings, transform, images=images, threads=good.threads, progress=progress
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
        without = {fold: method.without(np.flatnonzero(fold_of_N == fold)) for fold in np.unique(fold_of_N).tolist()}

        def score(image: int) -> Numbers:
            features = {name: patches.of_image(image) for name, patches in self.patches.items()}
            scores: Scores = without[fold_of_N[image]].score(features, threads=1)
            return scores.numbers

        answers = []
        for number, answer in enumerate(stream(score, range(len(fold_of_N)), threads=self._good.threads), start=1):
            answers.append(answer)
            progress("threshold", number, len(fold_of_N))
        return fitted, answers

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
        for image in images:
            yield {name: patches.of_image(image) for name, patches in self.patches.items()}

    def _numbers(self, images: Bools | None) -> Ints:
        return np.arange(len(self._good)) if images is None else np.flatnonzero(images)

    def _keeping(self, look: Look, patches: TrainingPatches, *, numbers: Sequence[int], progress: Progress) -> Look:
        """A look with its candidates."""
        if look.bank.radius == np.inf:
            look = look.over(self._measured(look, patches, numbers))
        most, threads = len(look.bank.image_K), self._good.threads
        candidates = find_candidates(
            look.bank, look.search, patches, numbers, most=most, threads=threads, progress=progress
        )
        return look.keeping(candidates)

    def _measured(self, look: Look, patches: TrainingPatches, numbers: Sequence[int]) -> Bank:
        """A bank that was chosen in a projection, with its radius among the patches themselves."""

        def farthest(image: int) -> float:
            return float(look.search.query(patches.of_image(image).values_QD, threads=1)[0].max())

        return replace(look.bank, radius=max(stream(farthest, numbers, threads=self._good.threads)))

    def _scaled(self, method: PatchCore, number: int, numbers: Ints) -> Look:
        """One look with the scale of its rows and, among several, that of its map's peak."""
        look, patches, threads = method.looks[number], list(self.patches.values())[number], self._good.threads
        unseen = look_unseen(look, patches, numbers, self._good.part_N[numbers], threads)
        look = with_row_scale(look, unseen, threads)
        return look if len(method.looks) == 1 else with_peak_scale(look, patches, unseen, method.map_of, threads)
